//! Sums over ticks as sums over steps: of a past tick its last step counts, of the present one the present step.

use super::{Steps, ends, rate, remainder};
use crate::{DeriveError, Result};
use seqc_algebra::{Axis, MapFn, Op, ReduceOp, ValueId};

impl Steps<'_> {
    /// The axes of ticks that an operation ranges over.
    pub(super) fn ranges<'o>(&self, op: &'o Op) -> impl Iterator<Item = Axis> + use<'o> {
        let over: &[Axis] = match op {
            Op::Contract(over) | Op::Reduce(_, over) => over,
            Op::Softmax(a) | Op::LogSumExp(a) | Op::TopMask(a, _) => std::slice::from_ref(a),
            _ => &[],
        };
        over.iter().copied().filter(|a| rate(*a).is_some())
    }

    pub(super) fn over_ticks(
        &mut self,
        id: ValueId,
        op: Op,
        mut args: Vec<ValueId>,
    ) -> Result<ValueId> {
        let outside = match &op {
            Op::Reduce(ReduceOp::Sum, _) | Op::Contract(_) => 0.0,
            Op::Reduce(ReduceOp::Prod, _) => 1.0,
            Op::Reduce(ReduceOp::Min | ReduceOp::ArgMin, _) => f64::INFINITY,
            _ => f64::NEG_INFINITY,
        };
        for axis in self.ranges(&op) {
            if matches!(op, Op::Contract(_)) && self.has_weights(id, axis) {
                continue;
            }
            let mask = self.seen(id, axis, &args)?;
            let own = self.fine(axis);
            let times = |this: &Self, v: ValueId| this.steps_of(v).len();
            let at = (0..args.len())
                .filter(|k| self.b.has(args[*k], own))
                .max_by_key(|k| (times(self, args[*k]), usize::MAX - k));
            let at =
                at.ok_or_else(|| DeriveError("a sum over an axis that no factor has".into()))?;
            let outside = self.b.num(outside);
            args[at] = self.b.select(mask, args[at], outside)?;
        }
        Ok(match op {
            Op::Contract(over) => self.b.contract(&self.all_fine(&over), &args)?,
            Op::Reduce(r, over) => self.b.push(Op::Reduce(r, self.all_fine(&over)), &args)?,
            Op::Softmax(a) => self.b.push(Op::Softmax(self.fine(a)), &args)?,
            Op::LogSumExp(a) => self.b.push(Op::LogSumExp(self.fine(a)), &args)?,
            Op::TopMask(a, k) => {
                let mask = self.seen(id, a, &args)?;
                let (top, zero) = (
                    self.b.push(Op::TopMask(self.fine(a), k), &args)?,
                    self.b.num(0.0),
                );
                self.b.select(mask, top, zero)?
            }
            op => self.b.push(op, &args)?,
        })
    }

    /// Is a factor 0 already wherever the axis is not seen, as the result of a softmax along it is?
    fn has_weights(&self, id: ValueId, axis: Axis) -> bool {
        self.func.args(id).iter().any(|v| {
            let mut v = *v;
            while let Op::Rename { .. } = self.func.op(v) {
                v = self.func.args(v)[0];
            }
            matches!(self.func.op(v), Op::Softmax(a) if *a == axis)
        })
    }

    /// What has an index over ticks, at the tick of each position of `axis`: where that tick stands for it, which as seen
    /// from the other axis of steps is its last step, or the present.
    pub(super) fn at_blocks(
        &mut self,
        x: ValueId,
        (ticks, n): (Axis, usize),
        within: Axis,
        axis: Axis,
    ) -> Result<ValueId> {
        let own = self.fine(ticks);
        let row = (self.steps_of(x).into_iter()).find(|a| *a != own && *a != axis);
        let b = &mut self.b;
        let (at, rest) = (b.iota(axis)?, b.num(n as f64 - 1.0));
        let inside = remainder(b, at, n)?;
        let first = b.sub(at, inside)?;
        let mut last = b.add2(first, rest)?;
        if let Some(row) = row {
            let now = b.iota(row)?;
            last = b.map2(MapFn::Min, last, now)?;
        }
        let all = b.push(Op::Gather(own), &[x, last])?;
        Ok(b.push(Op::Gather(within), &[all, inside])?)
    }

    /// The axes of steps of a rebuilt value.
    fn steps_of(&self, v: ValueId) -> Vec<Axis> {
        let axes = self.b.axes(v).iter().copied();
        axes.filter(|a| a.size == Axis::time().size).collect()
    }

    /// Which steps stand for a tick, seen from another axis of steps: the last of each past tick, and the present.
    fn seen(&mut self, id: ValueId, axis: Axis, args: &[ValueId]) -> Result<ValueId> {
        let own = self.fine(axis);
        let mut rows: Vec<Axis> = args.iter().flat_map(|v| self.steps_of(*v)).collect();
        rows.retain(|a| *a != own);
        let Some(row) = rows.first().copied() else {
            return Err(self.refused(id, "ranges over all ticks"));
        };
        let b = &mut self.b;
        let (at, now) = (b.iota(own)?, b.iota(row)?);
        let last = ends(b, at, rate(axis).unwrap_or(1))?;
        let present = b.map2(MapFn::Eq, at, now)?;
        let stands = b.map2(MapFn::Or, last, present)?;
        let past = b.map2(MapFn::Le, at, now)?;
        Ok(b.map2(MapFn::And, past, stands)?)
    }
}
