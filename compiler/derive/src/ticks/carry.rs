//! What ticks keep of the past: recurrences along steps whose states change at a tick's last step.

use super::{Steps, ends, quotient, remainder};
use crate::{DeriveError, Result};
use seqc_algebra::{
    Axis, Builder, Elem, Func, InputKind, MapFn, Num, Op, Out, Scan, SeqIn, Ty, ValueId, shape,
};
use std::collections::HashMap;

/// A body under construction: its builder, the position, the state and the value of the present step.
struct Body {
    b: Builder,
    pos: ValueId,
    state: ValueId,
    x: ValueId,
}

impl Steps<'_> {
    /// The tick that is under way: its steps so far, 0 beyond.
    pub(super) fn patched(&mut self, x: ValueId, rate: usize, within: Axis) -> Result<ValueId> {
        let n = within.size.constant().unwrap_or(1);
        self.carried(x, Some(within), |k| {
            let step = quotient(&mut k.b, k.pos, rate)?;
            let (at, here) = (remainder(&mut k.b, step, n)?, k.b.iota(within)?);
            let (begun, zero) = (remainder(&mut k.b, k.pos, rate * n)?, k.b.num(0.0));
            let first = k.b.map2(MapFn::Eq, begun, zero)?;
            let old = k.b.select(first, zero, k.state)?;
            let own = k.b.map2(MapFn::Eq, here, at)?;
            let all = k.b.select(own, k.x, old)?;
            Ok((all, all))
        })
    }

    /// The value and those of the ticks before it along `lag`, newest first.
    pub(super) fn recent(&mut self, x: ValueId, rate: usize, lag: Axis) -> Result<ValueId> {
        self.carried(x, Some(lag), |k| {
            let (at, zero) = (k.b.iota(lag)?, k.b.num(0.0));
            let first = k.b.map2(MapFn::Eq, at, zero)?;
            let past = k.b.shift(k.state, lag, 1)?;
            let all = k.b.select(first, k.x, past)?;
            let over = ends(&mut k.b, k.pos, rate)?;
            Ok((k.b.select(over, all, k.state)?, all))
        })
    }

    /// The value of the first tick.
    pub(super) fn first(&mut self, x: ValueId, rate: usize) -> Result<ValueId> {
        self.carried(x, None, |k| {
            let n = k.b.num(rate as f64);
            let early = k.b.map2(MapFn::Lt, k.pos, n)?;
            let first = k.b.select(early, k.x, k.state)?;
            Ok((first, first))
        })
    }

    /// A recurrence with one state, like `x` with a further axis, from 0. `step` gives the next state and what is read.
    fn carried(
        &mut self,
        x: ValueId,
        along: Option<Axis>,
        step: impl FnOnce(&mut Body) -> Result<(ValueId, ValueId)>,
    ) -> Result<ValueId> {
        let t = Axis::time();
        let of = self.b.ty(x).clone();
        let x = self.b.fill(x, &[t])?;
        let seq = of.without(t);
        let axes: Vec<Axis> = seq.axes.iter().copied().chain(along).collect();
        let complex = of.elem == Elem::Complex;
        let state = Ty {
            elem: if complex { Elem::Complex } else { Elem::Real },
            axes: shape::canonical(axes),
        };
        let mut b = Builder::new("tick");
        let pos = b.input("position", InputKind::Formal, Ty::real(vec![]));
        let kept = b.input("kept", InputKind::Formal, state.clone());
        let now = b.input("now", InputKind::Formal, seq);
        let mut body = Body {
            b,
            pos,
            state: kept,
            x: now,
        };
        let (next, read) = step(&mut body)?;
        body.b.result(crate::step::TICK, next);
        body.b.result("read", read);
        let outs = vec![Out::Emit(0)];
        let scan = Scan::steps(t, 1, &[0.0], 0, body.b.finish(), outs);
        let start = self.b.everywhere(0.0, &state)?;
        Ok(self.b.scan(scan, &[start, x])?[0])
    }

    /// A recurrence along ticks: the same step, counted in ticks, whose states stay until the tick ends.
    pub(super) fn scanned(
        &mut self,
        id: ValueId,
        scan: &Scan,
        rate: usize,
        args: &[ValueId],
    ) -> Result<ValueId> {
        let emits = scan.outs.iter().all(|o| matches!(o, Out::Emit(_)));
        if scan.reverse || scan.tile.is_some() || scan.lo || scan.hi || !emits {
            return Err(self.refused(id, "reads later ticks"));
        }
        if super::mentions_ticks(scan) {
            return Err(self.refused(id, "holds values of a coarser clock in a state"));
        }
        // A start that is read off the first tick is not known before its last step.
        let begins = scan.states + scan.seqs.len();
        let t = Axis::time();
        let starts: Vec<(usize, ValueId)> = (0..scan.states)
            .filter(|k| self.b.has(args[*k], t))
            .map(|k| (k, self.narrow(args[k])))
            .collect();
        let kinds: Vec<(usize, Ty)> = (starts.iter())
            .map(|(k, v)| (*k, self.b.ty(*v).without(t)))
            .collect();
        let body = held(&scan.body, scan.states, begins, &kinds, rate)?;
        let mut args = args.to_vec();
        for a in &mut args[scan.states..begins] {
            *a = self.b.fill(*a, &[t])?;
        }
        for (n, (k, start)) in starts.into_iter().enumerate() {
            let ty = scan.body.ty(scan.body.params[1 + k]).clone();
            args[k] = self.b.everywhere(0.0, &ty)?;
            args.insert(begins + n, start);
        }
        let mut stepped = Scan {
            axis: t,
            body,
            ..scan.clone()
        };
        stepped
            .seqs
            .extend(kinds.iter().map(|_| SeqIn { fill: Num(0.0) }));
        Ok(self.b.push(Op::Scan(Box::new(stepped)), &args)?)
    }

    /// The value before it was given further axes.
    fn narrow(&self, mut v: ValueId) -> ValueId {
        while let Op::Expand(_) = self.b.func().op(v) {
            let inner = self.b.func().args(v)[0];
            if !self.b.has(inner, Axis::time()) {
                break;
            }
            v = inner;
        }
        v
    }
}

