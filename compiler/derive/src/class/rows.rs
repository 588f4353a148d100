//! What each state is made of: gates on the old states, and what is read of them and written back.

use super::product::{gathered, restored};
use super::{Gate, Product, Transition, names};
use crate::affine::{Mono, Occurrence, factor_axes};
use seqc_algebra::{Axis, Func};

/// The transition's parts.
pub(super) struct Rows {
    /// `gates[z][w]`
    pub gates: Vec<Vec<Gate>>,
    pub ranks: Vec<Rank>,
}

/// `write · (readᵀ S_from)`, added to one state.
pub(super) struct Rank {
    pub into: usize,
    pub from: usize,
    pub write: Product,
    pub read: Product,
}

impl Rows {
    /// Read off the monomials of each new state. What keeps chunks away, but not the class, goes to `others`.
    pub fn new(
        body: &Func,
        states: &[Vec<Axis>],
        k: &[Axis],
        monos: &[Vec<Mono>],
        others: &mut Vec<String>,
    ) -> Result<Rows, Transition> {
        let n = states.len();
        let mut diagonal: Vec<Vec<Vec<Product>>> = vec![vec![vec![]; n]; n];
        let mut ranks = Vec::new();
        for (into, m) in monos
            .iter()
            .enumerate()
            .flat_map(|(z, row)| row.iter().map(move |m| (z, m)))
        {
            let Some(of) = &m.state else { continue };
            let has = |s: usize| k.iter().filter(|a| states[s].contains(a)).count();
            // A state without K, spread over one that has it, is written along a key.
            let spread = has(of.var) == 0 && has(into) > 0;
            match (of.moved().is_empty(), spread) {
                (true, false) => diagonal[into][of.var].push(beside(body, m, of).0),
                _ => ranks.push(rank(body, into, m, of, others)?),
            }
            covered(&states[of.var], k, of, others);
        }
        let gate = |z: usize, w: usize, sum: Vec<Product>| match sum.as_slice() {
            [] if z == w && n == 1 => Gate::Sum(vec![Product::new(0.0, vec![])]),
            [] => Gate::Zero,
            [one] if *one == Product::new(1.0, vec![]) => Gate::One,
            _ => Gate::Sum(sum),
        };
        let gates = (diagonal.into_iter().enumerate()).map(|(z, row)| {
            (row.into_iter().enumerate())
                .map(|(w, sum)| gate(z, w, sum))
                .collect()
        });
        Ok(Rows {
            gates: gates.collect(),
            ranks,
        })
    }
}

/// What multiplies the state in a monomial; sums that do not reach the state are numbers in it. Also whether such a
/// sum has an axis that is moved.
fn beside(body: &Func, m: &Mono, of: &Occurrence) -> (Product, bool) {
    let moved = of.moved();
    let apart: Vec<Axis> = (m.bound.iter().copied())
        .filter(|a| moved.iter().all(|(_, r)| r != a))
        .collect();
    let (factors, sums) = gathered(body, &m.factors, &apart);
    let on_state = |a: &Axis| moved.iter().any(|(w, r)| a == w || a == r);
    let crossed = sums.iter().any(|s| s.axes(body).iter().any(on_state));
    let scale = m.scale;
    (
        Product {
            scale,
            factors,
            sums,
        },
        crossed,
    )
}

fn rank(
    body: &Func,
    into: usize,
    m: &Mono,
    of: &Occurrence,
    others: &mut Vec<String>,
) -> Result<Rank, Transition> {
    let moved = of.moved();
    if moved.iter().any(|(_, r)| !m.bound.contains(r)) {
        return Err(Transition::Dense(
            "the state is summed together with other values".into(),
        ));
    }
    let (all, crossed) = beside(body, m, of);
    if crossed {
        others.push("a term of its transition is multiplied by a sum".into());
    }
    let (mut left, mut right) = (vec![], vec![]);
    for f in &all.factors {
        let shown = factor_axes(body, f);
        let reads = moved.iter().any(|(_, r)| shown.contains(r));
        let writes = moved.iter().any(|(a, _)| shown.contains(a));
        match (reads, writes) {
            (true, true) => {
                return Err(Transition::Dense(
                    "one matrix both reads and writes an axis of the state".into(),
                ));
            }
            (true, false) => right.push(restored(f, &moved)),
            _ => left.push(f.clone()),
        }
    }
    let write = Product {
        factors: left,
        ..all
    };
    let read = Product::new(1.0, right);
    Ok(Rank {
        into,
        from: of.var,
        write,
        read,
    })
}

/// A term that moves axes of a state must move all of K that the state has.
fn covered(state: &[Axis], k: &[Axis], of: &Occurrence, others: &mut Vec<String>) {
    let moved: Vec<Axis> = of.moved().iter().map(|(a, _)| *a).collect();
    let keyed: Vec<Axis> = k.iter().filter(|a| state.contains(a)).copied().collect();
    if !moved.is_empty() && !keyed.iter().all(|a| moved.contains(a)) {
        others.push(format!(
            "a term of its transition moves {} of the axes {} that others move or contract",
            names(&moved),
            names(&keyed)
        ));
    }
}
