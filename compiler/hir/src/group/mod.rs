//! States that depend on each other through time: one loop.
//!
//! Only what depends on the states goes into the body; the rest enters it. States carry one step (or several,
//! for `S[t-2]`); those read outside are emitted for every step. Errors: E13, E14, E15, E16.
//! A group is planned, its equations are evaluated inside of a body, and the body is closed into a scan.

mod close;
mod family;
mod order;
mod plan;
mod state;
mod step;

use crate::elab::Elab;
use crate::reads::{Node, What};
use crate::scope::{Binding, Named, Scope};
use crate::value::{Dyn, Val};
use seqc_algebra::{Axis, Elem, Ty, ValueId};
use seqc_syntax::ast::{Decl, Name};
use std::collections::{HashMap, HashSet};

struct State<'p> {
    decl: &'p Decl,
    name: &'p Name,
    axes: Vec<Axis>,
    delay: usize,
    /// Of a state for each source position: the index and its axis.
    sources: Option<(&'p Name, Axis)>,
    start: Option<Dyn>,
    complex: bool,
}

struct Plan<'p> {
    time: Axis,
    backward: bool,
    order: Vec<usize>,
    states: Vec<State<'p>>,
}

enum Attempt<'p> {
    Done(Vec<(&'p Name, Val)>),
    /// A state turned out to be complex.
    Complex(usize),
    Failed,
}

impl<'p> Elab<'p> {
    pub(crate) fn group(
        &mut self,
        s: &mut Scope<'p>,
        nodes: &[Node<'p>],
        comp: &[usize],
        states: &HashMap<String, &'p Decl>,
        external: &HashSet<String>,
    ) {
        let names: Vec<&'p Name> = comp.iter().flat_map(|k| nodes[*k].defs()).collect();
        let poison = |s: &mut Scope<'p>| {
            for n in &names {
                s.bind(&n.text, Val::Poison, n.span);
            }
        };
        let Some(mut plan) = self.plan(s, nodes, comp, states) else {
            poison(s);
            self.check_anyway(s, nodes, comp, states);
            return;
        };
        let mark = self.diags.len();
        for _ in 0..=plan.states.len() {
            match self.attempt(s, nodes, &plan, states, external) {
                Attempt::Done(values) => {
                    for (name, v) in values {
                        let start = plan
                            .states
                            .iter()
                            .find(|st| st.name.text == name.text && st.sources.is_none())
                            .and_then(|st| st.start.clone());
                        self.define(s, name, v, start);
                    }
                    return;
                }
                Attempt::Complex(k) => {
                    self.forget(mark);
                    plan.states[k].complex = true;
                }
                Attempt::Failed => break,
            }
        }
        poison(s);
    }

    /// Reports what else is wrong in equations that will not be built.
    fn check_anyway(
        &mut self,
        s: &mut Scope<'p>,
        nodes: &[Node<'p>],
        comp: &[usize],
        states: &HashMap<String, &'p Decl>,
    ) {
        for k in comp {
            if let What::Equation(eq) = nodes[*k].what {
                self.equation(&mut s.clone(), eq, states);
            }
        }
    }

    fn attempt(
        &mut self,
        s: &mut Scope<'p>,
        nodes: &[Node<'p>],
        plan: &Plan<'p>,
        states: &HashMap<String, &'p Decl>,
        external: &HashSet<String>,
    ) -> Attempt<'p> {
        let depth = self.open_loop(plan.time);
        let mut inner = s.clone();
        inner.sink = Some(depth);
        // In a cycle of ticks, `t` counts ticks.
        let now = s.now();
        if plan.time != now && self.ticks_of(plan.time).root == self.ticks_of(now).root {
            inner.clocks.insert("t".to_owned(), plan.time);
            inner.clocks.insert(format!("{}/1", now.name), now);
        }
        self.bind_sources(&mut inner, plan);
        for k in &plan.order {
            for n in nodes[*k].defs() {
                let binding = Binding::Loop {
                    before: vec![],
                    now: None,
                    backward: plan.backward,
                };
                inner.names.insert(
                    n.text.clone(),
                    Named {
                        binding,
                        span: n.span,
                        start: None,
                    },
                );
            }
        }
        let mut formals: Vec<ValueId> = Vec::new();
        for st in &plan.states {
            let ty = Ty {
                elem: if st.complex {
                    Elem::Complex
                } else {
                    Elem::Real
                },
                axes: st.axes.clone(),
            };
            let before: Vec<Dyn> = (0..st.delay)
                .map(|_| self.formal(&st.name.text, ty.clone()))
                .collect();
            formals.extend(before.iter().map(|v| v.id));
            let binding = Binding::Loop {
                before,
                now: None,
                backward: plan.backward,
            };
            inner.names.insert(
                st.name.text.clone(),
                Named {
                    binding,
                    span: st.name.span,
                    start: None,
                },
            );
        }
        let evaluated = self.steps_of(&mut inner, nodes, plan, states, depth);
        let failed = match evaluated {
            Ok(()) => None,
            Err(Some(k)) => Some(Attempt::Complex(k)),
            Err(None) => Some(Attempt::Failed),
        };
        if let Some(failed) = failed {
            self.frames.truncate(depth);
            return failed;
        }
        self.close(s, &inner, nodes, plan, external, formals)
            .map_or(Attempt::Failed, Attempt::Done)
    }
}
