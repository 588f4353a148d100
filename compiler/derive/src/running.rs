//! Law: a softmax over earlier positions whose scores do not depend on the row is a recurrence:
//! ```text
//! Σ_{j <= i} exp(s_j) v_j / Σ_{j <= i} exp(s_j)    =    A_i / L_i
//! M_i = max(M_{i-1}, s_i)    L_i = L_{i-1} exp(M_{i-1} - M_i) + exp(s_i - M_i)    A_i likewise, with v_i
//! ```
//! Its state is a maximum, a sum and a weighted sum.
//!
//! Side condition: every row sees all columns up to its own (or before it), and no others.

use crate::difference::on_clock;
use crate::rewrite::{Image, images, map_by_images};
use crate::softmax::finite;
use crate::stream::{condition, is_long, is_pair, long_axes};
use crate::{Result, prune, step};
use seqc_algebra::op::Num;
use seqc_algebra::{
    Axis, Builder, Func, InputKind, MapFn, Op, Out, Scan, SeqIn, Ty, ValueId, shape,
};

/// Rewrites every sum over a time of such weights and values.
pub fn running_softmax(func: &Func) -> Result<Func> {
    let func = map_by_images(func, |b, id, image| match weighted(func, id) {
        Some(sum) => recurrence(b, &sum, image).map(Some),
        None => Ok(None),
    })?;
    prune::prune(&func)
}

/// Whether the value is such a sum.
pub fn is_running(func: &Func, id: ValueId) -> bool {
    weighted(func, id).is_some()
}

/// A weighted sum of columns.
struct Weighted {
    row: Axis,
    col: Axis,
    /// One number for each column.
    scores: ValueId,
    /// Is the row's own column seen?
    inclusive: bool,
    columns: Vec<ValueId>,
    others: Vec<ValueId>,
    /// Constant axes that are summed, too.
    over: Vec<Axis>,
    ty: Ty,
}

fn weighted(func: &Func, id: ValueId) -> Option<Weighted> {
    let Op::Contract(over) = func.op(id) else {
        return None;
    };
    let (long, rest): (Vec<Axis>, Vec<Axis>) = over.iter().partition(|a| is_long(a));
    let (&[col], &[row]) = (&long[..], &long_axes(func, id)[..]) else {
        return None;
    };
    let (pairs, factors): (Vec<ValueId>, Vec<ValueId>) =
        func.args(id).iter().partition(|a| is_pair(func, **a));
    let &[weight] = &pairs[..] else { return None };
    let (mut softmax, mut own) = (weight, row);
    if let Op::Rename { from, to } = *func.op(weight)
        && to == row
    {
        (softmax, own) = (func.args(weight)[0], from);
    }
    let Op::Softmax(over) = func.op(softmax) else {
        return None;
    };
    let (scores, inclusive) = seen(func, func.args(softmax)[0], (own, col))?;
    let (columns, others) = factors.into_iter().partition(|a| func.ty(*a).has(col));
    let fits = *over == col && row.size == col.size && !rest.contains(&Axis::batch());
    fits.then_some(Weighted {
        row,
        col,
        scores,
        inclusive,
        columns,
        others,
        over: rest,
        ty: func.ty(id).clone(),
    })
}

/// `j <= i ? s_j : -inf`, or with `j < i`: the scores, and which.
fn seen(func: &Func, v: ValueId, (row, col): (Axis, Axis)) -> Option<(ValueId, bool)> {
    let (Op::Map(MapFn::Select), &[when, s, other]) = (func.op(v), func.args(v)) else {
        return None;
    };
    let bound = condition(func, bare(func, when))?;
    let causal = bound.terms.len() == 2 && (bound.of(row), bound.of(col)) == (-1, 1);
    let least = matches!(func.op(bare(func, other)), Op::Const(n) if n.0 == f64::NEG_INFINITY);
    let fits = causal && least && matches!(bound.constant, 0 | 1);
    let scores = bare(func, s);
    let own = func.ty(scores).has(col) && !func.ty(scores).has(row);
    (fits && own).then_some((scores, bound.constant == 0))
}

fn bare(func: &Func, mut v: ValueId) -> ValueId {
    while let Op::Expand(_) = func.op(v) {
        v = func.args(v)[0];
    }
    v
}

