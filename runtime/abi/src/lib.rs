//! What a compiled artifact promises: its buffers, its launches, its states. Pure data (serde); the compiler
//! writes it, the runtime executes it, and neither knows the other.

pub mod dim;
mod number;
mod once;
pub mod plan;
pub mod validate;

pub use dim::{Dim, Sizes};
pub use plan::{
    Append, Buffer, Conv, Elem, Gemm, GemmOperand, Init, KernelDecl, Launch, Online, Plan, Role,
};

/// The entry point of every generated kernel: runs the cells `lo..hi` of the row-major flattened grid.
/// `bufs` are the launch's buffers in the kernel's argument order, `dims` the plan's run-time sizes in the
/// kernel's order, `scratch` is private to the calling thread, 64-byte aligned, `KernelDecl::scratch_bytes` long.
pub type KernelFn = unsafe extern "C" fn(
    bufs: *const *mut u8,
    dims: *const i64,
    lo: i64,
    hi: i64,
    scratch: *mut u8,
);
