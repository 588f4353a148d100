//! What a condition says of time indices: read off the value that computes it.
//!
//! A condition is a value that holds where it is not 0. What counts here are comparisons of sums of indices with any
//! factors, of their blocks and distances, joined by `and`, `or` and `not`; all else may hold anywhere.

use crate::reach::Bound;
use seqc_algebra::{Axis, Func, MapFn, Num, Op, Sym, ValueId};
use std::cell::Cell;
use std::collections::BTreeMap;

/// Operations that are looked at; a condition made of more may hold anywhere.
const MOST: u32 = 4096;

/// A condition, as far as it is known.
#[derive(Clone, Debug)]
pub enum Condition {
    Known(bool),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    /// The sum is at most 0.
    AtMost(Linear),
    /// Holds or not, for reasons of its own.
    Open,
}

/// A sum of positions with factors, plus a number between `low` and `high`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Linear {
    terms: BTreeMap<Axis, f64>,
    low: f64,
    high: f64,
    whole: bool,
}

/// What follows where a condition holds.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub bounds: Vec<Bound>,
    /// The greatest position along an axis, with the axis's clock, in steps of that.
    pub most: BTreeMap<Sym, (Sym, i64)>,
    /// The least position along an axis.
    pub least: BTreeMap<Sym, i64>,
}

/// Indices are counted from 0; one of them may be known to start later.
pub type From = Option<(Axis, f64)>;

impl Linear {
    fn number(x: f64) -> Linear {
        Linear {
            terms: BTreeMap::new(),
            low: x,
            high: x,
            whole: x.fract() == 0.0,
        }
    }

    fn position(axis: Axis) -> Linear {
        Linear {
            terms: BTreeMap::from([(axis, 1.0)]),
            whole: true,
            ..Linear::default()
        }
    }

    fn times(&self, c: f64) -> Linear {
        let (a, b) = (self.low * c, self.high * c);
        Linear {
            terms: self.terms.iter().map(|(k, x)| (*k, x * c)).collect(),
            low: a.min(b),
            high: a.max(b),
            whole: self.whole && c.fract() == 0.0,
        }
    }

    fn plus(&self, other: &Linear) -> Linear {
        let mut out = self.clone();
        for (k, x) in &other.terms {
            *out.terms.entry(*k).or_insert(0.0) += x;
        }
        out.terms.retain(|_, x| *x != 0.0);
        out.low += other.low;
        out.high += other.high;
        out.whole &= other.whole;
        out
    }

    /// The least and the greatest value.
    fn range(&self, from: From) -> (f64, f64) {
        let (mut low, mut high) = (self.low, self.high);
        for (axis, c) in &self.terms {
            let first = from.filter(|(a, _)| a == axis).map_or(0.0, |(_, x)| x);
            let last = axis
                .size
                .constant()
                .map_or(f64::INFINITY, |n| n as f64 - 1.0);
            let (a, b) = (c * first, c * last);
            low += a.min(b);
            high += a.max(b);
        }
        (low, high)
    }

    /// Is this at most 0 wherever `other` is?
    fn follows_from(&self, other: &Linear) -> bool {
        let rest = other.plus(&self.times(-1.0));
        rest.range(None).0 >= 0.0
    }
}

/// Reads values of a program, so many and no more.
struct Reader<'f> {
    func: &'f Func,
    left: Cell<u32>,
}

impl Condition {
    /// What the value says where it is not 0.
    pub fn of(func: &Func, v: ValueId) -> Condition {
        let left = Cell::new(MOST);
        Reader { func, left }.condition(v, true)
    }
}

