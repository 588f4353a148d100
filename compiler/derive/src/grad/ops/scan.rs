//! Scans.
//!
//! The tangent of a scan is one scan over both: states, sequences and fixed values beside their tangents.
//!
//! The transpose runs over the same axis and tiles in the other direction. Each step reads the states on entry,
//! recomputes the body, and transposes it: the carried values are the cotangents of the states, the emitted ones
//! those of the sequences, and the final ones those of the initial states. Cotangents of emitted values are read
//! with fill 0 and emitted cotangents outside the sequence are dropped, so a ragged tail contributes nothing.
//! Bounds are handed through: steps that changed nothing have nothing to transpose.

use super::super::activity::{Activity, ScanActivity};
use super::super::parts::{fit, total, zeros};
use super::super::{forward, reverse};
use super::Result;
use super::scan_fixed::{Fixed, Routes};
use crate::grad::GradError;
use seqc_algebra::{Axis, Builder, Func, InputKind, Num, Op, Out, Scan, SeqIn, Ty, ValueId};

fn zero_fill() -> SeqIn {
    SeqIn { fill: Num(0.0) }
}

/// The combined scan, and which of its results is the tangent of each old one.
pub fn jvp(
    b: &mut Builder,
    scan: &Scan,
    args: &[ValueId],
    tangents: &[Option<ValueId>],
    act: &ScanActivity,
) -> Result<(ValueId, Vec<Option<usize>>)> {
    let body = &scan.body;
    let mut inner = Builder::new(&body.name);
    let mut dual = forward::Dual::new(body);
    let mut all = vec![];
    dual.value[body.params[0].index()] = Some(inner.copy(body.value(body.params[0]), &[])?);
    let bounds = body.params.len() - 1;
    let mut seqs = vec![];
    let mut counts = [0usize; 3];
    // States, sequences, fixed values; each group's tangents behind it.
    let groups = [
        0..scan.states,
        scan.states..scan.states + scan.seqs.len(),
        scan.states + scan.seqs.len()..bounds,
    ];
    for (g, group) in groups.into_iter().enumerate() {
        for k in group.clone() {
            let p = body.params[k + 1];
            dual.value[p.index()] = Some(inner.copy(body.value(p), &[])?);
            all.push(args[k]);
            counts[g] += 1;
            if g == 1 {
                seqs.push(scan.seqs[k - scan.states].clone());
            }
        }
        for k in group {
            let on = if g == 0 {
                act.states[k]
            } else {
                tangents[k].is_some()
            };
            if !on {
                continue;
            }
            let p = body.params[k + 1];
            let name = format!("d{}", body.input(p).map_or("", |i| i.name.as_str()));
            dual.tangent[p.index()] =
                Some(inner.input(&name, InputKind::Formal, body.ty(p).clone()));
            let ty = b.ty(args[k]).clone();
            all.push(match tangents[k] {
                Some(t) => t,
                None => zeros(b, &ty)?,
            });
            counts[g] += 1;
            if g == 1 {
                seqs.push(zero_fill());
            }
        }
    }
    all.extend_from_slice(&args[bounds..]);
    forward::forward(&mut inner, body, &mut dual)?;
    let (results, outs, map) = tangent_results(&mut inner, scan, &dual, act)?;
    for (name, v) in results {
        inner.result(&name, v);
    }
    let new = Scan {
        states: counts[0],
        seqs,
        fixed: counts[2],
        body: inner.finish(),
        outs,
        ..scan.clone()
    };
    Ok((b.push(Op::Scan(Box::new(new)), &all)?, map))
}

type Results = (Vec<(String, ValueId)>, Vec<Out>, Vec<Option<usize>>);

fn tangent_results(
    inner: &mut Builder,
    scan: &Scan,
    dual: &forward::Dual,
    act: &ScanActivity,
) -> Result<Results> {
    let body = &scan.body;
    let mut results = vec![];
    for (name, v) in &body.results[..scan.states] {
        results.push((name.clone(), dual.value_of(*v)?));
    }
    let mut tangent_state = vec![None; scan.states];
    for s in (0..scan.states).filter(|s| act.states[*s]) {
        let (name, v) = &body.results[s];
        let t = match dual.tangent[v.index()] {
            Some(t) => t,
            None => zeros(inner, body.ty(*v))?,
        };
        tangent_state[s] = Some(results.len());
        results.push((format!("d{name}"), t));
    }
    let states = results.len();
    for (name, v) in &body.results[scan.states..] {
        results.push((name.clone(), dual.value_of(*v)?));
    }
    let mut tangent_emit = vec![None; body.results.len() - scan.states];
    for (e, (name, v)) in body.results[scan.states..].iter().enumerate() {
        if let Some(t) = dual.tangent[v.index()] {
            tangent_emit[e] = Some(results.len() - states);
            results.push((format!("d{name}"), t));
        }
    }
    let mut outs = scan.outs.clone();
    let mut map = vec![];
    for out in &scan.outs {
        let new = match out {
            Out::Emit(e) => tangent_emit[*e].map(Out::Emit),
            Out::Final(s) => tangent_state[*s].map(Out::Final),
            Out::Enter(s) => tangent_state[*s].map(Out::Enter),
        };
        map.push(new.map(|o| {
            outs.push(o);
            outs.len() - 1
        }));
    }
    Ok((results, outs, map))
}

