//! Law: a read of a trajectory that contracts it away moves into the scan that makes it.
//!
//! `o = Σ_a q · S` with `S` the state at every step would store time × state. Side condition: the read is a
//! contraction over axes of the state, pointwise in time, whose other factors do not depend on the scan. Sums
//! and quotients between the contraction and the trajectory are distributed first: `Σ q·(F+G)`, `Σ q·S/z`. A read of
//! the state before a step is one too.
//! A vector state read by one fixed matrix stays outside: over all times that is one matrix product, and the
//! trajectory is no larger than what is computed from it.

use crate::order::{depends_on, topological};
use crate::rewrite::map_values;
use crate::trajectory::{Trajectory, trajectory};
use crate::{DeriveError, Result};
use seqc_algebra::{
    Axis, Builder, Func, InputKind, MapFn, Op, Out, ReduceOp, Scan, SeqIn, Ty, ValueId, op::Num,
};
use std::collections::HashMap;

/// Applies the law wherever it holds; unused emitted trajectories disappear with [`prune`].
pub fn sink_reads(func: &Func) -> Result<Func> {
    let func = distribute(func)?;
    let sinks = find(&func);
    let mut extra: HashMap<ValueId, Vec<ValueId>> = HashMap::new();
    let mut kept: HashMap<ValueId, Read> = HashMap::new();
    // Reads are admitted one by one: together they could be cyclic where each alone is not.
    for read in sinks {
        let mut trial = extra.clone();
        trial.entry(read.scan).or_default().extend(&read.others);
        if topological(&func, &trial).is_some() {
            extra = trial;
            kept.insert(read.at, read);
        }
    }
    if kept.is_empty() {
        return prune(&func);
    }
    let Some(order) = topological(&func, &extra) else {
        return Ok(func);
    };
    let mut b = Builder::new(&func.name);
    let mut image: HashMap<ValueId, ValueId> = HashMap::new();
    let mut emitted: HashMap<ValueId, usize> = HashMap::new();
    for id in order {
        let new = if let Some(read) = kept.get(&id) {
            b.push(Op::Proj(emitted[&id]), &[image[&read.scan]])?
        } else if let Op::Scan(scan) = func.op(id) {
            let mut reads: Vec<&Read> = kept.values().filter(|r| r.scan == id).collect();
            reads.sort_by_key(|r| r.at);
            let args: Vec<ValueId> = func.args(id).iter().map(|a| image[a]).collect();
            for (k, r) in reads.iter().enumerate() {
                emitted.insert(r.at, scan.outs.len() + k);
            }
            extend(&mut b, scan, &args, &reads, &image)?
        } else {
            let args: Vec<ValueId> = func.args(id).iter().map(|a| image[a]).collect();
            b.copy(func.value(id), &args)?
        };
        if let Some(name) = func.value(id).name {
            b.name(new, name.as_str());
        }
        image.insert(id, new);
    }
    for (name, v) in &func.results {
        b.result(name, image[v]);
    }
    prune(&b.finish())
}

/// A contraction that can move: `at = Contract(axes)(others…, trajectory)`.
struct Read {
    at: ValueId,
    scan: ValueId,
    /// In the scan's body.
    value: ValueId,
    axes: Vec<Axis>,
    others: Vec<ValueId>,
}

fn find(func: &Func) -> Vec<Read> {
    let live = func.live();
    let mut reads = Vec::new();
    for id in func.ids().filter(|id| live[id.index()]) {
        let Op::Contract(axes) = func.op(id) else {
            continue;
        };
        let args = func.args(id);
        for (n, a) in args.iter().enumerate() {
            let Some(Trajectory { scan, value }) = trajectory(func, *a) else {
                continue;
            };
            let Op::Scan(s) = func.op(scan) else { continue };
            let reduces = axes.iter().any(|x| func.ty(*a).has(*x)) && !axes.contains(&s.axis);
            let others: Vec<ValueId> = args
                .iter()
                .enumerate()
                .filter(|(m, _)| *m != n)
                .map(|(_, v)| *v)
                .collect();
            let dep = depends_on(func, &[scan]);
            let outside = vector_by_matrix(func, s.axis, *a, &others, axes);
            if reduces && !outside && others.iter().all(|o| !dep[o.index()]) {
                reads.push(Read {
                    at: id,
                    scan,
                    value,
                    axes: axes.clone(),
                    others,
                });
                break;
            }
        }
    }
    reads
}

