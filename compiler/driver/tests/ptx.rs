//! GPU code of the example models, forward and gradient: assembled by ptxas where there is one, and run on this CPU
//! by the emulator against the f64 interpreter.

mod models;

use models::{MODELS, RATES, agree, compiled, definition, sizes, truth, values};
use seqc_driver::code;
use seqc_driver::passes::Form;
use seqc_driver::stage::Stage;
use seqc_driver::target::{GPUS, Target};
use seqc_hir::Elaborated;
use seqc_mlir::{EmulatedLaunch, Emulator, Order, with_emulator};
use seqc_schedule::interp::Data;
use seqc_schedule::lower::Lowered;
use seqc_schedule::run_plan::{Run, run_plan_by};
use std::path::PathBuf;
use std::process::Command;

const GPU: Target = Target::Cuda("sm_90a");

fn plans(e: &Elaborated) -> [(&'static str, bool, Lowered); 2] {
    [("forward", false), ("gradient", true)]
        .map(|(name, grad)| (name, grad, compiled(e, Form::Chunked, grad, GPU.lanes())))
}

/// `bin/ptxas` of SEQC_CUDA_TOOLKIT, or of the folder that scripts/ptxas.sh makes.
fn ptxas() -> Option<PathBuf> {
    let folder = std::env::var_os("SEQC_CUDA_TOOLKIT")
        .map_or_else(|| models::file("target/cuda"), PathBuf::from);
    Some(folder.join("bin/ptxas")).filter(|p| p.exists())
}

fn assemble(ptxas: &PathBuf, what: &str, low: &Lowered, gpu: &'static str) {
    let ptx = code::text(Stage::Ptx, &low.kernels, Target::Cuda(gpu)).unwrap();
    let entries = ptx.matches(".entry").count();
    assert_eq!(entries, low.kernels.len(), "{what}");
    let folder = tempfile::tempdir().unwrap();
    let (source, cubin) = (folder.path().join("k.ptx"), folder.path().join("k.cubin"));
    std::fs::write(&source, &ptx).unwrap();
    let output = Command::new(ptxas)
        .args(["-arch", gpu])
        .arg(&source)
        .arg("-o")
        .arg(&cubin)
        .output()
        .unwrap();
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}, {gpu}: {says}");
}

#[test]
fn ptxas_accepts_every_kernel() {
    let Some(ptxas) = ptxas() else {
        eprintln!("SKIPPED: no ptxas; run scripts/ptxas.sh or set SEQC_CUDA_TOOLKIT");
        return;
    };
    for item in MODELS.into_iter().chain(RATES) {
        for (name, _, low) in plans(&item.elaborated()) {
            for gpu in ["sm_80", "sm_90a"] {
                assemble(&ptxas, &format!("{} {name}", item.name), &low, gpu);
            }
        }
    }
}

/// Every architecture that the command takes is one that LLVM and ptxas know.
#[test]
fn every_gpu_of_the_list_is_known() {
    let low = compiled(&MODELS[1].elaborated(), Form::Chunked, false, GPU.lanes());
    for gpu in GPUS {
        let one = Lowered {
            kernels: low.kernels[..1].to_vec(),
            ..low.clone()
        };
        let ptx = code::text(Stage::Ptx, &one.kernels, Target::Cuda(gpu)).unwrap();
        assert!(ptx.contains(&format!(".target {gpu}")), "{gpu}");
        if let Some(ptxas) = ptxas() {
            assemble(&ptxas, "one kernel", &one, gpu);
        }
    }
}

/// One launch over blocks and threads that take turns; which of them is first differs from launch to launch.
fn emulate(emulator: &Emulator, low: &Lowered, run: Run, pool: &mut [Data]) -> Result<(), String> {
    let pointer = |d: &mut Data| match d {
        Data::F32(v) => v.as_mut_ptr().cast::<u8>(),
        Data::F64(v) => v.as_mut_ptr().cast(),
        Data::I32(v) => v.as_mut_ptr().cast(),
        Data::Bf16(v) => v.as_mut_ptr().cast(),
    };
    let all: Vec<*mut u8> = pool.iter_mut().map(pointer).collect();
    let buffers: Vec<*mut u8> = run.buffers.iter().map(|b| all[*b]).collect();
    let launch = EmulatedLaunch {
        kernel: &low.kernels[run.kernel].name,
        buffers: &buffers,
        dims: &run.dims,
        cells: 0..run.cells,
        blocks: 3,
        threads: 4,
        order: [Order::Ascending, Order::Descending][run.kernel % 2],
    };
    // SAFETY: the plan is valid and its buffers have the sizes that it says; kernels see f32 and i32 only.
    unsafe { emulator.run(&launch) }.map_err(|e| e.to_string())
}

fn f32s(values: Vec<f64>) -> Data {
    Data::F32(values.iter().map(|x| *x as f32).collect())
}

#[test]
fn emulated_models_and_their_gradients() {
    for item in MODELS.into_iter().chain(RATES) {
        let e = item.elaborated();
        for (name, grad, low) in plans(&e) {
            let meant = definition(&e, grad);
            with_emulator(&low.kernels, |emulator| {
                for t in [1, 17, 64, 65] {
                    let sizes = sizes(t);
                    let values = values(&low.plan, &sizes);
                    let want = truth(&meant, &low.plan, &sizes, &values);
                    let got = run_plan_by(&low.plan, &sizes, &values, f32s, &mut |run, pool| {
                        emulate(emulator, &low, run, pool)
                    })
                    .unwrap_or_else(|why| panic!("{} {name}: {why}", item.name));
                    agree(&format!("{} {name}, emulated", item.name), t, &got, &want);
                }
            })
            .unwrap();
        }
    }
}
