//! Pointwise functions. A function of one operand is described by its slope; the tangent is `t · slope`, the
//! cotangent `g · conj(slope)`. Slopes that can be infinite are guarded: a zero (co)tangent stays zero, so the arm
//! of a select that was not taken contributes nothing.
//!
//! Slopes are written so that they are right where a function saturates: as a product of two small numbers, never as a
//! difference of two that are nearly equal. At kinks and where they are infinite they are what docs/language.md says.

use super::super::bounds::{bounded_away, nonpositive};
use super::super::parts::{conj, contribution_at_each, guarded, product, scaled};
use super::{At, Result};
use seqc_algebra::{Builder, Elem, MapFn, Ty, ValueId};

/// The derivative of one operand's function.
enum Slope {
    Zero,
    Times(ValueId),
    /// May be infinite or NaN where the tangent is 0.
    Risky(ValueId),
    Over(ValueId),
    /// One over it; 0 where that is infinite.
    OverOrNone(ValueId),
    Scale(f64),
}

/// The slope of a holomorphic (or real) function of one operand.
fn slope(b: &mut Builder, f: MapFn, x: ValueId, y: ValueId) -> Result<Slope> {
    use MapFn::*;
    let one = b.num(1.0);
    Ok(match f {
        Neg => Slope::Scale(-1.0),
        Exp if nonpositive(b.func(), x) => Slope::Times(y),
        Exp => Slope::Risky(y),
        // Not `y + 1`, which is 0 long before the exponential is.
        Expm1 => Slope::Risky(b.map1(Exp, x)?),
        Log => Slope::Over(x),
        Log1p => Slope::Over(b.add2(one, x)?),
        Sqrt => Slope::OverOrNone(scaled(b, y, 2.0)?),
        Sin => Slope::Times(b.map1(Cos, x)?),
        Cos => {
            let s = b.map1(Sin, x)?;
            Slope::Times(b.neg(s)?)
        }
        Tanh => Slope::Times(tanh_slope(b, x, y)?),
        Sigmoid => {
            // `1 - y`, right where y is nearly 1.
            let n = b.neg(x)?;
            let rest = b.map1(Sigmoid, n)?;
            Slope::Times(b.mul(y, rest)?)
        }
        Softplus => Slope::Times(b.map1(Sigmoid, x)?),
        LogSigmoid => {
            let n = b.neg(x)?;
            Slope::Times(b.map1(Sigmoid, n)?)
        }
        Erf => {
            let xx = b.mul(x, x)?;
            let n = b.neg(xx)?;
            let e = b.map1(Exp, n)?;
            Slope::Times(scaled(b, e, std::f64::consts::FRAC_2_SQRT_PI)?)
        }
        Abs => Slope::Times(b.map1(Sign, x)?),
        _ => Slope::Zero,
    })
}

/// `1 - y² = (1 + |y|) (1 - |y|)`, the latter being `2 sigmoid(-2|x|)`.
fn tanh_slope(b: &mut Builder, x: ValueId, y: ValueId) -> Result<ValueId> {
    let one = b.num(1.0);
    let (far, size) = (b.map1(MapFn::Abs, x)?, b.map1(MapFn::Abs, y)?);
    let far = scaled(b, far, -2.0)?;
    let low = b.map1(MapFn::Sigmoid, far)?;
    let low = scaled(b, low, 2.0)?;
    let high = b.add2(one, size)?;
    Ok(b.mul(low, high)?)
}

fn apply(b: &mut Builder, t: ValueId, s: Slope, ty: &Ty) -> Result<Option<ValueId>> {
    Ok(Some(match s {
        Slope::Zero => return Ok(None),
        Slope::Scale(c) => scaled(b, t, c)?,
        Slope::Times(v) => product(b, &[t, v], ty)?,
        Slope::Risky(v) => {
            let p = product(b, &[t, v], ty)?;
            guarded(b, t, p)?
        }
        Slope::Over(d) => over(b, t, d)?,
        Slope::OverOrNone(d) => {
            let q = over(b, t, d)?;
            match bounded_away(b.func(), d) {
                true => q,
                false => guarded(b, d, q)?,
            }
        }
    }))
}

/// `t / d`, 0 where t is 0.
fn over(b: &mut Builder, t: ValueId, d: ValueId) -> Result<ValueId> {
    let q = b.div(t, d)?;
    if bounded_away(b.func(), d) {
        Ok(q)
    } else {
        guarded(b, t, q)
    }
}

fn conjugate(b: &mut Builder, s: Slope) -> Result<Slope> {
    Ok(match s {
        Slope::Times(v) => Slope::Times(conj(b, v)?),
        Slope::Risky(v) => Slope::Risky(conj(b, v)?),
        Slope::Over(v) => Slope::Over(conj(b, v)?),
        Slope::OverOrNone(v) => Slope::OverOrNone(conj(b, v)?),
        other => other,
    })
}

