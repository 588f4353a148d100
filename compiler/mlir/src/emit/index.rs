//! Index arithmetic, with what is known about each index: constants are folded, and across the lanes of a
//! vector an index is kept as `base + lane·stride` while it has that form, so that loads know their stride.

use super::{Emit, bf16};
use crate::error::Result;
use crate::text::{I64, Of, Ty, Value};
use seqc_schedule::ir::{Elem, Expr, Ix};

/// A scalar i64 that is the same in every lane.
#[derive(Clone, Debug)]
pub(crate) struct Uni {
    kind: Kind,
    /// A power of two (or 0 for the number 0) that divides it.
    pub align: u64,
    pub nonneg: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    Const(i64),
    Value(Value),
}

/// An index in a context of lanes.
#[derive(Clone, Debug)]
pub(crate) enum Index {
    Uniform(Uni),
    /// Lane `l` has `base + l·stride`.
    Affine {
        base: Uni,
        stride: Uni,
    },
    /// A vector of i64.
    Lanes(Value),
}

impl Uni {
    pub fn new(v: Value) -> Uni {
        Uni {
            kind: Kind::Value(v),
            align: 1,
            nonneg: false,
        }
    }

    pub fn unsigned(v: Value) -> Uni {
        Uni {
            nonneg: true,
            ..Uni::new(v)
        }
    }

    pub fn aligned(mut self, align: u64) -> Uni {
        self.align = align;
        self
    }

    pub fn known_unsigned(mut self) -> Uni {
        self.nonneg = true;
        self
    }

    pub fn constant(n: i64) -> Uni {
        let align = if n == 0 {
            0
        } else {
            1 << n.trailing_zeros().min(62)
        };
        Uni {
            kind: Kind::Const(n),
            align,
            nonneg: n >= 0,
        }
    }

    pub fn known(&self) -> Option<i64> {
        match self.kind {
            Kind::Const(n) => Some(n),
            Kind::Value(_) => None,
        }
    }

    fn is_multiple(&self, of: u64) -> bool {
        self.align == 0 || self.align.is_multiple_of(of)
    }
}

/// The common alignment of a sum.
fn common(a: u64, b: u64) -> u64 {
    if a == 0 || b == 0 { a.max(b) } else { a.min(b) }
}

