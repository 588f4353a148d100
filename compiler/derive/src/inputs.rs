//! Law: an input of a recurrence that is made, pointwise, of smaller values is made inside of it.
//!
//! `w = k * v; S[t] = S[t-1] + w` would store time × key × value and hide the outer product. Side condition: each
//! operation between the input and the smaller values is arithmetic, and those have fewer axes than what it makes
//! of them, or are states of another recurrence with which this one can step together ([`crate::join`]). Whether the
//! user gave the product a name does not matter then.

use crate::rewrite::map_values;
use crate::words::UNNAMED;
use crate::{DeriveError, Result, join};
use seqc_algebra::{Builder, Func, InputKind, MapFn, Op, Scan, SeqIn, ValueId, op::Num};
use std::collections::HashMap;

/// Applies the law to every scan that steps one position at a time.
pub fn sink_inputs(func: &Func) -> Result<Func> {
    map_values(func, |b, func, id, args| {
        let Op::Scan(scan) = func.op(id) else {
            return Ok(None);
        };
        let seqs = &args[scan.states..scan.states + scan.seqs.len()];
        if scan.tile.is_some() || !seqs.iter().any(|v| grows(b.func(), *v)) {
            return Ok(None);
        }
        let (scan, args) = sunk(b.func(), scan, args)?;
        Ok(Some(b.push(Op::Scan(Box::new(scan)), &args)?))
    })
}

/// Is it arithmetic of values with fewer axes?
fn grows(func: &Func, v: ValueId) -> bool {
    use MapFn::{Add, Div, Mul, Neg, Sub};
    let arithmetic = match func.op(v) {
        Op::Map(Add | Sub | Mul | Div | Neg) => true,
        Op::Contract(over) => over.is_empty(),
        _ => false,
    };
    let constant = |a: &ValueId| matches!(func.op(*a), Op::Const(_));
    let smaller = |a: &ValueId| {
        func.ty(*a).axes.len() < func.ty(v).axes.len() || join::taken(func, *a).is_some()
    };
    let args = func.args(v);
    arithmetic
        && !args.iter().all(constant)
        && (args.iter()).all(|a| constant(a) || smaller(a) || grows(func, *a))
}

/// The smaller values that an input is made of, in order.
fn leaves(func: &Func, v: ValueId, all: &mut Vec<ValueId>) {
    if grows(func, v) {
        func.args(v).iter().for_each(|a| leaves(func, *a, all));
    } else if !matches!(func.op(v), Op::Const(_)) && !all.contains(&v) {
        all.push(v);
    }
}

/// The scan with its grown inputs made inside, and its arguments.
fn sunk(func: &Func, scan: &Scan, args: &[ValueId]) -> Result<(Scan, Vec<ValueId>)> {
    let (states, rest) = args.split_at(scan.states);
    let (seqs, rest) = rest.split_at(scan.seqs.len());
    let (fixed, bounds) = rest.split_at(scan.fixed);
    let mut made = vec![];
    for v in seqs.iter().filter(|v| grows(func, **v)) {
        leaves(func, *v, &mut made);
    }
    let (moving, still): (Vec<ValueId>, Vec<ValueId>) =
        made.into_iter().partition(|v| func.ty(*v).has(scan.axis));
    let kept = || (seqs.iter().zip(&scan.seqs)).filter(|(v, _)| !grows(func, **v));
    let body = body(func, scan, (seqs, fixed), &moving, &still)?;
    let new = Scan {
        seqs: (kept().map(|(_, s)| s.clone()))
            .chain(moving.iter().map(|_| SeqIn { fill: Num(0.0) }))
            .collect(),
        fixed: fixed.len() + still.len(),
        body,
        ..scan.clone()
    };
    let args = [
        states,
        &kept().map(|(v, _)| *v).collect::<Vec<_>>(),
        &moving,
        fixed,
        &still,
        bounds,
    ];
    Ok((new, args.concat()))
}

/// The body over the kept inputs and the smaller values: position, states, sequences, fixed values.
fn body(
    func: &Func,
    scan: &Scan,
    (seqs, fixed): (&[ValueId], &[ValueId]),
    moving: &[ValueId],
    still: &[ValueId],
) -> Result<Func> {
    let old = &scan.body;
    let mut b = Builder::new(&old.name);
    let mut given: HashMap<ValueId, ValueId> = HashMap::new();
    let mut formal = |b: &mut Builder, p: ValueId| {
        let name = old.input(p).map_or(UNNAMED, |i| i.name.as_str());
        let v = b.input(name, InputKind::Formal, old.ty(p).clone());
        given.insert(p, v);
    };
    let (first, rest) = old.params.split_at(1 + scan.states);
    let (of_seqs, of_fixed) = rest.split_at(seqs.len());
    first.iter().for_each(|p| formal(&mut b, *p));
    for (p, _) in (of_seqs.iter().zip(seqs)).filter(|(_, v)| !grows(func, **v)) {
        formal(&mut b, *p);
    }
    let mut inner: HashMap<ValueId, ValueId> = HashMap::new();
    let mut leaf = |b: &mut Builder, v: ValueId| {
        let name = func.value(v).name.map_or(UNNAMED, |n| n.as_str());
        let ty = func.ty(v).without(scan.axis);
        inner.insert(v, b.input(name, InputKind::Formal, ty));
    };
    moving.iter().for_each(|v| leaf(&mut b, *v));
    (of_fixed.iter().take(fixed.len())).for_each(|p| formal(&mut b, *p));
    still.iter().for_each(|v| leaf(&mut b, *v));
    for (p, v) in (of_seqs.iter().zip(seqs)).filter(|(_, v)| grows(func, **v)) {
        let made = inside(func, &mut b, *v, &mut inner)?;
        given.insert(*p, made);
    }
    let image = b.inline(old, &given)?;
    for (name, v) in &old.results {
        let v = image[v.index()].ok_or_else(|| DeriveError("a scan's result was lost".into()))?;
        b.result(name, v);
    }
    Ok(b.finish())
}

/// The value of one step, made of those in `inner`.
fn inside(
    func: &Func,
    b: &mut Builder,
    v: ValueId,
    inner: &mut HashMap<ValueId, ValueId>,
) -> Result<ValueId> {
    if let Some(known) = inner.get(&v) {
        return Ok(*known);
    }
    let args = (func.args(v).iter())
        .map(|a| inside(func, b, *a, inner))
        .collect::<Result<Vec<_>>>()?;
    let new = b.push(func.op(v).clone(), &args)?;
    if let Some(name) = func.value(v).name {
        b.name(new, name.as_str());
    }
    inner.insert(v, new);
    Ok(new)
}
