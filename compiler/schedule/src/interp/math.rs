//! What the operators mean, in f64.

use crate::ir::{Binary, Cmp, FoldOp, Unary};

pub fn unary(op: Unary, x: f64) -> f64 {
    match op {
        Unary::Neg => -x,
        Unary::Abs => x.abs(),
        Unary::Exp => x.exp(),
        Unary::Expm1 => x.exp_m1(),
        Unary::Log => x.ln(),
        Unary::Log1p => x.ln_1p(),
        Unary::Sqrt => x.sqrt(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Tanh => x.tanh(),
        Unary::Floor => x.floor(),
        // Zeros and NaN stay what they are.
        Unary::Sign if x > 0.0 => 1.0,
        Unary::Sign if x < 0.0 => -1.0,
        Unary::Sign => x,
        Unary::Erf => libm::erf(x),
        Unary::Single => f64::from(x as f32),
    }
}

pub fn binary(op: Binary, a: f64, b: f64) -> f64 {
    match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Max => maximum(a, b),
        Binary::Min => -maximum(-a, -b),
        Binary::Pow => a.powf(b),
        Binary::Rem => a - b * (a / b).floor(),
    }
}

/// IEEE 754 `maximum`: NaN if either is NaN, and -0 is less than 0.
fn maximum(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a > b || (a == b && b.is_sign_negative()) {
        a
    } else {
        b
    }
}

pub fn compare<T: PartialOrd>(c: Cmp, a: T, b: T) -> bool {
    match c {
        Cmp::Lt => a < b,
        Cmp::Le => a <= b,
        Cmp::Gt => a > b,
        Cmp::Ge => a >= b,
        Cmp::Eq => a == b,
        Cmp::Ne => a != b,
    }
}

/// The neutral element of a fold, and what it combines with.
pub fn fold(op: FoldOp) -> (f64, Binary) {
    match op {
        FoldOp::Sum => (0.0, Binary::Add),
        FoldOp::Prod => (1.0, Binary::Mul),
        FoldOp::Max => (f64::NEG_INFINITY, Binary::Max),
        FoldOp::Min => (f64::INFINITY, Binary::Min),
    }
}
