//! Building small kernels and running them from a freshly linked shared object.
#![allow(dead_code)]

use seqc_mlir::{CpuTarget, Lanes, compile_cpu, link_shared};
use seqc_schedule::ir::*;

/// A buffer of a launch.
#[derive(Clone, Debug)]
pub enum Data {
    F(Vec<f32>),
    I(Vec<i32>),
    H(Vec<u16>),
}

impl Data {
    pub fn f(&self) -> &[f32] {
        match self {
            Data::F(v) => v,
            _ => panic!("not floats"),
        }
    }

    pub fn i(&self) -> &[i32] {
        match self {
            Data::I(v) => v,
            _ => panic!("not integers"),
        }
    }

    pub fn pointer(&mut self) -> *mut u8 {
        match self {
            Data::F(v) => v.as_mut_ptr().cast(),
            Data::I(v) => v.as_mut_ptr().cast(),
            Data::H(v) => v.as_mut_ptr().cast(),
        }
    }
}

type Entry = unsafe extern "C" fn(*const *mut u8, *const i64, i64, i64, *mut u8);

/// Kernels compiled for this CPU and loaded.
pub struct Loaded {
    library: libloading::Library,
    _folder: tempfile::TempDir,
}

pub fn load(kernels: &[Kernel]) -> Loaded {
    load_for(kernels, &CpuTarget::host().unwrap())
}

/// This CPU, with code printed for 16 lanes: LLVM splits the vectors where registers are narrower.
pub fn sixteen_lanes() -> CpuTarget {
    CpuTarget {
        lanes: Lanes {
            width: 16,
            registers: 32,
        },
        ..CpuTarget::host().unwrap()
    }
}

pub fn load_for(kernels: &[Kernel], target: &CpuTarget) -> Loaded {
    let compiled = compile_cpu(kernels, target).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k.so");
    link_shared(&compiled.object, &path).unwrap();
    Loaded {
        // SAFETY: code that has just been compiled here.
        library: unsafe { libloading::Library::new(&path).unwrap() },
        _folder: folder,
    }
}

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([u8; 64]);

impl Loaded {
    /// Runs cells `lo..hi`; scratch starts as garbage.
    pub fn run(&self, kernel: &Kernel, data: &mut [Data], dims: &[i64], lo: i64, hi: i64) {
        let entry: libloading::Symbol<Entry> =
            // SAFETY: every kernel has this signature.
            unsafe { self.library.get(kernel.name.as_bytes()).unwrap() };
        let pointers: Vec<*mut u8> = data.iter_mut().map(Data::pointer).collect();
        let mut scratch = vec![Line([0xff; 64]); kernel.scratch_bytes() / 64 + 1];
        // SAFETY: the buffers have the sizes that the kernel assumes.
        unsafe {
            entry(
                pointers.as_ptr(),
                dims.as_ptr(),
                lo,
                hi,
                scratch.as_mut_ptr().cast(),
            )
        }
    }
}

pub fn run(kernel: &Kernel, data: &mut [Data], dims: &[i64], cells: i64) {
    load(std::slice::from_ref(kernel)).run(kernel, data, dims, 0, cells);
}

// ---- shorthand ----

pub fn c(n: i64) -> Ix {
    Ix::Const(n)
}
pub fn v(n: u32) -> Ix {
    Ix::Var(Var(n))
}
pub fn d(n: u32) -> Ix {
    Ix::Dim(n)
}
pub fn add(a: Ix, b: Ix) -> Ix {
    Ix::Add(Box::new(a), Box::new(b))
}
pub fn sub(a: Ix, b: Ix) -> Ix {
    Ix::Sub(Box::new(a), Box::new(b))
}
pub fn mul(a: Ix, b: Ix) -> Ix {
    Ix::Mul(Box::new(a), Box::new(b))
}
pub fn div(a: Ix, b: Ix) -> Ix {
    Ix::Div(Box::new(a), Box::new(b))
}
pub fn rem(a: Ix, b: Ix) -> Ix {
    Ix::Rem(Box::new(a), Box::new(b))
}
pub fn min(a: Ix, b: Ix) -> Ix {
    Ix::Min(Box::new(a), Box::new(b))
}
pub fn max(a: Ix, b: Ix) -> Ix {
    Ix::Max(Box::new(a), Box::new(b))
}
pub fn num(x: f64) -> Expr {
    Expr::Const(Num(x))
}
pub fn ld(buf: Buf, at: Ix) -> Expr {
    Expr::Load { buf, at }
}
pub fn st(buf: Buf, at: Ix, value: Expr) -> Stmt {
    Stmt::Store { buf, at, value }
}
pub fn un(op: Unary, x: Expr) -> Expr {
    Expr::Unary(op, Box::new(x))
}
pub fn bin(op: Binary, a: Expr, b: Expr) -> Expr {
    Expr::Binary(op, Box::new(a), Box::new(b))
}
pub fn select(c: Expr, a: Expr, b: Expr) -> Expr {
    Expr::Select(Box::new(c), Box::new(a), Box::new(b))
}
pub fn val(n: u32) -> Expr {
    Expr::Val(Val(n))
}
pub fn bind(n: u32, value: Expr) -> Stmt {
    Stmt::Let { val: Val(n), value }
}
pub fn fold(op: FoldOp, var: u32, lo: Ix, hi: Ix, lanes: u32, body: Expr) -> Expr {
    Expr::Fold {
        op,
        var: Var(var),
        lo,
        hi,
        lanes,
        body: Box::new(body),
    }
}
pub fn each(kind: LoopKind, var: u32, lo: Ix, hi: Ix, body: Vec<Stmt>) -> Stmt {
    Stmt::For {
        var: Var(var),
        lo,
        hi,
        kind,
        reverse: false,
        body,
    }
}
pub fn back(var: u32, lo: Ix, hi: Ix, body: Vec<Stmt>) -> Stmt {
    Stmt::For {
        var: Var(var),
        lo,
        hi,
        kind: LoopKind::Seq,
        reverse: true,
        body,
    }
}
pub fn arg(name: &str, access: Access) -> Arg {
    Arg {
        name: name.into(),
        elem: Elem::F32,
        access,
    }
}
pub fn tokens(name: &str) -> Arg {
    Arg {
        name: name.into(),
        elem: Elem::I32,
        access: Access::Read,
    }
}
pub fn local(name: &str, len: usize) -> Local {
    Local {
        name: name.into(),
        elem: Elem::F32,
        len,
    }
}
pub const A: fn(u32) -> Buf = Buf::Arg;
pub const L: fn(u32) -> Buf = Buf::Local;

/// Numbers in [-1, 1), the same on every machine.
pub fn noise(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2654435761).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

pub fn close(got: &[f32], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(*g) - w).abs();
        assert!(
            error <= tolerance * (1.0 + w.abs()),
            "{what}[{i}]: {g} instead of {w}"
        );
    }
}
