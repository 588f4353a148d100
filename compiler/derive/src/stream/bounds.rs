//! Where a pair value vanishes: inequalities between its two positions, read off masks.

use seqc_algebra::{Axis, Func, MapFn, Op, ReduceOp, ValueId};

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
}

/// Inequalities outside any of which the value is 0.
pub fn zero_outside(func: &Func, v: ValueId) -> Vec<Inequality> {
    let args = func.args(v);
    match func.op(v) {
        Op::Map(MapFn::Select) if is_const(func, args[2], 0.0) => {
            let mut all = holds(func, args[0]);
            all.extend(zero_outside(func, args[1]));
            all
        }
        Op::Map(MapFn::Mul) | Op::Contract(_) => {
            args.iter().flat_map(|a| zero_outside(func, *a)).collect()
        }
        Op::Map(MapFn::Neg) | Op::Expand(_) | Op::Reduce(ReduceOp::Sum, _) => {
            zero_outside(func, args[0])
        }
        Op::Map(MapFn::Div) => zero_outside(func, args[0]),
        Op::Map(MapFn::Add | MapFn::Sub) => {
            let other = zero_outside(func, args[1]);
            zero_outside(func, args[0])
                .into_iter()
                .filter(|i| other.contains(i))
                .collect()
        }
        Op::Map(MapFn::Exp) => neg_inf_outside(func, args[0]),
        // A comparison is 0 where it does not hold.
        Op::Map(MapFn::And | MapFn::Le | MapFn::Lt | MapFn::Ge | MapFn::Gt) => holds(func, v),
        _ => vec![],
    }
}

/// Inequalities outside any of which the value is -inf.
pub fn neg_inf_outside(func: &Func, v: ValueId) -> Vec<Inequality> {
    let args = func.args(v);
    match func.op(v) {
        Op::Map(MapFn::Select) if is_const(func, args[2], f64::NEG_INFINITY) => {
            let mut all = holds(func, args[0]);
            all.extend(neg_inf_outside(func, args[1]));
            all
        }
        Op::Map(MapFn::Add | MapFn::Sub) | Op::Expand(_) => neg_inf_outside(func, args[0]),
        _ => vec![],
    }
}

fn is_const(func: &Func, v: ValueId, x: f64) -> bool {
    matches!(func.op(v), Op::Const(n) if n.0 == x)
}

/// The affine inequalities that a condition implies.
fn holds(func: &Func, v: ValueId) -> Vec<Inequality> {
    let args = func.args(v);
    match func.op(v) {
        Op::Map(MapFn::And | MapFn::Mul) => args.iter().flat_map(|a| holds(func, *a)).collect(),
        Op::Contract(axes) if axes.is_empty() => {
            args.iter().flat_map(|a| holds(func, *a)).collect()
        }
        Op::Map(MapFn::Select) if is_const(func, args[2], 0.0) => {
            args[..2].iter().flat_map(|a| holds(func, *a)).collect()
        }
        _ => condition(func, v).into_iter().collect(),
    }
}

/// A comparison of positions as the inequality that it is.
pub fn condition(func: &Func, v: ValueId) -> Option<Inequality> {
    let args = func.args(v);
    let Op::Map(f @ (MapFn::Le | MapFn::Lt | MapFn::Ge | MapFn::Gt)) = func.op(v) else {
        return None;
    };
    let (small, large) = match f {
        MapFn::Le | MapFn::Lt => (args[0], args[1]),
        _ => (args[1], args[0]),
    };
    let strict = matches!(f, MapFn::Lt | MapFn::Gt);
    let d = combine(&affine(func, small)?, &affine(func, large)?, -1);
    Some(Inequality {
        terms: d.terms,
        constant: d.constant + i64::from(strict),
    })
}

/// A value as an affine function of positions with integer coefficients.
fn affine(func: &Func, v: ValueId) -> Option<Inequality> {
    let args = func.args(v);
    match func.op(v) {
        Op::Iota(a) => Some(Inequality {
            terms: vec![(*a, 1)],
            constant: 0,
        }),
        Op::Const(n) if n.0.fract() == 0.0 && n.0.abs() < 1e15 => Some(Inequality {
            terms: vec![],
            constant: n.0 as i64,
        }),
        Op::Map(MapFn::Add) => Some(combine(&affine(func, args[0])?, &affine(func, args[1])?, 1)),
        Op::Map(MapFn::Sub) => Some(combine(
            &affine(func, args[0])?,
            &affine(func, args[1])?,
            -1,
        )),
        Op::Map(MapFn::Neg) => {
            let zero = Inequality {
                terms: vec![],
                constant: 0,
            };
            Some(combine(&zero, &affine(func, args[0])?, -1))
        }
        Op::Expand(_) => affine(func, args[0]),
        Op::Rename { from, to } => {
            let mut a = affine(func, args[0])?;
            for t in &mut a.terms {
                if t.0 == *from {
                    t.0 = *to;
                }
            }
            Some(a)
        }
        _ => None,
    }
}

fn combine(a: &Inequality, b: &Inequality, sign: i64) -> Inequality {
    let mut out = a.clone();
    out.constant += sign * b.constant;
    for (axis, c) in &b.terms {
        match out.terms.iter_mut().find(|(x, _)| x == axis) {
            Some(t) => t.1 += sign * c,
            None => out.terms.push((*axis, sign * c)),
        }
    }
    out.terms.retain(|(_, c)| *c != 0);
    out.terms.sort();
    out
}
