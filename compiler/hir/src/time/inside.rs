//! Reads of states inside the loop that computes them: the steps before this one, which the loop carries.

use super::{Base, TimeIndex, names_in};
use crate::elab::Elab;
use crate::scope::{Binding, Scope};
use crate::value::Val;
use seqc_algebra::Axis;
use seqc_syntax::ast::{Expr, ExprKind};
use seqc_syntax::{Diagnostic, Span};

impl<'p> Elab<'p> {
    /// `K[t-1,j]` inside the loop of a state for each source position: every source reads its own.
    pub(super) fn family_read(
        &mut self,
        s: &mut Scope<'p>,
        base: &'p Expr,
        (step, source): (&TimeIndex, &TimeIndex),
        span: Span,
    ) -> Option<Val> {
        let ExprKind::Name(name) = &base.kind else {
            return None;
        };
        let Some(Binding::Loop { before, .. }) = s.names.get(&name.text).map(|n| &n.binding) else {
            return None;
        };
        let formal = before.first()?.clone();
        let own = |a: Axis| self.has(&formal, a);
        match source.base {
            Some(Base::Bound(a)) if own(a) && source.c == 0 && source.ranges.is_empty() => {
                self.loop_read(s, base, step, span)
            }
            _ => {
                let d = Diagnostic::error(
                    "E19",
                    format!("`{}` is read at a source other than its own", name.text),
                    span,
                );
                self.report(d.help(
                    "inside of its own equation a state for each source reads the same source only",
                ));
                Some(Val::Poison)
            }
        }
    }

    /// Reads of states inside the loop that computes them.
    pub(super) fn loop_read(
        &mut self,
        s: &mut Scope<'p>,
        base: &'p Expr,
        at: &TimeIndex,
        span: Span,
    ) -> Option<Val> {
        let mut names = Vec::new();
        names_in(base, &mut names);
        names.retain(|n| matches!(s.names.get(n.as_str()), Some(n) if matches!(n.binding, Binding::Loop { .. })));
        if names.is_empty() {
            return None;
        }
        if at.base != Some(Base::Now(s.now())) && !matches!(at.base, Some(Base::Now(_)))
            || !at.ranges.is_empty()
            || at.lag.is_some()
        {
            self.not_built("a window over the states of a cycle", span);
            return Some(Val::Poison);
        }
        if at.c == 0 {
            return Some(self.loose(s, base));
        }
        let mut kept = Vec::new();
        for name in &names {
            let Some(named) = s.names.get_mut(name.as_str()) else {
                continue;
            };
            let Binding::Loop {
                before, backward, ..
            } = &named.binding
            else {
                continue;
            };
            let steps = if *backward { at.c } else { -at.c };
            let Some(v) = usize::try_from(steps - 1)
                .ok()
                .and_then(|k| before.get(k))
                .cloned()
            else {
                return Some(Val::Poison);
            };
            kept.push((
                name.clone(),
                std::mem::replace(&mut named.binding, Binding::Val(Val::Dyn(v))),
            ));
        }
        let out = self.loose(s, base);
        for (name, binding) in kept {
            if let Some(named) = s.names.get_mut(&name) {
                named.binding = binding;
            }
        }
        Some(out)
    }
}
