//! Expressions and indices of valid kernels.

use super::valid::{LEN, Valid};
use crate::ir::*;
use crate::word::{SHIFTS, Shift, Word};

impl Valid {
    /// A number in ±4. Does not read `but`.
    pub(super) fn bounded(&mut self, but: Option<Buf>) -> Expr {
        let depth = 1 + self.rng.below(3);
        self.number(depth, but).max(-4.0).min(4.0)
    }

    /// An index in `0..len`.
    pub(super) fn inside(&mut self, len: i64) -> Ix {
        let whole = self.whole(len);
        match self.rng.below(4) {
            0 => {
                let fitting: Vec<(Var, i64)> = self
                    .vars
                    .iter()
                    .copied()
                    .filter(|(_, n)| *n <= len)
                    .collect();
                if fitting.is_empty() {
                    return Ix::Const(self.rng.within(0, len - 1));
                }
                let (v, n) = *self.rng.pick(&fitting);
                let shift = self.rng.within(0, len - n);
                match self.rng.once_in(4) {
                    true => Ix::Const(len - 1) - v,
                    false => v + shift,
                }
            }
            1 => whole.floor_rem(len),
            2 => whole.max_ix(0).min_ix(len - 1),
            _ => {
                let at = self.whole(LEN).floor_rem(LEN);
                let t = self.tokens();
                Ix::data(t.buf.load(at)).max_ix(0).min_ix(len - 1)
            }
        }
    }

    /// Any index; often a variable that fits below `len`.
    fn whole(&mut self, len: i64) -> Ix {
        let n = self.rng.within(-2, 5);
        let mut ix = match (self.rng.below(4), self.vars.as_slice()) {
            (0, _) | (_, []) => Ix::Const(n + 2),
            (1, _) => Ix::Dim(self.rng.below(2) as u32),
            (_, vars) => Ix::Var(self.rng.pick(vars).0),
        };
        match self.rng.below(7) {
            0 => ix = ix * n + 1,
            1 => ix = Ix::Const(len) - ix,
            2 => ix = ix.floor_div(3),
            3 => ix = ix * 2 + Ix::Dim(1),
            4 => ix = (ix + n).floor_rem(4),
            _ => {}
        }
        ix
    }

    /// What is exact in f32: a constant, an input, an index.
    fn exact(&mut self) -> Expr {
        match self.rng.below(5) {
            4 => {
                // A word's upper bits, as few as those of the inputs.
                let bits = 24 + self.rng.below(8) as u32;
                let w = self.word(2).shift(Shift::Down, bits);
                w.number() * Expr::num(0.5f64.powi(30 - bits as i32))
            }
            0 => Expr::num(self.rng.within(-8, 8) as f64 / 4.0),
            1 => {
                let ix = self.whole(9);
                ix.number()
            }
            _ => {
                let x = self.x();
                let at = self.inside(x.len);
                x.buf.load(x.base + at)
            }
        }
    }

    fn word(&mut self, depth: usize) -> Word {
        let leaf = match self.rng.below(3) {
            0 => Word::constant(self.rng.bits() as u32),
            1 => Word::Of(self.inside(LEN)),
            _ => Word::Of(self.whole(LEN)),
        };
        if depth == 0 {
            return leaf;
        }
        let a = self.word(depth - 1);
        match self.rng.below(4) {
            0 => a.xor(leaf),
            1 => a.times(leaf),
            _ => a.shift(self.rng.pick(&SHIFTS).0, 1 + self.rng.below(31) as u32),
        }
    }

    fn leaf(&mut self, but: Option<Buf>) -> Expr {
        match self.rng.below(6) {
            0 => self.exact().max(-4.0).min(4.0),
            1 if !self.vals.is_empty() => Expr::Val(*self.rng.pick(&self.vals)),
            _ => {
                let r = self.readable(but);
                let at = self.inside(r.len);
                r.buf.load(r.base + at)
            }
        }
    }

