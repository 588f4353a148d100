//! The CPU entry point of a kernel: `(bufs, dims, lo, hi, scratch)`, and behind it the loop over the cells.
//!
//! The entry only loads pointers and sizes. The cells are a function of their own, whose pointer parameters say
//! that no two buffers overlap (arguments of one launch are distinct memory if either is written), so that loads
//! of one move across stores to another.

use super::{Emit, Lanes, check_name};
use crate::error::Result;
use crate::text::{Fun, Helpers, I64, PTR, Value, lists};
use seqc_schedule::ir::{Access, Kernel};
use std::collections::HashSet;

/// Prints one kernel as two functions; those that it calls are added to `helpers`.
pub fn print(kernel: &Kernel, helpers: &mut Helpers, target: Lanes) -> Result<String> {
    check_name(kernel)?;
    let mut e = Emit::new(kernel, helpers, target);
    let mut names = Names::default();
    e.args = kernel
        .args
        .iter()
        .map(|a| Value::new(names.unique(&a.name, "ptr"), PTR))
        .collect();
    e.dims = kernel
        .dims
        .iter()
        .map(|d| Value::new(names.unique(d, "dim"), I64))
        .collect();
    e.locals = kernel
        .locals
        .iter()
        .map(|l| Value::new(names.unique(&l.name, "loc"), PTR))
        .collect();
    let (lo, hi, one) = (
        Value::new("%lo", I64),
        Value::new("%hi", I64),
        e.f.int(I64, 1),
    );
    let open = e.f.begin_for("cell", &lo, &hi, &one, &[]);
    e.bind_grid(open.iv.clone())?;
    e.block(&kernel.body)?;
    e.f.end_for(open, &[]);
    let header = cells_header(&e);
    let entry = entry(&e);
    Ok(entry + &e.f.finish(&header, "return"))
}

fn cells_header(e: &Emit) -> String {
    let mut params = vec![];
    for (v, arg) in e.args.iter().zip(&e.kernel.args) {
        let readonly = if arg.access == Access::Read {
            ", llvm.readonly"
        } else {
            ""
        };
        params.push(format!("{v}: !llvm.ptr {{llvm.noalias{readonly}}}"));
    }
    params.extend(
        e.locals
            .iter()
            .map(|v| format!("{v}: !llvm.ptr {{llvm.noalias}}")),
    );
    params.extend(e.dims.iter().map(|v| format!("{v}: i64")));
    params.extend(["%lo: i64".into(), "%hi: i64".into()]);
    format!(
        "func.func private @{}.cells({}) attributes {{llvm.linkage = #llvm.linkage<internal>, passthrough = \
         [\"noinline\", \"nounwind\"]}}",
        e.kernel.name,
        params.join(", ")
    )
}

/// The exported function: loads the pointers and sizes, finds the locals in the scratch area, calls the cells.
fn entry(e: &Emit) -> String {
    let mut f = Fun::new();
    for (i, v) in e.args.iter().enumerate() {
        let text = format!("llvm.getelementptr %bufs[{i}] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr");
        let p = f.define("p", PTR, text);
        f.line(format_args!("{v} = llvm.load {p} : !llvm.ptr -> !llvm.ptr"));
    }
    for (i, v) in e.dims.iter().enumerate() {
        let p = f.define(
            "p",
            PTR,
            format!("llvm.getelementptr %dims[{i}] : (!llvm.ptr) -> !llvm.ptr, i64"),
        );
        f.line(format_args!("{v} = llvm.load {p} : !llvm.ptr -> i64"));
    }
    place_locals(&mut f, e.kernel, &Value::new("%scratch", PTR), &e.locals);
    let bounds = [Value::new("%lo", I64), Value::new("%hi", I64)];
    let all: Vec<Value> = e
        .args
        .iter()
        .chain(&e.locals)
        .chain(&e.dims)
        .chain(&bounds)
        .cloned()
        .collect();
    let (names, types) = lists(&all);
    f.line(format_args!(
        "func.call @{}.cells({names}) : ({types}) -> ()",
        e.kernel.name
    ));
    let header = format!(
        "func.func @{}(%bufs: !llvm.ptr, %dims: !llvm.ptr, %lo: i64, %hi: i64, %scratch: !llvm.ptr) attributes \
         {{passthrough = [\"nounwind\"]}}",
        e.kernel.name
    );
    f.finish(&header, "return")
}

/// Addresses of the locals in the scratch area.
pub fn place_locals(f: &mut Fun, kernel: &Kernel, scratch: &Value, locals: &[Value]) {
    for (i, v) in locals.iter().enumerate() {
        let offset = kernel.local_offset(i);
        f.line(format_args!(
            "{v} = llvm.getelementptr {scratch}[{offset}] : (!llvm.ptr) -> !llvm.ptr, i8"
        ));
    }
}

/// Printed names made from the schedule's. They end in a letter, so no numbered name equals them.
#[derive(Default)]
pub struct Names(HashSet<String>);

impl Names {
    pub fn unique(&mut self, name: &str, suffix: &str) -> String {
        let clean: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let mut candidate = format!("%_{clean}_{suffix}");
        if clean.starts_with(|c: char| c.is_ascii_alphabetic()) {
            candidate.remove(1);
        }
        while !self.0.insert(candidate.clone()) {
            candidate.push_str("_x");
        }
        candidate
    }
}
