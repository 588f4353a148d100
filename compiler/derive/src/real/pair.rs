//! Arithmetic on pairs of real values, with parts known to be 0 left out, so that `1i * x` costs nothing.
//!
//! A part may lack axes of the complex value that it belongs to; then it is the same along them.

use crate::Result;
use seqc_algebra::{Axis, Builder, MapFn, Op, ValueId};

/// Half of a complex value; `None` is 0.
pub(super) type Part = Option<ValueId>;

/// A complex value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pair {
    pub re: Part,
    pub im: Part,
}

impl Pair {
    pub fn real(re: Part) -> Pair {
        Pair { re, im: None }
    }

    /// The same function of both parts.
    pub fn each(self, mut f: impl FnMut(ValueId) -> Result<ValueId>) -> Result<Pair> {
        Ok(Pair {
            re: self.re.map(&mut f).transpose()?,
            im: self.im.map(f).transpose()?,
        })
    }
}

/// A real value as a part: 0, also along further axes, is `None`.
pub(super) fn part(b: &Builder, v: ValueId) -> Part {
    let source = match b.func().op(v) {
        Op::Expand(_) => b.func().args(v)[0],
        _ => v,
    };
    (b.constant(source) != Some(0.0)).then_some(v)
}

/// The part as a value.
pub(super) fn value(b: &mut Builder, p: Part) -> ValueId {
    p.unwrap_or_else(|| b.num(0.0))
}

/// The part with all of the axes.
pub(super) fn full(b: &mut Builder, p: Part, axes: &[Axis]) -> Result<ValueId> {
    let v = value(b, p);
    Ok(b.fill(v, axes)?)
}

fn constants(b: &Builder, x: ValueId, y: ValueId) -> Option<(f64, f64)> {
    Some((b.constant(x)?, b.constant(y)?))
}

fn number(b: &mut Builder, x: f64) -> Part {
    (x != 0.0).then(|| b.num(x))
}

pub(super) fn neg(b: &mut Builder, x: Part) -> Result<Part> {
    let Some(x) = x else { return Ok(None) };
    if let Some(c) = b.constant(x) {
        return Ok(Some(b.num(-c)));
    }
    if let Op::Map(MapFn::Neg) = b.func().op(x) {
        return Ok(Some(b.func().args(x)[0]));
    }
    Ok(Some(b.neg(x)?))
}

pub(super) fn add(b: &mut Builder, x: Part, y: Part) -> Result<Part> {
    let (Some(p), Some(q)) = (x, y) else {
        return Ok(x.or(y));
    };
    if let Some((p, q)) = constants(b, p, q) {
        return Ok(number(b, p + q));
    }
    Ok(Some(b.add2(p, q)?))
}

pub(super) fn sub(b: &mut Builder, x: Part, y: Part) -> Result<Part> {
    let (Some(p), Some(q)) = (x, y) else {
        return if x.is_some() { Ok(x) } else { neg(b, y) };
    };
    if let Some((p, q)) = constants(b, p, q) {
        return Ok(number(b, p - q));
    }
    Ok(Some(b.sub(p, q)?))
}

pub(super) fn mul(b: &mut Builder, x: Part, y: Part) -> Result<Part> {
    let (Some(p), Some(q)) = (x, y) else {
        return Ok(None);
    };
    match (b.constant(p), b.constant(q)) {
        (Some(p), Some(q)) => Ok(number(b, p * q)),
        (Some(-1.0), _) => neg(b, y),
        (_, Some(-1.0)) => neg(b, x),
        _ => Ok(Some(b.mul(p, q)?)),
    }
}

pub(super) fn div(b: &mut Builder, x: Part, by: ValueId) -> Result<Part> {
    let Some(p) = x else { return Ok(None) };
    match constants(b, p, by) {
        Some((p, q)) if q != 0.0 => Ok(number(b, p / q)),
        _ => Ok(Some(b.div(p, by)?)),
    }
}

