//! The CPU entry point of a kernel: `(bufs, dims, lo, hi, scratch)`, a loop over the cells `lo..hi`.

use super::{Emit, Lanes, check_name};
use crate::error::Result;
use crate::text::{Helpers, I64, PTR, Value};
use seqc_schedule::ir::Kernel;
use std::collections::HashSet;

/// Prints one kernel as `func.func`; functions that it calls are added to `helpers`.
pub fn print(kernel: &Kernel, helpers: &mut Helpers, target: Lanes) -> Result<String> {
    check_name(kernel)?;
    let mut e = Emit::new(kernel, helpers, target);
    e.prologue();
    let (lo, hi, one) = (Value::new("%lo", I64), Value::new("%hi", I64), e.f.int(I64, 1));
    let open = e.f.begin_for("cell", &lo, &hi, &one, &[]);
    e.bind_grid(open.iv.clone())?;
    e.block(&kernel.body)?;
    e.f.end_for(open, &[]);
    let header = format!(
        "func.func @{}(%bufs: !llvm.ptr {{llvm.noalias, llvm.readonly}}, %dims: !llvm.ptr {{llvm.noalias, \
         llvm.readonly}}, %lo: i64, %hi: i64, %scratch: !llvm.ptr {{llvm.noalias}}) attributes \
         {{passthrough = [\"nounwind\"]}}",
        kernel.name
    );
    Ok(e.f.finish(&header, "return"))
}

impl Emit<'_> {
    /// Loads the sizes and buffer pointers, and finds the locals in the scratch area.
    fn prologue(&mut self) {
        let kernel = self.kernel;
        let mut names = Names::default();
        for (i, name) in kernel.dims.iter().enumerate() {
            let v = Value::new(names.unique(name, "dim"), I64);
            let p = self.f.define("p", PTR, format!("llvm.getelementptr %dims[{i}] : (!llvm.ptr) -> !llvm.ptr, i64"));
            self.f.line(format_args!("{v} = llvm.load {p} invariant : !llvm.ptr -> i64"));
            self.dims.push(v);
        }
        for (i, arg) in kernel.args.iter().enumerate() {
            let v = Value::new(names.unique(&arg.name, "ptr"), PTR);
            let text = format!("llvm.getelementptr %bufs[{i}] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr");
            let p = self.f.define("p", PTR, text);
            self.f.line(format_args!("{v} = llvm.load {p} invariant : !llvm.ptr -> !llvm.ptr"));
            self.args.push(v);
        }
        self.place_locals(&Value::new("%scratch", PTR), &mut names);
    }

    pub fn place_locals(&mut self, scratch: &Value, names: &mut Names) {
        for (i, local) in self.kernel.locals.iter().enumerate() {
            let v = Value::new(names.unique(&local.name, "loc"), PTR);
            let offset = self.kernel.local_offset(i);
            self.f.line(format_args!(
                "{v} = llvm.getelementptr {scratch}[{offset}] : (!llvm.ptr) -> !llvm.ptr, i8"
            ));
            self.locals.push(v);
        }
    }
}

/// Printed names made from the schedule's. They end in a letter, so no numbered name equals them.
#[derive(Default)]
pub struct Names(HashSet<String>);

impl Names {
    pub fn unique(&mut self, name: &str, suffix: &str) -> String {
        let clean: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
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
