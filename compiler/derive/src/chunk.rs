//! Law: a recurrence that is affine in its state, with a transition `diag(decay) + at most one rank-one term`,
//! equals a scan over chunks of C steps whose inside is matrix products (derivation calculus §2.2–2.5).
//!
//! With `pre_i` the product of decays up to i, `D_ij` the product over j+1..i, `suf_j` over j+1..C:
//! ```text
//! u      solves  u_i = value_i + coef_i (pex_i read_i·S + Σ_{j<i} Dex_ij (read_i·key_j) u_j)
//! y_i  = pre_i q_i·S + Σ_{j<=i} D_ij (q_i·key_j) u_j
//! S'   = tot S + Σ_j suf_j key_j u_j
//! ```
//! Decays enter as products over contiguous ranges only (never as quotients or differences of logarithms), so
//! gates of exactly 0 or 1, negative gates and underflow are ordinary cases. A tail shorter than C is padded with
//! decay 1 and zero keys, values and reads, which changes neither state nor outputs; factors are padded as they enter
//! the products (`1/x`, not `x`), and what is written at every step alike is written at the steps that exist.
//! Side conditions: one state; every emitted value is a read; K and V are not empty; at most one term feeds back.

use crate::affine::{Factor, How};
use crate::class::{Linear, Product, Read, Term, classify};
use crate::{DeriveError, Result};
use seqc_algebra::{
    Axis, Builder, Elem, Func, InputKind, MapFn, Op, Out, Scan, SeqIn, Ty, ValueId, op::Num,
};
use std::collections::HashMap;

