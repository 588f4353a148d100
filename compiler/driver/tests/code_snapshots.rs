//! What the code generator makes of one kernel of each mixer of the examples, for a fixed CPU and a fixed GPU.

mod models;

use models::{MIXERS, compiled};
use seqc_driver::code;
use seqc_driver::passes::Form;
use seqc_driver::stage::Stage;
use seqc_driver::target::Target;
use seqc_schedule::ir::Kernel;

/// Kernels of more lines are too long to be read in a review.
const LINES: usize = 24;

/// The longest kernel that is short enough.
fn representative(kernels: Vec<Kernel>) -> Kernel {
    let lines = |k: &Kernel| k.to_string().lines().count();
    let short = kernels.into_iter().filter(|k| lines(k) <= LINES);
    short.max_by_key(lines).expect("a short kernel")
}

#[test]
fn one_kernel_of_each_mixer() {
    let (cpu, gpu) = (Target::Cpu("x86-64-v3"), Target::Cuda("sm_90a"));
    for item in MIXERS {
        let low = compiled(&item.elaborated(), Form::Chunked, false, cpu.lanes());
        let kernel = [representative(low.kernels)];
        for (stage, target) in [
            (Stage::Mlir, cpu),
            (Stage::Llvm, cpu),
            (Stage::Asm, cpu),
            (Stage::Ptx, gpu),
        ] {
            let text = code::text(stage, &kernel, target).unwrap_or_else(|e| panic!("{e}"));
            insta::assert_snapshot!(format!("{}.{}", item.name, stage.name()), text);
        }
    }
}
