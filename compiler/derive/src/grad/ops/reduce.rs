//! Reductions, softmax and log-sum-exp.
//!
//! A maximum sends equal shares of its cotangent to all largest entries. The derivative of a product is the product of the
//! other entries, made from running products in both directions: no division, so zeros are no exception.

use super::super::parts::product;
use super::{At, Result};
use seqc_algebra::{Axis, Builder, InputKind, MapFn, Op, Out, ReduceOp, Scan, Ty, ValueId};

pub fn jvp(b: &mut Builder, at: At, t: Option<ValueId>) -> Result<Option<ValueId>> {
    let Some(t) = t else { return Ok(None) };
    let x = at.x[0];
    let ty = b.ty(at.y).clone();
    Ok(match at.op {
        Op::Reduce(ReduceOp::Sum, over) => Some(b.sum(over, t)?),
        Op::Reduce(ReduceOp::Prod, over) => {
            let others = others(b, x, over)?;
            Some(product(b, &[t, others], &ty)?)
        }
        Op::Reduce(ReduceOp::Max | ReduceOp::Min, over) => {
            let (hit, count) = extremes(b, over, x, at.y)?;
            let zero = b.num(0.0);
            let kept = b.select(hit, t, zero)?;
            let all = b.sum(over, kept)?;
            Some(b.div(all, count)?)
        }
        Op::Softmax(axis) => Some(softmax(b, *axis, at.y, t)?),
        Op::LogSumExp(axis) => {
            let p = b.push(Op::Softmax(*axis), &[x])?;
            Some(product(b, &[p, t], &ty)?)
        }
        _ => None,
    })
}

pub fn vjp(b: &mut Builder, at: At, g: ValueId) -> Result<Vec<(usize, ValueId)>> {
    let x = at.x[0];
    let ty = b.ty(x).clone();
    Ok(match at.op {
        Op::Reduce(ReduceOp::Sum, _) => vec![(0, g)],
        Op::Reduce(ReduceOp::Prod, over) => {
            let o = others(b, x, over)?;
            let o = super::super::parts::conj(b, o)?;
            vec![(0, product(b, &[g, o], &ty)?)]
        }
        Op::Reduce(ReduceOp::Max | ReduceOp::Min, over) => {
            let (hit, count) = extremes(b, over, x, at.y)?;
            let (zero, each) = (b.num(0.0), b.div(g, count)?);
            vec![(0, b.select(hit, each, zero)?)]
        }
        Op::Softmax(axis) => vec![(0, softmax(b, *axis, at.y, g)?)],
        Op::LogSumExp(axis) => {
            let p = b.push(Op::Softmax(*axis), &[x])?;
            vec![(0, product(b, &[g, p], &ty)?)]
        }
        _ => vec![],
    })
}

/// `p (t - Σ p t)`: the Jacobian of softmax is symmetric.
fn softmax(b: &mut Builder, axis: Axis, p: ValueId, t: ValueId) -> Result<ValueId> {
    let mean = b.contract(&[axis], &[p, t])?;
    let rest = b.sub(t, mean)?;
    Ok(b.mul(p, rest)?)
}

/// 1 at each entry that is the extreme `y` of its row, and how many there are (1 where there is none, as of a NaN).
fn extremes(b: &mut Builder, over: &[Axis], x: ValueId, y: ValueId) -> Result<(ValueId, ValueId)> {
    let hit = b.map2(MapFn::Eq, x, y)?;
    let (count, one) = (b.sum(over, hit)?, b.num(1.0));
    Ok((hit, b.map2(MapFn::Max, count, one)?))
}

/// For each entry, the product of all others.
fn others(b: &mut Builder, x: ValueId, over: &[Axis]) -> Result<ValueId> {
    let mut at = x;
    let mut factors = vec![];
    for axis in over {
        factors.push(running(b, at, *axis, false)?);
        factors.push(running(b, at, *axis, true)?);
        at = b.push(Op::Reduce(ReduceOp::Prod, vec![*axis]), &[at])?;
    }
    let ty = b.ty(x).clone();
    product(b, &factors, &ty)
}

/// For each entry, the product of those before it (after it, if `reverse`).
pub fn running(b: &mut Builder, x: ValueId, axis: Axis, reverse: bool) -> Result<ValueId> {
    let one_step = b.ty(x).without(axis);
    let mut body = Builder::new("product");
    body.input("p", InputKind::Formal, Ty::real(vec![]));
    let s = body.input("s", InputKind::Formal, one_step.clone());
    let e = body.input("x", InputKind::Formal, one_step.clone());
    let next = body.mul(s, e)?;
    body.result("s", next);
    let outs = vec![Out::Enter(0)];
    let scan = Scan {
        reverse,
        ..Scan::steps(axis, 1, &[1.0], 0, body.finish(), outs)
    };
    let start = b.everywhere(1.0, &one_step)?;
    Ok(b.scan(scan, &[start, x])?[0])
}
