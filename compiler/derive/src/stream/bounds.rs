//! Where values vanish: inequalities between positions, read off masks.
//!
//! One walk in the order of the program, so that a value that many use is looked at once. What is known of a value is
//! about its own axes: a sum over an axis forgets what its terms obey along it. [`condition`] is exact; of other values
//! it is also known what follows from comparisons of rounded positions.

use super::rounded::{Near, implied, near};
use seqc_algebra::{Axis, Func, MapFn, Op, ReduceOp, ValueId};
use std::collections::HashMap;

/// `Σ coefficient · position + constant <= 0`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inequality {
    pub terms: Vec<(Axis, i64)>,
    pub constant: i64,
}

impl Inequality {
    pub fn of(&self, axis: Axis) -> i64 {
        self.terms
            .iter()
            .find(|(a, _)| *a == axis)
            .map_or(0, |(_, c)| *c)
    }

    fn constant(constant: i64) -> Inequality {
        Inequality {
            terms: vec![],
            constant,
        }
    }

    fn renamed(&self, from: Axis, to: Axis) -> Inequality {
        let mut new = self.clone();
        new.terms
            .iter_mut()
            .filter(|t| t.0 == from)
            .for_each(|t| t.0 = to);
        new.terms.sort();
        new
    }
}

/// What is known of every value of a program.
pub struct Bounds {
    known: Vec<Known>,
}

#[derive(Default)]
struct Known {
    /// The affine function of positions that the value is, written as the left side of an inequality.
    affine: Option<Inequality>,
    /// What the value is up to an interval.
    near: Option<Near>,
    /// As a condition: inequalities that hold where it does.
    holds: Vec<Inequality>,
    /// Inequalities outside any of which the value is 0, and -inf.
    zero: Vec<Inequality>,
    neg_inf: Vec<Inequality>,
}

impl Bounds {
    pub fn of(func: &Func) -> Bounds {
        let mut all = Bounds { known: vec![] };
        for id in func.ids() {
            let known = Known {
                affine: all.affine_of(func, id),
                near: all.near(func, id),
                holds: all.holds(func, id),
                zero: all.zero(func, id),
                neg_inf: all.neg_inf(func, id),
            };
            all.known.push(known);
        }
        all
    }

    /// The value as an affine function of positions with integer coefficients.
    pub fn affine(&self, v: ValueId) -> Option<&Inequality> {
        self.known[v.index()].affine.as_ref()
    }

    /// Inequalities outside any of which the value is 0.
    pub fn zero_outside(&self, v: ValueId) -> &[Inequality] {
        &self.known[v.index()].zero
    }

    /// Inequalities outside any of which the value is -inf.
    pub fn neg_inf_outside(&self, v: ValueId) -> &[Inequality] {
        &self.known[v.index()].neg_inf
    }

    /// Inequalities outside any of which the product of the values is 0.
    pub fn product(&self, factors: &[ValueId]) -> Vec<Inequality> {
        self.any(factors, |k| &k.zero)
    }

    fn any(&self, of: &[ValueId], side: impl Fn(&Known) -> &Vec<Inequality>) -> Vec<Inequality> {
        let mut all: Vec<Inequality> = vec![];
        for i in of.iter().flat_map(|v| side(&self.known[v.index()])) {
            if !all.contains(i) {
                all.push(i.clone());
            }
        }
        all
    }

    fn zero(&self, func: &Func, id: ValueId) -> Vec<Inequality> {
        let args = func.args(id);
        let first = || self.zero_outside(args[0]).to_vec();
        match func.op(id) {
            Op::Map(MapFn::Select) if is_const(func, args[2], 0.0) => {
                self.chosen(args, |k| &k.zero)
            }
            Op::Map(MapFn::Mul) => self.product(args),
            Op::Contract(over) => beside(self.product(args), over),
            Op::Reduce(ReduceOp::Sum, over) => beside(first(), over),
            Op::Map(MapFn::Neg | MapFn::Div) | Op::Expand(_) => first(),
            Op::Map(MapFn::Add | MapFn::Sub) => either(first(), self.zero_outside(args[1])),
            Op::Map(MapFn::Exp) | Op::Softmax(_) => self.neg_inf_outside(args[0]).to_vec(),
            Op::Rename { from, to } => first().iter().map(|i| i.renamed(*from, *to)).collect(),
            // A comparison is 0 where it does not hold.
            Op::Map(f) if is_condition(*f) => self.holds(func, id),
            _ => vec![],
        }
    }

    fn neg_inf(&self, func: &Func, id: ValueId) -> Vec<Inequality> {
        let args = func.args(id);
        let first = || self.neg_inf_outside(args[0]).to_vec();
        match func.op(id) {
            Op::Map(MapFn::Select) if is_const(func, args[2], f64::NEG_INFINITY) => {
                self.chosen(args, |k| &k.neg_inf)
            }
            Op::Map(MapFn::Add | MapFn::Sub) | Op::Expand(_) => first(),
            Op::Rename { from, to } => first().iter().map(|i| i.renamed(*from, *to)).collect(),
            _ => vec![],
        }
    }

    /// The affine inequalities that a condition implies.
    fn holds(&self, func: &Func, id: ValueId) -> Vec<Inequality> {
        let args = func.args(id);
        let of = |n: usize| &self.known[args[n].index()];
        match func.op(id) {
            Op::Map(MapFn::And | MapFn::Mul) => self.any(args, |k| &k.holds),
            Op::Contract(over) if over.is_empty() => self.any(args, |k| &k.holds),
            Op::Map(MapFn::Select) if is_const(func, args[2], 0.0) => {
                self.any(&args[..2], |k| &k.holds)
            }
            Op::Map(MapFn::Or) => either(of(0).holds.clone(), &of(1).holds),
            Op::Expand(_) => of(0).holds.clone(),
            Op::Rename { from, to } => (of(0).holds.iter())
                .map(|i| i.renamed(*from, *to))
                .collect(),
            Op::Map(f) if is_condition(*f) => match (&of(0).near, &of(1).near) {
                (Some(a), Some(b)) => implied(*f, a, b),
                _ => vec![],
            },
            _ => vec![],
        }
    }