impl Reader<'_> {
    /// The operation and arguments of a value, unless enough was read.
    fn read(&self, v: ValueId) -> Option<(&Op, &[ValueId])> {
        self.left.set(self.left.get().checked_sub(1)?);
        Some((self.func.op(v), self.func.args(v)))
    }

    fn number(&self, v: ValueId) -> Option<f64> {
        match self.func.op(v) {
            Op::Const(Num(x)) => Some(*x),
            _ => None,
        }
    }

    /// What the value says where it is not 0, or (`holds` is false) where it is.
    fn condition(&self, v: ValueId, holds: bool) -> Condition {
        let Some((op, args)) = self.read(v) else {
            return Condition::Open;
        };
        let join = |all: bool, parts: Vec<Condition>| match all {
            true => Condition::All(parts),
            false => Condition::Any(parts),
        };
        match (op, args) {
            (Op::Const(Num(x)), _) => Condition::Known((*x != 0.0) == holds),
            (Op::Expand(_), [a]) => self.condition(*a, holds),
            (Op::Map(MapFn::Not), [a]) => self.condition(*a, !holds),
            (Op::Map(f @ (MapFn::And | MapFn::Mul | MapFn::Or)), _) => {
                let parts = args.iter().map(|a| self.condition(*a, holds));
                join((*f == MapFn::Or) != holds, parts.collect())
            }
            (Op::Map(f), [a, b]) => self.compared(*f, [*a, *b], holds),
            _ => Condition::Open,
        }
    }

    fn compared(&self, f: MapFn, [a, b]: [ValueId; 2], holds: bool) -> Condition {
        let below = |x, y, strict| self.at_most((1.0, x), (1.0, y), strict);
        match (f, holds) {
            (MapFn::Le, true) | (MapFn::Gt, false) => below(a, b, false),
            (MapFn::Lt, true) | (MapFn::Ge, false) => below(a, b, true),
            (MapFn::Ge, true) | (MapFn::Lt, false) => below(b, a, false),
            (MapFn::Gt, true) | (MapFn::Le, false) => below(b, a, true),
            (MapFn::Eq, true) | (MapFn::Ne, false) => {
                Condition::All(vec![below(a, b, false), below(b, a, false)])
            }
            (MapFn::Ne, true) | (MapFn::Eq, false) => {
                Condition::Any(vec![below(a, b, true), below(b, a, true)])
            }
            _ => Condition::Open,
        }
    }

    /// `x * a <= y * b`, or less.
    fn at_most(&self, (x, a): (f64, ValueId), (y, b): (f64, ValueId), strict: bool) -> Condition {
        for (c, v, left) in [(x, a, true), (y, b, false)] {
            let (f, args) = match self.read(v) {
                Some((Op::Map(f), args)) => (*f, args),
                Some(_) => continue,
                None => return Condition::Open,
            };
            // A distance and the greater of two are at most something if both of what they are of is.
            let (parts, greatest) = match f {
                MapFn::Neg => (vec![(-c, args[0])], true),
                MapFn::Abs => (vec![(c, args[0]), (-c, args[0])], c > 0.0),
                MapFn::Max => (vec![(c, args[0]), (c, args[1])], c > 0.0),
                MapFn::Min => (vec![(c, args[0]), (c, args[1])], c < 0.0),
                _ => continue,
            };
            let of = |part| match left {
                true => self.at_most(part, (y, b), strict),
                false => self.at_most((x, a), part, strict),
            };
            let parts = parts.into_iter().map(of).collect();
            return match left == greatest {
                true => Condition::All(parts),
                false => Condition::Any(parts),
            };
        }
        let (Some(a), Some(b)) = (self.linear(a), self.linear(b)) else {
            return Condition::Open;
        };
        let mut sum = a.times(x).plus(&b.times(-y));
        // Whole numbers: less is at most one less.
        if strict && sum.whole {
            sum.low += 1.0;
            sum.high += 1.0;
        }
        Condition::AtMost(sum)
    }

    /// The value as a sum of positions.
    fn linear(&self, v: ValueId) -> Option<Linear> {
        let (op, args) = self.read(v)?;
        let number = |v: ValueId| self.number(v);
        let of = |k: usize| self.linear(args[k]);
        Some(match op {
            Op::Const(Num(x)) if x.is_finite() => Linear::number(*x),
            Op::Iota(axis) => Linear::position(*axis),
            Op::Expand(_) => of(0)?,
            Op::Map(MapFn::Neg) => of(0)?.times(-1.0),
            Op::Map(MapFn::Add) => of(0)?.plus(&of(1)?),
            Op::Map(MapFn::Sub) => of(0)?.plus(&of(1)?.times(-1.0)),
            Op::Map(MapFn::Mul) => match (number(args[0]), number(args[1])) {
                (Some(c), _) => of(1)?.times(c),
                (_, Some(c)) => of(0)?.times(c),
                _ => return None,
            },
            Op::Map(MapFn::Div) => {
                let mut out = of(0)?.times(1.0 / number(args[1]).filter(|c| *c != 0.0)?);
                out.whole = self.is_block(args[0], args[1]);
                out
            }
            // What is left of whole numbers lies below the divisor.
            Op::Map(MapFn::Rem) => {
                let (c, inner) = (number(args[1]).filter(|c| *c > 0.0)?, of(0)?);
                let whole = inner.whole && c.fract() == 0.0;
                Linear {
                    terms: BTreeMap::new(),
                    low: 0.0,
                    high: if whole { c - 1.0 } else { c },
                    whole,
                }
            }
            Op::Map(MapFn::Floor) => {
                let mut out = of(0)?;
                out.low -= if out.whole { 0.0 } else { 1.0 };
                out.whole = true;
                out
            }
            _ => return None,
        })
    }

    /// `(i - i % b) / b` is whole.
    fn is_block(&self, whole: ValueId, size: ValueId) -> bool {
        let of = |v: ValueId| (self.func.op(v), self.func.args(v));
        matches!(of(whole), (Op::Map(MapFn::Sub), [i, rest])
        if matches!(of(*rest), (Op::Map(MapFn::Rem), [k, b]) if k == i && *b == size))
    }
}

