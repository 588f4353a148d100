//! Classes of recurrences, found from the affine normal form of a scan's body; and the parts from which the
//! chunked form is made.
//!
//! Roles of the state's axes: **K** is moved by the transition or contracted by a read; **V** appears in neither
//! the transition nor a read's vector; **B** is the rest (batch, heads). The transition is
//! `diag(decay) + Σ b aᵀ` over K. Side conditions are those of the derivation calculus, §1.
//! [`transition`] reads it, [`terms`] what is written and given out, both as [`product`]s.

mod product;
mod terms;
mod transition;

pub use product::{Product, Sum};

use crate::affine::{Affine, Mono, NotAffine};
use seqc_algebra::{Axis, Func, Scan, ValueId};
use terms::{reads, terms};
use transition::Parts;

/// What a scan's transition is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition {
    Identity,
    /// One decay for all K (it may depend on batch-like axes and on time).
    Scalar,
    /// A decay per position of K.
    Diagonal,
    /// `decay · I + rank r` with a scalar or no decay.
    ScalarRank(usize),
    /// `diag(decay) + rank r`
    DiagonalRank(usize),
    /// A matrix that mixes positions, or a rank too high to gain from.
    Dense(String),
    /// Not affine: where and why.
    Nonlinear {
        at: ValueId,
        why: String,
    },
    /// Several states that feed each other.
    Coupled(usize),
}

impl std::fmt::Display for Transition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Transition::Identity => "identity",
            Transition::Scalar => "scalar",
            Transition::Diagonal => "diagonal",
            Transition::ScalarRank(n) => return write!(f, "scalar x (identity + rank {n})"),
            Transition::DiagonalRank(n) => return write!(f, "diagonal + rank {n}"),
            Transition::Dense(_) => "dense",
            Transition::Nonlinear { .. } => "nonlinear",
            Transition::Coupled(_) => "coupled",
        })
    }
}

impl Transition {
    /// The transition in a sentence, with the reason why it is no better.
    pub fn why(&self) -> String {
        match self {
            Transition::Dense(why) => format!("its transition is dense: {why}"),
            Transition::Coupled(n) => {
                format!("{n} states feed each other, and only one state is chunked")
            }
            other => format!("its transition is {other}"),
        }
    }
}

/// Rank-one inputs `key ⊗ value` of one key, where the value may also read the state:
/// `Σ values + Σ coef · (readᵀ S)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Factors with K axes.
    pub key: Product,
    /// Without K axes; none if this term only feeds the state back.
    pub values: Vec<Product>,
    /// `(coef, read)`: coef without K axes, read with the K axes, renamed back to the state's.
    pub feedback: Vec<(Product, Product)>,
}

/// The most rank-one terms that are solved for together: the work inside a chunk grows with the square.
pub const MOST_RANK: usize = 8;

/// One read `Σ_K vector · S`: inclusive (the state after this step) or exclusive (before it).
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// Index among the body's emitted values.
    pub emit: usize,
    pub inclusive: bool,
    pub vector: Product,
}

/// A scan with one affine state, in parts.
#[derive(Clone, Debug)]
pub struct Linear {
    pub transition: Transition,
    pub k: Vec<Axis>,
    pub v: Vec<Axis>,
    /// Axes of the state that are neither.
    pub b: Vec<Axis>,
    /// The sum of these; `None`: 1. A transition without a diagonal has one product, of scale 0.
    pub decay: Option<Vec<Product>>,
    pub terms: Vec<Term>,
    pub reads: Vec<Read>,
    /// Emitted values that are not such reads, and why: they keep the chunked form from applying.
    pub other_reads: Vec<String>,
}

/// The class of a scan; the parts when it is affine in a single state.
pub fn classify(scan: &Scan) -> (Transition, Option<Linear>) {
    if scan.states != 1 {
        return (Transition::Coupled(scan.states), None);
    }
    match linear(scan) {
        Ok(l) => (l.transition.clone(), Some(l)),
        Err(t) => (t, None),
    }
}

fn linear(scan: &Scan) -> Result<Linear, Transition> {
    let body = &scan.body;
    let state = body.params[1];
    let next = body.results[0].1;
    let mut affine = Affine::new(body, state);
    let bad = |e: NotAffine| Transition::Nonlinear {
        at: e.at,
        why: e.why,
    };
    let monos = affine.expand(next).map_err(bad)?;
    let state_axes = body.ty(state).axes.clone();
    let (update, input): (Vec<Mono>, Vec<Mono>) =
        monos.into_iter().partition(|m| m.state.is_some());
    let mut parts = Parts::default();
    for m in &update {
        parts.transition(body, &state_axes, m)?;
    }
    let (reads, other_reads) = reads(scan, &mut affine, state, next);
    let mut k = parts.moved.clone();
    for r in &reads {
        k.extend(
            r.1.iter()
                .filter(|a| !k.contains(a))
                .copied()
                .collect::<Vec<_>>(),
        );
    }
    let mut other_reads = other_reads;
    if parts.summed {
        other_reads.push("a term of its transition is multiplied by a sum".into());
    }
    let (reads, partial): (Vec<_>, Vec<_>) = reads
        .into_iter()
        .partition(|(_, over)| k.iter().all(|a| over.contains(a)));
    let names = |axes: &[Axis]| {
        let all: Vec<&str> = axes.iter().map(|a| a.name.as_str()).collect();
        format!("{{{}}}", all.join(", "))
    };
    other_reads.extend(partial.iter().map(|(_, over)| match over.as_slice() {
        [] => "the state is given out without being contracted".to_owned(),
        over => format!(
            "a read contracts {} of the axes {} that the transition moves or another read contracts",
            names(over),
            names(&k)
        ),
    }));
    let decay = parts.decay();
    let decay_axes: Vec<Axis> = product_axes(body, decay.iter().flatten());
    let read_axes: Vec<Axis> = reads
        .iter()
        .flat_map(|(r, _)| product_axes(body, [&r.vector]))
        .collect();
    let rank_axes: Vec<Axis> = parts
        .rank
        .iter()
        .flat_map(|(b, a)| product_axes(body, [b, a]))
        .collect();
    let touched =
        |a: &Axis| decay_axes.contains(a) || read_axes.contains(a) || rank_axes.contains(a);
    let v: Vec<Axis> = state_axes
        .iter()
        .copied()
        .filter(|a| !k.contains(a) && !touched(a) && a.is_const())
        .collect();
    let b: Vec<Axis> = state_axes
        .iter()
        .copied()
        .filter(|a| !k.contains(a) && !v.contains(a))
        .collect();
    let scalar = decay_axes.iter().all(|a| !k.contains(a));
    let transition = match (parts.rank(body), &decay) {
        (0, None) => Transition::Identity,
        (0, Some(_)) if scalar && !k.is_empty() => Transition::Scalar,
        (0, Some(_)) => Transition::Diagonal,
        (n, _) if n > MOST_RANK => {
            Transition::Dense(format!("the transition has rank {n} beside its diagonal"))
        }
        (n, _) if scalar => Transition::ScalarRank(n),
        (n, _) => Transition::DiagonalRank(n),
    };
    let terms = terms(body, &k, &v, &input, &parts.rank, &mut other_reads);
    let reads = reads.into_iter().map(|(r, _)| r).collect();
    Ok(Linear {
        transition,
        k,
        v,
        b,
        decay,
        terms,
        reads,
        other_reads,
    })
}

fn product_axes<'a>(body: &Func, p: impl IntoIterator<Item = &'a Product>) -> Vec<Axis> {
    p.into_iter().flat_map(|p| p.axes(body)).collect()
}
