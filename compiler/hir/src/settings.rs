//! The settings of a callee: what a call gives, the header's defaults, and whether sizes are whole.

use crate::call::{ANY_MIXER, Given};
use crate::elab::Elab;
use crate::scope::{Scope, Static};
use crate::stat::Stat;
use crate::value::{Instance, Val};
use seqc_syntax::ast::{Expr, Hyper, HyperKind, Mixer};
use seqc_syntax::{Diagnostic, Span, did_you_mean};
use std::rc::Rc;

impl<'p> Elab<'p> {
    /// E24
    pub fn no_setting(&mut self, mixer: &Mixer, name: &str, span: Span) {
        let known: Vec<&str> = mixer.hypers.iter().map(|h| h.name.text.as_str()).collect();
        let list = if known.is_empty() {
            "it has none".to_owned()
        } else {
            format!("it has {}", known.join(", "))
        };
        let mut d = Diagnostic::error(
            "E24",
            format!("`{}` has no setting `{name}`; {list}", mixer.name.text),
            span,
        );
        if let Some(near) = did_you_mean(name, known) {
            d = d.help(format!("did you mean `{near}`?"));
        }
        self.report(d);
    }

    /// Settings in order: given, bound by an input's axis, or default.
    pub fn settings(
        &mut self,
        callee: &mut Scope<'p>,
        mixer: &'p Mixer,
        given: Given,
        span: Span,
    ) -> Option<()> {
        let mut ok = true;
        for h in &mixer.hypers {
            let name = &h.name.text;
            let value = given.iter().find(|(g, _, _)| g == name);
            if h.kind == Some(HyperKind::Mixer) {
                let v = match value {
                    Some((_, v, at)) => Some((v.clone(), *at)),
                    None => h.default.as_ref().map(|d| (self.eval(callee, d), d.span)),
                };
                ok &= self.mixer_setting(callee, mixer, h, v, span).is_some();
                continue;
            }
            if let Some(axes) = callee.axes.get(name).cloned() {
                let size = self.volume(&axes, h.span)?;
                callee.statics.insert(
                    name.clone(),
                    Static {
                        value: Stat::int(size as i128),
                        span: h.span,
                        formula: size.to_string(),
                    },
                );
                continue;
            }
            let (v, at, formula) = match value {
                Some((_, v, at)) => (v.clone(), *at, None),
                None => match &h.default {
                    Some(d) => (self.eval(callee, d), d.span, Some(crate::text::text_of(d))),
                    None if self.checking && self.stack.len() == 1 => {
                        (Val::Stat(Stat::int(4)), h.span, None)
                    }
                    None => {
                        let help = format!("give it: `{name} = …`");
                        self.report(without(&mixer.name.text, name, (span, h.span), help));
                        ok = false;
                        continue;
                    }
                },
            };
            let Val::Stat(st) = v else {
                if !v.is_poison() {
                    self.report(
                        Diagnostic::error(
                            "E28",
                            format!("setting `{name}` must be a constant"),
                            at,
                        )
                        .secondary(h.span, "declared here"),
                    );
                }
                callee.bind(name, Val::Poison, h.name.span);
                ok = false;
                continue;
            };
            if self.number_setting(callee, h, st, at, formula).is_none() {
                callee.bind(name, Val::Poison, h.name.span);
                ok = false;
            }
        }
        ok.then_some(())
    }

    fn mixer_setting(
        &mut self,
        callee: &mut Scope<'p>,
        mixer: &'p Mixer,
        h: &'p Hyper,
        v: Option<(Val, Span)>,
        span: Span,
    ) -> Option<()> {
        let name = &h.name.text;
        let v = match v {
            Some((Val::Mixer(m), at)) if m.home.is_none() && m.item != ANY_MIXER => {
                let home = callee.home.join(name).at(at);
                let given = m
                    .given
                    .iter()
                    .map(|(n, v, at)| (n.clone(), v.clone(), *at))
                    .collect();
                Val::Mixer(Rc::new(Instance {
                    item: m.item,
                    given,
                    home: Some(home),
                }))
            }
            Some((v @ (Val::Mixer(_) | Val::Function(_)), _)) => v,
            Some((Val::Poison, _)) => return None,
            Some((_, at)) => {
                self.report(
                    Diagnostic::error("E28", format!("setting `{name}` must be a mixer"), at)
                        .secondary(h.span, "declared here"),
                );
                return None;
            }
            None if self.checking && self.stack.len() == 1 => Val::Mixer(Rc::new(Instance {
                item: ANY_MIXER,
                given: vec![],
                home: None,
            })),
            None => {
                let help = format!("give it a mixer: `{name} = …`");
                self.report(without(&mixer.name.text, name, (span, h.span), help));
                return None;
            }
        };
        callee.bind(name, v, h.name.span);
        Some(())
    }

