//! Functions of bits, as arithmetic on 32-bit words.

use crate::ir::{Expr, Ix};
use crate::word::{Shift, Word};

/// The language's fixed pseudo-random number in [0, 1) of two integers: both modulo 2^32 times odd constants,
/// combined, finished as MurmurHash3 does; the upper 24 bits count, so that it is exact in f32.
pub(crate) fn hash(a: Ix, b: Ix) -> Expr {
    let times = |w: Word, n: u32| w.times(Word::constant(n));
    let b = times(Word::Of(b), 0x85EB_CA77).shift(Shift::Turn, 16);
    let mixed = times(Word::Of(a), 0x9E37_79B1).xor(b);
    let mixed = times(mixed.shift(Shift::Fold, 16), 0x85EB_CA6B);
    let mixed = times(mixed.shift(Shift::Fold, 13), 0xC2B2_AE35);
    let upper = mixed.shift(Shift::Fold, 16).shift(Shift::Down, 8);
    upper.number() * Expr::num(1.0 / f64::from(1u32 << 24))
}

/// Exclusive or of whole numbers that are not negative.
pub(crate) fn xor(a: Ix, b: Ix) -> Expr {
    Word::Of(a).xor(Word::Of(b)).number()
}
