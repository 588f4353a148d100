//! Law: a read that is shifted to the next step is a read of the states before the step.
//!
//! `shift(q·S)` at t is `q[t-1]·S[t-1]`: what the loop enters with, read by the shifted vector. Side conditions: the
//! read is a sum of reads of the states after the step, each with a sequence among its factors, so that it is 0 at the
//! first step, where the shifted sequence is. Done only where a recurrence in the other direction is added, so that
//! the two can share their insides.

use super::{Given, given, sums, uses};
use crate::affine::{Factor, How};
use crate::class::{Read, classify};
use crate::order::depends_on;
use crate::rewrite::map_by_images;
use crate::{DeriveError, Result, chunk, prune};
use seqc_algebra::{Builder, Func, InputKind, Op, Out, Scan, SeqIn, ValueId, op::Num};
use std::collections::HashMap;

/// Applies the law wherever it holds.
pub fn shifted_reads(func: &Func) -> Result<Func> {
    let found = find(func);
    if found.is_empty() {
        return Ok(func.clone());
    }
    let of_scan = |id: ValueId| found.iter().filter(move |(_, g)| g.id == id);
    let new = map_by_images(func, |b, id, image| {
        if let Op::Scan(scan) = func.op(id)
            && of_scan(id).next().is_some()
        {
            let args: Vec<ValueId> = func.args(id).iter().filter_map(|a| image(*a)).collect();
            let emits: Vec<usize> = of_scan(id).map(|(_, g)| g.emit).collect();
            return Ok(Some(with_reads_before(b, scan, &args, &emits)?));
        }
        let Some((_, g)) = found.iter().find(|(at, _)| *at == id) else {
            return Ok(None);
        };
        let n = of_scan(g.id).position(|(at, _)| *at == id).unwrap_or(0);
        let scan = image(g.id).ok_or_else(|| DeriveError("a scan was lost".into()))?;
        Ok(Some(b.push(Op::Proj(g.scan.outs.len() + n), &[scan])?))
    })?;
    prune::prune(&new)
}

/// Shifts of what scans give out, where the law applies.
fn find(func: &Func) -> Vec<(ValueId, Given<'_>)> {
    let uses = uses(func);
    let mut found = vec![];
    for sum in sums(func) {
        let read = |v: &ValueId| {
            let shifted = match func.op(*v) {
                Op::Shift { axis, by } => Some((func.args(*v)[0], *axis, *by)),
                _ => None,
            };
            let g = given(func, shifted.map_or(*v, |s| s.0))?;
            let alone = uses[v.index()] == 1 && uses[g.at.index()] == 1;
            (alone && g.scan.tile.is_none() && chunk::obstacle(g.scan).is_none())
                .then_some((*v, g, shifted))
        };
        let reads: Vec<_> = sum.iter().filter_map(read).collect();
        for (at, g, shifted) in &reads {
            let against =
                |o: &Given<'_>| o.scan.axis == g.scan.axis && o.scan.reverse != g.scan.reverse;
            let back = if g.scan.reverse { -1 } else { 1 };
            let late = shifted.is_some_and(|(_, axis, by)| axis == g.scan.axis && by == back);
            if late && reads.iter().any(|(_, o, _)| against(o)) && begins_with_nothing(g) {
                found.push((*at, *g));
            }
        }
    }
    found
}

/// Is what the scan gives out read of the states after the step, by sequences?
fn begins_with_nothing(g: &Given<'_>) -> bool {
    let (_, linear) = classify(g.scan);
    let body = &g.scan.body;
    let seqs = seqs_of(g.scan);
    let pos = depends_on(body, &body.params[..1]);
    let direct = |f: &Factor| f.how == How::Times && seqs.contains(&f.value);
    let read = |r: &Read| {
        r.own.is_empty()
            && r.parts.iter().all(|p| {
                p.inclusive
                    && p.vector.factors.iter().any(direct)
                    && p.vector.all_factors().all(|f| !pos[f.value.index()])
            })
    };
    linear.is_some_and(|l| l.reads.iter().any(|r| r.emit == g.emit && read(r)))
}

/// The body's parameters that are sequences.
fn seqs_of(scan: &Scan) -> &[ValueId] {
    &scan.body.params[1 + scan.states..][..scan.seqs.len()]
}

/// The scan with more outputs: for each of `emits`, what it reads of the states before the step with the sequences
/// of the step before.
fn with_reads_before(
    b: &mut Builder,
    scan: &Scan,
    args: &[ValueId],
    emits: &[usize],
) -> Result<ValueId> {
    let old = &scan.body;
    let states = scan.states;
    let (before, fixed) = args.split_at(states + scan.seqs.len());
    let mut body = Builder::new(&old.name);
    let mut now: HashMap<ValueId, ValueId> = HashMap::new();
    let mut late: HashMap<ValueId, ValueId> = HashMap::new();
    let (moving, still) = old.params.split_at(1 + before.len());
    for p in moving {
        now.insert(*p, body.copy(old.value(*p), &[])?);
    }
    for p in seqs_of(scan) {
        let name = old.input(*p).map_or("x", |i| i.name.as_str());
        let v = body.input(name, InputKind::Formal, old.ty(*p).clone());
        late.insert(*p, v);
    }
    for p in still {
        now.insert(*p, body.copy(old.value(*p), &[])?);
    }
    let image = body.inline(old, &now)?;
    let lost = || DeriveError("a scan's result was lost".into());
    for (name, v) in &old.results {
        let v = image[v.index()].ok_or_else(lost)?;
        body.result(name, v);
    }
    for p in moving[..=states].iter().chain(still) {
        late.insert(*p, now[p]);
    }
    for (state, (_, next)) in moving[1..].iter().zip(&old.results[..states]) {
        late.insert(*next, now[state]);
    }
    for e in emits {
        let read = &old.results[states + e];
        let mut only = old.clone();
        only.results = vec![read.clone()];
        let image = body.inline(&only, &late)?;
        let v = image[read.1.index()].ok_or_else(lost)?;
        body.result(&read.0, v);
    }
    let back = if scan.reverse { -1 } else { 1 };
    let shifted = (before[states..].iter())
        .map(|v| Ok(b.shift(*v, scan.axis, back)?))
        .collect::<Result<Vec<_>>>()?;
    let first = old.results.len() - states;
    let more = (0..emits.len()).map(|n| Out::Emit(first + n));
    let fills = scan.seqs.iter().map(|_| SeqIn { fill: Num(0.0) });
    let new = Scan {
        seqs: scan.seqs.iter().cloned().chain(fills).collect(),
        body: body.finish(),
        outs: scan.outs.iter().copied().chain(more).collect(),
        ..scan.clone()
    };
    let args = [before, &shifted, fixed].concat();
    Ok(b.push(Op::Scan(Box::new(new)), &args)?)
}
