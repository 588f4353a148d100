//! Pointwise functions of complex arguments by real ones. Branches and limits are those of the interpreter.

use super::pair::{self, Pair, Part};
use crate::{DeriveError, Result};
use seqc_algebra::{Builder, MapFn, ValueId};
use std::f64::consts::{FRAC_PI_2, PI};

/// Whole exponents up to this are products.
const LARGEST_POWER: f64 = 64.0;

/// `f` of the arguments, of which one at least, or the result, is complex.
pub(super) fn map(b: &mut Builder, f: MapFn, x: &[Pair]) -> Result<Pair> {
    use MapFn::*;
    match (f, x) {
        (Complex, [re, im]) if re.im.is_none() && im.im.is_none() => Ok(Pair {
            re: re.re,
            im: im.re,
        }),
        (Re, [z]) => Ok(Pair::real(z.re)),
        (Im, [z]) => Ok(Pair::real(z.im)),
        (Conj, [z]) => pair::conj(b, *z),
        (Neg, [z]) => pair::negative(b, *z),
        (Stop, [z]) => z.each(|v| Ok(b.map1(Stop, v)?)),
        (Abs, [z]) => Ok(Pair::real(abs(b, *z)?)),
        (Exp, [z]) => exp(b, *z),
        (Log, [z]) => log(b, *z),
        (Sqrt, [z]) => sqrt(b, *z),
        (Sin, [z]) => sin(b, *z),
        (Cos, [z]) => cos(b, *z),
        (Add, [x, y]) => pair::plus(b, *x, *y),
        (Sub, [x, y]) => pair::minus(b, *x, *y),
        (Mul, [x, y]) => pair::times(b, *x, *y),
        (Div, [x, y]) => pair::over(b, *x, *y),
        (Pow, [x, y]) => pow(b, *x, *y),
        (Select, [c, x, y]) if c.im.is_none() => {
            let c = pair::value(b, c.re);
            choose(b, c, *x, *y)
        }
        _ => Err(DeriveError(format!(
            "`{}` is not defined on complex numbers",
            f.name()
        ))),
    }
}

fn choose(b: &mut Builder, c: ValueId, x: Pair, y: Pair) -> Result<Pair> {
    Ok(Pair {
        re: choose_part(b, c, x.re, y.re)?,
        im: choose_part(b, c, x.im, y.im)?,
    })
}

fn choose_part(b: &mut Builder, c: ValueId, x: Part, y: Part) -> Result<Part> {
    if x.is_none() && y.is_none() {
        return Ok(None);
    }
    let (x, y) = (pair::value(b, x), pair::value(b, y));
    Ok(Some(b.select(c, x, y)?))
}

/// `|z|`, scaled so that squares neither overflow nor vanish.
fn abs(b: &mut Builder, z: Pair) -> Result<Part> {
    let (re, im) = match (z.re, z.im) {
        (Some(re), Some(im)) => (re, im),
        (x, y) => return x.or(y).map(|v| pair::apply(b, MapFn::Abs, v)).transpose(),
    };
    let (re, im) = (
        pair::apply(b, MapFn::Abs, re)?,
        pair::apply(b, MapFn::Abs, im)?,
    );
    let (large, small) = (b.map2(MapFn::Max, re, im)?, b.map2(MapFn::Min, re, im)?);
    let safe = unless_zero(b, large)?;
    let ratio = b.div(small, safe)?;
    let square = b.mul(ratio, ratio)?;
    let one = b.num(1.0);
    let sum = b.add2(one, square)?;
    let root = b.map1(MapFn::Sqrt, sum)?;
    Ok(Some(b.mul(large, root)?))
}

/// `v`, 1 where that is 0.
fn unless_zero(b: &mut Builder, v: ValueId) -> Result<ValueId> {
    let (zero, one) = (b.num(0.0), b.num(1.0));
    let none = b.map2(MapFn::Eq, v, zero)?;
    Ok(b.select(none, one, v)?)
}

/// The sines and cosines of the angle are the parts; the real part is a common factor.
fn exp(b: &mut Builder, z: Pair) -> Result<Pair> {
    let size = z.re.map(|v| pair::apply(b, MapFn::Exp, v)).transpose()?;
    let Some(angle) = z.im else {
        let one = b.num(1.0);
        return Ok(Pair::real(Some(size.unwrap_or(one))));
    };
    let direction = Pair {
        re: Some(pair::apply(b, MapFn::Cos, angle)?),
        im: Some(pair::apply(b, MapFn::Sin, angle)?),
    };
    match size {
        Some(size) => pair::times(b, Pair::real(Some(size)), direction),
        None => Ok(direction),
    }
}

