//! One step.

use super::walk::{Walk, walk};
use super::{Order, cached, clock, convolved_in, reads_first};
use crate::{DeriveError, Result};
use seqc_algebra::{Axis, Func, MapFn, Op, Out, Scan, Ty, ValueId};
use std::collections::HashMap;

/// One step: data inputs lose the clock, a scalar input `pos` gives the position, states are inputs of kind
/// `State` and results `state.NAME`.
pub fn step(func: &Func) -> Result<Func> {
    walk(func, |w, id| w.at_one_step(id))
}

impl Walk<'_> {
    fn at_one_step(&mut self, id: ValueId) -> Result<Option<ValueId>> {
        let t = clock();
        Ok(Some(match self.plan.func.op(id).clone() {
            Op::Input(input) => {
                let ty = self.plan.func.ty(id);
                let ty = Ty {
                    elem: ty.elem,
                    axes: self.plan.beside(&ty.axes),
                };
                self.b.input(input.name.as_str(), input.kind, ty)
            }
            Op::Iota(a) if self.plan.is_present(&a) => self.pos,
            Op::Length(s) if s == t.size => {
                let (pos, one) = (self.pos, self.b.num(1.0));
                self.b.add2(pos, one)?
            }
            Op::Shift { axis, by } if axis == t => {
                let x = self.arg(id, 0)?;
                let n = usize::try_from(by).unwrap_or(0);
                let of = self.plan.func.args(id)[0];
                let (k, lag) = self.plan.recent(of, n)?;
                let recent = self.push_front(k, x, lag)?;
                let pick = Op::Pick {
                    axis: lag,
                    index: n,
                };
                self.b.push(pick, &[recent])?
            }
            Op::Window { axis, lag, .. } if axis == t => {
                let x = self.arg(id, 0)?;
                let of = self.plan.func.args(id)[0];
                let k = self.plan.kept(of, lag, Order::NewestFirst)?;
                self.push_front(k, x, cached(&lag))?
            }
            Op::Conv { axis, lag, .. } if axis == t => {
                let (f, x) = (self.arg(id, 0)?, self.arg(id, 1)?);
                let of = self.plan.func.args(id)[1];
                let (order, along) = (convolved_in(self.plan.func, id), cached(&lag));
                let k = self.plan.kept(of, lag, order)?;
                match order {
                    Order::OldestFirst => {
                        self.append(k, x, along)?;
                        let own = self.b.axes(x).to_vec();
                        let lacks = own.iter().filter(|a| a.is_const() && !self.b.has(f, **a));
                        let lacks: Vec<Axis> = lacks.copied().collect();
                        let f = self.b.expand(f, &lacks)?;
                        let args = [f, self.old[k], x, self.pos];
                        self.b.push(Op::Online(along), &args)?
                    }
                    Order::NewestFirst => {
                        let recent = self.push_front(k, x, along)?;
                        self.b.contract(&[along], &[f, recent])?
                    }
                }
            }
            Op::Rename { from, to } if from == t => {
                let x = self.arg(id, 0)?;
                if self.plan.is_present(&to) {
                    x
                } else {
                    let of = self.plan.func.args(id)[0];
                    let k = self.plan.kept(of, to, Order::OldestFirst)?;
                    self.append(k, x, cached(&to))?
                }
            }
            Op::Rename { from, to } if self.plan.is_present(&from) && self.plan.is_present(&to) => {
                self.arg(id, 0)?
            }
            Op::Gather(axis) if axis == t && reads_first(self.plan.func, id) => {
                let (x, of) = (self.arg(id, 0)?, self.plan.func.args(id)[0]);
                self.keep_first(self.plan.first(of)?, x)?
            }
            Op::Scan(scan) if scan.axis == t => {
                self.scan_step(id, &scan)?;
                return Ok(None);
            }
            Op::Proj(_) if matches!(self.plan.func.op(self.plan.func.args(id)[0]), Op::Scan(s) if s.axis == t) =>
            {
                return Ok(self.image[id.index()]);
            }
            op => {
                let args = (0..self.plan.func.args(id).len())
                    .map(|n| self.arg(id, n))
                    .collect::<Result<Vec<_>>>()?;
                let op = self.plan.relabel(id, op, &|a| self.plan.beside(a))?;
                match op {
                    None => args[0],
                    Some(op) => self.b.push(op, &args)?,
                }
            }
        }))
    }

    /// Carry `k` with `x` put in front along `lag`, the rest moved back by one.
    fn push_front(&mut self, k: usize, x: ValueId, lag: Axis) -> Result<ValueId> {
        if let Some(known) = self.new[k] {
            return Ok(known);
        }
        let moved = self.b.shift(self.old[k], lag, 1)?;
        let (at, zero) = (self.b.iota(lag)?, self.b.num(0.0));
        let first = self.b.map2(MapFn::Eq, at, zero)?;
        let v = self.b.select(first, x, moved)?;
        self.new[k] = Some(v);
        Ok(v)
    }

    /// Carry `k` with `x` at the present position along the cache.
    fn append(&mut self, k: usize, x: ValueId, along: Axis) -> Result<ValueId> {
        if let Some(known) = self.new[k] {
            return Ok(known);
        }
        let (at, pos) = (self.b.iota(along)?, self.pos);
        let here = self.b.map2(MapFn::Eq, at, pos)?;
        let v = self.b.select(here, x, self.old[k])?;
        self.new[k] = Some(v);
        Ok(v)
    }

    /// Carry `k`, which is `x` at the first position and stays.
    pub(super) fn keep_first(&mut self, k: usize, x: ValueId) -> Result<ValueId> {
        if let Some(known) = self.new[k] {
            return Ok(known);
        }
        let zero = self.b.num(0.0);
        let first = self.b.map2(MapFn::Eq, self.pos, zero)?;
        let v = self.b.select(first, x, self.old[k])?;
        self.new[k] = Some(v);
        Ok(v)
    }

    fn scan_step(&mut self, id: ValueId, scan: &Scan) -> Result<()> {
        let scan = self.plan.mapped(id, scan, &|a| self.plan.beside(a))?;
        let body = &scan.body;
        let mut given: HashMap<ValueId, ValueId> = HashMap::new();
        given.insert(body.params[0], self.pos);
        let mut at = Vec::new();
        for k in 0..scan.states {
            let n = self.plan.state(id, k)?;
            at.push(n);
            given.insert(body.params[1 + k], self.old[n]);
        }
        for n in scan.states..body.params.len() - 1 {
            given.insert(body.params[1 + n], self.arg(id, n)?);
        }
        let image = self.b.inline(body, &given)?;
        let of = |v: ValueId| {
            image[v.index()].ok_or_else(|| DeriveError("a scan's result has no step form".into()))
        };
        for (k, n) in at.iter().enumerate() {
            self.new[*n] = Some(of(body.results[k].1)?);
        }
        for p in self.plan.projections.get(&id).into_iter().flatten() {
            let Op::Proj(k) = self.plan.func.op(*p) else {
                continue;
            };
            if let Out::Emit(e) = scan.outs[*k] {
                self.image[p.index()] = Some(of(body.results[scan.states + e].1)?);
            }
        }
        Ok(())
    }
}
