//! Law: what a matrix reads of its columns is kept as what it is made of, where that is smaller:
//! ```text
//! Σ_d q_id (Σ_c z_jc W_cd)  =  Σ_c (Σ_d q_id W_cd) z_jc         Σ_j p_ij (Σ_c z_jc W_cd)  =  Σ_c W_cd (Σ_j p_ij z_jc)
//! ```
//! Step by step, the numbers that stand for the past are then those of `z`: a latent cache. It pays where `z` has fewer
//! numbers at a position than what is made of it; the operations may be more.
//!
//! Side conditions: the columns' values are linear in `z`, with weights without time, and meet the matrix in
//! contractions only.

use crate::rewrite::{Image, images, map_by_images};
use crate::stream::{is_long, long_axes};
use crate::{Result, step};
use seqc_algebra::{Axis, Builder, Elem, Func, MapFn, Op, ValueId};
use std::collections::HashMap;

/// Rewrites every contraction with values of earlier positions that are made of fewer numbers.
pub fn latent_caches(func: &Func) -> Result<Func> {
    let columns = columns(func);
    let func = map_by_images(func, |b, id, image| {
        let Op::Contract(over) = func.op(id) else {
            return Ok(None);
        };
        let mut parts = func.args(id).iter().enumerate();
        match parts.find_map(|(k, a)| Some((k, columns.get(a)?))) {
            Some((k, column)) => through(b, func, (id, over, k), column, image).map(Some),
            None => Ok(None),
        }
    })?;
    crate::prune::prune(&func)
}

/// Values at earlier positions, linear in something smaller.
struct Column {
    time: Axis,
    renamed: Axis,
    made: Linear,
}

/// `Σ_over z Π weights`
#[derive(Clone)]
struct Linear {
    z: ValueId,
    over: Vec<Axis>,
    weights: Vec<Weight>,
}

/// A factor without time: a value, or one over it, seen through views.
#[derive(Clone)]
struct Weight {
    value: ValueId,
    inverse: bool,
    views: Vec<Op>,
}

/// Numbers at one position of a time.
fn width(func: &Func, v: ValueId) -> usize {
    let sizes = func.ty(v).axes.iter().filter_map(|a| a.size.constant());
    sizes.product()
}

/// Values of earlier positions that every use may read in another way.
fn columns(func: &Func) -> HashMap<ValueId, Column> {
    let (users, clocks) = (func.users(), step::Clocks::of(func));
    let contracted = |v: ValueId| {
        let mut uses = users[v.index()].iter();
        uses.all(|u| matches!(func.op(*u), Op::Contract(_)))
    };
    let found = func.ids().filter_map(|v| {
        let Op::Rename { from, to } = *func.op(v) else {
            return None;
        };
        let x = func.args(v)[0];
        let past = is_long(&from) && is_long(&to) && long_axes(func, x) == [from];
        let kept = past && func.ty(x).elem == Elem::Real && contracted(v);
        // Only what is summed over is of earlier positions, and kept.
        let made = (kept && clocks.is_earlier(&to)).then(|| smallest(func, x))??;
        let column = Column {
            time: from,
            renamed: to,
            made,
        };
        Some((v, column))
    });
    found.collect()
}

/// The fewest numbers that a value is linear in, if they are fewer than its own.
fn smallest(func: &Func, x: ValueId) -> Option<Linear> {
    let mut best: Option<Linear> = None;
    let mut at = Linear {
        z: x,
        over: vec![],
        weights: vec![],
    };
    while let Some(next) = below(func, &at) {
        let least = best.as_ref().map_or(x, |l| l.z);
        if width(func, next.z) < width(func, least) && func.ty(next.z).elem == Elem::Real {
            best = Some(next.clone());
        }
        at = next;
    }
    best
}

/// One operation further down.
fn below(func: &Func, l: &Linear) -> Option<Linear> {
    let args = func.args(l.z);
    let timeless = |v: ValueId| !func.ty(v).axes.iter().any(|a| !a.is_const());
    let mut next = l.clone();
    match func.op(l.z) {
        Op::Contract(over) if over.iter().all(|a| a.is_const()) => {
            let (weights, data): (Vec<ValueId>, Vec<ValueId>) =
                args.iter().partition(|a| timeless(**a));
            let &[z] = &data[..] else { return None };
            // The axes of both sums are of one product then.
            let taken = l.weights.iter().flat_map(|w| &func.ty(w.value).axes);
            let mut taken = taken.chain(&l.over).chain(&func.ty(l.z).axes);
            if taken.any(|a| over.iter().any(|o| o.name == a.name)) {
                return None;
            }
            next.z = z;
            next.over.extend(over);
            next.weights.extend(weights.into_iter().map(weight));
        }
        Op::Map(MapFn::Mul) => {
            let k = args.iter().position(|a| timeless(*a))?;
            next.z = args[1 - k];
            next.weights.push(weight(args[k]));
        }
        Op::Map(MapFn::Div) if timeless(args[1]) => {
            next.z = args[0];
            next.weights.push(Weight {
                inverse: true,
                ..weight(args[1])
            });
        }
        // A view of axes that a weight alone brings is a view of the weight: it is known once the weights are.
        op @ (Op::Split { .. } | Op::Merge { .. } | Op::Rename { .. }) => {
            next = viewed(
                func,
                below(
                    func,
                    &Linear {
                        z: args[0],
                        ..l.clone()
                    },
                )?,
                l,
                op,
            )?;
        }
        _ => return None,
    }
    (!timeless(next.z)).then_some(next)
}

