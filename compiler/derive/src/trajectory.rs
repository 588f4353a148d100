//! What a program outside of a recurrence reads of it, as a value of a step: what the step gives out, or a state as
//! it was before the step. `shift(S)` is the latter where S starts from what the shift reads before the first step.

use seqc_algebra::{Func, MapFn, Op, Out, Size, ValueId};

/// A value of a scan's body, at every step.
#[derive(Clone, Copy, PartialEq)]
pub struct Trajectory {
    pub scan: ValueId,
    /// In the body of that scan.
    pub value: ValueId,
}

/// The trajectory that a value is, if the scan steps one position at a time.
pub fn trajectory(func: &Func, v: ValueId) -> Option<Trajectory> {
    let (k, of, before) = match func.op(v) {
        Op::Map(MapFn::Select) => {
            let (traj, by) = shifted(func, func.args(v)[1])?;
            (traj, by, Some(first(func, v)?))
        }
        Op::Shift { .. } => {
            let (traj, by) = shifted(func, v)?;
            (traj, by, Some(None))
        }
        _ => (v, 0, None),
    };
    let Op::Proj(n) = func.op(k) else { return None };
    let scan = func.args(k)[0];
    let Op::Scan(s) = func.op(scan) else {
        return None;
    };
    let Out::Emit(e) = s.outs[*n] else {
        return None;
    };
    let value = s.body.results[s.states + e].1;
    if s.tile.is_some() || s.lo || s.hi {
        return None;
    }
    let Some(start) = before else {
        return Some(Trajectory { scan, value });
    };
    // The step before, as the loop goes: the old state, if it starts from what the shift reads there.
    let back = if s.reverse { -1 } else { 1 };
    let state = s.body.results[..s.states]
        .iter()
        .position(|(_, x)| *x == value)?;
    let begins = func.args(scan)[state];
    let same = match start {
        None => func.everywhere(begins) == Some(0.0),
        Some(x) => bare(func, x) == bare(func, begins),
    };
    let value = s.body.params[1 + state];
    (of == back && same).then_some(Trajectory { scan, value })
}

/// The trajectory of `shift(trajectory)` along the scan's time, and by how much.
fn shifted(func: &Func, v: ValueId) -> Option<(ValueId, i64)> {
    let Op::Shift { axis, by } = func.op(v) else {
        return None;
    };
    let traj = func.args(v)[0];
    let Op::Proj(_) = func.op(traj) else {
        return None;
    };
    match func.op(func.args(traj)[0]) {
        // What ticks read late is told by their shifts ([`crate::ticks`]).
        Op::Scan(s) if s.axis == *axis && matches!(axis.size, Size::Len(_)) => Some((traj, *by)),
        _ => None,
    }
}

/// What `select(t >= 1, …, x)` gives at the first step.
fn first(func: &Func, v: ValueId) -> Option<Option<ValueId>> {
    let args = func.args(v);
    let Op::Map(MapFn::Ge) = func.op(args[0]) else {
        return None;
    };
    let sides = func.args(args[0]);
    let whole = matches!(func.op(sides[0]), Op::Iota(_)) && func.everywhere(sides[1]) == Some(1.0);
    whole.then_some(Some(args[2]))
}

/// The value without expansions.
pub(crate) fn bare(func: &Func, mut v: ValueId) -> ValueId {
    while let Op::Expand(_) = func.op(v) {
        v = func.args(v)[0];
    }
    v
}
