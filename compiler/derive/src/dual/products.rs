//! Decays between two times as quotients of running products, for numbers of which nothing is known but arithmetic.
//!
//! Over a finite field `exp` is any function, and `exp(c_i - c_j)` has nothing to do with the `exp(g)` of the steps. What
//! is to be shown there is that the recurrence is right whatever a step's decay `a` is: in the definition, the decay
//! between two times becomes `A_i / A_j` with `A_t = a_t A_{t-1}`. (In floating point that would over- and underflow.)

use super::decay::Decay;
use super::entry::{Entries, Names};
use super::recurrence::Make;
use super::{Sees, taken_apart};
use crate::Result;
use crate::grad::running;
use crate::rewrite::map_by_images;
use crate::stream::{cone, is_pair, long_axes};
use seqc_algebra::{Axis, Func, MapFn, Op, ValueId};
use std::collections::{HashMap, HashSet};

/// The program with quotients for the decays of every matrix that has a dual recurrence.
pub fn decays_as_products(func: &Func) -> Result<Func> {
    let which = decaying(func);
    map_by_images(func, |b, id, image| {
        let Some((decays, (row, col))) = which.get(&id).and_then(|at| decays(func, id, *at)) else {
            return Ok(None);
        };
        let mut make = Make {
            b,
            func,
            row,
            image,
        };
        let mut all = make.b.num(1.0);
        for d in &decays {
            let one = quotient(&mut make, d, col)?;
            all = make.b.mul(all, one)?;
        }
        Ok(Some(all))
    })
}

/// The values that are decays of matrices with dual recurrences, and of no others; with the time that is summed, and
/// whether it is the later one.
fn decaying(func: &Func) -> HashMap<ValueId, (Axis, bool)> {
    let (mut yes, mut no) = (HashMap::new(), HashSet::new());
    for id in func.ids() {
        let cone = match func.op(id) {
            Op::Contract(_) | Op::Reduce(..) | Op::Softmax(_) | Op::LogSumExp(_) => cone(func, id),
            _ => continue,
        };
        match taken_apart(func, id) {
            Some(Ok(sum)) => {
                let later = (sum.terms.iter()).any(|(_, s)| matches!(s, Sees::Later { .. }));
                yes.extend(cone.into_iter().map(|v| (v, (sum.col, later))));
            }
            // Sums over constant axes on the way to such a sum belong to it.
            None if is_pair(func, id) => {}
            _ => no.extend(cone),
        }
    }
    yes.retain(|v, _| !no.contains(v));
    yes
}

/// The decays of an exponential or a power, with the two times, the later one first.
fn decays(
    func: &Func,
    id: ValueId,
    (summed, later): (Axis, bool),
) -> Option<(Vec<Decay>, (Axis, Axis))> {
    let Op::Map(MapFn::Exp | MapFn::Pow) = func.op(id) else {
        return None;
    };
    let times = long_axes(func, id);
    let other = times.iter().copied().find(|a| *a != summed)?;
    let (row, col) = match later {
        true => (summed, other),
        false => (other, summed),
    };
    let mut entries = Entries::new(func, (row, col), &func.ty(id).axes);
    let found = entries.decays(id, &Names::new()).ok()?;
    times.contains(&summed).then_some((found, (row, col)))
}

/// `A_row / A_col`
fn quotient(make: &mut Make<'_>, d: &Decay, col: Axis) -> Result<ValueId> {
    let row = make.row;
    let step = make.step(d, false)?;
    let step = make.b.fill(step, &[row])?;
    let before = running(make.b, step, row, false)?;
    let product = make.b.mul(before, step)?;
    let there = make.b.rename(product, row, col)?;
    Ok(make.b.div(product, there)?)
}