/// Why a scan has no chunked form; `None` if it has one.
pub fn obstacle(scan: &Scan) -> Option<String> {
    let (transition, linear) = classify(scan);
    let Some(l) = linear else {
        return Some(format!("its transition is {transition}"));
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
    if l.terms.is_empty() || l.terms.iter().filter(|t| t.feedback.is_some()).count() > 1 {
        return Some("more than one rank-one term feeds the state back".into());
    }
    if scan.tile.is_some() || scan.lo || scan.hi {
        return Some("it is tiled already".into());
    }
    if scan.outs.iter().any(|o| matches!(o, Out::Enter(_))) {
        return Some("its entering states are read".into());
    }
    if matches!(transition, crate::class::Transition::Dense(_)) {
        return Some(format!("its transition is {transition}"));
    }
    None
}

/// Rewrites every top-level scan that has a chunked form with chunks of `chunk` steps.
pub fn chunk_scans(func: &Func, chunk: usize) -> Result<Func> {
    let mut b = Builder::new(&func.name);
    let mut image: Vec<Option<ValueId>> = vec![None; func.values.len()];
    let mut chunked: HashMap<ValueId, Vec<ValueId>> = HashMap::new();
    let live = func.live();
    for id in func
        .ids()
        .filter(|id| live[id.index()] || func.params.contains(id))
    {
        let args: Vec<ValueId> = func
            .args(id)
            .iter()
            .filter_map(|a| image[a.index()])
            .collect();
        let new = match func.op(id) {
            Op::Scan(scan) if obstacle(scan).is_none() => {
                let (_, Some(l)) = classify(scan) else {
                    continue;
                };
                chunked.insert(id, chunk_one(&mut b, scan, &args, &l, chunk)?);
                continue;
            }
            Op::Proj(k) if chunked.contains_key(&func.args(id)[0]) => {
                chunked[&func.args(id)[0]][*k]
            }
            _ => b.copy(func.value(id), &args)?,
        };
        if let Some(name) = func.value(id).name {
            b.name(new, name.as_str());
        }
        image[id.index()] = Some(new);
    }
    for (name, v) in &func.results {
        if let Some(v) = image[v.index()] {
            b.result(name, v);
        }
    }
    Ok(b.finish())
}

/// One scan in chunks; returns a value for each of its results.
fn chunk_one(
    b: &mut Builder,
    scan: &Scan,
    args: &[ValueId],
    l: &Linear,
    chunk: usize,
) -> Result<Vec<ValueId>> {
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
    let products = l.terms.iter().flat_map(|t| {
        [
            Some(&t.key),
            t.value.as_ref(),
            t.feedback.as_ref().map(|f| &f.0),
            t.feedback.as_ref().map(|f| &f.1),
        ]
    });
    let products: Vec<&Product> = products
        .flatten()
        .chain(l.reads.iter().map(|r| &r.vector))
        .collect();
    for f in products.iter().flat_map(|p| &p.factors) {
        let v = hoist.factor(b, f)?;
        outer.insert((f.value, f.how), per_sequence(b, v, args[0])?);
    }
    let varies = |p: &Product| {
        let of = |f: &Factor| b.has(outer[&(f.value, f.how)], scan.axis);
        p.factors.iter().any(of)
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
    let mut terms = Vec::new();
    for t in order_terms(&l.terms) {
        let term = c.term(t, &inner, state, &terms)?;
        terms.push(term);
    }
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
    Ok(b.scan(new, &all)?)
}

/// Terms without feedback first: the one that feeds back reads their values.
fn order_terms(terms: &[Term]) -> Vec<&Term> {
    let mut all: Vec<&Term> = terms.iter().collect();
    all.sort_by_key(|t| t.feedback.is_some());
    all
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
    let value = t.value.as_ref().is_some_and(|v| !varies(v));
    let fed = (t.feedback.as_ref()).is_some_and(|(coef, read)| !varies(coef) && !varies(read));
    !varies(&t.key) && (value || fed)
}

/// Values of factors as they enter products, before renaming.
type Factors = HashMap<(ValueId, How), ValueId>;

/// Recomputes values of a body that are free of the state outside the scan, over the whole axis. Operations are
/// written over named axes, so the same operation on the whole sequences is the value at every step.
struct Hoist<'a> {
    scan: &'a Scan,
    args: &'a [ValueId],
    memo: HashMap<ValueId, ValueId>,
    factors: Factors,
}

impl Hoist<'_> {
    fn value(&mut self, b: &mut Builder, v: ValueId) -> Result<ValueId> {
        if let Some(known) = self.memo.get(&v) {
            return Ok(*known);
        }
        let body = &self.scan.body;
        let new = match body.params.iter().position(|p| *p == v) {
            Some(0) => b.iota(self.scan.axis)?,
            Some(k) if k > self.scan.states => self.args[k - 1],
            Some(_) => {
                return Err(DeriveError(
                    "a factor of the recurrence depends on its state".into(),
                ));
            }
            None => {
                if matches!(body.op(v), Op::Scan(_) | Op::Proj(_)) {
                    return Err(DeriveError(
                        "a factor of the recurrence is itself a recurrence inside the step".into(),
                    ));
                }
                let args = body
                    .args(v)
                    .iter()
                    .map(|a| self.value(b, *a))
                    .collect::<Result<Vec<_>>>()?;
                let new = b.push(body.op(v).clone(), &args)?;
                if let Some(name) = body.value(v).name {
                    b.name(new, name.as_str());
                }
                new
            }
        };
        self.memo.insert(v, new);
        Ok(new)
    }

    fn sum(&mut self, b: &mut Builder, products: &[Product]) -> Result<ValueId> {
        let mut all: Option<ValueId> = None;
        for p in products {
            let x = self.product(b, p)?;
            all = Some(match all {
                None => x,
                Some(y) => b.add2(y, x)?,
            });
        }
        Ok(all.unwrap_or_else(|| b.num(0.0)))
    }

    fn product(&mut self, b: &mut Builder, p: &Product) -> Result<ValueId> {
        let values = p
            .factors
            .iter()
            .map(|f| Ok(((f.value, f.how), self.factor(b, f)?)))
            .collect::<Result<Factors>>()?;
        multiply(b, p, &values)
    }

    /// A factor as it enters a product, before renaming.
    fn factor(&mut self, b: &mut Builder, f: &Factor) -> Result<ValueId> {
        let v = self.value(b, f.value)?;
        if f.how == How::Times {
            return Ok(v);
        }
        if let Some(known) = self.factors.get(&(f.value, f.how)) {
            return Ok(*known);
        }
        let (zero, one) = (b.num(0.0), b.num(1.0));
        let new = match f.how {
            How::Times => v,
            How::Over => b.div(one, v)?,
            How::Where => b.select(v, one, zero)?,
            How::Unless => b.select(v, zero, one)?,
        };
        self.factors.insert((f.value, f.how), new);
        Ok(new)
    }
}