fn sum2(b: &mut Builder, p: Option<ValueId>, q: Option<ValueId>) -> Result<Option<ValueId>> {
    Ok(match (p, q) {
        (Some(p), Some(q)) => Some(b.add2(p, q)?),
        (p, q) => p.or(q),
    })
}

/// A number that is `v` or, if none, 0.
fn or_zero(b: &mut Builder, v: Option<ValueId>) -> ValueId {
    v.unwrap_or_else(|| b.num(0.0))
}

fn widest(b: &Builder, at: At) -> Ty {
    b.ty(at.y).clone()
}

pub fn jvp(b: &mut Builder, f: MapFn, at: At, t: &[Option<ValueId>]) -> Result<Option<ValueId>> {
    use MapFn::*;
    let ty = widest(b, at);
    match (f, t) {
        (Add, [p, q]) => sum2(b, *p, *q),
        (Sub, [p, q]) => {
            let q = q.map(|q| b.neg(q)).transpose()?;
            sum2(b, *p, q)
        }
        (Mul, [p, q]) => {
            let p = p.map(|p| product(b, &[p, at.x[1]], &ty)).transpose()?;
            let q = q.map(|q| product(b, &[at.x[0], q], &ty)).transpose()?;
            sum2(b, p, q)
        }
        (Div, [p, q]) => {
            let p = p.map(|p| over(b, p, at.x[1])).transpose()?;
            let q = q.map(|q| quotient_rest(b, q, at.y, at.x[1])).transpose()?;
            sum2(b, p, q)
        }
        (Pow, [p, q]) => {
            let p = p.map(|p| power_base(b, p, at.x[0], at.x[1])).transpose()?;
            let q = q.map(|q| power_exponent(b, q, at.x[0], at.y)).transpose()?;
            sum2(b, p, q)
        }
        (Max | Min, [p, q]) => {
            let p = p.map(|p| share(b, f, at, 0, p)).transpose()?;
            let q = q.map(|q| share(b, f, at, 1, q)).transpose()?;
            sum2(b, p, q)
        }
        (Rem, [p, q]) => {
            let q = q.map(|q| whole_quotient(b, q, at)).transpose()?;
            sum2(b, *p, q)
        }
        (Select, [_, p, q]) => {
            let (p, q) = (or_zero(b, *p), or_zero(b, *q));
            Ok(Some(b.select(at.x[0], p, q)?))
        }
        (Complex, [p, q]) => {
            let (p, q) = (or_zero(b, *p), or_zero(b, *q));
            Ok(Some(b.map2(Complex, p, q)?))
        }
        (Re | Im | Conj, [Some(p)]) => Ok(Some(b.map1(f, *p)?)),
        (Abs, [Some(p)]) if b.elem(at.x[0]) == Elem::Complex => {
            let d = direction(b, at)?;
            let d = conj(b, d)?;
            let v = b.mul(d, *p)?;
            Ok(Some(b.map1(Re, v)?))
        }
        (_, [Some(p)]) => {
            let s = slope(b, f, at.x[0], at.y)?;
            apply(b, *p, s, &ty)
        }
        _ => Ok(None),
    }
}

pub fn vjp(
    b: &mut Builder,
    f: MapFn,
    at: At,
    g: ValueId,
    want: &[bool],
) -> Result<Vec<(usize, ValueId)>> {
    use MapFn::*;
    let mut out = vec![];
    let ty = |b: &Builder, k: usize| b.ty(at.x[k]).clone();
    match f {
        Add => out.extend([(0, g), (1, g)]),
        Sub => {
            out.push((0, g));
            if want[1] {
                let to = ty(b, 1);
                let g = super::super::parts::fit(b, g, &to)?;
                out.push((1, b.neg(g)?));
            }
        }
        Mul => {
            for k in [0, 1] {
                if want[k] {
                    let (other, to) = (conj(b, at.x[1 - k])?, ty(b, k));
                    out.push((k, contribution_at_each(b, g, other, &to)?));
                }
            }
        }
        Div => {
            let (d, y) = (conj(b, at.x[1])?, conj(b, at.y)?);
            if want[0] {
                out.push((0, over(b, g, d)?));
            }
            if want[1] {
                out.push((1, quotient_rest(b, g, y, d)?));
            }
        }
        Pow => {
            let (x, p, y) = (conj(b, at.x[0])?, conj(b, at.x[1])?, conj(b, at.y)?);
            if want[0] {
                out.push((0, power_base(b, g, x, p)?));
            }
            if want[1] {
                out.push((1, power_exponent(b, g, x, y)?));
            }
        }
        Max | Min => {
            for k in (0..2).filter(|k| want[*k]) {
                out.push((k, share(b, f, at, k, g)?));
            }
        }
        Select => {
            let zero = b.num(0.0);
            if want[1] {
                out.push((1, b.select(at.x[0], g, zero)?));
            }
            if want[2] {
                out.push((2, b.select(at.x[0], zero, g)?));
            }
        }
        Rem => {
            out.push((0, g));
            if want[1] {
                out.push((1, whole_quotient(b, g, at)?));
            }
        }
        Complex => {
            out.push((0, b.map1(Re, g)?));
            out.push((1, b.map1(Im, g)?));
        }
        Re => out.push((0, g)),
        Im => {
            let zero = b.num(0.0);
            out.push((0, b.map2(Complex, zero, g)?));
        }
        Conj => out.push((0, conj(b, g)?)),
        Abs if b.elem(at.x[0]) == Elem::Complex => {
            let d = direction(b, at)?;
            out.push((0, b.mul(g, d)?));
        }
        _ => {
            let s = slope(b, f, at.x[0], at.y)?;
            let (s, to) = (conjugate(b, s)?, ty(b, 0));
            if let Some(v) = apply(b, g, s, &to)? {
                out.push((0, v));
            }
        }
    }
    Ok(out)
}

