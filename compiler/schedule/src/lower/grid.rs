//! Which axes of a scan the grid may share out: those on which the whole body acts pointwise.
//!
//! An axis qualifies if nothing in the body (nested bodies included) sums over it, moves along it or renames it,
//! if every result that is wanted and every state has it, and if nearly all work has it: work on values that lack
//! it would be repeated in each cell. An axis of run-time length is shared out all the same: what has it has no room in
//! a thread's memory.

use super::choose::{is_product, roles};
use super::place::space;
use seqc_algebra::{Axis, Func, Op, Out, Scan, ValueId};

/// How a scan's kernel is laid out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grid {
    /// One cell per position.
    pub single: Vec<Axis>,
    /// Several positions per cell.
    pub parted: Vec<(Axis, usize)>,
    /// The steps themselves: a map over tiles.
    pub steps: bool,
}

/// Does the operation leave the index along `x` alone, for all its arguments?
pub(crate) fn keeps(func: &Func, id: ValueId, x: Axis) -> bool {
    let other = |a: &Axis| a.name != x.name;
    match func.op(id) {
        Op::Reduce(_, over) | Op::Contract(over) => over.iter().all(other),
        Op::Softmax(a)
        | Op::LogSumExp(a)
        | Op::TopMask(a, _)
        | Op::Flip(a)
        | Op::Shift { axis: a, .. } => other(a),
        Op::Pick { axis, .. }
        | Op::Place { axis, .. }
        | Op::Stack(axis)
        | Op::Gather(axis)
        | Op::Online(axis) => other(axis),
        Op::Rename { from, to } => other(from) && other(to),
        Op::Split { axis, into } => other(axis) && into.iter().all(other),
        Op::Merge { axes, into } => axes.iter().all(other) && other(into),
        Op::Patch {
            axis,
            ticks,
            within,
        }
        | Op::Unpatch {
            ticks,
            within,
            axis,
        } => [axis, ticks, within].into_iter().all(other),
        Op::Window { axis, lag, .. }
        | Op::Unwindow { axis, lag, .. }
        | Op::Conv { axis, lag, .. } => other(axis) && other(lag),
        Op::ScatterAdd { axis, over } => other(axis) && over.iter().all(other),
        Op::Solve { row, col, .. } => other(row) && other(col),
        Op::ConvKernel {
            axis, lag, over, ..
        } => other(axis) && other(lag) && over.iter().all(other),
        Op::Scan(s) => other(&s.axis) && s.tile.is_none_or(|c| other(&c)) && body_keeps(&s.body, x),
        _ => true,
    }
}

fn body_keeps(body: &Func, x: Axis) -> bool {
    let live = body.live();
    body.ids()
        .filter(|id| live[id.index()])
        .all(|id| keeps(body, id, x))
}

/// Work of a body: in all, and on values that lack the axis.
fn work(body: &Func, x: Axis, steps: f64) -> (f64, f64) {
    let live = body.live();
    let (mut all, mut without) = (0.0, 0.0);
    for id in body.ids().filter(|id| live[id.index()]) {
        let mut whole = body.ty(id).axes.clone();
        match body.op(id) {
            Op::Reduce(_, over) | Op::Contract(over) => whole.extend(over),
            Op::Scan(s) => {
                let (a, w) = work(&s.body, x, space(&[s.axis]));
                all += a;
                without += w;
                continue;
            }
            Op::Input(_)
            | Op::Const(_)
            | Op::Iota(_)
            | Op::Expand(_)
            | Op::Rename { .. }
            | Op::Proj(_) => continue,
            _ => {}
        }
        let n = space(&whole);
        all += n;
        if !whole.contains(&x) {
            without += n;
        }
    }
    (all * steps, without * steps)
}

pub(crate) fn grid(scan: &Scan, wanted: &[bool], lanes: usize) -> Grid {
    let body = &scan.body;
    let mut candidates: Vec<Axis> = Vec::new();
    for id in body.ids() {
        for a in &body.ty(id).axes {
            if !candidates.contains(a) {
                candidates.push(*a);
            }
        }
    }
    let outs = || {
        scan.outs
            .iter()
            .zip(wanted)
            .filter(|(_, w)| **w)
            .map(|(o, _)| o)
    };
    candidates.retain(|x| {
        let states = (0..scan.states).all(|k| body.ty(body.params[k + 1]).has(*x));
        let emitted = outs().all(|o| match o {
            Out::Emit(e) => body.ty(body.results[scan.states + e].1).has(*x),
            _ => true,
        });
        let (all, without) = work(body, *x, 1.0);
        Some(*x) != scan.tile
            && x.name != scan.axis.name
            && states
            && emitted
            && body_keeps(body, *x)
            && (!x.is_const() || without <= 0.15 * all)
    });
    let mut g = Grid {
        steps: scan.states == 0,
        ..Grid::default()
    };
    let (long, fixed): (Vec<Axis>, Vec<Axis>) = candidates.into_iter().partition(|a| !a.is_const());
    let kept = |body: &Func| {
        let sizes = (0..scan.states).map(|k| body.ty(body.params[k + 1]));
        let emitted = body.results.iter().map(|r| body.ty(r.1));
        let left = |axes: &[Axis]| {
            space(
                &axes
                    .iter()
                    .copied()
                    .filter(|a| a.is_const() && !fixed.contains(a))
                    .collect::<Vec<_>>(),
            )
        };
        sizes
            .chain(emitted)
            .map(|t| left(&t.axes))
            .fold(1.0f64, f64::max)
    };
    let needs_lanes = kept(body) < 128.0;
    let lane = fixed
        .iter()
        .copied()
        .filter(|_| needs_lanes)
        .max_by_key(|a| a.size.constant());
    for a in fixed {
        match a.size.constant() {
            Some(n) if Some(a) == lane => g.parted.push((a, n.min(lanes * 8))),
            _ => g.single.push(a),
        }
    }
    for a in long {
        let by_rows = a.name.as_str() == "batch" && lane.is_none() && matvec(body, a);
        match by_rows {
            true => g.parted.push((a, 8)),
            false => g.single.push(a),
        }
    }
    g.single.sort_by_key(|a| a.is_const());
    g
}

/// Does the body multiply rows of `batch` by a matrix that all rows share?
fn matvec(body: &Func, batch: Axis) -> bool {
    let live = body.live();
    body.ids().filter(|id| live[id.index()]).any(|id| {
        if let Op::Scan(s) = body.op(id) {
            return matvec(&s.body, batch);
        }
        let Some(r) = roles(body, id).filter(|_| is_product(body, id, false)) else {
            return false;
        };
        [&r.rows, &r.cols].into_iter().any(|side| {
            side.contains(&batch)
                && space(
                    &side
                        .iter()
                        .copied()
                        .filter(|a| *a != batch)
                        .collect::<Vec<_>>(),
                ) < 8.0
        })
    })
}
