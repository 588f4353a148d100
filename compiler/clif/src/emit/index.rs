//! Index arithmetic. Across lanes an index is kept as `base + constant + lane·step` while it has that form, so
//! that loads and stores know their stride.

use super::{Emit, LANES, Result};
use cranelift::prelude::*;
use seqc_schedule::affine::Linear;
use seqc_schedule::ir::{Expr, Ix};

#[derive(Clone, Copy)]
pub(crate) struct At {
    /// The same in every lane; absent for 0.
    pub base: Option<Value>,
    pub constant: i64,
    pub shape: Shape,
}

/// What each lane adds.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// Lane times this; 0 if all lanes agree.
    Step(i64),
    StepBy(Value),
    Lanes([Value; LANES as usize]),
}

impl At {
    pub fn value(v: Value) -> At {
        At {
            base: Some(v),
            constant: 0,
            shape: Shape::Step(0),
        }
    }

    pub fn constant(n: i64) -> At {
        At {
            base: None,
            constant: n,
            shape: Shape::Step(0),
        }
    }

    /// `base`, `base + 1`, … over the lanes.
    pub fn ramp(base: Value, constant: i64) -> At {
        At {
            base: Some(base),
            constant,
            shape: Shape::Step(1),
        }
    }

    pub fn is_uniform(&self) -> bool {
        matches!(self.shape, Shape::Step(0))
    }
}

impl Emit<'_, '_> {
    /// An index that is the same in all lanes, as one value.
    pub fn uniform(&mut self, ix: &Ix) -> Result<Value> {
        let at = self.index(ix)?;
        match at.is_uniform() {
            true => Ok(self.first(&at)),
            false => Err("an index differs from lane to lane where it must not".into()),
        }
    }

    /// The index of lane 0 of a stepped one, or the common part of others.
    pub fn first(&mut self, at: &At) -> Value {
        match (at.base, at.constant) {
            (Some(b), 0) => b,
            (Some(b), c) => self.b.ins().iadd_imm_s(b, c),
            (None, c) => self.int(c),
        }
    }

    /// The index of each lane.
    pub fn each(&mut self, at: &At) -> [Value; LANES as usize] {
        let first = self.first(at);
        let mut all = [first; LANES as usize];
        match at.shape {
            Shape::Step(s) => {
                for (l, v) in (0..).zip(&mut all).skip(1) {
                    *v = self.b.ins().iadd_imm_s(first, s.wrapping_mul(l));
                }
            }
            Shape::StepBy(s) => {
                for l in 1..all.len() {
                    all[l] = self.b.ins().iadd(all[l - 1], s);
                }
            }
            Shape::Lanes(more) => {
                for (v, m) in all.iter_mut().zip(more) {
                    *v = self.b.ins().iadd(first, m);
                }
            }
        }
        all
    }

    pub fn index(&mut self, ix: &Ix) -> Result<At> {
        let form = Linear::of(ix);
        let mut sum = At::constant(form.constant);
        for (atom, c) in &form.terms {
            let a = self.atom(atom)?;
            let a = self.scaled(a, *c);
            sum = self.plus(sum, a);
        }
        Ok(sum)
    }

    fn atom(&mut self, atom: &Ix) -> Result<At> {
        match atom {
            Ix::Const(n) => Ok(At::constant(*n)),
            Ix::Var(v) => match self.vars.get(v) {
                Some(at) => Ok(*at),
                None => Err(format!("variable i{} is used outside its loop", v.0)),
            },
            Ix::Dim(d) => match self.dims.get(*d as usize) {
                Some(v) => Ok(At::value(*v)),
                None => Err(format!("there is no size {d}")),
            },
            Ix::Data(e) => self.data(e),
            Ix::Mul(a, b) => {
                let (a, b) = (self.index(a)?, self.index(b)?);
                Ok(self.product(a, b))
            }
            Ix::Div(a, b) => self.by_lane(a, b, Emit::floor_div),
            Ix::Rem(a, b) => self.by_lane(a, b, |e, a, b| {
                let q = e.floor_div(a, b);
                let back = e.b.ins().imul(q, b);
                e.b.ins().isub(a, back)
            }),
            Ix::Min(a, b) => self.by_lane(a, b, |e, a, b| e.b.ins().smin(a, b)),
            Ix::Max(a, b) => self.by_lane(a, b, |e, a, b| e.b.ins().smax(a, b)),
            Ix::Add(..) | Ix::Sub(..) => self.index(atom),
        }
    }

    fn scaled(&mut self, a: At, c: i64) -> At {
        if c == 1 {
            return a;
        }
        At {
            base: a.base.map(|b| self.b.ins().imul_imm_s(b, c)),
            constant: a.constant.wrapping_mul(c),
            shape: match a.shape {
                Shape::Step(s) => Shape::Step(s.wrapping_mul(c)),
                Shape::StepBy(s) => Shape::StepBy(self.b.ins().imul_imm_s(s, c)),
                Shape::Lanes(l) => Shape::Lanes(l.map(|v| self.b.ins().imul_imm_s(v, c))),
            },
        }
    }

