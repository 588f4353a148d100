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
        let output = Command::new(ptxas)
            .args(["-v", "-arch", chip])
            .arg(&source)
            .arg("-o")
            .arg(&cubin)
            .output()
            .unwrap();
        let says = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{says}\n{ptx}");
        let spills = says
            .lines()
            .filter(|l| l.contains("spill") && !l.contains(" 0 bytes spill stores"));
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
            for (blocks, threads, order) in [
                (2, 7, Order::Ascending),
                (9, 16, Order::Descending),
                (1, 1, Order::Ascending),
            ] {
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
                // SAFETY: as many buffers and sizes as the kernel has, as large as it assumes.
                unsafe { emulator.run(&launch).unwrap() };
                s.check(&data);
            }
        }
    })
    .unwrap();
}

/// A kernel that breaks the IR's rule (an iteration of `Par` reads what another writes) gives another result in
/// each order of turns: so would a missing barrier.
#[test]
fn races_show() {
    use common::*;
    use seqc_schedule::ir::*;
    let next = st(
        A(0),
        add(v(0), c(1)),
        bin(Binary::Add, ld(A(0), v(0)), num(1.0)),
    );
    let kernel = Kernel {
        name: "race".into(),
        args: vec![arg("x", Access::ReadWrite)],
        dims: vec![],
        grid: vec![],
        locals: vec![],
        body: vec![each(LoopKind::Par, 0, c(0), c(8), vec![next])],
    };
    let mut results = vec![];
    with_emulator(std::slice::from_ref(&kernel), |emulator| {
        for order in [Order::Ascending, Order::Descending] {
            let mut data = [Data::F(vec![0.0; 9])];
            let buffers = [data[0].pointer()];
            let (kernel, dims) = (kernel.name.as_str(), &[][..]);
            let launch = EmulatedLaunch {
                kernel,
                buffers: &buffers,
                dims,
                cells: 0..1,
                blocks: 1,
                threads: 8,
                order,
            };
            // SAFETY: as many buffers and sizes as the kernel has, as large as it assumes.
            unsafe { emulator.run(&launch).unwrap() };
            results.push(data[0].f().to_vec());
        }
    })
    .unwrap();
    assert_eq!(results[0], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    assert_eq!(results[1], [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
}
