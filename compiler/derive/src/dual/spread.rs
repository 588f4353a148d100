//! Law: what a recurrence over a state for each source position gives to all sources alike may be given to each.
//!
//! Where such a recurrence stays as it is, its gradient would sum over the sources inside of the loop. Copies for each source
//! make it a gradient for each, summed outside. Apply before differentiation.

use super::sources;
use crate::Result;
use crate::rewrite::map_values;
use seqc_algebra::{Builder, Elem, Func, InputKind, Op, Scan, ValueId};
use std::collections::HashMap;

/// Gives every scan over a state for each source position its sequences and fixed values for each source. Indices have no
/// gradient; a scan of which something would then be for each source that was not stays as it is.
pub fn spread_sources(func: &Func) -> Result<Func> {
    map_values(func, |b, func, id, args| {
        let Op::Scan(scan) = func.op(id) else {
            return Ok(None);
        };
        let Some(sources) = sources(scan).filter(|_| scan.tile.is_none()) else {
            return Ok(None);
        };
        let mut wide = args.to_vec();
        let given = scan.states..scan.states + scan.seqs.len() + scan.fixed;
        for v in &mut wide[given] {
            if b.elem(*v) != Elem::Int {
                *v = b.fill(*v, &[sources])?;
            }
        }
        let body = widened(b, scan, &wide)?;
        let of = |f: &Func, n: usize| f.ty(f.results[n].1).clone();
        if (0..body.results.len()).any(|n| of(&body, n) != of(&scan.body, n)) {
            return Ok(None);
        }
        let new = Scan {
            body,
            ..(**scan).clone()
        };
        Ok(Some(b.push(Op::Scan(Box::new(new)), &wide)?))
    })
}

/// The body over the wider sequences.
fn widened(b: &Builder, scan: &Scan, args: &[ValueId]) -> Result<Func> {
    let old = &scan.body;
    let mut body = Builder::new(&old.name);
    let mut given = HashMap::new();
    let first = 1 + scan.states;
    for (k, p) in old.params.iter().enumerate() {
        let name = old.input(*p).map_or("x", |i| i.name.as_str());
        let ty = match k.checked_sub(first) {
            Some(n) if n < scan.seqs.len() => b.ty(args[scan.states + n]).without(scan.axis),
            Some(n) if n < scan.seqs.len() + scan.fixed => b.ty(args[scan.states + n]).clone(),
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
