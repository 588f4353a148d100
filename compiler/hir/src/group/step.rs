//! One step of a group: its equations evaluated inside of the body.

use super::{Plan, State};
use crate::elab::Elab;
use crate::reads::{Node, What};
use crate::scope::{Binding, Scope};
use crate::value::{Dyn, Val};
use seqc_algebra::{Elem, MapFn, Op};
use seqc_syntax::ast::Decl;
use seqc_syntax::{Diagnostic, Span};
use std::collections::HashMap;

impl<'p> Elab<'p> {
    /// Evaluates the equations of one step. `Err(Some(k))`: state k is complex after all.
    pub(super) fn steps_of(
        &mut self,
        inner: &mut Scope<'p>,
        nodes: &[Node<'p>],
        plan: &Plan<'p>,
        states: &HashMap<String, &'p Decl>,
        depth: usize,
    ) -> Result<(), Option<usize>> {
        let mut failed = false;
        for k in &plan.order {
            let What::Equation(eq) = nodes[*k].what else {
                return Err(None);
            };
            for (name, v) in self.equation(inner, eq, states) {
                let state = plan.states.iter().position(|st| st.name.text == name.text);
                let v = match (state, v) {
                    (_, Val::Poison) => {
                        failed = true;
                        Val::Poison
                    }
                    (None, v @ (Val::Dyn(_) | Val::Stat(_) | Val::Mixer(_))) => v,
                    (None, _) => {
                        self.not_built(
                            "a matrix or kernel inside a cycle through a state",
                            eq.span,
                        );
                        failed = true;
                        Val::Poison
                    }
                    (Some(k), v) => {
                        let st = &plan.states[k];
                        let v = self.dynamic(v, eq.value.span).and_then(|v| {
                            self.fits_state(inner, st.decl, &v, eq.value.span)
                                .map(|()| v)
                        });
                        let v = v.and_then(|v| self.next_state(&v, st, depth, eq.value.span));
                        match v {
                            Some(v) if self.elem(&v) == Elem::Complex && !st.complex => {
                                return Err(Some(k));
                            }
                            Some(v) => Val::Dyn(v),
                            None => {
                                failed = true;
                                Val::Poison
                            }
                        }
                    }
                };
                let now = Some(v);
                if let Some(named) = inner.names.get_mut(&name.text)
                    && let Binding::Loop { now: slot, .. } = &mut named.binding
                {
                    *slot = now;
                }
            }
        }
        if failed { Err(None) } else { Ok(()) }
    }

    /// In the body, with all axes of the state, complex if it is.
    fn next_state(&mut self, v: &Dyn, st: &State<'p>, depth: usize, span: Span) -> Option<Dyn> {
        let mut v = self.bring(v, depth, span)?;
        let time = self.frames[depth].body.as_ref().map(|l| l.time);
        let other = self.times(&v).into_iter().find(|a| !st.axes.contains(a));
        if let (Some(time), Some(other)) = (time, other) {
            let d = Diagnostic::error(
                "E20",
                format!(
                    "state `{}` steps along `{}`, this runs on `{}`",
                    st.name.text, time.name, other.name
                ),
                span,
            );
            self.report(self.about_clocks(d, &[time, other]));
            return None;
        }
        if st.complex && self.elem(&v) != Elem::Complex {
            let zero = self.number(0.0);
            v = self.map2(MapFn::Complex, &v, &zero, span)?;
        }
        let v = self.expand(&v, &st.axes, span)?;
        match (st.sources, time) {
            (Some((_, sources)), Some(time)) => self.born(&v, st, (time, sources), depth, span),
            _ => Some(v),
        }
    }

    /// The image of a value in a body.
    pub(super) fn bring(&mut self, v: &Dyn, depth: usize, span: Span) -> Option<Dyn> {
        if v.depth == depth {
            return Some(v.clone());
        }
        // An empty expansion is the value itself, at that depth.
        self.emit_at(depth, Op::Expand(vec![]), &[v], span)
    }
}
