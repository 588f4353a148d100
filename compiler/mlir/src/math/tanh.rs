//! `tanh`: a polynomial up to 1, then 1 - 2/(e^{2x} + 1).

use super::exp::exp;
use crate::text::{Fun, Value};

/// (tanh(√z)/√z - 1)/z on [0, 1], interpolated at Chebyshev nodes; relative error below 3e-8.
const P: [f64; 7] = [
    -0.0004206955,
    0.0025104594,
    -0.008218922,
    0.021660116,
    -0.05393479,
    0.13333128,
    -0.3333333,
];

pub fn tanh(f: &mut Fun, x: &Value) -> Value {
    let (one, two) = (f.float(x.ty, 1.0), f.float(x.ty, 2.0));
    let z = f.mul(x, x);
    let p = f.poly(&z, &P);
    let xz = f.mul(x, &z);
    let near = f.fma(&p, &xz, x);
    let size = f.unary("math.absf", x);
    let double = f.add(&size, &size);
    let e = exp(f, &double);
    let below = f.add(&e, &one);
    let part = f.div(&two, &below);
    let far = f.sub(&one, &part);
    let far = f.binary("math.copysign", &far, x);
    let small = f.cmp("olt", &size, &one);
    f.select(&small, &near, &far)
}
