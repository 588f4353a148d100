//! The steps of all memories one after another: where each step's picks are along that axis, and back.
//!
//! A step's picks are its slots, in the order of memories. Counting gives the places: a pick stands behind all picks of
//! earlier memories and all earlier picks of its own. All of it is made of the mask, so that it has no gradient; counts
//! are whole numbers, which f32 holds up to 2^24 picks of a sequence.

use super::Routed;
use crate::Result;
use seqc_algebra::{Axis, Builder, InputKind, MapFn, Op, Out, Scan, Ty, ValueId};

pub(super) struct Arranged {
    time: Axis,
    memory: Axis,
    slot: Axis,
    along: Axis,
    /// For each step and slot: which memory, and where along the axis.
    index: ValueId,
    place: ValueId,
    /// For each memory: the place of its first pick, and how many it has.
    first: ValueId,
    total: ValueId,
}

impl Arranged {
    pub fn new(b: &mut Builder, r: &Routed<'_>, mask: ValueId) -> Result<Arranged> {
        let (time, memory) = (r.scan.axis, r.memory);
        let slot = Axis::new(&format!("{}%slot", memory.name), r.picks);
        let other = memory.renamed(&format!("{}%earlier", memory.name));
        let (mine, theirs) = (b.iota(memory)?, b.iota(other)?);
        let earlier = b.map2(MapFn::Lt, theirs, mine)?;
        let before = |b: &mut Builder, v: ValueId| -> Result<ValueId> {
            let v = b.rename(v, memory, other)?;
            Ok(b.contract(&[other], &[v, earlier])?)
        };
        let rank = before(b, mask)?;
        let slots = b.iota(slot)?;
        let here = b.map2(MapFn::Eq, rank, slots)?;
        let here = b.mul(here, mask)?;
        let index = b.contract(&[memory], &[here, mine])?;
        let (seen, total) = counts(b, time, mask)?;
        let first = before(b, total)?;
        let place = b.add2(seen, first)?;
        let place = b.contract(&[memory], &[here, place])?;
        Ok(Arranged {
            time,
            memory,
            slot,
            along: r.along,
            index,
            place,
            first,
            total,
        })
    }

    /// A value of each step, or of each memory, along the axis.
    pub fn laid_out(&self, b: &mut Builder, v: ValueId) -> Result<ValueId> {
        let picked = self.picked(b, v)?;
        let each = b.axes(self.place).to_vec();
        let picked = b.fill(picked, &each)?;
        let op = Op::ScatterAdd {
            axis: self.along,
            over: vec![self.time, self.slot],
        };
        Ok(b.push(op, &[picked, self.place])?)
    }

    /// A value of each memory for the slots of each step; any other as it is.
    pub fn picked(&self, b: &mut Builder, v: ValueId) -> Result<ValueId> {
        match b.has(v, self.memory) {
            true => Ok(b.push(Op::Gather(self.memory), &[v, self.index])?),
            false => Ok(v),
        }
    }

    /// What lies along the axis, for the slots of each step.
    pub fn back(&self, b: &mut Builder, v: ValueId) -> Result<ValueId> {
        Ok(b.push(Op::Gather(self.along), &[v, self.place])?)
    }

    /// The slots of each step added up, with these axes.
    pub fn added_up(&self, b: &mut Builder, v: ValueId, axes: &[Axis]) -> Result<ValueId> {
        let sum = b.sum(&[self.slot], v)?;
        Ok(b.fill(sum, axes)?)
    }

    /// Axes with slots in place of memories.
    pub fn slots(&self, axes: &[Axis]) -> Vec<Axis> {
        let slot = |a: &Axis| if *a == self.memory { self.slot } else { *a };
        axes.iter().map(slot).collect()
    }

    /// 1 where a memory begins along the axis, 0 elsewhere; from its end if the loop goes that way.
    pub fn begins(&self, b: &mut Builder, reverse: bool) -> Result<ValueId> {
        let mut start = self.first;
        if reverse {
            let one = b.num(1.0);
            let last = b.sub(self.total, one)?;
            start = b.add2(start, last)?;
        }
        let at = b.iota(self.along)?;
        let begins = b.map2(MapFn::Eq, start, at)?;
        // A memory that is never picked is at the place of another.
        let zero = b.num(0.0);
        let some = b.map2(MapFn::Gt, self.total, zero)?;
        Ok(b.contract(&[self.memory], &[begins, some])?)
    }
}

/// How often each memory was picked before each step, and in all.
fn counts(b: &mut Builder, time: Axis, mask: ValueId) -> Result<(ValueId, ValueId)> {
    let ty = b.ty(mask).without(time);
    let mut body = Builder::new("count");
    body.input("pos", InputKind::Formal, Ty::real(vec![]));
    let count = body.input("count", InputKind::Formal, ty.clone());
    let pick = body.input("pick", InputKind::Formal, ty.clone());
    let next = body.add2(count, pick)?;
    body.result("count", next);
    let outs = vec![Out::Enter(0), Out::Final(0)];
    let scan = Scan::steps(time, 1, &[0.0], 0, body.finish(), outs);
    let none = b.everywhere(0.0, &ty)?;
    let all = b.scan(scan, &[none, mask])?;
    Ok((all[0], all[1]))
}
