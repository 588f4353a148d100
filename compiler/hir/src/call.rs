//! Calls of mixers: inlining, with axes matched by name, settings, shared instances.
//!
//! An input's axes are found in the argument by name; axes in the callee's brackets are given at the call or
//! inferred when one axis is left. What the callee does not name it is mapped over. A call without inputs is an
//! instance: its parameters belong to the line that made it, and every call of it shares them.

use crate::elab::{Elab, MAX_CALLS};
use crate::scope::Scope;
use crate::value::{Dyn, Instance, Val};
use seqc_algebra::Axis;
use seqc_syntax::ast::{Arg, Call, Expr, Mixer, Name};
use seqc_syntax::{Diagnostic, Span};
use std::collections::HashSet;
use std::rc::Rc;

/// Stands for a mixer that a setting without default would name: while checking, it returns its input.
pub const ANY_MIXER: usize = usize::MAX;

/// Values for settings, with where each was written.
pub type Given = Vec<(String, Val, Span)>;

struct Arguments<'p> {
    inputs: Vec<Option<(&'p Expr, Span)>>,
    settings: Vec<(&'p Name, &'p Expr)>,
    /// `along = w`
    along: Option<&'p Name>,
}

impl<'p> Elab<'p> {
    pub fn call_mixer(
        &mut self,
        s: &mut Scope<'p>,
        m: Rc<Instance>,
        e: &'p Expr,
        c: &'p Call,
    ) -> Val {
        if m.item == ANY_MIXER {
            return self.call_any(s, m, c);
        }
        let program = self.program;
        let mixer = program.mixer(m.item);
        let Some(args) = self.arguments(mixer, c, e.span) else {
            return Val::Poison;
        };
        let mut given: Given = m
            .given
            .iter()
            .map(|(n, v, at)| (n.clone(), v.clone(), *at))
            .collect();
        for (name, value) in &args.settings {
            let v = self.eval(s, value);
            given.retain(|(n, _, _)| *n != name.text);
            given.push((name.text.clone(), v, value.span));
        }
        if given.iter().any(|(_, v, _)| v.is_poison()) {
            return Val::Poison;
        }
        if args.inputs.iter().all(Option::is_none) {
            let home = m
                .home
                .clone()
                .unwrap_or_else(|| self.below(&s.home_of(c), &c.name.text, e.span));
            return Val::Mixer(Rc::new(Instance {
                item: m.item,
                given,
                home: Some(home),
            }));
        }
        let mut values = Vec::new();
        for (port, a) in mixer.inputs.iter().zip(&args.inputs) {
            let Some((a, at)) = a else {
                let d = Diagnostic::error(
                    "E28",
                    format!("`{}` lacks its input `{}`", c.name.text, port.name.text),
                    e.span,
                );
                self.report(d.secondary(port.span, "declared here").help(format!(
                    "it takes {} input{}",
                    mixer.inputs.len(),
                    if mixer.inputs.len() == 1 { "" } else { "s" }
                )));
                return Val::Poison;
            };
            values.push((self.eval_dyn(s, a), *at));
        }
        let values: Option<Vec<(Dyn, Span)>> = values
            .into_iter()
            .map(|(v, at)| v.map(|v| (v, at)))
            .collect();
        let Some(values) = values else {
            return Val::Poison;
        };
        let home = m
            .home
            .clone()
            .unwrap_or_else(|| self.below(&s.home_of(c), &c.name.text, e.span));
        if !self.enter(m.item, e.span) {
            return Val::Poison;
        }
        let mark = self.lines.len();
        let line = match args.along {
            Some(name) => self.line(s, name, &values).map(Some),
            None => Some(None),
        };
        let out = match line {
            Some(line) => self.inline(s, m.item, (c, line), home, &values, given, e.span),
            None => Val::Poison,
        };
        self.lines.truncate(mark);
        self.stack.pop();
        out
    }

    /// Guards against mixers that call themselves.
    fn enter(&mut self, item: usize, span: Span) -> bool {
        if let Some(at) = self.stack.iter().position(|(i, _)| *i == item) {
            let mut names: Vec<&str> = self.stack[at..]
                .iter()
                .map(|(i, _)| self.program.mixer(*i).name.text.as_str())
                .collect();
            names.push(&self.program.mixer(item).name.text);
            let d = Diagnostic::error(
                "E26",
                format!("a mixer calls itself: {}", names.join(" → ")),
                span,
            );
            let calls = self.stack[at + 1..].iter().map(|(_, call)| *call);
            let d = calls
                .filter(|call| *call != span)
                .fold(d, |d, call| d.secondary(call, "which is called here"));
            self.report(d.help("there is no recursion over mixers; layers are `repeat`, recurrence in time is a `state`"));
            return false;
        }
        if self.stack.len() >= MAX_CALLS {
            self.too_large(
                format!("mixers call each other more than {MAX_CALLS} deep"),
                span,
            );
            return false;
        }
        self.stack.push((item, span));
        true
    }

    /// While checking a mixer alone: an unknown mixer gives what it is given.
    fn call_any(&mut self, s: &mut Scope<'p>, m: Rc<Instance>, c: &'p Call) -> Val {
        let mut first = None;
        for a in &c.args {
            match a {
                Arg::Positional(x) => {
                    let v = self.eval(s, x);
                    first.get_or_insert(v);
                }
                Arg::Named { name, value, .. } => {
                    if name.text != "along" {
                        self.eval(s, value);
                    } else if let (Some(line), Some(Val::Dyn(v))) =
                        (self.line_named(value), first.clone())
                    {
                        self.need_axis(s, line, &v, "`along`");
                    }
                }
                Arg::Map(_) | Arg::Per { .. } => {}
            }
        }
        first.unwrap_or(Val::Mixer(m))
    }

