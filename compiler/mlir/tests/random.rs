//! Random kernels: as CPU code and as emulated GPU code they agree with the schedule's interpreter, and kernels
//! without meaning are errors, not panics.

mod common;
use seqc_mlir::{CpuTarget, EmulatedLaunch, Order, emit_mlir_for, with_emulator};
use seqc_schedule::interp::{Data, of_bf16};
use seqc_schedule::ir::{Elem, Kernel};
use seqc_schedule::testing::{Case, HALF, any_kernel, valid_case};

const CASES: u64 = 24;
const SIZE: usize = 6;

/// Random kernels, each once more in narrow memory.
fn cases() -> Vec<Case> {
    let named = |mut case: Case, name: String| {
        case.kernel.name = name;
        case
    };
    (0..CASES)
        .flat_map(|seed| {
            let case = valid_case(seed, SIZE);
            let narrow = named(case.narrow(8), format!("narrow{seed}"));
            [named(case, format!("case{seed}")), narrow]
        })
        .collect()
}

fn from(data: &Data) -> common::Data {
    match data {
        Data::F32(v) => common::Data::F(v.clone()),
        Data::F64(v) => common::Data::F(v.iter().map(|&x| x as f32).collect()),
        Data::I32(v) => common::Data::I(v.clone()),
        Data::Bf16(v) => common::Data::H(v.clone()),
    }
}

fn cells(case: &Case) -> i64 {
    use seqc_schedule::ir::Ix;
    let extent = |ix: &Ix| match ix {
        Ix::Const(n) => *n,
        Ix::Dim(d) => case.dims[*d as usize],
        other => panic!("an extent that this test cannot evaluate: {other:?}"),
    };
    case.kernel.grid.iter().map(|(_, e)| extent(e)).product()
}

fn check(case: &Case, got: &[common::Data], what: &str) {
    let (want, bound) = case.expected().unwrap();
    for (b, (got, want)) in got.iter().zip(&want).enumerate() {
        let got: Vec<f64> = match got {
            common::Data::F(v) => v.iter().map(|&x| f64::from(x)).collect(),
            common::Data::I(v) => v.iter().map(|&x| f64::from(x)).collect(),
            common::Data::H(v) => v.iter().map(|&x| of_bf16(x)).collect(),
        };
        let half = if case.kernel.args[b].elem == Elem::Bf16 {
            HALF
        } else {
            0.0
        };
        let bound = bound + half;
        for (i, (g, w)) in got.iter().zip(want.to_f64()).enumerate() {
            let same = (g - w).abs() <= bound || (g.is_nan() && w.is_nan());
            assert!(
                same,
                "{what} of {}: buffer {b}[{i}] is {g}, not {w} ± {bound:e}\n{:#?}",
                case.kernel.name, case.kernel
            );
        }
    }
}

#[test]
fn cpu_code_agrees_with_the_interpreter() {
    let cases = cases();
    let kernels: Vec<Kernel> = cases.iter().map(|c| c.kernel.clone()).collect();
    let loaded = common::load(&kernels);
    for case in &cases {
        let mut data: Vec<common::Data> = case.bufs.iter().map(from).collect();
        loaded.run(&case.kernel, &mut data, &case.dims, 0, cells(case));
        check(case, &data, "CPU code");
    }
}

#[test]
fn gpu_code_agrees_with_the_interpreter() {
    let cases = cases();
    let kernels: Vec<Kernel> = cases.iter().map(|c| c.kernel.clone()).collect();
    with_emulator(&kernels, |emulator| {
        for case in &cases {
            for (threads, order) in [(5, Order::Ascending), (8, Order::Descending)] {
                let mut data: Vec<common::Data> = case.bufs.iter().map(from).collect();
                let buffers: Vec<*mut u8> = data.iter_mut().map(common::Data::pointer).collect();
                let launch = EmulatedLaunch {
                    kernel: &case.kernel.name,
                    buffers: &buffers,
                    dims: &case.dims,
                    cells: 0..cells(case),
                    blocks: 2,
                    threads,
                    order,
                };
                // SAFETY: as many buffers and sizes as the kernel has, as large as it assumes.
                unsafe { emulator.run(&launch).unwrap() };
                check(case, &data, "GPU code");
            }
        }
    })
    .unwrap();
}

#[test]
fn meaningless_kernels_do_not_panic() {
    let mut errors = 0;
    for seed in 0..3000 {
        let kernel = any_kernel(seed, 12);
        errors += u32::from(emit_mlir_for(&[kernel], &CpuTarget::named("x86-64-v3")).is_err());
    }
    assert!(errors > 1000);
}
