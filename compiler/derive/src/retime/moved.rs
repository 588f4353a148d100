//! Values read late: moved along the clock, and what stands before the first position.

use super::program::Program;
use crate::Result;
use seqc_algebra::{Axis, Builder, MapFn, Op, ValueId};

/// `t >= n`, along the clock.
pub(super) fn begun(b: &mut Builder, n: i64) -> Result<ValueId> {
    let (t, n) = (b.iota(Axis::time())?, b.num(n as f64));
    Ok(b.map2(MapFn::Ge, t, n)?)
}

/// `v[t]` where `t >= n`, 0 before.
pub(super) fn zero_before(b: &mut Builder, v: ValueId, n: i64) -> Result<ValueId> {
    let (cond, zero) = (begun(b, n)?, b.num(0.0));
    Ok(b.select(cond, v, zero)?)
}

/// Works on a value as one along the clock, whatever its present axis is called.
pub(super) fn along_clock(
    b: &mut Builder,
    axis: Axis,
    v: ValueId,
    work: impl FnOnce(&mut Builder, ValueId) -> Result<ValueId>,
) -> Result<ValueId> {
    let v = b.rename(v, axis, Axis::time())?;
    let v = work(b, v)?;
    Ok(b.rename(v, Axis::time(), axis)?)
}

/// The image `v` of a value `of`, `d` steps later. Positions before the first are none: there it is what it is now,
/// an entry of the sequence as good as any.
pub(super) fn late(
    b: &mut Builder,
    func: &Program,
    of: ValueId,
    v: ValueId,
    d: i64,
) -> Result<ValueId> {
    let (true, Some(axis)) = (d > 0, func.present_axis(of)) else {
        return Ok(v);
    };
    match func.op(of) {
        Op::Iota(_) => return position(b, func, of, v, d),
        // The same at every position.
        Op::Expand(new) if new.contains(&axis) => return Ok(v),
        _ => {}
    }
    along_clock(b, axis, v, |b, v| {
        let earlier = b.shift(v, Axis::time(), d)?;
        let cond = begun(b, d)?;
        Ok(b.select(cond, earlier, v)?)
    })
}

/// A position `d` steps ago. It is not negative, but where nothing other than a comparison sees it: masks stay affine.
fn position(b: &mut Builder, func: &Program, of: ValueId, v: ValueId, d: i64) -> Result<ValueId> {
    let n = b.num(d as f64);
    let ago = b.sub(v, n)?;
    if func.only_compared[of.index()] {
        return Ok(ago);
    }
    let zero = b.num(0.0);
    Ok(b.map2(MapFn::Max, ago, zero)?)
}

/// `Σ_over Π args`, with masks along the clock taken out of the sum, so that a read of a state may move into its loop.
pub(super) fn contract(b: &mut Builder, over: &[Axis], args: &[ValueId]) -> Result<ValueId> {
    let (mut bare, mut masks) = (vec![], vec![]);
    for a in args {
        match masked(b, *a) {
            Some((cond, v)) => {
                bare.push(v);
                masks.push(cond);
            }
            None => bare.push(*a),
        }
    }
    masks.sort();
    masks.dedup();
    let mut v = b.contract(over, &bare)?;
    let zero = b.num(0.0);
    for cond in masks {
        v = b.select(cond, v, zero)?;
    }
    Ok(v)
}

/// The condition on the clock outside of which a sequence is 0, and the sequence.
fn masked(b: &Builder, v: ValueId) -> Option<(ValueId, ValueId)> {
    let args = b.func().args(v);
    let select = matches!(b.func().op(v), Op::Map(MapFn::Select));
    let by_clock = select && b.axes(args[0]) == [Axis::time()] && b.has(args[1], Axis::time());
    (by_clock && b.constant(args[2]) == Some(0.0)).then(|| (args[0], args[1]))
}
