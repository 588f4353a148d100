//! The identity of exponentials that the law rests on, by itself: `exp(r lag)` is `exp(r) ^ lag`.

use super::modes;
use super::modes::Mode;
use super::recurrence::total;
use crate::Result;
use crate::conv::{Kernel, kernel_of};
use crate::rewrite::map_values;
use seqc_algebra::{Axis, Builder, Elem, Func, MapFn, ValueId};

/// The program with every such kernel written as a sum of powers `exp(r) ^ lag`, for where an exponential is a
/// function that nothing is known of.
pub fn kernels_as_powers(func: &Func) -> Result<Func> {
    map_values(func, |b, _, id, args| {
        let Some(k) = kernel_of(b, func, id, args) else {
            return Ok(None);
        };
        let f = b.contract(&[], &k.kernel)?;
        let Ok(all) = modes(b, f, k.lag) else {
            return Ok(None);
        };
        let mut powers = vec![];
        for m in &all {
            powers.push(as_power(b, m, k.lag)?);
        }
        let ty = b.ty(f).clone();
        let f = total(b, powers, &ty)?;
        let Kernel {
            window,
            outside,
            over,
            ..
        } = k;
        let factors: Vec<ValueId> = [f, window].into_iter().chain(outside).collect();
        Ok(Some(b.contract(&over, &factors)?))
    })
}

/// `Σ_over coef · λ^lag`. A real λ is `1 + (λ - 1)`, of which the law of powers does not make an exponential again.
fn as_power(b: &mut Builder, m: &Mode, lag: Axis) -> Result<ValueId> {
    let (at, one) = (b.iota(lag)?, b.num(1.0));
    let e = match m.rate {
        Some(r) if b.elem(r) == Elem::Complex => Some(b.map1(MapFn::Exp, r)?),
        Some(r) => {
            let d = b.map1(MapFn::Expm1, r)?;
            Some(b.add2(one, d)?)
        }
        None => None,
    };
    let own = match m.base {
        Some(base) if b.elem(base) != Elem::Complex => {
            let d = b.sub(base, one)?;
            Some(b.add2(one, d)?)
        }
        base => base,
    };
    let base = match (e, own) {
        (Some(p), Some(q)) => Some(b.mul(p, q)?),
        (p, q) => p.or(q),
    };
    let mut factors = vec![m.coef];
    if let Some(start) = m.start {
        factors.push(b.map1(MapFn::Exp, start)?);
    }
    match base {
        Some(base) => factors.push(b.map2(MapFn::Pow, base, at)?),
        None => factors.push(b.expand(one, &[lag])?),
    }
    let mut v = b.contract(&m.over, &factors)?;
    if m.real {
        v = b.map1(MapFn::Re, v)?;
    }
    if m.from > 0 {
        let (from, zero) = (b.num(m.from as f64), b.num(0.0));
        let begun = b.map2(MapFn::Ge, at, from)?;
        v = b.select(begun, v, zero)?;
    }
    Ok(v)
}
