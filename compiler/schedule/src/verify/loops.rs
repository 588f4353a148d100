//! Independence of the iterations of `Par` and `Vec` loops, as far as it shows in the indices.

use super::Checker;
use crate::affine::Linear;
use crate::ir::*;
use crate::walk::Node;
use std::collections::HashSet;

/// What differs from iteration to iteration of a loop, and how its body touches memory.
struct Body<'a> {
    vars: HashSet<Var>,
    vals: HashSet<Val>,
    /// Where each store goes, if nothing that differs between iterations guards it.
    stores: Vec<(Buf, &'a Ix)>,
    loads: Vec<(Buf, &'a Ix)>,
}

impl<'a> Body<'a> {
    fn of(var: Var, stmts: &'a [Stmt]) -> Body<'a> {
        let mut b = Body {
            vars: HashSet::from([var]),
            vals: HashSet::new(),
            stores: vec![],
            loads: vec![],
        };
        b.read(stmts);
        b
    }

    fn read(&mut self, stmts: &'a [Stmt]) {
        for s in stmts {
            match s {
                Stmt::For {
                    var, lo, hi, body, ..
                } => {
                    if self.differs(Node::Ix(lo)) || self.differs(Node::Ix(hi)) {
                        self.vars.insert(*var);
                    }
                    self.read(body);
                }
                Stmt::If { cond, .. } if self.differs(Node::Expr(cond)) => {}
                Stmt::If { then, els, .. } => {
                    self.read(then);
                    self.read(els);
                }
                Stmt::Let { val, value } => {
                    if self.differs(Node::Expr(value)) {
                        self.vals.insert(*val);
                    }
                    self.loads.extend(Node::Stmt(s).loads());
                }
                Stmt::Store { buf, at, .. } => {
                    self.stores.push((*buf, at));
                    self.loads.extend(Node::Stmt(s).loads());
                }
                Stmt::Matmul(m) => self.stores.push((m.out.buf, &m.out.base)),
            }
        }
    }

    fn differs(&self, node: Node) -> bool {
        let mut found = false;
        node.walk(&mut |n| match n {
            Node::Ix(Ix::Var(v)) => found |= self.vars.contains(v),
            Node::Expr(Expr::Val(v)) => found |= self.vals.contains(v),
            // What memory holds may differ however it is addressed.
            Node::Ix(Ix::Data(_)) => found = true,
            _ => {}
        });
        found
    }
}

impl Checker<'_> {
    pub(super) fn independent(&mut self, var: Var, lo: &Ix, hi: &Ix, stmts: &[Stmt]) {
        let trips = (hi.clone() - lo.clone()).known();
        if trips.is_some_and(|n| n <= 1) {
            return;
        }
        let body = Body::of(var, stmts);
        for (buf, at) in &body.stores {
            if !body.differs(Node::Ix(at)) {
                let name = self.name(*buf);
                self.fault(format!(
                    "all iterations over i{} write the same element of `{name}`",
                    var.0
                ));
                return;
            }
        }
        for (buf, at) in &body.stores {
            for (_, from) in body.loads.iter().filter(|(b, _)| b == buf) {
                if let Some(steps) =
                    distance(var, at, from).filter(|n| trips.is_none_or(|t| n.abs() < t))
                {
                    let name = self.name(*buf);
                    self.fault(format!(
                        "an iteration over i{} reads what the one {steps} further writes to `{name}`",
                        var.0
                    ));
                    return;
                }
            }
        }
    }

    fn name(&self, buf: Buf) -> String {
        crate::print::Names {
            kernel: self.kernel,
        }
        .buf(buf)
    }
}

/// How many iterations after the reader the writer of the element runs, if that is a constant other than 0.
fn distance(var: Var, written: &Ix, read: &Ix) -> Option<i64> {
    let step = written.stride(var)?;
    let apart = Linear::of(&(read.clone() - written.clone())).known()?;
    (step != 0 && apart != 0 && apart % step == 0).then(|| apart / step)
}
