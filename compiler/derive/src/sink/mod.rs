//! Law: a read of a trajectory that contracts it away moves into the scan that makes it.
//!
//! `o = Σ_a q · S` with `S` the state at every step would store time × state. Side condition: the read is a
//! contraction over axes of the state, pointwise in time, whose other factors do not depend on the scan. Sums
//! and quotients between the contraction and the trajectory are distributed first: `Σ q·(F+G)`, `Σ q·S/z`. A read of
//! the state before a step is one too.
//! A vector state read by one fixed matrix stays outside: over all times that is one matrix product, and the
//! trajectory is no larger than what is computed from it.

mod distribute;
mod smaller;

use crate::order::{reaches, topological};
use crate::prune::prune;
use crate::rewrite::{Image, images, map_in_order, name_of};
use crate::trajectory::{Trajectory, trajectory};
use crate::{DeriveError, Result};
use distribute::distribute;
use seqc_algebra::{Axis, Builder, Func, InputKind, Op, Out, Scan, SeqIn, Ty, ValueId, op::Num};
use smaller::{smaller_first, volume};
use std::collections::HashMap;

/// Applies the law wherever it holds, then to reads of what the reads give out where that is large; trajectories that
/// nothing uses then disappear with [`prune`].
pub fn sink_reads(func: &Func) -> Result<Func> {
    let func = smaller_first(&distribute(func)?)?;
    let reads = find(&func);
    let mut func = prune(&sunk(&func, reads)?.unwrap_or(func))?;
    loop {
        let mut again = find(&func);
        again.retain(|r| makes_smaller(&func, r));
        match sunk(&func, again)? {
            Some(new) => func = prune(&new)?,
            None => return Ok(func),
        }
    }
}

/// Is a second read of what a first one gives out worth its place in the loop? What it reads is larger than any
/// sequence that the loop is given, it contracts axes of states, and an axis stays that it does not touch: products
/// of matrices stay so.
fn makes_smaller(func: &Func, r: &Read) -> bool {
    let Op::Scan(s) = func.op(r.scan) else {
        return false;
    };
    let read = &s.body.ty(r.value).axes;
    let seqs = &func.args(r.scan)[s.states..s.states + s.seqs.len()];
    let states = &s.body.params[1..=s.states];
    let of_states = |a: &Axis| states.iter().any(|p| s.body.ty(*p).has(*a));
    let touched = |a: &Axis| r.others.iter().any(|o| func.ty(*o).has(*a));
    seqs.iter()
        .all(|v| volume(&func.ty(*v).axes) < volume(read))
        && r.axes.iter().all(of_states)
        && (read.iter()).any(|a| a.is_const() && !r.axes.contains(a) && !touched(a))
}

/// The program with those of the reads that can move moved, if there are any.
fn sunk(func: &Func, reads: Vec<Read>) -> Result<Option<Func>> {
    let (extra, kept) = admitted(func, reads);
    let order = topological(func, &extra).filter(|_| !kept.is_empty());
    let Some(order) = order else {
        return Ok(None);
    };
    let mut emitted: HashMap<ValueId, usize> = HashMap::new();
    let new = map_in_order(func, order, |b, id, image| {
        if let Some(read) = kept.get(&id) {
            let scan = images(&[read.scan], image)?;
            return Ok(Some(b.push(Op::Proj(emitted[&id]), &scan)?));
        }
        let Op::Scan(scan) = func.op(id) else {
            return Ok(None);
        };
        let mut reads: Vec<&Read> = kept.values().filter(|r| r.scan == id).collect();
        reads.sort_by_key(|r| r.at);
        for (k, r) in reads.iter().enumerate() {
            emitted.insert(r.at, scan.outs.len() + k);
        }
        let args = images(func.args(id), image)?;
        Ok(Some(extend(b, scan, &args, &reads, image)?))
    });
    new.map(Some)
}

/// The reads that can move together, by where they are, and what each loop must wait for then: together they could be
/// cyclic where each alone is not.
fn admitted(
    func: &Func,
    reads: Vec<Read>,
) -> (HashMap<ValueId, Vec<ValueId>>, HashMap<ValueId, Read>) {
    let mut extra: HashMap<ValueId, Vec<ValueId>> = HashMap::new();
    for r in &reads {
        extra.entry(r.scan).or_default().extend(&r.others);
    }
    let mut kept = HashMap::new();
    if topological(func, &extra).is_some() {
        kept.extend(reads.into_iter().map(|r| (r.at, r)));
        return (extra, kept);
    }
    // One by one, the first first.
    extra.clear();
    for read in reads {
        let mut trial = extra.clone();
        trial.entry(read.scan).or_default().extend(&read.others);
        if topological(func, &trial).is_some() {
            extra = trial;
            kept.insert(read.at, read);
        }
    }
    (extra, kept)
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
            let outside = vector_by_matrix(func, s.axis, *a, &others, axes);
            if reduces && !outside && !reaches(func, &others, scan) {
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
    image: &Image<'_>,
) -> Result<ValueId> {
    let mut seqs: Vec<ValueId> = Vec::new();
    let mut fixed: Vec<ValueId> = Vec::new();
    let others = reads.iter().flat_map(|r| &r.others).copied();
    for o in images(&others.collect::<Vec<_>>(), image)? {
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
        let others = images(&r.others, image)?;
        let mut factors: Vec<ValueId> = others.iter().map(|o| inner[o]).collect();
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
