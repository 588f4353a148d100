//! Runs kernels over plain vectors: the meaning of the schedule IR, against which code generators are tested.
//!
//! A kernel is resolved once ([`Program::new`]) and then run over buffers. Arithmetic is f64; [`Precision`]
//! says where it is rounded to f32, so that an error of scheduling can be told from one of rounding. Every
//! access is checked: outside a buffer, or of a local that its cell has not written, is a [`Fault`] that names
//! the statement. A select evaluates both arms, but only the one it takes may need a written local.

mod data;
pub(crate) mod math;
mod resolve;
mod run;

pub use crate::fault::Fault;
pub use data::{Data, bf16, of_bf16};

use crate::ir::Kernel;
use resolve::{Block, Index};

/// Where numbers are rounded to f32. Buffers of [`Data::F32`] round whatever is stored in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Nowhere else.
    #[default]
    Exact,
    /// At stores, to locals and to [`Data::F64`] too.
    Stores,
    /// After every operation: what scalar f32 code computes, but for elementary functions.
    Single,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub precision: Precision,
    /// Runs the grid and the `Par` and `Vec` loops from their last iteration to their first. If a result
    /// depends on this, iterations that are called independent are not.
    pub backwards: bool,
}

/// A kernel, resolved.
pub struct Program<'k> {
    kernel: &'k Kernel,
    grid: Vec<Index>,
    body: Block,
    /// Path and first line of each statement.
    places: Vec<Fault>,
    vals: usize,
    vars: usize,
}

/// Runs the whole grid of `kernel`: `bufs` in the order of its arguments, `dims` in that of its sizes.
pub fn run(
    kernel: &Kernel,
    bufs: &mut [Data],
    dims: &[i64],
    options: Options,
) -> Result<(), Fault> {
    let which: Vec<usize> = (0..kernel.args.len()).collect();
    Program::new(kernel)?.run(bufs, &which, dims, options)
}

#[cfg(test)]
mod tests;