    fn number(&mut self, depth: usize, but: Option<Buf>) -> Expr {
        if depth == 0 {
            return self.leaf(but);
        }
        let a = self.number(depth - 1, but);
        match self.rng.below(12) {
            0 => a + self.number(depth - 1, but),
            1 => a - self.number(depth - 1, but),
            2 => a.max(-4.0).min(4.0) * self.leaf(but),
            3 => {
                let d = self.leaf(but).unary(Unary::Abs) + 1.0;
                a / d
            }
            4 => a.max(self.leaf(but)),
            5 => {
                let e = self.leaf(but).max(-1.0).min(2.0);
                (a.unary(Unary::Abs).min(3.0) + 0.5).pow(e)
            }
            6 | 7 => self.function(a),
            8 => {
                let c = self.truth(1);
                let b = self.number(depth - 1, but);
                c.select(a, b)
            }
            9 => {
                let d = [0.5, 1.0, 3.0][self.rng.below(3)];
                self.exact().binary(Binary::Rem, d)
            }
            _ => self.fold(depth - 1, but),
        }
    }

    fn function(&mut self, a: Expr) -> Expr {
        let near = a.clone().max(-4.0).min(1.0);
        let size = a.clone().unary(Unary::Abs);
        match self.rng.below(12) {
            0 | 1 => near.exp(),
            2 => near.unary(Unary::Expm1),
            3 => (size + 0.25).unary(Unary::Log),
            4 => size.unary(Unary::Log1p),
            5 => (size + 0.125).sqrt(),
            6 => a.unary(Unary::Sin),
            7 => a.unary(Unary::Cos),
            8 => a.unary(Unary::Tanh),
            9 => a.unary(Unary::Erf),
            10 => -a,
            _ => {
                let op = *self.rng.pick(&[Unary::Floor, Unary::Sign]);
                self.exact().unary(op)
            }
        }
    }

    fn fold(&mut self, depth: usize, but: Option<Buf>) -> Expr {
        let v = self.fresh();
        let r = self.readable(but);
        let (hi, most) = match self.rng.below(4) {
            0 => (Ix::Dim(1).min_ix(9), 9),
            1 => {
                let n = self.rng.within(0, 3);
                (Ix::Const(n), n.max(1))
            }
            2 => match self.vars.last() {
                Some((w, n)) => (w.to_owned() + 1, *n),
                None => (Ix::Const(5), 5),
            },
            _ => (Ix::Const(r.len), r.len),
        };
        let at = match most <= r.len {
            true => Ix::Var(v),
            false => Ix::Var(v).floor_rem(r.len),
        };
        let x = r.buf.load(r.base + at);
        self.vars.push((v, most));
        let y = self.number(depth.min(1), but).max(-4.0).min(4.0);
        self.vars.pop();
        let lanes = *self.rng.pick(&[1, 4, 8, 16]);
        let (op, body) = match self.rng.below(4) {
            0 => (FoldOp::Max, x + y),
            1 => (FoldOp::Min, x - y),
            // Factors near 1, so that products stay in range.
            2 => (FoldOp::Prod, x * 0.03125 + 1.0),
            _ => (FoldOp::Sum, x * y),
        };
        let all = Expr::fold(op, v, 0, hi, lanes, body);
        match op {
            // Over nothing they are infinite, of which a sine would be NaN: bounds that no sum of two reaches.
            FoldOp::Max | FoldOp::Min => all.max(-8.0).min(8.0),
            FoldOp::Prod | FoldOp::Sum => all,
        }
    }

    pub(super) fn truth(&mut self, depth: usize) -> Expr {
        let op = *self
            .rng
            .pick(&[Cmp::Lt, Cmp::Le, Cmp::Gt, Cmp::Ge, Cmp::Eq, Cmp::Ne]);
        match self.rng.below(if depth == 0 { 2 } else { 5 }) {
            0 => {
                let a = self.exact();
                a.cmp_with(op, self.exact())
            }
            1 => {
                let a = self.whole(7);
                a.cmp_with(op, self.whole(7))
            }
            2 => self.truth(depth - 1).and(self.truth(depth - 1)),
            3 => self.truth(depth - 1).or(self.truth(depth - 1)),
            _ => Expr::Not(self.truth(depth - 1).into()),
        }
    }
}
