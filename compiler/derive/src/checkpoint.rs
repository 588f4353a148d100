//! Law: a scan step by step equals a scan over tiles whose body scans the tile's steps.
//!
//! Reverse mode stores the states on entry to each step of what it differentiates. Of the two-level form it stores
//! one per tile and recomputes the rest inside the tile, so memory falls by the tile's length for one more
//! forward pass. A tail shorter than a tile runs the steps that exist: what a step makes of padding need not be
//! finite (`S / x`), and would reach the gradient of everything that all steps share.
//! Holds for every scan, linear or not, in either direction.

use crate::Result;
use crate::rewrite::map_values;
use seqc_algebra::{Axis, Builder, Func, InputKind, Op, Out, Scan, Ty, ValueId};
use std::collections::HashMap;

/// Puts every top-level scan that steps along a run-time axis into tiles of `tile` steps.
pub fn checkpoint_scans(func: &Func, tile: usize) -> Result<Func> {
    map_values(func, |b, func, id, args| {
        let Op::Scan(scan) = func.op(id) else {
            return Ok(None);
        };
        if scan.axis.is_const() {
            return Ok(None);
        }
        let enters = scan.outs.iter().any(|o| matches!(o, Out::Enter(_)));
        if scan.tile.is_some() || scan.lo || scan.hi || scan.states == 0 || enters {
            return Ok(None);
        }
        let steps = Axis::new(&format!("{}%s", scan.axis.name), tile);
        let outer = tiled(scan, steps)?;
        Ok(Some(b.push(Op::Scan(Box::new(outer)), args)?))
    })
}

fn tiled(scan: &Scan, steps: Axis) -> Result<Scan> {
    let old = &scan.body;
    let first_seq = 1 + scan.states;
    let first_fixed = first_seq + scan.seqs.len();
    let mut b = Builder::new(&old.name);
    let mut formals = Vec::new();
    for (n, p) in old.params.iter().enumerate() {
        let ty = old.ty(*p);
        let mut axes = ty.axes.clone();
        if n >= first_seq && n < first_fixed {
            axes.push(steps);
        }
        let ty = Ty {
            elem: ty.elem,
            axes: seqc_algebra::shape::canonical(axes),
        };
        formals.push(b.input(name_of(old, *p), InputKind::Formal, ty));
    }
    let inner = Scan {
        axis: steps,
        tile: None,
        fixed: scan.fixed + 1,
        hi: true,
        body: step_body(scan)?,
        outs: (0..scan.states)
            .map(Out::Final)
            .chain((0..old.results.len() - scan.states).map(Out::Emit))
            .collect(),
        ..scan.clone()
    };
    let len = b.push(Op::Length(scan.axis.size), &[])?;
    let exist = b.sub(len, formals[0])?;
    // The inner scan's arguments in its order: states, sequences, fixed values, then the tile's position and its
    // number of steps.
    let args: Vec<ValueId> = (formals[1..].iter().copied())
        .chain([formals[0], exist])
        .collect();
    let results = b.scan(inner, &args)?;
    for (r, (name, _)) in results.iter().zip(&old.results) {
        b.result(name, *r);
    }
    Ok(Scan {
        tile: Some(steps),
        body: b.finish(),
        ..scan.clone()
    })
}

/// The old step at position `tile + step`.
fn step_body(scan: &Scan) -> Result<Func> {
    let old = &scan.body;
    let mut b = Builder::new(&old.name);
    let mut given: HashMap<ValueId, ValueId> = HashMap::new();
    let step = b.input("step", InputKind::Formal, Ty::real(vec![]));
    for p in &old.params[1..] {
        let v = b.input(name_of(old, *p), InputKind::Formal, old.ty(*p).clone());
        given.insert(*p, v);
    }
    let tile = b.input("tile", InputKind::Formal, Ty::real(vec![]));
    let pos = b.add2(tile, step)?;
    given.insert(old.params[0], pos);
    let image = b.inline(old, &given)?;
    for (name, v) in &old.results {
        if let Some(v) = image[v.index()] {
            b.result(name, v);
        }
    }
    Ok(b.finish())
}

fn name_of(func: &Func, v: ValueId) -> &'static str {
    func.value(v).name.map_or("x", |n| n.as_str())
}
