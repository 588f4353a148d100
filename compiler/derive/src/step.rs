//! Law: a causal program over time equals one step applied at each time, with states that carry what later steps
//! read of earlier ones.
//!
//! Each operation says what it needs of the past: a shift or a short window its last values, a scan its state, a
//! sum over earlier positions `j` the values it reads there (a cache of run-time capacity `cache`), a long
//! convolution the inputs so far. Everything else is pointwise in time and stays as it is. [`step`] gives the
//! step; [`prefill`] gives the parallel program with the states after its last position as further results, so
//! that a prompt is read in one pass. Side condition: no operation looks ahead; the first that does is named.

use crate::affine::describe;
use crate::{DeriveError, Result};
use seqc_algebra::op::Num;
use seqc_algebra::{
    Axis, Builder, Elem, Func, InputKind, MapFn, Op, Out, Scan, Size, Sym, Ty, ValueId,
};
use std::collections::HashMap;

/// The clock that is stepped.
fn clock() -> Axis {
    Axis::time()
}

/// The length of caches: as many positions as a generation may have.
fn cache_len() -> Size {
    Size::Len(Sym::new("cache"))
}

/// An axis of the clock's length under another name, such as `j` or `lag`.
fn is_clocklike(a: &Axis) -> bool {
    a.size == clock().size
}

/// What must be carried from step to step.
#[derive(Clone, Debug)]
enum Carry {
    /// The last `n` values of `of`, newest first, along `lag`.
    Recent { of: ValueId, lag: Axis },
    /// Every value of `of` so far, along the axis `along`.
    All {
        of: ValueId,
        along: Axis,
        order: Order,
    },
    /// The first value of `of`.
    First { of: ValueId },
    /// State `k` of a scan.
    State { scan: ValueId, k: usize },
}

/// How earlier values lie: a window and a convolution count back from the present, a renamed clock counts from the
/// start. One value may be read both ways along one axis (a kernel read off the input that it is convolved with).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    NewestFirst,
    OldestFirst,
}

/// How each value of the program looks at one step.
struct Plan {
    carries: Vec<(String, Carry)>,
}

/// Which operation looks ahead, for a diagnostic.
fn ahead(func: &Func, id: ValueId) -> DeriveError {
    let name = func
        .value(id)
        .name
        .map_or(String::new(), |n| format!(" in `{n}`"));
    DeriveError(format!(
        "no step form: `{}`{name} reads later times",
        describe(func.op(id))
    ))
}

fn carries(func: &Func) -> Result<Plan> {
    let needed = needed(func);
    let mut carries: Vec<Carry> = Vec::new();
    let t = clock();
    for id in func.ids().filter(|id| needed[id.index()]) {
        let arg = func.args(id).first().copied();
        match (func.op(id), arg) {
            (Op::Shift { axis, by }, Some(of)) if *axis == t => {
                if *by < 0 {
                    return Err(ahead(func, id));
                }
                carries.push(Carry::Recent {
                    of,
                    lag: Axis::new("lag%", usize::try_from(*by).unwrap_or(0) + 1),
                });
            }
            (
                Op::Window {
                    axis,
                    lag,
                    ahead: false,
                },
                Some(of),
            ) if *axis == t => {
                carries.push(if is_clocklike(lag) {
                    Carry::All {
                        of,
                        along: *lag,
                        order: Order::NewestFirst,
                    }
                } else {
                    Carry::Recent { of, lag: *lag }
                });
            }
            (
                Op::Window {
                    axis, ahead: true, ..
                }
                | Op::Unwindow { axis, .. }
                | Op::Flip(axis),
                _,
            ) if *axis == t => {
                return Err(ahead(func, id));
            }
            (
                Op::Conv {
                    axis,
                    lag,
                    ahead: false,
                },
                _,
            ) if *axis == t => {
                carries.push(Carry::All {
                    of: func.args(id)[1],
                    along: *lag,
                    order: Order::NewestFirst,
                });
            }
            (Op::Conv { ahead: true, .. }, _) => return Err(ahead(func, id)),
            (Op::Rename { from, to }, Some(of)) if *from == t && summed_over(func, *to) => {
                carries.push(Carry::All {
                    of,
                    along: *to,
                    order: Order::OldestFirst,
                });
            }
            (Op::Gather(axis), Some(of)) if *axis == t && reads_first(func, id) => {
                carries.push(Carry::First { of });
            }
            (Op::Scan(scan), _) if scan.axis == t => {
                if scan.reverse || scan.tile.is_some() {
                    return Err(ahead(func, id));
                }
                carries.extend((0..scan.states).map(|k| Carry::State { scan: id, k }));
            }
            _ => {}
        }
    }
    let mut named: Vec<(String, Carry)> = Vec::new();
    for c in carries {
        let of = match &c {
            Carry::Recent { of, .. } | Carry::All { of, .. } | Carry::First { of } => *of,
            Carry::State { scan, .. } => *scan,
        };
        let hint = func.value(of).name.map_or("state", |n| n.as_str());
        named.push((format!("{}.{hint}", named.len()), c));
    }
    Ok(Plan { carries: named })
}

