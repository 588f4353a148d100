//! `pow`: 2^(y·log2|x|) in f64, so that a large exponent does not amplify the rounding of the logarithm; then
//! the cases of C's `pow` by selection.

use super::clamp;
use crate::text::{Fun, Of, Value};

/// Bits of √½ and of 1 as f64.
const SQRT_HALF: i64 = 0x3fe6_a09e_667f_3bcd;
const ONE: i64 = 0x3ff0_0000_0000_0000;
const MAGIC: f64 = 6_755_399_441_055_744.0;

pub fn pow(f: &mut Fun, x: &Value, y: &Value) -> Value {
    let size = f.unary("math.absf", x);
    let wide = f.cast("arith.extf", &size, Of::F64);
    let exponent = f.cast("arith.extf", y, Of::F64);
    let l = log2(f, &wide);
    let t = f.mul(&exponent, &l);
    let t = clamp(f, &t, -1000.0, 1000.0);
    let r = exp2(f, &t);
    let r = f.cast("arith.truncf", &r, Of::F32);
    special(f, x, y, &size, &r)
}

fn log2(f: &mut Fun, x: &Value) -> Value {
    let bits = f.cast("arith.bitcast", x, Of::I64);
    let ty = bits.ty;
    let offset = f.int(ty, ONE - SQRT_HALF);
    let (width, bias) = (f.int(ty, 52), f.int(ty, 1023));
    let (mask, root) = (f.int(ty, 0x000f_ffff_ffff_ffff), f.int(ty, SQRT_HALF));
    let moved = f.add(&bits, &offset);
    let k = f.binary("arith.shrsi", &moved, &width);
    let k = f.sub(&k, &bias);
    // Through i32: vectors of i64 have no conversion before AVX-512.
    let k = f.cast("arith.trunci", &k, Of::I32);
    let k = f.cast("arith.sitofp", &k, Of::F64);
    let m = f.binary("arith.andi", &moved, &mask);
    let m = f.add(&m, &root);
    let m = f.cast("arith.bitcast", &m, Of::F64);
    let one = f.float(m.ty, 1.0);
    let (above, below) = (f.sub(&m, &one), f.add(&m, &one));
    let s = f.div(&above, &below);
    let z = f.mul(&s, &s);
    // 2/ln 2 · atanh(s)/s with |s| ≤ 0.172: the first term left out is below 1e-13.
    let series: Vec<f64> = (0..8)
        .rev()
        .map(|i| 2.0 * std::f64::consts::LOG2_E / (2 * i + 1) as f64)
        .collect();
    let p = f.poly(&z, &series);
    f.fma(&p, &s, &k)
}

/// 2^t for |t| ≤ 1000.
fn exp2(f: &mut Fun, t: &Value) -> Value {
    let magic = f.float(t.ty, MAGIC);
    let sum = f.add(t, &magic);
    let n = f.sub(&sum, &magic);
    let r = f.sub(t, &n);
    let (mut term, mut series) = (1.0, vec![]);
    for i in 0..11 {
        series.push(term);
        term *= std::f64::consts::LN_2 / (i + 1) as f64;
    }
    series.reverse();
    let p = f.poly(&r, &series);
    let sum = f.cast("arith.bitcast", &sum, Of::I64);
    let p = f.cast("arith.bitcast", &p, Of::I64);
    let width = f.int(sum.ty, 52);
    // The shift drops the bits of MAGIC and leaves n in the exponent field.
    let e = f.binary("arith.shli", &sum, &width);
    let p = f.add(&p, &e);
    f.cast("arith.bitcast", &p, Of::F64)
}

fn special(f: &mut Fun, x: &Value, y: &Value, size: &Value, r: &Value) -> Value {
    let ty = x.ty;
    let (zero, one, half) = (f.float(ty, 0.0), f.float(ty, 1.0), f.float(ty, 0.5));
    let (infinity, nan) = (f.float(ty, f64::INFINITY), f.float(ty, f64::NAN));
    let grows = f.cmp("ogt", y, &zero);
    // |x| is 0 or infinite
    let at_zero = f.select(&grows, &zero, &infinity);
    let is_zero = f.cmp("oeq", size, &zero);
    let r = f.select(&is_zero, &at_zero, r);
    let is_one = f.cmp("oeq", size, &one);
    let r = f.select(&is_one, &one, &r);
    // a negative base: NaN for a fractional power, the sign of an odd one
    let negative = f.cmp("olt", x, &zero);
    let whole = f.unary("math.floor", y);
    let fractional = f.cmp("une", &whole, y);
    let no_value = f.binary("arith.andi", &negative, &fractional);
    let r = f.select(&no_value, &nan, &r);
    let at_infinity = f.select(&grows, &infinity, &zero);
    let is_infinite = f.cmp("oeq", size, &infinity);
    let r = f.select(&is_infinite, &at_infinity, &r);
    let y2 = f.mul(y, &half);
    let half_whole = f.unary("math.floor", &y2);
    let uneven = f.cmp("une", &half_whole, &y2);
    let integer = f.cmp("oeq", &whole, y);
    let odd = f.binary("arith.andi", &uneven, &integer);
    let flip = f.binary("arith.andi", &negative, &odd);
    let minus = f.unary("arith.negf", &r);
    let r = f.select(&flip, &minus, &r);
    // NaN, unless the base is 1 or the exponent 0
    let unordered = f.cmp("uno", x, y);
    let r = f.select(&unordered, &nan, &r);
    let base_one = f.cmp("oeq", x, &one);
    let r = f.select(&base_one, &one, &r);
    let no_power = f.cmp("oeq", y, &zero);
    f.select(&no_power, &one, &r)
}