    fn plus(&mut self, a: At, b: At) -> At {
        let base = match (a.base, b.base) {
            (Some(x), Some(y)) => Some(self.b.ins().iadd(x, y)),
            (x, y) => x.or(y),
        };
        let shape = match (a.shape, b.shape) {
            (Shape::Step(s), Shape::Step(t)) => Shape::Step(s.wrapping_add(t)),
            (Shape::Step(0), s) | (s, Shape::Step(0)) => s,
            (Shape::StepBy(s), Shape::StepBy(t)) => Shape::StepBy(self.b.ins().iadd(s, t)),
            (Shape::StepBy(s), Shape::Step(t)) | (Shape::Step(t), Shape::StepBy(s)) => {
                Shape::StepBy(self.b.ins().iadd_imm_s(s, t))
            }
            (s, t) => {
                let (s, t) = (self.steps(s), self.steps(t));
                let mut sum = s;
                for (l, v) in sum.iter_mut().enumerate() {
                    *v = self.b.ins().iadd(s[l], t[l]);
                }
                Shape::Lanes(sum)
            }
        };
        At {
            base,
            constant: a.constant.wrapping_add(b.constant),
            shape,
        }
    }

    fn steps(&mut self, shape: Shape) -> [Value; LANES as usize] {
        self.each(&At {
            base: None,
            constant: 0,
            shape,
        })
    }

    fn product(&mut self, a: At, b: At) -> At {
        let (a, b) = if b.is_uniform() { (a, b) } else { (b, a) };
        if !b.is_uniform() {
            let (x, y) = (self.each(&a), self.each(&b));
            let mut lanes = x;
            for (l, v) in lanes.iter_mut().enumerate() {
                *v = self.b.ins().imul(x[l], y[l]);
            }
            return At {
                shape: Shape::Lanes(lanes),
                ..At::constant(0)
            };
        }
        let by = self.first(&b);
        let base = self.first(&a);
        let base = Some(self.b.ins().imul(base, by));
        let shape = match a.shape {
            Shape::Step(0) => Shape::Step(0),
            Shape::Step(1) => Shape::StepBy(by),
            Shape::Step(s) => Shape::StepBy(self.b.ins().imul_imm_s(by, s)),
            Shape::StepBy(s) => Shape::StepBy(self.b.ins().imul(s, by)),
            Shape::Lanes(l) => Shape::Lanes(l.map(|v| self.b.ins().imul(v, by))),
        };
        At {
            base,
            constant: 0,
            shape,
        }
    }

    fn by_lane(
        &mut self,
        a: &Ix,
        b: &Ix,
        op: impl Fn(&mut Self, Value, Value) -> Value,
    ) -> Result<At> {
        let (a, b) = (self.index(a)?, self.index(b)?);
        if a.is_uniform() && b.is_uniform() {
            let (a, b) = (self.first(&a), self.first(&b));
            return Ok(At::value(op(self, a, b)));
        }
        let (x, y) = (self.each(&a), self.each(&b));
        let mut lanes = x;
        for (l, v) in lanes.iter_mut().enumerate() {
            *v = op(self, x[l], y[l]);
        }
        Ok(At {
            shape: Shape::Lanes(lanes),
            ..At::constant(0)
        })
    }

    /// Rounded down, for a positive divisor: one less than the quotient towards zero where that has a negative
    /// remainder.
    fn floor_div(&mut self, a: Value, b: Value) -> Value {
        let q = self.b.ins().sdiv(a, b);
        let back = self.b.ins().imul(q, b);
        let r = self.b.ins().isub(a, back);
        let below = self.b.ins().sshr_imm_u(r, 63);
        self.b.ins().iadd(q, below)
    }

    /// An index from a number: what is no number becomes 0, what is too large the largest i32.
    fn data(&mut self, e: &Expr) -> Result<At> {
        let n = self.number(e)?;
        if !n.wide {
            let whole = match n.whole {
                Some(w) => w,
                None => self.b.ins().fcvt_to_sint_sat(types::I32, n.v),
            };
            return Ok(At::value(self.b.ins().sextend(types::I64, whole)));
        }
        let whole = match n.whole {
            Some(w) => w,
            None => self.b.ins().fcvt_to_sint_sat(types::I32X4, n.v),
        };
        let lanes = [0u8, 1, 2, 3].map(|l| {
            let x = self.b.ins().extractlane(whole, l);
            self.b.ins().sextend(types::I64, x)
        });
        Ok(At {
            shape: Shape::Lanes(lanes),
            ..At::constant(0)
        })
    }

    /// The indices of all lanes as one i32x4, for indices of numbers: those lie below 2^31.
    pub fn whole_lanes(&mut self, at: &At) -> Value {
        if let Shape::Step(s) = at.shape
            && s.unsigned_abs() < 1 << 28
        {
            let first = self.first(at);
            let first = self.b.ins().ireduce(types::I32, first);
            let base = self.b.ins().splat(types::I32X4, first);
            if s == 0 {
                return base;
            }
            let bytes: Vec<u8> = (0..LANES)
                .flat_map(|l| ((l * s) as i32).to_le_bytes())
                .collect();
            let ramp = self.b.func.dfg.constants.insert(bytes.into());
            let ramp = self.b.ins().vconst(types::I32X4, ramp);
            return self.b.ins().iadd(base, ramp);
        }
        let lanes = self.each(at).map(|v| self.b.ins().ireduce(types::I32, v));
        self.gathered(types::I32X4, lanes)
    }

    /// A vector from its lanes.
    pub fn gathered(&mut self, ty: Type, lanes: [Value; LANES as usize]) -> Value {
        let mut v = self.b.ins().splat(ty, lanes[0]);
        for (l, x) in (0u8..).zip(lanes).skip(1) {
            v = self.b.ins().insertlane(v, x, l);
        }
        v
    }
}
