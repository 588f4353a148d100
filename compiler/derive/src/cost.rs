//! What a program costs, as formulas in its run-time lengths, for one sequence of the batch.
//!
//! Counted by walking the program itself, form by form, so that a cost is never a table beside the derivation:
//! - `products`: contractions of two or more values over some axis; a multiply-add is 2.
//! - `pointwise`: everything else that computes; every function, comparison and choice is 1.
//! - `bytes`: what contractions, reductions, scans and transforms read and write. Pointwise operations are computed
//!   where they are used, and what a loop keeps between its steps stays close; only sequences that a loop inside a
//!   loop streams are read again. Numbers are four bytes, complex ones eight.
//!
//! A convolution over all lags is counted as the transform that computes it. A loop whose bounds follow the position
//! of the loop around it (causal, windowed) runs as often as on average.

use crate::poly::Poly;
use seqc_algebra::{Axis, Elem, Func, InputKind, MapFn, Op, Scan, Ty, ValueId};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cost {
    pub products: Poly,
    pub pointwise: Poly,
    pub bytes: Poly,
}

impl Cost {
    pub fn flops(&self) -> Poly {
        self.products.plus(&self.pointwise)
    }
}

/// The cost of a program.
pub fn cost(func: &Func) -> Cost {
    let mut total = Cost::default();
    compute(func, &Poly::num(1.0), 1.0, &mut total);
    total.bytes = bytes(func);
    total
}

/// The operations of a step, and those of what it computes once for a whole generation: sequences that only
/// parameters enter. The row that goes into the past of a convolution costs nothing.
pub fn step_operations(step: &Func) -> (Poly, Poly) {
    let (mut once, mut written) = (Poly::default(), Poly::default());
    let (known, rows, live) = (from_parameters(step), rows(step), step.live());
    let long = |id: ValueId| step.ty(id).axes.iter().any(|a| !a.is_const());
    for id in step.ids().filter(|id| live[id.index()] && long(*id)) {
        let (products, pointwise) = operations(step, id);
        if known[id.index()] {
            once.add(&products.plus(&pointwise));
        } else if rows.contains(&id) {
            written.add(&pointwise);
        }
    }
    let all = cost(step).flops();
    let each = all.plus(&once.plus(&written).scaled(-1.0));
    (each, once)
}

/// Values that write a row into the past of a convolution, and their conditions.
fn rows(step: &Func) -> Vec<ValueId> {
    let convolved = |id: ValueId| matches!(step.op(id), Op::Online(_)).then(|| step.args(id)[1]);
    let past: Vec<ValueId> = step.ids().filter_map(convolved).collect();
    let writes = |id: &ValueId| {
        let args = step.args(*id);
        matches!(step.op(*id), Op::Map(MapFn::Select)) && past.contains(&args[2])
    };
    let selects = step.ids().filter(writes);
    selects.flat_map(|id| [id, step.args(id)[0]]).collect()
}

/// Which values no other input enters, nor a loop.
fn from_parameters(func: &Func) -> Vec<bool> {
    let mut known = vec![false; func.values.len()];
    for id in func.ids() {
        known[id.index()] = match func.op(id) {
            Op::Input(i) => matches!(i.kind, InputKind::Param { .. }),
            Op::Scan(_) | Op::Proj(_) => false,
            _ => func.args(id).iter().all(|a| known[a.index()]),
        };
    }
    known
}

/// The number of entries of a value with these axes.
pub fn entries(axes: &[Axis]) -> Poly {
    axes.iter()
        .fold(Poly::num(1.0), |n, a| n.times(&Poly::size(a.size)))
}

/// Bytes of a value.
pub fn bytes_of(ty: &Ty) -> Poly {
    let each = if ty.elem == Elem::Complex { 8.0 } else { 4.0 };
    entries(&ty.axes).scaled(each)
}

/// Adds the operations of a program that runs `times` times, at positions `stride` apart.
fn compute(func: &Func, times: &Poly, stride: f64, total: &mut Cost) {
    let live = func.live();
    for id in func.ids().filter(|id| live[id.index()]) {
        if let Op::Scan(scan) = func.op(id) {
            let trips = steps(func, id, scan, stride);
            compute(&scan.body, &times.times(&trips), tile(scan), total);
            continue;
        }
        let (products, pointwise) = operations(func, id);
        total.products.add(&products.times(times));
        total.pointwise.add(&pointwise.times(times));
    }
}

