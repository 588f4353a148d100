//! How far a sum over positions sees: what masks say of the summed position and the present one, and of lags.

use super::is_present;
use crate::stream::{Inequality, neg_inf_outside, zero_outside};
use seqc_algebra::{Axis, Func, MapFn, Op, ReduceOp, ValueId};

/// The largest `by` for which position `i + by` along `over` counts at step `i` in an operation over its argument; 0
/// where no mask says so, since nothing later than the present may count in a causal program.
pub(super) fn sees(func: &Func, id: ValueId, over: Axis) -> i64 {
    let known = counted(func, id).into_iter().filter_map(|i| {
        let rows: Vec<_> = i.terms.iter().filter(|(a, _)| *a != over).collect();
        match rows.as_slice() {
            [(row, -1)] if i.of(over) == 1 && is_present(func, row) => Some(-i.constant),
            _ => None,
        }
    });
    known.min().unwrap_or(0)
}

/// The first lag at which a value may differ from 0.
pub(super) fn first_lag(func: &Func, v: ValueId, lag: Axis) -> i64 {
    let known = zeros(func, v).into_iter().filter_map(|i| {
        let one = matches!(i.terms.as_slice(), [(a, -1)] if *a == lag);
        one.then_some(i.constant)
    });
    known.max().unwrap_or(0).max(0)
}

/// The first lag of a window that any sum over it counts.
pub(super) fn first_counted(func: &Func, window: ValueId, lag: Axis) -> i64 {
    let mut least = None;
    for id in func.ids().filter(|id| func.args(*id).contains(&window)) {
        let here = match func.op(id) {
            Op::Contract(over) if over.contains(&lag) => first_lag(func, id, lag),
            _ => 0,
        };
        least = Some(least.map_or(here, |l: i64| l.min(here)));
    }
    least.unwrap_or(0)
}

/// Inequalities outside any of which an entry does not count in a sum, a maximum or a softmax.
fn counted(func: &Func, id: ValueId) -> Vec<Inequality> {
    let args = func.args(id);
    match func.op(id) {
        Op::Contract(_) => zeros(func, id),
        Op::Reduce(ReduceOp::Sum, _) => zeros(func, args[0]),
        Op::Reduce(ReduceOp::Max | ReduceOp::ArgMax, _)
        | Op::Softmax(_)
        | Op::LogSumExp(_)
        | Op::TopMask(..) => vanishing(func, args[0]),
        _ => vec![],
    }
}

/// Where a value is not 0, seen through softmaxes and renamings too.
fn zeros(func: &Func, v: ValueId) -> Vec<Inequality> {
    let args = func.args(v);
    match func.op(v) {
        Op::Softmax(_) => vanishing(func, args[0]),
        Op::Rename { from, to } => renamed(zeros(func, args[0]), *from, *to),
        Op::Contract(_) | Op::Map(MapFn::Mul) => {
            args.iter().flat_map(|a| zeros(func, *a)).collect()
        }
        _ => zero_outside(func, v),
    }
}

/// Where a value is not -inf.
fn vanishing(func: &Func, v: ValueId) -> Vec<Inequality> {
    match func.op(v) {
        Op::Rename { from, to } => renamed(vanishing(func, func.args(v)[0]), *from, *to),
        _ => neg_inf_outside(func, v),
    }
}

fn renamed(mut all: Vec<Inequality>, from: Axis, to: Axis) -> Vec<Inequality> {
    for term in all.iter_mut().flat_map(|i| &mut i.terms) {
        if term.0 == from {
            term.0 = to;
        }
    }
    all
}
