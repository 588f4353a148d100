//! Which buffers a piece of a kernel reads and writes: decides where threads must wait for each other.

use seqc_schedule::ir::{Buf, Expr, Ix, Matmul, Stmt};
use std::collections::HashSet;

#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    reads: HashSet<Buf>,
    writes: HashSet<Buf>,
}

impl Effects {
    pub fn of_block(stmts: &[Stmt]) -> Effects {
        let mut e = Effects::default();
        e.block(stmts);
        e
    }

    pub fn of_exprs<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Effects {
        let mut e = Effects::default();
        exprs.into_iter().for_each(|x| e.expr(x));
        e
    }

    pub fn of_indices<'a>(indices: impl IntoIterator<Item = &'a Ix>) -> Effects {
        let mut e = Effects::default();
        indices.into_iter().for_each(|x| e.index(x));
        e
    }

    pub fn merge(&mut self, other: &Effects) {
        self.reads.extend(&other.reads);
        self.writes.extend(&other.writes);
    }

    /// Would running both in either order, or at once, differ?
    pub fn conflict(&self, other: &Effects) -> bool {
        let meet = |a: &HashSet<Buf>, b: &HashSet<Buf>| !a.is_disjoint(b);
        meet(&self.writes, &other.reads)
            || meet(&self.writes, &other.writes)
            || meet(&self.reads, &other.writes)
    }

    fn block(&mut self, stmts: &[Stmt]) {
        for s in stmts {
            match s {
                Stmt::For { lo, hi, body, .. } => {
                    self.index(lo);
                    self.index(hi);
                    self.block(body);
                }
                Stmt::Store { buf, at, value } => {
                    self.writes.insert(*buf);
                    self.index(at);
                    self.expr(value);
                }
                Stmt::Let { value, .. } => self.expr(value),
                Stmt::If { cond, then, els } => {
                    self.expr(cond);
                    self.block(then);
                    self.block(els);
                }
                Stmt::Matmul(m) => self.product(m),
            }
        }
    }

    fn product(&mut self, m: &Matmul) {
        for tile in [&m.a, &m.b, &m.out] {
            self.index(&tile.base);
        }
        self.reads.extend([m.a.buf, m.b.buf]);
        if m.accumulate {
            self.reads.insert(m.out.buf);
        }
        self.writes.insert(m.out.buf);
    }

    fn index(&mut self, ix: &Ix) {
        match ix {
            Ix::Const(_) | Ix::Var(_) | Ix::Dim(_) => {}
            Ix::Add(a, b)
            | Ix::Sub(a, b)
            | Ix::Mul(a, b)
            | Ix::Div(a, b)
            | Ix::Rem(a, b)
            | Ix::Min(a, b)
            | Ix::Max(a, b) => {
                self.index(a);
                self.index(b);
            }
            Ix::Data(e) => self.expr(e),
        }
    }

    fn expr(&mut self, e: &Expr) {
        match e {
            Expr::Const(_) | Expr::Val(_) => {}
            Expr::Load { buf, at } => {
                self.reads.insert(*buf);
                self.index(at);
            }
            Expr::Index(ix) => self.index(ix),
            Expr::Word(w) => w.leaves().into_iter().for_each(|ix| self.index(ix)),
            Expr::Unary(_, x) | Expr::Not(x) => self.expr(x),
            Expr::Binary(_, a, b) | Expr::Cmp(_, a, b) | Expr::And(a, b) | Expr::Or(a, b) => {
                self.expr(a);
                self.expr(b);
            }
            Expr::CmpIx(_, a, b) => {
                self.index(a);
                self.index(b);
            }
            Expr::Select(c, a, b) => {
                self.expr(c);
                self.expr(a);
                self.expr(b);
            }
            Expr::Fold { lo, hi, body, .. } => {
                self.index(lo);
                self.index(hi);
                self.expr(body);
            }
        }
    }
}

/// Does a block hold a matrix product at any depth?
pub(crate) fn has_product(stmts: &[Stmt]) -> bool {
    stmts.iter().any(|s| match s {
        Stmt::For { body, .. } => has_product(body),
        Stmt::If { then, els, .. } => has_product(then) || has_product(els),
        Stmt::Matmul(_) => true,
        Stmt::Store { .. } | Stmt::Let { .. } => false,
    })
}
