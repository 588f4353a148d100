//! Loads and stores: addresses, lanes side by side or each at its own place, and words narrower than what is computed
//! with.

use super::index::{At, Shape};
use super::{Emit, Num, Result, flags};
use cranelift::prelude::*;
use seqc_schedule::ir::{Buf, Elem, Expr, Ix};

/// How an element lies in memory, and what it is in a register: alone, and four of them.
#[derive(Clone, Copy)]
struct Word {
    elem: Elem,
    one: Type,
    four: Type,
}

impl Word {
    fn of(elem: Elem) -> Word {
        let (one, four) = match elem {
            Elem::F32 => (types::F32, types::F32X4),
            // A bf16 is the upper half of an f32, and moved as bits.
            Elem::I32 | Elem::Bf16 => (types::I32, types::I32X4),
        };
        Word { elem, one, four }
    }

    /// Powers of two in an element's bytes.
    fn shift(self) -> i64 {
        if self.elem == Elem::Bf16 { 1 } else { 2 }
    }
}

impl Emit<'_, '_> {
    /// Address of element `at` (of lane 0), and the rest of it as a constant offset.
    fn address(&mut self, base: Value, at: &At, word: Word) -> (Value, i32) {
        let bytes = at
            .constant
            .checked_mul(1 << word.shift())
            .and_then(|n| i32::try_from(n).ok());
        let (constant, offset) = match bytes {
            Some(n) => (0, n),
            None => (at.constant, 0),
        };
        let moving = At { constant, ..*at };
        if moving.base.is_none() && constant == 0 {
            return (base, offset);
        }
        let i = self.first(&moving);
        (self.element(base, i, word), offset)
    }

    fn element(&mut self, base: Value, index: Value, word: Word) -> Value {
        let i = self.b.ins().ishl_imm_u(index, word.shift());
        self.b.ins().iadd(base, i)
    }

    pub fn load(&mut self, buf: Buf, at: &Ix) -> Result<Num> {
        let (base, elem) = self.buffer(buf)?;
        let word = Word::of(elem);
        let at = self.index(at)?;
        let (v, wide) = match at.shape {
            Shape::Step(0) => {
                let place = self.address(base, &at, word);
                (self.load_one(word, place), false)
            }
            Shape::Step(1) => {
                let (p, o) = self.address(base, &at, word);
                let four = match elem {
                    Elem::Bf16 => self.b.ins().uload16x4(flags(), p, o),
                    _ => self.b.ins().load(word.four, flags(), p, o),
                };
                (four, true)
            }
            _ => {
                let lanes = self.each(&at).map(|i| {
                    let p = self.element(base, i, word);
                    self.load_one(word, (p, 0))
                });
                (self.gathered(word.four, lanes), true)
            }
        };
        let float = if wide { types::F32X4 } else { types::F32 };
        Ok(match elem {
            Elem::F32 => Num::new(v, wide),
            Elem::Bf16 => {
                let bits = self.b.ins().ishl_imm_u(v, 16);
                Num::new(self.bits(float, bits), wide)
            }
            Elem::I32 => Num {
                v: self.b.ins().fcvt_from_sint(float, v),
                wide,
                whole: Some(v),
            },
        })
    }

    fn load_one(&mut self, word: Word, (p, o): (Value, i32)) -> Value {
        match word.elem {
            Elem::Bf16 => self.b.ins().uload16(types::I32, flags(), p, o),
            _ => self.b.ins().load(word.one, flags(), p, o),
        }
    }

    pub fn store(&mut self, buf: Buf, at: &Ix, value: &Expr) -> Result<()> {
        let (base, elem) = self.buffer(buf)?;
        let word = Word::of(elem);
        let n = self.number(value)?;
        let at = self.index(at)?;
        let v = match (elem, n.whole) {
            (Elem::F32, _) => n.v,
            (Elem::Bf16, _) => self.rounded(&n),
            (Elem::I32, Some(w)) => w,
            (Elem::I32, None) => {
                let ty = if n.wide { types::I32X4 } else { types::I32 };
                self.b.ins().fcvt_to_sint_sat(ty, n.v)
            }
        };
        match at.shape {
            Shape::Step(0) => {
                // Lanes that agree on the place: the last one stays.
                let v = self.lane(v, n.wide, 3);
                let place = self.address(base, &at, word);
                self.store_one(word, v, place);
            }
            Shape::Step(1) => {
                let v = if n.wide {
                    v
                } else {
                    self.b.ins().splat(word.four, v)
                };
                let (p, o) = self.address(base, &at, word);
                let v = match elem {
                    Elem::Bf16 => {
                        // Below 2^16, so that saturating changes nothing.
                        let halves = self.b.ins().unarrow(v, v);
                        let pairs = self.bits(types::I64X2, halves);
                        self.b.ins().extractlane(pairs, 0u8)
                    }
                    _ => v,
                };
                self.b.ins().store(flags(), v, p, o);
            }
            _ => {
                for (l, i) in (0u8..).zip(self.each(&at)) {
                    let x = self.lane(v, n.wide, l);
                    let p = self.element(base, i, word);
                    self.store_one(word, x, (p, 0));
                }
            }
        }
        Ok(())
    }

    fn lane(&mut self, v: Value, wide: bool, lane: u8) -> Value {
        match wide {
            true => self.b.ins().extractlane(v, lane),
            false => v,
        }
    }

    fn store_one(&mut self, word: Word, v: Value, (p, o): (Value, i32)) {
        match word.elem {
            Elem::Bf16 => self.b.ins().istore16(flags(), v, p, o),
            _ => self.b.ins().store(flags(), v, p, o),
        };
    }

    /// Upper halves as integers: rounded to nearest, ties to even; what is no number is the quiet NaN.
    fn rounded(&mut self, n: &Num) -> Value {
        let ty = if n.wide { types::I32X4 } else { types::I32 };
        let word = self.bits(ty, n.v);
        let [one, most, nan] = [1, 0x7fff, 0x7fc0].map(|k| {
            let k = self.b.ins().iconst(types::I32, k);
            if n.wide { self.b.ins().splat(ty, k) } else { k }
        });
        let upper = self.b.ins().ushr_imm_u(word, 16);
        let odd = self.b.ins().band(upper, one);
        let up = self.b.ins().iadd(most, odd);
        let sum = self.b.ins().iadd(word, up);
        let upper = self.b.ins().ushr_imm_u(sum, 16);
        let none = self.b.ins().fcmp(FloatCC::Unordered, n.v, n.v);
        match n.wide {
            true => self.b.ins().bitselect(none, nan, upper),
            false => self.b.ins().select(none, nan, upper),
        }
    }
}
