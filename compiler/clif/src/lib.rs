//! Schedule IR to machine code through Cranelift: instant, without LLVM.
//!
//! The second code generator, from the same kernels as the MLIR one and independent of it, so that each checks
//! the other. Code is for the machine it runs on: 128-bit vectors, with fused multiply-add where there is one.
//! Invariant: a kernel that `verify` accepts compiles; one that it would refuse gives an [`Error`], never a
//! panic.

mod deps;
mod emit;
mod jit;
mod symbols;

pub use jit::{Jit, compile, emit};

/// Why a kernel has no code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel breaks a rule of the schedule IR.
    #[error("kernel `{kernel}`: {message}")]
    Kernel { kernel: String, message: String },
    /// This machine, or Cranelift on it, cannot.
    #[error("cranelift: {0}")]
    Cranelift(String),
}
