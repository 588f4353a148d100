//! A recurrence that has not begun, without a choice in every step.
//!
//! A state that starts at 0 stays there as long as what is written into it is 0. Where the body's next states vanish with
//! the states and one sequence, that sequence is 0 before the first position, and the transition keeps its class.

use seqc_algebra::op::Num;
use seqc_algebra::{Func, MapFn, Op, ReduceOp, Scan, ValueId};

/// The argument of a scan whose zeros keep all states at 0.
pub(super) fn keeps_quiet(func: &Func, args: &[ValueId], scan: &Scan) -> Option<usize> {
    if !args[..scan.states]
        .iter()
        .all(|a| func.everywhere(*a) == Some(0.0))
    {
        return None;
    }
    (scan.states..scan.states + scan.seqs.len()).find(|n| vanish(scan, *n))
}

/// Are all next states 0, by sums and products alone, where the states and argument `n` are?
fn vanish(scan: &Scan, n: usize) -> bool {
    let body = &scan.body;
    let mut zero = vec![false; body.values.len()];
    for (k, p) in body.params.iter().enumerate().skip(1) {
        zero[p.index()] = k - 1 < scan.states || k - 1 == n;
    }
    for id in body.ids() {
        zero[id.index()] |= vanishes(body, id, &zero);
    }
    let next = &body.results[..scan.states];
    next.iter().all(|(_, v)| zero[v.index()])
}

fn vanishes(body: &Func, id: ValueId, zero: &[bool]) -> bool {
    let of = |n: usize| body.args(id).get(n).is_some_and(|a| zero[a.index()]);
    let any = || body.args(id).iter().any(|a| zero[a.index()]);
    let all = || !body.args(id).is_empty() && body.args(id).iter().all(|a| zero[a.index()]);
    match body.op(id) {
        Op::Const(Num(x)) => *x == 0.0,
        Op::Map(MapFn::Mul) | Op::Contract(_) => any(),
        Op::Map(MapFn::Div) => of(0),
        Op::Map(MapFn::Select) => of(1) && of(2),
        Op::Map(
            MapFn::Add
            | MapFn::Sub
            | MapFn::Neg
            | MapFn::Re
            | MapFn::Im
            | MapFn::Conj
            | MapFn::Complex,
        )
        | Op::Reduce(ReduceOp::Sum, _)
        | Op::Expand(_)
        | Op::Rename { .. }
        | Op::Split { .. }
        | Op::Merge { .. }
        | Op::Flip(_)
        | Op::Pick { .. }
        | Op::Place { .. }
        | Op::Stack(_) => all(),
        Op::Shift { .. } | Op::Gather(_) => of(0),
        _ => false,
    }
}
