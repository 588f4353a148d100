//! Arithmetic of 32-bit words: modulo 2^32 and without sign. What mixes bits (a hash, an exclusive or) is written in
//! it, since numbers are f32 and hold whole ones below 2^24 only.
//!
//! A word is a tree over leaves: indices in a kernel, whatever stands for them elsewhere.

use crate::ir::{Expr, Ix};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Word<L = Ix> {
    /// A whole number modulo 2^32.
    Of(L),
    Mul(Box<Word<L>>, Box<Word<L>>),
    Xor(Box<Word<L>>, Box<Word<L>>),
    Shift(Shift, Box<Word<L>>, u32),
}

/// By 1 to 31 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shift {
    /// Down; zeros come in at the top.
    Down,
    /// Up; what leaves at the top comes in at the bottom.
    Turn,
    /// `w ^ (w >> n)`: a step of its own, so that a chain of them names `w` once.
    Fold,
}

/// Shifts and what they are called in text.
pub const SHIFTS: [(Shift, &str); 3] = [
    (Shift::Down, "shr"),
    (Shift::Turn, "rotl"),
    (Shift::Fold, "xorshr"),
];

impl Word {
    pub fn constant(n: u32) -> Word {
        Word::Of(Ix::Const(i64::from(n)))
    }

    /// The number that it always is, if there is one.
    pub fn known(&self) -> Option<u32> {
        let known = self.map(&mut |ix: &Ix| ix.known().ok_or(()));
        known.ok().map(|w| w.value(&mut |n: &i64| *n))
    }

    /// The word as a number.
    pub fn number(self) -> Expr {
        match self.known() {
            Some(n) => Expr::num(f64::from(n)),
            None => Expr::Word(Box::new(self)),
        }
    }
}

impl<L> Word<L> {
    pub fn times(self, other: Word<L>) -> Word<L> {
        Word::Mul(self.into(), other.into())
    }

    pub fn xor(self, other: Word<L>) -> Word<L> {
        Word::Xor(self.into(), other.into())
    }

    pub fn shift(self, shift: Shift, bits: u32) -> Word<L> {
        Word::Shift(shift, self.into(), bits)
    }

    /// Leaves, left to right.
    pub fn leaves(&self) -> Vec<&L> {
        match self {
            Word::Of(leaf) => vec![leaf],
            Word::Mul(a, b) | Word::Xor(a, b) => [a.leaves(), b.leaves()].concat(),
            Word::Shift(_, w, _) => w.leaves(),
        }
    }

    /// The numbers of bits of all shifts.
    pub fn shifts(&self) -> Vec<u32> {
        match self {
            Word::Of(_) => vec![],
            Word::Mul(a, b) | Word::Xor(a, b) => [a.shifts(), b.shifts()].concat(),
            Word::Shift(_, w, n) => [w.shifts(), vec![*n]].concat(),
        }
    }

    /// Number of operations.
    pub fn operations(&self) -> u32 {
        match self {
            Word::Of(_) => 0,
            Word::Mul(a, b) | Word::Xor(a, b) => 1 + a.operations() + b.operations(),
            Word::Shift(_, w, _) => 1 + w.operations(),
        }
    }

    /// The same over other leaves.
    pub fn map<M, E>(&self, f: &mut impl FnMut(&L) -> Result<M, E>) -> Result<Word<M>, E> {
        Ok(match self {
            Word::Of(leaf) => Word::Of(f(leaf)?),
            Word::Mul(a, b) => Word::Mul(a.map(f)?.into(), b.map(f)?.into()),
            Word::Xor(a, b) => Word::Xor(a.map(f)?.into(), b.map(f)?.into()),
            Word::Shift(s, w, n) => Word::Shift(*s, w.map(f)?.into(), *n),
        })
    }

    pub fn value(&self, leaf: &mut impl FnMut(&L) -> i64) -> u32 {
        match self {
            Word::Of(l) => leaf(l) as u32,
            Word::Mul(a, b) => a.value(leaf).wrapping_mul(b.value(leaf)),
            Word::Xor(a, b) => a.value(leaf) ^ b.value(leaf),
            Word::Shift(s, w, n) => {
                let w = w.value(leaf);
                let down = w.checked_shr(*n).unwrap_or(0);
                match s {
                    Shift::Down => down,
                    Shift::Turn => w.rotate_left(*n),
                    Shift::Fold => w ^ down,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Var;

    #[test]
    fn words_are_those_of_u32() {
        let w = Word::Of(Ix::Const(-3)).times(Word::constant(0x9E37_79B1));
        let plain = (-3i64 as u32).wrapping_mul(0x9E37_79B1);
        assert_eq!(w.known(), Some(plain));
        let turned = w.clone().shift(Shift::Turn, 16);
        assert_eq!(turned.known(), Some(plain.rotate_left(16)));
        let folded = turned.clone().xor(w).shift(Shift::Fold, 13);
        let x = plain.rotate_left(16) ^ plain;
        assert_eq!(folded.known(), Some(x ^ (x >> 13)));
        assert_eq!(folded.number().constant(), Some(f64::from(x ^ (x >> 13))));
        let open = Word::Of(Ix::Var(Var(0))).shift(Shift::Down, 31);
        assert_eq!(open.known(), None);
        assert_eq!(open.value(&mut |_| -1), 1);
        assert_eq!(open.operations(), 1);
    }
}
