//! Law: a recurrence that is affine in its state, with a transition `diag(decay) + a few rank-one terms`, equals a
//! scan over chunks of C steps whose inside is matrix products (derivation calculus §2.2–2.5).
//!
//! With `pre_i` the product of decays up to i, `D_ij` the product over j+1..i, `suf_j` over j+1..C, and a, b over
//! the terms:
//! ```text
//! u^a    solves  u^a_i = value^a_i + coef^a_i (pex_i read^a_i·S + Σ_b Σ_{j<i} Dex_ij (read^a_i·key^b_j) u^b_j)
//! y_i  = pre_i q_i·S + Σ_b Σ_{j<=i} D_ij (q_i·key^b_j) u^b_j
//! S'   = tot S + Σ_b Σ_j suf_j key^b_j u^b_j
//! ```
//! Decays enter as products over contiguous ranges only (never as quotients or differences of logarithms), so
//! gates of exactly 0 or 1, negative gates and underflow are ordinary cases. A tail shorter than C is padded with
//! decay 1 and zero keys, values and reads, which changes neither state nor outputs; factors are padded as they enter
//! the products (`1/x`, not `x`), and what is written at every step alike is written at the steps that exist.
//! Side conditions: one state; every emitted value is a read; K and V are not empty.
//!
//! [`values`] makes the vectors and gates of the normal form, [`decays`] their products, [`inside`] what reads and
//! writes in a chunk, [`unknowns`] what is written where that depends on what is read.

mod decays;
mod inside;
mod unknowns;
mod values;

use crate::affine::Factor;
use crate::class::{Linear, Product, Term, classify};
use crate::rewrite::map_values;
use crate::{DeriveError, Result};
use inside::Chunk;
use seqc_algebra::{Axis, Builder, Func, InputKind, Op, Out, Scan, SeqIn, Ty, ValueId, op::Num};
use std::collections::HashMap;
use values::{Factors, Hoist};

/// Why a scan has no chunked form; `None` if it has one.
pub fn obstacle(scan: &Scan) -> Option<String> {
    let (transition, linear) = classify(scan);
    let Some(l) = linear else {
        return Some(transition.why());
    };
    if let Some(why) = l.other_reads.first() {
        return Some(why.clone());
    }
    if l.k.is_empty() {
        return Some(
            "no axis of the state is contracted by a read, so there is no matrix product to gain"
                .into(),
        );
    }
    if l.v.is_empty() {
        return Some("every axis of the state has its own decay or read, so there is no matrix product to gain".into());
    }
    if l.terms.is_empty() {
        return Some("nothing is written to it".into());
    }
    if scan.tile.is_some() || scan.lo || scan.hi {
        return Some("it is tiled already".into());
    }
    if scan.outs.iter().any(|o| matches!(o, Out::Enter(_))) {
        return Some("its entering states are read".into());
    }
    if matches!(transition, crate::class::Transition::Dense(_)) {
        return Some(transition.why());
    }
    None
}

/// Rewrites every top-level scan that has a chunked form with chunks of `chunk` steps.
pub fn chunk_scans(func: &Func, chunk: usize) -> Result<Func> {
    map_values(func, |b, func, id, args| match func.op(id) {
        Op::Scan(scan) if obstacle(scan).is_none() => match classify(scan) {
            (_, Some(l)) => Ok(Some(chunk_one(b, scan, args, &l, chunk)?)),
            _ => Ok(None),
        },
        _ => Ok(None),
    })
}

