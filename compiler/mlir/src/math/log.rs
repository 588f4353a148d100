//! `log` and `log1p`: x = 2^k·m with m in [√½, √2), then log m = 2·atanh((m-1)/(m+1)), arranged so that the
//! leading terms are added last.

use crate::text::{Fun, Of, Value};

/// Coefficients of the even series in s = f/(2+f) (those of FreeBSD's msun; error below 2^-34).
const R: [f64; 4] = [
    0.24279078841209412,
    0.2849878668785095,
    0.40000972151756287,
    0.6666666269302368,
];
const LN2_HI: f64 = 6.9313812256e-01;
const LN2_LO: f64 = 9.0580006145e-06;
/// Bits of √½.
const SQRT_HALF: i64 = 0x3f35_04f3;
const ONE: i64 = 0x3f80_0000;

pub fn log(f: &mut Fun, x: &Value) -> Value {
    let (smallest, up, one) = (
        f.float(x.ty, 1.17549435e-38),
        f.float(x.ty, 8388608.0),
        f.float(x.ty, 1.0),
    );
    let denormal = f.cmp("olt", x, &smallest);
    let scaled = f.mul(x, &up);
    let y = f.select(&denormal, &scaled, x);
    let (k, m) = split(f, &y);
    let (zero, shift) = (f.int(k.ty, 0), f.int(k.ty, 23));
    let less = f.select(&denormal, &shift, &zero);
    let k = f.sub(&k, &less);
    let k = f.cast("arith.sitofp", &k, Of::F32);
    let g = f.sub(&m, &one);
    let none = f.float(x.ty, 0.0);
    let r = combine(f, &g, &k, &none);
    special(f, x, &r, 0.0)
}

pub fn log1p(f: &mut Fun, x: &Value) -> Value {
    let one = f.float(x.ty, 1.0);
    let u = f.add(x, &one);
    // What rounding 1 + x lost, relative to u.
    let back = f.sub(&u, &one);
    let lost_small = f.sub(x, &back);
    let excess = f.sub(&u, x);
    let lost_big = f.sub(&one, &excess);
    let two = f.float(x.ty, 2.0);
    let big = f.cmp("oge", x, &two);
    let lost = f.select(&big, &lost_big, &lost_small);
    let c = f.div(&lost, &u);
    let (k, m) = split(f, &u);
    let k = f.cast("arith.sitofp", &k, Of::F32);
    let g = f.sub(&m, &one);
    // Between √½ - 1 and √2 - 1 no scaling is needed and x itself is exact.
    let (lo, hi, zero) = (
        f.float(x.ty, -0.292893),
        f.float(x.ty, 0.414213),
        f.float(x.ty, 0.0),
    );
    let above = f.cmp("ogt", x, &lo);
    let below = f.cmp("olt", x, &hi);
    let near = f.binary("arith.andi", &above, &below);
    let g = f.select(&near, x, &g);
    let k = f.select(&near, &zero, &k);
    let c = f.select(&near, &zero, &c);
    let r = combine(f, &g, &k, &c);
    special(f, x, &r, -1.0)
}

/// k (i32) and m.
fn split(f: &mut Fun, x: &Value) -> (Value, Value) {
    let bits = f.cast("arith.bitcast", x, Of::I32);
    let ty = bits.ty;
    let offset = f.int(ty, ONE - SQRT_HALF);
    let (width, bias) = (f.int(ty, 23), f.int(ty, 127));
    let (mask, root) = (f.int(ty, 0x007f_ffff), f.int(ty, SQRT_HALF));
    let moved = f.add(&bits, &offset);
    let k = f.binary("arith.shrsi", &moved, &width);
    let k = f.sub(&k, &bias);
    let m = f.binary("arith.andi", &moved, &mask);
    let m = f.add(&m, &root);
    (k, f.cast("arith.bitcast", &m, Of::F32))
}

/// log(1 + g) + k·ln 2 + c.
fn combine(f: &mut Fun, g: &Value, k: &Value, c: &Value) -> Value {
    let ty = g.ty;
    let (two, half) = (f.float(ty, 2.0), f.float(ty, 0.5));
    let below = f.add(g, &two);
    let s = f.div(g, &below);
    let z = f.mul(&s, &s);
    let p = f.poly(&z, &R);
    let p = f.mul(&p, &z);
    let square = f.mul(g, g);
    let half_square = f.mul(&square, &half);
    let inner = f.add(&half_square, &p);
    let lo = f.float(ty, LN2_LO);
    let low = f.fma(k, &lo, c);
    let small = f.fma(&s, &inner, &low);
    let small = f.sub(&small, &half_square);
    let sum = f.add(&small, g);
    let hi = f.float(ty, LN2_HI);
    f.fma(k, &hi, &sum)
}

/// Infinity and NaN are their own logarithm; at `pole` it is -∞, below it NaN.
fn special(f: &mut Fun, x: &Value, r: &Value, pole: f64) -> Value {
    let (pole, infinity) = (f.float(x.ty, pole), f.float(x.ty, f64::INFINITY));
    let (minus, nan) = (f.float(x.ty, f64::NEG_INFINITY), f.float(x.ty, f64::NAN));
    let finite = f.cmp("olt", x, &infinity);
    let r = f.select(&finite, r, x);
    let at = f.cmp("oeq", x, &pole);
    let r = f.select(&at, &minus, &r);
    let under = f.cmp("olt", x, &pole);
    f.select(&under, &nan, &r)
}
