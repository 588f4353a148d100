//! The readable text of kernels. `parse` reads it back to the identical value.
//!
//! ```text
//! kernel scale(x: read f32, y: write f32; $batch, $t) grid(i0 < $batch) {
//!   local row: f32[64]
//!   for i1 in 0..$t seq {
//!     let %0 = exp(x[i0 * $t + i1]) * 2.0
//!     y[i0 * $t + i1] = select([i1 < 3], %0, 0.0)
//!   }
//! }
//! ```
//! Variables are `i0`, values `%0`, sizes `$t`; buffers go by their names. Inside square brackets stands index
//! arithmetic, outside numbers: `[i0 + 1]` is an index as a number, `[i0 < i1]` a comparison of indices, and
//! `word(xor([i0], shr([i1], 3)))` arithmetic of 32-bit words. A name that is no plain word is quoted; one that two
//! buffers share is followed by its position (`x#1`, and `row#local0` for locals). Parentheses stand only where the
//! tree differs from the usual reading.

mod expr;
mod name;
pub mod plan;

pub use name::{FOLDS, UNARIES};
pub(crate) use name::{fold_name, unary_name};

use crate::ir::{Access, Elem, Kernel, LoopKind, Matmul, Part, Stmt, Tile};
use std::fmt::{Display, Formatter, Result};

/// What printing needs to know of the kernel: how its buffers and sizes are called.
pub(crate) struct Names<'a> {
    pub kernel: &'a Kernel,
}

impl Display for Kernel {
    fn fmt(&self, f: &mut Formatter) -> Result {
        let names = Names { kernel: self };
        write!(f, "kernel {}(", name::quoted(&self.name))?;
        for (i, a) in self.args.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            let (name, access, elem) = (name::quoted(&a.name), access(a.access), elem(a.elem));
            write!(f, "{comma}{name}: {access} {elem}")?;
        }
        for (i, d) in self.dims.iter().enumerate() {
            let before = if i == 0 { ";" } else { "," };
            write!(f, "{before} ${}", name::quoted(d))?;
        }
        write!(f, ") grid(")?;
        for (i, (v, extent)) in self.grid.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}i{} < {}", v.0, names.ix(extent))?;
        }
        writeln!(f, ") {{")?;
        for l in &self.locals {
            writeln!(
                f,
                "  local {}: {}[{}]",
                name::quoted(&l.name),
                elem(l.elem),
                l.len
            )?;
        }
        let mut text = String::new();
        names.block(&self.body, 1, &mut text);
        write!(f, "{text}}}")
    }
}

fn access(a: Access) -> &'static str {
    match a {
        Access::Read => "read",
        Access::Write => "write",
        Access::ReadWrite => "readwrite",
    }
}

fn elem(e: Elem) -> &'static str {
    match e {
        Elem::F32 => "f32",
        Elem::I32 => "i32",
        Elem::Bf16 => "bf16",
    }
}

impl Names<'_> {
    fn block(&self, stmts: &[Stmt], depth: usize, out: &mut String) {
        for s in stmts {
            self.stmt(s, depth, out);
        }
    }

    /// A statement and its body, indented.
    fn stmt(&self, s: &Stmt, depth: usize, out: &mut String) {
        let indent = "  ".repeat(depth);
        let line = |text: &str, out: &mut String| {
            out.push_str(&indent);
            out.push_str(text);
            out.push('\n');
        };
        line(&self.head(s), out);
        match s {
            Stmt::For { body, .. } => {
                self.block(body, depth + 1, out);
                line("}", out);
            }
            Stmt::If { then, els, .. } => {
                self.block(then, depth + 1, out);
                if !els.is_empty() {
                    line("} else {", out);
                    self.block(els, depth + 1, out);
                }
                line("}", out);
            }
            _ => {}
        }
    }

    /// The first line of a statement: what error messages quote.
    pub fn head(&self, s: &Stmt) -> String {
        match s {
            Stmt::For {
                var,
                lo,
                hi,
                kind,
                reverse,
                ..
            } => {
                let kind = match kind {
                    LoopKind::Seq => "seq".to_string(),
                    LoopKind::Par => "par".to_string(),
                    LoopKind::Vec(n) => format!("vec({n})"),
                };
                let reverse = if *reverse { " reverse" } else { "" };
                let (lo, hi) = (self.ix(lo), self.ix(hi));
                format!("for i{} in {lo}..{hi} {kind}{reverse} {{", var.0)
            }
            Stmt::Store { buf, at, value } => {
                let (buf, at) = (self.buf(*buf), self.ix(at));
                format!("{buf}[{at}] = {}", self.expr(value))
            }
            Stmt::Let { val, value } => format!("let %{} = {}", val.0, self.expr(value)),
            Stmt::If { cond, .. } => format!("if {} {{", self.expr(cond)),
            Stmt::Matmul(m) => self.matmul(m),
        }
    }

    fn matmul(&self, m: &Matmul) -> String {
        let (out, a, b) = (self.tile(&m.out), self.tile(&m.a), self.tile(&m.b));
        let assign = if m.accumulate { "+=" } else { "=" };
        let part = match m.part {
            Part::All => "",
            Part::Lower => " lower",
            Part::Upper => " upper",
        };
        format!(
            "matmul({}, {}, {}) {out} {assign} {a} * {b}{part}",
            m.m, m.n, m.k
        )
    }

    /// `name[base; rows, cols]`
    fn tile(&self, t: &Tile) -> String {
        let (buf, base) = (self.buf(t.buf), self.ix(&t.base));
        format!("{buf}[{base}; {}, {}]", t.rows, t.cols)
    }
}
