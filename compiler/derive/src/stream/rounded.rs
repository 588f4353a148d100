//! What comparisons of positions imply, blocks and multiples among them: a value is known up to an interval.

use super::Inequality;
use seqc_algebra::{Axis, Func, MapFn, Op, ValueId};

/// A whole number times the value is the sum of `terms` and something in `lo ..= hi`.
#[derive(Clone, Debug)]
pub(super) struct Near {
    times: i64,
    terms: Vec<(Axis, i64)>,
    lo: i64,
    hi: i64,
}

/// Factors beyond this are no steps of a sequence.
const MOST: i64 = 1 << 20;
/// Beyond this, numbers are not counted with.
const LAST: u64 = 1 << 52;

fn counted(n: Option<i64>) -> Option<i64> {
    n.filter(|n| n.unsigned_abs() < LAST)
}

/// The inequalities that hold where a comparison of two values does.
pub(super) fn implied(f: MapFn, a: &Near, b: &Near) -> Vec<Inequality> {
    use MapFn::{Eq, Ge, Gt, Le, Lt};
    let strict = i64::from(matches!(f, Lt | Gt));
    let up = || at_most(a, b, strict);
    let down = || at_most(b, a, strict);
    let all = match f {
        Le | Lt => vec![up()],
        Ge | Gt => vec![down()],
        Eq => vec![up(), down()],
        _ => vec![],
    };
    all.into_iter().flatten().collect()
}

/// `small + strict <= large`, as far as it says something of positions.
fn at_most(small: &Near, large: &Near, strict: i64) -> Option<Inequality> {
    let d = plus(small, &scaled(large, -1)?)?;
    let divisor = d.terms.iter().fold(0, |g, (_, c)| gcd(g, c.abs()));
    let constant = d.lo + strict;
    (divisor > 0).then(|| Inequality {
        terms: d.terms.iter().map(|(a, c)| (*a, c / divisor)).collect(),
        // The terms are whole: what is left rounds up.
        constant: constant.div_euclid(divisor) + i64::from(constant.rem_euclid(divisor) > 0),
    })
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A value, from what its arguments are.
pub(super) fn near<'a>(
    func: &Func,
    v: ValueId,
    of: impl Fn(usize) -> Option<&'a Near>,
) -> Option<Near> {
    let args = func.args(v);
    let whole = |v: ValueId| match func.op(v) {
        Op::Const(n) if n.0.fract() == 0.0 && n.0.abs() < MOST as f64 => Some(n.0 as i64),
        _ => None,
    };
    match func.op(v) {
        Op::Iota(a) => Some(exactly(vec![(*a, 1)], 0)),
        Op::Const(_) => Some(exactly(vec![], whole(v)?)),
        Op::Expand(_) => of(0).cloned(),
        Op::Rename { from, to } => {
            let mut n = of(0)?.clone();
            let own = n.terms.iter_mut().filter(|t| t.0 == *from);
            own.for_each(|t| t.0 = *to);
            n.terms.sort();
            Some(n)
        }
        Op::Map(MapFn::Add) => plus(of(0)?, of(1)?),
        Op::Map(MapFn::Sub) => plus(of(0)?, &scaled(of(1)?, -1)?),
        Op::Map(MapFn::Neg) => scaled(of(0)?, -1),
        Op::Map(MapFn::Mul) => {
            let k = args.iter().position(|a| whole(*a).is_some())?;
            scaled(of(1 - k)?, whole(args[k])?)
        }
        Op::Map(MapFn::Div) => {
            let by = whole(args[1]).filter(|n| *n > 0)?;
            let mut n = of(0)?.clone();
            n.times = n.times.checked_mul(by).filter(|t| *t < MOST)?;
            Some(n)
        }
        Op::Map(MapFn::Floor) => {
            let mut n = of(0)?.clone();
            n.lo = counted(n.lo.checked_sub(n.times - 1))?;
            Some(n)
        }
        // What is left of a division by a whole number.
        Op::Map(MapFn::Rem) => {
            let by = whole(args[1]).filter(|n| *n > 0)?;
            let n = of(0)?;
            (n.times == 1).then(|| Near {
                hi: by - 1,
                ..exactly(vec![], 0)
            })
        }
        _ => None,
    }
}

fn exactly(terms: Vec<(Axis, i64)>, n: i64) -> Near {
    Near {
        times: 1,
        terms,
        lo: n,
        hi: n,
    }
}

fn scaled(n: &Near, by: i64) -> Option<Near> {
    let by = |n: i64| counted(n.checked_mul(by));
    let ends = (by(n.lo)?, by(n.hi)?);
    let terms = n.terms.iter().map(|(a, c)| Some((*a, by(*c)?)));
    Some(Near {
        times: n.times,
        terms: terms.collect::<Option<_>>()?,
        lo: ends.0.min(ends.1),
        hi: ends.0.max(ends.1),
    })
}

fn plus(a: &Near, b: &Near) -> Option<Near> {
    let times = (a.times / gcd(a.times, b.times)).checked_mul(b.times);
    let times = times.filter(|t| *t < MOST)?;
    let (a, b) = (scaled(a, times / a.times)?, scaled(b, times / b.times)?);
    let mut terms = a.terms;
    for (axis, c) in b.terms {
        match terms.iter_mut().find(|(x, _)| *x == axis) {
            Some(t) => t.1 = counted(t.1.checked_add(c))?,
            None => terms.push((axis, c)),
        }
    }
    terms.retain(|(_, c)| *c != 0);
    terms.sort();
    Some(Near {
        times,
        terms,
        lo: counted(a.lo.checked_add(b.lo))?,
        hi: counted(a.hi.checked_add(b.hi))?,
    })
}
