//! Names of transitions.

use super::product::split;
use super::rows::{Rank, Rows};
use super::{Gate, MOST_RANK, Product};
use crate::affine::{Factor, factor_axes};
use seqc_algebra::{Axis, Func, ValueId};

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
    /// Several states that feed each other: a small matrix of transitions, the widest of which is this one.
    Coupled(usize, Box<Transition>),
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
            Transition::Coupled(n, of) => return write!(f, "coupled, {n} states, {of}"),
        })
    }
}

impl Transition {
    /// The transition in a sentence, with the reason why it is no better.
    pub fn why(&self) -> String {
        match self {
            Transition::Dense(why) => format!("its transition is dense: {why}"),
            other => format!("its transition is {other}"),
        }
    }

    /// Read off what the states are made of.
    pub(super) fn of(body: &Func, rows: &Rows, k: &[Axis]) -> Transition {
        let all: Vec<&Gate> = rows.gates.iter().flatten().collect();
        let axes: Vec<Axis> = (all.iter().flat_map(|g| g.products()))
            .flat_map(|p| p.axes(body))
            .collect();
        let scalar = axes.iter().all(|a| !k.contains(a));
        let rank = rank(body, &rows.ranks, k);
        let n = rows.gates.len();
        let kept = n == 1 && matches!(rows.gates[0][0], Gate::One);
        let one = match rank {
            0 if kept => Transition::Identity,
            0 if scalar && !k.is_empty() => Transition::Scalar,
            0 => Transition::Diagonal,
            r if r > MOST_RANK => {
                return Transition::Dense(format!(
                    "the transition has rank {r} beside its diagonal"
                ));
            }
            r if scalar => Transition::ScalarRank(r),
            r => Transition::DiagonalRank(r),
        };
        match n {
            1 => one,
            n => Transition::Coupled(n, Box::new(one)),
        }
    }
}

/// The rank beside the gates: terms that write along one vector, or read along one, count once.
fn rank(body: &Func, ranks: &[Rank], k: &[Axis]) -> usize {
    let distinct = |side: fn(&Rank) -> &Product| {
        let mut seen: Vec<Vec<Factor>> = Vec::new();
        for term in ranks {
            let vector = vector(body, side(term), k);
            if !seen.contains(&vector) {
                seen.push(vector);
            }
        }
        seen.len()
    };
    distinct(|t| &t.write).min(distinct(|t| &t.read))
}

/// The factors that have an axis of K, products split.
fn vector(body: &Func, p: &Product, k: &[Axis]) -> Vec<Factor> {
    let mut all: Vec<Factor> = (p.factors.iter())
        .flat_map(|f| split(body, f).factors)
        .filter(|f| factor_axes(body, f).iter().any(|a| k.contains(a)))
        .collect();
    all.sort();
    all
}
