//! Kernels to PTX: the same text with the positions and barriers of the `nvvm` dialect, through LLVM's NVPTX.
//! Elementary functions are expansions here too, so no library of the toolkit is linked.

use crate::emit;
use crate::error::{Error, Result};
use crate::passes::{Session, TO_LLVM};
use crate::text::Helpers;
use crate::{llvm, native};
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::targets::{FileType, TargetMachine, TargetTriple};
use seqc_schedule::ir::Kernel;

/// Threads of a block that the generated code is meant for; any number is right.
pub const PTX_THREADS: u32 = 128;

/// Scratch bytes that each block needs in global memory: 0 when the locals fit in shared memory.
pub fn ptx_scratch_bytes(kernel: &Kernel) -> usize {
    if emit::gpu::locals_are_shared(kernel) {
        0
    } else {
        kernel.scratch_bytes()
    }
}

/// Prints the kernels as one MLIR module for a GPU.
pub fn emit_gpu_mlir(kernels: &[Kernel]) -> Result<String> {
    let mut helpers = Helpers::default();
    let mut text = String::new();
    for kernel in kernels {
        text.push_str(&emit::gpu::print(kernel, &mut helpers)?);
    }
    Ok(text + &helpers.into_text())
}

/// Compiles the kernels to PTX for a chip such as `sm_80` or `sm_90a`. One `.entry` per kernel; its parameters
/// are the buffers' pointers, the sizes (i64), `lo`, `hi` (i64) and a scratch pointer with
/// [`ptx_scratch_bytes`] for each block of the launch. Any one-dimensional grid and block are right.
pub fn emit_ptx(kernels: &[Kernel], chip: &str) -> Result<String> {
    let context = Context::create();
    let (module, machine) = optimized(kernels, chip, &context)?;
    let text = llvm::emit(&module, &machine, FileType::Assembly)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The optimised LLVM IR that [`emit_ptx`] makes PTX from.
pub fn emit_gpu_llvm(kernels: &[Kernel], chip: &str) -> Result<String> {
    let context = Context::create();
    let (module, _) = optimized(kernels, chip, &context)?;
    Ok(module.print_to_string().to_string())
}

fn optimized<'c>(
    kernels: &[Kernel],
    chip: &str,
    context: &'c Context,
) -> Result<(Module<'c>, TargetMachine)> {
    let module = nvvm(kernels, context)?;
    let triple = TargetTriple::create("nvptx64-nvidia-cuda");
    let machine = llvm::machine(&triple, chip, features(chip)?)?;
    module.set_triple(&triple);
    module.set_data_layout(&machine.get_target_data().get_data_layout());
    llvm::set_target(context, &module, &[("target-cpu", chip)]);
    llvm::optimize(&module, &machine, true)?;
    Ok((module, machine))
}

/// The kernels as LLVM IR with NVVM's intrinsics, not optimised.
pub(crate) fn nvvm<'c>(kernels: &[Kernel], context: &'c Context) -> Result<Module<'c>> {
    let session = Session::new();
    let mut module = session.parse(&emit_gpu_mlir(kernels)?)?;
    session.run(&mut module, TO_LLVM)?;
    let code = native::translate(module.as_operation(), context)?;
    code.verify().map_err(|e| Error::llvm("verifier", e))?;
    Ok(code)
}

/// The oldest PTX version that knows the chip and LLVM's intrinsics.
fn features(chip: &str) -> Result<&'static str> {
    let digits: String = chip
        .strip_prefix("sm_")
        .unwrap_or("")
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    match digits.parse::<u32>() {
        Ok(..70) => Err(Error::llvm(
            "target",
            format!("{chip} is too old: sm_70 is the first supported"),
        )),
        Ok(70..=80) => Ok("+ptx70"),
        Ok(81..90) => Ok("+ptx78"),
        Ok(90..100) => Ok("+ptx80"),
        Ok(_) => Ok("+ptx87"),
        Err(_) => Err(Error::llvm(
            "target",
            format!("{chip} names no GPU (such as sm_80 or sm_90a)"),
        )),
    }
}
