//! Batched matrix products of a plan, by the `gemm-f32` crate on our own threads.
//!
//! One product is cut along the longer side of its result (never along `k`), so that each element is summed by
//! one thread, in one order: results repeat bit for bit with the same number of threads. Operands in bf16 are widened
//! into scratch first, a result in bf16 is rounded once, from f32 sums.
//! Invariant: a `Product` that was made only touches elements inside its buffers.

use crate::bf16;
use crate::block::Block;
use crate::extent::extent;
use crate::{Pool, Result, fail};
use gemm_common::Parallelism;
use seqc_abi::{Elem, Gemm, GemmOperand, Sizes};

/// Products of fewer multiplications than this are not worth waking threads for.
const SMALL: usize = 1 << 16;
/// Pieces are whole multiples of this many rows or columns: a multiple of every microkernel's side.
const PIECE: usize = 48;
/// Pieces for each thread, where there are rows enough.
const PIECES: usize = 4;

/// One operand: position and strides in elements.
#[derive(Clone, Copy, Debug)]
struct Operand {
    buffer: usize,
    offset: usize,
    batch: usize,
    rows: usize,
    cols: usize,
}

pub struct Product {
    batch: usize,
    m: usize,
    n: usize,
    k: usize,
    a: Operand,
    b: Operand,
    out: Operand,
    accumulate: bool,
    /// f32 scratch of the buffers of `a`, `b`, `out` that lie in bf16.
    wide: [Option<Block>; 3],
}

/// Rows and columns of one piece of work.
struct Piece {
    batch: usize,
    rows: (usize, usize),
    cols: (usize, usize),
}

impl Product {
    /// `lens`: elements of each buffer; `elem`: their type. Errors if an operand reaches outside its buffer, or if
    /// elements of the result share a place.
    pub fn new(
        g: &Gemm,
        sizes: &Sizes,
        lens: &[usize],
        elem: impl Fn(usize) -> Elem,
    ) -> Result<Product> {
        let [batch, m, n, k] = [&g.batch, &g.m, &g.n, &g.k].map(|d| extent(d, sizes));
        let (batch, m, n, k) = (batch?, m?, n?, k?);
        let operand = |o: &GemmOperand, rows, cols| operand(o, sizes, lens, [batch, rows, cols]);
        let (a, b, out) = (
            operand(&g.a, m, k)?,
            operand(&g.b, k, n)?,
            operand(&g.out, m, n)?,
        );
        if [(batch, out.batch), (m, out.rows), (n, out.cols)]
            .iter()
            .any(|&(size, stride)| size > 1 && stride == 0)
        {
            fail!("a product writes several elements to one place");
        }
        let scratch = |o: &Operand| match elem(o.buffer) {
            Elem::Bf16 => Block::new(lens[o.buffer].saturating_mul(4)).map(Some),
            _ => Ok(None),
        };
        let wide = [scratch(&a)?, scratch(&b)?, scratch(&out)?];
        Ok(Product {
            batch,
            m,
            n,
            k,
            a,
            b,
            out,
            accumulate: g.accumulate,
            wide,
        })
    }

    /// Multiply-add pairs.
    pub fn work(&self) -> u64 {
        [self.batch, self.m, self.n, self.k]
            .iter()
            .fold(1u64, |n, &d| n.saturating_mul(d as u64))
    }

    /// # Safety
    /// `ptrs` are the plan's buffers, of the lengths given to `new`, and nobody else uses them meanwhile.
    pub unsafe fn run(&self, ptrs: &[*mut u8], pool: &Pool) {
        let place = |o: &Operand, i: usize| match &self.wide[i] {
            Some(block) => block.ptr() as usize,
            None => ptrs[o.buffer] as usize,
        };
        let base = [place(&self.a, 0), place(&self.b, 1), place(&self.out, 2)];
        for (o, wide) in [&self.a, &self.b].into_iter().zip(&self.wide) {
            if let Some(wide) = wide {
                // SAFETY: both have the buffer's length.
                unsafe { widen(ptrs[o.buffer].cast(), wide, pool) };
            }
        }
        let (step, by_rows) = self.cut(pool.threads());
        let pieces = (if by_rows { self.m } else { self.n }).div_ceil(step);
        let tasks = self.batch * pieces;
        let grain = if self.work() < SMALL as u64 {
            tasks
        } else {
            SMALL.div_ceil((self.work() as usize / tasks.max(1)).max(1))
        };
        pool.run(tasks as u64, grain as u64, |_, lo, hi| {
            for task in lo as usize..hi as usize {
                let from = (task % pieces) * step;
                let range = |size: usize, cut: bool| {
                    if cut {
                        (from, size.min(from + step))
                    } else {
                        (0, size)
                    }
                };
                let piece = Piece {
                    batch: task / pieces,
                    rows: range(self.m, by_rows),
                    cols: range(self.n, !by_rows),
                };
                // SAFETY: in bounds by `new`; pieces write disjoint elements.
                unsafe { self.piece(base.map(|p| p as *mut f32), piece) };
            }
        });
        if let Some(wide) = &self.wide[2] {
            // SAFETY: as above.
            unsafe { self.round(wide, ptrs[self.out.buffer].cast(), pool) };
        }
    }