/// The cotangents that reach a scan, summed by what they are of.
struct Reached {
    finals: Vec<Option<ValueId>>,
    enters: Vec<Option<ValueId>>,
    emits: Vec<Option<ValueId>>,
}

impl Reached {
    fn new(b: &mut Builder, scan: &Scan, outs: &[Option<ValueId>]) -> Result<Reached> {
        let emits = scan.body.results.len() - scan.states;
        let mut r = Reached {
            finals: vec![None; scan.states],
            enters: vec![None; scan.states],
            emits: vec![None; emits],
        };
        for (out, g) in scan.outs.iter().zip(outs) {
            let Some(g) = g else { continue };
            let slot = match out {
                Out::Final(s) => &mut r.finals[*s],
                Out::Enter(s) => &mut r.enters[*s],
                Out::Emit(e) => &mut r.emits[*e],
            };
            *slot = Some(match slot {
                Some(old) => b.add2(*old, *g)?,
                None => *g,
            });
        }
        Ok(r)
    }

    /// Which states have a cotangent that is not zero by structure: those read from outside, or that reach such a
    /// state or an emitted value with a cotangent.
    fn states(&self, scan: &Scan, act: &ScanActivity) -> Vec<bool> {
        let body = &scan.body;
        let mut has: Vec<bool> = (0..scan.states)
            .map(|s| act.states[s] && (self.finals[s].is_some() || self.enters[s].is_some()))
            .collect();
        loop {
            let mut grown = has.clone();
            for s in (0..scan.states).filter(|s| act.states[*s] && !has[*s]) {
                let on = Activity::new(body, &[body.params[s + 1]]);
                let next = (0..scan.states).any(|n| has[n] && on.is(body.results[n].1));
                let emit = self
                    .emits
                    .iter()
                    .enumerate()
                    .any(|(e, g)| g.is_some() && on.is(body.results[scan.states + e].1));
                grown[s] = next || emit;
            }
            if grown == has {
                return has;
            }
            has = grown;
        }
    }
}

/// A formal parameter of the backward body and the outer value that feeds it.
#[derive(Clone)]
pub struct Formal {
    pub inner: ValueId,
    /// `None`: there is no way to lay it along the axis; it must turn out unused.
    pub outer: Option<ValueId>,
    /// For sequences.
    pub seq: Option<SeqIn>,
}

/// The backward body while it is being built.
pub struct Backward {
    pub b: Builder,
    pub position: ValueId,
    /// Carried: parameter, next value, initial value outside.
    pub states: Vec<(ValueId, ValueId, ValueId)>,
    pub inputs: Vec<Formal>,
    pub emits: Vec<ValueId>,
}

impl Backward {
    fn formal(
        &mut self,
        name: &str,
        ty: &Ty,
        outer: Option<ValueId>,
        seq: Option<SeqIn>,
    ) -> ValueId {
        let inner = self.b.input(name, InputKind::Formal, ty.clone());
        self.inputs.push(Formal { inner, outer, seq });
        inner
    }

    /// Emits a value, once; its place among the emitted ones.
    pub fn emit(&mut self, v: ValueId) -> usize {
        match self.emits.iter().position(|e| *e == v) {
            Some(k) => k,
            None => {
                self.emits.push(v);
                self.emits.len() - 1
            }
        }
    }
}

