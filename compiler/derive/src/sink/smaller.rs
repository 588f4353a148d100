//! Law: of two reads of a trajectory, one of the other, that comes first which leaves less.
//!
//! `Σ_k q_k Σ_m w_m S` is `Σ_m w_m Σ_k q_k S`, whose inner sum has the axis m instead of k. Side conditions: neither's other
//! factors have axes that the other sums, and nothing else uses the inner sum.

use crate::DeriveError;
use crate::Result;
use crate::rewrite::map_by_images;
use crate::trajectory::trajectory;
use seqc_algebra::{Axis, Func, Op, ValueId};

/// Entries at one position.
pub(super) fn volume(axes: &[Axis]) -> f64 {
    let sizes = axes.iter().filter_map(|a| a.size.constant());
    sizes.map(|n| n as f64).product()
}

/// Applies the law to every pair of reads.
pub(super) fn smaller_first(func: &Func) -> Result<Func> {
    let users = func.users();
    map_by_images(func, |b, id, image| {
        let Some(pair) = swapped(func, &users, id) else {
            return Ok(None);
        };
        let lost = || DeriveError("a factor of a read was lost".into());
        let read = |of: &[ValueId]| -> Result<Vec<ValueId>> {
            of.iter().map(|v| image(*v).ok_or_else(lost)).collect()
        };
        let mut first = read(&pair.outer)?;
        first.push(image(pair.trajectory).ok_or_else(lost)?);
        let mut second = read(&pair.inner)?;
        second.push(b.contract(&pair.outer_over, &first)?);
        Ok(Some(b.contract(&pair.inner_over, &second)?))
    })
}

/// A read of a read: what each sums over, and its other factors.
struct Pair {
    trajectory: ValueId,
    inner: Vec<ValueId>,
    inner_over: Vec<Axis>,
    outer: Vec<ValueId>,
    outer_over: Vec<Axis>,
}

/// The pair that leaves less the other way round.
fn swapped(func: &Func, users: &[Vec<ValueId>], id: ValueId) -> Option<Pair> {
    let is_trajectory = |v: ValueId| trajectory(func, v).is_some();
    let (outer_over, inner, outer) = read(func, id, &|v| read(func, v, &is_trajectory).is_some())?;
    let (inner_over, trajectory, own) = read(func, inner, &is_trajectory)?;
    let has = |all: &[ValueId], over: &[Axis]| {
        let mut axes = all.iter().flat_map(|v| &func.ty(*v).axes);
        axes.any(|a| over.iter().any(|o| o.name == a.name))
    };
    let all = &func.ty(trajectory).axes;
    let apart = !has(&own, &outer_over) && !has(&outer, &inner_over);
    if users[inner.index()].len() != 1 || !apart || !outer_over.iter().all(|a| all.contains(a)) {
        return None;
    }
    let others = outer.iter().flat_map(|v| &func.ty(*v).axes);
    let mut left: Vec<Axis> = all.iter().chain(others).copied().collect();
    left.sort();
    left.dedup();
    left.retain(|a| !outer_over.contains(a));
    (volume(&left) < volume(&func.ty(inner).axes)).then_some(Pair {
        trajectory,
        inner: own,
        inner_over,
        outer,
        outer_over,
    })
}

/// A contraction of one value that `is` something, with others.
fn read(
    func: &Func,
    id: ValueId,
    is: &dyn Fn(ValueId) -> bool,
) -> Option<(Vec<Axis>, ValueId, Vec<ValueId>)> {
    let Op::Contract(over) = func.op(id) else {
        return None;
    };
    let (found, others): (Vec<ValueId>, Vec<ValueId>) = func.args(id).iter().partition(|v| is(**v));
    match found.as_slice() {
        [one] if !over.is_empty() => Some((over.clone(), *one, others)),
        _ => None,
    }
}
