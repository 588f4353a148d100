//! The scan over chunks: what enters it, its body, what it gives out.

use super::inside::Chunk;
use super::values::{Factors, Hoist};
use super::{products, writes_always};
use crate::affine::Factor;
use crate::class::{Gate, Linear, Product};
use crate::{DeriveError, Result};
use seqc_algebra::{Axis, Builder, Func, InputKind, Op, Out, Scan, SeqIn, Ty, ValueId, op::Num};
use std::collections::{HashMap, HashSet};

/// One scan in chunks, with results in the same order.
pub(super) fn chunk_one(
    b: &mut Builder,
    scan: &Scan,
    args: &[ValueId],
    l: &Linear,
    chunk: usize,
) -> Result<ValueId> {
    let states = &args[..scan.states];
    let outer = Outer::new(b, scan, args, l)?;
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
    io.body.input("pos", InputKind::Formal, Ty::real(vec![]));
    let kinds: Vec<Ty> = states.iter().map(|s| b.ty(*s).clone()).collect();
    let formals: Vec<ValueId> = (kinds.iter())
        .map(|ty| io.body.input("state", InputKind::Formal, ty.clone()))
        .collect();
    // The same value may be a gate, padded with 1, and a factor, padded with 0.
    let gates = outer.declare_gates(b, &mut io);
    let mut formal: HashMap<ValueId, ValueId> = HashMap::new();
    let (seq, fixed) = outer.wanted(b, scan.axis);
    for v in seq.into_iter().chain(fixed) {
        formal.insert(v, io.declare(b, v, 0.0));
    }
    let Io {
        body, seqs, fixed, ..
    } = io;
    let mut c = Chunk::new(body, (i, j), l, scan.reverse);
    c.present = outer.present.map(|v| formal[&v]);
    let present = outer.held.map(|v| formal[&v]);
    let inner: Factors = (outer.factors.iter())
        .map(|(inside, out)| (*inside, formal[out]))
        .collect();
    c.decays_of(l, &gates, present)?;
    let terms = c.written(&l.terms, &inner, &formals)?;
    for (z, ty) in kinds.iter().enumerate() {
        let next = c.next_state(z, &formals, &terms)?;
        let next = c.b.fill(next, &ty.axes)?;
        c.b.result("state", next);
    }
    let mut emits = HashMap::new();
    for (n, r) in l.reads.iter().enumerate() {
        let y = c.read(r, &inner, &formals, &terms)?;
        let (name, old) = &scan.body.results[scan.states + r.emit];
        let y = c.b.fill(y, &scan.body.ty(*old).axes)?;
        let y = c.b.fill(y, &[i])?;
        c.b.result(name, y);
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
    let mut all = states.to_vec();
    all.extend(seqs.iter().map(|(v, _)| *v));
    all.extend(&fixed);
    let new = Scan {
        axis: scan.axis,
        tile: Some(i),
        reverse: scan.reverse,
        states: scan.states,
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

/// A gate as it enters the scan: a sequence with the value that it is padded with.
pub(super) enum Gated {
    Zero,
    One,
    /// 1 at the steps that exist: between two states the padding must be 0.
    Present,
    Seq(ValueId),
}

/// What the chunks are made of, outside of the scan.
struct Outer {
    /// Every vector and coefficient.
    factors: Factors,
    /// The gates that are values, by state and source.
    gates: Vec<Vec<Option<ValueId>>>,
    linear: Vec<Vec<Gate>>,
    /// 1 at every step, if a term or a gate needs to know which steps exist.
    present: Option<ValueId>,
    held: Option<ValueId>,
}

impl Outer {
    fn new(b: &mut Builder, scan: &Scan, args: &[ValueId], l: &Linear) -> Result<Outer> {
        let mut hoist = Hoist::new(scan, args);
        let batched = &args[..scan.states];
        let n = scan.states;
        let mut gates = vec![vec![None; n]; n];
        for (z, w) in (0..n).flat_map(|z| (0..n).map(move |w| (z, w))) {
            let value = match &l.gates[z][w] {
                Gate::Sum(sum) => hoist.sum(b, sum)?,
                // It keeps nothing of itself, but does keep it where it is padded.
                Gate::Zero if z == w => b.num(0.0),
                _ => continue,
            };
            let value = per_sequence(b, value, batched)?;
            gates[z][w] = Some(b.fill(value, &[scan.axis])?);
        }
        let mut factors = Factors::new();
        for f in products(l).flat_map(Product::all_factors) {
            let v = hoist.factor(b, f)?;
            factors.insert((f.value, f.how), per_sequence(b, v, batched)?);
        }
        let varies = |p: &Product| {
            let of = |f: &Factor| b.has(factors[&(f.value, f.how)], scan.axis);
            p.all_factors().any(of)
        };
        let terms = l.terms.iter().any(|t| writes_always(t, varies));
        let between = (0..n).any(|z| (0..n).any(|w| z != w && l.gates[z][w] == Gate::One));
        let ones = match terms || between {
            true => {
                let one = b.num(1.0);
                Some(b.expand(one, &[scan.axis])?)
            }
            false => None,
        };
        Ok(Outer {
            factors,
            gates,
            linear: l.gates.clone(),
            present: ones.filter(|_| terms),
            held: ones.filter(|_| between),
        })
    }

    fn declare_gates(&self, b: &Builder, io: &mut Io) -> Vec<Vec<Gated>> {
        let n = self.gates.len();
        let gate = |io: &mut Io, z: usize, w: usize| match (self.gates[z][w], &self.linear[z][w]) {
            (Some(v), _) => Gated::Seq(io.declare(b, v, if z == w { 1.0 } else { 0.0 })),
            (None, Gate::One) if z == w => Gated::One,
            (None, Gate::One) => Gated::Present,
            (None, _) => Gated::Zero,
        };
        (0..n)
            .map(|z| (0..n).map(|w| gate(io, z, w)).collect())
            .collect()
    }

    /// Everything but the gates, sequences apart from what is fixed.
    fn wanted(&self, b: &Builder, axis: Axis) -> (Vec<ValueId>, Vec<ValueId>) {
        let ones = self.present.into_iter().chain(self.held);
        let mut all: Vec<ValueId> = self.factors.values().copied().chain(ones).collect();
        all.sort();
        all.dedup();
        all.into_iter().partition(|v| b.has(*v, axis))
    }
}

/// A value that the batch shares, with a copy for each sequence: its gradient is then summed over the batch outside
/// of the loop, in which a sequence is by itself. What no input reaches has no gradient and stays.
fn per_sequence(b: &mut Builder, v: ValueId, states: &[ValueId]) -> Result<ValueId> {
    let batch = Axis::batch();
    if !states.iter().any(|s| b.has(*s, batch)) || b.has(v, batch) {
        return Ok(v);
    }
    match reads_inputs(b.func(), v) {
        true => Ok(b.expand(v, &[batch])?),
        false => Ok(v),
    }
}

fn reads_inputs(func: &Func, v: ValueId) -> bool {
    let (mut seen, mut next) = (HashSet::new(), vec![v]);
    while let Some(v) = next.pop() {
        if matches!(func.op(v), Op::Input(_)) {
            return true;
        }
        next.extend(func.args(v).iter().filter(|a| seen.insert(**a)));
    }
    false
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