/// A step that is counted in ticks, and whose states change when a tick ends. States `late` are, in the first tick, what
/// further sequences say, which stand before parameter `begins` of the fixed values.
fn held(
    old: &Func,
    states: usize,
    begins: usize,
    late: &[(usize, Ty)],
    rate: usize,
) -> Result<Func> {
    let mut b = Builder::new(&old.name);
    let mut formals = vec![];
    let (before, fixed) = old.params.split_at(1 + begins);
    for p in before {
        formals.push(b.copy(old.value(*p), &[])?);
    }
    let start = |(_, ty): &(usize, Ty)| b.input("start", InputKind::Formal, ty.clone());
    let starts: Vec<ValueId> = late.iter().map(start).collect();
    for p in fixed {
        formals.push(b.copy(old.value(*p), &[])?);
    }
    let pos = formals[0];
    let (tick, over) = (quotient(&mut b, pos, rate)?, ends(&mut b, pos, rate)?);
    let both = old.params.iter().copied().zip(formals.iter().copied());
    let mut given: HashMap<ValueId, ValueId> = both.collect();
    given.insert(old.params[0], tick);
    let n = b.num(rate as f64);
    for ((k, _), start) in late.iter().zip(starts) {
        let first = b.map2(MapFn::Lt, pos, n)?;
        let v = b.select(first, start, formals[1 + k])?;
        given.insert(old.params[1 + k], v);
    }
    let image = b.inline(old, &given)?;
    for (k, (name, v)) in old.results.iter().enumerate() {
        let lost = || DeriveError("a recurrence's result was lost".into());
        let mut v = image[v.index()].ok_or_else(lost)?;
        if k < states {
            v = b.select(over, v, formals[1 + k])?;
        }
        b.result(name, v);
    }
    Ok(b.finish())
}