    /// Stores the result, which is in scratch, in its buffer: its elements only.
    unsafe fn round(&self, wide: &Block, to: *mut u16, pool: &Pool) {
        let (from, to, o) = (wide.f32(), to as usize, &self.out);
        let rows = (self.batch * self.m) as u64;
        let grain = (SMALL / self.n.max(1)).max(1) as u64;
        pool.run(rows, grain, |_, lo, hi| {
            for row in lo as usize..hi as usize {
                let first = o.offset + row / self.m * o.batch + row % self.m * o.rows;
                for c in 0..self.n {
                    let at = first + c * o.cols;
                    // SAFETY: in bounds by `new`; rows write disjoint elements.
                    let to = unsafe { &mut *(to as *mut u16).add(at) };
                    bf16::narrow(&from[at..=at], std::slice::from_mut(to));
                }
            }
        });
    }

    /// Length of a piece, and whether it is cut along the rows.
    fn cut(&self, threads: usize) -> (usize, bool) {
        let by_rows = self.m >= self.n;
        let side = self.m.max(self.n).max(1);
        let wanted = if self.work() < SMALL as u64 || self.batch >= 2 * threads {
            1
        } else {
            // Several pieces a thread, so that one that is late is helped by the others.
            (threads * PIECES).div_ceil(self.batch.max(1))
        };
        (
            side.div_ceil(wanted).next_multiple_of(PIECE).min(side),
            by_rows,
        )
    }

    unsafe fn piece(&self, [a, b, out]: [*mut f32; 3], p: Piece) {
        let ((r0, r1), (c0, c1)) = (p.rows, p.cols);
        let (m, n) = (r1 - r0, c1 - c0);
        // SAFETY: offsets were checked against the buffers' lengths, which fit an isize.
        let at = |base: *mut f32, o: &Operand, r: usize, c: usize| unsafe {
            base.add(o.offset + p.batch * o.batch + r * o.rows + c * o.cols)
        };
        if m == 0 || n == 0 {
            return;
        }
        let (rs, cs) = (self.out.rows as isize, self.out.cols as isize);
        let dst = at(out, &self.out, r0, c0);
        if self.k == 0 {
            if !self.accumulate {
                (0..m).for_each(|r| {
                    // SAFETY: inside of the result, as above.
                    (0..n).for_each(|c| unsafe {
                        *dst.offset(r as isize * rs + c as isize * cs) = 0.0
                    })
                });
            }
            return;
        }
        let (lhs, rhs) = (at(a, &self.a, r0, 0), at(b, &self.b, 0, c0));
        // SAFETY: all three lie in their buffers, by `new`; the result is apart from the operands.
        unsafe {
            gemm_f32::gemm::f32::get_gemm_fn()(
                m,
                n,
                self.k,
                dst,
                cs,
                rs,
                self.accumulate,
                lhs,
                self.a.cols as isize,
                self.a.rows as isize,
                rhs,
                self.b.cols as isize,
                self.b.rows as isize,
                1.0f32,
                1.0f32,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}

/// A buffer in bf16 into scratch of its length.
unsafe fn widen(from: *const u16, wide: &Block, pool: &Pool) {
    let (from, to) = (from as usize, wide.ptr() as usize);
    pool.run((wide.bytes() / 4) as u64, SMALL as u64, |_, lo, hi| {
        let (lo, n) = (lo as usize, (hi - lo) as usize);
        // SAFETY: inside of both; ranges are disjoint.
        unsafe {
            bf16::widen(
                std::slice::from_raw_parts((from as *const u16).add(lo), n),
                std::slice::from_raw_parts_mut((to as *mut f32).add(lo), n),
            );
        }
    });
}

/// Evaluates an operand and checks its last element against its buffer.
fn operand(o: &GemmOperand, sizes: &Sizes, lens: &[usize], extents: [usize; 3]) -> Result<Operand> {
    let [batch, rows, cols] = [&o.batch, &o.rows, &o.cols].map(|d| extent(d, sizes));
    let offset =
        usize::try_from(o.offset).map_err(|_| crate::Error("an offset is too large".into()))?;
    let made = Operand {
        buffer: o.buffer,
        offset,
        batch: batch?,
        rows: rows?,
        cols: cols?,
    };
    if extents.contains(&0) {
        return Ok(made);
    }
    let strides = [made.batch, made.rows, made.cols];
    let step = |at: Option<usize>, (size, stride): (&usize, usize)| {
        at?.checked_add((size - 1).checked_mul(stride)?)
    };
    let last = extents.iter().zip(strides).fold(Some(offset), step);
    match last {
        Some(last) if last < lens[o.buffer] => Ok(made),
        _ => fail!(
            "a product reaches outside buffer {} of {} elements",
            o.buffer,
            lens[o.buffer]
        ),
    }
}

#[cfg(test)]
#[path = "product_tests.rs"]
mod tests;
