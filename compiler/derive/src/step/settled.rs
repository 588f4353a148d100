//! Kernels that are the same at every position of a generation.

use super::is_clocklike;
use seqc_algebra::{Axis, Func, InputKind, Op, ValueId};

/// Is the kernel made of parameters and of its lags, one by one? Then it is known before the first position.
pub(crate) fn is_settled(func: &Func, kernel: ValueId, lag: Axis) -> bool {
    let needed = func.needed([kernel]);
    let ids = || func.ids().filter(|id| needed[id.index()]);
    ids().all(|id| {
        let clocks = func.ty(id).axes.iter().filter(|a| is_clocklike(a));
        clocks.into_iter().all(|a| *a == lag) && by_lag(func, id, lag)
    })
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