/// Principal branch.
fn log(b: &mut Builder, z: Pair) -> Result<Pair> {
    let size = abs(b, z)?;
    let size = pair::value(b, size);
    let re = pair::apply(b, MapFn::Log, size)?;
    let re = pair::part(b, re);
    Ok(Pair {
        re,
        im: angle(b, z, size)?,
    })
}

/// The argument of `z` in (-π, π].
///
/// The algebra has no inverse of the tangent. A parabola of the smaller over the larger part is within 0.004 of
/// the angle; the sine of what is left is a cross product, and three terms of the arc sine give that back to the
/// last bit of a double.
fn angle(b: &mut Builder, z: Pair, size: ValueId) -> Result<Part> {
    let zero = b.num(0.0);
    let Some(im) = z.im else {
        let re = pair::value(b, z.re);
        if b.constant(re).is_some_and(|c| c >= 0.0) {
            return Ok(None);
        }
        let (left, pi) = (b.map2(MapFn::Lt, re, zero)?, b.num(PI));
        return Ok(Some(b.select(left, pi, zero)?));
    };
    let re = pair::value(b, z.re);
    let size = unless_zero(b, size)?;
    let (c, s) = (b.div(re, size)?, b.div(im, size)?);
    let guess = rough_angle(b, c, s)?;
    let (cos, sin) = (b.map1(MapFn::Cos, guess)?, b.map1(MapFn::Sin, guess)?);
    let (sc, cs) = (b.mul(s, cos)?, b.mul(c, sin)?);
    let left = b.sub(sc, cs)?;
    let square = b.mul(left, left)?;
    // asin x = x (1 + x² (1/6 + 3/40 x²) + …)
    let (sixth, next, one) = (b.num(1.0 / 6.0), b.num(0.075), b.num(1.0));
    let tail = b.mul(next, square)?;
    let tail = b.add2(sixth, tail)?;
    let tail = b.mul(square, tail)?;
    let factor = b.add2(one, tail)?;
    let rest = b.mul(left, factor)?;
    Ok(Some(b.add2(guess, rest)?))
}

/// The angle of a point on the unit circle to 0.004: `r (π/4 + 0.273 (1 - r))` in each eighth of the circle.
fn rough_angle(b: &mut Builder, c: ValueId, s: ValueId) -> Result<ValueId> {
    let zero = b.num(0.0);
    let (size_c, size_s) = (b.map1(MapFn::Abs, c)?, b.map1(MapFn::Abs, s)?);
    let large = b.map2(MapFn::Max, size_c, size_s)?;
    let large = unless_zero(b, large)?;
    let small = b.map2(MapFn::Min, size_c, size_s)?;
    let r = b.div(small, large)?;
    let (start, slope) = (b.num(FRAC_PI_2 / 2.0 + 0.273), b.num(0.273));
    let falling = b.mul(slope, r)?;
    let falling = b.sub(start, falling)?;
    let eighth = b.mul(r, falling)?;
    let steep = b.map2(MapFn::Gt, size_s, size_c)?;
    let quarter = b.num(FRAC_PI_2);
    let mirrored = b.sub(quarter, eighth)?;
    let first = b.select(steep, mirrored, eighth)?;
    let left = b.map2(MapFn::Lt, c, zero)?;
    let half = b.num(PI);
    let mirrored = b.sub(half, first)?;
    let upper = b.select(left, mirrored, first)?;
    let below = b.map2(MapFn::Lt, s, zero)?;
    let lower = b.neg(upper)?;
    Ok(b.select(below, lower, upper)?)
}

