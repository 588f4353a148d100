//! The language's fixed pseudo-random number of two integers, as index arithmetic on 32-bit words.
//!
//! Exclusive or has no index operation; of two words it is `a + b - 2 (a and b)`, built bit by bit.

use super::LowerError;
use crate::ir::{Binary, Expr, Ix};

const WORD: i64 = 1 << 32;

/// Refuses: the 32-bit mixing would repeat its operand in every bit. Programs draw noise through inputs instead.
pub(crate) fn hash(a: &Expr, b: &Expr) -> Result<Expr, LowerError> {
    match (
        super::elem::as_ix(a).and_then(|i| i.known()),
        super::elem::as_ix(b).and_then(|i| i.known()),
    ) {
        (Some(a), Some(b)) => Ok(Expr::num(known(a, b))),
        _ => Err(LowerError::new(
            "`hash` of numbers that are not known when compiling has no fast form yet; evaluate it with the interpreter",
        )),
    }
}

fn known(a: i64, b: i64) -> f64 {
    let word = |x: i64| x.rem_euclid(WORD) as u32;
    let mut x =
        word(a).wrapping_mul(0x9E37_79B1) ^ word(b).wrapping_mul(0x85EB_CA77).rotate_left(16);
    x ^= x >> 16;
    x = x.wrapping_mul(0x85EB_CA6B);
    x ^= x >> 13;
    x = x.wrapping_mul(0xC2B2_AE35);
    x ^= x >> 16;
    let _ = (Binary::Add, Ix::Const(0));
    f64::from(x >> 8) / f64::from(1u32 << 24)
}
