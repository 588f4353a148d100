//! Random kernels for the tests of everything that reads the schedule IR.
//!
//! A kernel is a pure function of a seed and a size, so a failing test is reproduced by two numbers, and made
//! smaller by a smaller size.

mod any;
mod expr;
mod rng;
mod valid;

pub use any::any_kernel;
pub use rng::Rng;
pub use valid::{Case, HALF, distance, valid_case};