/// A function of one real argument, computed at once if that is a constant.
pub(super) fn apply(b: &mut Builder, f: MapFn, x: ValueId) -> Result<ValueId> {
    let known = b.constant(x).and_then(|x| match f {
        MapFn::Abs => Some(x.abs()),
        MapFn::Sqrt => Some(x.sqrt()),
        MapFn::Exp => Some(x.exp()),
        MapFn::Log if x > 0.0 => Some(x.ln()),
        MapFn::Sin => Some(x.sin()),
        MapFn::Cos => Some(x.cos()),
        _ => None,
    });
    Ok(match known {
        Some(y) => b.num(y),
        None => b.map1(f, x)?,
    })
}

pub(super) fn plus(b: &mut Builder, x: Pair, y: Pair) -> Result<Pair> {
    Ok(Pair {
        re: add(b, x.re, y.re)?,
        im: add(b, x.im, y.im)?,
    })
}

pub(super) fn minus(b: &mut Builder, x: Pair, y: Pair) -> Result<Pair> {
    Ok(Pair {
        re: sub(b, x.re, y.re)?,
        im: sub(b, x.im, y.im)?,
    })
}

pub(super) fn negative(b: &mut Builder, x: Pair) -> Result<Pair> {
    Ok(Pair {
        re: neg(b, x.re)?,
        im: neg(b, x.im)?,
    })
}

pub(super) fn conj(b: &mut Builder, x: Pair) -> Result<Pair> {
    Ok(Pair {
        re: x.re,
        im: neg(b, x.im)?,
    })
}

/// `i x`
pub(super) fn turn(b: &mut Builder, x: Pair) -> Result<Pair> {
    Ok(Pair {
        re: neg(b, x.im)?,
        im: x.re,
    })
}

pub(super) fn times(b: &mut Builder, x: Pair, y: Pair) -> Result<Pair> {
    let (rr, ii) = (mul(b, x.re, y.re)?, mul(b, x.im, y.im)?);
    let (ri, ir) = (mul(b, x.re, y.im)?, mul(b, x.im, y.re)?);
    Ok(Pair {
        re: sub(b, rr, ii)?,
        im: add(b, ri, ir)?,
    })
}

/// Smith's division: |y|² might overflow where y does not.
pub(super) fn over(b: &mut Builder, x: Pair, y: Pair) -> Result<Pair> {
    let (c, d) = match (y.re, y.im) {
        (Some(c), Some(d)) => (c, d),
        // x / (i d) = -i (x / d)
        (None, Some(d)) => {
            let q = scaled_down(b, x, d)?;
            return Ok(Pair {
                re: q.im,
                im: neg(b, q.re)?,
            });
        }
        (re, None) => {
            let c = value(b, re);
            return scaled_down(b, x, c);
        }
    };
    let (size_c, size_d) = (apply(b, MapFn::Abs, c)?, apply(b, MapFn::Abs, d)?);
    let first = b.map2(MapFn::Ge, size_c, size_d)?;
    let (large, small) = (b.select(first, c, d)?, b.select(first, d, c)?);
    let ratio = b.div(small, large)?;
    let rest = b.mul(small, ratio)?;
    let scale = b.add2(large, rest)?;
    // |c| >= |d|: (x.re + x.im r, x.im - x.re r), else (x.re r + x.im, x.im r - x.re).
    let one = b.num(1.0);
    let (of_c, of_d) = (b.select(first, one, ratio)?, b.select(first, ratio, one)?);
    let conjugate = Pair {
        re: Some(of_c),
        im: Some(b.neg(of_d)?),
    };
    let top = times(b, x, conjugate)?;
    scaled_down(b, top, scale)
}

fn scaled_down(b: &mut Builder, x: Pair, by: ValueId) -> Result<Pair> {
    Ok(Pair {
        re: div(b, x.re, by)?,
        im: div(b, x.im, by)?,
    })
}
