//! The GPU entry point of a kernel, in the `nvvm` dialect: a block of threads runs a cell, blocks stride over the cells `lo..hi`.
//!
//! Parameters: the buffers' pointers in the kernel's order, its sizes as i64, `lo`, `hi`, and a scratch pointer.
//! Any one-dimensional grid and block will do. Locals live in static shared memory when they fit, else at
//! `scratch + block·scratch_bytes`.

use super::cpu::{Names, place_locals};
use super::{Emit, Lanes, check_name};
use crate::error::Result;
use crate::text::{Helpers, I32, I64, Of, PTR, Value};
use seqc_schedule::ir::Kernel;

/// Static shared memory that every GPU has for one block.
const SHARED: usize = 48 * 1024;

/// Prints one kernel as a function marked `nvvm.kernel`, with its shared memory.
pub fn print(kernel: &Kernel, helpers: &mut Helpers) -> Result<String> {
    check_name(kernel)?;
    let mut e = Emit::new(
        kernel,
        helpers,
        Lanes {
            width: 1,
            registers: 0,
        },
    );
    let mut names = Names::default();
    for arg in &kernel.args {
        e.args.push(Value::new(names.unique(&arg.name, "ptr"), PTR));
    }
    for dim in &kernel.dims {
        e.dims.push(Value::new(names.unique(dim, "dim"), I64));
    }
    let [thread, threads, block, blocks] =
        ["tid", "ntid", "ctaid", "nctaid"].map(|what| e.position(what));
    e.locals = kernel
        .locals
        .iter()
        .map(|l| Value::new(names.unique(&l.name, "loc"), PTR))
        .collect();
    let shared = e.scratch(&block);
    let first = e.f.add(&Value::new("%lo", I64), &block);
    let open =
        e.f.begin_for("cell", &first, &Value::new("%hi", I64), &blocks, &[]);
    e.bind_grid(open.iv.clone())?;
    e.team = Some(super::team::Team::new(thread, threads));
    e.team_block(&kernel.body)?;
    if !kernel.locals.is_empty() {
        // The next cell reuses the locals.
        e.barrier();
    }
    e.f.end_for(open, &[]);
    Ok(shared + &finish(e))
}

fn finish(e: Emit) -> String {
    let mut params: Vec<String> = e
        .args
        .iter()
        .chain(&e.dims)
        .map(|v| format!("{v}: {}", v.ty))
        .collect();
    params.extend(["%lo: i64", "%hi: i64", "%scratch: !llvm.ptr"].map(String::from));
    let header = format!(
        "llvm.func @{}({}) attributes {{nvvm.kernel}}",
        e.kernel.name,
        params.join(", ")
    );
    e.f.finish(&header, "llvm.return")
}

/// Does the kernel keep its locals in shared memory? Otherwise each block needs `scratch_bytes` of scratch.
pub fn locals_are_shared(kernel: &Kernel) -> bool {
    kernel.scratch_bytes() <= SHARED
}

impl Emit<'_> {
    fn position(&mut self, what: &str) -> Value {
        let v = self
            .f
            .define(what, I32, format!("nvvm.read.ptx.sreg.{what}.x : i32"));
        self.f.cast("arith.extui", &v, Of::I64)
    }

    /// Places the locals; returns the declaration of the shared memory they need.
    fn scratch(&mut self, block: &Value) -> String {
        let bytes = self.kernel.scratch_bytes();
        if bytes == 0 {
            return String::new();
        }
        let base = Value::new("%scratch", PTR);
        if !locals_are_shared(self.kernel) {
            let size = self.f.int(I64, bytes as i64);
            let offset = self.f.mul(block, &size);
            let text =
                format!("llvm.getelementptr {base}[{offset}] : (!llvm.ptr, i64) -> !llvm.ptr, i8");
            let base = self.f.define("p", PTR, text);
            place_locals(&mut self.f, self.kernel, &base, &self.locals);
            return String::new();
        }
        let symbol = format!("{}_shared", self.kernel.name);
        let near = self.f.define(
            "p",
            PTR,
            format!("llvm.mlir.addressof @{symbol} : !llvm.ptr<3>"),
        );
        let base = self.f.define(
            "p",
            PTR,
            format!("llvm.addrspacecast {near} : !llvm.ptr<3> to !llvm.ptr"),
        );
        place_locals(&mut self.f, self.kernel, &base, &self.locals);
        format!(
            "llvm.mlir.global internal @{symbol}() {{addr_space = 3 : i32, alignment = 64 : i64}} : \
             !llvm.array<{bytes} x i8>\n"
        )
    }
}
