//! Short constructors of expressions and statements, with the folding that never changes a result.
//!
//! Only identities that hold for every f32 (NaN, infinities and signed zeros included) are applied: a
//! product with 0 stays a product.

use crate::ir::{Binary, Buf, Cmp, Expr, FoldOp, Ix, LoopKind, Num, Stmt, Unary, Val, Var};
use crate::walk::{Node, Replace};
use std::collections::BTreeSet;
use std::ops::{Add, Div, Mul, Neg, Not, Sub};

impl Buf {
    /// `self[at]` as a value.
    pub fn load(self, at: impl Into<Ix>) -> Expr {
        Expr::Load {
            buf: self,
            at: at.into(),
        }
    }

    /// `self[at] = value`.
    pub fn store(self, at: impl Into<Ix>, value: impl Into<Expr>) -> Stmt {
        Stmt::Store {
            buf: self,
            at: at.into(),
            value: value.into(),
        }
    }
}

impl Expr {
    pub fn num(x: f64) -> Expr {
        Expr::Const(Num(x))
    }

    pub fn constant(&self) -> Option<f64> {
        match self {
            Expr::Const(n) => Some(n.0),
            _ => None,
        }
    }

    pub fn unary(self, op: Unary) -> Expr {
        match (op, self) {
            (Unary::Neg, Expr::Const(n)) => Expr::num(-n.0),
            (Unary::Neg, Expr::Unary(Unary::Neg, x)) => *x,
            (op, x) => Expr::Unary(op, x.into()),
        }
    }

    pub fn binary(self, op: Binary, other: impl Into<Expr>) -> Expr {
        let other = other.into();
        match (op, self.constant(), other.constant()) {
            (Binary::Mul, Some(1.0), _) => other,
            (Binary::Mul | Binary::Div, _, Some(1.0)) => self,
            // x + 0 turns -0 into 0, so only x - 0 and x + -0 are identities.
            (Binary::Sub, _, Some(z)) if z == 0.0 && z.is_sign_positive() => self,
            (Binary::Add, _, Some(z)) if z == 0.0 && z.is_sign_negative() => self,
            _ => Expr::Binary(op, self.into(), other.into()),
        }
    }

    pub fn max(self, other: impl Into<Expr>) -> Expr {
        self.binary(Binary::Max, other)
    }

    pub fn min(self, other: impl Into<Expr>) -> Expr {
        self.binary(Binary::Min, other)
    }

    pub fn pow(self, other: impl Into<Expr>) -> Expr {
        self.binary(Binary::Pow, other)
    }

    pub fn exp(self) -> Expr {
        self.unary(Unary::Exp)
    }

    pub fn sqrt(self) -> Expr {
        self.unary(Unary::Sqrt)
    }

    pub fn cmp_with(self, op: Cmp, other: impl Into<Expr>) -> Expr {
        Expr::Cmp(op, self.into(), other.into().into())
    }

    pub fn and(self, other: Expr) -> Expr {
        Expr::And(self.into(), other.into())
    }

    pub fn or(self, other: Expr) -> Expr {
        Expr::Or(self.into(), other.into())
    }

    /// `self ? a : b`; both are evaluated.
    pub fn select(self, a: impl Into<Expr>, b: impl Into<Expr>) -> Expr {
        Expr::Select(self.into(), a.into().into(), b.into().into())
    }

    /// `op` over `var in lo..hi` of `body`.
    pub fn fold(
        op: FoldOp,
        var: Var,
        lo: impl Into<Ix>,
        hi: impl Into<Ix>,
        lanes: u32,
        body: impl Into<Expr>,
    ) -> Expr {
        Expr::Fold {
            op,
            var,
            lo: lo.into(),
            hi: hi.into(),
            lanes,
            body: body.into().into(),
        }
    }

    pub fn sum(var: Var, lo: impl Into<Ix>, hi: impl Into<Ix>, lanes: u32, body: Expr) -> Expr {
        Expr::fold(FoldOp::Sum, var, lo, hi, lanes, body)
    }

    pub fn free_vars(&self) -> BTreeSet<Var> {
        Node::Expr(self).free_vars()
    }

    pub fn mentions(&self, v: Var) -> bool {
        self.free_vars().contains(&v)
    }