/// Products and pointwise operations of one value.
fn operations(func: &Func, id: ValueId) -> (Poly, Poly) {
    let args = func.args(id);
    let none = Poly::default();
    let mine = entries(&func.ty(id).axes);
    let complex = |v: &ValueId| func.ty(*v).elem == Elem::Complex;
    let any = complex(&id) || args.iter().any(complex);
    let read = |v: ValueId| entries(&func.ty(v).axes);
    match func.op(id) {
        Op::Contract(axes) => {
            let points = entries(&union(func, args));
            let each = match args.iter().filter(|a| complex(a)).count() {
                0 => 1.0,
                1 => 2.0,
                _ => 4.0,
            };
            let multiplies = (args.len().max(1) - 1) as f64;
            if axes.is_empty() {
                (none, points.scaled(multiplies * each))
            } else if args.len() == 1 {
                (none, points.scaled(each))
            } else {
                (points.scaled((multiplies + 1.0) * each), none)
            }
        }
        Op::Map(f) => (none, mine.scaled(map_operations(*f, any))),
        Op::Reduce(..) | Op::TopMask(..) => {
            (none, read(args[0]).scaled(if any { 2.0 } else { 1.0 }))
        }
        // Maximum, difference, exponential, sum, quotient.
        Op::Softmax(_) => (none, read(args[0]).scaled(5.0)),
        Op::LogSumExp(_) => (none, read(args[0]).scaled(4.0)),
        // Half of the entries of the matrix, a multiply-add each.
        Op::Solve { .. } => (entries(&union(func, args)), none),
        Op::ScatterAdd { .. } | Op::Unwindow { .. } => (none, read(args[0])),
        Op::Conv { axis, .. } | Op::ConvKernel { axis, .. } => (none, transform(func, id, *axis)),
        Op::Online(axis) => (none, online(func, id, *axis)),
        _ => (none, Poly::default()),
    }
}

fn map_operations(f: MapFn, complex: bool) -> f64 {
    match f {
        MapFn::Stop | MapFn::Re | MapFn::Im | MapFn::Complex => 0.0,
        MapFn::Mul if complex => 6.0,
        MapFn::Div if complex => 11.0,
        _ if complex => 2.0,
        _ => 1.0,
    }
}

/// Axes of any of the values, each once.
fn union(func: &Func, values: &[ValueId]) -> Vec<Axis> {
    let mut all: Vec<Axis> = Vec::new();
    for a in values.iter().flat_map(|v| &func.ty(*v).axes) {
        if !all.contains(a) {
            all.push(*a);
        }
    }
    all
}

/// A linear convolution of length T through real transforms of length 2T (2.5 N log2 N each): one for each
/// operand and one back, and the product between.
fn transform(func: &Func, id: ValueId, axis: Axis) -> Poly {
    let Some(log) = Poly::log(axis.size) else {
        return Poly::default();
    };
    let long = |a: &Axis| a.size == axis.size;
    let channels = |axes: &[Axis]| {
        let rest: Vec<Axis> = axes.iter().copied().filter(|a| !long(a)).collect();
        entries(&rest)
    };
    let t = Poly::size(axis.size);
    let one = t.times(&log).scaled(5.0);
    let each = func
        .args(id)
        .iter()
        .map(|v| channels(&func.ty(*v).axes))
        .chain([channels(&func.ty(id).axes)]);
    let transforms = each.fold(Poly::default(), |n, c| n.plus(&c)).times(&one);
    let product = channels(&union(func, func.args(id))).times(&t).scaled(6.0);
    transforms.plus(&product)
}

/// One position of a convolution, on average: of each power of two B up to N, every 2B positions two transforms of
/// length 2B and the product between.
fn online(func: &Func, id: ValueId, axis: Axis) -> Poly {
    let Some(log) = Poly::log(axis.size) else {
        return Poly::default();
    };
    let each = log.times(&log).scaled(2.5).plus(&log.scaled(3.0));
    entries(&func.ty(id).axes).times(&each)
}

/// Positions that one run of a scan's body covers.
fn tile(scan: &Scan) -> f64 {
    let n = scan.tile.and_then(|t| t.size.constant());
    n.unwrap_or(1) as f64
}

/// How often a scan's body runs.
fn steps(func: &Func, id: ValueId, scan: &Scan, stride: f64) -> Poly {
    extent(func, id, scan, stride).scaled(1.0 / tile(scan))
}

/// How many positions a scan visits, on average over the loop around it, whose positions are `stride` apart.
fn extent(func: &Func, id: ValueId, scan: &Scan, stride: f64) -> Poly {
    let whole = Poly::size(scan.axis.size);
    let args = func.args(id);
    let bounds = args.len() - usize::from(scan.lo) - usize::from(scan.hi);
    let at = |yes: bool, k: usize| yes.then(|| bound(func, args[k])).flatten();
    let lo = at(scan.lo, bounds);
    let hi = at(scan.hi, bounds + usize::from(scan.lo));
    // The loop around starts its runs at 0, stride, … T - stride.
    let mean = |(slope, offset): (f64, f64)| {
        whole
            .scaled(0.5 * slope)
            .plus(&Poly::num(offset - 0.5 * slope * stride))
    };
    match (lo, hi) {
        (None, None) => whole,
        (None, Some(hi)) => mean(hi),
        (Some(lo), Some(hi)) => mean((hi.0 - lo.0, hi.1 - lo.1)),
        (Some(lo), None) => whole.plus(&mean(lo).scaled(-1.0)),
    }
}

