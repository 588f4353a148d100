//! Expressions.

use super::index::{At, Shape};
use super::{Emit, Num, Result, Truth};
use cranelift::prelude::*;
use seqc_schedule::ir::{Binary, Cmp, Expr, Ix, Unary};

/// Differences of indices beyond this are as good as this: only their sign matters.
const FAR: i64 = 1 << 30;

impl Num {
    pub fn one(v: Value) -> Num {
        Num {
            v,
            wide: false,
            whole: None,
        }
    }

    pub fn new(v: Value, wide: bool) -> Num {
        Num {
            v,
            wide,
            whole: None,
        }
    }
}

impl Emit<'_, '_> {
    pub fn number(&mut self, e: &Expr) -> Result<Num> {
        match e {
            Expr::Const(n) => Ok(Num::one(self.float(n.0, false))),
            Expr::Val(v) => match self.vals.get(v) {
                Some(n) => Ok(*n),
                None => Err(format!("value %{} is used where it is not bound", v.0)),
            },
            Expr::Load { buf, at } => self.load(*buf, at),
            Expr::Index(ix) => self.index_as_number(ix),
            Expr::Word(w) => self.word_as_number(w),
            Expr::Unary(op @ (Unary::Sin | Unary::Cos), x) => self.turned(*op, x),
            Expr::Unary(op, x) => {
                let x = self.number(x)?;
                self.unary(*op, x)
            }
            Expr::Binary(op, a, b) => {
                let (a, b) = (self.number(a)?, self.number(b)?);
                self.binary(*op, a, b)
            }
            Expr::Select(c, a, b) => {
                let c = self.truth(c)?;
                let (a, b) = (self.number(a)?, self.number(b)?);
                Ok(self.select(c, a, b))
            }
            Expr::Fold {
                op,
                var,
                lo,
                hi,
                lanes,
                body,
            } => self.fold(*op, *var, lo, hi, *lanes, body),
            Expr::Cmp(..) | Expr::CmpIx(..) | Expr::And(..) | Expr::Or(..) | Expr::Not(_) => {
                Err("a truth value stands where a number is needed".into())
            }
        }
    }

    fn index_as_number(&mut self, ix: &Ix) -> Result<Num> {
        let at = self.index(ix)?;
        let (v, whole, wide) = if at.is_uniform() {
            let v = self.first(&at);
            let whole = self.b.ins().ireduce(types::I32, v);
            (self.b.ins().fcvt_from_sint(types::F32, v), whole, false)
        } else {
            let whole = self.whole_lanes(&at);
            (
                self.b.ins().fcvt_from_sint(types::F32X4, whole),
                whole,
                true,
            )
        };
        Ok(Num {
            v,
            wide,
            whole: Some(whole),
        })
    }

    fn unary(&mut self, op: Unary, x: Num) -> Result<Num> {
        let v = match op {
            Unary::Single => return Ok(x),
            Unary::Neg => self.b.ins().fneg(x.v),
            Unary::Abs => self.b.ins().fabs(x.v),
            Unary::Sqrt => self.b.ins().sqrt(x.v),
            Unary::Floor => self.b.ins().floor(x.v),
            Unary::Sign => self.sign(x),
            Unary::Exp if x.wide => self.exp(x.v),
            Unary::Tanh if x.wide => self.tanh(x.v),
            called => match crate::symbols::of(called) {
                Some(name) => self.called(name, &[x], x.wide)?,
                None => return Err(format!("{called:?} has no code")),
            },
        };
        Ok(Num::new(v, x.wide))
    }

    /// Zeros and NaN stay what they are.
    fn sign(&mut self, x: Num) -> Value {
        let zero = Num::one(self.float(0.0, false));
        let one = Num::one(self.float(1.0, false));
        let minus = Num::one(self.float(-1.0, false));
        let below = self.compare_numbers(Cmp::Lt, x, zero);
        let above = self.compare_numbers(Cmp::Gt, x, zero);
        let r = self.select(below, minus, x);
        self.select(above, one, r).v
    }

    pub fn binary(&mut self, op: Binary, a: Num, b: Num) -> Result<Num> {
        if op == Binary::Pow {
            let wide = a.wide || b.wide;
            let v = self.called(crate::symbols::POW, &[a, b], wide)?;
            return Ok(Num::new(v, wide));
        }
        let (x, y, wide) = self.join(a, b);
        let ins = self.b.ins();
        let v = match op {
            Binary::Add => ins.fadd(x, y),
            Binary::Sub => ins.fsub(x, y),
            Binary::Mul => ins.fmul(x, y),
            Binary::Div => ins.fdiv(x, y),
            Binary::Max => ins.fmax(x, y),
            Binary::Min => ins.fmin(x, y),
            Binary::Rem | Binary::Pow => {
                let q = ins.fdiv(x, y);
                let q = self.b.ins().floor(q);
                let back = self.b.ins().fmul(q, y);
                self.b.ins().fsub(x, back)
            }
        };
        Ok(Num::new(v, wide))
    }

    /// A function of the math library, once a lane.
    fn called(&mut self, name: &'static str, args: &[Num], wide: bool) -> Result<Value> {
        if !wide {
            let args: Vec<Value> = args.iter().map(|a| a.v).collect();
            return self.call(name, &args);
        }
        let mut lanes = [args[0].v; 4];
        for (l, lane) in (0u8..).zip(&mut lanes) {
            let one = |a: &Num| match a.wide {
                true => self.b.ins().extractlane(a.v, l),
                false => a.v,
            };
            let args: Vec<Value> = args.iter().map(one).collect();
            *lane = self.call(name, &args)?;
        }
        Ok(self.gathered(types::F32X4, lanes))
    }

