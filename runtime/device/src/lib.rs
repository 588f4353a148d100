//! Executes plans: on CPU threads ([`Executor`]) and on CUDA devices ([`cuda`]).
//!
//! A [`Program`] is a plan with its kernels; a [`Store`] holds parameters and gradients, shared by the
//! executors of several plans; an [`Executor`] is a program with every buffer placed at the present lengths
//! and every size evaluated, so that running it allocates nothing. One [`Pool`] of threads serves them all.

mod append;
mod artifact;
mod bf16;
mod block;
mod conv;
pub mod cuda;
mod executor;
mod extent;
mod grad_sum;
mod init;
mod instantiate;
mod online;
mod philox;
mod place;
mod pool;
mod product;
mod store;
mod threads;
mod transform;
pub mod weights;

pub use artifact::{Artifact, Kernels, Program};
pub use executor::{Data, Executor, Memory};
pub use grad_sum::GradSum;
pub use init::draw;
pub use philox::{Philox, key_of};
pub use place::{Interval, Placement, place};
pub use pool::Pool;
pub use seqc_abi as abi;
pub use store::{Param, Store};

/// What went wrong, in words for the user: every message names the thing (file, plan, buffer) it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(pub String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Error(text)
    }
}

pub type Result<T> = std::result::Result<T, Error>;

/// Returns a formatted [`Error`] from the enclosing function.
#[macro_export]
macro_rules! fail {
    ($($text:tt)*) => { return Err($crate::Error(format!($($text)*))) };
}
