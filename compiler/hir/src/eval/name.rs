//! What a name stands for: an index, a value, a number, a size, a position, a mixer; or why it stands for nothing.

use crate::elab::Elab;
use crate::reach::Reach;
use crate::scope::{Binding, Scope};
use crate::stat::Stat;
use crate::value::{Dyn, Instance, Val};
use seqc_algebra::{Axis, InputKind, MapFn, Op, Ty};
use seqc_syntax::ast::Name;
use seqc_syntax::{Diagnostic, Span};
use std::rc::Rc;

impl<'p> Elab<'p> {
    pub(super) fn name(&mut self, s: &mut Scope<'p>, n: &'p Name) -> Val {
        match self.name_form(s, n) {
            Val::Matrix(_) => {
                let d = Diagnostic::error(
                    "E17",
                    format!("`{}` is a matrix: it needs its two indices", n.text),
                    n.span,
                );
                self.report(d.help(format!("write `{}[t,j]` under `sum[j](…)`", n.text)));
                Val::Poison
            }
            Val::Kernel(k) if self.lag_in_scope(s).is_none() => {
                let d = Diagnostic::error(
                    "E17",
                    format!("`{}` is a kernel: it needs its index", n.text),
                    n.span,
                );
                self.report(d.help(format!(
                    "write `{}[{}]` under `sum[{}](…)`",
                    n.text, k.lag.name, k.lag.name
                )));
                Val::Poison
            }
            Val::Kernel(_) => {
                let d = Diagnostic::error("E17", format!("`{}` needs its index", n.text), n.span);
                self.report(d.help(format!("write `{}[lag]`", n.text)));
                Val::Poison
            }
            Val::Dyn(v)
                if s.strict
                    && self.times(&v).iter().any(|a| s.is_clock(*a))
                    && s.names.contains_key(&n.text) =>
            {
                let mut of: Vec<String> = s.indices.keys().map(|i| format!("`[{i}]`")).collect();
                of.sort();
                let d = Diagnostic::error(
                    "E17",
                    format!("`{}` needs {} here", n.text, of.join(" or ")),
                    n.span,
                );
                self.report(d.label("a sequence, read at no time").help(format!("the equation's left side has its own indices: say at which of them `{}` is read", n.text)));
                Val::Poison
            }
            other => other,
        }
    }

    /// A name's value, kernels and matrices included.
    pub(crate) fn name_form(&mut self, s: &mut Scope<'p>, n: &'p Name) -> Val {
        if let Some(index) = s.indices.get(&n.text).copied() {
            return self.position(index.axis, index.lag && s.ahead, n.span);
        }
        if let Some(named) = s.names.get(&n.text) {
            match &named.binding {
                Binding::Val(v) => return v.clone(),
                Binding::Loop { now: Some(v), .. } => return v.clone(),
                Binding::Loop { now: None, .. } | Binding::Pending => {}
            }
            self.too_early(s, n);
            return Val::Poison;
        }
        if let Some(st) = s.statics.get(&n.text) {
            return Val::Stat(st.value);
        }
        if let Some(axes) = s.axes.get(&n.text).cloned() {
            return self
                .volume(&axes, n.span)
                .map_or(Val::Poison, |v| Val::Stat(Stat::int(v as i128)));
        }
        if let Some(clock) = s.clocks.get(&n.text).copied() {
            return self.position(clock, false, n.span);
        }
        match n.text.as_str() {
            "pi" => return Val::Stat(Stat::Float(std::f64::consts::PI)),
            "inf" => return Val::Stat(Stat::Float(f64::INFINITY)),
            "true" => return Val::Stat(Stat::Bool(true)),
            "false" => return Val::Stat(Stat::Bool(false)),
            "len" => return self.length(s.now(), n.span),
            "training" => return Val::Dyn(self.training()),
            _ => {}
        }
        if let Some(item) = self.program.lookup(s.module, &n.text) {
            return Val::Mixer(Rc::new(Instance {
                item,
                given: vec![],
                home: None,
            }));
        }
        if let Some(function) = crate::builtin::as_mixer(&n.text) {
            return Val::Function(function);
        }
        self.unknown(s, n);
        Val::Poison
    }

    /// A name that is declared, or part of the cycle being computed, but has no value yet.
    fn too_early(&mut self, s: &Scope<'p>, n: &Name) {
        if s.current.contains(&n.text) || s.defined.contains_key(&n.text) {
            return self.unknown(s, n);
        }
        let d = Diagnostic::error(
            "E03",
            format!("the state `{}` has no value here yet", n.text),
            n.span,
        );
        self.report(d.help("a declaration may read settings and parameters"));
    }

    /// E03, or E14 for a name that needs itself.
    pub(crate) fn unknown(&mut self, s: &Scope<'p>, n: &Name) {
        if s.current.contains(&n.text) {
            let d = Diagnostic::error(
                "E14",
                format!("`{0}` reads itself, but is not a state", n.text),
                n.span,
            );
            self.report(d.help(format!(
                "declare `state {0}{{…}}` and write `{0}[t] = …`",
                n.text
            )));
            return;
        }
        if let Some(at) = s.defined.get(&n.text) {
            let d = Diagnostic::error(
                "E03",
                format!("`{}` is read before its equation", n.text),
                n.span,
            );
            self.report(
                d.secondary(*at, "defined here")
                    .help("move the equation up; only a `state` may be read before its equation"),
            );
            return;
        }
        let mut d = Diagnostic::error("E03", format!("`{}` is unknown", n.text), n.span);
        d = match self.near(&n.text, || s.known()) {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None => d.help("define it before this line, or import it"),
        };
        self.report(d);
    }

    /// The coordinate along a time axis as a number, counted from the document's start.
    fn position(&mut self, axis: Axis, negative: bool, span: Span) -> Val {
        let Some(v) = self.iota(axis, span) else {
            return Val::Poison;
        };
        if !negative {
            return Val::Dyn(v);
        }
        self.map1(MapFn::Neg, &v, span)
            .map_or(Val::Poison, Val::Dyn)
    }

    pub(crate) fn length(&mut self, axis: Axis, span: Span) -> Val {
        let Some(clock) = crate::reach::clock_of(axis) else {
            let size = axis.size.constant().unwrap_or_default();
            return Val::Stat(Stat::int(size as i128));
        };
        match self.emit_at(0, Op::Length(axis.size), &[], span) {
            Some(mut v) => {
                v.reach = Reach::whole(clock);
                Val::Dyn(v)
            }
            None => Val::Poison,
        }
    }

    fn training(&mut self) -> Dyn {
        if let Some(v) = &self.training {
            return v.clone();
        }
        let v = self.input(
            "training",
            InputKind::Data,
            Ty::real(vec![]),
            Reach::default(),
        );
        self.training = Some(v.clone());
        v
    }
}