    /// Of a value that is another where its condition fails: what the condition implies, and what the value obeys.
    fn chosen(
        &self,
        args: &[ValueId],
        side: impl Fn(&Known) -> &Vec<Inequality>,
    ) -> Vec<Inequality> {
        let mut all = self.known[args[0].index()].holds.clone();
        let own = side(&self.known[args[1].index()]).iter();
        for i in own {
            if !all.contains(i) {
                all.push(i.clone());
            }
        }
        all
    }

    /// A value as an affine function of positions with integer coefficients.
    fn affine_of(&self, func: &Func, id: ValueId) -> Option<Inequality> {
        let args = func.args(id);
        let of = |n: usize| self.known[args[n].index()].affine.as_ref();
        affine_of(func, id, of)
    }

    fn near(&self, func: &Func, id: ValueId) -> Option<Near> {
        let args = func.args(id);
        near(func, id, |n| self.known[args[n].index()].near.as_ref())
    }
}

fn is_condition(f: MapFn) -> bool {
    use MapFn::{And, Eq, Ge, Gt, Le, Lt, Or};
    matches!(f, And | Or | Le | Lt | Ge | Gt | Eq)
}

/// What holds if one of two lists does: of equal sides the weaker.
pub(super) fn either(all: Vec<Inequality>, other: &[Inequality]) -> Vec<Inequality> {
    let both = all.into_iter().filter_map(|mut i| {
        let o = other.iter().find(|o| o.terms == i.terms)?;
        i.constant = i.constant.min(o.constant);
        Some(i)
    });
    both.collect()
}

/// Those that do not speak of the axes.
fn beside(mut all: Vec<Inequality>, over: &[Axis]) -> Vec<Inequality> {
    all.retain(|i| i.terms.iter().all(|(a, _)| !over.contains(a)));
    all
}

fn is_const(func: &Func, v: ValueId, x: f64) -> bool {
    matches!(func.op(v), Op::Const(n) if n.0 == x)
}

/// A comparison of positions as the inequality that it is.
pub fn condition(func: &Func, v: ValueId) -> Option<Inequality> {
    let Op::Map(f) = func.op(v) else { return None };
    let args = func.args(v);
    let mut known = HashMap::new();
    let mut side = |n: usize| affine_in(func, *args.get(n)?, &mut known);
    let (a, b) = (side(0)?, side(1)?);
    comparison(*f, &a, &b)
}

fn affine_in(
    func: &Func,
    v: ValueId,
    known: &mut HashMap<ValueId, Option<Inequality>>,
) -> Option<Inequality> {
    if let Some(done) = known.get(&v) {
        return done.clone();
    }
    let args = func.args(v);
    let of_args: Vec<Option<Inequality>> = match func.op(v) {
        Op::Map(MapFn::Add | MapFn::Sub | MapFn::Neg) | Op::Expand(_) | Op::Rename { .. } => {
            args.iter().map(|a| affine_in(func, *a, known)).collect()
        }
        _ => vec![],
    };
    let made = affine_of(func, v, |n| of_args.get(n)?.as_ref());
    known.insert(v, made.clone());
    made
}

fn comparison(f: MapFn, a: &Inequality, b: &Inequality) -> Option<Inequality> {
    let (small, large) = match f {
        MapFn::Le | MapFn::Lt => (a, b),
        MapFn::Ge | MapFn::Gt => (b, a),
        _ => return None,
    };
    let strict = matches!(f, MapFn::Lt | MapFn::Gt);
    let d = combine(small, large, -1)?;
    Some(Inequality {
        constant: d.constant.checked_add(i64::from(strict))?,
        terms: d.terms,
    })
}

/// A value as an affine function of positions, from its arguments as such.
fn affine_of<'a>(
    func: &Func,
    v: ValueId,
    of: impl Fn(usize) -> Option<&'a Inequality>,
) -> Option<Inequality> {
    match func.op(v) {
        Op::Iota(a) => Some(Inequality {
            terms: vec![(*a, 1)],
            constant: 0,
        }),
        Op::Const(n) if n.0.fract() == 0.0 && n.0.abs() < 1e15 => {
            Some(Inequality::constant(n.0 as i64))
        }
        Op::Map(MapFn::Add) => combine(of(0)?, of(1)?, 1),
        Op::Map(MapFn::Sub) => combine(of(0)?, of(1)?, -1),
        Op::Map(MapFn::Neg) => combine(&Inequality::constant(0), of(0)?, -1),
        Op::Expand(_) => of(0).cloned(),
        Op::Rename { from, to } => Some(of(0)?.renamed(*from, *to)),
        _ => None,
    }
}

/// `a ± b`, where its coefficients are numbers that are counted with.
fn combine(a: &Inequality, b: &Inequality, sign: i64) -> Option<Inequality> {
    let plus = |x: i64, y: i64| x.checked_add(sign.checked_mul(y)?);
    let mut out = a.clone();
    out.constant = plus(out.constant, b.constant)?;
    for (axis, c) in &b.terms {
        match out.terms.iter_mut().find(|(x, _)| x == axis) {
            Some(t) => t.1 = plus(t.1, *c)?,
            None => out.terms.push((*axis, plus(0, *c)?)),
        }
    }
    out.terms.retain(|(_, c)| *c != 0);
    out.terms.sort();
    Some(out)
}