impl Emit<'_> {
    pub fn value(&mut self, u: &Uni) -> Value {
        match &u.kind {
            Kind::Const(n) => self.f.int(I64, *n),
            Kind::Value(v) => v.clone(),
        }
    }

    fn op(&mut self, op: &str, a: &Uni, b: &Uni) -> Uni {
        let (a, b) = (self.value(a), self.value(b));
        Uni::new(self.f.binary(op, &a, &b))
    }

    pub fn add(&mut self, a: &Uni, b: &Uni) -> Uni {
        match (a.known(), b.known()) {
            (Some(x), Some(y)) => Uni::constant(x.wrapping_add(y)),
            (Some(0), _) => b.clone(),
            (_, Some(0)) => a.clone(),
            _ => Uni {
                align: common(a.align, b.align),
                nonneg: a.nonneg && b.nonneg,
                ..self.op("arith.addi", a, b)
            },
        }
    }

    pub fn sub(&mut self, a: &Uni, b: &Uni) -> Uni {
        match (a.known(), b.known()) {
            (Some(x), Some(y)) => Uni::constant(x.wrapping_sub(y)),
            (_, Some(0)) => a.clone(),
            _ => self
                .op("arith.subi", a, b)
                .aligned(common(a.align, b.align)),
        }
    }

    pub fn mul(&mut self, a: &Uni, b: &Uni) -> Uni {
        match (a.known(), b.known()) {
            (Some(x), Some(y)) => Uni::constant(x.wrapping_mul(y)),
            (Some(0), _) | (_, Some(0)) => Uni::constant(0),
            (Some(1), _) => b.clone(),
            (_, Some(1)) => a.clone(),
            _ => Uni {
                align: a.align.saturating_mul(b.align).min(1 << 62),
                nonneg: a.nonneg && b.nonneg,
                ..self.op("arith.muli", a, b)
            },
        }
    }

    /// Floor division by a positive divisor.
    pub fn div(&mut self, a: &Uni, b: &Uni) -> Uni {
        match (a.known(), b.known()) {
            (Some(x), Some(y)) if y > 0 => Uni::constant(x.div_euclid(y)),
            (_, Some(1)) => a.clone(),
            (_, Some(y)) if y > 0 && y & (y - 1) == 0 => {
                let (v, shift) = (
                    self.value(a),
                    self.f.int(I64, i64::from(y.trailing_zeros())),
                );
                let r = self.f.binary("arith.shrsi", &v, &shift);
                let align = if a.is_multiple(y as u64) {
                    (a.align / y as u64).max(1)
                } else {
                    1
                };
                Uni {
                    nonneg: a.nonneg,
                    ..Uni::new(r)
                }
                .aligned(align)
            }
            _ if a.nonneg => self.op("arith.divui", a, b).known_unsigned(),
            _ => {
                let (a, b) = (self.value(a), self.value(b));
                Uni::new(self.floor_division(&a, &b))
            }
        }
    }

    /// The truncated quotient, one less where the remainder is negative.
    fn floor_division(&mut self, a: &Value, b: &Value) -> Value {
        let q = self.f.binary("arith.divsi", a, b);
        let r = self.f.binary("arith.remsi", a, b);
        let zero = self.f.int(r.ty, 0);
        let below = self.f.cmp("slt", &r, &zero);
        let less = self.f.cast("arith.extsi", &below, Of::I64);
        self.f.add(&q, &less)
    }

    /// Remainder of floor division by a positive divisor.
    pub fn rem(&mut self, a: &Uni, b: &Uni) -> Uni {
        match (a.known(), b.known()) {
            (Some(x), Some(y)) if y > 0 => Uni::constant(x.rem_euclid(y)),
            (_, Some(1)) => Uni::constant(0),
            (_, Some(y)) if y > 0 && y & (y - 1) == 0 => {
                let (v, mask) = (self.value(a), self.f.int(I64, y - 1));
                let r = self.f.binary("arith.andi", &v, &mask);
                Uni::unsigned(r).aligned(common(a.align, y as u64).max(1))
            }
            _ if a.nonneg => self.op("arith.remui", a, b).known_unsigned(),
            _ => {
                let q = self.div(a, b);
                let back = self.mul(&q, b);
                self.sub(a, &back).known_unsigned().aligned(1)
            }
        }
    }

    pub fn min(&mut self, a: &Uni, b: &Uni) -> Uni {
        match (a.known(), b.known()) {
            (Some(x), Some(y)) => Uni::constant(x.min(y)),
            _ => Uni {
                nonneg: a.nonneg && b.nonneg,
                ..self.op("arith.minsi", a, b)
            }
            .aligned(common(a.align, b.align).max(1)),
        }
    }

    pub fn max(&mut self, a: &Uni, b: &Uni) -> Uni {
        match (a.known(), b.known()) {
            (Some(x), Some(y)) => Uni::constant(x.max(y)),
            (Some(x), _) if x <= 0 && b.nonneg => b.clone(),
            (_, Some(y)) if y <= 0 && a.nonneg => a.clone(),
            _ => Uni {
                nonneg: a.nonneg || b.nonneg,
                ..self.op("arith.maxsi", a, b)
            }
            .aligned(common(a.align, b.align).max(1)),
        }
    }

    /// The index as a vector of i64.
    pub fn lanes_of(&mut self, i: &Index) -> Value {
        let ty = Ty::new(Of::I64, self.lanes);
        match i {
            Index::Lanes(v) => v.clone(),
            Index::Uniform(u) => {
                let v = self.value(u);
                self.f.broadcast(&v, self.lanes)
            }
            Index::Affine { base, stride } => {
                let ramp = match stride.known() {
                    Some(s) => self.f.ramp(ty, s),
                    None => {
                        let one = self.f.ramp(ty, 1);
                        let s = self.value(stride);
                        let s = self.f.broadcast(&s, self.lanes);
                        self.f.mul(&one, &s)
                    }
                };
                let b = self.value(base);
                let b = self.f.broadcast(&b, self.lanes);
                self.f.add(&b, &ramp)
            }
        }
    }

    /// An index that must not depend on the lane.
    pub fn uniform(&mut self, ix: &Ix) -> Result<Uni> {
        match self.index(ix)? {
            Index::Uniform(u) => Ok(u),
            _ => self.error("an index differs from lane to lane where it must not"),
        }
    }

    pub fn index(&mut self, ix: &Ix) -> Result<Index> {
        use Index::{Affine, Uniform};
        Ok(match ix {
            Ix::Const(n) => Uniform(Uni::constant(*n)),
            Ix::Var(v) => match self.vars.get(v) {
                Some(i) => i.clone(),
                None => return self.error(format!("variable {} is used outside its loop", v.0)),
            },
            Ix::Dim(d) => match self.dims.get(*d as usize) {
                Some(v) => Uniform(Uni::unsigned(v.clone())),
                None => return self.error(format!("there is no size {d}")),
            },
            Ix::Add(a, b) => match (self.index(a)?, self.index(b)?) {
                (Uniform(a), Uniform(b)) => Uniform(self.add(&a, &b)),
                (Affine { base, stride }, Uniform(u)) | (Uniform(u), Affine { base, stride }) => {
                    Affine {
                        base: self.add(&base, &u),
                        stride,
                    }
                }
                (Affine { base: a, stride: s }, Affine { base: b, stride: t }) => {
                    let (base, stride) = (self.add(&a, &b), self.add(&s, &t));
                    affine(base, stride)
                }
                (a, b) => self.by_lane("arith.addi", &a, &b),
            },
            Ix::Sub(a, b) => match (self.index(a)?, self.index(b)?) {
                (Uniform(a), Uniform(b)) => Uniform(self.sub(&a, &b)),
                (Affine { base, stride }, Uniform(u)) => Affine {
                    base: self.sub(&base, &u),
                    stride,
                },
                (Uniform(u), Affine { base, stride }) => {
                    let base = self.sub(&u, &base);
                    Affine {
                        base,
                        stride: self.sub(&Uni::constant(0), &stride),
                    }
                }
                (Affine { base: a, stride: s }, Affine { base: b, stride: t }) => {
                    let (base, stride) = (self.sub(&a, &b), self.sub(&s, &t));
                    affine(base, stride)
                }
                (a, b) => self.by_lane("arith.subi", &a, &b),
            },
            Ix::Mul(a, b) => match (self.index(a)?, self.index(b)?) {
                (Uniform(a), Uniform(b)) => Uniform(self.mul(&a, &b)),
                (Affine { base, stride }, Uniform(u)) | (Uniform(u), Affine { base, stride }) => {
                    let (base, stride) = (self.mul(&base, &u), self.mul(&stride, &u));
                    affine(base, stride)
                }
                (a, b) => self.by_lane("arith.muli", &a, &b),
            },
            Ix::Div(a, b) | Ix::Rem(a, b) => {
                let rem = matches!(ix, Ix::Rem(..));
                let (a, b) = (self.index(a)?, self.index(b)?);
                self.divide(&a, &b, rem)
            }
            Ix::Min(a, b) => match (self.index(a)?, self.index(b)?) {
                (Uniform(a), Uniform(b)) => Uniform(self.min(&a, &b)),
                (a, b) => self.by_lane("arith.minsi", &a, &b),
            },
            Ix::Max(a, b) => match (self.index(a)?, self.index(b)?) {
                (Uniform(a), Uniform(b)) => Uniform(self.max(&a, &b)),
                (a, b) => self.by_lane("arith.maxsi", &a, &b),
            },
            Ix::Data(e) => self.data(e)?,
        })
    }

    fn by_lane(&mut self, op: &str, a: &Index, b: &Index) -> Index {
        let (a, b) = (self.lanes_of(a), self.lanes_of(b));
        Index::Lanes(self.f.binary(op, &a, &b))
    }

    fn divide(&mut self, a: &Index, b: &Index, rem: bool) -> Index {
        match (a, b) {
            (Index::Uniform(a), Index::Uniform(b)) => {
                Index::Uniform(if rem { self.rem(a, b) } else { self.div(a, b) })
            }
            (Index::Affine { base, stride }, Index::Uniform(d))
                if self.one_block(base, stride, d) =>
            {
                // All lanes fall between two multiples of the divisor.
                if rem {
                    Index::Affine {
                        base: self.rem(base, d),
                        stride: stride.clone(),
                    }
                } else {
                    Index::Uniform(self.div(base, d))
                }
            }
            _ => {
                let (x, d) = (self.lanes_of(a), self.lanes_of(b));
                let q = self.floor_division(&x, &d);
                if !rem {
                    return Index::Lanes(q);
                }
                let back = self.f.mul(&q, &d);
                Index::Lanes(self.f.sub(&x, &back))
            }
        }
    }

    /// Is `base + lane·stride` divided by `d` the same in every lane, whatever `base` is?
    fn one_block(&self, base: &Uni, stride: &Uni, d: &Uni) -> bool {
        let (Some(s), Some(d)) = (stride.known(), d.known()) else {
            return false;
        };
        let span = s.saturating_mul(i64::from(self.lanes));
        s >= 0 && d > 0 && span > 0 && d % span == 0 && base.is_multiple(span as u64)
    }

    fn data(&mut self, e: &Expr) -> Result<Index> {
        let x = self.number(e)?;
        // Saturating: a number that is no index must not become undefined before a clamp sees it.
        let whole = match x.whole {
            Some(w) => w,
            None => {
                let to = x.v.ty.with(Of::I32);
                let suffix = if to.lanes == 1 {
                    "i32.f32".into()
                } else {
                    format!("v{0}i32.v{0}f32", to.lanes)
                };
                let text = format!(
                    "llvm.call_intrinsic \"llvm.fptosi.sat.{suffix}\"({}) : ({}) -> {to}",
                    x.v, x.v.ty
                );
                self.f.define("v", to, text)
            }
        };
        let v = self.f.cast("arith.extsi", &whole, Of::I64);
        Ok(if v.ty.lanes == 1 {
            Index::Uniform(Uni::new(v))
        } else {
            Index::Lanes(v)
        })
    }

    /// Loads one element a lane, or one for all lanes if they agree.
    pub fn load(&mut self, base: &Value, elem: Elem, at: &Index) -> Value {
        let of = memory(elem);
        let x = self.load_word(base, of, at);
        match elem {
            Elem::F32 | Elem::I32 => x,
            Elem::Bf16 => bf16::widen(&mut self.f, &x),
        }
    }

    fn load_word(&mut self, base: &Value, of: Of, at: &Index) -> Value {
        let ty = Ty::new(of, self.lanes);
        match at {
            Index::Uniform(u) => {
                let p = self.address_of(base, u, of);
                self.f.load(&p, Ty::new(of, 1))
            }
            Index::Affine {
                base: first,
                stride,
            } if stride.known() == Some(1) => {
                let p = self.address_of(base, first, of);
                self.f.load(&p, ty)
            }
            Index::Affine {
                base: first,
                stride,
            } if stride.known() == Some(-1) => {
                let last = self.add(first, &Uni::constant(1 - i64::from(self.lanes)));
                let p = self.address_of(base, &last, of);
                let v = self.f.load(&p, ty);
                self.reverse(&v)
            }
            _ => {
                let at = self.lanes_of(at);
                let p = self.f.address_of(base, &at, of);
                self.f.gather(&p, of)
            }
        }
    }

    /// Stores a scalar, or one element a lane.
    pub fn store(&mut self, x: &Value, base: &Value, elem: Elem, at: &Index) -> Result<()> {
        let (of, narrow) = (memory(elem), bf16::narrow);
        let x = &if elem == Elem::Bf16 {
            narrow(&mut self.f, x)
        } else {
            x.clone()
        };
        match at {
            Index::Uniform(_) if x.ty.lanes > 1 => {
                return self.error("the lanes of a vector loop store to one element");
            }
            Index::Uniform(u) => {
                let p = self.address_of(base, u, of);
                self.f.store(x, &p);
            }
            Index::Affine {
                base: first,
                stride,
            } if stride.known() == Some(1) => {
                let p = self.address_of(base, first, of);
                let x = self.f.broadcast(x, self.lanes);
                self.f.store(&x, &p);
            }
            _ => {
                let at = self.lanes_of(at);
                let p = self.f.address_of(base, &at, of);
                let x = self.f.broadcast(x, self.lanes);
                self.f.scatter(&x, &p);
            }
        }
        Ok(())
    }

    pub fn address(&mut self, base: &Value, at: &Uni) -> Value {
        self.address_of(base, at, Of::F32)
    }

    fn address_of(&mut self, base: &Value, at: &Uni, of: Of) -> Value {
        match at.known() {
            Some(n) => self.f.address_of_at(base, n, of),
            None => {
                let at = self.value(at);
                self.f.address_of(base, &at, of)
            }
        }
    }

    fn reverse(&mut self, v: &Value) -> Value {
        let lanes: Vec<u32> = (0..v.ty.lanes).rev().collect();
        self.f.shuffle(v, v, &lanes)
    }
}

/// What an element is in memory.
fn memory(elem: Elem) -> Of {
    match elem {
        Elem::F32 => Of::F32,
        Elem::I32 => Of::I32,
        Elem::Bf16 => Of::I16,
    }
}

fn affine(base: Uni, stride: Uni) -> Index {
    if stride.known() == Some(0) {
        Index::Uniform(base)
    } else {
        Index::Affine { base, stride }
    }
}