impl Condition {
    /// Does it hold everywhere, or nowhere?
    pub fn truth(&self, from: From) -> Option<bool> {
        let all = |parts: &[Condition], neutral: bool| {
            let known: Vec<_> = parts.iter().map(|c| c.truth(from)).collect();
            let decided = known.contains(&Some(!neutral)).then_some(!neutral);
            let same = known.iter().all(|k| *k == Some(neutral));
            decided.or(same.then_some(neutral))
        };
        match self {
            Condition::Known(b) => Some(*b),
            Condition::All(parts) => all(parts, true),
            Condition::Any(parts) => all(parts, false),
            Condition::AtMost(sum) => match sum.range(from) {
                (_, high) if high <= 0.0 => Some(true),
                (low, _) if low > 0.0 => Some(false),
                _ => None,
            },
            Condition::Open => None,
        }
    }

    /// What follows from it; `None` if it never holds.
    pub fn facts(&self) -> Option<Facts> {
        match self {
            Condition::Known(true) | Condition::Open => Some(Facts::default()),
            Condition::Known(false) => None,
            Condition::All(_) => {
                let (mut out, mut parts) = (Facts::default(), Vec::new());
                self.parts(&mut parts);
                let sums: Vec<&Linear> = parts.iter().filter_map(|p| p.sum()).collect();
                for p in &parts {
                    out.and(match p {
                        // What the others rule out is no case.
                        Condition::Any(cases) => {
                            let left = cases.iter().filter(|c| !c.ruled_out(&sums));
                            left.filter_map(Condition::facts).reduce(Facts::or)?
                        }
                        _ => p.facts()?,
                    });
                }
                Some(out)
            }
            Condition::Any(parts) => parts.iter().filter_map(Condition::facts).reduce(Facts::or),
            Condition::AtMost(sum) if sum.range(None).0 > 0.0 => None,
            Condition::AtMost(sum) => Some(sum.facts()),
        }
    }