/// The product as a value, given values for its factors.
fn multiply(b: &mut Builder, p: &Product, values: &Factors) -> Result<ValueId> {
    let mut all: Option<ValueId> = None;
    for f in &p.factors {
        let mut x = values[&(f.value, f.how)];
        for (from, to) in &f.renamed {
            x = b.rename(x, *from, *to)?;
        }
        all = Some(match all {
            None => x,
            Some(y) => b.mul(y, x)?,
        });
    }
    let scale = b.num(p.scale);
    match all {
        None => Ok(scale),
        Some(v) => Ok(b.mul(v, scale)?),
    }
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

/// Products of decays inside a chunk; `None` where they are all 1.
#[derive(Clone, Copy)]
struct Decays {
    /// over ..=i and over ..i, along i
    pre: Option<ValueId>,
    pex: Option<ValueId>,
    /// `D_ij` over j+1..=i for j <= i, else 0; and over j+1..i for j < i, else 0
    within: ValueId,
    within_ex: ValueId,
    /// over j+1.., along i
    suf: Option<ValueId>,
    tot: Option<ValueId>,
}

/// A rank-one input inside the chunk: key and what it writes, both along i.
#[derive(Clone, Copy)]
struct Written {
    key: ValueId,
    value: ValueId,
}

/// The chunk's body under construction.
struct Chunk {
    b: Builder,
    i: Axis,
    j: Axis,
    k: Vec<Axis>,
    diagonal: bool,
    decays: Option<Decays>,
    /// 1 at steps that exist, 0 at those that are padded, if some term needs it.
    present: Option<ValueId>,
    reverse: bool,
}

impl Chunk {
    fn decays(&self) -> Result<Decays> {
        self.decays
            .ok_or_else(|| DeriveError("decays are made first".into()))
    }

    /// One pass over the chunk carries the running product and, for each source j, the product since j.
    fn decays_of(&mut self, w: ValueId) -> Result<Decays> {
        let (i, j) = (self.i, self.j);
        let row: Vec<Axis> = self.b.axes(w).iter().copied().filter(|a| *a != i).collect();
        let grid = seqc_algebra::shape::canonical([row.clone(), vec![j]].concat());
        let elem = self.b.elem(w);
        let kind = |axes: &[Axis]| Ty {
            elem,
            axes: axes.to_vec(),
        };
        let mut body = Builder::new("decay");
        let pos = body.input("pos", InputKind::Formal, Ty::real(vec![]));
        let p = body.input("p", InputKind::Formal, kind(&row));
        let d = body.input("d", InputKind::Formal, kind(&grid));
        let a = body.input("a", InputKind::Formal, kind(&row));
        let p2 = body.mul(a, p)?;
        let at = body.iota(j)?;
        let here = body.map2(MapFn::Eq, at, pos)?;
        let one = body.num(1.0);
        let decayed = body.mul(a, d)?;
        let d2 = body.select(here, one, decayed)?;
        body.result("p", p2);
        body.result("d", d2);
        body.result("pre", p2);
        body.result("within", d2);
        let p0 = self.start(1.0, kind(&row))?;
        let d0 = self.start(0.0, kind(&grid))?;
        let scan = Scan {
            axis: i,
            tile: None,
            reverse: self.reverse,
            states: 2,
            seqs: vec![SeqIn { fill: Num(1.0) }],
            fixed: 0,
            lo: false,
            hi: false,
            body: body.finish(),
            outs: vec![
                Out::Emit(0),
                Out::Emit(1),
                Out::Enter(0),
                Out::Enter(1),
                Out::Final(0),
                Out::Final(1),
            ],
        };
        let r = self.b.scan(scan, &[p0, d0, w])?;
        let suf = self.b.rename(r[5], j, i)?;
        Ok(Decays {
            pre: Some(r[0]),
            within: r[1],
            pex: Some(r[2]),
            within_ex: r[3],
            tot: Some(r[4]),
            suf: Some(suf),
        })
    }

    /// `x` everywhere.
    fn start(&mut self, x: f64, ty: Ty) -> Result<ValueId> {
        let mut v = self.b.num(x);
        if ty.elem == Elem::Complex {
            let zero = self.b.num(0.0);
            v = self.b.map2(MapFn::Complex, v, zero)?;
        }
        Ok(self.b.expand(v, &ty.axes)?)
    }

    fn no_decay(&mut self) -> Result<Decays> {
        let (at, from) = (self.b.iota(self.i)?, self.b.iota(self.j)?);
        let (zero, one) = (self.b.num(0.0), self.b.num(1.0));
        let (incl, excl) = if self.reverse {
            (MapFn::Ge, MapFn::Gt)
        } else {
            (MapFn::Le, MapFn::Lt)
        };
        let m = self.b.map2(incl, from, at)?;
        let within = self.b.select(m, one, zero)?;
        let m = self.b.map2(excl, from, at)?;
        let within_ex = self.b.select(m, one, zero)?;
        Ok(Decays {
            pre: None,
            pex: None,
            within,
            within_ex,
            suf: None,
            tot: None,
        })
    }

    /// `x` along the axes of K that neither it nor `y` has: a sum over them counts their positions (a mean over the
    /// state, fed back to all of it).
    fn over_k(&mut self, x: ValueId, y: ValueId) -> Result<ValueId> {
        let missing = |a: &&Axis| !self.b.has(x, **a) && !self.b.has(y, **a);
        let missing: Vec<Axis> = self.k.iter().filter(missing).copied().collect();
        match missing.is_empty() {
            true => Ok(x),
            false => Ok(self.b.expand(x, &missing)?),
        }
    }

    /// `Σ_K x_i y_j D_ij` as a matrix over i and j.
    fn decayed(&mut self, x: ValueId, y: ValueId, within: ValueId) -> Result<ValueId> {
        let x = self.over_k(x, y)?;
        let k = self.k.clone();
        let y = if self.b.has(y, self.i) {
            self.b.rename(y, self.i, self.j)?
        } else {
            y
        };
        if self.diagonal {
            return Ok(self.b.contract(&k, &[x, y, within])?);
        }
        let m = self.b.contract(&k, &[x, y])?;
        Ok(self.b.mul(m, within)?)
    }

    /// `Σ_K p_i x_i S`
    fn from_state(&mut self, x: ValueId, p: Option<ValueId>, state: ValueId) -> Result<ValueId> {
        match p {
            None => Ok(self.b.contract(&self.k.clone(), &[x, state])?),
            Some(p) if self.diagonal => {
                let x = self.b.mul(x, p)?;
                Ok(self.b.contract(&self.k.clone(), &[x, state])?)
            }
            Some(p) => {
                let y = self.b.contract(&self.k.clone(), &[x, state])?;
                Ok(self.b.mul(y, p)?)
            }
        }
    }

    /// `Σ_j m_ij u_j`
    fn mix(&mut self, m: ValueId, u: ValueId) -> Result<ValueId> {
        let u = if self.b.has(u, self.i) {
            self.b.rename(u, self.i, self.j)?
        } else {
            u
        };
        Ok(self.b.contract(&[self.j], &[m, u])?)
    }

    fn term(
        &mut self,
        t: &Term,
        inner: &Factors,
        state: ValueId,
        known: &[Written],
    ) -> Result<Written> {
        let d = self.decays()?;
        let mut key = multiply(&mut self.b, &t.key, inner)?;
        let varies = |p: &Product| {
            let of = |f: &Factor| self.b.has(inner[&(f.value, f.how)], self.i);
            p.factors.iter().any(of)
        };
        if let (Some(present), true) = (self.present, writes_always(t, varies)) {
            key = self.b.mul(key, present)?;
        }
        let value = t
            .value
            .as_ref()
            .map(|p| multiply(&mut self.b, p, inner))
            .transpose()?;
        let Some((coef, read)) = &t.feedback else {
            return match value {
                Some(value) => Ok(Written { key, value }),
                None => Err(DeriveError("a term that writes nothing".into())),
            };
        };
        let coef = multiply(&mut self.b, coef, inner)?;
        let read = multiply(&mut self.b, read, inner)?;
        let mut seen = self.from_state(read, d.pex, state)?;
        for w in known {
            let m = self.decayed(read, w.key, d.within_ex)?;
            let y = self.mix(m, w.value)?;
            seen = self.b.add2(seen, y)?;
        }
        let fed = self.b.mul(seen, coef)?;
        let mut rhs = match value {
            Some(v) => self.b.add2(fed, v)?,
            None => fed,
        };
        if !self.b.has(rhs, self.i) {
            rhs = self.b.expand(rhs, &[self.i])?;
        }
        let m = self.decayed(read, key, d.within_ex)?;
        let m = self.b.mul(m, coef)?;
        let m = self.b.neg(m)?;
        let value = if self.reverse {
            // Upper triangular: the unknowns' axis is the matrix's second one.
            let rhs = self.b.rename(rhs, self.i, self.j)?;
            let u = self.b.push(
                Op::Solve {
                    row: self.j,
                    col: self.i,
                    transpose: true,
                },
                &[m, rhs],
            )?;
            self.b.rename(u, self.j, self.i)?
        } else {
            self.b.push(
                Op::Solve {
                    row: self.i,
                    col: self.j,
                    transpose: false,
                },
                &[m, rhs],
            )?
        };
        Ok(Written { key, value })
    }

    fn next_state(&mut self, state: ValueId, terms: &[Written]) -> Result<ValueId> {
        let d = self.decays()?;
        let mut next = match d.tot {
            Some(tot) => self.b.mul(state, tot)?,
            None => state,
        };
        for w in terms {
            let (mut key, mut value) = (w.key, w.value);
            match d.suf {
                Some(suf) if self.diagonal => key = self.b.mul(key, suf)?,
                Some(suf) => value = self.b.mul(value, suf)?,
                None => {}
            }
            let written = self.b.contract(&[self.i], &[key, value])?;
            next = self.b.add2(next, written)?;
        }
        Ok(next)
    }

    fn read(
        &mut self,
        r: &Read,
        inner: &Factors,
        state: ValueId,
        terms: &[Written],
    ) -> Result<ValueId> {
        let d = self.decays()?;
        let q = multiply(&mut self.b, &r.vector, inner)?;
        let (pre, within) = if r.inclusive {
            (d.pre, d.within)
        } else {
            (d.pex, d.within_ex)
        };
        let mut y = self.from_state(q, pre, state)?;
        for w in terms {
            let m = self.decayed(q, w.key, within)?;
            let part = self.mix(m, w.value)?;
            y = self.b.add2(y, part)?;
        }
        Ok(y)
    }
}