/// A bound as `slope · position + offset`, the position being that of the loop around.
fn bound(func: &Func, v: ValueId) -> Option<(f64, f64)> {
    let args = func.args(v);
    let both = || Some((bound(func, args[0])?, bound(func, args[1])?));
    match func.op(v) {
        Op::Const(n) => Some((0.0, n.0)),
        Op::Input(_) if func.params.first() == Some(&v) => Some((1.0, 0.0)),
        Op::Map(MapFn::Add) => both().map(|(a, b)| (a.0 + b.0, a.1 + b.1)),
        Op::Map(MapFn::Sub) => both().map(|(a, b)| (a.0 - b.0, a.1 - b.1)),
        Op::Map(MapFn::Mul) => both()
            .filter(|(_, n)| n.0 == 0.0)
            .map(|(a, n)| (a.0 * n.1, a.1 * n.1)),
        Op::Map(MapFn::Div) => both()
            .filter(|(_, n)| n.0 == 0.0)
            .map(|(a, n)| (a.0 / n.1, a.1 / n.1)),
        // What is left of a division is small.
        Op::Map(MapFn::Rem) => both().filter(|(_, n)| n.0 == 0.0).map(|_| (0.0, 0.0)),
        // The tighter of two bounds; one that follows the position is tighter nearly everywhere.
        Op::Map(f @ (MapFn::Min | MapFn::Max)) => both().map(|(a, b)| {
            if a.0 != b.0 {
                return if a.0 > b.0 { a } else { b };
            }
            let first = (a.1 < b.1) == (*f == MapFn::Min);
            if first { a } else { b }
        }),
        _ => None,
    }
}

/// Bytes that cross between what runs apart.
fn bytes(func: &Func) -> Poly {
    let live = func.live();
    let mut total = Poly::default();
    for id in func
        .ids()
        .filter(|id| live[id.index()] && !fused(func, *id))
    {
        match func.op(id) {
            Op::Input(_) | Op::Const(_) | Op::Proj(_) => {}
            Op::Scan(scan) => {
                total.add(&reads(func, func.args(id)));
                let times = steps(func, id, scan, 1.0);
                total.add(&streamed(&scan.body, &times, tile(scan)));
                for p in func
                    .ids()
                    .filter(|p| live[p.index()] && is_result_of(func, *p, id))
                {
                    total.add(&bytes_of(func.ty(p)));
                }
            }
            Op::Gather(_) => {
                total.add(&bytes_of(func.ty(id)).scaled(2.0));
                total.add(&reads(func, &func.args(id)[1..]));
            }
            _ => {
                total.add(&reads(func, func.args(id)));
                total.add(&bytes_of(func.ty(id)));
            }
        }
    }
    // Results that end in a pointwise operation are a pass of their own.
    for (_, v) in &func.results {
        if fused(func, *v) {
            total.add(&reads(func, &[*v]));
            total.add(&bytes_of(func.ty(*v)));
        }
    }
    total
}

fn is_result_of(func: &Func, p: ValueId, scan: ValueId) -> bool {
    matches!(func.op(p), Op::Proj(_)) && func.args(p).first() == Some(&scan)
}

/// Computed where it is used.
fn fused(func: &Func, id: ValueId) -> bool {
    match func.op(id) {
        Op::Contract(axes) => axes.is_empty(),
        Op::Map(_)
        | Op::Iota(_)
        | Op::Length(_)
        | Op::Expand(_)
        | Op::Rename { .. }
        | Op::Split { .. }
        | Op::Merge { .. }
        | Op::Patch { .. }
        | Op::Unpatch { .. }
        | Op::Flip(_)
        | Op::Shift { .. }
        | Op::Window { .. }
        | Op::Pick { .. }
        | Op::Place { .. }
        | Op::Stack(_) => true,
        _ => false,
    }
}

/// Bytes of what lies in memory behind some values, each once.
fn reads(func: &Func, values: &[ValueId]) -> Poly {
    let mut seen = vec![false; func.values.len()];
    let mut stack = values.to_vec();
    let mut total = Poly::default();
    while let Some(v) = stack.pop() {
        if std::mem::replace(&mut seen[v.index()], true) {
            continue;
        }
        if fused(func, v) {
            stack.extend(func.args(v));
        } else if !matches!(func.op(v), Op::Const(_)) {
            total.add(&bytes_of(func.ty(v)));
        }
    }
    total
}

/// What loops inside a loop's body read anew in each of its `times` runs.
fn streamed(body: &Func, times: &Poly, stride: f64) -> Poly {
    let live = body.live();
    let mut total = Poly::default();
    for id in body.ids().filter(|id| live[id.index()]) {
        let Op::Scan(scan) = body.op(id) else {
            continue;
        };
        if !scan.axis.is_const() {
            let inner = extent(body, id, scan, stride);
            for seq in &body.args(id)[scan.states..scan.states + scan.seqs.len()] {
                let ty = body.ty(*seq);
                let rest: Vec<Axis> = ty
                    .axes
                    .iter()
                    .copied()
                    .filter(|a| *a != scan.axis)
                    .collect();
                let row = bytes_of(&Ty {
                    elem: ty.elem,
                    axes: rest,
                });
                total.add(&row.times(&inner).times(times));
            }
        }
        let times = times.times(&steps(body, id, scan, stride));
        total.add(&streamed(&scan.body, &times, tile(scan)));
    }
    total
}
