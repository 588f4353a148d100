//! Kernels that are the same at every position of a generation.

use super::is_clocklike;
use seqc_algebra::{Axis, Func, InputKind, Op, ValueId};
use std::collections::HashSet;

/// Is the kernel made of parameters and of its lags, one by one? Then it is known before the first position.
pub(crate) fn is_settled(func: &Func, kernel: ValueId, lag: Axis) -> bool {
    let settled = |id: ValueId| {
        let mut clocks = func.ty(id).axes.iter().filter(|a| is_clocklike(a));
        clocks.all(|a| *a == lag) && by_lag(func, id, lag)
    };
    // What is not settled ends the walk: of a kernel that the sequence makes, little is looked at.
    let (mut seen, mut next) = (HashSet::from([kernel]), vec![kernel]);
    while let Some(id) = next.pop() {
        if !settled(id) {
            return false;
        }
        next.extend(func.args(id).iter().filter(|a| seen.insert(**a)));
    }
    true
}

/// Does the operation meet no data, and entries of one lag only?
fn by_lag(func: &Func, id: ValueId, lag: Axis) -> bool {
    let other = |a: &Axis| *a != lag;
    match func.op(id) {
        Op::Input(i) => matches!(i.kind, InputKind::Param { .. }),
        Op::Const(_) | Op::Iota(_) | Op::Map(_) | Op::Expand(_) => true,
        Op::Reduce(_, over) | Op::Contract(over) => over.iter().all(other),
        Op::Softmax(a) | Op::LogSumExp(a) | Op::TopMask(a, _) => other(a),
        Op::Flip(axis) | Op::Stack(axis) | Op::Gather(axis) => other(axis),
        Op::Shift { axis, .. } | Op::Pick { axis, .. } | Op::Place { axis, .. } => other(axis),
        Op::Rename { from, to } => other(from) && other(to),
        Op::Split { axis, .. } => other(axis),
        Op::Merge { axes, .. } => axes.iter().all(other),
        Op::Window { axis, lag: own, .. } => other(axis) && other(own),
        _ => false,
    }
}
