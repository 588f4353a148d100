//! Algebra to algebra: classes, forms and gradients. One law a file; each states its side condition.
//!
//! Every function here maps a [`seqc_algebra::Func`] to one that computes the same results. Laws look at
//! structure only (operations, axes, dependence on a state); a mixer's name never reaches this crate.

pub mod affine;
pub mod checkpoint;
pub mod chunk;
pub mod class;
pub mod conv;
pub mod cost;
pub mod difference;
pub mod directions;
pub mod dual;
pub mod exponential;
pub mod grad;
pub mod impulse;
pub mod inputs;
pub mod join;
pub mod latent;
pub mod linear;
pub mod order;
pub mod picks;
pub mod poly;
pub mod powers;
pub mod products;
pub mod prune;
pub mod real;
pub mod regroup;
pub mod report;
pub mod retime;
pub mod rewrite;
pub mod routed;
pub mod running;
pub mod sink;
pub mod softmax;
pub mod step;
pub mod stream;
pub mod ticks;
pub mod trajectory;
pub mod words;

use seqc_algebra::ShapeError;

/// Why a derivation does not exist, in words for the user; never a panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeriveError(pub String);

impl std::fmt::Display for DeriveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DeriveError {}

impl From<ShapeError> for DeriveError {
    fn from(e: ShapeError) -> DeriveError {
        DeriveError(format!("a derived program does not fit together: {e}"))
    }
}

pub type Result<T> = std::result::Result<T, DeriveError>;