/// A view that came after the last operation, on the one of its weights that has all of its axes.
fn viewed(func: &Func, mut next: Linear, before: &Linear, op: &Op) -> Option<Linear> {
    let axes = match op {
        Op::Split { axis, .. } => vec![*axis],
        Op::Merge { axes, .. } => axes.clone(),
        Op::Rename { from, .. } if from.is_const() => vec![*from],
        _ => return None,
    };
    let own = |v: ValueId| axes.iter().all(|a| func.ty(v).has(*a));
    let some = |v: ValueId| axes.iter().any(|a| func.ty(v).has(*a));
    let new = before.weights.len()..next.weights.len();
    let mut holders = new.clone().filter(|k| some(next.weights[*k].value));
    let k = holders.next()?;
    let alone = holders.next().is_none() && own(next.weights[k].value) && !some(next.z);
    let plain = next.weights[k].views.is_empty();
    (alone && plain).then(|| {
        next.weights[k].views.push(op.clone());
        next
    })
}

fn weight(value: ValueId) -> Weight {
    Weight {
        value,
        inverse: false,
        views: vec![],
    }
}

/// The contraction with the columns' values replaced by what they are made of.
fn through(
    b: &mut Builder,
    func: &Func,
    (id, over, k): (ValueId, &[Axis], usize),
    c: &Column,
    image: &Image<'_>,
) -> Result<ValueId> {
    let others: Vec<ValueId> = (func.args(id).iter().enumerate())
        .filter(|(n, _)| *n != k)
        .map(|(_, a)| *a)
        .collect();
    let others = images(&others, image)?;
    let mut weights = weights(b, &c.made, image)?;
    let mut z = images(&[c.made.z], image)?[0];
    z = b.rename(z, c.time, c.renamed)?;
    let mut inner = vec![];
    for a in &c.made.over {
        let own = fresh(*a, func.ty(id).axes.iter().chain(over), b, &others);
        if own != *a {
            z = renamed(b, z, *a, own)?;
            for w in &mut weights {
                *w = renamed(b, *w, *a, own)?;
            }
        }
        inner.push(own);
    }
    let all = [over, &inner[..]].concat();
    let (by_column, rest): (Vec<ValueId>, Vec<ValueId>) =
        others.into_iter().partition(|v| b.has(*v, c.renamed));
    // The smaller product first: that over the positions, or that of a row and the weights.
    let (first, then) = match over.contains(&c.renamed) {
        true => ([by_column, vec![z]].concat(), [rest, weights].concat()),
        false => ([rest, weights].concat(), [by_column, vec![z]].concat()),
    };
    let free = |a: &&Axis| !then.iter().any(|v| b.has(*v, **a));
    let now: Vec<Axis> = all.iter().filter(free).copied().collect();
    let later: Vec<Axis> = all.iter().filter(|a| !now.contains(a)).copied().collect();
    let first = b.contract(&now, &first)?;
    Ok(b.contract(&later, &[vec![first], then].concat())?)
}

fn weights(b: &mut Builder, made: &Linear, image: &Image<'_>) -> Result<Vec<ValueId>> {
    let mut all = vec![];
    for w in &made.weights {
        let mut v = images(&[w.value], image)?[0];
        if w.inverse {
            let one = b.num(1.0);
            v = b.div(one, v)?;
        }
        for view in &w.views {
            v = b.push(view.clone(), &[v])?;
        }
        all.push(v);
    }
    Ok(all)
}

/// An axis under a name that nothing else has.
fn fresh<'a>(
    axis: Axis,
    mut taken: impl Iterator<Item = &'a Axis>,
    b: &Builder,
    values: &[ValueId],
) -> Axis {
    let clash = taken.any(|a| a.name == axis.name)
        || (values.iter()).any(|v| b.axes(*v).iter().any(|a| a.name == axis.name));
    match clash {
        true => axis.renamed(&format!("{}%latent", axis.name)),
        false => axis,
    }
}

fn renamed(b: &mut Builder, v: ValueId, from: Axis, to: Axis) -> Result<ValueId> {
    match b.has(v, from) {
        true => Ok(b.rename(v, from, to)?),
        false => Ok(v),
    }
}
