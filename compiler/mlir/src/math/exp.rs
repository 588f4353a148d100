//! `exp` and `expm1`, and `exp` of an f64: x = n·ln 2 + r with |r| ≤ ln 2 / 2, then a polynomial in r and a scaling by 2^n.

use super::{clamp, nearest};
use crate::text::{Fun, Of, Value};

/// ln 2 in two parts; the first has few enough bits that n·HI is exact.
const LN2_HI: f64 = 0.693359375;
const LN2_LO: f64 = -2.121_944_400_546_905_8e-4;

/// (e^r - 1 - r) / r² on |r| ≤ 0.35, interpolated at Chebyshev nodes; relative error of e^r below 1e-8.
const Q: [f64; 5] = [0.0013926927, 0.008363774, 0.04166655, 0.16666573, 0.5];

pub fn exp(f: &mut Fun, x: &Value) -> Value {
    // Below -104 the result is 0, above 89 it is infinite.
    let x = clamp(f, x, -104.0, 89.0);
    let (n, r) = reduce(f, &x);
    let one = f.float(x.ty, 1.0);
    let p = minus_one(f, &r);
    let p = f.add(&p, &one);
    scale(f, &p, &n)
}

pub fn expm1(f: &mut Fun, x: &Value) -> Value {
    let x = clamp(f, x, -30.0, 89.0);
    let (n, r) = reduce(f, &x);
    let p = minus_one(f, &r);
    // 2·(s·p + (s - 1/2)) with s = 2^(n-1), which does not overflow before the result does.
    let bias = f.int(n.ty, 126);
    let s = power_of_two(f, &n, &bias);
    let half = f.float(x.ty, 0.5);
    let rest = f.sub(&s, &half);
    let y = f.fma(&s, &p, &rest);
    f.add(&y, &y)
}

/// n (i32) and r.
fn reduce(f: &mut Fun, x: &Value) -> (Value, Value) {
    let (n, bits) = nearest(f, x, std::f64::consts::LOG2_E);
    let (hi, lo) = (f.float(x.ty, -LN2_HI), f.float(x.ty, -LN2_LO));
    let r = f.fma(&n, &hi, x);
    let r = f.fma(&n, &lo, &r);
    (bits, r)
}

/// e^r - 1 for a reduced r.
fn minus_one(f: &mut Fun, r: &Value) -> Value {
    let q = f.poly(r, &Q);
    let r2 = f.mul(r, r);
    f.fma(&q, &r2, r)
}

/// The float whose exponent field is `n + bias`.
fn power_of_two(f: &mut Fun, n: &Value, bias: &Value) -> Value {
    let shift = f.int(n.ty, 23);
    let e = f.add(n, bias);
    let e = f.binary("arith.shli", &e, &shift);
    f.cast("arith.bitcast", &e, Of::F32)
}

/// p·2^n for |n| ≤ 252, in two steps so that neither factor leaves the range of the exponent.
fn scale(f: &mut Fun, p: &Value, n: &Value) -> Value {
    let (one, bias) = (f.int(n.ty, 1), f.int(n.ty, 127));
    let a = f.binary("arith.shrsi", n, &one);
    let b = f.sub(n, &a);
    let (a, b) = (power_of_two(f, &a, &bias), power_of_two(f, &b, &bias));
    let p = f.mul(p, &a);
    f.mul(&p, &b)
}

/// 1.5·2^52: added, it leaves the nearest integer in the low bits.
const MAGIC: f64 = 6_755_399_441_055_744.0;
/// ln 2 in two parts: n·HI is exact.
const LN2_HI_F64: f64 = 6.931_471_803_691_238e-1;
const LN2_LO_F64: f64 = 1.908_214_929_270_587_7e-10;

/// In f64, to about 1e-15: the Taylor series up to r^13.
pub fn exp_f64(f: &mut Fun, x: &Value) -> Value {
    let x = &clamp(f, x, -700.0, 700.0);
    let (per, magic) = (
        f.float(x.ty, std::f64::consts::LOG2_E),
        f.float(x.ty, MAGIC),
    );
    let sum = f.fma(x, &per, &magic);
    let n = f.sub(&sum, &magic);
    let (hi, lo) = (f.float(x.ty, -LN2_HI_F64), f.float(x.ty, -LN2_LO_F64));
    let r = f.fma(&n, &hi, x);
    let r = f.fma(&n, &lo, &r);
    let mut series = vec![1.0];
    (1..=13u32).for_each(|k| series.push(series[series.len() - 1] / f64::from(k)));
    series.reverse();
    let p = f.poly(&r, &series);
    let bits = f.cast("arith.bitcast", &sum, Of::I64);
    let (bias, shift) = (
        f.int(bits.ty, 1023 - MAGIC.to_bits() as i64),
        f.int(bits.ty, 52),
    );
    let e = f.add(&bits, &bias);
    let e = f.binary("arith.shli", &e, &shift);
    let scale = f.cast("arith.bitcast", &e, Of::F64);
    f.mul(&p, &scale)
}
