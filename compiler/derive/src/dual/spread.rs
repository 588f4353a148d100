//! Law: what a recurrence over a state for each source position gives to all sources alike may be given to each.
//!
//! Where such a recurrence stays as it is, its gradient would sum over the sources inside of the loop. Copies for each source
//! make it a gradient for each, summed outside. Apply before differentiation.

use crate::Result;
use crate::rewrite::map_values;
use crate::stream::is_long;
use seqc_algebra::{Axis, Builder, Func, InputKind, Op, Scan, Ty, ValueId};
use std::collections::HashMap;

/// Gives every scan over a state with a time its sequences and fixed values along that time.
pub fn spread_sources(func: &Func) -> Result<Func> {
    map_values(func, |b, func, id, args| {
        let Op::Scan(scan) = func.op(id) else {
            return Ok(None);
        };
        let Some(sources) = sources(scan) else {
            return Ok(None);
        };
        let mut wide = args.to_vec();
        for v in &mut wide[scan.states..scan.states + scan.seqs.len()] {
            if !b.has(*v, sources) {
                *v = b.expand(*v, &[sources])?;
            }
        }
        let body = widened(b, scan, &wide)?;
        let new = Scan {
            body,
            ..(**scan).clone()
        };
        Ok(Some(b.push(Op::Scan(Box::new(new)), &wide)?))
    })
}

/// The time that a state has, of a scan that steps one position at a time.
fn sources(scan: &Scan) -> Option<Axis> {
    if scan.tile.is_some() {
        return None;
    }
    let states = &scan.body.params[1..=scan.states];
    let axes = states.iter().flat_map(|s| &scan.body.ty(*s).axes);
    axes.copied().find(is_long)
}

/// The body over the wider sequences.
fn widened(b: &Builder, scan: &Scan, args: &[ValueId]) -> Result<seqc_algebra::Func> {
    let old = &scan.body;
    let mut body = Builder::new(&old.name);
    let mut given = HashMap::new();
    let first = 1 + scan.states;
    for (k, p) in old.params.iter().enumerate() {
        let name = old.input(*p).map_or("x", |i| i.name.as_str());
        let ty = match k.checked_sub(first) {
            Some(n) if n < scan.seqs.len() => {
                let v = args[scan.states + n];
                let axes = b
                    .axes(v)
                    .iter()
                    .copied()
                    .filter(|a| *a != scan.axis)
                    .collect();
                let elem = b.elem(v);
                Ty { elem, axes }
            }
            _ => old.ty(*p).clone(),
        };
        given.insert(*p, body.input(name, InputKind::Formal, ty));
    }
    let image = body.inline(old, &given)?;
    for (name, v) in &old.results {
        if let Some(v) = image[v.index()] {
            body.result(name, v);
        }
    }
    Ok(body.finish())
}
