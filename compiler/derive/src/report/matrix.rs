//! Matrices: values over a pair of times that are summed over one of them.

use super::invariant::is_of_lags;
use super::{Class, Equation, Kind, Missing, Reason, equation_of, reads_data};
use crate::dual::{self, Dual, dual};
use crate::running;
use crate::stream::{Bounds, Inequality, cone, is_long, is_pair, long_axes, recomputable};
use crate::words::{self, expression};
use seqc_algebra::{Axis, Func, MapFn, Op, ReduceOp, ValueId};
use std::collections::HashSet;

pub fn equations(func: &Func) -> Vec<Equation> {
    let mut roots: Vec<(ValueId, ValueId)> = Vec::new();
    for (root, sum) in sources(func) {
        if !roots.iter().any(|(r, _)| *r == root) {
            roots.push((root, sum));
        }
    }
    let bounds = Bounds::of(func);
    let each = roots
        .into_iter()
        .map(|(r, sum)| equation(func, &bounds, r, sum));
    each.collect()
}

/// Pair values where they leave the pair, with the operation that sums one of the times away.
fn sources(func: &Func) -> Vec<(ValueId, ValueId)> {
    let live = func.live();
    let mut found = Vec::new();
    for id in func.ids().filter(|id| live[id.index()]) {
        let leaves = match func.op(id) {
            Op::Contract(axes) | Op::Reduce(_, axes) => axes.iter().any(is_long),
            _ => false,
        };
        if !leaves || is_pair(func, id) {
            continue;
        }
        for a in func.args(id) {
            let v = bare(func, *a);
            if is_pair(func, v) && !through_window(func, v) {
                found.push((v, id));
            }
        }
    }
    found
}

/// Without renamings.
fn bare(func: &Func, mut v: ValueId) -> ValueId {
    while let Op::Rename { .. } = func.op(v) {
        v = func.args(v)[0];
    }
    v
}

/// A pair of a time and a lag belongs to a kernel.
fn through_window(func: &Func, v: ValueId) -> bool {
    let window = |v: &ValueId| matches!(func.op(*v), Op::Window { .. });
    window(&v) || cone(func, v).iter().any(window)
}

fn equation(func: &Func, bounds: &Bounds, root: ValueId, sum: ValueId) -> Equation {
    let name = equation_of(func, root);
    let dual = dual(func, sum);
    let inner = cone(func, root).into_iter().rev();
    let softmax = [root]
        .into_iter()
        .chain(inner)
        .find_map(|v| match func.op(v) {
            Op::Softmax(a) | Op::LogSumExp(a) if is_long(a) => Some((v, *a)),
            _ => None,
        });
    let mut e = Equation {
        kind: Kind::Matrix,
        names: name.iter().cloned().collect(),
        class: Class::Pairwise,
        backward: false,
        fixed: false,
        convolved: false,
        why: vec![],
        forms: vec!["matrix"],
        missing: vec![],
    };
    let reason = |text: String, at: Option<String>| Reason { text, at };
    if let Some((v, axis)) = softmax {
        e.class = Class::Softmax;
        e.why.push(reason(
            format!("a softmax over `{}` makes its entries", words::axis(axis)),
            name.clone(),
        ));
        pattern(
            func,
            &mut e,
            bounds.neg_inf_outside(func.args(v)[0]),
            root,
            name.clone(),
        );
    } else if !reads_data(func, root) {
        e.class = Class::DenseMatrix;
        e.fixed = is_of_lags(func, root);
        e.why.push(reason(
            format!(
                "no data enters its entries: `{}`",
                expression(func, root, &|_| None)
            ),
            name.clone(),
        ));
    } else {
        match &dual {
            Some(Dual::Recurrence { decays }) => {
                e.class = match decays {
                    true => Class::Semiseparable,
                    false => Class::LowRank,
                };
                e.why.push(reason(
                    match decays {
                        true => "its entries are products of values of one time each and of decays between the two",
                        false => "its entries are sums of products of values of one time each",
                    }
                    .into(),
                    name.clone(),
                ));
            }
            _ => match factored(func, root) {
                Ok(()) => {
                    e.class = Class::LowRank;
                    e.why.push(reason(
                        "its entries are sums of products of values of one time each".into(),
                        name.clone(),
                    ));
                }
                Err(v) => e.why.push(reason(
                    format!(
                        "`{}` mixes the two times in a way that is no sum of products",
                        expression(func, v, &|_| None)
                    ),
                    equation_of(func, v),
                )),
            },
        }
        pattern(func, &mut e, bounds.zero_outside(root), root, name.clone());
    }
    forms(
        func,
        (root, dual),
        running::is_running(func, sum),
        name,
        &mut e,
    );
    e
}

