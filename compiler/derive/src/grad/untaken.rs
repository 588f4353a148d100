//! Law: what a `select` leaves out may be anything, so it may as well be regular.
//!
//! `select(c, f(u), z) = select(c, f(select(c, u, s)), z)` for every s, f being pointwise along the axes of c. Where f is singular
//! or unbounded, s is a number at which it is neither: `exp(0)`, `log(1)`, `x / 1`. Then every factor of an arm that was not taken
//! is finite, and the 0 that reaches it as a cotangent stays 0, in whatever order factors stand. Without the law 0 · inf would be
//! among the terms of a sum: above the diagonal of a causal matrix, `exp(c[i] - c[j])` overflows.
//!
//! What serves other values too is left as it is where it is made, and replaced where the arm reads it; that excludes pairs of
//! times, which are as finite as the sums that they are. Values do not change. Apply before differentiation.

use super::bounds::{bounded_away, may_overflow, nonnegative, nonpositive};
use crate::order::topological;
use crate::rewrite::map_in_order;
use crate::stream::long_axes;
use crate::{DeriveError, Result};
use seqc_algebra::{Builder, Func, InputKind, MapFn, Op, ValueId};
use std::collections::{BTreeSet, BinaryHeap, HashMap};

/// Values of one arm beyond these are left as they are.
const MOST: usize = 256;

/// An operand that is `safe` where `when` holds not (or holds, if `arm` is the second).
#[derive(Clone, Copy, PartialEq)]
struct Replaced {
    when: ValueId,
    arm: usize,
    safe: f64,
}

/// By value and operand.
type Plan = HashMap<(ValueId, usize), Vec<Replaced>>;

/// `kept`: values that start finite and stay so, as a loop's states.
pub fn regular(func: &Func, kept: &[ValueId]) -> Result<Func> {
    let plan = planned(func, kept);
    if plan.is_empty() {
        return Ok(func.clone());
    }
    let mut after: HashMap<ValueId, Vec<ValueId>> = HashMap::new();
    for ((v, _), all) in &plan {
        (after.entry(*v).or_default()).extend(all.iter().map(|r| r.when));
    }
    let order = topological(func, &after)
        .ok_or_else(|| DeriveError("a condition depends on what it chooses".into()))?;
    let live = func.live();
    let order = order.into_iter().filter(|v| live[v.index()]);
    map_in_order(func, order, |b, id, image| {
        if !(0..func.args(id).len()).any(|k| plan.contains_key(&(id, k))) {
            return Ok(None);
        }
        let mut args = crate::rewrite::images(func.args(id), image)?;
        for (k, a) in args.iter_mut().enumerate() {
            for r in plan.get(&(id, k)).into_iter().flatten() {
                let when = crate::rewrite::images(&[r.when], image)?[0];
                *a = replaced(b, *a, when, r)?;
            }
        }
        Ok(Some(b.copy(func.value(id), &args)?))
    })
}

fn replaced(b: &mut Builder, v: ValueId, when: ValueId, r: &Replaced) -> Result<ValueId> {
    let safe = b.num(r.safe);
    Ok(match r.arm {
        1 => b.select(when, v, safe)?,
        _ => b.select(when, safe, v)?,
    })
}

fn planned(func: &Func, kept: &[ValueId]) -> Plan {
    let users = func.users();
    let live = func.live();
    let mut plan = Plan::new();
    for id in func.ids().filter(|id| live[id.index()]) {
        if !matches!(func.op(id), Op::Map(MapFn::Select)) {
            continue;
        }
        for arm in [1, 2] {
            let inside = inside(func, &users, id, arm);
            for v in &inside {
                for k in 0..func.args(*v).len() {
                    if let Some(safe) = instead(func, (id, &inside), (*v, k), kept) {
                        let when = func.args(id)[0];
                        let own = plan.entry((*v, k)).or_default();
                        own.push(Replaced { when, arm, safe });
                    }
                }
            }
        }
    }
    plan
}

