//! Modes as recurrences.

use super::Obstacle;
use super::modes::{Mode, Modes};
use crate::{DeriveError, Result};
use seqc_algebra::shape::canonical;
use seqc_algebra::{Axis, Builder, Elem, InputKind, MapFn, Out, Scan, Ty, ValueId};
use std::collections::HashMap;

/// What is carried for one mode of the input `x`.
pub fn state_of(b: &Builder, m: &Mode, x: ValueId, axis: Axis) -> Ty {
    let powers = || [m.rate, m.base].into_iter().flatten();
    let complex = powers().chain([x]).any(|v| b.elem(v) == Elem::Complex);
    let mut axes: Vec<Axis> = b.axes(x).iter().copied().filter(|a| *a != axis).collect();
    for a in powers().flat_map(|v| b.axes(v)) {
        if !axes.contains(a) {
            axes.push(*a);
        }
    }
    Ty {
        elem: if complex { Elem::Complex } else { Elem::Real },
        axes: canonical(axes),
    }
}

/// The sum of the modes' recurrences, of the type that the convolution had.
pub fn convolved(
    b: &mut Builder,
    all: &[Mode],
    x: ValueId,
    axis: Axis,
    ty: &Ty,
) -> Result<ValueId> {
    let unfit = |o: Obstacle| DeriveError(o.why);
    let mut parts = vec![];
    for m in all {
        let whole = match m.real && b.elem(x) == Elem::Complex {
            true => Modes::new(b).whole(m).map_err(unfit)?,
            false => vec![m.clone()],
        };
        for m in whole {
            let axes = b.axes(x).to_vec();
            let m = Modes::new(b).cleared(&m, &axes).map_err(unfit)?;
            parts.push(recurrence(b, &m, x, axis)?);
        }
    }
    total(b, parts, ty)
}

/// The sum of values, brought to a type.
pub fn total(b: &mut Builder, parts: Vec<ValueId>, ty: &Ty) -> Result<ValueId> {
    let mut sum = b.num(0.0);
    for p in parts {
        sum = b.add2(sum, p)?;
    }
    Ok(b.fill_as(sum, ty)?)
}

/// The mode that reads what is `from` steps old, as one that begins at once.
fn begun(b: &mut Builder, m: &Mode) -> Result<Mode> {
    let mut coef = m.coef;
    let past = match (m.rate, m.from) {
        (Some(r), 1..) => {
            let from = b.num(m.from as f64);
            Some(b.mul(from, r)?)
        }
        _ => None,
    };
    let exponent = match (m.start, past) {
        (Some(s), Some(p)) => Some(b.add2(s, p)?),
        (s, p) => s.or(p),
    };
    if let Some(e) = exponent {
        let factor = b.map1(MapFn::Exp, e)?;
        coef = b.mul(coef, factor)?;
    }
    if let Some(base) = m.base {
        for _ in 0..m.from {
            coef = b.mul(coef, base)?;
        }
    }
    Ok(Mode {
        coef,
        start: None,
        from: 0,
        ..m.clone()
    })
}

/// `exp(r) - 1` without the loss of digits that the difference has where r is small.
fn drift(b: &mut Builder, rate: ValueId) -> Result<ValueId> {
    if b.elem(rate) != Elem::Complex {
        return Ok(b.map1(MapFn::Expm1, rate)?);
    }
    let (re, im) = (b.map1(MapFn::Re, rate)?, b.map1(MapFn::Im, rate)?);
    // exp(a) cos w - 1 = expm1(a) cos w - 2 sin(w/2)^2
    let (grown, cos) = (b.map1(MapFn::Expm1, re)?, b.map1(MapFn::Cos, im)?);
    let (half, two) = (b.num(0.5), b.num(2.0));
    let w = b.mul(half, im)?;
    let s = b.map1(MapFn::Sin, w)?;
    let s = b.mul(s, s)?;
    let (turned, left) = (b.mul(two, s)?, b.mul(grown, cos)?);
    let left = b.sub(left, turned)?;
    let (size, sin) = (b.map1(MapFn::Exp, re)?, b.map1(MapFn::Sin, im)?);
    let up = b.mul(size, sin)?;
    Ok(b.map2(MapFn::Complex, left, up)?)
}

/// One mode: the scan, with its read inside.
fn recurrence(b: &mut Builder, m: &Mode, x: ValueId, axis: Axis) -> Result<ValueId> {
    let ty = state_of(b, m, x, axis);
    let x = b.shift(x, axis, m.from as i64)?;
    let m = begun(b, m)?;
    let drift = m.rate.map(|r| drift(b, r)).transpose()?;
    let start = b.everywhere(0.0, &ty)?;
    let fixed: Vec<ValueId> = [drift, m.base, Some(m.coef)]
        .into_iter()
        .flatten()
        .collect();
    let mut own = Builder::new("mode");
    own.input("pos", InputKind::Formal, Ty::real(vec![]));
    let s = own.input("state", InputKind::Formal, ty);
    let now = own.input("x", InputKind::Formal, b.ty(x).without(axis));
    let mut given = HashMap::new();
    for v in &fixed {
        let formal = own.input("fixed", InputKind::Formal, b.ty(*v).clone());
        given.insert(*v, formal);
    }
    let moved = drift.map(|d| own.mul(given[&d], s)).transpose()?;
    let next = match (moved, m.base) {
        // The small terms first: S + ((exp(r) - 1) S + x)
        (Some(moved), None) => {
            let change = own.add2(moved, now)?;
            own.add2(s, change)?
        }
        (None, None) => own.add2(s, now)?,
        (moved, Some(base)) => {
            let own_power = moved.map_or(Ok(s), |d| own.add2(s, d))?;
            let decayed = own.mul(given[&base], own_power)?;
            own.add2(decayed, now)?
        }
    };
    let read = own.contract(&m.over, &[given[&m.coef], next])?;
    let read = if m.real {
        own.map1(MapFn::Re, read)?
    } else {
        read
    };
    own.result(crate::step::SUM, next);
    own.result("read", read);
    let outs = vec![Out::Emit(0)];
    let scan = Scan::steps(axis, 1, &[0.0], fixed.len(), own.finish(), outs);
    let args: Vec<ValueId> = [start, x].into_iter().chain(fixed).collect();
    Ok(b.scan(scan, &args)?[0])
}
