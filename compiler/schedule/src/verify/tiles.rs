//! Matrix products: f32, inside their locals, each element of the result apart from the others and from the
//! operands.

use super::Checker;
use crate::ir::*;
use std::collections::HashSet;

/// Elements of the largest tile that is compared element by element.
const LARGEST: usize = 1 << 20;

impl Checker<'_> {
    pub(super) fn matmul(&mut self, m: &Matmul) {
        for (tile, rows, cols) in [(&m.out, m.m, m.n), (&m.a, m.m, m.k), (&m.b, m.k, m.n)] {
            self.ix(&tile.base);
            match self.elem(tile.buf) {
                Some(Elem::I32) => self.fault("a matrix product of integers"),
                Some(Elem::Bf16) => self.fault("a matrix product of bf16"),
                _ => {}
            }
            self.tile_inside(tile, rows, cols);
        }
        self.writable(m.out.buf);
        self.readable(m.a.buf);
        self.readable(m.b.buf);
        if m.accumulate {
            self.readable(m.out.buf);
        }
        self.apart(m);
    }

    fn elem(&self, buf: Buf) -> Option<Elem> {
        match buf {
            Buf::Arg(i) => self.kernel.args.get(i as usize).map(|a| a.elem),
            Buf::Local(i) => self.kernel.locals.get(i as usize).map(|l| l.elem),
        }
    }

    fn tile_inside(&mut self, t: &Tile, rows: usize, cols: usize) {
        let Some((least, greatest)) = self.extremes(&t.base) else {
            return;
        };
        let last = |stride: i64, n: usize| stride.saturating_mul(n as i64 - 1);
        if rows == 0 || cols == 0 {
            return;
        }
        let (r, c) = (last(t.rows, rows), last(t.cols, cols));
        let below = r.min(0).saturating_add(c.min(0));
        let above = r.max(0).saturating_add(c.max(0));
        self.within(
            t.buf,
            (least.saturating_add(below), greatest.saturating_add(above)),
        );
    }

    fn apart(&mut self, m: &Matmul) {
        if m.m.saturating_mul(m.n) > LARGEST {
            return;
        }
        let mut written = HashSet::new();
        for at in offsets(&m.out, m.m, m.n) {
            if !written.insert(at) {
                return self.fault("two elements of the product stand in one place");
            }
        }
        for (tile, rows, cols) in [(&m.a, m.m, m.k), (&m.b, m.k, m.n)] {
            let base = (tile.base.clone() - m.out.base.clone()).known();
            let Some(base) = base.filter(|_| tile.buf == m.out.buf) else {
                continue;
            };
            if rows.saturating_mul(cols) <= LARGEST
                && offsets(tile, rows, cols).any(|at| written.contains(&at.wrapping_add(base)))
            {
                return self.fault("a product overwrites its operand");
            }
        }
    }
}

/// Where the elements stand, from the base.
fn offsets(t: &Tile, rows: usize, cols: usize) -> impl Iterator<Item = i64> {
    let (r, c) = (t.rows, t.cols);
    (0..rows as i64).flat_map(move |i| {
        (0..cols as i64).map(move |j| r.wrapping_mul(i).wrapping_add(c.wrapping_mul(j)))
    })
}
