//! The positions that follow, from states.

use super::merge::merge_scans;
use super::walk::{Walk, walk};
use super::{Order, cached, clock, convolved_in, length, reads_first};
use crate::{DeriveError, Result};
use seqc_algebra::{Axis, Builder, Func, InputKind, MapFn, Op, Out, Scan, Sym, Ty, ValueId};
use std::collections::HashMap;

/// The parallel program over T positions from `pos` on: inputs `pos` and the states, of kind `State`; results the
/// outputs and `state.NAME`. From the states that [`super::prefill`] leaves, it is the rest of the whole.
pub fn resume(func: &Func) -> Result<Func> {
    merge_scans(&walk(func, |w, id| w.at_many_steps(id))?)
}

impl Walk<'_> {
    fn at_many_steps(&mut self, id: ValueId) -> Result<Option<ValueId>> {
        let (t, plan) = (clock(), self.plan);
        Ok(Some(match plan.func.op(id).clone() {
            Op::Input(input) => {
                let mut ty = plan.func.ty(id).clone();
                ty.axes = plan.all_along(&ty.axes);
                self.b.input(input.name.as_str(), input.kind, ty)
            }
            Op::Iota(a) if plan.is_present(&a) => {
                let at = self.b.iota(a)?;
                self.b.add2(at, self.pos)?
            }
            Op::Length(s) if s == t.size => {
                let n = self.b.push(Op::Length(s), &[])?;
                self.b.add2(n, self.pos)?
            }
            Op::Shift { axis, by } if axis == t => {
                let (x, of) = (self.arg(id, 0)?, plan.func.args(id)[0]);
                let n = usize::try_from(by).unwrap_or(0);
                let (k, lag) = plan.recent(of, n)?;
                self.push_all(k, x, lag)?;
                self.shifted(k, x, n, lag)?
            }
            Op::Window { axis, lag, .. } if axis == t => {
                let (x, of) = (self.arg(id, 0)?, plan.func.args(id)[0]);
                let k = plan.kept(of, lag, Order::NewestFirst)?;
                self.push_all(k, x, cached(&lag))?;
                self.window(k, x, cached(&lag))?
            }
            Op::Conv { axis, lag, .. } if axis == t => {
                let (f, x, of) = (self.arg(id, 0)?, self.arg(id, 1)?, plan.func.args(id)[1]);
                let order = convolved_in(plan.func, id);
                let k = plan.kept(of, lag, order)?;
                match order {
                    Order::NewestFirst => self.push_all(k, x, cached(&lag))?,
                    Order::OldestFirst => drop(self.append_all(k, x, cached(&lag))?),
                }
                self.convolved((k, order), f, x, lag)?
            }
            Op::Rename { from, to } if from == t && !plan.is_present(&to) => {
                let (x, of) = (self.arg(id, 0)?, plan.func.args(id)[0]);
                self.append_all(plan.kept(of, to, Order::OldestFirst)?, x, cached(&to))?
            }
            Op::Gather(axis) if axis == t && reads_first(plan.func, id) => {
                let (x, of) = (self.arg(id, 0)?, plan.func.args(id)[0]);
                self.keep_first_of(plan.first(of)?, x)?
            }
            Op::Scan(scan) if scan.axis == t => self.scan_from(id, &scan)?,
            op => {
                let args = (0..plan.func.args(id).len())
                    .map(|n| self.arg(id, n))
                    .collect::<Result<Vec<_>>>()?;
                match plan.relabel(id, op, &|a| plan.all_along(a))? {
                    None => args[0],
                    Some(op) => self.b.push(op, &args)?,
                }
            }
        }))
    }

    /// Carry `k` after all of `x`, newest first.
    fn push_all(&mut self, k: usize, x: ValueId, lag: Axis) -> Result<()> {
        if self.new[k].is_none() {
            let len = length(&mut self.b)?;
            let one = self.b.num(1.0);
            let last = self.b.sub(len, one)?;
            let l = self.b.iota(lag)?;
            let at = self.b.sub(last, l)?;
            let before = self.b.sub(l, len)?;
            self.new[k] = Some(self.either(k, at, x, before, lag)?);
        }
        Ok(())
    }

    /// `x` at `at` along the clock where that is not before it, else carry `k` at `before` along `lag`.
    fn either(
        &mut self,
        k: usize,
        at: ValueId,
        x: ValueId,
        before: ValueId,
        lag: Axis,
    ) -> Result<ValueId> {
        let now = self.b.push(Op::Gather(clock()), &[x, at])?;
        let past = self.b.push(Op::Gather(lag), &[self.old[k], before])?;
        self.where_not_negative(at, now, past)
    }

    fn where_not_negative(&mut self, at: ValueId, a: ValueId, b: ValueId) -> Result<ValueId> {
        let zero = self.b.num(0.0);
        let inside = self.b.map2(MapFn::Ge, at, zero)?;
        Ok(self.b.select(inside, a, b)?)
    }

    /// `x[t - n]`; carry `k` holds the values before the first position.
    fn shifted(&mut self, k: usize, x: ValueId, n: usize, lag: Axis) -> Result<ValueId> {
        let (t, n_) = (self.b.iota(clock())?, self.b.num(n as f64));
        let at = self.b.sub(t, n_)?;
        let last = self.b.num(n as f64 - 1.0);
        let before = self.b.sub(last, t)?;
        let now = self.b.shift(x, clock(), n as i64)?;
        let past = self.b.push(Op::Gather(lag), &[self.old[k], before])?;
        self.where_not_negative(at, now, past)
    }

    /// `x[t - lag]` for all lags.
    fn window(&mut self, k: usize, x: ValueId, lag: Axis) -> Result<ValueId> {
        let (t, l, one) = (self.b.iota(clock())?, self.b.iota(lag)?, self.b.num(1.0));
        let at = self.b.sub(t, l)?;
        let ago = self.b.sub(l, t)?;
        let before = self.b.sub(ago, one)?;
        self.either(k, at, x, before, lag)
    }

    /// The convolution of everything read so far, which is as long as the cache, at the present positions: two sums,
    /// of `x` and of what is kept, would meet every pair of a present and an earlier position.
    fn convolved(
        &mut self,
        (k, order): (usize, Order),
        f: ValueId,
        x: ValueId,
        lag: Axis,
    ) -> Result<ValueId> {
        let long = cached(&lag);
        let all = Axis {
            name: Sym::new(&format!("{}%", clock().name)),
            size: long.size,
        };
        let (j, one, zero) = (self.b.iota(all)?, self.b.num(1.0), self.b.num(0.0));
        let len = length(&mut self.b)?;
        let at = self.b.sub(j, self.pos)?;
        let now = self.b.push(Op::Gather(clock()), &[x, at])?;
        let open = self.b.map2(MapFn::Lt, at, len)?;
        let now = self.b.select(open, now, zero)?;
        // Where position `j` is kept.
        let kept = match order {
            Order::NewestFirst => {
                let last = self.b.sub(self.pos, one)?;
                self.b.sub(last, j)?
            }
            Order::OldestFirst => j,
        };
        let past = self.b.push(Op::Gather(long), &[self.old[k], kept])?;
        let history = self.where_not_negative(at, now, past)?;
        let conv = Op::Conv {
            axis: all,
            lag: long,
            ahead: false,
        };
        let whole = self.b.push(conv, &[f, history])?;
        let t = self.b.iota(clock())?;
        let present = self.b.add2(t, self.pos)?;
        Ok(self.b.push(Op::Gather(all), &[whole, present])?)
    }

    /// Carry `k` with all of `x` from the present position on, along the cache.
    fn append_all(&mut self, k: usize, x: ValueId, along: Axis) -> Result<ValueId> {
        if let Some(known) = self.new[k] {
            return Ok(known);
        }
        let j = self.b.iota(along)?;
        let at = self.b.sub(j, self.pos)?;
        let (len, zero) = (length(&mut self.b)?, self.b.num(0.0));
        let begun = self.b.map2(MapFn::Ge, at, zero)?;
        let open = self.b.map2(MapFn::Lt, at, len)?;
        let here = self.b.map2(MapFn::And, begun, open)?;
        let now = self.b.push(Op::Gather(clock()), &[x, at])?;
        let v = self.b.select(here, now, self.old[k])?;
        self.new[k] = Some(v);
        Ok(v)
    }

    /// Carry `k`, which is the first of `x` at the first position and stays.
    fn keep_first_of(&mut self, k: usize, x: ValueId) -> Result<ValueId> {
        let zero = self.b.num(0.0);
        let x = self.b.push(Op::Gather(clock()), &[x, zero])?;
        self.keep_first(k, x)
    }

    /// The scan from the states, with its last states as new ones; its body counts from `pos`.
    fn scan_from(&mut self, id: ValueId, scan: &Scan) -> Result<ValueId> {
        if scan.lo || scan.hi {
            return Err(DeriveError(
                "a scan over a part of time has no step form".into(),
            ));
        }
        let mut args = vec![];
        for k in 0..scan.states {
            args.push(self.old[self.plan.state(id, k)?]);
        }
        for n in scan.states..self.plan.func.args(id).len() {
            args.push(self.arg(id, n)?);
        }
        args.push(self.pos);
        let plan = self.plan;
        let mut wider = plan.mapped(id, scan, &|a| plan.all_along(a))?;
        wider.fixed += 1;
        wider.body = counted_from(&wider.body)?;
        wider.outs.extend((0..scan.states).map(Out::Final));
        let all = self.b.push(Op::Scan(Box::new(wider)), &args)?;
        for k in 0..scan.states {
            let last = self.b.push(Op::Proj(scan.outs.len() + k), &[all])?;
            let n = self.plan.state(id, k)?;
            self.new[n] = Some(last);
        }
        Ok(all)
    }
}

/// A scan's body whose step `n` is `n + pos`, with `pos` as a further fixed parameter.
fn counted_from(body: &Func) -> Result<Func> {
    let mut b = Builder::new(&body.name);
    let mut given = HashMap::new();
    let mut step = None;
    for p in &body.params {
        let Some(input) = body.input(*p) else {
            return Err(DeriveError("a scan's body has no inputs".into()));
        };
        let v = b.input(input.name.as_str(), input.kind.clone(), body.ty(*p).clone());
        step.get_or_insert(v);
        given.insert(*p, v);
    }
    let (Some(step), Some(first)) = (step, body.params.first()) else {
        return Err(DeriveError("a scan's body has no step".into()));
    };
    let pos = b.input("pos%", InputKind::Formal, Ty::real(vec![]));
    let at = b.add2(step, pos)?;
    given.insert(*first, at);
    let image = b.inline(body, &given)?;
    for (name, v) in &body.results {
        let v = image[v.index()].ok_or_else(|| DeriveError("a scan's result was lost".into()))?;
        b.result(name, v);
    }
    Ok(b.finish())
}
