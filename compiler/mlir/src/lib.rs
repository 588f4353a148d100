//! Schedule IR to MLIR, and from there to CPU objects and PTX.
//!
//! Kernels are printed as MLIR text (`func`, `scf`, `arith`, `math`, `vector` and `llvm` memory operations) that
//! stock MLIR tools accept. For a CPU it is lowered to the `llvm` dialect, optimised by LLVM and linked into a
//! shared object; each kernel exports its symbol with the signature `seqc_abi::KernelFn`. This is the only
//! crate that names MLIR or LLVM.

#![deny(unsafe_code)]

mod cpu;
mod emit;
mod emulate;
mod error;
mod link;
mod llvm;
mod math;
mod matmul;
mod native;
mod passes;
mod ptx;
mod text;

pub use cpu::{
    Compiled, CpuTarget, Show, compile_cpu, compile_cpu_with, emit_mlir, emit_mlir_for, show_cpu,
};
pub use emit::Lanes;
pub use emulate::Order;
pub use error::Error;
pub use link::link_shared;
pub use native::{EmulatedLaunch, Emulator, with_emulator};
pub use ptx::{PTX_THREADS, emit_gpu_llvm, emit_gpu_mlir, emit_ptx, ptx_scratch_bytes};