    pub fn call(&mut self, name: &'static str, args: &[Value]) -> Result<Value> {
        let found = self.imports.functions.get(name);
        let f = *found.ok_or("a function is not imported")?;
        let call = self.b.ins().call(f, args);
        Ok(self.b.inst_results(call)[0])
    }

    pub fn truth(&mut self, e: &Expr) -> Result<Truth> {
        match e {
            Expr::Cmp(c, a, b) => {
                let (a, b) = (self.number(a)?, self.number(b)?);
                Ok(self.compare_numbers(*c, a, b))
            }
            Expr::CmpIx(c, a, b) => self.compare_indices(*c, a, b),
            Expr::And(a, b) => {
                let (x, y, wide) = self.truths(a, b)?;
                let v = self.b.ins().band(x, y);
                Ok(Truth { v, wide })
            }
            Expr::Or(a, b) => {
                let (x, y, wide) = self.truths(a, b)?;
                let v = self.b.ins().bor(x, y);
                Ok(Truth { v, wide })
            }
            Expr::Not(x) => {
                let x = self.truth(x)?;
                let v = match x.wide {
                    true => self.b.ins().bnot(x.v),
                    false => self.b.ins().icmp_imm_s(IntCC::Equal, x.v, 0),
                };
                Ok(Truth { v, wide: x.wide })
            }
            _ => Err("a number stands where a truth value is needed".into()),
        }
    }

    fn truths(&mut self, a: &Expr, b: &Expr) -> Result<(Value, Value, bool)> {
        let (a, b) = (self.truth(a)?, self.truth(b)?);
        Ok(match a.wide || b.wide {
            true => (self.mask(a), self.mask(b), true),
            false => (a.v, b.v, false),
        })
    }

    /// A truth value in all lanes.
    fn mask(&mut self, t: Truth) -> Value {
        if t.wide {
            return t.v;
        }
        let m = self.b.ins().bmask(types::I32, t.v);
        self.b.ins().splat(types::I32X4, m)
    }

    pub fn compare_numbers(&mut self, c: Cmp, a: Num, b: Num) -> Truth {
        let cc = match c {
            Cmp::Lt => FloatCC::LessThan,
            Cmp::Le => FloatCC::LessThanOrEqual,
            Cmp::Gt => FloatCC::GreaterThan,
            Cmp::Ge => FloatCC::GreaterThanOrEqual,
            Cmp::Eq => FloatCC::Equal,
            Cmp::Ne => FloatCC::NotEqual,
        };
        let (x, y, wide) = self.join(a, b);
        let v = self.b.ins().fcmp(cc, x, y);
        Truth { v, wide }
    }

    fn compare_indices(&mut self, c: Cmp, a: &Ix, b: &Ix) -> Result<Truth> {
        let cc = match c {
            Cmp::Lt => IntCC::SignedLessThan,
            Cmp::Le => IntCC::SignedLessThanOrEqual,
            Cmp::Gt => IntCC::SignedGreaterThan,
            Cmp::Ge => IntCC::SignedGreaterThanOrEqual,
            Cmp::Eq => IntCC::Equal,
            Cmp::Ne => IntCC::NotEqual,
        };
        // Only the difference matters.
        let d = self.index(&(a.clone() - b.clone()))?;
        match d.shape {
            Shape::Step(0) => {
                let v = self.first(&d);
                let v = self.b.ins().icmp_imm_s(cc, v, 0);
                Ok(Truth { v, wide: false })
            }
            Shape::Step(s) if s.unsigned_abs() < 1 << 28 => {
                let v = self.first(&d);
                let (most, least) = (self.int(FAR), self.int(-FAR));
                let v = self.b.ins().smin(v, most);
                let near = At {
                    base: Some(self.b.ins().smax(v, least)),
                    constant: 0,
                    ..d
                };
                let lanes = self.whole_lanes(&near);
                let zero = self.b.ins().iconst(types::I32, 0);
                let zero = self.b.ins().splat(types::I32X4, zero);
                let v = self.b.ins().icmp(cc, lanes, zero);
                Ok(Truth { v, wide: true })
            }
            _ => {
                let lanes = self.each(&d).map(|v| {
                    let t = self.b.ins().icmp_imm_s(cc, v, 0);
                    self.b.ins().bmask(types::I32, t)
                });
                let v = self.gathered(types::I32X4, lanes);
                Ok(Truth { v, wide: true })
            }
        }
    }

    pub fn select(&mut self, c: Truth, a: Num, b: Num) -> Num {
        if !(c.wide || a.wide || b.wide) {
            return Num::one(self.b.ins().select(c.v, a.v, b.v));
        }
        let (x, y) = (self.widen(a), self.widen(b));
        if !c.wide {
            return Num::new(self.b.ins().select(c.v, x, y), true);
        }
        let m = self.bits(types::F32X4, c.v);
        Num::new(self.b.ins().bitselect(m, x, y), true)
    }

    /// The same 128 bits as another type.
    pub fn bits(&mut self, ty: Type, v: Value) -> Value {
        let little = MemFlagsData::new().with_endianness(codegen::ir::Endianness::Little);
        self.b.ins().bitcast(ty, little, v)
    }
}
