//! Law: an earlier row of a matrix is made of what its entries are made of, read earlier:
//! ```text
//! f(q, k)[t-1, j] = f(q[t-1], k[j])  where t >= 1, else 0
//! ```
//! A step keeps the row's vectors then, which have one size, and not the row, which grows.
//!
//! Side condition: what is along the clock and along another time is made position by position.

use super::clock;
use crate::Result;
use crate::rewrite::map_values;
use seqc_algebra::{Axis, Builder, Func, MapFn, Op, ReduceOp, ValueId};
use std::collections::HashMap;

/// Applies the law wherever rows are read late.
pub fn earlier_rows(func: &Func) -> Result<Func> {
    let mut done = HashMap::new();
    map_values(func, |b, func, id, args| {
        let Op::Shift { axis, by } = *func.op(id) else {
            return Ok(None);
        };
        if axis != clock() || by <= 0 || !is_row(b, args[0]) {
            return Ok(None);
        }
        let Some(row) = delayed(b, args[0], by, &mut done)? else {
            return Ok(None);
        };
        let (at, first, zero) = (b.iota(axis)?, b.num(by as f64), b.num(0.0));
        let there = b.map2(MapFn::Ge, at, first)?;
        let row = b.fill(row, &func.ty(id).axes)?;
        let row = b.select(there, row, zero)?;
        Ok(b.ty(row).same(func.ty(id)).then_some(row))
    })
}

/// Does the value lie along the clock and along another time?
fn is_row(b: &Builder, v: ValueId) -> bool {
    let other = |a: &Axis| !a.is_const() && *a != clock() && *a != Axis::batch();
    b.has(v, clock()) && b.axes(v).iter().any(other)
}

/// The value so many steps ago, of steps that there were.
fn delayed(
    b: &mut Builder,
    v: ValueId,
    by: i64,
    done: &mut HashMap<(ValueId, i64), Option<ValueId>>,
) -> Result<Option<ValueId>> {
    if !b.has(v, clock()) {
        return Ok(Some(v));
    }
    if let Some(known) = done.get(&(v, by)) {
        return Ok(*known);
    }
    let made = match b.func().op(v).clone() {
        Op::Iota(axis) => {
            let (at, by) = (b.iota(axis)?, b.num(by as f64));
            Some(b.sub(at, by)?)
        }
        _ if !is_row(b, v) => Some(b.shift(v, clock(), by)?),
        op if by_position(&op) => {
            let args = b.func().args(v).to_vec();
            let parts = args.into_iter().map(|a| delayed(b, a, by, done));
            let parts: Option<Vec<ValueId>> = parts.collect::<Result<Option<_>>>()?;
            parts.map(|p| b.push(op, &p)).transpose()?
        }
        _ => None,
    };
    done.insert((v, by), made);
    Ok(made)
}

/// Is each entry along the clock made of its own position alone?
fn by_position(op: &Op) -> bool {
    let beside = |axes: &[Axis]| !axes.contains(&clock());
    match op {
        Op::Map(_) | Op::Split { .. } | Op::Merge { .. } | Op::Pick { .. } => true,
        Op::Expand(_) => true,
        Op::Contract(over) | Op::Reduce(ReduceOp::Sum | ReduceOp::Max | ReduceOp::Min, over) => {
            beside(over)
        }
        Op::Softmax(axis) | Op::LogSumExp(axis) | Op::Gather(axis) => *axis != clock(),
        Op::Rename { from, to } => *from != clock() && *to != clock(),
        _ => false,
    }
}
