//! How far a sum over positions sees: what masks say of the summed position and the present one, and of lags.

use super::program::Program;
use crate::stream::Inequality;
use seqc_algebra::{Axis, Op, ReduceOp, ValueId};

/// The largest `by` for which position `i + by` along `over` counts at step `i` in an operation over its argument; 0
/// where no mask says so, since nothing later than the present may count in a causal program.
pub(super) fn sees(func: &Program, id: ValueId, over: Axis) -> i64 {
    let known = counted(func, id).into_iter().filter_map(|i| {
        let rows: Vec<_> = i.terms.iter().filter(|(a, _)| *a != over).collect();
        match rows.as_slice() {
            [(row, -1)] if i.of(over) == 1 && func.is_present(row) => Some(-i.constant),
            _ => None,
        }
    });
    known.min().unwrap_or(0)
}

/// The first lag at which a value may differ from 0.
pub(super) fn first_lag(func: &Program, v: ValueId, lag: Axis) -> i64 {
    first(func.bounds.zero_outside(v), lag)
}

fn first(zero_outside: &[Inequality], lag: Axis) -> i64 {
    let known = zero_outside.iter().filter_map(|i| {
        let one = matches!(i.terms.as_slice(), [(a, -1)] if *a == lag);
        one.then_some(i.constant)
    });
    known.max().unwrap_or(0).max(0)
}

/// The first lag of a window that any sum over it counts.
pub(super) fn first_counted(func: &Program, window: ValueId, lag: Axis) -> i64 {
    let counted = func.users[window.index()]
        .iter()
        .map(|id| match func.op(*id) {
            Op::Contract(over) if over.contains(&lag) => {
                first(&func.bounds.product(func.args(*id)), lag)
            }
            _ => 0,
        });
    counted.min().unwrap_or(0)
}

/// Inequalities outside any of which an entry does not count in a sum, a maximum or a softmax.
fn counted(func: &Program, id: ValueId) -> Vec<Inequality> {
    let args = func.args(id);
    match func.op(id) {
        Op::Contract(_) => func.bounds.product(args),
        Op::Reduce(ReduceOp::Sum, _) => func.bounds.zero_outside(args[0]).to_vec(),
        Op::Reduce(ReduceOp::Max | ReduceOp::ArgMax, _)
        | Op::Softmax(_)
        | Op::LogSumExp(_)
        | Op::TopMask(..) => func.bounds.neg_inf_outside(args[0]).to_vec(),
        _ => vec![],
    }
}
