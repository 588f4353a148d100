//! Rebuilding a program without what its results do not need: dead values, and inside scans dead results, states,
//! sequences and fixed values; operands given twice become one. Results and their order stay.
//!
//! Inputs of a whole program stay even when dead (they are its contract with the caller).

use crate::build::Builder;
use crate::func::{Func, ValueId};
use crate::op::{Op, Out, Scan, SeqIn};
use crate::shape::ShapeError;
use std::collections::HashMap;

/// The same program without dead parts.
pub fn dce(func: &Func) -> Result<Func, ShapeError> {
    let mut b = Builder::new(&func.name);
    let needs = Needs::new(func);
    let mut image: Vec<Option<ValueId>> = vec![None; func.values.len()];
    for id in func.ids() {
        if needs.live[id.index()] || func.input(id).is_some() {
            rebuild(func, id, &needs, &mut b, &mut image)?;
        }
    }
    for (name, v) in &func.results {
        if let Some(v) = image[v.index()] {
            b.result(name, v);
        }
    }
    Ok(b.finish())
}

/// Copies one value, its operands being there; a scan is pruned.
fn rebuild(
    func: &Func,
    id: ValueId,
    needs: &Needs,
    b: &mut Builder,
    image: &mut [Option<ValueId>],
) -> Result<(), ShapeError> {
    let new = match func.op(id) {
        Op::Scan(scan) => {
            let Some(keep) = needs.scans.get(&id) else {
                return Ok(());
            };
            prune(func, id, scan, keep, b, image)?
        }
        Op::Proj(k) => {
            let of = func.args(id)[0];
            let (Some(scan), Some(keep)) = (image[of.index()], needs.scans.get(&of)) else {
                return Ok(());
            };
            let Some(k) = keep.outs.iter().position(|o| o == k) else {
                return Ok(());
            };
            let v = b.push(Op::Proj(k), &[scan])?;
            if let Some(name) = func.value(id).name {
                b.name(v, name.as_str());
            }
            v
        }
        _ => {
            let args: Option<Vec<ValueId>> =
                func.args(id).iter().map(|a| image[a.index()]).collect();
            let Some(args) = args else { return Ok(()) };
            b.copy(func.value(id), &args)?
        }
    };
    image[id.index()] = Some(new);
    Ok(())
}

/// What is needed of a program.
struct Needs {
    live: Vec<bool>,
    scans: HashMap<ValueId, Keep>,
}

/// What is kept of a scan, by old indices in ascending order.
struct Keep {
    outs: Vec<usize>,
    states: Vec<usize>,
    emits: Vec<usize>,
    /// Sequences and fixed values, as parameter indices of the body minus 1 (that is, operand indices).
    rest: Vec<usize>,
}

impl Needs {
    fn new(func: &Func) -> Needs {
        let roots: Vec<ValueId> = func.results.iter().map(|(_, v)| *v).collect();
        Needs::of(func, &roots)
    }

    fn of(func: &Func, roots: &[ValueId]) -> Needs {
        let mut needs = Needs {
            live: vec![false; func.values.len()],
            scans: HashMap::new(),
        };
        let mut outs: HashMap<ValueId, Vec<usize>> = HashMap::new();
        for v in roots {
            needs.live[v.index()] = true;
        }
        for id in func.ids().rev() {
            if !needs.live[id.index()] {
                continue;
            }
            match func.op(id) {
                Op::Proj(k) => {
                    let of = func.args(id)[0];
                    let list = outs.entry(of).or_default();
                    if !list.contains(k) {
                        list.push(*k);
                    }
                    needs.live[of.index()] = true;
                }
                Op::Scan(scan) => {
                    let mut wanted = outs.remove(&id).unwrap_or_default();
                    wanted.sort_unstable();
                    let keep = Keep::new(scan, wanted);
                    let bounds = scan.states + scan.seqs.len() + scan.fixed;
                    for k in keep
                        .states
                        .iter()
                        .chain(&keep.rest)
                        .copied()
                        .chain(bounds..func.args(id).len())
                    {
                        needs.live[func.args(id)[k].index()] = true;
                    }
                    needs.scans.insert(id, keep);
                }
                _ => func
                    .args(id)
                    .iter()
                    .for_each(|a| needs.live[a.index()] = true),
            }
        }
        needs
    }
}

