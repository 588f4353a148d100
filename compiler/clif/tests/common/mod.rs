//! Calls a compiled kernel over vectors.

use seqc_clif::compile;
use seqc_schedule::interp::Data;
use seqc_schedule::ir::Kernel;

/// 64-byte aligned scratch.
#[repr(C, align(64))]
#[derive(Clone)]
struct Line([u8; 64]);

/// Runs cells `0..cells` of the kernel over `bufs` (no `F64`), in two calls.
pub fn run(kernel: &Kernel, bufs: &mut [Data], dims: &[i64], cells: i64) {
    let jit = compile(std::slice::from_ref(kernel)).unwrap_or_else(|e| panic!("{e}\n{kernel}"));
    let entry = jit.entry(0).expect("one kernel");
    let pointers: Vec<*mut u8> = bufs
        .iter_mut()
        .map(|b| match b {
            Data::F32(v) => v.as_mut_ptr().cast(),
            Data::I32(v) => v.as_mut_ptr().cast(),
            Data::Bf16(v) => v.as_mut_ptr().cast(),
            Data::F64(_) => panic!("kernels have no f64"),
        })
        .collect();
    // Garbage that shows: every float of it is NaN.
    let mut scratch = vec![Line([0xff; 64]); kernel.scratch_bytes() / 64 + 1];
    let half = cells / 2;
    for (lo, hi) in [(half, cells), (0, half)] {
        // SAFETY: the interpreter has run the same kernel over the same buffers without leaving them.
        unsafe {
            entry(
                pointers.as_ptr(),
                dims.as_ptr(),
                lo,
                hi,
                scratch.as_mut_ptr().cast(),
            );
        }
    }
}
