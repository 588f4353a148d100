//! Law: a matrix whose entries are sums of products of a row's and a column's values, times a product of decays
//! between the two, applied to values, is a recurrence:
//! ```text
//! y_i = Σ_{j <= i} (q_i · k_j) (Π_{l = j+1..i} a_l) v_j    =    q_i · S_i,   S_i = a_i S_{i-1} + k_i v_i
//! ```
//! (the dual of a low-rank or semiseparable matrix). `j < i` reads the state before the step, `i <= j` steps from the end
//! to the start, and without a condition `Σ_j k_j v_j` is one sum over the whole sequence. Decays may be written as
//! `exp(c_i - c_j)` with `c` a running sum, as `exp((i - j) x)` or as `x ^ (i - j)`: the step takes the increment,
//! which is never a difference of large numbers.
//!
//! Side conditions: every term has one such condition, or none and no decay; nothing else mixes the two times; the
//! state is not too large to gain ([`MOST_KEYS`]). [`entry`] takes a matrix apart, [`decay`] finds what decays,
//! [`recurrence`] makes the scan; [`products`] states the same decays without `exp`; [`transport`] is the case of a state
//! for each column that steps turn, [`spread`] what is done with such states where they stay.

mod decay;
mod entry;
mod products;
mod recurrence;
mod spread;
mod transport;

pub(crate) use entry::mixes;
pub use products::decays_as_products;
pub use spread::spread_sources;

use crate::Result;
use crate::affine::factor_axes;
use crate::rewrite::map_by_images;
use crate::stream::{Inequality, is_long, is_pair, long_axes};
use entry::{Entries, Entry};
use seqc_algebra::{Axis, Func, Op, ReduceOp, Scan, ValueId};

/// The most numbers by which rows and columns are matched: a state of more is worth it at great lengths only.
pub const MOST_KEYS: usize = 1024;

/// Which columns a row sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sees {
    /// Those up to its own position, or before it.
    Earlier {
        inclusive: bool,
    },
    /// Those from its own position on, or after it.
    Later {
        inclusive: bool,
    },
    Everything,
}

/// Rewrites every sum over a time of a matrix and values that has a dual recurrence.
pub fn dual_recurrences(func: &Func) -> Result<Func> {
    let func = map_by_images(func, |b, id, image| match taken_apart(func, id) {
        Some(Ok(sum)) => Ok(Some(recurrence::made(b, func, &sum, image)?)),
        _ => Ok(None),
    })?;
    crate::prune::prune(&func)
}

/// A sum over one time of products over a pair of times.
struct Summed {
    /// The time that stays, and the one that is summed.
    row: Axis,
    col: Axis,
    terms: Vec<(Entry, Sees)>,
    /// Of the result.
    axes: Vec<Axis>,
}

/// What a sum over a time of a matrix and values is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dual {
    /// A recurrence, with or without decays.
    Recurrence { decays: bool },
    /// None, and why.
    Missing(String),
}

/// Whether the value sums a matrix over a time, and if so whether that is a recurrence.
pub fn dual(func: &Func, id: ValueId) -> Option<Dual> {
    Some(match taken_apart(func, id)? {
        Ok(sum) => Dual::Recurrence {
            decays: (sum.terms.iter())
                .any(|(e, _)| !e.decays.is_empty() || !e.transports.is_empty()),
        },
        Err(why) => Dual::Missing(why),
    })
}

/// Recurrences that serve such matrices only: running sums of what decays, states for each source.
pub fn absorbed(func: &Func) -> Vec<bool> {
    let mut needed = vec![false; func.values.len()];
    let mut stack: Vec<ValueId> = func.results.iter().map(|(_, v)| *v).collect();
    while let Some(v) = stack.pop() {
        if std::mem::replace(&mut needed[v.index()], true) {
            continue;
        }
        match taken_apart(func, v) {
            Some(Ok(sum)) => sum
                .terms
                .iter()
                .for_each(|(e, _)| stack.extend(e.needs(func))),
            _ => stack.extend(func.args(v)),
        }
    }
    let live = func.live();
    let scan = |v: ValueId| matches!(func.op(v), Op::Scan(_));
    let served = |v: ValueId| scan(v) && live[v.index()] && !needed[v.index()];
    func.ids().map(served).collect()
}

