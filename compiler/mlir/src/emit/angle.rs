//! Angles: the operand of `sin` and `cos`, printed in f64 ([`seqc_schedule::angle`]).

use super::{Emit, Num};
use crate::error::Result;
use crate::math;
use crate::text::{Of, Ty, Value};
use seqc_schedule::angle;
use seqc_schedule::ir::{Binary, Expr, Ix, Unary};

/// One number.
const F64: Ty = Ty {
    of: Of::F64,
    lanes: 1,
};

impl Emit<'_> {
    /// `sin` or `cos` of an expression.
    pub fn turned(&mut self, op: Unary, x: &Expr) -> Result<Num> {
        let x = self.double(x)?;
        Ok(Num {
            v: math::turned(&mut self.f, self.helpers, op, &x),
            whole: None,
        })
    }

    fn double(&mut self, e: &Expr) -> Result<Value> {
        if let Some(x) = angle::constant(e) {
            return Ok(self.f.float(F64, x));
        }
        match e {
            Expr::Index(ix) => self.index_as_double(ix),
            Expr::Unary(op, x) if angle::is_unary(*op) => {
                let x = self.double(x)?;
                Ok(math::unary_f64(&mut self.f, self.helpers, *op, &x))
            }
            Expr::Binary(op, a, b) => match (angle::base(*op, a), *op) {
                (Some(base), _) => {
                    let exponent = self.double(b)?;
                    let rate = self.f.float(F64, base.ln());
                    let x = self.arithmetic(Binary::Mul, &exponent, &rate);
                    Ok(math::unary_f64(&mut self.f, self.helpers, Unary::Exp, &x))
                }
                (None, Binary::Pow) => self.widened(e),
                (None, op) => {
                    let (a, b) = (self.double(a)?, self.double(b)?);
                    Ok(self.arithmetic(op, &a, &b))
                }
            },
            Expr::Select(c, a, b) => {
                let c = self.truth(c)?;
                let (a, b) = (self.double(a)?, self.double(b)?);
                let lanes = c.ty.lanes.max(a.ty.lanes).max(b.ty.lanes);
                let (a, b) = (self.f.broadcast(&a, lanes), self.f.broadcast(&b, lanes));
                Ok(self.f.select(&c, &a, &b))
            }
            _ => self.widened(e),
        }
    }

    /// What is an f32 elsewhere, too.
    fn widened(&mut self, e: &Expr) -> Result<Value> {
        let x = self.number(e)?.v;
        Ok(self.f.cast("arith.extf", &x, Of::F64))
    }

    /// Exact: an index that becomes a number lies below 2^31.
    fn index_as_double(&mut self, ix: &Ix) -> Result<Value> {
        let x = self.number(&Expr::Index(ix.clone()))?;
        Ok(match x.whole {
            Some(whole) => self.f.cast("arith.sitofp", &whole, Of::F64),
            None => self.f.cast("arith.extf", &x.v, Of::F64),
        })
    }
}
