//! Classes of recurrences, found from the affine normal form of a scan's body; and the parts from which the
//! chunked form is made.
//!
//! Roles of the states' axes: **K** is moved by a transition or contracted by a read; **V** appears in neither
//! a transition nor a read's vector; **B** is the rest (batch, heads). Where there is no V, an axis that gates differ along,
//! while K does not, stands for it: each position has decays of its own in one matrix of reads by keys. States `S_1 …` step together:
//! ```text
//! S_z[t] = Σ_w gate_zw S_w[t-1] + Σ key value,   value = inputs + Σ coef (readᵀ S_w[t-1])
//! ```
//! so that one state has the transition `diag(gate) + Σ b aᵀ` over K, and several have a small matrix of gates beside
//! it. Side conditions are those of the derivation calculus, §1. [`rows`] sorts what each state is made of, [`terms`]
//! makes the rank-one terms, [`reads`] what is given out, all as [`product`]s; [`transition`] names it.

mod product;
mod reads;
mod rows;
mod terms;
mod transition;

pub use product::{Product, Sum};
pub use transition::Transition;

use crate::affine::{Affine, Factor, Mono, NotAffine, factor_axes};
use crate::linear::jointly_affine;
use reads::{contracted, reads};
use rows::Rows;
use seqc_algebra::{Axis, Func, Scan, ValueId};
use terms::terms;

/// What of one state goes to another, position by position.
#[derive(Clone, Debug, PartialEq)]
pub enum Gate {
    Zero,
    One,
    Sum(Vec<Product>),
}

impl Gate {
    /// The products that it is the sum of, where they are not plain numbers.
    pub fn products(&self) -> &[Product] {
        match self {
            Gate::Zero | Gate::One => &[],
            Gate::Sum(all) => all,
        }
    }
}

/// Rank-one inputs `key ⊗ value` of one key, where the value may also read states:
/// `Σ values + Σ coef · (readᵀ S)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The states to which it is added.
    pub into: Vec<usize>,
    /// Factors with K axes.
    pub key: Product,
    /// Without K axes; none if this term only feeds states back.
    pub values: Vec<Product>,
    pub feedback: Vec<Feedback>,
}

/// `coef · (readᵀ S)`: coef without K axes, read with the K axes, renamed back to the state's.
#[derive(Clone, Debug, PartialEq)]
pub struct Feedback {
    pub from: usize,
    pub coef: Product,
    pub read: Product,
}

/// The most rank-one terms that are solved for together: the work inside a chunk grows with the square.
pub const MOST_RANK: usize = 8;

/// The most states that step together: the gates of a chunk are a matrix of them.
pub const MOST_STATES: usize = 8;

/// An emitted value: a sum of reads of states, and of what is no state's.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// Index among the body's emitted values.
    pub emit: usize,
    pub parts: Vec<Part>,
    pub own: Vec<Product>,
}

/// `Σ_K vector · S`: inclusive (the state after this step) or exclusive (before it).
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub state: usize,
    pub inclusive: bool,
    pub vector: Product,
}

/// A scan whose states are affine in each other, in parts.
#[derive(Clone, Debug)]
pub struct Linear {
    pub transition: Transition,
    /// The axes of each state.
    pub states: Vec<Vec<Axis>>,
    pub k: Vec<Axis>,
    pub v: Vec<Axis>,
    /// Where there is no V, axes along which gates and what is fed back differ, but keys and what reads do not: the matrix of
    /// reads by keys is one for all of them, and each position has decays of its own in it.
    pub gated: Vec<Axis>,
    /// Axes of the states that are none of these.
    pub b: Vec<Axis>,
    /// `gates[z][w]`: what of w goes to z.
    pub gates: Vec<Vec<Gate>>,
    pub terms: Vec<Term>,
    pub reads: Vec<Read>,
    /// What else there is, and keeps the chunked form from applying.
    pub others: Vec<String>,
}

impl Linear {
    /// The axes of K that a state has.
    pub fn keyed(&self, state: usize) -> Vec<Axis> {
        let own = &self.states[state];
        self.k.iter().filter(|a| own.contains(a)).copied().collect()
    }
}

/// The class of a scan; the parts when it is affine in its states.
pub fn classify(scan: &Scan) -> (Transition, Option<Linear>) {
    match linear(scan) {
        Ok(l) => (l.transition.clone(), Some(l)),
        Err(t) => (t, None),
    }
}

