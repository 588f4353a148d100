//! What all rules build with: products reduced to a type, fitting, zeros, guards.
//!
//! Convention for complex numbers: the cotangent of z under a real loss L is `dL/dRe z + i dL/dIm z`, so that a
//! transposed linear map multiplies by conjugates, and `Re(conj(g) dz)` is the change of the loss.

use super::Result;
use super::bounds::may_overflow;
use seqc_algebra::{Axis, Builder, Elem, MapFn, Num, Op, Ty, ValueId, shape};

/// `v` as a value of type `ty`: axes it lacks are made by copying, axes too many are summed, a real becomes a
/// complex number and the other way round (its real part).
pub fn fit(b: &mut Builder, v: ValueId, ty: &Ty) -> Result<ValueId> {
    let extra: Vec<Axis> = b.axes(v).iter().copied().filter(|a| !ty.has(*a)).collect();
    let mut v = b.sum(&extra, v)?;
    if b.elem(v) == Elem::Complex && ty.elem != Elem::Complex {
        v = b.map1(MapFn::Re, v)?;
    }
    Ok(b.fill_as(v, ty)?)
}

/// `Σ Π factors` over the axes that `ty` lacks, fitted to `ty`. Copies along axes that another factor or the
/// result has anyway are looked through.
pub fn product(b: &mut Builder, factors: &[ValueId], ty: &Ty) -> Result<ValueId> {
    let mut factors = factors.to_vec();
    for k in 0..factors.len() {
        let Op::Expand(new) = b.func().op(factors[k]).clone() else {
            continue;
        };
        let covered = |a: &Axis| {
            ty.has(*a)
                || factors
                    .iter()
                    .enumerate()
                    .any(|(j, f)| j != k && b.has(*f, *a))
        };
        if new.iter().all(covered) {
            factors[k] = b.func().args(factors[k])[0];
        }
    }
    let all = shape::union(factors.iter().map(|f| b.ty(*f)))?;
    let over: Vec<Axis> = all.into_iter().filter(|a| !ty.has(*a)).collect();
    let v = b.contract(&over, &factors)?;
    fit(b, v, ty)
}

/// What `g` and the factors beside an operand contribute to it. Where `g` is masked, a factor may be infinite (a
/// decay backwards in time, outside of a causal domain): then the product is masked, not a factor of it.
pub fn contribution(b: &mut Builder, g: ValueId, beside: &[ValueId], ty: &Ty) -> Result<ValueId> {
    let infinite = |b: &Builder| beside.iter().any(|v| may_overflow(b.func(), *v));
    match masked(b, g).filter(|_| infinite(b)) {
        None => product(b, &[&[g], beside].concat(), ty),
        Some((mask, inner)) => {
            let all = b.contract(&[], &[&[inner], beside].concat())?;
            let zero = b.num(0.0);
            let v = b.select(mask, all, zero)?;
            fit(b, v, ty)
        }
    }
}

/// The same of a pointwise product. Without a mask in sight, what is 0 stays 0 beside a factor that may be infinite: no entry
/// that is read may have wanted it (`1 / n[j]` where a domain leaves out every j with n[j] = 0).
pub fn contribution_at_each(
    b: &mut Builder,
    g: ValueId,
    beside: ValueId,
    ty: &Ty,
) -> Result<ValueId> {
    if masked(b, g).is_some() || !may_overflow(b.func(), beside) {
        return contribution(b, g, &[beside], ty);
    }
    let all = b.contract(&[], &[g, beside])?;
    let all = guarded(b, g, all)?;
    fit(b, all, ty)
}

/// `select(mask, inner, 0)`
fn masked(b: &Builder, g: ValueId) -> Option<(ValueId, ValueId)> {
    let args = b.func().args(g);
    let zero = |v: ValueId| matches!(b.func().op(v), Op::Const(Num(x)) if *x == 0.0);
    match b.func().op(g) {
        Op::Map(MapFn::Select) if zero(args[2]) => Some((args[0], args[1])),
        _ => None,
    }
}

/// The conjugate; nothing for real values.
pub fn conj(b: &mut Builder, v: ValueId) -> Result<ValueId> {
    if b.elem(v) != Elem::Complex {
        return Ok(v);
    }
    Ok(b.map1(MapFn::Conj, v)?)
}

pub fn zeros(b: &mut Builder, ty: &Ty) -> Result<ValueId> {
    Ok(b.everywhere(0.0, ty)?)
}

/// The sum of contributions; `None` of none.
pub fn total(b: &mut Builder, list: &[ValueId]) -> Result<Option<ValueId>> {
    let mut list = list.iter();
    let Some(first) = list.next() else {
        return Ok(None);
    };
    let mut sum = *first;
    for v in list {
        sum = b.add2(sum, *v)?;
    }
    Ok(Some(sum))
}

/// `expr`, but 0 where `g` is 0: a derivative that is singular in an arm not taken contributes nothing.
/// Complex values are left as they are (there is no comparison that would keep both parts apart).
pub fn guarded(b: &mut Builder, g: ValueId, expr: ValueId) -> Result<ValueId> {
    if b.elem(g) == Elem::Complex || b.elem(expr) == Elem::Complex {
        return Ok(expr);
    }
    let zero = b.num(0.0);
    let on = b.map2(MapFn::Ne, g, zero)?;
    Ok(b.select(on, expr, zero)?)
}

pub fn scaled(b: &mut Builder, v: ValueId, by: f64) -> Result<ValueId> {
    if by == -1.0 {
        return Ok(b.neg(v)?);
    }
    let c = b.num(by);
    Ok(b.mul(c, v)?)
}