/// Is it a read of the first position?
fn reads_first(func: &Func, gather: ValueId) -> bool {
    let index = func.args(gather).get(1);
    index.is_some_and(|i| matches!(func.op(*i), Op::Const(Num(x)) if *x == 0.0))
}

/// What a step needs. A scan goes on from the state that it carries: what its states start from is past.
fn needed(func: &Func) -> Vec<bool> {
    let mut all = vec![false; func.values.len()];
    for (_, v) in &func.results {
        all[v.index()] = true;
    }
    for id in func.ids().rev() {
        if !all[id.index()] {
            continue;
        }
        let starts = match func.op(id) {
            Op::Scan(scan) if scan.axis == clock() => scan.states,
            _ => 0,
        };
        for a in &func.args(id)[starts..] {
            all[a.index()] = true;
        }
    }
    all
}

/// Is the axis summed (or normalised) over somewhere? Then it stands for earlier positions; else for the present.
fn summed_over(func: &Func, axis: Axis) -> bool {
    func.values.iter().any(|v| match &v.op {
        Op::Contract(axes) | Op::Reduce(_, axes) => axes.contains(&axis),
        Op::Softmax(a) | Op::LogSumExp(a) => *a == axis,
        Op::Conv { lag, .. } | Op::Window { lag, .. } => *lag == axis,
        _ => false,
    })
}

/// The axes that stand for the present in a step: the clock and its renamings that are never summed over.
fn is_present(func: &Func, a: Axis) -> bool {
    a == clock() || (is_clocklike(&a) && !summed_over(func, a))
}

/// One step: data inputs lose the clock, a scalar input `pos` gives the position, states are inputs of kind
/// `State` and results `state.NAME`.
pub fn step(func: &Func) -> Result<Func> {
    let plan = carries(func)?;
    let needed = needed(func);
    let mut s = Step {
        func,
        b: Builder::new(&func.name),
        image: vec![None; func.values.len()],
        old: vec![],
        new: vec![],
        pos: None,
        plan: &plan,
    };
    s.pos = Some(s.b.input("pos", InputKind::Data, Ty::real(vec![])));
    for (name, c) in &plan.carries {
        let ty = s.carry_ty(c);
        let v = s.b.input(name, InputKind::State, ty);
        s.old.push(v);
    }
    s.new = vec![None; plan.carries.len()];
    for id in func
        .ids()
        .filter(|id| needed[id.index()] || func.params.contains(id))
    {
        let v = s.value(id)?;
        if let (Some(v), Some(name)) = (v, func.value(id).name) {
            s.b.name(v, name.as_str());
        }
        s.image[id.index()] = v;
    }
    for (name, v) in &func.results {
        let Some(v) = s.image[v.index()] else {
            return Err(DeriveError(format!("result `{name}` has no step form")));
        };
        s.b.result(name, v);
    }
    for (k, (name, _)) in plan.carries.iter().enumerate() {
        let Some(v) = s.new[k] else {
            return Err(DeriveError(format!("state `{name}` is never written")));
        };
        s.b.result(&format!("state.{name}"), v);
    }
    Ok(s.b.finish())
}