/// Are the other factors the same at all times, with axes of their own, and is every axis of the trajectory summed
/// or theirs too?
fn vector_by_matrix(
    func: &Func,
    time: Axis,
    trajectory: ValueId,
    others: &[ValueId],
    over: &[Axis],
) -> bool {
    let shared = |a: &Axis| others.iter().any(|o| func.ty(*o).has(*a));
    let traced = func.ty(trajectory);
    let own = |o: &ValueId| func.ty(*o).axes.iter().any(|a| !traced.has(*a));
    let left = |a: &Axis| a.is_const() && !over.contains(a) && !shared(a);
    !shared(&time) && others.iter().any(own) && !traced.axes.iter().any(left)
}

/// The scan with the reads computed in its body and emitted after its other results.
fn extend(
    b: &mut Builder,
    scan: &Scan,
    args: &[ValueId],
    reads: &[&Read],
    image: &HashMap<ValueId, ValueId>,
) -> Result<ValueId> {
    let mut seqs: Vec<ValueId> = Vec::new();
    let mut fixed: Vec<ValueId> = Vec::new();
    for o in reads.iter().flat_map(|r| &r.others).map(|o| image[o]) {
        let list = if b.has(o, scan.axis) {
            &mut seqs
        } else {
            &mut fixed
        };
        if !list.contains(&o) {
            list.push(o);
        }
    }
    let mut body = Builder::new(&scan.body.name);
    let mut given: HashMap<ValueId, ValueId> = HashMap::new();
    let formal = |body: &mut Builder, name: &str, ty: Ty| body.input(name, InputKind::Formal, ty);
    let old = &scan.body;
    let (head, tail) = old.params.split_at(1 + scan.states + scan.seqs.len());
    let mut inner: HashMap<ValueId, ValueId> = HashMap::new();
    for p in head {
        let v = formal(&mut body, name_of(old, *p), old.ty(*p).clone());
        given.insert(*p, v);
    }
    for s in &seqs {
        let ty = b.ty(*s).without(scan.axis);
        inner.insert(*s, formal(&mut body, name_of(b.func(), *s), ty));
    }
    for p in tail {
        let v = formal(&mut body, name_of(old, *p), old.ty(*p).clone());
        given.insert(*p, v);
    }
    for f in &fixed {
        inner.insert(
            *f,
            formal(&mut body, name_of(b.func(), *f), b.ty(*f).clone()),
        );
    }
    let old_image = body.inline(old, &given)?;
    for (name, v) in &old.results {
        if let Some(v) = old_image[v.index()] {
            body.result(name, v);
        }
    }
    let mut outs = scan.outs.clone();
    for (k, r) in reads.iter().enumerate() {
        let traj = old_image[r.value.index()]
            .ok_or_else(|| DeriveError("a state that is read was lost".into()))?;
        let mut factors: Vec<ValueId> = r.others.iter().map(|o| inner[&image[o]]).collect();
        factors.push(traj);
        let v = body.contract(&r.axes, &factors)?;
        outs.push(Out::Emit(old.results.len() - scan.states + k));
        body.result(&format!("read{k}"), v);
    }
    let n = scan.states + scan.seqs.len();
    let m = n + scan.fixed;
    let mut all = args[..n].to_vec();
    all.extend(&seqs);
    all.extend(&args[n..m]);
    all.extend(&fixed);
    all.extend(&args[m..]);
    let mut wider = scan.seqs.clone();
    wider.extend(seqs.iter().map(|_| SeqIn { fill: Num(0.0) }));
    let new = Scan {
        seqs: wider,
        fixed: scan.fixed + fixed.len(),
        body: body.finish(),
        outs,
        ..scan.clone()
    };
    Ok(b.push(Op::Scan(Box::new(new)), &all)?)
}