/// The root in the right half plane.
fn sqrt(b: &mut Builder, z: Pair) -> Result<Pair> {
    let zero = b.num(0.0);
    let size = abs(b, z)?;
    let size = pair::value(b, size);
    let (re, im) = (pair::value(b, z.re), pair::value(b, z.im));
    let size_re = pair::apply(b, MapFn::Abs, re)?;
    let sum = b.add2(size, size_re)?;
    let half = b.num(0.5);
    let mean = b.mul(sum, half)?;
    let long = b.map1(MapFn::Sqrt, mean)?;
    let size_im = pair::apply(b, MapFn::Abs, im)?;
    let safe = unless_zero(b, long)?;
    let short = b.div(size_im, safe)?;
    let short = b.mul(short, half)?;
    let right = b.map2(MapFn::Ge, re, zero)?;
    let (x, y) = (b.select(right, long, short)?, b.select(right, short, long)?);
    let below = b.map2(MapFn::Lt, im, zero)?;
    let down = b.neg(y)?;
    Ok(Pair {
        re: Some(x),
        im: Some(b.select(below, down, y)?),
    })
}

/// `(sinh v, cosh v)`, the former exact near 0.
fn hyperbolic(b: &mut Builder, v: ValueId) -> Result<(ValueId, ValueId)> {
    let half = b.num(0.5);
    let minus = b.neg(v)?;
    let (up, down) = (b.map1(MapFn::Expm1, v)?, b.map1(MapFn::Expm1, minus)?);
    let (difference, sum) = (b.sub(up, down)?, b.add2(up, down)?);
    let one = b.num(1.0);
    let rest = b.mul(half, sum)?;
    Ok((b.mul(half, difference)?, b.add2(one, rest)?))
}

/// `sin x cosh y + i cos x sinh y`
fn sin(b: &mut Builder, z: Pair) -> Result<Pair> {
    let x = pair::value(b, z.re);
    let (s, c) = (
        pair::apply(b, MapFn::Sin, x)?,
        pair::apply(b, MapFn::Cos, x)?,
    );
    let Some(y) = z.im else {
        return Ok(Pair::real(Some(s)));
    };
    let (sinh, cosh) = hyperbolic(b, y)?;
    Ok(Pair {
        re: Some(b.mul(s, cosh)?),
        im: Some(b.mul(c, sinh)?),
    })
}

/// `cos x cosh y - i sin x sinh y`
fn cos(b: &mut Builder, z: Pair) -> Result<Pair> {
    let x = pair::value(b, z.re);
    let (s, c) = (
        pair::apply(b, MapFn::Sin, x)?,
        pair::apply(b, MapFn::Cos, x)?,
    );
    let Some(y) = z.im else {
        return Ok(Pair::real(Some(c)));
    };
    let (sinh, cosh) = hyperbolic(b, y)?;
    let down = b.mul(s, sinh)?;
    Ok(Pair {
        re: Some(b.mul(c, cosh)?),
        im: Some(b.neg(down)?),
    })
}

/// Whole constant exponents by squaring; others through the logarithm, with `0^0 = 1` and `0^p = 0`.
fn pow(b: &mut Builder, x: Pair, p: Pair) -> Result<Pair> {
    let known = match p {
        Pair { re, im: None } => re.map_or(Some(0.0), |v| b.constant(v)),
        _ => None,
    };
    if let Some(n) = known.filter(|n| n.fract() == 0.0 && n.abs() <= LARGEST_POWER) {
        return whole_power(b, x, n as i32);
    }
    let l = log(b, x)?;
    let e = pair::times(b, l, p)?;
    let general = exp(b, e)?;
    let size = abs(b, x)?;
    let size = pair::value(b, size);
    if b.constant(size).is_some_and(|c| c > 0.0) {
        return Ok(general);
    }
    let zero = b.num(0.0);
    let none = b.map2(MapFn::Eq, size, zero)?;
    let at_zero = match known {
        Some(_) => Pair::default(),
        None => {
            let exponent = abs(b, p)?;
            let exponent = pair::value(b, exponent);
            Pair::real(Some(b.map2(MapFn::Eq, exponent, zero)?))
        }
    };
    choose(b, none, at_zero, general)
}

fn whole_power(b: &mut Builder, x: Pair, n: i32) -> Result<Pair> {
    let mut product = Pair::real(Some(b.num(1.0)));
    let (mut square, mut left) = (x, n.unsigned_abs());
    while left > 0 {
        if left & 1 == 1 {
            product = pair::times(b, product, square)?;
        }
        left >>= 1;
        if left > 0 {
            square = pair::times(b, square, square)?;
        }
    }
    if n < 0 {
        let one = Pair::real(Some(b.num(1.0)));
        product = pair::over(b, one, product)?;
    }
    Ok(product)
}
