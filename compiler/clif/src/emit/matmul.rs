//! Matrix products: the result is cut into tiles of up to 4 rows and 8 columns that stay in registers.
//!
//! Columns are lanes. A result whose rows are contiguous instead of its columns is computed transposed.

use super::{Emit, LANES, Result};
use cranelift::prelude::*;
use seqc_schedule::ir::{Elem, Matmul, Part, Tile};

/// Rows of a register tile: with two vectors of columns, eight sums hide the latency of the multiply-add.
const ROWS: i64 = 4;

/// An operand: where element (0, 0) is, and its strides in elements.
#[derive(Clone, Copy)]
pub(crate) struct Operand {
    pub at: Value,
    pub rows: i64,
    pub cols: i64,
}

impl Operand {
    fn transposed(self) -> Operand {
        Operand {
            at: self.at,
            rows: self.cols,
            cols: self.rows,
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Product {
    pub m: i64,
    pub n: i64,
    pub k: i64,
    pub out: Operand,
    pub a: Operand,
    pub b: Operand,
    pub accumulate: bool,
    pub part: Part,
}

impl Product {
    /// `outᵀ = bᵀ aᵀ`.
    fn transposed(self) -> Product {
        Product {
            m: self.n,
            n: self.m,
            out: self.out.transposed(),
            a: self.b.transposed(),
            b: self.a.transposed(),
            part: match self.part {
                Part::All => Part::All,
                Part::Lower => Part::Upper,
                Part::Upper => Part::Lower,
            },
            ..self
        }
    }
}

/// How many columns a register tile has.
#[derive(Clone, Copy)]
pub(crate) enum Width {
    Vectors(i64),
    One,
}

impl Emit<'_, '_> {
    pub fn matmul(&mut self, m: &Matmul) -> Result<()> {
        let size = |n: usize| i64::try_from(n).map_err(|_| "a product is too large".to_string());
        let mut p = Product {
            m: size(m.m)?,
            n: size(m.n)?,
            k: size(m.k)?,
            out: self.operand(&m.out)?,
            a: self.operand(&m.a)?,
            b: self.operand(&m.b)?,
            accumulate: m.accumulate,
            part: m.part,
        };
        if p.out.cols != 1 && p.out.rows == 1 {
            p = p.transposed();
        }
        let whole = p.m - p.m % ROWS;
        if whole > 0 {
            let (start, end) = (self.int(0), self.int(whole));
            self.for_loop(start, end, ROWS, &[], |e, r, _| {
                e.row_block(&p, r, ROWS)?;
                Ok(vec![])
            })?;
        }
        if whole < p.m {
            let r = self.int(whole);
            self.row_block(&p, r, p.m - whole)?;
        }
        Ok(())
    }

    fn operand(&mut self, t: &Tile) -> Result<Operand> {
        let (base, elem) = self.buffer(t.buf)?;
        if elem != Elem::F32 {
            return Err("a matrix product of something else than f32".into());
        }
        let at = self.uniform(&t.base)?;
        Ok(Operand {
            at: self.moved(base, at, 1),
            rows: t.rows,
            cols: t.cols,
        })
    }

    /// `base + 4·index·stride`
    pub fn moved(&mut self, base: Value, index: Value, stride: i64) -> Value {
        let bytes = self.b.ins().imul_imm_s(index, stride.wrapping_mul(4));
        self.b.ins().iadd(base, bytes)
    }

    /// All tiles of the rows `r..r + rows`; those wholly outside the wanted part may be left out.
    fn row_block(&mut self, p: &Product, r: Value, rows: i64) -> Result<()> {
        let step = 2 * LANES;
        let whole = p.n - p.n % step;
        if whole > 0 {
            let (start, end) = self.wanted(p.part, r, rows, whole, step);
            self.for_loop(start, end, step, &[], |e, c, _| {
                e.tile(p, (r, rows), c, Width::Vectors(2))?;
                Ok(vec![])
            })?;
        }
        let mut at = whole;
        if p.n - at >= LANES {
            let c = self.int(at);
            self.tile(p, (r, rows), c, Width::Vectors(1))?;
            at += LANES;
        }
        if at < p.n {
            let (start, end) = (self.int(at), self.int(p.n));
            self.for_loop(start, end, 1, &[], |e, c, _| {
                e.tile(p, (r, rows), c, Width::One)?;
                Ok(vec![])
            })?;
        }
        Ok(())
    }

    /// The multiples of `step` below `whole` between which the wanted columns of some rows lie.
    fn wanted(&mut self, part: Part, r: Value, rows: i64, whole: i64, step: i64) -> (Value, Value) {
        let (zero, all) = (self.int(0), self.int(whole));
        match part {
            Part::All => (zero, all),
            Part::Lower => {
                let end = self.b.ins().iadd_imm_s(r, rows + step - 1);
                let end = self.b.ins().band_imm_s(end, -step);
                (zero, self.b.ins().smin(end, all))
            }
            Part::Upper => (self.b.ins().band_imm_s(r, -step), all),
        }
    }
}
