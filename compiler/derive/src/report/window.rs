//! Windows: steps that are patched, mixed within a tick, and unpatched.
//!
//! A chain of products with weights that no data enters, each over a part of the window's axes while the other parts
//! are blocks of their own, is a product of block-diagonal matrices with permutations between them: Monarch. A window that is regrouped only, or in
//! which each position keeps to itself, is no equation in time.

use super::{Class, Equation, Kind, Reason, equation_of, reads_data};
use crate::order::depends_on;
use seqc_algebra::{Axis, Func, Op, ReduceOp, ValueId};

pub fn equations(func: &Func) -> Vec<Equation> {
    let live = func.live();
    let ids = func.ids().filter(|id| live[id.index()]);
    ids.filter_map(|id| match func.op(id) {
        Op::Unpatch { ticks, within, .. } if !ticks.is_const() => window(func, id, *ticks, *within),
        _ => None,
    })
    .collect()
}

fn window(func: &Func, id: ValueId, ticks: Axis, within: Axis) -> Option<Equation> {
    let operand = func.args(id)[0];
    let (class, text) = match chain(func, operand, ticks, within) {
        Some(factors) if factors.is_empty() => return None,
        Some(factors) if factors.len() > 1 => (Class::Monarch, in_words(&factors)),
        _ if is_mixed(func, operand, ticks, within) => (
            Class::Window,
            format!(
                "the steps of a tick of {} are mixed with each other",
                shown(within)
            ),
        ),
        _ => return None,
    };
    let name = equation_of(func, id);
    Some(Equation {
        kind: Kind::Window,
        names: name.iter().cloned().collect(),
        class,
        backward: false,
        convolved: false,
        fixed: false,
        why: vec![Reason { text, at: name }],
        forms: vec!["parallel"],
        missing: vec![],
    })
}

/// One factor of a window's matrix: what it sums over, and the block that stays apart.
struct Factor {
    summed: Vec<Axis>,
    blocks: Vec<Axis>,
}

fn in_words(factors: &[Factor]) -> String {
    let all: Vec<String> = (factors.iter().rev())
        .map(|f| {
            let each = f.blocks.iter().map(|a| shown(*a)).collect::<Vec<_>>();
            format!(
                "over {} for each of {}",
                super::set(&f.summed),
                each.join(" x ")
            )
        })
        .collect();
    let steps: usize = factors.iter().map(|f| size(&f.summed)).sum();
    format!(
        "block-diagonal matrices with permutations between them: {}; {steps} products a step",
        all.join(", then ")
    )
}

fn shown(a: Axis) -> String {
    a.size.constant().unwrap_or(1).to_string()
}

fn size(axes: &[Axis]) -> usize {
    axes.iter().filter_map(|a| a.size.constant()).product()
}

/// The products between a patch and the value, the last one first, if there is nothing else.
fn chain(func: &Func, mut v: ValueId, ticks: Axis, within: Axis) -> Option<Vec<Factor>> {
    // The axes that stand for the window's steps here.
    let mut group = vec![within];
    let mut factors = vec![];
    loop {
        let args = func.args(v);
        match func.op(v) {
            Op::Patch {
                ticks: t,
                within: w,
                ..
            } if *t == ticks => {
                return group.contains(w).then_some(factors);
            }
            Op::Merge { axes, into } => replace(&mut group, &[*into], axes),
            Op::Split { axis, into } => replace(&mut group, into, &[*axis]),
            Op::Rename { from, to } => replace(&mut group, &[*to], &[*from]),
            Op::Expand(_) => {}
            Op::Contract(over) => {
                let data: Vec<ValueId> = (args.iter().copied())
                    .filter(|a| reads_data(func, *a))
                    .collect();
                let &[x] = data.as_slice() else { return None };
                let summed: Vec<Axis> = (over.iter().copied())
                    .filter(|a| func.ty(x).has(*a))
                    .collect();
                let blocks: Vec<Axis> = (group.iter().copied())
                    .filter(|a| func.ty(x).has(*a))
                    .collect();
                if blocks.is_empty() || blocks.len() == group.len() {
                    return None;
                }
                group = blocks.iter().chain(&summed).copied().collect();
                factors.push(Factor { summed, blocks });
                v = x;
                continue;
            }
            _ => return None,
        }
        v = args[0];
    }
}

/// Where all of `from` stand in the group, `to` stands instead.
fn replace(group: &mut Vec<Axis>, from: &[Axis], to: &[Axis]) {
    if from.iter().all(|a| group.contains(a)) {
        group.retain(|a| !from.contains(a));
        group.extend(to);
    }
}

/// Does a position within a tick hang on others? Not if all that is between the patch and the value has the axis, and
/// nothing moves or ranges along it.
fn is_mixed(func: &Func, v: ValueId, ticks: Axis, within: Axis) -> bool {
    let needed = func.needed([v]);
    let patches: Vec<ValueId> = (func.ids())
        .filter(|id| matches!(func.op(*id), Op::Patch { ticks: t, .. } if needed[id.index()] && *t == ticks))
        .collect();
    let after = depends_on(func, &patches);
    func.ids().any(|id| {
        let between = needed[id.index()] && after[id.index()];
        between && (!func.ty(id).has(within) && !is_scan(func, id) || moves(func.op(id), within))
    })
}

fn is_scan(func: &Func, id: ValueId) -> bool {
    matches!(func.op(id), Op::Scan(_))
}

/// Does an operation move or range along an axis that it keeps?
fn moves(op: &Op, axis: Axis) -> bool {
    match op {
        Op::Softmax(a) | Op::TopMask(a, _) | Op::Flip(a) | Op::Shift { axis: a, .. } => *a == axis,
        Op::Contract(over) | Op::Reduce(ReduceOp::Sum, over) => over.contains(&axis),
        Op::Window { axis: a, .. } | Op::Unwindow { axis: a, .. } | Op::Conv { axis: a, .. } => {
            *a == axis
        }
        Op::Rename { from, .. } => *from == axis,
        Op::Scan(scan) => scan.axis == axis,
        _ => false,
    }
}
