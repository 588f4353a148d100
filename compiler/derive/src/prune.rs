//! What nothing uses is left out: values, and of scans outputs, states, inputs and operations.

use crate::Result;
use crate::rewrite::{map_values, name_of};
use seqc_algebra::{Builder, Func, InputKind, Op, Out, Scan, ValueId};
use std::collections::HashMap;

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
