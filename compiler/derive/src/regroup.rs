//! Law: a state whose axis is read or written in parts steps in parts.
//!
//! `S[t] = a S[t-1] + k{h dk -> m} v; o = sum[dk](q S{m -> h dk})` is a recurrence of `S{h, dk, dv}`, whose read contracts an
//! axis of the state. Side conditions: every regrouping of the axis in the step and of the state is the same one; nothing
//! else in the step moves positions along it but sums over all of it; no value of the step has the axis and a part of it.

use crate::Result;
use crate::products::linear_products;
use crate::rewrite::{map_values, on_other_axes};
use seqc_algebra::{Axis, Func, Op, ReduceOp, Scan, ValueId};
use std::collections::HashMap;

/// An axis, and the parts that it is split into.
struct Group {
    axis: Axis,
    parts: Vec<Axis>,
}

/// Applies the law to every scan of steps.
pub fn regroup_states(func: &Func) -> Result<Func> {
    let live = func.live();
    let users = func.users();
    let found: HashMap<ValueId, Group> = (func.ids().filter(|id| live[id.index()]))
        .filter_map(|id| Some((id, group(func, &users, id)?)))
        .collect();
    if found.is_empty() {
        return Ok(func.clone());
    }
    let new = map_values(func, |b, func, id, args| match func.op(id) {
        Op::Scan(scan) => {
            let Some(g) = found.get(&id) else {
                return Ok(None);
            };
            let args = args.iter().map(|a| match b.has(*a, g.axis) {
                true => b.push(g.split(), &[*a]),
                false => Ok(*a),
            });
            let args = args.collect::<std::result::Result<Vec<_>, _>>()?;
            Ok(Some(b.push(Op::Scan(Box::new(g.stepped(scan)?)), &args)?))
        }
        Op::Proj(_) => {
            let Some(g) = found.get(&func.args(id)[0]) else {
                return Ok(None);
            };
            let new = b.push(func.op(id).clone(), args)?;
            Ok(Some(match func.ty(id).has(g.axis) {
                true => b.push(g.merge(), &[new])?,
                false => new,
            }))
        }
        _ => Ok(None),
    })?;
    // What is merged and split again meets.
    linear_products(&new)
}

/// How a scan's state is regrouped, if it is and the law holds.
fn group(func: &Func, users: &[Vec<ValueId>], id: ValueId) -> Option<Group> {
    let Op::Scan(scan) = func.op(id) else {
        return None;
    };
    if scan.tile.is_some() || scan.lo || scan.hi {
        return None;
    }
    let body = &scan.body;
    let states = &body.params[1..=scan.states];
    let of_state = |a: &Axis| states.iter().any(|s| body.ty(*s).has(*a));
    let results = users[id.index()]
        .iter()
        .filter(|v| matches!(func.op(**v), Op::Proj(_)));
    let outside = results.flat_map(|v| &users[v.index()]).map(|v| func.op(*v));
    let live = body.live();
    let inside = body.ids().filter(|v| live[v.index()]).map(|v| body.op(v));
    let mut all = (outside.chain(inside)).filter_map(|op| match op {
        Op::Split { axis, into } => Some((*axis, into)),
        Op::Merge { axes, into } => Some((*into, axes)),
        _ => None,
    });
    let (axis, parts) = all.find(|(a, _)| of_state(a))?;
    let same = all.all(|(a, p)| a != axis || p == parts);
    let g = Group {
        axis,
        parts: parts.clone(),
    };
    (same && g.holds(body)).then_some(g)
}

impl Group {
    fn split(&self) -> Op {
        Op::Split {
            axis: self.axis,
            into: self.parts.clone(),
        }
    }

    fn merge(&self) -> Op {
        Op::Merge {
            axes: self.parts.clone(),
            into: self.axis,
        }
    }

    /// Does the step treat positions along the axis each by itself, or sum over them?
    fn holds(&self, body: &Func) -> bool {
        let has = |v: ValueId| body.ty(v).has(self.axis);
        let live = body.live();
        let mut concerned = (body.ids().filter(|v| live[v.index()]))
            .filter(|v| has(*v) || body.args(*v).iter().any(|a| has(*a)));
        concerned.all(|v| {
            let both = has(v) && self.parts.iter().any(|p| body.ty(v).has(*p));
            let each = match body.op(v) {
                Op::Input(_) | Op::Map(_) | Op::Expand(_) => true,
                Op::Contract(_) | Op::Reduce(ReduceOp::Sum, _) => true,
                Op::Rename { from, to } => *from != self.axis && *to != self.axis,
                op => *op == self.split() || *op == self.merge(),
            };
            each && !both
        })
    }

    /// The axes with the parts in the place of the axis.
    fn parted(&self, axes: &[Axis]) -> Vec<Axis> {
        let one = |a: &Axis| match *a == self.axis {
            true => self.parts.clone(),
            false => vec![*a],
        };
        axes.iter().flat_map(one).collect()
    }

    /// The scan over the parts.
    fn stepped(&self, scan: &Scan) -> Result<Scan> {
        let axes = |axes: &[Axis]| seqc_algebra::shape::canonical(self.parted(axes));
        let body = on_other_axes(&scan.body, &axes, &|op| {
            Ok(match op {
                op if *op == self.split() || *op == self.merge() => None,
                Op::Expand(new) => Some(Op::Expand(self.parted(new))),
                Op::Contract(over) => Some(Op::Contract(self.parted(over))),
                Op::Reduce(f, over) => Some(Op::Reduce(*f, self.parted(over))),
                op => Some(op.clone()),
            })
        })?;
        Ok(Scan {
            body,
            ..scan.clone()
        })
    }
}