impl Keep {
    /// The least set of states and emitted values that the wanted results need.
    fn new(scan: &Scan, outs: Vec<usize>) -> Keep {
        let body = &scan.body;
        let mut states = vec![false; scan.states];
        let mut emits: Vec<usize> = vec![];
        for k in &outs {
            match scan.outs[*k] {
                Out::Emit(e) => emits.push(e),
                Out::Final(s) | Out::Enter(s) => states[s] = true,
            }
        }
        emits.sort_unstable();
        emits.dedup();
        loop {
            let next = (0..scan.states)
                .filter(|s| states[*s])
                .map(|s| body.results[s].1);
            let roots: Vec<ValueId> = next
                .chain(emits.iter().map(|e| body.results[scan.states + e].1))
                .collect();
            let live = Needs::of(body, &roots).live;
            let needed = |k: usize| live[body.params[k + 1].index()];
            let more: Vec<usize> = (0..scan.states)
                .filter(|s| !states[*s] && needed(*s))
                .collect();
            if more.is_empty() {
                let rest = (scan.states..body.params.len() - 1)
                    .filter(|k| needed(*k))
                    .collect();
                return Keep {
                    outs,
                    states: (0..scan.states).filter(|s| states[*s]).collect(),
                    emits,
                    rest,
                };
            }
            more.iter().for_each(|s| states[*s] = true);
        }
    }
}

fn prune(
    func: &Func,
    id: ValueId,
    scan: &Scan,
    keep: &Keep,
    b: &mut Builder,
    image: &[Option<ValueId>],
) -> Result<ValueId, ShapeError> {
    let lost = || ShapeError::Body("an operand of a scan is missing".into());
    let arg = |k: usize| image[func.args(id)[k].index()].ok_or_else(lost);
    let body = &scan.body;
    let mut inner = Builder::new(&body.name);
    let mut given: Vec<Option<ValueId>> = vec![None; body.values.len()];
    let mut add = |inner: &mut Builder, k: usize| {
        let old = body.params[k];
        let new = inner.copy(body.value(old), &[]);
        new.inspect(|v| given[old.index()] = Some(*v))
    };
    add(&mut inner, 0)?;
    let mut args = vec![];
    for s in &keep.states {
        add(&mut inner, s + 1)?;
        args.push(arg(*s)?);
    }
    // One parameter for each distinct operand (and fill).
    let mut seqs: Vec<SeqIn> = vec![];
    let mut seen: Vec<(ValueId, Option<SeqIn>, ValueId)> = vec![];
    let mut fixed = 0;
    for k in &keep.rest {
        let seq = scan.seqs.get(*k - scan.states).cloned();
        let from = arg(*k)?;
        if let Some((_, _, v)) = seen.iter().find(|(a, q, _)| *a == from && *q == seq) {
            given[body.params[k + 1].index()] = Some(*v);
            continue;
        }
        let old = body.params[k + 1];
        let v = inner.copy(body.value(old), &[])?;
        given[old.index()] = Some(v);
        args.push(from);
        match &seq {
            Some(q) => seqs.push(q.clone()),
            None => fixed += 1,
        }
        seen.push((from, seq, v));
    }
    for k in scan.states + scan.seqs.len() + scan.fixed..func.args(id).len() {
        args.push(arg(k)?);
    }
    let roots = keep
        .states
        .iter()
        .copied()
        .chain(keep.emits.iter().map(|e| scan.states + e));
    let wanted: Vec<&(String, ValueId)> = roots.map(|r| &body.results[r]).collect();
    let needs = Needs::of(body, &wanted.iter().map(|(_, v)| *v).collect::<Vec<_>>());
    for v in body.ids() {
        if needs.live[v.index()] && given[v.index()].is_none() {
            rebuild(body, v, &needs, &mut inner, &mut given)?;
        }
    }
    for (name, v) in wanted {
        inner.result(name, given[v.index()].ok_or_else(lost)?);
    }
    let place = |list: &[usize], k: usize| list.iter().position(|x| *x == k).ok_or_else(lost);
    let mut outs = vec![];
    for k in &keep.outs {
        outs.push(match scan.outs[*k] {
            Out::Emit(e) => Out::Emit(place(&keep.emits, e)?),
            Out::Final(s) => Out::Final(place(&keep.states, s)?),
            Out::Enter(s) => Out::Enter(place(&keep.states, s)?),
        });
    }
    let new = Scan {
        axis: scan.axis,
        tile: scan.tile,
        reverse: scan.reverse,
        states: keep.states.len(),
        seqs,
        fixed,
        lo: scan.lo,
        hi: scan.hi,
        body: inner.finish(),
        outs,
    };
    b.push(Op::Scan(Box::new(new)), &args)
}
