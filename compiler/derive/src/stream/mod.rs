//! Law: a value with two time axes that is only summed away need never be stored.
//!
//! `o[i] = Σ_j F(i, j)` (a contraction, a maximum or a log-sum-exp over `j` of anything pointwise in `i` and `j`)
//! equals a map over tiles of `i` of a scan over tiles of `j` that carries the partial results and recomputes
//! `F` tile by tile. Attention, its gradients, and every other matrix mixer get their memory-free form here; the
//! kept axis may be either of the two, so gradients with respect to keys are the same law with roles exchanged.
//!
//! `Σ_j exp(s_ij - lse_i) v_j` joins the scan that computes `lse_i = logsumexp_j s_ij` (online softmax): both are
//! carried relative to a running maximum (derivation calculus §2.7). Inequalities between i and j under which
//! the summand vanishes (causal, windowed) become the bounds of the inner scan.
//!
//! Side conditions: exactly two run-time axes beside `batch`; the pair values are pointwise, contractions over
//! constant axes, or functions of positions.

mod bounds;
mod exits;
mod range;
mod rounded;
mod tiles;

pub use bounds::{Bounds, Inequality, condition};
pub use exits::{cone, is_pair, recomputable};

use crate::Result;
use crate::order::topological;
use crate::rewrite::map_values;
use exits::Group;
use seqc_algebra::{Axis, Builder, Func, Op, ValueId};
use std::collections::HashMap;

/// Tile sizes along the kept and the streamed axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tiles {
    pub kept: usize,
    pub streamed: usize,
}

/// A run-time axis that is not the batch.
pub(crate) fn is_long(axis: &Axis) -> bool {
    !axis.is_const() && *axis != Axis::batch()
}

pub(crate) fn long_axes(func: &Func, v: ValueId) -> Vec<Axis> {
    func.ty(v).axes.iter().copied().filter(is_long).collect()
}

/// Moves renamings of a time axis below the contraction that sums the other one away: `Σ_j M[t,j] v[j]` with
/// `M[t,j]` a renamed `M[i,j]` becomes a renamed `Σ_j M[i,j] v[j]`, so that forward and backward share `M[i,j]`.
/// Apply before differentiation.
pub fn lower_renames(func: &Func) -> Result<Func> {
    map_values(func, |b, func, id, args| {
        let op = func.op(id);
        if !matches!(op, Op::Contract(_) | Op::Reduce(..) | Op::Map(_)) {
            return Ok(None);
        }
        let mut rename: Option<(Axis, Axis)> = None;
        let mut bare = Vec::new();
        for a in args {
            match b.func().op(*a) {
                Op::Rename { from, to }
                    if is_long(from) && is_long(to) && long_axes(b.func(), *a).len() == 2 =>
                {
                    if rename.is_some_and(|r| r != (*from, *to)) {
                        return Ok(None);
                    }
                    rename = Some((*from, *to));
                    bare.push(b.func().args(*a)[0]);
                }
                _ => bare.push(*a),
            }
        }
        let Some((from, to)) = rename else {
            return Ok(None);
        };
        let others_free = args
            .iter()
            .zip(&bare)
            .filter(|(a, c)| a == c)
            .all(|(a, _)| !b.has(*a, from) && !b.has(*a, to));
        let touches = match op {
            Op::Contract(axes) | Op::Reduce(_, axes) => axes.contains(&to) || axes.contains(&from),
            _ => false,
        };
        if !others_free || touches {
            return Ok(None);
        }
        let v = b.push(op.clone(), &bare)?;
        Ok(Some(b.rename(v, from, to)?))
    })
}

/// Applies the law to every such sum.
pub fn stream_pairs(func: &Func, tiles: Tiles) -> Result<Func> {
    let func = exits::split_double(func)?;
    let groups = exits::groups(&func);
    if groups.is_empty() {
        return Ok(func);
    }
    let mut member: HashMap<ValueId, usize> = HashMap::new();
    let mut extra: HashMap<ValueId, Vec<ValueId>> = HashMap::new();
    for (n, g) in groups.iter().enumerate() {
        let inputs = tiles::inputs(&func, g);
        for e in &g.exits {
            member.insert(*e, n);
            extra.insert(*e, inputs.clone());
        }
    }
    let Some(order) = topological(&func, &extra) else {
        return Err(crate::DeriveError(
            "tiled sums depend on each other in a cycle".into(),
        ));
    };
    let bounds = Bounds::of(&func);
    let mut b = Builder::new(&func.name);
    let mut image: HashMap<ValueId, ValueId> = HashMap::new();
    for id in order {
        if image.contains_key(&id) {
            continue;
        }
        if let Some(g) = member.get(&id).map(|n| &groups[*n]) {
            build(&mut b, (&func, &bounds), g, tiles, &mut image)?;
            continue;
        }
        let args: Option<Vec<ValueId>> = func
            .args(id)
            .iter()
            .map(|a| image.get(a).copied())
            .collect();
        let Some(args) = args else { continue };
        let new = b.copy(func.value(id), &args)?;
        image.insert(id, new);
    }
    for (name, v) in &func.results {
        match image.get(v) {
            Some(v) => b.result(name, *v),
            None => {
                return Err(crate::DeriveError(format!(
                    "result `{name}` was lost while tiling"
                )));
            }
        }
    }
    crate::prune::prune(&b.finish())
}

fn build(
    b: &mut Builder,
    (func, bounds): (&Func, &Bounds),
    g: &Group,
    tiles: Tiles,
    image: &mut HashMap<ValueId, ValueId>,
) -> Result<()> {
    let results = tiles::tiled(b, (func, bounds), g, tiles, image)?;
    for (e, v) in g.exits.iter().zip(results) {
        if let Some(name) = func.value(*e).name {
            b.name(v, name.as_str());
        }
        image.insert(*e, v);
    }
    Ok(())
}