fn name_of(func: &Func, v: ValueId) -> &'static str {
    func.value(v).name.map_or("x", |n| n.as_str())
}

/// `Σ f·(a±b)` to `Σ f·a ± Σ f·b` and `Σ f·(a/b)` to `Σ f·(1/b)·a`, wherever `a` or `b` holds a trajectory.
fn distribute(func: &Func) -> Result<Func> {
    let dep = holds_trajectory(func);
    let live = func.live();
    let mut b = Builder::new(&func.name);
    let mut image: Vec<Option<ValueId>> = vec![None; func.values.len()];
    for id in func
        .ids()
        .filter(|id| live[id.index()] || func.params.contains(id))
    {
        let new = match func.op(id) {
            op if let Some(axes) = summed(op, func.ty(id))
                && func.args(id).iter().any(|a| dep[a.index()]) =>
            {
                let mut ctx = Spread {
                    func,
                    dep: &dep,
                    image: &image,
                };
                ctx.contract(&mut b, axes, func.args(id), &func.ty(id).axes)?
            }
            _ => {
                let args: Vec<ValueId> = func
                    .args(id)
                    .iter()
                    .filter_map(|a| image[a.index()])
                    .collect();
                b.copy(func.value(id), &args)?
            }
        };
        if let Some(name) = func.value(id).name {
            b.name(new, name.as_str());
        }
        image[id.index()] = Some(new);
    }
    for (name, v) in &func.results {
        if let Some(v) = image[v.index()] {
            b.result(name, v);
        }
    }
    Ok(b.finish())
}

/// The axes that an operation sums a product over. The sum of a vector state stays outside: it reads no more than what is
/// stored anyway.
fn summed<'a>(op: &'a Op, ty: &Ty) -> Option<&'a [Axis]> {
    match op {
        Op::Contract(axes) if !axes.is_empty() => Some(axes),
        Op::Reduce(ReduceOp::Sum, axes) if ty.axes.iter().any(|a| a.is_const()) => Some(axes),
        _ => None,
    }
}

/// The values in which a trajectory is a term or a factor: what a sum can be distributed over to reach it. A sum that
/// has read a trajectory ends the way, and so does whatever is not linear: the products below them stay as they are.
fn holds_trajectory(func: &Func) -> Vec<bool> {
    let mut holds = vec![false; func.values.len()];
    for id in func.ids() {
        let arg = |n: usize| holds[func.args(id)[n].index()];
        holds[id.index()] = trajectory(func, id).is_some()
            || match func.op(id) {
                Op::Map(MapFn::Add | MapFn::Sub | MapFn::Mul) => arg(0) || arg(1),
                Op::Map(MapFn::Neg | MapFn::Div) => arg(0),
                _ => false,
            };
    }
    holds
}

/// State of [`distribute`]: the old program, what holds a trajectory, and the images built so far.
struct Spread<'a> {
    func: &'a Func,
    dep: &'a [bool],
    image: &'a [Option<ValueId>],
}

/// A factor of a contraction while it is spread: a value of the old program, or one already built.
#[derive(Clone, Copy)]
enum Factor {
    Old(ValueId),
    New(ValueId),
}

