//! Kernels to machine code of a CPU: MLIR text, MLIR passes, LLVM O2, one object file.
//!
//! Kernels are dealt to a few threads, each with its own contexts; their objects are joined by the linker.

use crate::emit::{self, Lanes};
use crate::error::{Error, Result};
use crate::passes::{Session, TO_LLVM};
use crate::text::Helpers;
use crate::{link, llvm, native};
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::targets::{FileType, TargetMachine, TargetTriple};
use seqc_schedule::ir::Kernel;

/// The CPU to compile for: an x86-64 with AVX2 and FMA or more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CpuTarget {
    /// LLVM's name, such as `znver4` or `x86-64-v3`.
    pub cpu: String,
    /// LLVM's feature string; may be empty.
    pub features: String,
    pub lanes: Lanes,
}

/// CPUs whose kernels use 16 lanes, by LLVM's names.
const WIDE: [&str; 16] = [
    "x86-64-v4",
    "skylake-avx512",
    "skx",
    "cascadelake",
    "cooperlake",
    "cannonlake",
    "icelake-client",
    "icelake-server",
    "tigerlake",
    "rocketlake",
    "sapphirerapids",
    "emeraldrapids",
    "graniterapids",
    "diamondrapids",
    "znver4",
    "znver5",
];

impl CpuTarget {
    /// The CPU that this runs on. Error: it lacks AVX2 or FMA.
    pub fn host() -> Result<CpuTarget> {
        let text = |s: inkwell::support::LLVMString| s.to_str().unwrap_or_default().to_string();
        let (cpu, features) = (
            text(TargetMachine::get_host_cpu_name()),
            text(TargetMachine::get_host_cpu_features()),
        );
        let has = |f: &str| features.split(',').any(|x| x == f);
        if !has("+avx2") || !has("+fma") {
            return Err(Error::llvm(
                "target",
                format!("this CPU ({cpu}) has no AVX2 and FMA"),
            ));
        }
        let lanes = lanes(has("+avx512f") && has("+avx512vl") && has("+avx512dq"));
        Ok(CpuTarget {
            cpu,
            features,
            lanes,
        })
    }

    /// A CPU by LLVM's name; at least `x86-64-v3`.
    pub fn named(cpu: &str) -> CpuTarget {
        CpuTarget {
            cpu: cpu.into(),
            features: String::new(),
            lanes: lanes(WIDE.contains(&cpu)),
        }
    }
}

fn lanes(wide: bool) -> Lanes {
    if wide {
        Lanes {
            width: 16,
            registers: 32,
        }
    } else {
        Lanes {
            width: 8,
            registers: 16,
        }
    }
}

/// Which texts [`compile_cpu_with`] returns beside the object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Show {
    pub llvm: bool,
    pub asm: bool,
}

/// The stages of a compilation. `llvm` (optimised) and `asm` are empty unless asked for.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    pub mlir: String,
    pub llvm: String,
    pub asm: String,
    /// An ELF relocatable with one exported symbol per kernel, of type `seqc_abi::KernelFn`.
    pub object: Vec<u8>,
}

/// Prints the kernels as one MLIR module for the target.
pub fn emit_mlir_for(kernels: &[Kernel], target: &CpuTarget) -> Result<String> {
    let mut helpers = Helpers::default();
    let mut text = String::new();
    for kernel in kernels {
        text.push_str(&emit::cpu::print(kernel, &mut helpers, target.lanes)?);
    }
    Ok(text + &helpers.into_text())
}

/// Prints the kernels as one MLIR module for CPUs with eight lanes.
pub fn emit_mlir(kernels: &[Kernel]) -> Result<String> {
    emit_mlir_for(kernels, &CpuTarget::named("x86-64-v3"))
}

/// Compiles the kernels; returns the MLIR and the object.
pub fn compile_cpu(kernels: &[Kernel], target: &CpuTarget) -> Result<Compiled> {
    compile_cpu_with(kernels, target, Show::default())
}

