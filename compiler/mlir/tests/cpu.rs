//! Kernels built by hand, compiled for this CPU, against plain loops in f64.

mod common;
#[path = "common/samples.rs"]
mod samples;
use common::*;
use seqc_mlir::{CpuTarget, Show, compile_cpu_with, emit_gpu_mlir, emit_mlir, emit_mlir_for};
use seqc_schedule::ir::*;
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn samples_agree_with_plain_loops() {
    let samples = samples::all();
    let kernels: Vec<Kernel> = samples.iter().map(|s| s.kernel.clone()).collect();
    for target in [CpuTarget::host().unwrap(), sixteen_lanes()] {
        let loaded = load_for(&kernels, &target);
        for s in &samples {
            let mut data = s.data.clone();
            loaded.run(&s.kernel, &mut data, &s.dims, 0, s.cells);
            s.check(&data);
        }
    }
}

#[test]
fn a_launch_may_be_split_anywhere() {
    let s = samples::attention(45);
    let loaded = load(std::slice::from_ref(&s.kernel));
    let mut data = s.data.clone();
    for (lo, hi) in [(4, 6), (0, 1), (1, 4)] {
        loaded.run(&s.kernel, &mut data, &s.dims, lo, hi);
    }
    s.check(&data);
}

#[test]
fn every_number_of_rows() {
    let kernel = samples::axpy(0, 1).kernel;
    let loaded = load(std::slice::from_ref(&kernel));
    for t in [1, 7, 8, 9, 15, 16, 17, 31] {
        let s = samples::axpy(t, 2);
        let mut data = s.data.clone();
        loaded.run(&kernel, &mut data, &s.dims, 0, 2);
        s.check(&data);
    }
}

/// Errors, not panics, on kernels that break the IR's rules.
#[test]
fn broken_kernels_are_errors() {
    let with = |name: &str, body: Vec<Stmt>| Kernel {
        name: name.into(),
        args: vec![arg("x", Access::ReadWrite)],
        dims: vec![],
        grid: vec![],
        locals: vec![],
        body,
    };
    let cases = [
        with("a b", vec![]),
        with("", vec![]),
        with("unbound", vec![st(A(0), v(7), num(1.0))]),
        with("no_value", vec![st(A(0), c(0), val(3))]),
        with("no_buffer", vec![st(A(1), c(0), num(1.0))]),
        with("no_size", vec![st(A(0), d(0), num(1.0))]),
        with(
            "truth",
            vec![st(A(0), c(0), Expr::CmpIx(Cmp::Lt, c(0), d(0)))],
        ),
        with(
            "one_place",
            vec![each(
                LoopKind::Vec(8),
                0,
                c(0),
                c(8),
                vec![st(A(0), c(0), Expr::Index(v(0)))],
            )],
        ),
    ];
    for kernel in cases {
        let error = emit_mlir(std::slice::from_ref(&kernel))
            .unwrap_err()
            .to_string();
        assert!(error.contains("kernel"), "{error}");
    }
}

#[test]
fn printed_modules() {
    let axpy = samples::axpy(9, 3).kernel;
    insta::assert_snapshot!("axpy", emit_mlir(&[axpy]).unwrap());
    let scan = samples::scan(5).kernel;
    insta::assert_snapshot!("scan", emit_mlir(&[scan]).unwrap());
}

