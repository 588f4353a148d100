//! Polynomials in the lag: the normal form of an exponent.

use super::modes::moved;
use super::{Found, Obstacle, moves};
use crate::words::describe;
use seqc_algebra::{Axis, Builder, MapFn, Op, ReduceOp, ValueId};

/// Coefficients of the powers of the lag, each free of it; `None`: 0.
type Coefs = Vec<Option<ValueId>>;

/// Higher powers are not followed.
const MOST_DEGREE: usize = 4;

/// `v` as `constant + slope · lag`. The obstacle is what is no polynomial, or a higher power that does not cancel.
pub fn linear(
    b: &mut Builder,
    v: ValueId,
    lag: Axis,
    of: &str,
) -> Found<(Option<ValueId>, Option<ValueId>)> {
    let mut p = polynomial(b, v, lag).map_err(|o| o.inside(of))?;
    while p.last() == Some(&None) {
        p.pop();
    }
    match p.as_slice() {
        [] => Ok((None, None)),
        [c] => Ok((*c, None)),
        [c, s] => Ok((*c, *s)),
        more => Err(Obstacle::at(
            v,
            format!(
                "{of} is a polynomial of degree {} in the lag, not linear",
                more.len() - 1
            ),
        )),
    }
}

fn polynomial(b: &mut Builder, v: ValueId, lag: Axis) -> Found<Coefs> {
    if !b.has(v, lag) {
        return Ok(vec![(b.constant(v) != Some(0.0)).then_some(v)]);
    }
    let (op, args) = (b.func().op(v).clone(), b.func().args(v).to_vec());
    match &op {
        Op::Iota(_) => Ok(vec![None, Some(b.num(1.0))]),
        Op::Map(f) => pointwise(b, v, *f, &args, lag),
        Op::Contract(over) => {
            let mut all = vec![Some(b.num(1.0))];
            for a in &args {
                let p = polynomial(b, *a, lag)?;
                all = product(b, &all, &p, v)?;
            }
            summed(b, all, over, v)
        }
        Op::Reduce(ReduceOp::Sum, over) => {
            let p = polynomial(b, args[0], lag)?;
            summed(b, p, over, v)
        }
        Op::Expand(_) => polynomial(b, args[0], lag),
        Op::Rename { from, to } if *to == lag => polynomial(b, args[0], *from),
        Op::Rename { from, to } => {
            let (from, to) = (*from, *to);
            let p = polynomial(b, args[0], lag)?;
            each(b, p, |b, c| match b.has(c, from) {
                true => Ok(b.rename(c, from, to)?),
                false => Ok(c),
            })
        }
        Op::Stack(axis) => {
            let mut all: Coefs = vec![];
            for (index, a) in args.iter().enumerate() {
                let p = polynomial(b, *a, lag)?;
                let place = Op::Place { axis: *axis, index };
                let p = each(b, p, |b, c| moved(b, c, &place, &[], &[]))?;
                all = sum(b, all, p)?;
            }
            Ok(all)
        }
        other => match moves(other, lag) {
            Some((needs, _)) if args[1..].iter().all(|a| !b.has(*a, lag)) => {
                let p = polynomial(b, args[0], lag)?;
                each(b, p, |b, c| moved(b, c, other, &args[1..], &needs))
            }
            _ => Err(no(v, other)),
        },
    }
}

fn no(v: ValueId, op: &Op) -> Obstacle {
    Obstacle::at(v, format!("{} of the lag is no polynomial", describe(op)))
}

