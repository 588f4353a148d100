//! Words: i32 whose bits are those of a u32, scalar while all lanes agree, else vectors.

use super::Emit;
use super::index::Index;
use crate::error::Result;
use crate::text::{Of, Value};
use seqc_schedule::word::{Shift, Word};

impl Emit<'_> {
    pub fn word_as_number(&mut self, w: &Word) -> Result<Value> {
        let bits = self.word(w)?;
        // What a shift down leaves is not negative, and signed words convert at once on every machine.
        let op = match w {
            Word::Shift(Shift::Down, ..) => "arith.sitofp",
            _ => "arith.uitofp",
        };
        Ok(self.f.cast(op, &bits, Of::F32))
    }

    fn word(&mut self, w: &Word) -> Result<Value> {
        Ok(match w {
            Word::Of(ix) => {
                let i = self.index(ix)?;
                let v = match &i {
                    Index::Uniform(u) => self.value(u),
                    _ => self.lanes_of(&i),
                };
                self.f.cast("arith.trunci", &v, Of::I32)
            }
            Word::Mul(a, b) => self.words("arith.muli", a, b)?,
            Word::Xor(a, b) => self.words("arith.xori", a, b)?,
            Word::Shift(shift, w, n) => {
                let w = self.word(w)?;
                match shift {
                    Shift::Down => self.shifted("arith.shrui", &w, *n),
                    Shift::Turn => {
                        let up = self.shifted("arith.shli", &w, *n);
                        let low = self.shifted("arith.shrui", &w, 32 - *n);
                        self.f.binary("arith.ori", &up, &low)
                    }
                    Shift::Fold => {
                        let down = self.shifted("arith.shrui", &w, *n);
                        self.f.binary("arith.xori", &w, &down)
                    }
                }
            }
        })
    }

    fn words(&mut self, op: &str, a: &Word, b: &Word) -> Result<Value> {
        let (a, b) = (self.word(a)?, self.word(b)?);
        let (a, b) = self.join(&a, &b);
        Ok(self.f.binary(op, &a, &b))
    }

    fn shifted(&mut self, op: &str, w: &Value, n: u32) -> Value {
        let n = self.f.int(w.ty, i64::from(n));
        self.f.binary(op, w, &n)
    }
}
