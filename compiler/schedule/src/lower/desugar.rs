//! Composite operations as elementary ones: softmax, log-sum-exp, arg-max, top-k masks over an axis, and products
//! of many factors whose value is a matrix product. What remains is maps, views, folds, gathers, solves and scans.
//!
//! Stability is kept: the maximum is subtracted first, and a row of -inf alone gives weights 0 and normaliser -inf.

use super::LowerError;
use super::place::space;
use seqc_algebra::{Axis, Builder, Func, MapFn, Op, ReduceOp, Scan, ValueId, shape::ShapeError};

/// The whole program, bodies of scans included.
pub(crate) fn desugar(func: &Func) -> Result<Func, LowerError> {
    let mut b = Builder::new(&func.name);
    let live = func.live();
    let users = func.users();
    let mut image: Vec<Option<ValueId>> = vec![None; func.values.len()];
    for id in func
        .ids()
        .filter(|id| live[id.index()] || func.params.contains(id))
    {
        let args: Option<Vec<ValueId>> = func.args(id).iter().map(|a| image[a.index()]).collect();
        let args = args.ok_or_else(|| LowerError::new("a value's argument comes after it"))?;
        let new = match func.op(id) {
            Op::Scan(scan) => {
                let scan = Scan {
                    body: desugar(&scan.body)?,
                    ..(**scan).clone()
                };
                b.push(Op::Scan(Box::new(scan)), &args)?
            }
            Op::Softmax(a) => softmax(&mut b, *a, args[0])?,
            Op::LogSumExp(a) => log_sum_exp(&mut b, *a, args[0])?,
            Op::TopMask(a, k) => top_mask(&mut b, *a, *k, args[0])?,
            Op::Reduce(op @ (ReduceOp::ArgMax | ReduceOp::ArgMin), axes) => {
                arg_most(&mut b, *op, axes[0], args[0])?
            }
            Op::Contract(over) => product(&mut b, over, &args)?,
            Op::Reduce(ReduceOp::Sum, over) => {
                // A sum of a product is a contraction: one rule for both.
                match b.func().op(args[0]).clone() {
                    Op::Contract(inner) => {
                        let factors = b.func().args(args[0]).to_vec();
                        let clash = inner.iter().any(|a| over.iter().any(|o| o.name == a.name));
                        let single = users[func.args(id)[0].index()].len() == 1;
                        if clash || !single || factors.len() > 2 {
                            b.push(func.op(id).clone(), &args)?
                        } else {
                            product(&mut b, &[inner, over.clone()].concat(), &factors)?
                        }
                    }
                    _ => b.push(func.op(id).clone(), &args)?,
                }
            }
            _ => b.copy(func.value(id), &args)?,
        };
        if let Some(name) = func.value(id).name {
            b.name(new, name.as_str());
        }
        image[id.index()] = Some(new);
    }
    for (name, v) in &func.results {
        let v = image[v.index()].ok_or_else(|| LowerError::new("a result is not a live value"))?;
        b.result(name, v);
    }
    Ok(b.finish())
}

/// The row's maximum, 0 where it is not finite from below.
fn finite_max(b: &mut Builder, axis: Axis, x: ValueId) -> Result<(ValueId, ValueId), ShapeError> {
    let m = b.push(Op::Reduce(ReduceOp::Max, vec![axis]), &[x])?;
    let (zero, least) = (b.num(0.0), b.num(f64::NEG_INFINITY));
    let none = b.map2(MapFn::Eq, m, least)?;
    Ok((b.select(none, zero, m)?, m))
}

fn softmax(b: &mut Builder, axis: Axis, x: ValueId) -> Result<ValueId, ShapeError> {
    let (m, _) = finite_max(b, axis, x)?;
    let d = b.sub(x, m)?;
    let e = b.map1(MapFn::Exp, d)?;
    let s = b.sum(&[axis], e)?;
    let (zero, one) = (b.num(0.0), b.num(1.0));
    let none = b.map2(MapFn::Eq, s, zero)?;
    let s = b.select(none, one, s)?;
    let inverse = b.div(one, s)?;
    b.mul(e, inverse)
}

fn log_sum_exp(b: &mut Builder, axis: Axis, x: ValueId) -> Result<ValueId, ShapeError> {
    let (m, _) = finite_max(b, axis, x)?;
    let d = b.sub(x, m)?;
    let e = b.map1(MapFn::Exp, d)?;
    let s = b.sum(&[axis], e)?;
    let log = b.map1(MapFn::Log, s)?;
    b.add2(log, m)
}

