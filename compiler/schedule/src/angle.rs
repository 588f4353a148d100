//! Angles: what stands under a `sin` or `cos` is computed in f64, from the f32 that it is loaded or bound as.
//!
//! An angle is a position times a frequency, and its cosine depends on what is left of it after whole turns: rounded at
//! its own size, at position 10^6 nothing would be left. In f64 any product of a position and an f32 is exact, and a
//! frequency made of constants has all its digits. Both back ends follow this; here is what they share.

use crate::interp::math;
use crate::ir::{Binary, Expr, Unary};

/// Functions that are computed in f64 within an angle; others are of f32, made wide afterwards.
pub fn is_unary(op: Unary) -> bool {
    use Unary::{Abs, Exp, Floor, Neg, Sqrt};
    matches!(op, Neg | Abs | Exp | Sqrt | Floor)
}

/// A power is if its base is a positive number: `c ^ x = exp(x ln c)`.
pub fn base(op: Binary, a: &Expr) -> Option<f64> {
    constant(a).filter(|c| op == Binary::Pow && *c > 0.0)
}

/// An expression of constants alone.
pub fn constant(e: &Expr) -> Option<f64> {
    match e {
        Expr::Const(n) => Some(n.0),
        Expr::Unary(op, x) => Some(math::unary(*op, constant(x)?)),
        Expr::Binary(op, a, b) => Some(math::binary(*op, constant(a)?, constant(b)?)),
        _ => None,
    }
}