/// Contributions to the operands of the scan `id`, given cotangents of its results (by result, absent ones `None`).
pub fn vjp(
    b: &mut Builder,
    id: ValueId,
    outs: &[Option<ValueId>],
    act: &ScanActivity,
) -> Result<Vec<(usize, ValueId)>> {
    let Op::Scan(scan) = b.func().op(id).clone() else {
        return Ok(vec![]);
    };
    let args = b.func().args(id).to_vec();
    let reached = Reached::new(b, &scan, outs)?;
    if (scan.lo || scan.hi) && reached.enters.iter().any(Option::is_some) {
        return Err(GradError(
            "the entering states of a bounded scan have no derivative".into(),
        ));
    }
    let has = reached.states(&scan, act);
    let (mut back, image, carried) = recompute(b, id, &scan, &args, &reached, &has)?;
    // Transpose the body.
    let body = &scan.body;
    let inner = |v: ValueId| {
        image[v.index()].ok_or_else(|| GradError("a value of a body has no image".into()))
    };
    let mut seeds = vec![];
    for (s, g) in &carried.states {
        seeds.push((inner(body.results[*s].1)?, *g));
    }
    for (e, g) in &carried.emits {
        seeds.push((inner(body.results[scan.states + e].1)?, *g));
    }
    let first_fixed = scan.states + scan.seqs.len();
    let on = |k: usize| {
        if k < scan.states {
            act.states[k]
        } else {
            act.args[k]
        }
    };
    let mut roots = vec![];
    for k in (0..body.params.len() - 1).filter(|k| on(*k)) {
        roots.push(inner(body.params[k + 1])?);
    }
    let activity = Activity::new(back.b.func(), &roots);
    let lists = reverse::reverse(&mut back.b, &activity, seeds)?;
    let list = |k: usize| -> Result<Vec<ValueId>> {
        Ok(lists
            .get(inner(body.params[k + 1])?.index())
            .cloned()
            .unwrap_or_default())
    };
    // Carry the cotangents of states.
    for (s, g) in &carried.states {
        let mut sum = list(*s)?;
        sum.extend(
            carried
                .enters
                .iter()
                .filter(|(k, _)| k == s)
                .map(|(_, v)| *v),
        );
        let ty = body.ty(body.params[s + 1]).clone();
        let next = match total(&mut back.b, &sum)? {
            Some(v) => fit(&mut back.b, v, &ty)?,
            None => zeros(&mut back.b, &ty)?,
        };
        let start = match reached.finals[*s] {
            Some(g) => g,
            None => zeros(b, &ty)?,
        };
        back.states.push((*g, next, start));
    }
    // Emit the cotangents of sequences.
    let mut emitted = vec![];
    for k in (scan.states..first_fixed).filter(|k| on(*k)) {
        if let Some(v) = total(&mut back.b, &list(k)?)? {
            emitted.push((k, back.emit(v)));
        }
    }
    // Settle those of fixed values, then build the scan.
    let mut routes = Routes::default();
    let place = Fixed {
        scan: &scan,
        mapping: has.iter().all(|h| !h),
    };
    for k in (first_fixed..body.params.len() - 1).filter(|k| on(*k)) {
        for v in list(k)? {
            place.route(b, &mut back, &mut routes, k, v, args[k])?;
        }
    }
    let finals: Vec<usize> = (0..back.states.len()).collect();
    let new = assemble(b, &scan, back, &args)?;
    let mut out = vec![];
    for (k, e) in emitted {
        out.push((k, b.push(Op::Proj(finals.len() + e), &[new])?));
    }
    for (place, (s, _)) in carried.states.iter().enumerate() {
        if act.args[*s] {
            out.push((*s, b.push(Op::Proj(place), &[new])?));
        }
    }
    out.extend(routes.finish(b, &scan, new, finals.len(), &args)?);
    Ok(out)
}

/// Parameters of the backward body that hold cotangents, by state or emitted value.
struct Carried {
    states: Vec<(usize, ValueId)>,
    enters: Vec<(usize, ValueId)>,
    emits: Vec<(usize, ValueId)>,
}