fn recurrence(b: &mut Builder, w: &Weighted, image: &Image<'_>) -> Result<ValueId> {
    let columns = images(&[&[w.scores][..], &w.columns].concat(), image)?;
    let (seqs, clock) = on_clock(b, (w.row, w.col), columns)?;
    let y = match &seqs[1..] {
        [] => scan(b, w, clock, &seqs)?,
        columns => {
            let values = b.contract(&[], columns)?;
            scan(b, w, clock, &[seqs[0], values])?
        }
    };
    let y = b.rename(y, clock, w.row)?;
    let others = images(&w.others, image)?;
    let y = b.fill(y, &w.over)?;
    let y = b.contract(&w.over, &[vec![y], others].concat())?;
    // Weights may have had axes that their scores lack.
    Ok(b.fill_as(y, &w.ty)?)
}

/// The scan over scores and, where there are any, values.
fn scan(b: &mut Builder, w: &Weighted, clock: Axis, seqs: &[ValueId]) -> Result<ValueId> {
    let without = |ty: &Ty| Ty {
        elem: ty.elem,
        axes: ty.axes.iter().copied().filter(|a| *a != clock).collect(),
    };
    let each: Vec<Ty> = seqs.iter().map(|v| without(b.ty(*v))).collect();
    let sum = Ty {
        elem: each[each.len() - 1].elem,
        axes: shape::union(each.iter())?,
    };
    let states = [
        (each[0].clone(), f64::NEG_INFINITY),
        (each[0].clone(), 0.0),
        (sum, 0.0),
    ];
    let mut starts = vec![];
    for (ty, start) in &states {
        starts.push(b.everywhere(*start, ty)?);
    }
    let scan = Scan {
        axis: clock,
        tile: None,
        reverse: false,
        states: states.len(),
        seqs: seqs.iter().map(|_| SeqIn { fill: Num(0.0) }).collect(),
        fixed: 0,
        lo: false,
        hi: false,
        body: body(w.inclusive, &states, &each)?,
        outs: vec![Out::Emit(0)],
    };
    Ok(b.scan(scan, &[starts, seqs.to_vec()].concat())?[0])
}

fn body(inclusive: bool, states: &[(Ty, f64)], seqs: &[Ty]) -> Result<Func> {
    let mut b = Builder::new("running");
    b.input("pos", InputKind::Formal, Ty::real(vec![]));
    let input = |b: &mut Builder, name: &str, ty: &Ty| b.input(name, InputKind::Formal, ty.clone());
    let old: Vec<ValueId> = (step::RUNNING.iter().zip(states))
        .map(|(name, (ty, _))| input(&mut b, name, ty))
        .collect();
    let given: Vec<ValueId> = seqs.iter().map(|ty| input(&mut b, "x", ty)).collect();
    let top = b.map2(MapFn::Max, old[0], given[0])?;
    let safe = finite(&mut b, top)?;
    let drop = b.sub(old[0], safe)?;
    let scale = b.map1(MapFn::Exp, drop)?;
    let own = b.sub(given[0], safe)?;
    let own = b.map1(MapFn::Exp, own)?;
    let mut next = vec![top];
    for (k, term) in [(1, vec![own]), (2, [&[own][..], &given[1..]].concat())] {
        let kept = b.contract(&[], &[old[k], scale])?;
        let more = b.contract(&[], &term)?;
        let (kept, more) = (
            b.fill_as(kept, &states[k].0)?,
            b.fill_as(more, &states[k].0)?,
        );
        next.push(b.add2(kept, more)?);
    }
    let (sum, weighted) = match inclusive {
        true => (next[1], next[2]),
        false => (old[1], old[2]),
    };
    // A row that sees nothing has weights 0.
    let (zero, one) = (b.num(0.0), b.num(1.0));
    let none = b.map2(MapFn::Eq, sum, zero)?;
    let divisor = b.select(none, one, sum)?;
    let inverse = b.div(one, divisor)?;
    let y = b.contract(&[], &[weighted, inverse])?;
    for (name, v) in step::RUNNING.iter().zip(&next) {
        b.result(name, *v);
    }
    b.result("y", y);
    Ok(b.finish())
}