    fn number_setting(
        &mut self,
        callee: &mut Scope<'p>,
        h: &'p Hyper,
        st: Stat,
        at: Span,
        formula: Option<String>,
    ) -> Option<()> {
        let name = &h.name.text;
        let formula_text = formula.clone().unwrap_or_else(|| st.to_string());
        let whole_needed = h.kind != Some(HyperKind::Float);
        if whole_needed && !st.is_whole() {
            self.not_whole(callee, h, st, at);
            return None;
        }
        let fits = match h.kind {
            Some(HyperKind::Int) => st.as_int().is_some(),
            Some(HyperKind::Bool) => matches!(st, Stat::Bool(_)),
            Some(HyperKind::Float) => !matches!(st, Stat::Bool(_)),
            _ => true,
        };
        if !fits || st.as_f64().is_nan() {
            let kind = match h.kind {
                Some(HyperKind::Int) => "a whole number",
                Some(HyperKind::Bool) => "true or false",
                _ => "a number",
            };
            self.report(
                Diagnostic::error(
                    "E28",
                    format!("setting `{name}` must be {kind}, {st} is not"),
                    at,
                )
                .secondary(h.span, "declared here"),
            );
            return None;
        }
        callee.statics.insert(
            name.clone(),
            Static {
                value: st,
                span: h.name.span,
                formula: formula_text,
            },
        );
        Some(())
    }

    /// E09: names the division that leaves a rest.
    fn not_whole(&mut self, callee: &mut Scope<'p>, h: &'p Hyper, st: Stat, at: Span) {
        let name = &h.name.text;
        let division = h
            .default
            .as_ref()
            .filter(|d| d.span == at)
            .and_then(|d| self.fraction(callee, d));
        let d = match division {
            Some((text, l, r, span)) => {
                let mut d =
                    Diagnostic::error("E09", format!("`{text}` = {l} / {r} is not whole"), span)
                        .label(format!("the size of `{name}`"));
                let divisors: Vec<String> = (1..=l.as_int().unwrap_or(0).min(1 << 16))
                    .filter(|k| l.as_int().is_some_and(|n| n % k == 0))
                    .map(|k| k.to_string())
                    .take(16)
                    .collect();
                d = match callee
                    .mixer
                    .hypers
                    .iter()
                    .find(|o| text.ends_with(&format!("/ {}", o.name.text)))
                {
                    Some(o) if !divisors.is_empty() => d.help(format!(
                        "set `{}` to a divisor of {l}: {}",
                        o.name.text,
                        divisors.join(", ")
                    )),
                    _ => d.help("choose sizes that divide"),
                };
                d
            }
            None => Diagnostic::error("E09", format!("`{name}` = {st} is not whole"), at)
                .secondary(h.span, "declared here"),
        };
        self.report(d);
    }

    /// The first division inside a formula that leaves a rest.
    fn fraction(&mut self, s: &mut Scope<'p>, e: &'p Expr) -> Option<(String, Stat, Stat, Span)> {
        use seqc_syntax::ast::{BinaryOp, ExprKind};
        match &e.kind {
            ExprKind::Binary { op, left, right } => {
                let inner = self.fraction(s, left).or_else(|| self.fraction(s, right));
                if inner.is_some() || *op != BinaryOp::Div {
                    return inner;
                }
                let (l, r) = (self.quiet_static(s, left)?, self.quiet_static(s, right)?);
                (l.is_whole() && r.is_whole() && !(l / r).is_whole())
                    .then(|| (crate::text::text_of(e), l, r, e.span))
            }
            ExprKind::Unary { operand, .. } => self.fraction(s, operand),
            _ => None,
        }
    }
}

/// A call without a setting that has no default: where the call is, and where the setting is declared.
fn without(mixer: &str, name: &str, (call, declared): (Span, Span), help: String) -> Diagnostic {
    let said = format!("`{mixer}` needs its setting `{name}`");
    let d = Diagnostic::error("E24", said, call);
    d.secondary(declared, "it has no default").help(help)
}
