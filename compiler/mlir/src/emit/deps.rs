//! Which expressions depend on given variables: decides what can run in lanes and what is the same in all.

use seqc_schedule::ir::{Expr, Ix, Stmt, Val, Var};
use std::collections::HashSet;

#[derive(Default)]
pub(crate) struct Deps {
    pub vars: HashSet<Var>,
    pub vals: HashSet<Val>,
}

impl Deps {
    pub fn index(&self, ix: &Ix) -> bool {
        match ix {
            Ix::Const(_) | Ix::Dim(_) => false,
            Ix::Var(v) => self.vars.contains(v),
            Ix::Add(a, b)
            | Ix::Sub(a, b)
            | Ix::Mul(a, b)
            | Ix::Div(a, b)
            | Ix::Rem(a, b)
            | Ix::Min(a, b)
            | Ix::Max(a, b) => self.index(a) || self.index(b),
            Ix::Data(e) => self.expr(e),
        }
    }

    pub fn expr(&self, e: &Expr) -> bool {
        match e {
            Expr::Const(_) => false,
            Expr::Val(v) => self.vals.contains(v),
            Expr::Load { at, .. } => self.index(at),
            Expr::Index(ix) => self.index(ix),
            Expr::Word(w) => w.leaves().into_iter().any(|ix| self.index(ix)),
            Expr::Unary(_, x) | Expr::Not(x) => self.expr(x),
            Expr::Binary(_, a, b) | Expr::Cmp(_, a, b) | Expr::And(a, b) | Expr::Or(a, b) => {
                self.expr(a) || self.expr(b)
            }
            Expr::CmpIx(_, a, b) => self.index(a) || self.index(b),
            Expr::Select(c, a, b) => self.expr(c) || self.expr(a) || self.expr(b),
            Expr::Fold { lo, hi, body, .. } => self.index(lo) || self.index(hi) || self.expr(body),
        }
    }

    /// Can the body of a vector loop over `var` run in lanes? Not if the bounds of a fold differ between lanes.
    pub fn body_fits(&mut self, var: Var, body: &[Stmt]) -> bool {
        self.vars.insert(var);
        body.iter().all(|s| match s {
            Stmt::Store { at, value, .. } => self.index_fits(at) && self.expr_fits(value),
            Stmt::Let { val, value } => {
                if self.expr(value) {
                    self.vals.insert(*val);
                }
                self.expr_fits(value)
            }
            _ => false,
        })
    }

    fn index_fits(&self, ix: &Ix) -> bool {
        match ix {
            Ix::Const(_) | Ix::Dim(_) | Ix::Var(_) => true,
            Ix::Add(a, b)
            | Ix::Sub(a, b)
            | Ix::Mul(a, b)
            | Ix::Div(a, b)
            | Ix::Rem(a, b)
            | Ix::Min(a, b)
            | Ix::Max(a, b) => self.index_fits(a) && self.index_fits(b),
            Ix::Data(e) => self.expr_fits(e),
        }
    }

    pub fn expr_fits(&self, e: &Expr) -> bool {
        match e {
            Expr::Const(_) | Expr::Val(_) => true,
            Expr::Load { at, .. } => self.index_fits(at),
            Expr::Index(ix) => self.index_fits(ix),
            Expr::Word(w) => w.leaves().into_iter().all(|ix| self.index_fits(ix)),
            Expr::Unary(_, x) | Expr::Not(x) => self.expr_fits(x),
            Expr::Binary(_, a, b) | Expr::Cmp(_, a, b) | Expr::And(a, b) | Expr::Or(a, b) => {
                self.expr_fits(a) && self.expr_fits(b)
            }
            Expr::CmpIx(_, a, b) => self.index_fits(a) && self.index_fits(b),
            Expr::Select(c, a, b) => self.expr_fits(c) && self.expr_fits(a) && self.expr_fits(b),
            Expr::Fold { lo, hi, body, .. } => {
                !self.index(lo) && !self.index(hi) && self.expr_fits(body)
            }
        }
    }
}
