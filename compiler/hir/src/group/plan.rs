//! The plan of a group: its states, the time that they step along and which way, how far back each is read.

use super::{Plan, State};
use crate::elab::Elab;
use crate::reads::{Node, Off, What};
use crate::scope::{Binding, Named, Scope};
use crate::value::Val;
use seqc_algebra::{Axis, Elem};
use seqc_syntax::ast::{Decl, Lhs};
use seqc_syntax::{Diagnostic, Span};
use std::collections::{HashMap, HashSet};

/// More delayed copies of a state than this are refused.
const MAX_DELAY: i64 = 64;

impl<'p> Elab<'p> {
    pub(super) fn plan(
        &mut self,
        s: &mut Scope<'p>,
        nodes: &[Node<'p>],
        comp: &[usize],
        states: &HashMap<String, &'p Decl>,
    ) -> Option<Plan<'p>> {
        let (delays, backward) = self.steps(nodes, comp, states)?;
        let order = self.same_time_order(nodes, comp)?;
        let mut list = Vec::new();
        let mut time: Option<(Axis, Span)> = None;
        for k in comp {
            let What::Equation(eq) = nodes[*k].what else {
                let span = if let What::Repeat(r) = nodes[*k].what {
                    r.span
                } else {
                    s.mixer.span
                };
                self.not_built("a `repeat` inside a cycle through a state", span);
                return None;
            };
            let Lhs::One { name, index, .. } = &eq.lhs else {
                continue;
            };
            let Some(decl) = states.get(&name.text) else {
                continue;
            };
            let clock = index
                .first()
                .and_then(|i| s.clocks.get(&i.text))
                .copied()
                .unwrap_or_else(|| s.now());
            let clock = if clock == s.now() {
                self.clock_of_cycle(s, nodes, comp)
            } else {
                clock
            };
            if let Some((other, at)) = time.filter(|(t, _)| *t != clock) {
                let d = Diagnostic::error(
                    "E20",
                    format!(
                        "states of one cycle step along `{}` and `{}`",
                        other.name, clock.name
                    ),
                    eq.lhs.span(),
                );
                self.report(d.secondary(at, "the other one"));
                return None;
            }
            time = Some((clock, eq.lhs.span()));
            let mut axes = self.state_axes(s, decl)?;
            let sources = self.sources(s, decl, eq, clock)?;
            let start = match sources {
                None => self.start(s, decl),
                Some(of) => {
                    if backward {
                        self.not_built(
                            "a state for each source position that steps backward",
                            eq.lhs.span(),
                        );
                        return None;
                    }
                    axes = seqc_algebra::shape::canonical([axes, vec![of.1]].concat());
                    self.birth(s, decl, of)?
                }
            };
            let complex = start
                .as_ref()
                .is_some_and(|v| self.elem(v) == Elem::Complex);
            list.push(State {
                decl,
                name,
                axes,
                delay: delays.get(name.text.as_str()).copied().unwrap_or(1),
                sources,
                start,
                complex,
            });
        }
        Some(Plan {
            time: time?.0,
            backward,
            order,
            states: list,
        })
    }

    /// The coarser clock that all sequences run on which a cycle reads; else the mixer's own.
    fn clock_of_cycle(&self, s: &Scope<'p>, nodes: &[Node<'p>], comp: &[usize]) -> Axis {
        let mut names = Vec::new();
        for k in comp {
            if let What::Equation(eq) = nodes[*k].what {
                crate::time::names_at_own_rate(&eq.value, &mut names);
            }
        }
        let mut clocks = names.iter().filter_map(|n| match s.names.get(n) {
            Some(Named {
                binding: Binding::Val(Val::Dyn(v)),
                ..
            }) => self.clock_of(s, v),
            _ => None,
        });
        match clocks.next() {
            Some(first) if self.ticks_of(first).root == self.ticks_of(s.now()).root => {
                let one = clocks.all(|c| c == first);
                if one { first } else { s.now() }
            }
            _ => s.now(),
        }
    }

    /// Which way the group steps, and how far back each state is read.
    fn steps(
        &mut self,
        nodes: &[Node<'p>],
        comp: &[usize],
        states: &HashMap<String, &'p Decl>,
    ) -> Option<(HashMap<String, usize>, bool)> {
        let inside: HashSet<&str> = comp
            .iter()
            .flat_map(|k| nodes[*k].defs())
            .map(|n| n.text.as_str())
            .collect();
        let mut delays: HashMap<String, usize> = HashMap::new();
        let mut back: Option<(String, Span)> = None;
        let mut ahead: Option<(String, Span)> = None;
        for k in comp {
            let What::Equation(eq) = nodes[*k].what else {
                continue;
            };
            for (name, off) in nodes[*k]
                .reads
                .iter()
                .filter(|(n, _)| inside.contains(n.as_str()))
            {
                match off {
                    Off::Now => continue,
                    Off::Wide => {
                        self.not_built(
                            &format!("a cycle that reads `{name}` at more than one step at once"),
                            eq.span,
                        );
                        return None;
                    }
                    Off::By(c) if c.abs() > MAX_DELAY => {
                        self.too_large(
                            format!("`{name}` read {} steps away inside its own cycle", c.abs()),
                            eq.span,
                        );
                        return None;
                    }
                    Off::By(c) => {
                        if !states.contains_key(name) {
                            let d = Diagnostic::error(
                                "E14",
                                format!(
                                    "`{name}` is read at another step of its own cycle, but is not a state"
                                ),
                                eq.span,
                            );
                            self.report(d.help(format!(
                                "declare `state {name}{{…}}` and write `{name}[t] = …`"
                            )));
                            return None;
                        }
                        let steps = usize::try_from(c.abs()).unwrap_or(1);
                        let d = delays.entry(name.clone()).or_insert(1);
                        *d = (*d).max(steps);
                        let side = if *c < 0 { &mut back } else { &mut ahead };
                        side.get_or_insert((name.clone(), eq.span));
                    }
                }
            }
        }
        if let (Some((a, at)), Some((b, other))) = (&back, &ahead) {
            let what = if a == b {
                format!("`{a}` steps both ways")
            } else {
                format!("`{a}` steps forward and `{b}` backward in one cycle")
            };
            let mut d = Diagnostic::error("E16", what, *other).label("reads a later step");
            if at != other {
                d = d.secondary(*at, "reads an earlier step");
            }
            self.report(d.help("use two states, one for each direction"));
            return None;
        }
        Some((delays, ahead.is_some()))
    }
}