    pub fn replace_var(&self, v: Var, by: impl Into<Ix>) -> Expr {
        Replace::var(v, by).expr(self)
    }

    /// A truth value rather than a number? (A value bound by `Let` is a number.)
    pub fn is_truth(&self) -> bool {
        matches!(
            self,
            Expr::Cmp(..) | Expr::CmpIx(..) | Expr::And(..) | Expr::Or(..) | Expr::Not(_)
        )
    }
}

impl Ix {
    pub fn replace_var(&self, v: Var, by: impl Into<Ix>) -> Ix {
        Replace::var(v, by).ix(self)
    }

    /// The index as a number.
    pub fn number(self) -> Expr {
        match self {
            Ix::Const(n) => Expr::num(n as f64),
            ix => Expr::Index(ix),
        }
    }

    /// A comparison of indices.
    pub fn cmp_with(self, op: Cmp, other: impl Into<Ix>) -> Expr {
        Expr::CmpIx(op, self, other.into())
    }

    /// The index that a number in memory gives.
    pub fn data(e: Expr) -> Ix {
        match e {
            Expr::Index(ix) => ix,
            e => Ix::Data(e.into()),
        }
    }
}

impl Stmt {
    pub fn let_(val: Val, value: impl Into<Expr>) -> Stmt {
        Stmt::Let {
            val,
            value: value.into(),
        }
    }

    pub fn for_(
        kind: LoopKind,
        var: Var,
        lo: impl Into<Ix>,
        hi: impl Into<Ix>,
        body: Vec<Stmt>,
    ) -> Stmt {
        Stmt::For {
            var,
            lo: lo.into(),
            hi: hi.into(),
            kind,
            reverse: false,
            body,
        }
    }

    pub fn seq(var: Var, lo: impl Into<Ix>, hi: impl Into<Ix>, body: Vec<Stmt>) -> Stmt {
        Stmt::for_(LoopKind::Seq, var, lo, hi, body)
    }

    pub fn par(var: Var, lo: impl Into<Ix>, hi: impl Into<Ix>, body: Vec<Stmt>) -> Stmt {
        Stmt::for_(LoopKind::Par, var, lo, hi, body)
    }

    pub fn vec(
        lanes: u32,
        var: Var,
        lo: impl Into<Ix>,
        hi: impl Into<Ix>,
        body: Vec<Stmt>,
    ) -> Stmt {
        Stmt::for_(LoopKind::Vec(lanes), var, lo, hi, body)
    }

    /// The same loop, from its last iteration to its first. Other statements stay what they are.
    pub fn reversed(mut self) -> Stmt {
        if let Stmt::For { reverse, .. } = &mut self {
            *reverse = true;
        }
        self
    }

    pub fn if_(cond: Expr, then: Vec<Stmt>) -> Stmt {
        Stmt::If {
            cond,
            then,
            els: vec![],
        }
    }
}

impl From<f64> for Expr {
    fn from(x: f64) -> Expr {
        Expr::num(x)
    }
}

impl From<Val> for Expr {
    fn from(v: Val) -> Expr {
        Expr::Val(v)
    }
}

impl From<&Expr> for Expr {
    fn from(e: &Expr) -> Expr {
        e.clone()
    }
}

impl<T: Into<Expr>> Add<T> for Expr {
    type Output = Expr;
    fn add(self, other: T) -> Expr {
        self.binary(Binary::Add, other)
    }
}

impl<T: Into<Expr>> Sub<T> for Expr {
    type Output = Expr;
    fn sub(self, other: T) -> Expr {
        self.binary(Binary::Sub, other)
    }
}

impl<T: Into<Expr>> Mul<T> for Expr {
    type Output = Expr;
    fn mul(self, other: T) -> Expr {
        self.binary(Binary::Mul, other)
    }
}

impl<T: Into<Expr>> Div<T> for Expr {
    type Output = Expr;
    fn div(self, other: T) -> Expr {
        self.binary(Binary::Div, other)
    }
}

impl Neg for Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        self.unary(Unary::Neg)
    }
}

impl Not for Expr {
    type Output = Expr;
    fn not(self) -> Expr {
        match self {
            Expr::Not(x) => *x,
            x => Expr::Not(x.into()),
        }
    }
}
