//! One register tile of a matrix product: sums in registers, a loop over the contracted axis.

use super::matmul::{Operand, Product, Width};
use super::{Emit, LANES, Result, flags};
use cranelift::prelude::*;

impl Emit<'_, '_> {
    /// Rows `r..r + rows` and the columns from `c` on.
    pub fn tile(
        &mut self,
        p: &Product,
        (r, rows): (Value, i64),
        c: Value,
        width: Width,
    ) -> Result<()> {
        let corner = self.moved(p.out.at, r, p.out.rows);
        let out = Operand {
            at: self.moved(corner, c, p.out.cols),
            ..p.out
        };
        let a = self.moved(p.a.at, r, p.a.rows);
        let b = self.moved(p.b.at, c, p.b.cols);
        let mut carried = vec![a, b];
        for row in 0..rows {
            carried.extend(self.start(p, &out, row, width));
        }
        let (zero, k) = (self.int(0), self.int(p.k));
        let ends = self.for_loop(zero, k, 1, &carried, |e, _, state| {
            let mut next = vec![
                e.b.ins().iadd_imm_s(state[0], p.a.cols.wrapping_mul(4)),
                e.b.ins().iadd_imm_s(state[1], p.b.rows.wrapping_mul(4)),
            ];
            let b = Operand {
                at: state[1],
                ..p.b
            };
            let right = e.columns(&b, 0, width);
            for (row, sums) in (0..).zip(state[2..].chunks(right.len())) {
                let left = e.element_at(state[0], p.a.rows.wrapping_mul(row));
                let left = match width {
                    Width::Vectors(_) => e.b.ins().splat(types::F32X4, left),
                    Width::One => left,
                };
                for (sum, b) in sums.iter().zip(&right) {
                    next.push(e.fma(left, *b, *sum));
                }
            }
            Ok(next)
        })?;
        let vectors = (ends.len() - 2) / rows.max(1) as usize;
        for (row, sums) in (0..).zip(ends[2..].chunks(vectors.max(1))) {
            self.put_columns(&out, row, sums, width);
        }
        Ok(())
    }

    fn start(&mut self, p: &Product, out: &Operand, row: i64, width: Width) -> Vec<Value> {
        match (p.accumulate, width) {
            (true, _) => self.columns(out, row, width),
            (false, Width::Vectors(n)) => {
                let zero = self.float(0.0, true);
                vec![zero; n as usize]
            }
            (false, Width::One) => vec![self.float(0.0, false)],
        }
    }

    /// Address of what stands `elements` after `base`: a pointer and a constant offset.
    fn place(&mut self, base: Value, elements: i64) -> (Value, i32) {
        match elements.checked_mul(4).and_then(|n| i32::try_from(n).ok()) {
            Some(offset) => (base, offset),
            None => (self.b.ins().iadd_imm_s(base, elements.wrapping_mul(4)), 0),
        }
    }

    fn element_at(&mut self, base: Value, elements: i64) -> Value {
        let (p, o) = self.place(base, elements);
        self.b.ins().load(types::F32, flags(), p, o)
    }

    /// The columns of a row: vectors, or one number.
    fn columns(&mut self, t: &Operand, row: i64, width: Width) -> Vec<Value> {
        let start = t.rows.wrapping_mul(row);
        let Width::Vectors(n) = width else {
            return vec![self.element_at(t.at, start)];
        };
        let vector = |v: i64| {
            let first = start.wrapping_add(t.cols.wrapping_mul(v * LANES));
            if t.cols == 1 {
                let (p, o) = self.place(t.at, first);
                return self.b.ins().load(types::F32X4, flags(), p, o);
            }
            let lanes = [0, 1, 2, 3]
                .map(|l| self.element_at(t.at, first.wrapping_add(t.cols.wrapping_mul(l))));
            self.gathered(types::F32X4, lanes)
        };
        (0..n).map(vector).collect()
    }

    fn put_columns(&mut self, t: &Operand, row: i64, values: &[Value], width: Width) {
        let start = t.rows.wrapping_mul(row);
        for (i, v) in (0..).zip(values) {
            let first = start.wrapping_add(t.cols.wrapping_mul(i * LANES));
            if matches!(width, Width::One) || t.cols == 1 {
                let (p, o) = self.place(t.at, first);
                self.b.ins().store(flags(), *v, p, o);
                continue;
            }
            for (l, lane) in (0..).zip(0u8..LANES as u8) {
                let x = self.b.ins().extractlane(*v, lane);
                let (p, o) = self.place(t.at, first.wrapping_add(t.cols.wrapping_mul(l)));
                self.b.ins().store(flags(), x, p, o);
            }
        }
    }
}