/// `-t y / d`: the derivative of a quotient in its denominator.
fn quotient_rest(b: &mut Builder, t: ValueId, y: ValueId, d: ValueId) -> Result<ValueId> {
    let q = b.div(t, d)?;
    let p = b.mul(q, y)?;
    let p = b.neg(p)?;
    if bounded_away(b.func(), d) {
        Ok(p)
    } else {
        guarded(b, t, p)
    }
}

/// What operand k of a max or min has of `t`: all of it where it is the result, half where both are.
fn share(b: &mut Builder, f: MapFn, at: At, k: usize, t: ValueId) -> Result<ValueId> {
    let (own, other) = (at.x[k], at.x[1 - k]);
    let beyond = if f == MapFn::Max {
        MapFn::Gt
    } else {
        MapFn::Lt
    };
    let (wins, ties) = (b.map2(beyond, own, other)?, b.map2(MapFn::Eq, own, other)?);
    let (zero, half) = (b.num(0.0), scaled(b, t, 0.5)?);
    let tied = b.select(ties, half, zero)?;
    Ok(b.select(wins, t, tied)?)
}

/// `z/|z|`, 0 at 0.
fn direction(b: &mut Builder, at: At) -> Result<ValueId> {
    let (zero, one) = (b.num(0.0), b.num(1.0));
    let on = b.map2(MapFn::Gt, at.y, zero)?;
    let safe = b.select(on, at.y, one)?;
    Ok(b.div(at.x[0], safe)?)
}

/// `-t floor(x/y)`.
fn whole_quotient(b: &mut Builder, t: ValueId, at: At) -> Result<ValueId> {
    let q = b.div(at.x[0], at.x[1])?;
    let q = b.map1(MapFn::Floor, q)?;
    let p = b.mul(t, q)?;
    Ok(b.neg(p)?)
}

/// `t p x^(p-1)`; 0 for p = 0, and where it is infinite: at x = 0 for p < 1.
fn power_base(b: &mut Builder, t: ValueId, x: ValueId, p: ValueId) -> Result<ValueId> {
    let known = b.constant(p);
    if known == Some(0.0) {
        return Ok(b.num(0.0));
    }
    if known == Some(2.0) {
        let v = b.mul(t, x)?;
        return scaled(b, v, 2.0);
    }
    let (zero, one) = (b.num(0.0), b.num(1.0));
    let less = match known {
        Some(p) => b.num(p - 1.0),
        None => b.sub(p, one)?,
    };
    let power = b.map2(MapFn::Pow, x, less)?;
    let power = b.mul(p, power)?;
    let v = b.mul(t, power)?;
    if known.is_some_and(|p| p >= 1.0) || bounded_away(b.func(), x) {
        return Ok(v);
    }
    let v = guarded(b, t, v)?;
    if b.elem(x) == Elem::Complex || b.elem(p) == Elem::Complex {
        return Ok(v);
    }
    let (off, some) = (b.map2(MapFn::Ne, x, zero)?, b.map2(MapFn::Ne, p, zero)?);
    let (defined, flat) = (b.map2(MapFn::And, off, some)?, b.map2(MapFn::Ge, p, one)?);
    let kept = b.map2(MapFn::Or, defined, flat)?;
    Ok(b.select(kept, v, zero)?)
}

/// `t y log x`, 0 where x is not above 0.
fn power_exponent(b: &mut Builder, t: ValueId, x: ValueId, y: ValueId) -> Result<ValueId> {
    let l = b.map1(MapFn::Log, x)?;
    let v = b.mul(y, l)?;
    let v = b.mul(t, v)?;
    if b.elem(x) == Elem::Complex || bounded_away(b.func(), x) {
        return Ok(v);
    }
    let zero = b.num(0.0);
    let on = b.map2(MapFn::Gt, x, zero)?;
    let v = b.select(on, v, zero)?;
    guarded(b, t, v)
}
