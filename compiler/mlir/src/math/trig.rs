//! `sin` and `cos` of an f64: the angle is reduced to a quarter turn in f64, which is exact enough for every one
//! below 2^40; beyond that the result is only bounded. Then a polynomial in f32.

use super::clamp;
use crate::text::{Fun, I32, Of, Value};
use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// What FRAC_PI_2 lacks.
const REST: f64 = 6.123_233_995_736_766e-17;
/// 1.5·2^52: added, it leaves the nearest integer in the low bits.
const MAGIC: f64 = 6_755_399_441_055_744.0;

pub fn sin(f: &mut Fun, x: &Value) -> Value {
    turn(f, x, 0)
}

pub fn cos(f: &mut Fun, x: &Value) -> Value {
    turn(f, x, 1)
}

/// sin(x + shift·π/2)
fn turn(f: &mut Fun, x: &Value, shift: i64) -> Value {
    let (r, quarter) = reduce(f, x);
    let ty = quarter.ty;
    let (one, two, shift) = (f.int(ty, 1), f.int(ty, 2), f.int(ty, shift));
    let quarter = f.add(&quarter, &shift);
    let zero = f.int(ty, 0);
    let odd = f.binary("arith.andi", &quarter, &one);
    let odd = f.cmp("ne", &odd, &zero);
    let half = f.binary("arith.andi", &quarter, &two);
    let half = f.cmp("ne", &half, &zero);
    let (s, c) = (small_sin(f, &r), small_cos(f, &r));
    let y = f.select(&odd, &c, &s);
    let minus = f.unary("arith.negf", &y);
    f.select(&half, &minus, &y)
}

/// The angle within a quarter turn, and the number of quarter turns (only its low bits mean anything).
fn reduce(f: &mut Fun, x: &Value) -> (Value, Value) {
    let d = x;
    let (per, magic) = (f.float(d.ty, FRAC_2_PI), f.float(d.ty, MAGIC));
    let sum = f.fma(d, &per, &magic);
    let n = f.sub(&sum, &magic);
    let (hi, lo) = (f.float(d.ty, -FRAC_PI_2), f.float(d.ty, -REST));
    let r = f.fma(&n, &hi, d);
    let r = f.fma(&n, &lo, &r);
    // A little more than π/4: the number of turns of a large angle may be rounded the other way.
    let r = clamp(f, &r, -0.8, 0.8);
    let r = f.cast("arith.truncf", &r, Of::F32);
    let bits = f.cast("arith.bitcast", &sum, Of::I64);
    (r, f.cast("arith.trunci", &bits, I32.of))
}

fn small_sin(f: &mut Fun, r: &Value) -> Value {
    let z = f.mul(r, r);
    let p = f.poly(&z, &[-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]);
    let rz = f.mul(r, &z);
    f.fma(&p, &rz, r)
}

fn small_cos(f: &mut Fun, r: &Value) -> Value {
    let z = f.mul(r, r);
    let p = f.poly(
        &z,
        &[
            2.443315711809948e-5,
            -1.388731625493765e-3,
            4.166664568298827e-2,
        ],
    );
    let (half, one) = (f.float(r.ty, -0.5), f.float(r.ty, 1.0));
    let z2 = f.mul(&z, &z);
    let base = f.fma(&z, &half, &one);
    f.fma(&p, &z2, &base)
}