    fn arguments(&mut self, mixer: &'p Mixer, c: &'p Call, span: Span) -> Option<Arguments<'p>> {
        let mut out = Arguments {
            inputs: vec![None; mixer.inputs.len()],
            settings: vec![],
            along: None,
        };
        let mut next = 0;
        for a in &c.args {
            match a {
                Arg::Positional(x) => {
                    if next >= mixer.inputs.len() {
                        let d = Diagnostic::error(
                            "E28",
                            format!(
                                "`{}` takes {} input{}",
                                c.name.text,
                                next,
                                if next == 1 { "" } else { "s" }
                            ),
                            x.span,
                        );
                        self.report(d.secondary(mixer.name.span, "defined here"));
                        return None;
                    }
                    out.inputs[next] = Some((x, x.span));
                    next += 1;
                }
                Arg::Named { name, value, .. } => {
                    if name.text == "along" {
                        out.along = Some(self.line_named(value)?);
                    } else if let Some(k) =
                        mixer.inputs.iter().position(|p| p.name.text == name.text)
                    {
                        if out.inputs[k].replace((value, value.span)).is_some() {
                            self.report(Diagnostic::error(
                                "E28",
                                format!("input `{}` is given twice", name.text),
                                name.span,
                            ));
                            return None;
                        }
                    } else if mixer.hypers.iter().any(|h| h.name.text == name.text) {
                        out.settings.push((name, value));
                    } else {
                        self.no_setting(mixer, &name.text, name.span);
                        return None;
                    }
                }
                Arg::Map(m) => {
                    self.report(
                        Diagnostic::error(
                            "E28",
                            format!("`{}` takes no map of axes", c.name.text),
                            m.span,
                        )
                        .help("only `linear` and `affine` do"),
                    );
                    return None;
                }
                Arg::Per { span: at, .. } => {
                    self.report(
                        Diagnostic::error("E28", format!("`{}` takes no `per`", c.name.text), *at)
                            .help("only `linear` and `affine` do"),
                    );
                    return None;
                }
            }
        }
        let _ = span;
        Some(out)
    }

    #[allow(clippy::too_many_arguments)]
    fn inline(
        &mut self,
        s: &mut Scope<'p>,
        item: usize,
        (c, line): (&'p Call, Option<Axis>),
        home: crate::value::Home,
        values: &[(Dyn, Span)],
        given: Given,
        span: Span,
    ) -> Val {
        let program = self.program;
        let mixer = program.mixer(item);
        let Some(given_axes) = self.given_axes(s, mixer, c, values) else {
            return Val::Poison;
        };
        let Some(values) = self.under_own_names(&given_axes, values) else {
            return Val::Poison;
        };
        let values = values.as_slice();
        let mut callee = Scope::new(program.items[item].module, mixer, home);
        for (v, _) in values {
            callee
                .taken
                .extend(self.axes(v).iter().map(|a| a.name.as_str().to_owned()));
        }
        callee.taken.insert("t".into());
        if let Some(line) = line {
            for port in &mixer.inputs {
                if let Some(clock) = Self::clock_name(port) {
                    callee.clocks.insert(clock.to_owned(), line);
                }
            }
        }
        let ok = self.bind_group(s, &mut callee, mixer, c, values);
        let mut ok = ok.is_some();
        for (port, (v, at)) in mixer.inputs.iter().zip(values) {
            ok &= self
                .bind_port(s, &mut callee, mixer, c, port, v, *at, &given)
                .is_some();
        }
        if !ok {
            return Val::Poison;
        }
        callee.clocks.entry("t".into()).or_insert(s.now());
        for (port, (v, at)) in mixer.inputs.iter().zip(values) {
            let mut v = v.clone();
            if port.ty.seq.as_ref().is_some_and(|q| q.range.is_some()) && v.index.is_none() {
                let d = Diagnostic::error(
                    "E28",
                    format!("`{}` takes integers, positions of an axis", port.name.text),
                    *at,
                );
                self.report(
                    d.secondary(port.span, "declared here")
                        .help("pass tokens, or the result of `argmax`"),
                );
                return Val::Poison;
            }
            if port.ty.seq.as_ref().is_none_or(|q| q.range.is_none()) {
                v.index = None;
            }
            callee.bind(&port.name.text, Val::Dyn(v), port.name.span);
        }
        if self.settings(&mut callee, mixer, given, span).is_none() {
            return Val::Poison;
        }
        let wanted: HashSet<String> = mixer.outputs.iter().map(|p| p.name.text.clone()).collect();
        let before = self.diags.len();
        self.body(&mut callee, &mixer.body.stmts, &wanted);
        // What goes wrong inside because of sizes is explained by the call.
        for d in &mut self.diags[before..] {
            if matches!(d.code, "E08" | "E09" | "E10" | "E27")
                && !d.secondary.iter().any(|l| l.text == "in this call")
                && d.primary.span.file != span.file
            {
                d.secondary.push(seqc_syntax::Label {
                    span,
                    text: "in this call".into(),
                });
            }
        }
        let outs: Vec<Val> = mixer
            .outputs
            .iter()
            .map(|p| {
                let v = self.output(&mut callee, p);
                v.and_then(|v| self.under_callers_names(&given_axes, v, span))
                    .map_or(Val::Poison, Val::Dyn)
            })
            .collect();
        match <[Val; 1]>::try_from(outs) {
            Ok([one]) => one,
            Err(many) if many.iter().any(Val::is_poison) => Val::Poison,
            Err(many) => Val::Tuple(many),
        }
    }
}