/// The first index that attains the extreme.
fn arg_most(b: &mut Builder, op: ReduceOp, axis: Axis, x: ValueId) -> Result<ValueId, ShapeError> {
    let most = if op == ReduceOp::ArgMax {
        ReduceOp::Max
    } else {
        ReduceOp::Min
    };
    let m = b.push(Op::Reduce(most, vec![axis]), &[x])?;
    let hit = b.map2(MapFn::Eq, x, m)?;
    let (at, far) = (b.iota(axis)?, b.num(f64::from(1u32 << 30)));
    let first = b.select(hit, at, far)?;
    b.push(Op::Reduce(ReduceOp::Min, vec![axis]), &[first])
}

/// An entry is kept iff fewer than `k` entries are larger or equal and earlier.
fn top_mask(b: &mut Builder, axis: Axis, k: usize, x: ValueId) -> Result<ValueId, ShapeError> {
    let other = axis.renamed(&format!("{}%other", axis.name));
    let y = b.rename(x, axis, other)?;
    let (here, there) = (b.iota(axis)?, b.iota(other)?);
    let larger = b.map2(MapFn::Gt, y, x)?;
    let equal = b.map2(MapFn::Eq, y, x)?;
    let earlier = b.map2(MapFn::Lt, there, here)?;
    let tie = b.map2(MapFn::And, equal, earlier)?;
    let before = b.map2(MapFn::Or, larger, tie)?;
    let rank = b.sum(&[other], before)?;
    let k = b.num(k as f64);
    b.map2(MapFn::Lt, rank, k)
}

/// `Σ_over Π args`. Factors that lie within another are multiplied into it, until two remain: then it may be a
/// matrix product. A product where one factor has every axis is left alone: it is a fold, whatever the order.
fn product(b: &mut Builder, over: &[Axis], args: &[ValueId]) -> Result<ValueId, ShapeError> {
    let mut args = args.to_vec();
    let all: Vec<Axis> = seqc_algebra::shape::union(args.iter().map(|a| b.ty(*a)))?;
    // An axis that only one factor has is summed there first: distributivity.
    if args.len() > 1 {
        let mut left = over.to_vec();
        for k in 0..args.len() {
            let own: Vec<Axis> = left
                .iter()
                .copied()
                .filter(|x| {
                    b.has(args[k], *x)
                        && args
                            .iter()
                            .enumerate()
                            .all(|(o, v)| o == k || !b.has(*v, *x))
                })
                .collect();
            if !own.is_empty() {
                args[k] = b.sum(&own, args[k])?;
                left.retain(|x| !own.contains(x));
            }
        }
        if left.len() < over.len() {
            return product(b, &left, &args);
        }
    }
    if args.len() <= 2 || args.iter().any(|v| b.axes(*v).len() == all.len()) {
        return b.contract(over, &args);
    }
    while args.len() > 2 {
        let mut best: Option<(f64, usize, usize)> = None;
        for x in 0..args.len() {
            for y in 0..args.len() {
                let inside = x != y && b.axes(args[x]).iter().all(|a| b.has(args[y], *a));
                let cost = space(b.axes(args[y]));
                if inside && best.is_none_or(|(c, ..)| cost < c) {
                    best = Some((cost, x, y));
                }
            }
        }
        // Otherwise contract the pair with the smallest result.
        let Some((_, x, y)) = best else {
            return pairwise(b, over, args);
        };
        let xy = b.mul(args[y], args[x])?;
        args[y] = xy;
        args.remove(x);
    }
    b.contract(over, &args)
}

/// Greedy order: the pair whose intermediate result is smallest goes first.
fn pairwise(b: &mut Builder, over: &[Axis], mut args: Vec<ValueId>) -> Result<ValueId, ShapeError> {
    if args.len() > 2 {
        let mut best: Option<(f64, usize, usize, Vec<Axis>)> = None;
        for x in 0..args.len() {
            for y in x + 1..args.len() {
                let both = seqc_algebra::shape::union([b.ty(args[x]), b.ty(args[y])])?;
                let elsewhere = |a: &Axis| {
                    args.iter()
                        .enumerate()
                        .any(|(k, v)| k != x && k != y && b.has(*v, *a))
                };
                let sum: Vec<Axis> = both
                    .iter()
                    .copied()
                    .filter(|a| over.contains(a) && !elsewhere(a))
                    .collect();
                let rest: Vec<Axis> = both.into_iter().filter(|a| !sum.contains(a)).collect();
                let cost = space(&rest);
                if best.as_ref().is_none_or(|(c, ..)| cost < *c) {
                    best = Some((cost, x, y, sum));
                }
            }
        }
        let Some((_, x, y, sum)) = best else {
            return b.contract(over, &args);
        };
        let xy = b.contract(&sum, &[args[x], args[y]])?;
        args[x] = xy;
        args.remove(y);
        return product(
            b,
            &over
                .iter()
                .copied()
                .filter(|a| !sum.contains(a))
                .collect::<Vec<_>>(),
            &args,
        );
    }
    b.contract(over, &args)
}