struct Step<'a> {
    func: &'a Func,
    b: Builder,
    image: Vec<Option<ValueId>>,
    old: Vec<ValueId>,
    new: Vec<Option<ValueId>>,
    pos: Option<ValueId>,
    plan: &'a Plan,
}

impl Step<'_> {
    /// The axes of a value at one step: without the present, earlier positions along the cache.
    fn axes(&self, axes: &[Axis]) -> Vec<Axis> {
        axes.iter()
            .filter(|a| !is_present(self.func, **a))
            .map(cached)
            .collect()
    }

    fn carry_ty(&self, c: &Carry) -> Ty {
        match c {
            Carry::Recent { of, lag } => self.kept(*of, Some(*lag)),
            Carry::All { of, along, .. } => self.kept(*of, Some(cached(along))),
            Carry::First { of } => self.kept(*of, None),
            Carry::State { scan, k } => {
                let ty = self.func.ty(self.func.args(*scan)[*k]);
                Ty {
                    elem: ty.elem,
                    axes: self.axes(&ty.axes),
                }
            }
        }
    }

    /// The type of a carried value, along a further axis or not.
    fn kept(&self, of: ValueId, along: Option<Axis>) -> Ty {
        let mut axes = self.axes(&self.func.ty(of).axes);
        axes.extend(along);
        // Indices are kept as the numbers that they are.
        let complex = self.func.ty(of).elem == Elem::Complex;
        Ty {
            elem: if complex { Elem::Complex } else { Elem::Real },
            axes: seqc_algebra::shape::canonical(axes),
        }
    }

    fn find(&self, want: impl Fn(&Carry) -> bool) -> Result<usize> {
        self.plan
            .carries
            .iter()
            .position(|(_, c)| want(c))
            .ok_or_else(|| DeriveError("a state was not planned".into()))
    }

    fn arg(&self, id: ValueId, n: usize) -> Result<ValueId> {
        self.image[self.func.args(id)[n].index()]
            .ok_or_else(|| DeriveError("a value has no step form".into()))
    }

    fn pos(&self) -> Result<ValueId> {
        self.pos.ok_or_else(|| DeriveError("no position".into()))
    }

    /// The image of a value; `None` for scans, whose results have images.
    fn value(&mut self, id: ValueId) -> Result<Option<ValueId>> {
        let t = clock();
        Ok(Some(match self.func.op(id).clone() {
            Op::Input(input) => {
                let ty = self.func.ty(id);
                let ty = Ty {
                    elem: ty.elem,
                    axes: self.axes(&ty.axes),
                };
                self.b.input(input.name.as_str(), input.kind, ty)
            }
            Op::Iota(a) if is_present(self.func, a) => self.pos()?,
            Op::Iota(a) => self.b.iota(cached(&a))?,
            Op::Length(s) if Size::Len(s) == t.size => {
                let (pos, one) = (self.pos()?, self.b.num(1.0));
                self.b.add2(pos, one)?
            }
            Op::Shift { axis, by } if axis == t => {
                let x = self.arg(id, 0)?;
                let n = usize::try_from(by).unwrap_or(0);
                let of = self.func.args(id)[0];
                let k = self.find(|c| matches!(c, Carry::Recent { of: o, lag } if *o == of && lag.size == Size::Const(n + 1)))?;
                let recent = self.push_front(k, x, Axis::new("lag%", n + 1))?;
                self.b.push(
                    Op::Pick {
                        axis: Axis::new("lag%", n + 1),
                        index: n,
                    },
                    &[recent],
                )?
            }
            Op::Window { axis, lag, .. } if axis == t => {
                let x = self.arg(id, 0)?;
                let of = self.func.args(id)[0];
                let k = self.find(|c| match c {
                    Carry::Recent { of: o, lag: l } => *o == of && *l == lag,
                    other => all_of(other, of, lag, Order::NewestFirst),
                })?;
                self.push_front(k, x, cached(&lag))?
            }
            Op::Conv { axis, lag, .. } if axis == t => {
                let (f, x) = (self.arg(id, 0)?, self.arg(id, 1)?);
                let of = self.func.args(id)[1];
                let k = self.find(|c| all_of(c, of, lag, Order::NewestFirst))?;
                let recent = self.push_front(k, x, cached(&lag))?;
                self.b.contract(&[cached(&lag)], &[f, recent])?
            }
            Op::Rename { from, to } if from == t => {
                let x = self.arg(id, 0)?;
                if is_present(self.func, to) {
                    x
                } else {
                    let of = self.func.args(id)[0];
                    let k = self.find(|c| all_of(c, of, to, Order::OldestFirst))?;
                    self.append(k, x, cached(&to))?
                }
            }
            Op::Rename { from, to } if is_present(self.func, from) && is_present(self.func, to) => {
                self.arg(id, 0)?
            }
            Op::Gather(axis) if axis == t && reads_first(self.func, id) => {
                let (x, of) = (self.arg(id, 0)?, self.func.args(id)[0]);
                let k = self.find(|c| matches!(c, Carry::First { of: o } if *o == of))?;
                self.keep_first(k, x)?
            }
            Op::Scan(scan) if scan.axis == t => {
                self.scan_step(id, &scan)?;
                return Ok(None);
            }
            Op::Proj(k) if matches!(self.func.op(self.func.args(id)[0]), Op::Scan(s) if s.axis == t) =>
            {
                let _ = k;
                return Ok(self.image[id.index()]);
            }
            op => {
                let args = (0..self.func.args(id).len())
                    .map(|n| self.arg(id, n))
                    .collect::<Result<Vec<_>>>()?;
                let op = self.relabel(id, op)?;
                match op {
                    None => args[0],
                    Some(op) => self.b.push(op, &args)?,
                }
            }
        }))
    }

    /// The operation with its axes as they are at one step; an error if it works along the present.
    fn relabel(&self, id: ValueId, op: Op) -> Result<Option<Op>> {
        let all = |axes: &[Axis]| -> Result<Vec<Axis>> {
            if axes.iter().any(|a| is_present(self.func, *a)) {
                return Err(ahead(self.func, id));
            }
            Ok(axes.iter().map(cached).collect())
        };
        Ok(Some(match op {
            Op::Contract(axes) => Op::Contract(all(&axes)?),
            Op::Reduce(r, axes) => Op::Reduce(r, all(&axes)?),
            Op::Softmax(a) => Op::Softmax(all(&[a])?[0]),
            Op::LogSumExp(a) => Op::LogSumExp(all(&[a])?[0]),
            Op::Expand(axes) => {
                let kept = self.axes(&axes);
                if kept.is_empty() {
                    return Ok(None);
                }
                Op::Expand(kept)
            }
            Op::Rename { from, to } => Op::Rename {
                from: cached(&from),
                to: cached(&to),
            },
            Op::Gather(a) => Op::Gather(all(&[a])?[0]),
            other => other,
        }))
    }

    /// Carry `k` with `x` put in front along `lag`, the rest moved back by one.
    fn push_front(&mut self, k: usize, x: ValueId, lag: Axis) -> Result<ValueId> {
        if let Some(known) = self.new[k] {
            return Ok(known);
        }
        let moved = self.b.shift(self.old[k], lag, 1)?;
        let (at, zero) = (self.b.iota(lag)?, self.b.num(0.0));
        let first = self.b.map2(MapFn::Eq, at, zero)?;
        let v = self.b.select(first, x, moved)?;
        self.new[k] = Some(v);
        Ok(v)
    }

    /// Carry `k` with `x` at the present position along the cache.
    fn append(&mut self, k: usize, x: ValueId, along: Axis) -> Result<ValueId> {
        if let Some(known) = self.new[k] {
            return Ok(known);
        }
        let (at, pos) = (self.b.iota(along)?, self.pos()?);
        let here = self.b.map2(MapFn::Eq, at, pos)?;
        let v = self.b.select(here, x, self.old[k])?;
        self.new[k] = Some(v);
        Ok(v)
    }

    /// Carry `k`, which is `x` at the first position and stays.
    fn keep_first(&mut self, k: usize, x: ValueId) -> Result<ValueId> {
        if let Some(known) = self.new[k] {
            return Ok(known);
        }
        let (pos, zero) = (self.pos()?, self.b.num(0.0));
        let first = self.b.map2(MapFn::Eq, pos, zero)?;
        let v = self.b.select(first, x, self.old[k])?;
        self.new[k] = Some(v);
        Ok(v)
    }

    fn scan_step(&mut self, id: ValueId, scan: &Scan) -> Result<()> {
        let body = &scan.body;
        let mut given: HashMap<ValueId, ValueId> = HashMap::new();
        given.insert(body.params[0], self.pos()?);
        let mut at = Vec::new();
        for k in 0..scan.states {
            let n =
                self.find(|c| matches!(c, Carry::State { scan, k: s } if *scan == id && *s == k))?;
            at.push(n);
            given.insert(body.params[1 + k], self.old[n]);
        }
        for n in scan.states..body.params.len() - 1 {
            given.insert(body.params[1 + n], self.arg(id, n)?);
        }
        let image = self.b.inline(body, &given)?;
        let of = |v: ValueId| {
            image[v.index()].ok_or_else(|| DeriveError("a scan's result has no step form".into()))
        };
        for (k, n) in at.iter().enumerate() {
            self.new[*n] = Some(of(body.results[k].1)?);
        }
        for p in self
            .func
            .ids()
            .filter(|p| self.func.args(*p).first() == Some(&id))
        {
            let Op::Proj(k) = self.func.op(p) else {
                continue;
            };
            if let Out::Emit(e) = scan.outs[*k] {
                self.image[p.index()] = Some(of(body.results[scan.states + e].1)?);
            }
        }
        Ok(())
    }
}

