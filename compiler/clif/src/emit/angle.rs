//! Angles: the operand of `sin` and `cos`, computed in f64 ([`seqc_schedule::angle`]), once a lane.

use super::{Emit, Num, Result};
use crate::symbols;
use cranelift::prelude::*;
use seqc_schedule::angle;
use seqc_schedule::ir::{Binary, Expr, Unary};

/// A number in f64: one for all lanes, or one a lane.
#[derive(Clone, Copy)]
enum Double {
    One(Value),
    Lanes([Value; 4]),
}

impl Double {
    fn lane(self, l: usize) -> Value {
        match self {
            Double::One(v) => v,
            Double::Lanes(all) => all[l],
        }
    }

    /// A function of each lane.
    fn each(self, mut f: impl FnMut(Value) -> Result<Value>) -> Result<Double> {
        self.with(self, |x, _| f(x))
    }

    /// A function of the lanes of both.
    fn with(
        self,
        other: Double,
        mut f: impl FnMut(Value, Value) -> Result<Value>,
    ) -> Result<Double> {
        if let (Double::One(x), Double::One(y)) = (self, other) {
            return Ok(Double::One(f(x, y)?));
        }
        let mut all = [self.lane(0); 4];
        for (l, v) in all.iter_mut().enumerate() {
            *v = f(self.lane(l), other.lane(l))?;
        }
        Ok(Double::Lanes(all))
    }
}

impl Emit<'_, '_> {
    /// `sin` or `cos` of an expression.
    pub fn turned(&mut self, op: Unary, x: &Expr) -> Result<Num> {
        let name = symbols::of(op).ok_or("no turn")?;
        let turned = self.double(x)?.each(|x| self.call(name, &[x]))?;
        Ok(match turned {
            Double::One(v) => Num::one(v),
            Double::Lanes(all) => Num::new(self.gathered(types::F32X4, all), true),
        })
    }

    fn double(&mut self, e: &Expr) -> Result<Double> {
        if let Some(x) = angle::constant(e) {
            return Ok(Double::One(self.b.ins().f64const(x)));
        }
        match e {
            Expr::Index(ix) => {
                let at = self.index(ix)?;
                let of = match at.is_uniform() {
                    true => Double::One(self.first(&at)),
                    false => Double::Lanes(self.each(&at)),
                };
                of.each(|n| Ok(self.b.ins().fcvt_from_sint(types::F64, n)))
            }
            Expr::Unary(op, x) if angle::is_unary(*op) => {
                let x = self.double(x)?;
                x.each(|x| self.unary_double(*op, x))
            }
            Expr::Binary(op, a, b) if *op != Binary::Pow || angle::base(*op, a).is_some() => {
                let (a, b) = (self.double(a)?, self.double(b)?);
                a.with(b, |a, b| self.binary_double(*op, a, b))
            }
            Expr::Select(c, a, b) => {
                let c = self.truth(c)?;
                let (a, b) = (self.double(a)?, self.double(b)?);
                if !c.wide {
                    return a.with(b, |a, b| Ok(self.b.ins().select(c.v, a, b)));
                }
                let lanes = [0u8, 1, 2, 3].map(|l| {
                    let c = self.b.ins().extractlane(c.v, l);
                    let (a, b) = (a.lane(l.into()), b.lane(l.into()));
                    self.b.ins().select(c, a, b)
                });
                Ok(Double::Lanes(lanes))
            }
            // What is an f32 elsewhere, too.
            _ => {
                let x = self.number(e)?;
                let of = match x.wide {
                    true => Double::Lanes([0u8, 1, 2, 3].map(|l| self.b.ins().extractlane(x.v, l))),
                    false => Double::One(x.v),
                };
                of.each(|x| Ok(self.b.ins().fpromote(types::F64, x)))
            }
        }
    }

    fn unary_double(&mut self, op: Unary, x: Value) -> Result<Value> {
        Ok(match op {
            Unary::Neg => self.b.ins().fneg(x),
            Unary::Abs => self.b.ins().fabs(x),
            Unary::Sqrt => self.b.ins().sqrt(x),
            Unary::Floor => self.b.ins().floor(x),
            _ => return self.call(symbols::EXP_F64, &[x]),
        })
    }

    fn binary_double(&mut self, op: Binary, x: Value, y: Value) -> Result<Value> {
        let ins = self.b.ins();
        Ok(match op {
            Binary::Add => ins.fadd(x, y),
            Binary::Sub => ins.fsub(x, y),
            Binary::Mul => ins.fmul(x, y),
            Binary::Div => ins.fdiv(x, y),
            Binary::Max => ins.fmax(x, y),
            Binary::Min => ins.fmin(x, y),
            Binary::Pow => return self.call(symbols::POW_F64, &[x, y]),
            Binary::Rem => {
                let q = ins.fdiv(x, y);
                let q = self.b.ins().floor(q);
                let back = self.b.ins().fmul(q, y);
                self.b.ins().fsub(x, back)
            }
        })
    }
}