fn taken_apart(func: &Func, id: ValueId) -> Option<std::result::Result<Summed, String>> {
    let over = match func.op(id) {
        Op::Contract(axes) | Op::Reduce(ReduceOp::Sum, axes) => axes,
        _ => return None,
    };
    let long: Vec<Axis> = over.iter().copied().filter(is_long).collect();
    let [col] = long[..] else { return None };
    let [row] = long_axes(func, id)[..] else {
        return None;
    };
    let pair = func.args(id).iter().any(|a| is_pair(func, *a));
    pair.then(|| summed(func, id, over, row, col))
}

fn summed(
    func: &Func,
    id: ValueId,
    over: &[Axis],
    row: Axis,
    col: Axis,
) -> std::result::Result<Summed, String> {
    let inner: Vec<Axis> = over.iter().copied().filter(|a| *a != col).collect();
    let entries =
        Entries::new(func, (row, col), &func.ty(id).axes).product(func.args(id), &inner)?;
    let terms = entries.into_iter().map(|e| {
        let keys: usize = e.bound.iter().filter_map(|a| a.size.constant()).product();
        if keys > MOST_KEYS {
            return Err(format!(
                "its state would match rows and columns by {keys} numbers"
            ));
        }
        let sees = sees(&e.bounds, row, col)?;
        match (e.transports.len(), e.decays.is_empty()) {
            (0, _) | (1, true) => {}
            _ => return Err("several things are done to each column between two times".into()),
        }
        let mut cols = e.factors.iter().map(|f| factor_axes(func, f));
        let clash =
            |axes: Vec<Axis>| axes.contains(&col) && e.transports.iter().any(|t| !t.allows(&axes));
        if cols.any(clash) {
            return Err("what steps do to a column mixes axes that its values have too".into());
        }
        match (sees, e.decays.is_empty()) {
            (Sees::Earlier { .. } | Sees::Later { .. }, _) if row.size != col.size => {
                Err("its two times are of different clocks".into())
            }
            (Sees::Everything, false) => {
                Err("what decays between two times is not bounded to one side".into())
            }
            _ => Ok((e, sees)),
        }
    });
    Ok(Summed {
        row,
        col,
        terms: terms.collect::<std::result::Result<_, String>>()?,
        axes: func.ty(id).axes.clone(),
    })
}

/// The axis of sources of a scan over a state for each source position.
pub fn sources(scan: &Scan) -> Option<Axis> {
    let states = &scan.body.params[1..=scan.states];
    let mut axes = states.iter().flat_map(|s| &scan.body.ty(*s).axes);
    let along = |a: &&Axis| is_long(a) && a.size == scan.axis.size;
    axes.find(along).copied()
}

/// The one condition on the two positions.
fn sees(bounds: &[Inequality], row: Axis, col: Axis) -> std::result::Result<Sees, String> {
    // Of two conditions that differ by a constant the stricter one holds.
    let mut once: Vec<&Inequality> = vec![];
    for b in bounds {
        let of = |x: &Inequality| (x.of(row), x.of(col));
        match once.iter_mut().find(|o| of(o) == of(b)) {
            Some(o) if o.constant < b.constant => *o = b,
            Some(_) => {}
            None => once.push(b),
        }
    }
    let [b] = once[..] else {
        return match once.is_empty() {
            true => Ok(Sees::Everything),
            false => Err("it is bounded on two sides: a window has no state of fixed size without subtraction".into()),
        };
    };
    match (b.of(row), b.of(col), b.constant) {
        (-1, 1, c @ (0 | 1)) => Ok(Sees::Earlier { inclusive: c == 0 }),
        (1, -1, c @ (0 | 1)) => Ok(Sees::Later { inclusive: c == 0 }),
        _ => Err("its condition on the two positions is not `j <= i` or its like".into()),
    }
}
