//! Which values are stored (roots) and which are recomputed where they are used (inline).
//!
//! A value is inline if recomputing it costs less than writing and reading it: `(evaluations - 1) · cost` is
//! small. Evaluations are counted per element, through inline users and broadcasts. Some values are always roots:
//! results, operands and results of matrix products, solves, scatters, and what only a loop can compute.

use super::angles::angles;
use super::layout::{Layouts, axes_of};
use super::place::{space, weight};
use seqc_algebra::{Axis, Func, InputKind, MapFn, Op, Size, ValueId};

/// The decision for one program or scan body.
#[derive(Debug)]
pub(crate) struct Choice {
    pub root: Vec<bool>,
    pub live: Vec<bool>,
    /// Computed values that angles are made of: f32 though the angles are f64.
    pub single: Vec<bool>,
}

/// Roles of axes in a two-factor contraction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roles {
    /// In both factors and the result.
    pub both: Vec<Axis>,
    /// In the first factor and the result only; in the second only.
    pub rows: Vec<Axis>,
    pub cols: Vec<Axis>,
    pub sum: Vec<Axis>,
}

pub(crate) fn roles(func: &Func, id: ValueId) -> Option<Roles> {
    let Op::Contract(over) = func.op(id) else {
        return None;
    };
    let &[a, b] = func.args(id) else { return None };
    let (a, b) = (func.ty(a), func.ty(b));
    let mut r = Roles::default();
    for x in &func.ty(id).axes {
        match (a.has(*x), b.has(*x)) {
            (true, true) => r.both.push(*x),
            (true, false) => r.rows.push(*x),
            _ => r.cols.push(*x),
        }
    }
    for x in over {
        if !a.has(*x) || !b.has(*x) {
            return None;
        }
        r.sum.push(*x);
    }
    Some(r)
}

/// Is it worth a matrix-product routine?
pub(crate) fn is_product(func: &Func, id: ValueId, top: bool) -> bool {
    let Some(r) = roles(func, id) else {
        return false;
    };
    let (m, n, k) = (space(&r.rows), space(&r.cols), space(&r.sum));
    let all_const = func
        .args(id)
        .iter()
        .all(|a| func.ty(*a).axes.iter().all(|x| x.is_const()));
    if top {
        return m.min(n) >= 2.0 && k >= 2.0 && m * n * k >= 256.0;
    }
    let long = [&r.rows, &r.cols, &r.sum, &r.both].into_iter().flatten();
    let fits = long
        .filter(|a| !a.is_const())
        .all(|a| a.name.as_str() == "batch");
    (all_const || fits) && m.max(n) >= 4.0 && k >= 4.0 && m * n * k >= 64.0
}

/// Does it only rearrange elements?
pub(crate) fn is_view(op: &Op) -> bool {
    matches!(
        op,
        Op::Rename { .. } | Op::Split { .. } | Op::Merge { .. } | Op::Pick { .. } | Op::Expand(_)
    )
}

/// Free to recompute anywhere.
fn is_free(op: &Op) -> bool {
    matches!(op, Op::Const(_) | Op::Length(_) | Op::Iota(_))
}

pub(crate) fn is_long(axis: &Axis) -> bool {
    !matches!(axis.size, Size::Const(_))
}

/// Must be computed by a loop of its own.
fn is_forced(func: &Func, id: ValueId, top: bool) -> bool {
    match func.op(id) {
        Op::Solve { .. }
        | Op::ScatterAdd { .. }
        | Op::Conv { .. }
        | Op::ConvKernel { .. }
        | Op::Online(_)
        | Op::Proj(_) => true,
        Op::Reduce(_, over) | Op::Contract(over) if top && over.iter().any(is_long) => true,
        Op::Contract(_) => is_product(func, id, top),
        _ => false,
    }
}

