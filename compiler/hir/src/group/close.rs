//! A finished body becomes a scan: what it returns, what enters it, what is emitted for every step.

use super::{Plan, State};
use crate::elab::Elab;
use crate::reach::Reach;
use crate::reads::Node;
use crate::scope::{Binding, Scope};
use crate::value::{Dyn, Val};
use seqc_algebra::{Elem, MapFn, Num, Op, Out, Scan, SeqIn, ValueId};
use seqc_syntax::ast::Name;
use std::collections::HashSet;

impl<'p> Elab<'p> {
    pub(super) fn close(
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
            // By its path: what a state is called wherever it is handed on.
            let path = s.home.join(&st.name.text).path;
            results.push((path.clone(), v.id));
            for d in 1..st.delay {
                results.push((format!("{path}.{d}"), formals[at + d - 1]));
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
                            let path = s.home.join(&name.text).path;
                            self.frames[depth].b.name(v.id, &path);
                            results.push((path, v.id));
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
            let family = plan.states.iter().find(|st| st.name.text == name.text);
            let v = match family.and_then(|st| st.sources) {
                Some((_, sources)) => self.as_matrix(s, &v, (plan.time, sources), name.span)?,
                None => Val::Dyn(v),
            };
            values.push((name, v));
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
            Some(v) if st.sources.is_none() => v.clone(),
            _ => self.number(0.0),
        };
        if st.complex && self.elem(&v) != Elem::Complex {
            let zero = self.number(0.0);
            v = self.map2(MapFn::Complex, &v, &zero, span)?;
        }
        self.expand(&v, &st.axes, span)
    }
}