/// The backward body with the forward values in it.
fn recompute(
    b: &mut Builder,
    id: ValueId,
    scan: &Scan,
    args: &[ValueId],
    reached: &Reached,
    has: &[bool],
) -> Result<(Backward, Vec<Option<ValueId>>, Carried)> {
    let body = &scan.body;
    let mut inner = Builder::new(&format!("{}.back", body.name));
    let position = inner.copy(body.value(body.params[0]), &[])?;
    let mut back = Backward {
        b: inner,
        position,
        states: vec![],
        inputs: vec![],
        emits: vec![],
    };
    let mut image = vec![None; body.values.len()];
    image[body.params[0].index()] = Some(position);
    let mut carried = Carried {
        states: vec![],
        enters: vec![],
        emits: vec![],
    };
    for s in (0..scan.states).filter(|s| has[*s]) {
        let ty = body.ty(body.params[s + 1]);
        carried.states.push((
            s,
            back.b
                .input(&format!("g{s}"), InputKind::Formal, ty.clone()),
        ));
    }
    for (k, (p, arg)) in body.params[1..].iter().zip(args).enumerate() {
        let p = *p;
        let name = body.input(p).map_or("x", |i| i.name.as_str());
        let (outer, seq) = if k < scan.states {
            let enter = scan.outs.iter().position(|o| *o == Out::Enter(k));
            let enter =
                enter.ok_or_else(|| GradError("a scan lacks its states on entry".into()))?;
            let clash = body.ty(p).axes.iter().any(|a| a.name == along(scan).name);
            (
                if clash {
                    None
                } else {
                    Some(b.push(Op::Proj(enter), &[id])?)
                },
                Some(zero_fill()),
            )
        } else {
            (Some(*arg), scan.seqs.get(k - scan.states).cloned())
        };
        image[p.index()] = Some(back.formal(name, body.ty(p), outer, seq));
    }
    for (e, g) in reached.emits.iter().enumerate() {
        if let Some(g) = g {
            let ty = body.ty(body.results[scan.states + e].1);
            carried.emits.push((
                e,
                back.formal(&format!("ge{e}"), ty, Some(*g), Some(zero_fill())),
            ));
        }
    }
    for (s, g) in reached.enters.iter().enumerate() {
        if let Some(g) = g.filter(|_| has[s]) {
            let ty = body.ty(body.params[s + 1]);
            carried.enters.push((
                s,
                back.formal(&format!("gs{s}"), ty, Some(g), Some(zero_fill())),
            ));
        }
    }
    let image = reverse::copy_in(&mut back.b, body, image)?;
    Ok((back, image, carried))
}

/// Orders the parameters, drops what is dead, and adds the scan: all final states first, then the emitted values.
fn assemble(b: &mut Builder, scan: &Scan, mut back: Backward, args: &[ValueId]) -> Result<ValueId> {
    for (k, (_, next, _)) in back.states.iter().enumerate() {
        back.b.result(&format!("s{k}"), *next);
    }
    for (k, v) in back.emits.iter().enumerate() {
        back.b.result(&format!("e{k}"), *v);
    }
    let from: Func = back.b.finish();
    let mut inner = Builder::new(&from.name);
    let mut given = std::collections::HashMap::new();
    let mut all = vec![];
    given.insert(back.position, inner.copy(from.value(back.position), &[])?);
    for (p, _, start) in &back.states {
        given.insert(*p, inner.copy(from.value(*p), &[])?);
        all.push(*start);
    }
    let (seq, fixed): (Vec<&Formal>, Vec<&Formal>) =
        back.inputs.iter().partition(|f| f.seq.is_some());
    let live = from.live();
    let (seq, fixed) = (
        seq.into_iter()
            .filter(|f| live[f.inner.index()])
            .collect::<Vec<_>>(),
        fixed,
    );
    for f in seq.iter().chain(&fixed) {
        given.insert(f.inner, inner.copy(from.value(f.inner), &[])?);
        let name = from.input(f.inner).map_or("", |i| i.name.as_str());
        all.push(f.outer.ok_or_else(|| {
            let axis = along(scan).name;
            GradError(format!("state `{name}` of a scan over `{axis}` has an axis of that name: its values cannot be kept for the gradient"))
        })?);
    }
    let bounds = scan.states + scan.seqs.len() + scan.fixed;
    all.extend_from_slice(&args[bounds..]);
    let image = inner.inline(&from, &given)?;
    for (name, v) in &from.results {
        inner.result(
            name,
            image[v.index()].ok_or_else(|| GradError("a result of a body is lost".into()))?,
        );
    }
    let finals = (0..back.states.len()).map(Out::Final);
    let new = Scan {
        axis: scan.axis,
        tile: scan.tile,
        reverse: !scan.reverse,
        states: back.states.len(),
        seqs: seq.iter().filter_map(|f| f.seq.clone()).collect(),
        fixed: fixed.len(),
        lo: scan.lo,
        hi: scan.hi,
        body: inner.finish(),
        outs: finals.chain((0..back.emits.len()).map(Out::Emit)).collect(),
    };
    Ok(b.push(Op::Scan(Box::new(new)), &all)?)
}

/// The axis along which a scan lays what has no tile axis.
pub fn along(scan: &Scan) -> Axis {
    match scan.tile.and_then(|c| c.size.constant()) {
        Some(c) => seqc_algebra::shape::tiles(scan.axis, c),
        None => scan.axis,
    }
}