fn cached(a: &Axis) -> Axis {
    if is_clocklike(a) {
        Axis {
            name: a.name,
            size: cache_len(),
        }
    } else {
        *a
    }
}

/// The parallel program with the states after its last position as results `state.NAME`, of the same names and
/// shapes as [`step`]'s. `func` must be the program that `step` was given (before any chunking).
pub fn prefill(func: &Func) -> Result<Func> {
    let plan = carries(func)?;
    let mut b = Builder::new(&func.name);
    let image = b.inline(func, &HashMap::new())?;
    let mut finals: HashMap<ValueId, Vec<ValueId>> = HashMap::new();
    for (name, v) in &func.results {
        if let Some(v) = image[v.index()] {
            b.result(name, v);
        }
    }
    let t = clock();
    let Size::Len(length) = t.size else {
        return Err(DeriveError("the clock has no length".into()));
    };
    for (name, c) in &plan.carries {
        let of = |v: ValueId| {
            image[v.index()].ok_or_else(|| DeriveError("a carried value was lost".into()))
        };
        let v = match c {
            Carry::State { scan, k } => {
                if !finals.contains_key(scan) {
                    let Op::Scan(s) = func.op(*scan) else {
                        continue;
                    };
                    let mut wider = (**s).clone();
                    wider.outs.extend((0..s.states).map(Out::Final));
                    let args = func
                        .args(*scan)
                        .iter()
                        .map(|a| of(*a))
                        .collect::<Result<Vec<_>>>()?;
                    let all = b.scan(wider, &args)?;
                    finals.insert(*scan, all[s.outs.len()..].to_vec());
                }
                finals[scan][*k]
            }
            Carry::Recent { of: v, lag } => newest_first(&mut b, of(*v)?, *lag, length)?,
            Carry::All {
                of: v,
                along,
                order: Order::NewestFirst,
            } => newest_first(&mut b, of(*v)?, cached(along), length)?,
            Carry::All {
                of: v,
                along,
                order: Order::OldestFirst,
            } => oldest_first(&mut b, of(*v)?, cached(along), length)?,
            Carry::First { of: v } => {
                let zero = b.num(0.0);
                b.push(Op::Gather(clock()), &[of(*v)?, zero])?
            }
        };
        b.result(&format!("state.{name}"), v);
    }
    merge_scans(&b.finish())
}