/// What the mask says: causal, windowed.
fn pattern(
    func: &Func,
    e: &mut Equation,
    bounds: &[Inequality],
    root: ValueId,
    name: Option<String>,
) {
    let axes = long_axes(func, root);
    let &[i, j] = axes.as_slice() else { return };
    let between = |a: Axis, b: Axis| {
        bounds
            .iter()
            .filter(|q| q.terms.len() == 2 && q.of(a) == 1 && q.of(b) == -1)
            .map(|q| q.constant)
            .max()
    };
    for (a, b) in [(i, j), (j, i)] {
        let side = match between(a, b) {
            Some(0) => format!("only `{} <= {}` counts", words::axis(a), words::axis(b)),
            Some(c) if c > 0 => {
                let (a, b) = (words::axis(a), words::axis(b));
                format!("only `{a} + {c} <= {b}` counts")
            }
            Some(c) => {
                let (a, b) = (words::axis(a), words::axis(b));
                format!("only `{a} - {} <= {b}` counts: a window", -c)
            }
            None => continue,
        };
        e.why.push(Reason {
            text: side,
            at: name.clone(),
        });
    }
}

/// Is the entry a sum of products of values of at most one time, within a domain? Else, where not.
fn factored(func: &Func, v: ValueId) -> Result<(), ValueId> {
    let (mut seen, mut next) = (HashSet::from([v]), vec![v]);
    while let Some(v) = next.pop() {
        if !is_pair(func, v) || is_mask(func, v) {
            continue;
        }
        let args = func.args(v);
        let inside = match func.op(v) {
            Op::Contract(axes) | Op::Reduce(ReduceOp::Sum, axes)
                if axes.iter().all(|a| a.is_const()) =>
            {
                args
            }
            Op::Map(MapFn::Mul | MapFn::Add | MapFn::Sub | MapFn::Neg)
            | Op::Expand(_)
            | Op::Rename { .. } => args,
            Op::Map(MapFn::Div) if !is_pair(func, args[1]) => &args[..1],
            // A domain: what is written on it, and 0 outside.
            Op::Map(MapFn::Select) if is_mask(func, args[0]) && is_zero(func, args[2]) => {
                &args[1..2]
            }
            _ => return Err(v),
        };
        // The first of them is looked at first.
        next.extend(inside.iter().rev().filter(|a| seen.insert(**a)));
    }
    Ok(())
}

/// A condition on positions.
fn is_mask(func: &Func, v: ValueId) -> bool {
    use MapFn::{And, Eq, Ge, Gt, Le, Lt, Ne, Not, Or};
    match func.op(v) {
        Op::Map(And | Or | Not | Lt | Le | Gt | Ge | Eq | Ne) => !reads_data(func, v),
        Op::Expand(_) | Op::Rename { .. } => is_mask(func, func.args(v)[0]),
        _ => false,
    }
}

fn is_zero(func: &Func, v: ValueId) -> bool {
    matches!(func.op(v), Op::Const(n) if n.0 == 0.0)
}

fn forms(
    func: &Func,
    (root, dual): (ValueId, Option<Dual>),
    running: bool,
    name: Option<String>,
    e: &mut Equation,
) {
    let why = match dual {
        Some(Dual::Recurrence { .. }) => {
            e.forms.extend(["recurrent", "chunked"]);
            return;
        }
        _ if e.class == Class::Softmax => {
            "a softmax needs all earlier entries of its row: its cost cannot be carried in a state of fixed size".into()
        }
        // The entries themselves are: what keeps a state away is where they count.
        Some(Dual::Missing(why)) if e.class == Class::LowRank && why == dual::mixes() => {
            "its domain is no single bound on the two positions, so no state of fixed size stands for the past".into()
        }
        Some(Dual::Missing(why)) => format!("{why}, so no state of fixed size stands for the past"),
        None => "its two times stay, so no state of fixed size stands for the past".into(),
    };
    match recomputable(func, root, true) {
        Ok(()) => e.forms.push("chunked"),
        Err(v) => e.missing.push(Missing {
            form: "chunked",
            why: format!(
                "tiles need entries that can be recomputed from one row and one column; `{}` cannot",
                expression(func, v, &|_| None)
            ),
            at: equation_of(func, v),
        }),
    }
    match running {
        true => e.forms.insert(1, "recurrent"),
        false => e.missing.push(Missing {
            form: "recurrent",
            why,
            at: name,
        }),
    }
}