/// The arguments that must be in memory, looking through views.
fn wants_memory(
    func: &Func,
    id: ValueId,
    layouts: Option<&Layouts>,
    want: &mut dyn FnMut(ValueId),
) {
    let top = layouts.is_some();
    let args: &[ValueId] = match func.op(id) {
        Op::Contract(_) if is_product(func, id, top) => func.args(id),
        Op::Solve { .. } => &func.args(id)[..1],
        // The runtime's convolution reads whole buffers, no views.
        Op::Conv { .. } | Op::ConvKernel { .. } | Op::Online(_) => {
            func.args(id).iter().for_each(|a| want(*a));
            return;
        }
        _ => return,
    };
    args.iter().for_each(|a| want(held(func, *a, layouts)));
}

/// The value to store so that `v` is a strided view of it: what lies under its views, or the last of them that
/// merges axes which do not lie one after another there. A kernel's scratch (no layouts) is never rearranged.
fn held(func: &Func, v: ValueId, layouts: Option<&Layouts>) -> ValueId {
    let none = Layouts::new();
    let known = layouts.unwrap_or(&none);
    let mut views = vec![];
    let mut base = v;
    while is_view(func.op(base)) && !matches!(func.op(base), Op::Expand(_)) {
        views.push(base);
        base = func.args(base)[0];
    }
    // Axes from the outermost in; `None` where neighbours are not adjacent in memory.
    let whole = |v: ValueId| -> Vec<Option<Axis>> {
        axes_of(func, known, v).iter().copied().map(Some).collect()
    };
    let mut layout = whole(base);
    for view in views.into_iter().rev() {
        let at = |a: &Axis| layout.iter().position(|x| *x == Some(*a));
        match func.op(view) {
            Op::Rename { from, to } => {
                if let Some(k) = at(from) {
                    layout[k] = Some(*to);
                }
            }
            Op::Split { axis, into } => {
                if let Some(k) = at(axis) {
                    layout.splice(k..=k, into.iter().copied().map(Some));
                }
            }
            Op::Pick { axis, .. } => {
                if let Some(k) = at(axis) {
                    layout[k] = None;
                }
            }
            Op::Merge { axes, into } => match axes.first().and_then(at) {
                Some(k)
                    if layout.len() >= k + axes.len()
                        && axes.iter().zip(&layout[k..]).all(|(a, x)| *x == Some(*a)) =>
                {
                    layout.splice(k..k + axes.len(), [Some(*into)]);
                }
                _ if layouts.is_some() => {
                    base = view;
                    layout = whole(view);
                }
                _ => return base,
            },
            _ => {}
        }
    }
    base
}

/// Functions of positions and constants, as masks are: index arithmetic, which is next to free.
fn positional(func: &Func) -> Vec<bool> {
    use MapFn::*;
    let mut all = vec![false; func.values.len()];
    for id in func.ids() {
        let args = || func.args(id).iter().all(|a| all[a.index()]);
        all[id.index()] = match func.op(id) {
            Op::Input(i) => i.kind == InputKind::Formal && func.ty(id).axes.is_empty(),
            Op::Const(_) | Op::Iota(_) | Op::Length(_) => true,
            Op::Map(
                Add | Sub | Max | Min | Neg | Lt | Le | Gt | Ge | Eq | Ne | And | Or | Not | Select,
            ) => args(),
            op => is_view(op) && args(),
        };
    }
    all
}

fn own_cost(func: &Func, id: ValueId) -> f64 {
    use MapFn::*;
    match func.op(id) {
        Op::Map(f) => match f {
            Exp | Expm1 | Log | Log1p | Sin | Cos | Tanh | Sigmoid | LogSigmoid | Softplus
            | Erf | Pow => 12.0,
            BitLen => 200.0,
            Hash => 12.0,
            Div | Sqrt | Rem => 5.0,
            _ => 1.0,
        },
        Op::Shift { .. } | Op::Window { .. } | Op::Place { .. } | Op::Gather(_) => 2.0,
        Op::Patch { .. } | Op::Unpatch { .. } => 2.0,
        Op::Stack(a) => weight(*a),
        _ => 0.0,
    }
}