/// Is the carry every value of `of` along this axis, in this order?
fn all_of(c: &Carry, of: ValueId, axis: Axis, wanted: Order) -> bool {
    matches!(c, Carry::All { of: o, along, order } if *o == of && *along == axis && *order == wanted)
}

/// `y[l] = x[T-1-l]`, 0 before the start.
fn newest_first(b: &mut Builder, x: ValueId, lag: Axis, length: Sym) -> Result<ValueId> {
    let (l, one, zero) = (b.iota(lag)?, b.num(1.0), b.num(0.0));
    let len = b.push(Op::Length(length), &[])?;
    let last = b.sub(len, one)?;
    let at = b.sub(last, l)?;
    let inside = b.map2(MapFn::Ge, at, zero)?;
    let v = b.push(Op::Gather(clock()), &[x, at])?;
    Ok(b.select(inside, v, zero)?)
}

/// `y[j] = x[j]` for j < T, else 0.
fn oldest_first(b: &mut Builder, x: ValueId, along: Axis, length: Sym) -> Result<ValueId> {
    let (at, zero) = (b.iota(along)?, b.num(0.0));
    let len = b.push(Op::Length(length), &[])?;
    let inside = b.map2(MapFn::Lt, at, len)?;
    let v = b.push(Op::Gather(clock()), &[x, at])?;
    Ok(b.select(inside, v, zero)?)
}

