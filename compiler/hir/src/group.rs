//! States that depend on each other through time: one loop.
//!
//! Only what depends on the states goes into the body; the rest enters it. States carry one step (or several,
//! for `S[t-2]`); those read outside are emitted for every step. Errors: E13, E14, E15, E16.

use crate::elab::{Elab, plain};
use crate::reach::Reach;
use crate::reads::{Node, Off, What};
use crate::scope::{Binding, Named, Scope};
use crate::value::{Dyn, Val};
use seqc_algebra::{Axis, Elem, MapFn, Num, Op, Out, Scan, SeqIn, Ty, ValueId};
use seqc_syntax::ast::{Decl, Lhs, Name};
use seqc_syntax::{Diagnostic, Span};
use std::collections::{HashMap, HashSet};

/// More delayed copies of a state than this are refused.
const MAX_DELAY: i64 = 64;

struct State<'p> {
    decl: &'p Decl,
    name: &'p Name,
    axes: Vec<Axis>,
    delay: usize,
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
    pub fn group(
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
                            .find(|st| st.name.text == name.text)
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

    fn plan(
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
            let axes = self.state_axes(s, decl)?;
            let start = self.start(s, decl);
            let complex = start
                .as_ref()
                .is_some_and(|v| self.elem(v) == Elem::Complex);
            list.push(State {
                decl,
                name,
                axes,
                delay: delays.get(name.text.as_str()).copied().unwrap_or(1),
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
        let (mut back, mut ahead): (Option<(String, Span)>, Option<(String, Span)>) = (None, None);
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

    /// The order inside one step; E15 if there is none.
    fn same_time_order(&mut self, nodes: &[Node<'p>], comp: &[usize]) -> Option<Vec<usize>> {
        let mut order: Vec<usize> = Vec::new();
        while order.len() < comp.len() {
            let ready = |k: &usize| {
                nodes[*k]
                    .deps
                    .iter()
                    .all(|(d, off)| *off != Off::Now || !comp.contains(d) || order.contains(d))
            };
            match comp.iter().find(|k| !order.contains(k) && ready(k)) {
                Some(k) => order.push(*k),
                None => {
                    self.circle(nodes, comp, &order);
                    return None;
                }
            }
        }
        Some(order)
    }

    fn circle(&mut self, nodes: &[Node<'p>], comp: &[usize], done: &[usize]) {
        let Some(start) = comp.iter().find(|k| !done.contains(k)) else {
            return;
        };
        let mut path = vec![*start];
        let closed = loop {
            let here = path[path.len() - 1];
            let next = nodes[here]
                .deps
                .iter()
                .find(|(d, off)| *off == Off::Now && comp.contains(d) && !done.contains(d));
            let Some((next, _)) = next else { break 0 };
            if let Some(at) = path.iter().position(|p| p == next) {
                break at;
            }
            path.push(*next);
        };
        let cycle = &path[closed..];
        let name = |k: usize| nodes[k].defs().first().map_or("?", |n| n.text.as_str());
        // Reads point backwards along the dependency: S needs P, P needs S.
        let mut shown: Vec<&str> = cycle.iter().map(|k| name(*k)).collect();
        shown.push(name(cycle[0]));
        let span = |k: usize| match nodes[k].what {
            What::Equation(eq) => eq.span,
            _ => Span::default(),
        };
        let first = name(cycle[0]);
        let mut d = Diagnostic::error(
            "E15",
            format!(
                "`{first}` needs itself at the same time ({})",
                shown.join(" → ")
            ),
            span(cycle[0]),
        );
        for k in &cycle[1..] {
            d = d.secondary(span(*k), format!("`{}` is needed here", name(*k)));
        }
        // Only a state has a previous step to read here.
        let state = cycle.iter().copied().find(|k| match nodes[*k].what {
            What::Equation(eq) => matches!(&eq.lhs, Lhs::One { index, .. } if !index.is_empty()),
            _ => false,
        });
        let state = state.map_or(first, name);
        self.report(d.help(format!("read the previous step: `{state}[t-1]`")));
    }

    /// Batch, the axes mapped over, and those declared.
    fn state_axes(&mut self, s: &mut Scope<'p>, decl: &'p Decl) -> Option<Vec<Axis>> {
        let mut axes = vec![Axis::batch()];
        axes.extend(s.extras.iter().copied());
        let own = self.new_axes(s, &decl.axes)?;
        axes.extend(own.into_iter().filter(|a| !s.extras.contains(a)));
        Some(axes)
    }

    /// A state's start, if it is not 0.
    pub fn start(&mut self, s: &mut Scope<'p>, decl: &'p Decl) -> Option<Dyn> {
        let init = decl.init.as_ref()?;
        let v = match self.eval(s, init) {
            Val::Stat(st) if st.as_f64() == 0.0 => return None,
            v => self.dynamic(v, init.span)?,
        };
        if !self.times(&v).is_empty() {
            let d = Diagnostic::error(
                "E28",
                format!("`{}` starts from a sequence", decl.name.text),
                init.span,
            );
            self.report(d.help("a start has no time: a constant, a parameter, or `x[first]`"));
            return None;
        }
        self.fits_state(s, decl, &v, init.span)?;
        Some(v)
    }

    /// E13: a state holds only the axes it declares.
    fn fits_state(&mut self, s: &mut Scope<'p>, decl: &'p Decl, v: &Dyn, span: Span) -> Option<()> {
        let axes = self.state_axes(s, decl)?;
        let extra: Vec<Axis> = self
            .features(v)
            .into_iter()
            .filter(|a| !axes.contains(a))
            .collect();
        if extra.is_empty() {
            return Some(());
        }
        let own: Vec<&str> = decl.axes.iter().map(|n| n.text.as_str()).collect();
        if let Some(same) = extra.iter().find(|a| axes.iter().any(|b| b.name == a.name)) {
            let mine = axes
                .iter()
                .find(|b| b.name == same.name)
                .copied()
                .unwrap_or(*same);
            self.clash(mine, *same, (decl.span, span), span);
            return None;
        }
        let names: Vec<&str> = extra.iter().map(|a| plain(a.name.as_str())).collect();
        let d = Diagnostic::error(
            "E13",
            format!(
                "state `{}{{{}}}` receives `{}`",
                decl.name.text,
                own.join(", "),
                names.join("`, `")
            ),
            span,
        );
        let mut all = own.clone();
        all.extend(&names);
        let d = d.secondary(decl.span, "declared here");
        self.report(d.help(format!(
            "declare `state {}{{{}}}`, or sum over `{}`",
            decl.name.text,
            all.join(", "),
            names[0]
        )));
        None
    }

    /// The value of a state that turned out to be in no cycle, with all its axes.
    pub fn state_value(&mut self, s: &mut Scope<'p>, decl: &'p Decl, v: Val, span: Span) -> Val {
        let Some(v) = self.dynamic(v, span) else {
            return Val::Poison;
        };
        if self.fits_state(s, decl, &v, span).is_none() {
            return Val::Poison;
        }
        let Some(axes) = self.state_axes(s, decl) else {
            return Val::Poison;
        };
        self.expand(&v, &axes, span).map_or(Val::Poison, Val::Dyn)
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

    /// Evaluates the equations of one step. `Err(Some(k))`: state k is complex after all.
    fn steps_of(
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
        if st.complex && self.elem(&v) != Elem::Complex {
            let zero = self.number(0.0);
            v = self.map2(MapFn::Complex, &v, &zero, span)?;
        }
        self.expand(&v, &st.axes, span)
    }

    /// The image of a value in a body.
    fn bring(&mut self, v: &Dyn, depth: usize, span: Span) -> Option<Dyn> {
        if v.depth == depth {
            return Some(v.clone());
        }
        // An empty expansion is the value itself, at that depth.
        self.emit_at(depth, Op::Expand(vec![]), &[v], span)
    }

    fn close(
        &mut self,
        s: &mut Scope<'p>,
        inner: &Scope<'p>,
        nodes: &[Node<'p>],
        plan: &Plan<'p>,
        external: &HashSet<String>,
        formals: Vec<ValueId>,
    ) -> Option<Vec<(&'p Name, Val)>> {
        let depth = self.frames.len() - 1;
        let mut reach = Reach::default();
        let mut emitted: Vec<(&'p Name, Dyn)> = Vec::new();
        let mut results: Vec<(String, ValueId)> = Vec::new();
        let mut values: Vec<(&'p Name, Val)> = Vec::new();
        let now = |name: &str| match inner.names.get(name).map(|n| &n.binding) {
            Some(Binding::Loop { now: Some(v), .. }) => Some(v.clone()),
            _ => None,
        };
        let mut at = 0;
        for st in &plan.states {
            let Some(Val::Dyn(v)) = now(&st.name.text) else {
                return None;
            };
            results.push((st.name.text.clone(), v.id));
            for d in 1..st.delay {
                results.push((format!("{}.{d}", st.name.text), formals[at + d - 1]));
            }
            at += st.delay;
        }
        for k in &plan.order {
            for name in nodes[*k].defs() {
                match now(&name.text)? {
                    Val::Dyn(v) => {
                        reach.join(&v.reach);
                        if external.contains(&name.text) {
                            let v = self.bring(&v, depth, name.span)?;
                            self.frames[depth].b.name(v.id, &name.text);
                            results.push((name.text.clone(), v.id));
                            emitted.push((name, v));
                        }
                    }
                    v => values.push((name, v)),
                }
            }
        }
        let frame = self.frames.pop()?;
        let body = frame.body?;
        let mut func = frame.b.finish();
        func.results = results;
        let mut params = vec![body.position];
        params.extend(&formals);
        params.extend(body.imports.iter().filter(|i| i.seq).map(|i| i.formal));
        params.extend(body.imports.iter().filter(|i| !i.seq).map(|i| i.formal));
        func.params = params;
        let mut args: Vec<Dyn> = Vec::new();
        for st in &plan.states {
            let init = self.initial(st)?;
            reach.join(&init.reach);
            args.extend(std::iter::repeat_n(init, st.delay));
        }
        let (seqs, fixed): (Vec<_>, Vec<_>) = body.imports.into_iter().partition(|i| i.seq);
        let scan = Scan {
            axis: plan.time,
            tile: None,
            reverse: plan.backward,
            states: formals.len(),
            seqs: seqs.iter().map(|_| SeqIn { fill: Num(0.0) }).collect(),
            fixed: fixed.len(),
            lo: false,
            hi: false,
            body: crate::tidy::compact(&func),
            outs: (0..emitted.len()).map(Out::Emit).collect(),
        };
        args.extend(seqs.into_iter().chain(fixed).map(|i| i.outer));
        let span = plan.states.first().map_or(s.mixer.span, |st| st.name.span);
        if args.iter().any(|a| a.depth > 0) {
            self.not_built("a recurrence inside a cycle through another state", span);
            return None;
        }
        if plan.backward {
            reach = reach.with_end(plan.time);
        }
        let refs: Vec<&Dyn> = args.iter().collect();
        let whole = self.emit(Op::Scan(Box::new(scan)), &refs, span)?;
        for (k, (name, _)) in emitted.into_iter().enumerate() {
            let mut v = self.emit(Op::Proj(k), &[&whole], name.span)?;
            v.reach = reach.clone();
            values.push((name, Val::Dyn(v)));
        }
        // States that nobody reads outside still have a name.
        for st in &plan.states {
            if !values.iter().any(|(n, _)| n.text == st.name.text) {
                values.push((st.name, Val::Poison));
            }
        }
        Some(values)
    }

    /// A state's start with all its axes.
    fn initial(&mut self, st: &State<'p>) -> Option<Dyn> {
        let span = st.decl.span;
        let mut v = match &st.start {
            Some(v) => v.clone(),
            None => self.number(0.0),
        };
        if st.complex && self.elem(&v) != Elem::Complex {
            let zero = self.number(0.0);
            v = self.map2(MapFn::Complex, &v, &zero, span)?;
        }
        self.expand(&v, &st.axes, span)
    }
}
