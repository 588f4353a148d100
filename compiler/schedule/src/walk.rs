//! Walking and rewriting the trees of the schedule IR, so that an analysis says only what it looks for.
//!
//! Variables and values are unique within a kernel, so nothing here needs to know about scopes.

use crate::ir::{Buf, Expr, Ix, Stmt, Val, Var};
use crate::word::Word;
use std::collections::{BTreeMap, BTreeSet};

/// Any node of a kernel's body.
#[derive(Clone, Copy, Debug)]
pub enum Node<'a> {
    Stmt(&'a Stmt),
    Expr(&'a Expr),
    Ix(&'a Ix),
}

impl<'a> Node<'a> {
    /// The nodes directly below, in the order of evaluation.
    pub fn children(self) -> Vec<Node<'a>> {
        use Node::{Expr as E, Ix as I};
        match self {
            Node::Stmt(s) => match s {
                Stmt::For { lo, hi, body, .. } => {
                    let mut all = vec![I(lo), I(hi)];
                    all.extend(body.iter().map(Node::Stmt));
                    all
                }
                Stmt::Store { at, value, .. } => vec![I(at), E(value)],
                Stmt::Let { value, .. } => vec![E(value)],
                Stmt::If { cond, then, els } => {
                    let mut all = vec![E(cond)];
                    all.extend(then.iter().chain(els).map(Node::Stmt));
                    all
                }
                Stmt::Matmul(m) => vec![I(&m.out.base), I(&m.a.base), I(&m.b.base)],
            },
            Node::Expr(e) => match e {
                Expr::Const(_) | Expr::Val(_) => vec![],
                Expr::Load { at, .. } | Expr::Index(at) => vec![I(at)],
                Expr::Word(w) => w.leaves().into_iter().map(I).collect(),
                Expr::Unary(_, x) | Expr::Not(x) => vec![E(x)],
                Expr::Binary(_, a, b) | Expr::Cmp(_, a, b) | Expr::And(a, b) | Expr::Or(a, b) => {
                    vec![E(a), E(b)]
                }
                Expr::CmpIx(_, a, b) => vec![I(a), I(b)],
                Expr::Select(c, a, b) => vec![E(c), E(a), E(b)],
                Expr::Fold { lo, hi, body, .. } => vec![I(lo), I(hi), E(body)],
            },
            Node::Ix(i) => match i {
                Ix::Const(_) | Ix::Var(_) | Ix::Dim(_) => vec![],
                Ix::Add(a, b)
                | Ix::Sub(a, b)
                | Ix::Mul(a, b)
                | Ix::Div(a, b)
                | Ix::Rem(a, b)
                | Ix::Min(a, b)
                | Ix::Max(a, b) => vec![I(a), I(b)],
                Ix::Data(e) => vec![E(e)],
            },
        }
    }

    /// Visits this node and everything below, parents first.
    pub fn walk(self, visit: &mut dyn FnMut(Node<'a>)) {
        visit(self);
        self.children().into_iter().for_each(|c| c.walk(visit));
    }

    /// The variables used and not bound within.
    pub fn free_vars(self) -> BTreeSet<Var> {
        let (mut used, mut bound) = (BTreeSet::new(), BTreeSet::new());
        self.walk(&mut |n| match n {
            Node::Ix(Ix::Var(v)) => {
                used.insert(*v);
            }
            Node::Expr(Expr::Fold { var, .. }) | Node::Stmt(Stmt::For { var, .. }) => {
                bound.insert(*var);
            }
            _ => {}
        });
        &used - &bound
    }

    /// The values used (bound within or not).
    pub fn vals(self) -> BTreeSet<Val> {
        let mut used = BTreeSet::new();
        self.walk(&mut |n| {
            if let Node::Expr(Expr::Val(v)) = n {
                used.insert(*v);
            }
        });
        used
    }

    /// Buffers whose elements are read by loads (not by matrix products).
    pub fn loads(self) -> Vec<(Buf, &'a Ix)> {
        let mut all = vec![];
        self.walk(&mut |n| {
            if let Node::Expr(Expr::Load { buf, at }) = n {
                all.push((*buf, at));
            }
        });
        all
    }
}

/// The statements with each that holds no others (a store, a binding, a product) replaced by what `by` makes of it.
pub fn expanded(body: Vec<Stmt>, by: &mut dyn FnMut(Stmt) -> Vec<Stmt>) -> Vec<Stmt> {
    let mut all = Vec::with_capacity(body.len());
    for mut s in body {
        match &mut s {
            Stmt::For { body, .. } => *body = expanded(std::mem::take(body), by),
            Stmt::If { then, els, .. } => {
                *then = expanded(std::mem::take(then), by);
                *els = expanded(std::mem::take(els), by);
            }
            _ => {
                all.extend(by(s));
                continue;
            }
        }
        all.push(s);
    }
    all
}

/// What variables and values are replaced by; those not named stay.
#[derive(Clone, Debug, Default)]
pub struct Replace {
    pub vars: BTreeMap<Var, Ix>,
    pub vals: BTreeMap<Val, Expr>,
}

impl Replace {
    pub fn var(v: Var, by: impl Into<Ix>) -> Replace {
        Replace {
            vars: [(v, by.into())].into(),
            ..Replace::default()
        }
    }

    pub fn ix(&self, i: &Ix) -> Ix {
        match i {
            Ix::Const(_) | Ix::Dim(_) => i.clone(),
            Ix::Var(v) => self.vars.get(v).cloned().unwrap_or_else(|| i.clone()),
            Ix::Add(a, b) => self.ix(a) + self.ix(b),
            Ix::Sub(a, b) => self.ix(a) - self.ix(b),
            Ix::Mul(a, b) => self.ix(a) * self.ix(b),
            Ix::Div(a, b) => self.ix(a).floor_div(self.ix(b)),
            Ix::Rem(a, b) => self.ix(a).floor_rem(self.ix(b)),
            Ix::Min(a, b) => self.ix(a).min_ix(self.ix(b)),
            Ix::Max(a, b) => self.ix(a).max_ix(self.ix(b)),
            Ix::Data(e) => Ix::Data(Box::new(self.expr(e))),
        }
    }

    fn word(&self, w: &Word) -> Word {
        let same = w.map(&mut |i| Ok::<Ix, std::convert::Infallible>(self.ix(i)));
        same.unwrap_or_else(|never| match never {})
    }

    pub fn expr(&self, e: &Expr) -> Expr {
        let sub = |x: &Expr| Box::new(self.expr(x));
        match e {
            Expr::Const(_) => e.clone(),
            Expr::Val(v) => self.vals.get(v).cloned().unwrap_or_else(|| e.clone()),
            Expr::Load { buf, at } => Expr::Load {
                buf: *buf,
                at: self.ix(at),
            },
            Expr::Index(i) => Expr::Index(self.ix(i)),
            Expr::Word(w) => Expr::Word(Box::new(self.word(w))),
            Expr::Unary(op, x) => Expr::Unary(*op, sub(x)),
            Expr::Binary(op, a, b) => Expr::Binary(*op, sub(a), sub(b)),
            Expr::Cmp(op, a, b) => Expr::Cmp(*op, sub(a), sub(b)),
            Expr::CmpIx(op, a, b) => Expr::CmpIx(*op, self.ix(a), self.ix(b)),
            Expr::And(a, b) => Expr::And(sub(a), sub(b)),
            Expr::Or(a, b) => Expr::Or(sub(a), sub(b)),
            Expr::Not(x) => Expr::Not(sub(x)),
            Expr::Select(c, a, b) => Expr::Select(sub(c), sub(a), sub(b)),
            Expr::Fold {
                op,
                var,
                lo,
                hi,
                lanes,
                body,
            } => Expr::Fold {
                op: *op,
                var: *var,
                lo: self.ix(lo),
                hi: self.ix(hi),
                lanes: *lanes,
                body: sub(body),
            },
        }
    }
}
