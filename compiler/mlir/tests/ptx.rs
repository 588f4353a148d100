//! GPU code of the sample kernels: assembled by ptxas where there is one, and run by emulation.

mod common;
#[path = "common/samples.rs"]
mod samples;
use common::Data;
use seqc_mlir::{EmulatedLaunch, Order, emit_ptx, with_emulator};
use seqc_schedule::ir::Kernel;
use std::path::PathBuf;
use std::process::Command;

/// `bin/ptxas` of SEQC_CUDA_TOOLKIT, or of the folder that scripts/ptxas.sh makes.
fn ptxas() -> Option<PathBuf> {
    let here = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/cuda"));
    let folder = std::env::var_os("SEQC_CUDA_TOOLKIT").map_or(here, PathBuf::from);
    Some(folder.join("bin/ptxas")).filter(|p| p.exists())
}

#[test]
fn ptxas_accepts_the_samples() {
    let kernels: Vec<Kernel> = samples::all().into_iter().map(|s| s.kernel).collect();
    for chip in ["sm_80", "sm_90a"] {
        let ptx = emit_ptx(&kernels, chip).unwrap();
        assert!(ptx.contains(&format!(".target {chip}")) && ptx.contains(".entry attention"));
        let Some(ptxas) = ptxas() else {
            eprintln!("SKIPPED: no ptxas; run scripts/ptxas.sh or set SEQC_CUDA_TOOLKIT");
            continue;
        };
        let folder = tempfile::tempdir().unwrap();
        let (source, cubin) = (folder.path().join("k.ptx"), folder.path().join("k.cubin"));
        std::fs::write(&source, &ptx).unwrap();
        let output = Command::new(ptxas).args(["-v", "-arch", chip]).arg(&source).arg("-o").arg(&cubin).output().unwrap();
        let says = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{says}\n{ptx}");
        let spills = says.lines().filter(|l| l.contains("spill") && !l.contains(" 0 bytes spill stores"));
        assert_eq!(spills.count(), 0, "{says}");
    }
}

/// Both orders of turns, few and many threads, fewer blocks than cells and more.
#[test]
fn emulated_samples_agree_with_plain_loops() {
    let samples = samples::all();
    let kernels: Vec<Kernel> = samples.iter().map(|s| s.kernel.clone()).collect();
    with_emulator(&kernels, |emulator| {
        for s in &samples {
            for (blocks, threads, order) in
                [(2, 7, Order::Ascending), (9, 16, Order::Descending), (1, 1, Order::Ascending)]
            {
                let mut data = s.data.clone();
                let buffers: Vec<*mut u8> = data.iter_mut().map(Data::pointer).collect();
                let launch = EmulatedLaunch {
                    kernel: &s.kernel.name,
                    buffers: &buffers,
                    dims: &s.dims,
                    cells: 0..s.cells,
                    blocks,
                    threads,
                    order,
                };
                unsafe { emulator.run(&launch).unwrap() };
                s.check(&data);
            }
        }
    })
    .unwrap();
}
