//! The only unsafe code of this crate: handing a module of the `llvm` dialect to LLVM and the result to inkwell,
//! and running emulated GPU kernels.
#![allow(unsafe_code)]

use crate::emulate::{self, Order, Turns};
use crate::error::{Error, Result};
use crate::ptx;
use inkwell::OptimizationLevel;
use inkwell::context::Context;
use inkwell::execution_engine::ExecutionEngine;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::Module;
use seqc_schedule::ir::Kernel;
use std::ops::Range;
use std::sync::Arc;

/// Translates an operation that holds functions of the `llvm` dialect.
pub(crate) fn translate<'c>(
    operation: melior::ir::operation::OperationRef<'_, '_>,
    context: &'c Context,
) -> Result<Module<'c>> {
    // SAFETY: both live through the call; the returned module belongs to `context`, is non-null after the
    // check, and nothing else owns it.
    unsafe {
        let raw =
            mlir_sys::mlirTranslateModuleToLLVMIR(operation.to_raw(), context.raw() as *mut _);
        if raw.is_null() {
            return Err(Error::llvm(
                "translation",
                "the module cannot be translated to LLVM IR",
            ));
        }
        Ok(Module::new(raw as *mut _))
    }
}

/// GPU kernels compiled for the CPU that this runs on; see [`crate::emulate`].
pub struct Emulator<'c> {
    engine: ExecutionEngine<'c>,
    scratch: Vec<(String, usize)>,
}

/// One launch of an emulated kernel: any numbers of blocks and threads must give the same result.
#[derive(Clone, Debug)]
pub struct EmulatedLaunch<'a> {
    pub kernel: &'a str,
    /// In the kernel's argument order.
    pub buffers: &'a [*mut u8],
    pub dims: &'a [i64],
    pub cells: Range<i64>,
    pub blocks: u32,
    pub threads: u32,
    pub order: Order,
}

/// Compiles the kernels' GPU code for this CPU and hands it to `body`.
pub fn with_emulator<R>(kernels: &[Kernel], body: impl FnOnce(&Emulator) -> R) -> Result<R> {
    let context = Context::create();
    let ir = emulate::rewrite(
        &ptx::nvvm(kernels, &context)?.print_to_string().to_string(),
        kernels,
    );
    let buffer = MemoryBuffer::create_from_memory_range_copy(ir.as_bytes(), "emulated");
    let module = context
        .create_module_from_ir(buffer)
        .map_err(|e| Error::llvm("emulation", e))?;
    let engine = module
        .create_jit_execution_engine(OptimizationLevel::Less)
        .map_err(|e| Error::llvm("emulation", e))?;
    let functions: [(&str, usize); 5] = [
        ("emulated.tid", emulate::tid as *const () as usize),
        ("emulated.ntid", emulate::ntid as *const () as usize),
        ("emulated.ctaid", emulate::ctaid as *const () as usize),
        ("emulated.nctaid", emulate::nctaid as *const () as usize),
        ("emulated.barrier", emulate::barrier as *const () as usize),
    ];
    for (name, address) in functions {
        if let Some(f) = module.get_function(name) {
            engine.add_global_mapping(&f, address);
        }
    }
    let scratch = kernels
        .iter()
        .map(|k| (k.name.clone(), ptx::ptx_scratch_bytes(k)))
        .collect();
    Ok(body(&Emulator { engine, scratch }))
}

/// What the emulated threads share. The pointers are valid for the whole launch, and the threads take turns.
#[derive(Clone, Copy)]
struct Shared {
    buffers: *const *mut u8,
    dims: *const i64,
    scratch: *mut u8,
}

// SAFETY: only one emulated thread runs at a time (`emulate::Turns`), and all end before the launch does.
unsafe impl Send for Shared {}

impl Emulator<'_> {
    /// Runs one launch to its end.
    ///
    /// # Safety
    /// There must be as many buffers and sizes as the kernel has, and the buffers as large as it assumes.
    pub unsafe fn run(&self, launch: &EmulatedLaunch) -> Result<()> {
        let size = self
            .scratch
            .iter()
            .find(|(n, _)| n == launch.kernel)
            .map(|(_, s)| *s);
        let size =
            size.ok_or_else(|| Error::llvm("emulation", format!("no kernel `{}`", launch.kernel)))?;
        let address = self
            .engine
            .get_function_address(&format!("{}.call", launch.kernel))
            .map_err(|e| Error::llvm("emulation", e))?;
        // SAFETY: `emulate::rewrite` gave the function this signature.
        let call = unsafe { std::mem::transmute::<usize, seqc_abi::KernelFn>(address) };
        let mut scratch = vec![u64::MAX; size / 8 * launch.blocks as usize + 8];
        let shared = Shared {
            buffers: launch.buffers.as_ptr(),
            dims: launch.dims.as_ptr(),
            scratch: scratch.as_mut_ptr().cast(),
        };
        let turns = Arc::new(Turns::new(launch.threads as usize, launch.order));
        let (lo, hi) = (launch.cells.start, launch.cells.end);
        let (threads, blocks) = (launch.threads, launch.blocks);
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads)
                .map(|t| {
                    let turns = turns.clone();
                    scope.spawn(move || {
                        let shared = shared;
                        emulate::run_thread(t, threads, blocks, &turns, || {
                            // SAFETY: as the caller promised.
                            unsafe { call(shared.buffers, shared.dims, lo, hi, shared.scratch) }
                        })
                    })
                })
                .collect();
            let failed = || Err(Error::llvm("emulation", "a thread panicked"));
            running
                .into_iter()
                .try_for_each(|t| t.join().unwrap_or_else(|_| failed()))
        })
    }
}