/// Positions summed per element.
fn fold_size(func: &Func, id: ValueId) -> f64 {
    match func.op(id) {
        Op::Reduce(_, over) | Op::Contract(over) => space(over),
        Op::Unwindow { lag, .. } => weight(*lag),
        _ => 1.0,
    }
}

/// How often the function evaluates its argument text.
fn repeats(op: &Op) -> f64 {
    match op {
        Op::Map(MapFn::Softplus | MapFn::LogSigmoid) => 2.0,
        Op::Map(MapFn::BitLen) => 24.0,
        _ => 1.0,
    }
}

/// `layouts` of the program's stored values; none for a scan's body.
pub(crate) fn choose(func: &Func, layouts: Option<&Layouts>, reference: bool) -> Choice {
    let top = layouts.is_some();
    let live = func.live();
    let users = func.users();
    let mut root = vec![false; func.values.len()];
    let mut memory = vec![false; func.values.len()];
    for (_, v) in &func.results {
        memory[v.index()] = true;
    }
    for id in func.ids().filter(|id| live[id.index()]) {
        wants_memory(func, id, layouts, &mut |v| memory[v.index()] = true);
    }
    // Cost of one element if it and its single-use arguments are inline; and the size of its expression.
    let positional = positional(func);
    let angles = angles(func);
    let mut cost = vec![0.0f64; func.values.len()];
    let mut text = vec![1.0f64; func.values.len()];
    for id in func.ids().filter(|id| live[id.index()]) {
        let mut c = 0.0;
        let mut n = 1.0;
        for a in func.args(id) {
            let stored = users[a.index()].len() > 1 && cost[a.index()] > 3.0
                || memory[a.index()]
                || is_forced(func, *a, top);
            c += if stored { 0.5 } else { cost[a.index()] };
            n += if stored {
                1.0
            } else {
                text[a.index()] * repeats(func.op(id))
            };
        }
        cost[id.index()] = match func.op(id) {
            Op::Input(_) => 0.5,
            _ if positional[id.index()] => 0.0,
            _ => own_cost(func, id) + c * fold_size(func, id),
        };
        text[id.index()] = n;
        if n > 120.0 && !is_free(func.op(id)) {
            memory[id.index()] = true;
            text[id.index()] = 1.0;
        }
    }
    let mut evals = vec![0.0f64; func.values.len()];
    for id in func.ids().rev().filter(|id| live[id.index()]) {
        let op = func.op(id);
        let i = id.index();
        let keep =
            if matches!(op, Op::Input(_) | Op::Scan(_)) || is_free(op) && !is_result(func, id) {
                false
            } else if reference {
                !matches!(op, Op::Expand(_)) || is_result(func, id)
            } else if is_forced(func, id, top) || memory[i] {
                true
            } else if is_view(op) || angles.inside[i] {
                false
            } else {
                (evals[i] - 1.0) * cost[i] > if top { 6.0 } else { 3.0 }
            };
        root[i] = keep;
        let own = if keep { 1.0 } else { evals[i].max(0.01) };
        let mut whole = func.ty(id).axes.clone();
        if let Op::Reduce(_, over) | Op::Contract(over) = op {
            whole.extend(over);
        }
        for (k, a) in func.args(id).iter().enumerate() {
            let n = match op {
                Op::Scan(s) if k >= s.states && k < s.states + s.seqs.len() => 2.0,
                Op::Scan(s) if k >= s.states + s.seqs.len() => 100.0,
                Op::Scan(_) => 1.0,
                Op::Unwindow { lag, .. } => {
                    own * weight(*lag) * space(&whole) / space(&func.ty(*a).axes)
                }
                _ => own * repeats(op) * (space(&whole) / space(&func.ty(*a).axes)).max(0.01),
            };
            evals[a.index()] += n;
        }
    }
    Choice {
        root,
        live,
        single: angles.leaves,
    }
}

pub(crate) fn is_result(func: &Func, id: ValueId) -> bool {
    func.results.iter().any(|(_, v)| *v == id)
}