/// Scans that differ only in what they give out become one.
fn merge_scans(func: &Func) -> Result<Func> {
    let live = func.live();
    let mut wide: HashMap<(Vec<ValueId>, Scan), (ValueId, Vec<Out>)> = HashMap::new();
    let key = |func: &Func, id: ValueId| match func.op(id) {
        Op::Scan(s) => {
            let mut s = (**s).clone();
            s.outs.clear();
            Some((func.args(id).to_vec(), s))
        }
        _ => None,
    };
    for id in func.ids().filter(|id| live[id.index()]) {
        let (Some(k), Op::Scan(s)) = (key(func, id), func.op(id)) else {
            continue;
        };
        let entry = wide.entry(k).or_insert((id, vec![]));
        for o in &s.outs {
            if !entry.1.contains(o) {
                entry.1.push(*o);
            }
        }
    }
    let mut made: HashMap<ValueId, ValueId> = HashMap::new();
    crate::rewrite::map_values(func, |b, func, id, args| match func.op(id) {
        Op::Scan(s) => {
            let Some(k) = key(func, id) else {
                return Ok(None);
            };
            let (first, outs) = &wide[&k];
            if let Some(v) = made.get(first) {
                return Ok(Some(*v));
            }
            let mut s = (**s).clone();
            s.outs = outs.clone();
            let v = b.push(Op::Scan(Box::new(s)), args)?;
            made.insert(*first, v);
            Ok(Some(v))
        }
        Op::Proj(n) => {
            let scan = func.args(id)[0];
            let (Some(k), Op::Scan(s)) = (key(func, scan), func.op(scan)) else {
                return Ok(None);
            };
            let at = wide[&k].1.iter().position(|o| *o == s.outs[*n]);
            match at {
                Some(at) => Ok(Some(b.push(Op::Proj(at), args)?)),
                None => Ok(None),
            }
        }
        _ => Ok(None),
    })
}
