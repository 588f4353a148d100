//! The Gauss error function: an odd polynomial up to 0.92, then 1 - exp of a polynomial.

use super::{clamp, exp::exp};
use crate::text::{Fun, Value};

/// erf(x)/x - 1 in powers of x², for |x| ≤ 0.93.
const NEAR: [f64; 6] = [
    -5.96761703e-4,
    4.99119423e-3,
    -2.67681349e-2,
    1.12819925e-1,
    -3.76125336e-1,
    1.28379166e-1,
];
/// log(1 - erf(x))/x + 1 in powers of x, for 0.92 ≤ x ≤ 4.
const FAR: [f64; 7] = [
    -1.72853470e-5,
    3.83197126e-4,
    -3.88396438e-3,
    2.42546219e-2,
    -1.06777877e-1,
    -6.34846687e-1,
    -1.28717512e-1,
];

pub fn erf(f: &mut Fun, x: &Value) -> Value {
    let z = f.mul(x, x);
    let p = f.poly(&z, &NEAR);
    let near = f.fma(&p, x, x);
    let size = f.unary("math.absf", x);
    // From 4 on the result rounds to 1.
    let t = clamp(f, &size, 0.0, 4.0);
    let q = f.poly(&t, &FAR);
    let minus = f.unary("arith.negf", &t);
    let exponent = f.fma(&q, &t, &minus);
    let e = exp(f, &exponent);
    let one = f.float(x.ty, 1.0);
    let far = f.sub(&one, &e);
    let far = f.binary("math.copysign", &far, x);
    let border = f.float(x.ty, 0.921875);
    let outside = f.cmp("ogt", &size, &border);
    f.select(&outside, &far, &near)
}