    /// The conditions that are joined by `and`.
    fn parts<'c>(&'c self, out: &mut Vec<&'c Condition>) {
        match self {
            Condition::All(parts) => parts.iter().for_each(|p| p.parts(out)),
            one => out.push(one),
        }
    }

    fn sum(&self) -> Option<&Linear> {
        match self {
            Condition::AtMost(sum) => Some(sum),
            _ => None,
        }
    }

    /// Can it not hold where these sums are at most 0?
    fn ruled_out(&self, sums: &[&Linear]) -> bool {
        let mut parts = Vec::new();
        self.parts(&mut parts);
        let own = parts.iter().filter_map(|p| p.sum());
        let mut pairs = own.flat_map(|a| sums.iter().map(move |b| a.plus(b)));
        pairs.any(|both| both.range(None).0 > 0.0)
    }

    /// Does it hold wherever `other` does, as far as their sums show?
    pub fn follows_from(&self, other: &Condition) -> bool {
        match (self, other) {
            (Condition::All(parts), _) => parts.iter().all(|c| c.follows_from(other)),
            (_, Condition::All(parts)) => parts.iter().any(|c| self.follows_from(c)),
            (_, Condition::Any(parts)) => parts.iter().all(|c| self.follows_from(c)),
            (Condition::Any(parts), _) => parts.iter().any(|c| c.follows_from(other)),
            (Condition::AtMost(a), Condition::AtMost(b)) => a.follows_from(b),
            _ => false,
        }
    }
}

impl Linear {
    /// Bounds are counted in steps of the finest clock, on which all of an axis's clocks agree.
    fn facts(&self) -> Facts {
        let steps = |a: &Axis| a.size.ratio().1 as f64;
        let (mut rest, mut above, mut below) = (self.low, Vec::new(), Vec::new());
        for (axis, c) in &self.terms {
            match axis.size.constant() {
                Some(n) if *c < 0.0 => rest += c * (n as f64 - 1.0),
                Some(_) => {}
                None if *c > 0.0 => above.push((*axis, c / steps(axis))),
                None => below.push((*axis, -c / steps(axis))),
            }
        }
        let mut out = Facts::default();
        if let ([], [(axis, c)]) = (above.as_slice(), below.as_slice()) {
            let least = (rest / c / steps(axis)).ceil() as i64;
            out.least.insert(axis.name, least.max(0));
        }
        for (small, a) in &above {
            let Some(clock) = small.size.length() else {
                continue;
            };
            let (big, b) = match below.as_slice() {
                [] => {
                    let most = (-rest / a).floor() as i64;
                    out.most.insert(small.name, (clock, most));
                    continue;
                }
                [(big, b)] if big.size.length() == Some(clock) && *b <= a * (1.0 + 1e-12) => {
                    (big, b)
                }
                _ => continue,
            };
            let by = if rest <= 0.0 {
                (-rest / a).floor()
            } else {
                -(rest / b).ceil()
            };
            let n = steps(small);
            let ticks = n == steps(big);
            out.bounds.push(Bound {
                small: small.name,
                big: big.name,
                by: if ticks { (by / n).floor() * n } else { by } as i64,
            });
        }
        out
    }
}

impl Facts {
    /// The bounds, those by a position as seen from the first step of its clock.
    pub fn all_bounds(self) -> Vec<Bound> {
        let mut out = self.bounds;
        for (small, (big, by)) in self.most {
            out.push(Bound { small, big, by });
        }
        out
    }

    /// Both hold.
    pub fn and(&mut self, other: Facts) {
        self.bounds.extend(other.bounds);
        for (axis, most) in other.most {
            let mine = self.most.entry(axis).or_insert(most);
            mine.1 = mine.1.min(most.1);
        }
        for (axis, least) in other.least {
            let mine = self.least.entry(axis).or_insert(least);
            *mine = (*mine).max(least);
        }
    }

    /// One of them holds: what follows from either.
    fn or(self, other: Facts) -> Facts {
        let mut out = Facts::default();
        for (one, two) in [(&self, &other), (&other, &self)] {
            for a in &one.bounds {
                let same = |b: &&Bound| b.small == a.small && b.big == a.big;
                let by = two.bounds.iter().filter(same).map(|b| b.by).min();
                // Nothing beyond a position is nothing as far beyond any other.
                let most = two.most.get(&a.small).map(|m| m.1);
                if let Some(by) = by.or(most) {
                    let by = by.max(a.by);
                    out.bounds.push(Bound { by, ..a.clone() });
                }
            }
        }
        for (axis, most) in &self.most {
            if let Some(m) = other.most.get(axis) {
                out.most.insert(*axis, (m.0, m.1.max(most.1)));
            }
        }
        for (axis, least) in &self.least {
            if let Some(l) = other.least.get(axis) {
                out.least.insert(*axis, *l.min(least));
            }
        }
        out
    }
}
