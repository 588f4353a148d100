//! Kernels as the texts and files of a target, through the MLIR back end.

use crate::Result;
use crate::stage::Stage;
use crate::target::Target;
use seqc_schedule::ir::Kernel;
use std::path::Path;

/// The text of a stage beyond the schedule.
#[cfg(feature = "mlir")]
pub fn text(stage: Stage, kernels: &[Kernel], target: Target) -> Result<String> {
    use seqc_mlir::{Show, emit_gpu_llvm, emit_gpu_mlir, emit_mlir_for, emit_ptx, show_cpu};
    let show = Show {
        llvm: stage == Stage::Llvm,
        asm: stage == Stage::Asm,
    };
    let text = match (stage, target) {
        (Stage::Mlir, Target::Cuda(_)) => emit_gpu_mlir(kernels),
        (Stage::Mlir, _) => emit_mlir_for(kernels, &cpu(target)?),
        (Stage::Llvm, Target::Cuda(gpu)) => emit_gpu_llvm(kernels, gpu),
        (Stage::Llvm, _) => show_cpu(kernels, &cpu(target)?, show).map(|c| c.llvm),
        (Stage::Asm, Target::Host | Target::Cpu(_)) => {
            show_cpu(kernels, &cpu(target)?, show).map(|c| c.asm)
        }
        (Stage::Ptx, Target::Cuda(gpu)) => emit_ptx(kernels, gpu),
        _ => {
            let what = format!("there is no stage `{}` for target `{target}`", stage.name());
            return Err(crate::Error::Other(what));
        }
    };
    text.map_err(|e| crate::other("mlir", e))
}

/// Writes the code of the kernels into a folder: `kernels.so`, or `kernels.ptx` for a GPU.
#[cfg(feature = "mlir")]
pub fn write(kernels: &[Kernel], target: Target, folder: &Path) -> Result<()> {
    use crate::other;
    if let Target::Cuda(_) = target {
        let at = folder.join("kernels.ptx");
        let ptx = text(Stage::Ptx, kernels, target)?;
        return std::fs::write(&at, ptx).map_err(|e| other(&at.display().to_string(), e));
    }
    let compiled = seqc_mlir::compile_cpu(kernels, &cpu(target)?).map_err(|e| other("mlir", e))?;
    seqc_mlir::link_shared(&compiled.object, &folder.join("kernels.so"))
        .map_err(|e| other("mlir", e))
}

#[cfg(feature = "mlir")]
fn cpu(target: Target) -> Result<seqc_mlir::CpuTarget> {
    match target {
        Target::Cpu(name) => Ok(seqc_mlir::CpuTarget::named(name)),
        _ => seqc_mlir::CpuTarget::host().map_err(|e| crate::other("mlir", e)),
    }
}

/// What code for the target depends on besides the target's name: the host's CPU and its features.
#[cfg(feature = "mlir")]
pub fn identity(target: Target) -> Result<String> {
    let host = match target {
        Target::Host => cpu(target)?,
        _ => return Ok(target.to_string()),
    };
    Ok(format!("cpu={} {}", host.cpu, host.features))
}

#[cfg(not(feature = "mlir"))]
pub fn text(_: Stage, _: &[Kernel], _: Target) -> Result<String> {
    Err(absent())
}

#[cfg(not(feature = "mlir"))]
pub fn write(_: &[Kernel], _: Target, _: &Path) -> Result<()> {
    Err(absent())
}

#[cfg(not(feature = "mlir"))]
pub fn identity(target: Target) -> Result<String> {
    Ok(target.to_string())
}

#[cfg(not(feature = "mlir"))]
fn absent() -> crate::Error {
    crate::Error::Other(
        "this seqc was built without its MLIR back end (feature `mlir`), which makes the stages from `mlir` on \
         and artifacts"
            .into(),
    )
}
