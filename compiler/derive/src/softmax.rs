//! Law: `softmax_j(s) = exp((s - m) - logsumexp_j(s - m))` with `m = max_j s`: row vectors beside the scores.
//!
//! It turns a softmax along a run-time axis into a pointwise function of the scores and of two row vectors, so that
//! no T×T value has to be kept: [`crate::stream`] recomputes it tile by tile. One row vector, `logsumexp_j s`, would do in
//! exact arithmetic; but it is as large as the scores, and half a unit in its last place is a factor of the whole row, where
//! tiles recompute it. A row of -inf alone has weight 0. Second law (reassociation): `Σ_j p_ij (Σ_e x_ie y_je) = Σ_e x_ie (Σ_j p_ij y_je)`, applied
//! when the right-hand inner sum exists already, as in softmax's gradient.

use crate::Result;
use crate::rewrite::map_values;
use crate::stream::long_axes;
use seqc_algebra::{Axis, Builder, Func, MapFn, Op, ReduceOp, Size, ValueId};
use std::collections::HashMap;

fn long(axis: Axis) -> bool {
    !matches!(axis.size, Size::Const(_))
}

/// Applies both laws to softmaxes along run-time axes.
pub fn expand_softmax(func: &Func) -> Result<Func> {
    expand(func, true)
}

/// The same with one row vector for a normaliser. Rounded, it moves a row's weights by half a unit in the last place of the
/// scores, as tiles do that make a score anew in another order than where its maximum was taken.
pub fn with_one_normaliser(func: &Func) -> Result<Func> {
    expand(func, false)
}

fn expand(func: &Func, relative: bool) -> Result<Func> {
    let func = map_values(func, |b, func, id, args| {
        let Op::Softmax(axis) = func.op(id) else {
            return Ok(None);
        };
        if !long(*axis) {
            return Ok(None);
        }
        let mut scores = args[0];
        // A single row is never recomputed.
        if relative && long_axes(b.func(), scores).len() > 1 {
            let max = b.push(Op::Reduce(ReduceOp::Max, vec![*axis]), &[scores])?;
            let max = finite(b, max)?;
            scores = b.sub(scores, max)?;
        }
        let lse = b.push(Op::LogSumExp(*axis), &[scores])?;
        let lse = finite(b, lse)?;
        let d = b.sub(scores, lse)?;
        Ok(Some(b.map1(MapFn::Exp, d)?))
    })?;
    let mut products = Products::default();
    map_values(&func, |b, func, id, args| {
        reassociate(b, func, id, args, &mut products)
    })
}

/// -inf as 0, so that differences with it are defined: that of an empty row.
pub(crate) fn finite(b: &mut Builder, m: ValueId) -> Result<ValueId> {
    let (zero, least) = (b.num(0.0), b.num(f64::NEG_INFINITY));
    let none = b.map2(MapFn::Eq, m, least)?;
    Ok(b.select(none, zero, m)?)
}

/// The maximum that `scores - maximum` is taken from, and the scores, if that is what the value is.
pub(crate) fn anchored(func: &Func, v: ValueId) -> Option<(ValueId, ValueId)> {
    let Op::Map(MapFn::Sub) = func.op(v) else {
        return None;
    };
    let (scores, guard) = (func.args(v)[0], func.args(v)[1]);
    let Op::Map(MapFn::Select) = func.op(guard) else {
        return None;
    };
    let max = func.args(guard)[2];
    let is_max = matches!(func.op(max), Op::Reduce(ReduceOp::Max, _));
    (is_max && func.args(max)[0] == scores).then_some((max, scores))
}

/// `Σ_j p · (Σ_e x·y)` with `x` free of j and `y` free of the rows becomes `Σ_e x · (Σ_j p·y)`.
fn reassociate(
    b: &mut Builder,
    func: &Func,
    id: ValueId,
    args: &[ValueId],
    products: &mut Products,
) -> Result<Option<ValueId>> {
    let (over, factors) = match func.op(id) {
        Op::Reduce(ReduceOp::Sum, over) => match b.func().op(args[0]) {
            Op::Map(MapFn::Mul) => (over.clone(), b.func().args(args[0]).to_vec()),
            Op::Contract(inner) if inner.is_empty() => {
                (over.clone(), b.func().args(args[0]).to_vec())
            }
            _ => return Ok(None),
        },
        Op::Contract(over) => (over.clone(), args.to_vec()),
        _ => return Ok(None),
    };
    let &[j] = over.as_slice() else {
        return Ok(None);
    };
    if !long(j) || factors.len() != 2 {
        return Ok(None);
    }
    for (p, g) in [(factors[0], factors[1]), (factors[1], factors[0])] {
        let Op::Contract(e) = b.func().op(g).clone() else {
            continue;
        };
        let parts = b.func().args(g).to_vec();
        let (y, x): (Vec<ValueId>, Vec<ValueId>) = parts.into_iter().partition(|v| b.has(*v, j));
        if e.is_empty() || y.is_empty() || x.is_empty() {
            continue;
        }
        let rows = |b: &Builder, v: ValueId| {
            b.axes(v)
                .iter()
                .filter(|a| long(**a) && a.name.as_str() != "batch")
                .count()
        };
        if y.iter().any(|v| rows(b, *v) > 1) || x.iter().any(|v| rows(b, *v) > 1) {
            continue;
        }
        let mut inner = vec![p];
        inner.extend(&y);
        // Only if the mixed values are there already: otherwise nothing is gained.
        let Some(mixed) = products.find(b.func(), j, inner) else {
            continue;
        };
        let mut outer = x;
        outer.push(mixed);
        return Ok(Some(b.contract(&e, &outer)?));
    }
    Ok(None)
}

/// The sums `Σ_j Π factors` of a program that grows, by j and factors in any order.
#[derive(Default)]
struct Products {
    first: HashMap<(Axis, Vec<ValueId>), ValueId>,
    /// The values that have been looked at.
    seen: usize,
}

impl Products {
    fn find(&mut self, func: &Func, j: Axis, mut factors: Vec<ValueId>) -> Option<ValueId> {
        for v in func
            .ids()
            .skip(std::mem::replace(&mut self.seen, func.values.len()))
        {
            if let Op::Contract(over) = func.op(v)
                && let [j] = over[..]
            {
                let mut args = func.args(v).to_vec();
                args.sort();
                self.first.entry((j, args)).or_insert(v);
            }
        }
        factors.sort();
        self.first.get(&(j, factors)).copied()
    }
}