/// The values that only this arm needs, and that are pointwise along the axes of the condition.
fn inside(func: &Func, users: &[Vec<ValueId>], select: ValueId, arm: usize) -> BTreeSet<ValueId> {
    let start = func.args(select)[arm];
    let mut found = BTreeSet::new();
    let mut queue = BinaryHeap::from([start]);
    // From the last to the first, so that a value's users come before it.
    while let Some(v) = queue.pop() {
        let only = users[v.index()]
            .iter()
            .all(|u| found.contains(u) || v == start && *u == select);
        let shared =
            func.results.iter().any(|(_, r)| *r == v) || v == start && users[v.index()].len() > 1;
        if only && !shared && found.len() < MOST && pointwise(func, v, select) && found.insert(v) {
            queue.extend(func.args(v));
        }
    }
    found
}

/// Does each entry of the value along the axes of the condition depend on that entry of its operands alone?
fn pointwise(func: &Func, v: ValueId, select: ValueId) -> bool {
    let along = &func.ty(func.args(select)[0]).axes;
    let apart =
        |axes: &[seqc_algebra::Axis]| axes.iter().all(|a| !along.contains(a) && a.is_const());
    along.iter().all(|a| func.ty(v).has(*a))
        && match func.op(v) {
            Op::Map(_) => true,
            Op::Expand(axes) | Op::Contract(axes) | Op::Reduce(_, axes) => apart(axes),
            Op::Softmax(a) | Op::LogSumExp(a) | Op::Stack(a) | Op::Pick { axis: a, .. } => {
                apart(&[*a])
            }
            _ => false,
        }
}

/// What operand k is to be where the arm is not taken, if it matters.
fn instead(
    func: &Func,
    (select, inside): (ValueId, &BTreeSet<ValueId>),
    (v, k): (ValueId, usize),
    kept: &[ValueId],
) -> Option<f64> {
    let x = func.args(v)[k];
    if let Op::Const(_) | Op::Iota(_) | Op::Length(_) = func.op(x) {
        return None;
    }
    if let Some(safe) = singular(func, v, k) {
        return Some(safe);
    }
    if inside.contains(&x) || !bends(func, v) {
        return None;
    }
    let along = &func.ty(func.args(select)[0]).axes;
    match along.iter().all(|a| func.ty(x).has(*a)) {
        true => (open(func, x) && !kept.contains(&x)).then_some(0.0),
        // Of fewer axes, it is one factor of many entries: left where it is made, unless it may be infinite there.
        false => {
            let spread = matches!(func.op(v), Op::Map(_)) && may_overflow(func, x);
            spread.then_some(0.0)
        }
    }
}

/// A number at which the operation is regular in operand k, if it is not so everywhere.
fn singular(func: &Func, v: ValueId, k: usize) -> Option<f64> {
    let x = func.args(v)[k];
    let Op::Map(f) = func.op(v) else { return None };
    let (safe, regular) = match (f, k) {
        (MapFn::Exp | MapFn::Expm1, 0) => (0.0, nonpositive(func, x)),
        (MapFn::Log, 0) => (1.0, bounded_away(func, x)),
        (MapFn::Log1p, 0) => (0.0, nonnegative(func, x)),
        (MapFn::Sqrt, 0) => (1.0, nonnegative(func, x)),
        (MapFn::Div | MapFn::Rem, 1) => (1.0, bounded_away(func, x)),
        (MapFn::Pow, 0) => (1.0, polynomial(func, func.args(v)[1])),
        (MapFn::Pow, 1) => (1.0, false),
        _ => return None,
    };
    (!regular).then_some(safe)
}

/// An exponent of which every number has a finite power.
fn polynomial(func: &Func, p: ValueId) -> bool {
    let known = func.everywhere(p);
    known.is_some_and(|p| p >= 0.0 && p.fract() == 0.0)
}

/// Does the derivative of the operation depend on its operands?
fn bends(func: &Func, v: ValueId) -> bool {
    use MapFn::*;
    match func.op(v) {
        Op::Map(
            Neg | Stop | Re | Im | Conj | Add | Sub | Complex | Select | Sign | Floor | Not
            | BitLen | Lt | Le | Gt | Ge | Eq | Ne | And | Or | Xor | Hash,
        ) => false,
        Op::Contract(_) => func.args(v).len() > 1,
        Op::Map(_) | Op::Reduce(..) | Op::Softmax(_) | Op::LogSumExp(_) => true,
        _ => false,
    }
}

/// May the value be no number? Not what starts finite and is learned.
fn open(func: &Func, x: ValueId) -> bool {
    let given = func.input(x).map(|i| &i.kind);
    !matches!(given, Some(InputKind::Param { .. })) && long_axes(func, x).len() < 2
}
