//! Words: i32 whose bits are those of a u32, or four of them while lanes differ.

use super::{Emit, Num, Result};
use cranelift::prelude::*;
use seqc_schedule::word::{Shift, Word};

#[derive(Clone, Copy)]
struct Bits {
    v: Value,
    wide: bool,
}

impl Emit<'_, '_> {
    pub fn word_as_number(&mut self, w: &Word) -> Result<Num> {
        let bits = self.word(w)?;
        let v = if bits.wide {
            self.b.ins().fcvt_from_uint(types::F32X4, bits.v)
        } else {
            let long = self.b.ins().uextend(types::I64, bits.v);
            self.b.ins().fcvt_from_sint(types::F32, long)
        };
        Ok(Num::new(v, bits.wide))
    }

    fn word(&mut self, w: &Word) -> Result<Bits> {
        match w {
            Word::Of(ix) => {
                let at = self.index(ix)?;
                let wide = !at.is_uniform();
                let v = if wide {
                    self.whole_lanes(&at)
                } else {
                    let v = self.first(&at);
                    self.b.ins().ireduce(types::I32, v)
                };
                Ok(Bits { v, wide })
            }
            Word::Mul(a, b) => {
                let (a, b, wide) = self.words(a, b)?;
                let v = self.b.ins().imul(a, b);
                Ok(Bits { v, wide })
            }
            Word::Xor(a, b) => {
                let (a, b, wide) = self.words(a, b)?;
                let v = self.b.ins().bxor(a, b);
                Ok(Bits { v, wide })
            }
            Word::Shift(shift, w, n) => {
                let w = self.word(w)?;
                let down = self.b.ins().ushr_imm_u(w.v, i64::from(*n));
                let v = match shift {
                    Shift::Down => down,
                    Shift::Turn => {
                        let up = self.b.ins().ishl_imm_u(w.v, i64::from(*n));
                        let low = self.b.ins().ushr_imm_u(w.v, i64::from(32 - *n));
                        self.b.ins().bor(up, low)
                    }
                    Shift::Fold => self.b.ins().bxor(w.v, down),
                };
                Ok(Bits { v, wide: w.wide })
            }
        }
    }

    fn words(&mut self, a: &Word, b: &Word) -> Result<(Value, Value, bool)> {
        let (a, b) = (self.word(a)?, self.word(b)?);
        let wide = a.wide || b.wide;
        let mut of = |w: Bits| match wide && !w.wide {
            true => self.b.ins().splat(types::I32X4, w.v),
            false => w.v,
        };
        Ok((of(a), of(b), wide))
    }
}
