//! The matrix-multiply atom on a CPU: register tiles of vectors, one private function per shape.
//!
//! The lane operand of a tile must be contiguous. If `out` and `b` run along their columns the lanes are
//! columns; if `out` and `a` run along their rows the product is computed transposed; else strips of the lane
//! operand are packed into a stack tile. A single column with contiguous rows is a dot product.

mod dot;
mod pack;
mod shape;
mod tile;

use crate::emit::Lanes;
use crate::text::Helpers;
use seqc_schedule::ir::{Matmul, Part};

/// Strides of a tile: element `(r, c)` is at `r*rows + c*cols`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Strides {
    pub rows: i64,
    pub cols: i64,
}

impl Strides {
    fn transposed(self) -> Strides {
        Strides {
            rows: self.cols,
            cols: self.rows,
        }
    }
}

/// What a product's code depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Atom {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub out: Strides,
    pub a: Strides,
    pub b: Strides,
    pub accumulate: bool,
    pub part: Part,
}

/// How the lane operand is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operand {
    Contiguous,
    Packed,
    Strided,
}

/// Elements of the largest stack tile.
const LARGEST_PACK: usize = 1 << 16;

impl Atom {
    pub fn of(m: &Matmul) -> Atom {
        let strides = |t: &seqc_schedule::ir::Tile| Strides {
            rows: t.rows,
            cols: t.cols,
        };
        Atom {
            m: m.m,
            n: m.n,
            k: m.k,
            out: strides(&m.out),
            a: strides(&m.a),
            b: strides(&m.b),
            accumulate: m.accumulate,
            part: m.part,
        }
    }

    /// outᵀ = bᵀ aᵀ
    fn transposed(self) -> Atom {
        Atom {
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

    /// Strides along an axis of one element mean nothing.
    fn normalized(mut self) -> Atom {
        if self.m == 1 {
            (self.out.rows, self.a.rows) = (1, 1);
        }
        if self.n == 1 {
            (self.out.cols, self.b.cols) = (1, 1);
        }
        if self.k <= 1 {
            (self.a.cols, self.b.rows) = (1, 1);
        }
        self
    }

    fn name(&self) -> String {
        let s = |t: Strides| format!("{}_{}", t.rows, t.cols).replace('-', "n");
        format!(
            "matmul_{}x{}x{}_out_{}_a_{}_b_{}{}{}",
            self.m,
            self.n,
            self.k,
            s(self.out),
            s(self.a),
            s(self.b),
            if self.accumulate { "_add" } else { "" },
            match self.part {
                Part::All => "",
                Part::Lower => "_lower",
                Part::Upper => "_upper",
            }
        )
    }

    /// Name of the function `(out, a, b)` of three pointers that computes this product.
    pub fn helper(self, helpers: &mut Helpers, target: Lanes) -> String {
        let name = self.name();
        helpers.need(&name, |_| self.text(&name, target));
        name
    }

    fn text(self, name: &str, target: Lanes) -> String {
        let atom = self.normalized();
        let (atom, swap, operand) = atom.orient();
        let f = match operand {
            None => dot::print(&atom, target),
            Some(operand) => tile::print(&atom, operand, target),
        };
        // The body names its parameters %out, %a and %b after orientation.
        let (a, b) = if swap { ("b", "a") } else { ("a", "b") };
        let big = self.m * self.n * self.k >= 2048;
        let inline = if big { "\"noinline\", " } else { "" };
        let header = format!(
            "func.func private @{name}(%out: !llvm.ptr {{llvm.noalias}}, %{a}: !llvm.ptr {{llvm.readonly}}, \
             %{b}: !llvm.ptr {{llvm.readonly}}) attributes {{llvm.linkage = #llvm.linkage<internal>, \
             passthrough = [{inline}\"nounwind\"]}}"
        );
        f.finish(&header, "return")
    }

    /// The orientation to compute in, whether that swaps `a` and `b`, and how the lane operand is read
    /// (`None`: as a dot product along k).
    fn orient(self) -> (Atom, bool, Option<Operand>) {
        let t = self.transposed();
        let lanes = |x: &Atom| x.out.cols == 1 && x.b.cols == 1 && x.n > 1;
        let dots = |x: &Atom| x.n == 1 && x.a.cols == 1 && x.b.rows == 1 && x.k > 1;
        if lanes(&self) {
            (self, false, Some(Operand::Contiguous))
        } else if lanes(&t) {
            (t, true, Some(Operand::Contiguous))
        } else if dots(&self) {
            (self, false, None)
        } else if dots(&t) {
            (t, true, None)
        } else {
            // Few lanes are not worth a pack.
            let (best, swap) = if t.out.cols == 1 && self.out.cols != 1 {
                (t, true)
            } else {
                (self, false)
            };
            let packs = best.m >= 4 && best.n >= 4 && best.k * 64 <= LARGEST_PACK;
            (
                best,
                swap,
                Some(if packs {
                    Operand::Packed
                } else {
                    Operand::Strided
                }),
            )
        }
    }
}