fn linear(scan: &Scan) -> Result<Linear, Transition> {
    let body = &scan.body;
    let n = scan.states;
    if n > MOST_STATES {
        return Err(Transition::Dense(format!(
            "{n} states feed each other, more than {MOST_STATES}"
        )));
    }
    let old = &body.params[1..=n];
    let monos = expanded(scan)?;
    let mut others = Vec::new();
    let reads = reads(scan, &mut others);
    let states: Vec<Vec<Axis>> = old.iter().map(|s| body.ty(*s).axes.clone()).collect();
    let k = contracted(&monos, &reads);
    let rows = Rows::new(body, &states, &k, &monos, &mut others)?;
    let reads: Vec<Read> = reads
        .into_iter()
        .filter_map(|r| r.whole(&states, &k, &mut others))
        .collect();
    let (gated, touched) = (gated(body, &rows), touched(body, &rows, &reads));
    let others_of = |of: &[Axis]| -> (Vec<Axis>, Vec<Axis>) {
        (distinct(states.concat()).into_iter())
            .filter(|a| !k.contains(a))
            .partition(|a| !of.contains(a) && a.is_const())
    };
    let (v, b) = others_of(&[gated.as_slice(), &touched].concat());
    let (apart, b) = match v.is_empty() && !gated.iter().any(|a| k.contains(a)) {
        true => others_of(&told_apart(body, &k, &rows, &reads)),
        false => (vec![], b),
    };
    let transition = Transition::of(body, &rows, &k);
    let free = [v.as_slice(), &apart].concat();
    let terms = terms(body, &k, &free, &monos, &rows, &mut others);
    Ok(Linear {
        transition,
        states,
        k,
        v,
        gated: apart,
        b,
        gates: rows.gates,
        terms,
        reads,
        others,
    })
}

/// The new value of each state in monomials of the old ones. What is linear and no sum of products is a dense transition.
fn expanded(scan: &Scan) -> Result<Vec<Vec<Mono>>, Transition> {
    let body = &scan.body;
    let old = &body.params[1..=scan.states];
    let mut affine = Affine::new(body, old);
    let next: Vec<ValueId> = (body.results[..scan.states].iter())
        .map(|(_, v)| *v)
        .collect();
    let bad = |e: NotAffine| match jointly_affine(body, old, &next) {
        Ok(()) => Transition::Dense(e.why),
        Err(_) => Transition::Nonlinear {
            at: e.at,
            why: e.why,
        },
    };
    (next.iter())
        .map(|v| affine.expand(*v).map_err(bad))
        .collect()
}

/// The axes that gates depend on.
fn gated(body: &Func, rows: &Rows) -> Vec<Axis> {
    let gates = rows.gates.iter().flatten().flat_map(Gate::products);
    gates.flat_map(|p| p.axes(body)).collect()
}

/// The axes that reads and what is fed back depend on.
fn touched(body: &Func, rows: &Rows, reads: &[Read]) -> Vec<Axis> {
    let fed = rows.ranks.iter().flat_map(|r| [&r.write, &r.read]);
    let read = reads.iter().flat_map(|r| &r.parts).map(|p| &p.vector);
    fed.chain(read).flat_map(|p| p.axes(body)).collect()
}

/// The axes that reads and keys depend on, those of what is fed back too: along any other, one matrix of reads by keys will
/// do.
fn told_apart(body: &Func, k: &[Axis], rows: &Rows, reads: &[Read]) -> Vec<Axis> {
    let keyed = |f: &&Factor| factor_axes(body, f).iter().any(|a| k.contains(a));
    let keys = rows
        .ranks
        .iter()
        .flat_map(|r| &r.write.factors)
        .filter(keyed);
    let read = reads.iter().flat_map(|r| &r.parts).map(|p| &p.vector);
    let reads = rows.ranks.iter().map(|r| &r.read).chain(read);
    (reads.flat_map(|p| p.axes(body)))
        .chain(keys.flat_map(|f| factor_axes(body, f)))
        .collect()
}

/// Each axis once, in canonical order.
pub(crate) fn distinct(axes: Vec<Axis>) -> Vec<Axis> {
    let mut once: Vec<Axis> = Vec::new();
    for a in axes {
        if !once.contains(&a) {
            once.push(a);
        }
    }
    seqc_algebra::shape::canonical(once)
}

/// The names of axes as a set in text.
fn names(axes: &[Axis]) -> String {
    let all: Vec<&str> = axes.iter().map(|a| crate::words::axis(*a)).collect();
    format!("{{{}}}", all.join(", "))
}
