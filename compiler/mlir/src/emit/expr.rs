//! Expressions: numbers as f32 and truth values as i1, scalar while all lanes agree, else vectors.

use super::index::Index;
use super::{Emit, Num};
use crate::error::Result;
use crate::math;
use crate::text::{F32, I1, Of, Value};
use seqc_schedule::ir::{Binary, Cmp, Elem, Expr, Ix, Unary};

impl Num {
    fn of(v: Value) -> Num {
        Num { v, whole: None }
    }
}

impl Emit<'_> {
    /// A number.
    pub fn number(&mut self, e: &Expr) -> Result<Num> {
        let x = self.expr(e)?;
        if x.v.ty.of == Of::F32 {
            Ok(x)
        } else {
            self.error("a truth value stands where a number is needed")
        }
    }

    /// A truth value.
    pub fn truth(&mut self, e: &Expr) -> Result<Value> {
        let x = self.expr(e)?;
        if x.v.ty.of == Of::I1 {
            Ok(x.v)
        } else {
            self.error("a number stands where a truth value is needed")
        }
    }

    pub fn expr(&mut self, e: &Expr) -> Result<Num> {
        Ok(Num::of(match e {
            Expr::Const(n) => self.f.float(F32, n.0),
            Expr::Val(v) => match self.vals.get(v) {
                Some(n) => return Ok(n.clone()),
                None => return self.error(format!("value {} is used before it is bound", v.0)),
            },
            Expr::Load { buf, at } => {
                let (base, elem) = self.buffer(*buf)?;
                let at = self.index(at)?;
                let x = self.load(&base, elem, &at);
                if elem != Elem::I32 {
                    x
                } else {
                    return Ok(Num {
                        v: self.f.cast("arith.sitofp", &x, Of::F32),
                        whole: Some(x),
                    });
                }
            }
            Expr::Index(ix) => return self.index_as_number(ix),
            Expr::Word(w) => self.word_as_number(w)?,
            Expr::Unary(op @ (Unary::Sin | Unary::Cos), x) => return self.turned(*op, x),
            Expr::Unary(op, x) => {
                let x = self.number(x)?.v;
                math::unary(&mut self.f, self.helpers, *op, &x)
            }
            Expr::Binary(op, a, b) => match self.with_product(*op, a, b)? {
                Some(sum) => sum,
                None => {
                    let (a, b) = (self.number(a)?.v, self.number(b)?.v);
                    self.arithmetic(*op, &a, &b)
                }
            },
            Expr::Cmp(c, a, b) => {
                let (a, b) = (self.number(a)?.v, self.number(b)?.v);
                let (a, b) = self.join(&a, &b);
                self.f.cmp(float_predicate(*c), &a, &b)
            }
            Expr::CmpIx(c, a, b) => self.compare(*c, a, b)?,
            Expr::And(a, b) => self.logic("arith.andi", a, b)?,
            Expr::Or(a, b) => self.logic("arith.ori", a, b)?,
            Expr::Not(x) => {
                let x = self.truth(x)?;
                let all = self.f.bool(x.ty, true);
                self.f.binary("arith.xori", &x, &all)
            }
            Expr::Select(c, a, b) => {
                let c = self.truth(c)?;
                let (a, b) = (self.expr(a)?.v, self.expr(b)?.v);
                if a.ty.of != b.ty.of {
                    return self.error("the arms of a selection are of different kinds");
                }
                let (mut a, mut b) = self.join(&a, &b);
                if c.ty.lanes > 1 {
                    (a, b) = (
                        self.f.broadcast(&a, c.ty.lanes),
                        self.f.broadcast(&b, c.ty.lanes),
                    );
                }
                self.f.select(&c, &a, &b)
            }
            Expr::Fold {
                op,
                var,
                lo,
                hi,
                lanes,
                body,
            } => self.fold(*op, *var, lo, hi, *lanes, body)?,
        }))
    }

    /// A sum or difference with a product, rounded once. That is decided here, by the expression alone, and not by
    /// LLVM: the same expression gives the same bits in whatever kernel, body or tail it is computed again, so that
    /// what cancels on paper cancels (the diagonal of a softmax's gradient, in the sums of its rows and columns).
    fn with_product(&mut self, op: Binary, a: &Expr, b: &Expr) -> Result<Option<Value>> {
        let ((x, y), other, negated) = match (op, factors(a), factors(b)) {
            (Binary::Add, Some(of), _) => (of, b, (false, false)),
            (Binary::Add, None, Some(of)) => (of, a, (false, false)),
            (Binary::Sub, Some(of), _) => (of, b, (false, true)),
            (Binary::Sub, None, Some(of)) => (of, a, (true, false)),
            _ => return Ok(None),
        };
        let (mut x, y) = (self.number(x)?.v, self.number(y)?.v);
        let mut other = self.number(other)?.v;
        if negated.0 {
            x = self.f.unary("arith.negf", &x);
        }
        if negated.1 {
            other = self.f.unary("arith.negf", &other);
        }
        Ok(Some(self.multiply_add(&x, &y, &other)))
    }

    /// `x*y + z`, rounded once, in as many lanes as the widest has.
    pub fn multiply_add(&mut self, x: &Value, y: &Value, z: &Value) -> Value {
        let lanes = x.ty.lanes.max(y.ty.lanes).max(z.ty.lanes);
        let [x, y, z] = [x, y, z].map(|v| self.f.broadcast(v, lanes));
        self.f.fma(&x, &y, &z)
    }

    /// Two values with the same number of lanes.
    pub fn join(&mut self, a: &Value, b: &Value) -> (Value, Value) {
        let lanes = a.ty.lanes.max(b.ty.lanes);
        (self.f.broadcast(a, lanes), self.f.broadcast(b, lanes))
    }

    pub fn arithmetic(&mut self, op: Binary, a: &Value, b: &Value) -> Value {
        let (a, b) = self.join(a, b);
        match op {
            Binary::Add => self.f.add(&a, &b),
            Binary::Sub => self.f.sub(&a, &b),
            Binary::Mul => self.f.mul(&a, &b),
            Binary::Div => self.f.div(&a, &b),
            Binary::Max => self.f.binary("arith.maximumf", &a, &b),
            Binary::Min => self.f.binary("arith.minimumf", &a, &b),
            Binary::Pow => math::pow(&mut self.f, self.helpers, &a, &b),
            Binary::Rem => {
                let q = self.f.div(&a, &b);
                let q = self.f.unary("math.floor", &q);
                let back = self.f.unary("arith.negf", &q);
                self.f.fma(&back, &b, &a)
            }
        }
    }

    fn logic(&mut self, op: &str, a: &Expr, b: &Expr) -> Result<Value> {
        let (a, b) = (self.truth(a)?, self.truth(b)?);
        let (a, b) = self.join(&a, &b);
        Ok(self.f.binary(op, &a, &b))
    }

    fn compare(&mut self, c: Cmp, a: &Ix, b: &Ix) -> Result<Value> {
        let predicate = match c {
            Cmp::Lt => "slt",
            Cmp::Le => "sle",
            Cmp::Gt => "sgt",
            Cmp::Ge => "sge",
            Cmp::Eq => "eq",
            Cmp::Ne => "ne",
        };
        let (a, b) = match (self.index(a)?, self.index(b)?) {
            (Index::Uniform(a), Index::Uniform(b)) => {
                if let (Some(x), Some(y)) = (a.known(), b.known()) {
                    return Ok(self.f.bool(I1, holds(c, x, y)));
                }
                (self.value(&a), self.value(&b))
            }
            (a, b) => (self.lanes_of(&a), self.lanes_of(&b)),
        };
        Ok(self.f.cmp(predicate, &a, &b))
    }

    /// Exact below 2^24; an index that becomes a number lies below 2^31.
    fn index_as_number(&mut self, ix: &Ix) -> Result<Num> {
        let i = self.index(ix)?;
        let v = match &i {
            Index::Uniform(u) => match u.known() {
                Some(n) => return Ok(Num::of(self.f.float(F32, n as f64))),
                None => self.value(u),
            },
            _ => self.lanes_of(&i),
        };
        // Vectors of i64 have no conversion before AVX-512; those of i32 have.
        let whole = self.f.cast("arith.trunci", &v, Of::I32);
        Ok(Num {
            v: self.f.cast("arith.sitofp", &whole, Of::F32),
            whole: Some(whole),
        })
    }
}

/// The factors of a product.
pub(crate) fn factors(e: &Expr) -> Option<(&Expr, &Expr)> {
    match e {
        Expr::Binary(Binary::Mul, x, y) => Some((x, y)),
        _ => None,
    }
}

/// Comparisons with NaN are false, except `Ne`.
fn float_predicate(c: Cmp) -> &'static str {
    match c {
        Cmp::Lt => "olt",
        Cmp::Le => "ole",
        Cmp::Gt => "ogt",
        Cmp::Ge => "oge",
        Cmp::Eq => "oeq",
        Cmp::Ne => "une",
    }
}

fn holds(c: Cmp, a: i64, b: i64) -> bool {
    match c {
        Cmp::Lt => a < b,
        Cmp::Le => a <= b,
        Cmp::Gt => a > b,
        Cmp::Ge => a >= b,
        Cmp::Eq => a == b,
        Cmp::Ne => a != b,
    }
}