fn pointwise(b: &mut Builder, v: ValueId, f: MapFn, args: &[ValueId], lag: Axis) -> Found<Coefs> {
    let free = |b: &Builder, n: usize| !b.has(args[n], lag);
    match f {
        MapFn::Add | MapFn::Sub => {
            let (p, q) = (polynomial(b, args[0], lag)?, polynomial(b, args[1], lag)?);
            let q = match f {
                MapFn::Sub => each(b, q, negative)?,
                _ => q,
            };
            sum(b, p, q)
        }
        MapFn::Mul => {
            let (p, q) = (polynomial(b, args[0], lag)?, polynomial(b, args[1], lag)?);
            product(b, &p, &q, v)
        }
        MapFn::Div if free(b, 1) => {
            let p = polynomial(b, args[0], lag)?;
            each(b, p, |b, c| Ok(b.div(c, args[1])?))
        }
        MapFn::Neg => {
            let p = polynomial(b, args[0], lag)?;
            each(b, p, negative)
        }
        MapFn::Re | MapFn::Im | MapFn::Conj | MapFn::Stop => {
            let p = polynomial(b, args[0], lag)?;
            each(b, p, |b, c| Ok(b.map1(f, c)?))
        }
        MapFn::Complex => {
            let (p, q) = (polynomial(b, args[0], lag)?, polynomial(b, args[1], lag)?);
            let (zero, one) = (b.num(0.0), b.num(1.0));
            let unit = b.map2(MapFn::Complex, zero, one)?;
            let q = each(b, q, |b, c| Ok(b.mul(unit, c)?))?;
            let p = each(b, p, |b, c| Ok(b.map2(MapFn::Complex, c, zero)?))?;
            sum(b, p, q)
        }
        MapFn::Pow => match b.constant(args[1]) {
            Some(n) if n.fract() == 0.0 && (1.0..=MOST_DEGREE as f64).contains(&n) => {
                let p = polynomial(b, args[0], lag)?;
                let mut all = p.clone();
                for _ in 1..n as usize {
                    all = product(b, &all, &p, v)?;
                }
                Ok(all)
            }
            _ => Err(no(v, &Op::Map(f))),
        },
        MapFn::Select if free(b, 0) => {
            let (p, q) = (polynomial(b, args[1], lag)?, polynomial(b, args[2], lag)?);
            let zero = b.num(0.0);
            let p = each(b, p, |b, c| Ok(b.select(args[0], c, zero)?))?;
            let q = each(b, q, |b, c| Ok(b.select(args[0], zero, c)?))?;
            sum(b, p, q)
        }
        _ => Err(no(v, &Op::Map(f))),
    }
}

fn each(
    b: &mut Builder,
    p: Coefs,
    mut f: impl FnMut(&mut Builder, ValueId) -> Found<ValueId>,
) -> Found<Coefs> {
    p.into_iter()
        .map(|c| c.map(|c| f(b, c)).transpose())
        .collect()
}

fn negative(b: &mut Builder, c: ValueId) -> Found<ValueId> {
    match b.constant(c) {
        Some(x) => Ok(b.num(-x)),
        None => Ok(b.neg(c)?),
    }
}

/// Whether coefficients cancel shows in what they are made of: equal values, or numbers.
fn sum(b: &mut Builder, p: Coefs, q: Coefs) -> Found<Coefs> {
    let n = p.len().max(q.len());
    let at = |p: &Coefs, k: usize| p.get(k).copied().flatten();
    let mut all = vec![];
    for k in 0..n {
        all.push(match (at(&p, k), at(&q, k)) {
            (Some(x), Some(y)) => added(b, x, y)?,
            (x, y) => x.or(y),
        });
    }
    Ok(all)
}

fn added(b: &mut Builder, x: ValueId, y: ValueId) -> Found<Option<ValueId>> {
    if let (Some(x), Some(y)) = (b.constant(x), b.constant(y)) {
        return Ok((x + y != 0.0).then(|| b.num(x + y)));
    }
    let negates = |b: &Builder, x: ValueId, y: ValueId| {
        matches!(b.func().op(y), Op::Map(MapFn::Neg)) && b.func().args(y)[0] == x
    };
    if negates(b, x, y) || negates(b, y, x) {
        return Ok(None);
    }
    Ok(Some(b.add2(x, y)?))
}

fn product(b: &mut Builder, p: &Coefs, q: &Coefs, at: ValueId) -> Found<Coefs> {
    let mut all: Coefs = vec![None; (p.len() + q.len()).saturating_sub(1)];
    if all.len() > MOST_DEGREE + 1 {
        return Err(Obstacle::at(
            at,
            format!("a polynomial in the lag of degree above {MOST_DEGREE}"),
        ));
    }
    for (i, x) in p.iter().enumerate() {
        for (j, y) in q.iter().enumerate() {
            let (Some(x), Some(y)) = (*x, *y) else {
                continue;
            };
            let xy = match (b.constant(x), b.constant(y)) {
                (Some(x), Some(y)) => b.num(x * y),
                _ => b.mul(x, y)?,
            };
            all[i + j] = match all[i + j] {
                Some(z) => added(b, z, xy)?,
                None => Some(xy),
            };
        }
    }
    Ok(all)
}

fn summed(b: &mut Builder, p: Coefs, over: &[Axis], at: ValueId) -> Found<Coefs> {
    if let Some(a) = over.iter().find(|a| !a.is_const()) {
        return Err(Obstacle::at(
            at,
            format!(
                "a sum over `{}`, whose length is not known before the run",
                crate::words::axis(*a)
            ),
        ));
    }
    each(b, p, |b, c| {
        let c = b.fill(c, over)?;
        Ok(b.contract(over, &[c])?)
    })
}
