//! Decays between two times as quotients of running products, for numbers of which nothing is known but arithmetic.
//!
//! Over a finite field `exp` is any function, and `exp(c_i - c_j)` has nothing to do with the `exp(g)` of the steps. What
//! is to be shown there is that the recurrence is right whatever a step's decay `a` is: in the definition, the decay
//! between two times becomes `A_i / A_j` with `A_t = a_t A_{t-1}`. (In floating point that would over- and underflow.)

use super::decay::Decay;
use super::entry::{Entries, Names};
use super::recurrence::Make;
use super::{Sees, pair_values, taken_apart};
use crate::Result;
use seqc_algebra::{
    Axis, Builder, Elem, Func, InputKind, MapFn, Op, Out, Scan, SeqIn, Ty, ValueId, op::Num,
};
use std::collections::{HashMap, HashSet};

/// The program with quotients for the decays of every matrix that has a dual recurrence.
pub fn decays_as_products(func: &Func) -> Result<Func> {
    let which = decaying(func);
    let mut b = Builder::new(&func.name);
    let mut image: Vec<Option<ValueId>> = vec![None; func.values.len()];
    for id in func.ids() {
        let found = |v: ValueId| image[v.index()];
        let new = match which.get(&id).and_then(|at| decays(func, id, *at)) {
            Some((decays, (row, col))) => {
                let mut make = Make {
                    b: &mut b,
                    func,
                    row,
                    image: &found,
                };
                let mut all = make.b.num(1.0);
                for d in &decays {
                    let one = quotient(&mut make, d, col)?;
                    all = make.b.mul(all, one)?;
                }
                all
            }
            None => {
                let args: Vec<ValueId> = func.args(id).iter().filter_map(|a| found(*a)).collect();
                b.copy(func.value(id), &args)?
            }
        };
        image[id.index()] = Some(new);
    }
    for (name, v) in &func.results {
        if let Some(v) = image[v.index()] {
            b.result(name, v);
        }
    }
    Ok(b.finish())
}

/// The values that are decays of matrices with dual recurrences, and of no others; with the time that is summed, and
/// whether it is the later one.
fn decaying(func: &Func) -> HashMap<ValueId, (Axis, bool)> {
    let (mut yes, mut no) = (HashMap::new(), HashSet::new());
    for id in func.ids() {
        let cone = match func.op(id) {
            Op::Contract(_) | Op::Reduce(..) | Op::Softmax(_) | Op::LogSumExp(_) => {
                pair_values(func, id)
            }
            _ => continue,
        };
        match taken_apart(func, id) {
            Some(Ok(sum)) => {
                let later = (sum.terms.iter()).any(|(_, s)| matches!(s, Sees::Later { .. }));
                yes.extend(cone.into_iter().map(|v| (v, (sum.col, later))));
            }
            // Sums over constant axes on the way to such a sum belong to it.
            None if crate::stream::is_pair(func, id) => {}
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
    let times = crate::stream::long_axes(func, id);
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
    let step = match make.b.has(step, row) {
        true => step,
        false => make.b.expand(step, &[row])?,
    };
    let product = running(make.b, step, row)?;
    let there = make.b.rename(product, row, col)?;
    Ok(make.b.div(product, there)?)
}

/// The products of a sequence up to each position.
fn running(b: &mut Builder, step: ValueId, time: Axis) -> Result<ValueId> {
    let axes = b
        .axes(step)
        .iter()
        .copied()
        .filter(|a| *a != time)
        .collect();
    let ty = Ty {
        elem: Elem::Real,
        axes,
    };
    let one = b.num(1.0);
    let start = b.expand(one, &ty.axes)?;
    let mut body = Builder::new("product");
    body.input("position", InputKind::Formal, Ty::real(vec![]));
    let p = body.input("p", InputKind::Formal, ty.clone());
    let a = body.input("a", InputKind::Formal, ty);
    let next = body.mul(p, a)?;
    body.result("p", next);
    body.result("p", next);
    let scan = Scan {
        axis: time,
        tile: None,
        reverse: false,
        states: 1,
        seqs: vec![SeqIn { fill: Num(1.0) }],
        fixed: 0,
        lo: false,
        hi: false,
        body: body.finish(),
        outs: vec![Out::Emit(0)],
    };
    Ok(b.scan(scan, &[start, step])?[0])
}
