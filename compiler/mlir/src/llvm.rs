//! Optimisation and code generation through inkwell.

use crate::error::{Error, Result};
use inkwell::OptimizationLevel;
use inkwell::attributes::AttributeLoc;
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{
    CodeModel, FileType, InitializationConfig, RelocMode, Target, TargetMachine, TargetTriple,
};
use std::sync::Once;

/// A target machine for a triple, CPU and feature string.
pub(crate) fn machine(triple: &TargetTriple, cpu: &str, features: &str) -> Result<TargetMachine> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        Target::initialize_x86(&InitializationConfig::default());
        Target::initialize_nvptx(&InitializationConfig::default());
    });
    let target = Target::from_triple(triple).map_err(|e| Error::llvm("target", e))?;
    target
        .create_target_machine(
            triple,
            cpu,
            features,
            OptimizationLevel::Aggressive,
            RelocMode::PIC,
            CodeModel::Default,
        )
        .ok_or_else(|| Error::llvm("target", format!("no machine for {cpu}")))
}

/// Marks every defined function as compiled for the CPU; LLVM decides by function, not by module.
pub(crate) fn set_target(context: &Context, module: &Module, attributes: &[(&str, &str)]) {
    for function in module
        .get_functions()
        .filter(|f| f.count_basic_blocks() > 0)
    {
        for (key, value) in attributes {
            function.add_attribute(
                AttributeLoc::Function,
                context.create_string_attribute(key, value),
            );
        }
    }
}

/// LLVM's O2 without its own vectorisers: vectors are explicit in what we print. On a CPU so are the short loops
/// that are worth unrolling, and to leave LLVM's unrolling out halves the compile time.
pub(crate) fn optimize(module: &Module, machine: &TargetMachine, unroll: bool) -> Result<()> {
    let options = PassBuilderOptions::create();
    options.set_loop_vectorization(false);
    options.set_loop_slp_vectorization(false);
    options.set_loop_interleaving(false);
    options.set_loop_unrolling(unroll);
    module
        .run_passes("default<O2>", machine, options)
        .map_err(|e| Error::llvm("optimizer", e))
}

/// Machine code: an object file or assembly.
pub(crate) fn emit(module: &Module, machine: &TargetMachine, kind: FileType) -> Result<Vec<u8>> {
    let buffer = machine
        .write_to_memory_buffer(module, kind)
        .map_err(|e| Error::llvm("code generator", e))?;
    let bytes = buffer.as_slice();
    // LLVM counts a terminating zero that is not part of the file.
    Ok(match (kind, bytes.split_last()) {
        (FileType::Assembly, Some((0, text))) => text.to_vec(),
        _ => bytes.to_vec(),
    })
}