impl Spread<'_> {
    fn contract(
        &mut self,
        b: &mut Builder,
        axes: &[Axis],
        args: &[ValueId],
        want: &[Axis],
    ) -> Result<ValueId> {
        let factors: Vec<Factor> = args.iter().map(|a| Factor::Old(*a)).collect();
        self.spread(b, axes, factors, want)
    }

    fn spread(
        &mut self,
        b: &mut Builder,
        axes: &[Axis],
        factors: Vec<Factor>,
        want: &[Axis],
    ) -> Result<ValueId> {
        // Two factors that depend on the trajectory are no linear read: left as they are.
        let reading = factors
            .iter()
            .filter(|f| matches!(f, Factor::Old(v) if self.dep[v.index()]))
            .count();
        for (n, f) in factors.iter().enumerate().filter(|_| reading == 1) {
            let Factor::Old(v) = *f else { continue };
            if !self.dep[v.index()] || trajectory(self.func, v).is_some() {
                continue;
            }
            let with = |new: &[Factor]| {
                let mut all = factors.clone();
                all.splice(n..=n, new.iter().copied());
                all
            };
            let args = self.func.args(v);
            match self.func.op(v) {
                Op::Map(op @ (MapFn::Add | MapFn::Sub)) => {
                    let one = self.spread(b, axes, with(&[Factor::Old(args[0])]), want)?;
                    let two = self.spread(b, axes, with(&[Factor::Old(args[1])]), want)?;
                    return Ok(b.map2(*op, one, two)?);
                }
                Op::Map(MapFn::Neg) => {
                    let x = self.spread(b, axes, with(&[Factor::Old(args[0])]), want)?;
                    return Ok(b.neg(x)?);
                }
                Op::Map(MapFn::Mul) => {
                    return self.spread(
                        b,
                        axes,
                        with(&[Factor::Old(args[0]), Factor::Old(args[1])]),
                        want,
                    );
                }
                Op::Map(MapFn::Div) if !self.dep[args[1].index()] => {
                    let one = b.num(1.0);
                    let Some(den) = self.image[args[1].index()] else {
                        continue;
                    };
                    let inverse = b.div(one, den)?;
                    return self.spread(
                        b,
                        axes,
                        with(&[Factor::New(inverse), Factor::Old(args[0])]),
                        want,
                    );
                }
                _ => {}
            }
        }
        let args: Vec<ValueId> = factors
            .iter()
            .filter_map(|f| match f {
                Factor::Old(v) => self.image[v.index()],
                Factor::New(v) => Some(*v),
            })
            .collect();
        // An axis that no factor has any more would be a factor of its size: keep it by expanding one factor.
        let missing: Vec<Axis> = axes
            .iter()
            .copied()
            .filter(|x| args.iter().all(|v| !b.has(*v, *x)))
            .collect();
        let mut args = args;
        if let Some(first) = args.first_mut() {
            *first = b.expand(*first, &missing)?;
        }
        let v = b.contract(axes, &args)?;
        Ok(b.fill(v, want)?)
    }
}

/// Removes emitted values, sequences and fixed arguments that nothing uses from every scan, and dead values.
pub fn prune(func: &Func) -> Result<Func> {
    let live = func.live();
    let mut used: HashMap<ValueId, Vec<usize>> = HashMap::new();
    for id in func.ids().filter(|id| live[id.index()]) {
        if let Op::Proj(k) = func.op(id) {
            let outs = used.entry(func.args(id)[0]).or_default();
            if !outs.contains(k) {
                outs.push(*k);
            }
        }
    }
    used.values_mut().for_each(|outs| outs.sort_unstable());
    map_values(func, |b, func, id, args| match func.op(id) {
        Op::Scan(scan) => {
            let outs = used.get(&id).map_or(&[][..], Vec::as_slice);
            Ok(Some(prune_scan(b, scan, args, outs)?))
        }
        Op::Proj(k) => {
            let outs = used.get(&func.args(id)[0]);
            let at = outs.and_then(|outs| outs.iter().position(|o| o == k));
            Ok(Some(b.push(Op::Proj(at.unwrap_or(*k)), args)?))
        }
        _ => Ok(None),
    })
}