/// The stock tool parses and verifies what is printed, for both vector widths.
#[test]
fn stock_tools_accept_the_text() {
    let kernels: Vec<Kernel> = samples::all().into_iter().map(|s| s.kernel).collect();
    let cpus = [CpuTarget::named("x86-64-v3"), CpuTarget::named("x86-64-v4")];
    let mut texts: Vec<String> = cpus
        .iter()
        .map(|t| emit_mlir_for(&kernels, t).unwrap())
        .collect();
    texts.push(emit_gpu_mlir(&kernels).unwrap());
    for text in texts {
        let prefix = std::env::var("MLIR_SYS_220_PREFIX").unwrap_or("/usr/lib/llvm-22".into());
        let mut tool = Command::new(format!("{prefix}/bin/mlir-opt"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mlir-opt is part of the packages that scripts/setup.sh installs");
        tool.stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let output = tool.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn wide_vectors_and_stages() {
    let kernels = [samples::softmax(128).kernel, samples::attention(45).kernel];
    let show = Show {
        llvm: true,
        asm: true,
    };
    let c = compile_cpu_with(&kernels, &CpuTarget::named("znver4"), show).unwrap();
    assert!(
        c.asm.contains("zmm") && c.llvm.contains("define void @softmax128"),
        "{}",
        c.asm
    );
    assert_eq!(&c.object[..4], b"\x7fELF");
    let c = compile_cpu_with(&kernels, &CpuTarget::named("x86-64-v3"), show).unwrap();
    assert!(!c.asm.contains("zmm") && c.asm.contains("vfmadd"));
    // Nothing is left to a library, except the filling of memory.
    let outside = c
        .asm
        .lines()
        .find(|l| l.contains("@PLT") && !l.contains("memset") && !l.contains("memcpy"));
    assert_eq!(outside, None);
}

/// Forty kernels compile in seconds. Prints the time with `--nocapture`; the limit leaves room for a busy machine.
#[test]
fn compile_time() {
    let mut kernels = vec![];
    for i in 0..40 {
        let s = match i % 5 {
            0 => samples::softmax(40 + i),
            1 => samples::attention(45),
            2 => samples::scan(9),
            3 => samples::masks(19),
            _ => samples::convolution(31),
        };
        kernels.push(Kernel {
            name: format!("kernel{i}"),
            ..s.kernel
        });
    }
    let start = std::time::Instant::now();
    seqc_mlir::compile_cpu(&kernels, &CpuTarget::host().unwrap()).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!("{} kernels: {seconds:.2} s", kernels.len());
    assert!(seconds < 30.0);
}

/// Equal numbers give equal bits, in whatever lane, body or tail they are computed: what cancels on paper cancels.
#[test]
fn equal_rows_have_equal_bits() {
    let (rows, width) = (37, 3);
    let products = |row: Ix| {
        let at = add(mul(row, c(width)), v(1));
        let body = bin(Binary::Mul, ld(A(0), at), ld(A(1), v(1)));
        fold(FoldOp::Sum, 1, c(0), c(width), 1, body)
    };
    let third = || ld(A(1), c(2));
    let kernel = |name: &str, value: Expr| Kernel {
        name: name.into(),
        args: vec![
            arg("x", Access::Read),
            arg("w", Access::Read),
            arg("y", Access::Write),
        ],
        dims: vec!["t".into()],
        grid: vec![],
        locals: vec![],
        body: vec![each(
            LoopKind::Vec(16),
            0,
            c(0),
            d(0),
            vec![st(A(2), v(0), value)],
        )],
    };
    let x = || ld(A(0), mul(v(0), c(width)));
    let product = || bin(Binary::Mul, x(), third());
    let kernels = [
        kernel("sums", bin(Binary::Sub, products(v(0)), third())),
        kernel("plus", bin(Binary::Add, x(), product())),
        kernel("less", bin(Binary::Sub, product(), x())),
        kernel("from", bin(Binary::Sub, x(), product())),
        kernel(
            "both",
            bin(Binary::Sub, bin(Binary::Mul, x(), x()), product()),
        ),
        kernel("rest", bin(Binary::Rem, x(), third())),
    ];
    let row = [0.1f32, -2.7, 1.3];
    for target in [CpuTarget::host().unwrap(), sixteen_lanes()] {
        let loaded = load_for(&kernels, &target);
        for k in &kernels {
            let mut data = [
                Data::F(row.repeat(rows)),
                Data::F(vec![0.3, 0.7, -1.1]),
                Data::F(vec![f32::NAN; rows]),
            ];
            loaded.run(k, &mut data, &[rows as i64], 0, 1);
            let bits: Vec<u32> = data[2].f().iter().map(|y| y.to_bits()).collect();
            assert!(
                bits.iter().all(|b| *b == bits[0]),
                "{}: {:?}",
                k.name,
                data[2]
            );
        }
    }
}
