//! Is a kernel well formed? The invariants of `ir` that can be seen without running it:
//!
//! - names: arguments and locals are called differently from each other, sizes too; buffers and sizes exist;
//! - variables: bound once in the whole kernel, used only inside what binds them; values likewise, by a `Let`
//!   before the use in the same or an enclosing block;
//! - the grid's extents depend on sizes only;
//! - kinds: `If`, `Select`, `And`, `Or`, `Not` take truth values there and numbers elsewhere; a `Let` binds a
//!   number; matrix products are of f32;
//! - accesses: no store to a `Read` argument, no load of a `Write` argument, no local is read that nothing
//!   writes;
//! - bounds: an access to a local whose index has constant bounds stays inside it;
//! - `Vec` bodies hold only `Store` and `Let`; lanes are at least 1; divisors known at compile time are positive;
//! - independence ([`loops`]): no iteration of a `Par` or `Vec` loop stores where all of them store, or reads
//!   at a constant distance from where another stores;
//! - a product's tile is written once per element, and overlaps neither operand ([`tiles`]).
//!
//! What depends on data or on run-time sizes is checked by `interp` when it runs.

mod exprs;
mod loops;
mod tiles;

pub use crate::fault::Fault;

use crate::fault::{Path, Step};
use crate::ir::*;
use crate::walk::Node;
use std::collections::{HashMap, HashSet};

/// The longest local, in elements: 1 GiB of f32.
const LONGEST: usize = 1 << 28;

/// All that is wrong with the kernel, in the order of its listing.
pub fn verify(kernel: &Kernel) -> Result<(), Vec<Fault>> {
    let mut c = Checker {
        kernel,
        path: Path::default(),
        at: None,
        faults: vec![],
        vars: HashMap::new(),
        used_vars: HashSet::new(),
        vals: HashSet::new(),
        used_vals: HashSet::new(),
        guards: 0,
    };
    c.header();
    c.block(&kernel.body);
    c.locals_are_written();
    match c.faults.is_empty() {
        true => Ok(()),
        false => Err(c.faults),
    }
}

/// The first fault of the first kernel that has one.
pub fn verify_all(kernels: &[Kernel]) -> Result<(), Fault> {
    for k in kernels {
        if let Err(faults) = verify(k) {
            return faults.into_iter().next().map_or(Ok(()), Err);
        }
    }
    Ok(())
}

pub(crate) struct Checker<'k> {
    kernel: &'k Kernel,
    path: Path,
    /// The statement being checked.
    at: Option<&'k Stmt>,
    faults: Vec<Fault>,
    /// Variables in scope, with their constant bounds (least, greatest) where those are known.
    vars: HashMap<Var, Option<(i64, i64)>>,
    used_vars: HashSet<Var>,
    vals: HashSet<Val>,
    used_vals: HashSet<Val>,
    /// Depth of `If`s: inside one, an access need not happen.
    guards: usize,
}

impl<'k> Checker<'k> {
    fn fault(&mut self, message: impl Into<String>) {
        let fault = self.path.fault(self.kernel, self.at, message);
        self.faults.push(fault);
    }

    fn header(&mut self) {
        let k = self.kernel;
        let names = k.args.iter().map(|a| &a.name);
        let names: Vec<&String> = names.chain(k.locals.iter().map(|l| &l.name)).collect();
        self.distinct("buffers", &names);
        self.distinct("sizes", &k.dims.iter().collect::<Vec<_>>());
        for l in &k.locals {
            if l.len > LONGEST {
                self.fault(format!("local `{}` is too long: {}", l.name, l.len));
            }
        }
        for (v, extent) in &k.grid {
            Node::Ix(extent).walk(&mut |n| {
                if matches!(n, Node::Ix(Ix::Var(_) | Ix::Data(_))) {
                    self.fault(format!(
                        "the extent of grid axis i{} is not of sizes only",
                        v.0
                    ));
                }
            });
            self.ix(extent);
        }
        for (v, extent) in &k.grid {
            let last = extent.known().map(|n| (0, n.saturating_sub(1)));
            self.bind(*v, last.filter(|(_, hi)| *hi >= 0));
        }
    }