/// The scan without outputs that are not kept, and without what only they need: states, inputs, operations.
fn prune_scan(b: &mut Builder, scan: &Scan, args: &[ValueId], keep: &[usize]) -> Result<ValueId> {
    let outs: Vec<Out> = keep.iter().map(|k| scan.outs[*k]).collect();
    let mut emits: Vec<usize> = outs
        .iter()
        .filter_map(|o| if let Out::Emit(e) = o { Some(*e) } else { None })
        .collect();
    emits.sort_unstable();
    emits.dedup();
    let states = needed_states(scan, &outs, &emits);
    let mut body = scan.body.clone();
    body.results = wanted(scan, &states, &emits);
    let body = prune(&body)?;
    let live = body.live();
    let moving = 1 + scan.states;
    let needed = |k: &usize| live[body.params[*k].index()];
    let of_states = states.iter().map(|k| 1 + k);
    let of_seqs = moving..moving + scan.seqs.len();
    let of_fixed = of_seqs.end..of_seqs.end + scan.fixed;
    let seqs: Vec<usize> = of_seqs.filter(needed).collect();
    let fixed: Vec<usize> = of_fixed.clone().filter(needed).collect();
    let kept: Vec<usize> = (of_states.chain(seqs.iter().copied()))
        .chain(fixed.iter().copied())
        .collect();
    let mut slim = Builder::new(&body.name);
    let mut given = HashMap::new();
    for k in [0].iter().chain(&kept) {
        let p = body.params[*k];
        let v = slim.input(name_of(&body, p), InputKind::Formal, body.ty(p).clone());
        given.insert(p, v);
    }
    let image = slim.inline(&body, &given)?;
    for (name, v) in &body.results {
        if let Some(v) = image[v.index()] {
            slim.result(name, v);
        }
    }
    let bounds = &args[of_fixed.end - 1..];
    let new_args: Vec<ValueId> = (kept.iter().map(|k| args[k - 1]))
        .chain(bounds.iter().copied())
        .collect();
    let place = |of: &[usize], k: usize| of.iter().position(|x| *x == k).unwrap_or(0);
    let renumber = |o: &Out| match *o {
        Out::Emit(e) => Out::Emit(place(&emits, e)),
        Out::Final(k) => Out::Final(place(&states, k)),
        Out::Enter(k) => Out::Enter(place(&states, k)),
    };
    let new = Scan {
        states: states.len(),
        seqs: (seqs.iter().map(|k| scan.seqs[k - moving].clone())).collect(),
        fixed: fixed.len(),
        body: slim.finish(),
        outs: outs.iter().map(renumber).collect(),
        ..scan.clone()
    };
    Ok(b.push(Op::Scan(Box::new(new)), &new_args)?)
}

/// Next values of states, and emitted values.
fn wanted(scan: &Scan, states: &[usize], emits: &[usize]) -> Vec<(String, ValueId)> {
    let emits = emits.iter().map(|e| scan.states + e);
    (states.iter().copied().chain(emits))
        .map(|k| scan.body.results[k].clone())
        .collect()
}

/// The states that are given out, or that what is given out depends on, however many steps before.
fn needed_states(scan: &Scan, outs: &[Out], emits: &[usize]) -> Vec<usize> {
    let given_out = |k: &usize| outs.contains(&Out::Final(*k)) || outs.contains(&Out::Enter(*k));
    let mut states: Vec<usize> = (0..scan.states).filter(given_out).collect();
    loop {
        let roots = wanted(scan, &states, emits).into_iter().map(|(_, v)| v);
        let needed = scan.body.needed(roots);
        let read = |k: &usize| needed[scan.body.params[1 + k].index()] || states.contains(k);
        let more: Vec<usize> = (0..scan.states).filter(read).collect();
        if more.len() == states.len() {
            return states;
        }
        states = more;
    }
}