/// One scan in chunks, with results in the same order.
fn chunk_one(
    b: &mut Builder,
    scan: &Scan,
    args: &[ValueId],
    l: &Linear,
    chunk: usize,
) -> Result<ValueId> {
    let mut hoist = Hoist {
        scan,
        args,
        memo: HashMap::new(),
        factors: Factors::new(),
    };
    let i = scan.axis.renamed(&format!("{}%i", scan.axis.name));
    let i = Axis::new(i.name.as_str(), chunk);
    let j = Axis::new(&format!("{}%j", scan.axis.name), chunk);
    let mut io = Io {
        body: Builder::new(&scan.body.name),
        seqs: vec![],
        fixed: vec![],
        axis: scan.axis,
        tile: i,
    };
    // The decay is one sequence, padded with 1; everything else is padded with 0.
    let decay = match &l.decay {
        None => None,
        Some(sum) => {
            let w = hoist.sum(b, sum)?;
            let w = per_sequence(b, w, args[0])?;
            let w = if b.has(w, scan.axis) {
                w
            } else {
                b.expand(w, &[scan.axis])?
            };
            Some(w)
        }
    };
    let mut outer = Factors::new();
    for f in products(l).flat_map(Product::all_factors) {
        let v = hoist.factor(b, f)?;
        outer.insert((f.value, f.how), per_sequence(b, v, args[0])?);
    }
    let varies = |p: &Product| {
        let of = |f: &Factor| b.has(outer[&(f.value, f.how)], scan.axis);
        p.all_factors().any(of)
    };
    let present = match l.terms.iter().any(|t| writes_always(t, varies)) {
        true => {
            let one = b.num(1.0);
            Some(b.expand(one, &[scan.axis])?)
        }
        false => None,
    };
    let state_ty = b.ty(args[0]).clone();
    io.body.input("pos", InputKind::Formal, Ty::real(vec![]));
    let state = io.body.input("state", InputKind::Formal, state_ty.clone());
    // The same value may be a decay, padded with 1, and a factor, padded with 0.
    let decay = decay.map(|w| (w, io.declare(b, w, 1.0)));
    let mut formal: HashMap<ValueId, ValueId> = HashMap::new();
    let mut wanted: Vec<ValueId> = outer.values().copied().chain(present).collect();
    wanted.sort();
    wanted.dedup();
    let (seq, fixed): (Vec<ValueId>, Vec<ValueId>) =
        wanted.into_iter().partition(|v| b.has(*v, scan.axis));
    for v in seq.into_iter().chain(fixed) {
        formal.insert(v, io.declare(b, v, 0.0));
    }
    let axes_of_decay: Vec<Axis> = decay.map(|(w, _)| b.axes(w).to_vec()).unwrap_or_default();
    let Io {
        body, seqs, fixed, ..
    } = io;
    let mut c = Chunk {
        b: body,
        i,
        j,
        k: l.k.clone(),
        diagonal: axes_of_decay.iter().any(|a| l.k.contains(a)),
        decays: None,
        present: present.map(|v| formal[&v]),
        reverse: scan.reverse,
    };
    let inner: Factors = outer
        .iter()
        .map(|(inside, out)| (*inside, formal[out]))
        .collect();
    c.decays = Some(match decay {
        Some((_, w)) => c.decays_of(w)?,
        None => c.no_decay()?,
    });
    let terms = c.written(&l.terms, &inner, state)?;
    let next = c.next_state(state, &terms)?;
    let missing: Vec<Axis> = state_ty
        .axes
        .iter()
        .copied()
        .filter(|a| !c.b.has(next, *a))
        .collect();
    let next = c.b.expand(next, &missing)?;
    c.b.result("state", next);
    let mut emits = HashMap::new();
    for (n, r) in l.reads.iter().enumerate() {
        let y = c.read(r, &inner, state, &terms)?;
        let old = scan.body.results[scan.states + r.emit].1;
        let missing: Vec<Axis> = scan
            .body
            .ty(old)
            .axes
            .iter()
            .copied()
            .filter(|a| !c.b.has(y, *a))
            .collect();
        let y = c.b.expand(y, &missing)?;
        let y = if c.b.has(y, i) {
            y
        } else {
            c.b.expand(y, &[i])?
        };
        c.b.result(&scan.body.results[scan.states + r.emit].0, y);
        emits.insert(r.emit, n);
    }
    let outs = scan.outs.iter().map(|o| match o {
        Out::Emit(e) => emits
            .get(e)
            .map(|n| Out::Emit(*n))
            .ok_or_else(|| DeriveError("an emitted value is not a read of the state".into())),
        other => Ok(*other),
    });
    let outs = outs.collect::<Result<Vec<Out>>>()?;
    let mut all = vec![args[0]];
    all.extend(seqs.iter().map(|(v, _)| *v));
    all.extend(&fixed);
    let new = Scan {
        axis: scan.axis,
        tile: Some(i),
        reverse: scan.reverse,
        states: 1,
        seqs: seqs
            .iter()
            .map(|(_, fill)| SeqIn { fill: Num(*fill) })
            .collect(),
        fixed: fixed.len(),
        lo: false,
        hi: false,
        body: c.b.finish(),
        outs,
    };
    Ok(b.push(Op::Scan(Box::new(new)), &all)?)
}

/// A value that the batch shares, with a copy for each sequence: its gradient is then summed over the batch outside
/// of the loop, in which a sequence is by itself. What no input reaches has no gradient and stays.
fn per_sequence(b: &mut Builder, v: ValueId, state: ValueId) -> Result<ValueId> {
    let batch = Axis::batch();
    if !b.has(state, batch) || b.has(v, batch) {
        return Ok(v);
    }
    let needed = b.func().needed([v]);
    let func = b.func();
    let learned = |id: ValueId| needed[id.index()] && matches!(func.op(id), Op::Input(_));
    match func.ids().any(learned) {
        true => Ok(b.expand(v, &[batch])?),
        false => Ok(v),
    }
}

/// Would the term write at a step whose sequences are 0? Not if its key varies with time, or all that it writes.
fn writes_always(t: &Term, varies: impl Fn(&Product) -> bool) -> bool {
    let value = t.values.iter().any(|v| !varies(v));
    let fed = (t.feedback.iter()).any(|(coef, read)| !varies(coef) && !varies(read));
    !varies(&t.key) && (value || fed)
}

/// Every vector and gate but the decay.
fn products(l: &Linear) -> impl Iterator<Item = &Product> {
    let terms = l.terms.iter().flat_map(|t| {
        let fed = t.feedback.iter().flat_map(|(coef, read)| [coef, read]);
        [&t.key].into_iter().chain(&t.values).chain(fed)
    });
    terms.chain(l.reads.iter().map(|r| &r.vector))
}

/// The new scan's inputs while they are collected.
struct Io {
    body: Builder,
    seqs: Vec<(ValueId, f64)>,
    fixed: Vec<ValueId>,
    axis: Axis,
    tile: Axis,
}

impl Io {
    /// Makes an outer value a sequence or a fixed input. Sequences must be declared before fixed values.
    fn declare(&mut self, b: &Builder, v: ValueId, fill: f64) -> ValueId {
        let axes = b
            .axes(v)
            .iter()
            .map(|a| if *a == self.axis { self.tile } else { *a })
            .collect();
        let name = b.func().value(v).name.map_or("x", |n| n.as_str());
        let ty = Ty {
            elem: b.elem(v),
            axes,
        };
        let formal = self.body.input(name, InputKind::Formal, ty);
        if b.has(v, self.axis) {
            self.seqs.push((v, fill));
        } else {
            self.fixed.push(v);
        }
        formal
    }
}
