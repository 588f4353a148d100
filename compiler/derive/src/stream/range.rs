//! Which columns a tile of rows visits, from inequalities that every exit of the group obeys.

use super::bounds::{Bounds, Inequality, either};
use super::exits::{Group, scores};
use crate::Result;
use seqc_algebra::{Axis, Builder, Func, MapFn, Op, ReduceOp, ValueId};

/// Bounds of the streamed positions for the rows from `pos` on: the first, and the one after the last.
pub(super) fn range(
    (func, bounds): (&Func, &Bounds),
    g: &Group,
    rows: Axis,
    b: &mut Builder,
    pos: ValueId,
) -> Result<(Option<ValueId>, Option<ValueId>)> {
    let mut each = g.exits.iter().map(|e| counted((func, bounds), g, *e));
    let first = each.next().unwrap_or_default();
    let common = each.fold(first, |all, own| either(all, &own));
    let last = rows.size.constant().unwrap_or(1) as i64 - 1;
    let (mut lo, mut hi): (Option<ValueId>, Option<ValueId>) = (None, None);
    let pair = |i: &&Inequality| {
        i.terms
            .iter()
            .all(|(a, _)| [g.kept, g.streamed].contains(a))
    };
    for i in common.iter().filter(pair) {
        // `c col + r row + constant <= 0` for some row of the tile: one of its ends is the loosest.
        let (c, r) = (i.of(g.streamed), i.of(g.kept));
        let loosest = i.constant + r * if r < 0 { last } else { 0 };
        if c > 0 {
            let end = quotient(b, pos, (-r, -loosest + c), c)?;
            hi = Some(extreme(b, MapFn::Min, hi, end)?);
        } else if c < 0 {
            let start = quotient(b, pos, (r, loosest - c - 1), -c)?;
            lo = Some(extreme(b, MapFn::Max, lo, start)?);
        }
    }
    Ok((lo, hi))
}

/// Inequalities that hold for what an exit counts.
fn counted((func, bounds): (&Func, &Bounds), g: &Group, e: ValueId) -> Vec<Inequality> {
    let args = func.args(e);
    match func.op(e) {
        Op::LogSumExp(_) | Op::Reduce(ReduceOp::Max, _) => {
            bounds.neg_inf_outside(scores(func, g, e)).to_vec()
        }
        // The index says where a term goes, not whether it is 0.
        Op::ScatterAdd { .. } => bounds.zero_outside(args[0]).to_vec(),
        _ => bounds.product(args),
    }
}

/// `floor((slope · pos + offset) / by)`
fn quotient(
    b: &mut Builder,
    pos: ValueId,
    (slope, offset): (i64, i64),
    by: i64,
) -> Result<ValueId> {
    let offset = b.num(offset as f64);
    let at = match slope {
        0 => offset,
        1 => b.add2(pos, offset)?,
        n => {
            let n = b.num(n as f64);
            let at = b.mul(pos, n)?;
            b.add2(at, offset)?
        }
    };
    if by == 1 {
        return Ok(at);
    }
    // Whole numbers throughout, so that they are so in a field, too.
    let by = b.num(by as f64);
    let rest = b.map2(MapFn::Rem, at, by)?;
    let multiple = b.sub(at, rest)?;
    Ok(b.div(multiple, by)?)
}

fn extreme(b: &mut Builder, f: MapFn, old: Option<ValueId>, new: ValueId) -> Result<ValueId> {
    match old {
        Some(old) => Ok(b.map2(f, old, new)?),
        None => Ok(new),
    }
}