/// Compiles the kernels; `show` says which other stages to return.
pub fn compile_cpu_with(kernels: &[Kernel], target: &CpuTarget, show: Show) -> Result<Compiled> {
    let parts = deal(kernels);
    let mut done = vec![];
    std::thread::scope(|scope| {
        let threads: Vec<_> = parts[1..]
            .iter()
            .map(|p| scope.spawn(|| compile_part(p, target, show)))
            .collect();
        done.push(compile_part(&parts[0], target, show));
        for t in threads {
            done.push(
                t.join()
                    .unwrap_or_else(|_| Err(Error::llvm("code generator", "a thread panicked"))),
            );
        }
    });
    let mut all = Compiled::default();
    let mut objects = vec![];
    for part in done {
        let part = part?;
        all.mlir.push_str(&part.mlir);
        all.llvm.push_str(&part.llvm);
        all.asm.push_str(&part.asm);
        objects.push(part.object);
    }
    if objects.len() > 1 {
        // The parts repeat the shared functions; a reader wants one module.
        all.mlir = emit_mlir_for(kernels, target)?;
    }
    all.object = link::join(objects)?;
    Ok(all)
}

/// Parts of about equal work, at most one per processor. A part repeats the shared functions that it calls, so
/// few kernels stay together.
fn deal(kernels: &[Kernel]) -> Vec<Vec<Kernel>> {
    let processors = std::thread::available_parallelism().map_or(1, |n| n.get());
    let count = processors.min(8).min(kernels.len() / 2).max(1);
    let mut sorted: Vec<(usize, &Kernel)> = kernels
        .iter()
        .map(|k| (format!("{:?}", k.body).len(), k))
        .collect();
    sorted.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    let mut parts = vec![(0, vec![]); count];
    for (size, kernel) in sorted {
        if let Some((total, part)) = parts.iter_mut().min_by_key(|(total, _)| *total) {
            *total += size;
            part.push(kernel.clone());
        }
    }
    parts.into_iter().map(|(_, part)| part).collect()
}

fn compile_part(kernels: &[Kernel], target: &CpuTarget, show: Show) -> Result<Compiled> {
    let context = Context::create();
    let part = Optimized::new(kernels, target, &context)?;
    let object = llvm::emit(&part.code, &part.machine, FileType::Object)?;
    Ok(Compiled {
        object,
        ..part.texts(show)?
    })
}

/// The texts of the kernels, as one module whatever the number of processors; no object is made.
pub fn show_cpu(kernels: &[Kernel], target: &CpuTarget, show: Show) -> Result<Compiled> {
    let context = Context::create();
    Optimized::new(kernels, target, &context)?.texts(show)
}

/// Kernels as optimised LLVM IR.
struct Optimized<'c> {
    mlir: String,
    code: Module<'c>,
    machine: TargetMachine,
}

impl<'c> Optimized<'c> {
    fn new(kernels: &[Kernel], target: &CpuTarget, context: &'c Context) -> Result<Optimized<'c>> {
        let mlir = emit_mlir_for(kernels, target)?;
        let session = Session::new();
        let mut module = session.parse(&mlir)?;
        session.run(&mut module, TO_LLVM)?;
        let code = native::translate(module.as_operation(), context)?;
        let triple = TargetTriple::create("x86_64-unknown-linux-gnu");
        let machine = llvm::machine(&triple, &target.cpu, &target.features)?;
        code.set_triple(&triple);
        code.set_data_layout(&machine.get_target_data().get_data_layout());
        let features = match (target.lanes.width, target.features.as_str()) {
            (16, "") => "-prefer-256-bit".to_string(),
            (16, f) => format!("{f},-prefer-256-bit"),
            (_, f) => f.to_string(),
        };
        let vectors = (target.lanes.width * 32).to_string();
        let attributes = [
            ("target-cpu", target.cpu.as_str()),
            ("target-features", &features),
            ("prefer-vector-width", &vectors),
        ];
        llvm::set_target(context, &code, &attributes);
        code.verify().map_err(|e| Error::llvm("verifier", e))?;
        llvm::optimize(&code, &machine, false)?;
        Ok(Optimized {
            mlir,
            code,
            machine,
        })
    }

    fn texts(self, show: Show) -> Result<Compiled> {
        let mut compiled = Compiled::default();
        if show.llvm {
            compiled.llvm = self.code.print_to_string().to_string();
        }
        if show.asm {
            let text = llvm::emit(&self.code, &self.machine, FileType::Assembly)?;
            compiled.asm = String::from_utf8_lossy(&text).into_owned();
        }
        compiled.mlir = self.mlir;
        Ok(compiled)
    }
}