    fn distinct(&mut self, what: &str, names: &[&String]) {
        let mut seen = HashSet::new();
        for n in names {
            if !seen.insert(*n) {
                self.fault(format!("two {what} are called `{n}`"));
            }
        }
    }

    /// Binds a variable for what follows; the caller unbinds it.
    fn bind(&mut self, v: Var, range: Option<(i64, i64)>) {
        if !self.used_vars.insert(v) {
            self.fault(format!("variable i{} is bound twice", v.0));
        }
        self.vars.insert(v, range);
    }

    fn block(&mut self, stmts: &'k [Stmt]) {
        let outer = self.vals.clone();
        for (i, s) in stmts.iter().enumerate() {
            self.path.push(Step::At(i));
            let above = self.at.replace(s);
            self.stmt(s);
            self.at = above;
            self.path.pop();
        }
        self.vals = outer;
    }

    fn stmt(&mut self, s: &'k Stmt) {
        match s {
            Stmt::For {
                var,
                lo,
                hi,
                kind,
                body,
                ..
            } => {
                self.ix(lo);
                self.ix(hi);
                if let LoopKind::Vec(lanes) = kind {
                    self.lanes(*lanes);
                    self.vector_body(body);
                }
                if *kind != LoopKind::Seq {
                    self.independent(*var, lo, hi, body);
                }
                let range = constant_range(lo, hi);
                // A body that may not run at all may also access anything.
                let certain = range.is_some();
                self.guards += usize::from(!certain);
                self.bind(*var, range);
                self.block(body);
                self.vars.remove(var);
                self.guards -= usize::from(!certain);
            }
            Stmt::Store { buf, at, value } => {
                self.ix(at);
                self.number(value);
                self.writable(*buf);
                self.inside(*buf, at);
            }
            Stmt::Let { val, value } => {
                self.number(value);
                if !self.used_vals.insert(*val) {
                    self.fault(format!("value %{} is bound twice", val.0));
                }
                self.vals.insert(*val);
            }
            Stmt::If { cond, then, els } => {
                self.truth(cond);
                self.guards += 1;
                self.block(then);
                self.path.push(Step::Else);
                self.block(els);
                self.path.pop();
                self.guards -= 1;
            }
            Stmt::Matmul(m) => self.matmul(m),
        }
    }

    fn vector_body(&mut self, body: &[Stmt]) {
        let simple = |s: &Stmt| matches!(s, Stmt::Store { .. } | Stmt::Let { .. });
        if !body.iter().all(simple) {
            self.fault("a vector loop holds more than stores and bindings");
        }
    }

    fn lanes(&mut self, lanes: u32) {
        if lanes == 0 {
            self.fault("no lanes");
        }
    }

    fn locals_are_written(&mut self) {
        let (mut read, mut written) = (HashSet::new(), HashSet::new());
        for s in &self.kernel.body {
            Node::Stmt(s).walk(&mut |n| match n {
                Node::Expr(Expr::Load { buf, .. }) => {
                    read.insert(*buf);
                }
                Node::Stmt(Stmt::Store { buf, .. }) => {
                    written.insert(*buf);
                }
                Node::Stmt(Stmt::Matmul(m)) => {
                    written.insert(m.out.buf);
                    read.extend([m.a.buf, m.b.buf]);
                }
                _ => {}
            });
        }
        for (i, l) in self.kernel.locals.iter().enumerate() {
            let b = Buf::Local(i as u32);
            if read.contains(&b) && !written.contains(&b) {
                self.fault(format!("local `{}` is read, but nothing writes it", l.name));
            }
        }
    }
}

/// Least and greatest value of a loop's variable, if both bounds are constants and it runs.
fn constant_range(lo: &Ix, hi: &Ix) -> Option<(i64, i64)> {
    let (lo, hi) = (lo.known()?, hi.known()?);
    (lo < hi).then(|| (lo, hi - 1))
}

#[cfg(test)]
mod tests;
