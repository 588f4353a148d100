//! Where values with two time axes leave as values with one, and which of those exits share one pass.

use super::{is_long, long_axes};
use crate::Result;
use crate::rewrite::map_values;
use crate::softmax::anchored;
use seqc_algebra::{Axis, Builder, Func, MapFn, Op, ReduceOp, ValueId};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Exits that keep one axis and stream the other in the same pass.
#[derive(Clone, Debug)]
pub struct Group {
    pub kept: Axis,
    pub streamed: Axis,
    pub exits: Vec<ValueId>,
    /// Online softmax: exits (by index) that are linear in `exp(s - lse)` with `lse` an exit of this group.
    pub online: Vec<Online>,
}

/// Exit number `exit` reads `weight = exp(s - lse')`, where exit number `lse` is `logsumexp s`. (The scores `s` may be
/// relative to a maximum that is an exit too.)
#[derive(Clone, Copy, Debug)]
pub struct Online {
    pub exit: usize,
    pub lse: usize,
    pub weight: ValueId,
}

pub fn is_pair(func: &Func, v: ValueId) -> bool {
    long_axes(func, v).len() == 2 && !matches!(func.op(v), Op::Scan(_))
}

/// A sum over both axes becomes a sum over one, then over the other; a sum by an index, one for each sequence and then
/// over the batch.
pub fn split_double(func: &Func) -> Result<Func> {
    map_values(func, |b, func, id, args| {
        let (axes, contract) = match func.op(id) {
            Op::Contract(axes) => (axes.clone(), true),
            Op::Reduce(ReduceOp::Sum, axes) => (axes.clone(), false),
            Op::ScatterAdd { axis, over } => return scattered(b, *axis, over, args),
            _ => return Ok(None),
        };
        let long: Vec<Axis> = axes.iter().copied().filter(is_long).collect();
        if long.len() != 2 || !args.iter().any(|a| is_pair(b.func(), *a)) {
            return Ok(None);
        }
        let (last, rest): (Vec<Axis>, Vec<Axis>) = axes
            .into_iter()
            .partition(|a| *a == long[0] || a.name.as_str() == "batch");
        let first = if contract {
            b.contract(&rest, args)?
        } else {
            b.sum(&rest, args[0])?
        };
        Ok(Some(b.sum(&last, first)?))
    })
}

fn scattered(
    b: &mut Builder,
    axis: Axis,
    over: &[Axis],
    args: &[ValueId],
) -> Result<Option<ValueId>> {
    let (batch, over): (Vec<Axis>, Vec<Axis>) = over.iter().partition(|a| **a == Axis::batch());
    if batch.is_empty() || !args.iter().any(|a| is_pair(b.func(), *a)) {
        return Ok(None);
    }
    let each = b.push(Op::ScatterAdd { axis, over }, args)?;
    Ok(Some(b.sum(&batch, each)?))
}

/// The kept and the streamed axis, if the value is an exit that the law covers; either may be either where both are
/// summed.
fn exit(func: &Func, id: ValueId) -> Vec<(Axis, Axis)> {
    let both = |kept, streamed| vec![(kept, streamed), (streamed, kept)];
    match (long_sum(func, id).as_deref(), &long_operands(func, id)[..]) {
        (Some(&[streamed]), &[a, b]) if a == streamed || b == streamed => {
            vec![(if a == streamed { b } else { a }, streamed)]
        }
        (Some([_, _]), &[a, b]) if is_scatter(func, id) => both(a, b),
        _ => vec![],
    }
}

/// A sum by an index, such as by the lag of an entry.
pub fn is_scatter(func: &Func, id: ValueId) -> bool {
    matches!(func.op(id), Op::ScatterAdd { .. })
}

/// The times that a value with pairs in its operands sums away, if they can be visited tile by tile.
fn long_sum(func: &Func, id: ValueId) -> Option<Vec<Axis>> {
    let over = match func.op(id) {
        Op::Contract(axes) | Op::Reduce(ReduceOp::Sum | ReduceOp::Max, axes) => axes.clone(),
        Op::ScatterAdd { axis, over } if axis.is_const() => over.clone(),
        Op::LogSumExp(axis) => vec![*axis],
        _ => return None,
    };
    let pairs = func.args(id).iter().any(|a| is_pair(func, *a));
    // Without a pair among the operands it is an ordinary product of two factors, like a convolution's.
    let tiled = pairs && !over.contains(&Axis::batch()) && cone_is_pointwise(func, id);
    tiled.then(|| over.into_iter().filter(is_long).collect())
}

/// The times of a value's operands.
fn long_operands(func: &Func, id: ValueId) -> Vec<Axis> {
    let mut axes: Vec<Axis> = Vec::new();
    for a in func.args(id).iter().flat_map(|a| long_axes(func, *a)) {
        if !axes.contains(&a) {
            axes.push(a);
        }
    }
    axes
}

/// Is every pair value above the exit one that can be recomputed in a tile?
fn cone_is_pointwise(func: &Func, id: ValueId) -> bool {
    func.args(id)
        .iter()
        .all(|a| recomputable(func, *a, false).is_ok())
}

/// Can a pair value be recomputed in a tile, from values of one time each? Else, the value above it that cannot.
/// `softmax`: asked before softmaxes along a time became weights with a normaliser of one time.
pub fn recomputable(func: &Func, v: ValueId, softmax: bool) -> std::result::Result<(), ValueId> {
    let mut stack: Vec<ValueId> = vec![v];
    let mut seen = HashSet::new();
    while let Some(v) = stack.pop() {
        if !is_pair(func, v) || !seen.insert(v) {
            continue;
        }
        let ok = match func.op(v) {
            Op::Map(_) | Op::Expand(_) => true,
            Op::Contract(axes) | Op::Reduce(_, axes) => axes.iter().all(|a| a.is_const()),
            Op::Softmax(a) => softmax || a.is_const(),
            Op::LogSumExp(a) | Op::Pick { axis: a, .. } | Op::Place { axis: a, .. } => a.is_const(),
            Op::Rename { from, to } => from.is_const() && to.is_const(),
            Op::Split { axis, .. } => axis.is_const(),
            Op::Merge { into, .. } => into.is_const(),
            // Of a table without a second time, or of what can be recomputed.
            Op::Gather(axis) => axis.is_const(),
            _ => false,
        };
        if !ok {
            return Err(v);
        }
        stack.extend(func.args(v));
    }
    Ok(())
}

/// All exits, grouped greedily in topological order.
pub fn groups(func: &Func) -> Vec<Group> {
    let live = func.live();
    let mut all = Groups::default();
    for id in func.ids() {
        all.follow(func, id);
        if live[id.index()] {
            all.place(func, id, &exit(func, id));
        }
    }
    all.groups
}

/// The groups while exits are placed, and who may share one: an exit is not held against all groups, but against those
/// that it has something in common with.
#[derive(Default)]
struct Groups {
    groups: Vec<Group>,
    /// The group of each exit, and the groups whose exits read a contraction.
    of_exit: HashMap<ValueId, usize>,
    of_heavy: HashMap<ValueId, BTreeSet<usize>>,
    /// For each value that has been passed, the groups that it depends on.
    below: Vec<Bits>,
}

impl Groups {
    /// What a value depends on, once that of its arguments is known.
    fn follow(&mut self, func: &Func, id: ValueId) {
        let mut below = Bits::default();
        for a in func.args(id) {
            below.join(&self.below[a.index()]);
        }
        self.below.push(below);
    }

    /// `ways`: the kept and the streamed axis, where the value is an exit.
    fn place(&mut self, func: &Func, id: ValueId, ways: &[(Axis, Axis)]) {
        let Some(&(kept, streamed)) = ways.first() else {
            return;
        };
        let cone = cone(func, id);
        let heavy: Vec<ValueId> = cone
            .iter()
            .copied()
            .filter(|v| is_heavy(func, *v))
            .collect();
        let n = self.shared(func, id, &cone, &heavy, ways);
        let n = n.unwrap_or_else(|| {
            self.groups.push(Group {
                kept,
                streamed,
                exits: vec![],
                online: vec![],
            });
            self.groups.len() - 1
        });
        self.groups[n].exits.push(id);
        self.of_exit.insert(id, n);
        self.below[id.index()].insert(n);
        for v in heavy {
            self.of_heavy.entry(v).or_default().insert(n);
        }
    }

    /// The first group that the exit may join.
    fn shared(
        &mut self,
        func: &Func,
        id: ValueId,
        cone: &[ValueId],
        heavy: &[ValueId],
        ways: &[(Axis, Axis)],
    ) -> Option<usize> {
        let related: BTreeSet<usize> = (heavy.iter())
            .filter_map(|v| self.of_heavy.get(v))
            .flatten()
            .copied()
            .collect();
        // A maximum that its scores are relative to, a normaliser that its weights have.
        let of_exit = |v: ValueId| self.of_exit.get(&v).copied();
        let weights = cone.iter().filter_map(|v| normaliser(func, *v));
        let anchored = matches!(func.op(id), Op::LogSumExp(_))
            .then(|| anchored(func, func.args(id)[0]))
            .flatten();
        let mut may: BTreeSet<usize> = weights.flatten().filter_map(of_exit).collect();
        may.extend(anchored.and_then(|(max, _)| of_exit(max)));
        may.extend(&related);
        for n in may {
            let g = &self.groups[n];
            // What the whole batch shares is made once for it, in a pass of its own.
            let batch = |v: ValueId| func.ty(v).has(Axis::batch());
            if !ways.contains(&(g.kept, g.streamed)) || batch(id) != batch(g.exits[0]) {
                continue;
            }
            let apart = !self.below[id.index()].has(n);
            if anchor(func, g, id).is_some() || apart && related.contains(&n) {
                return Some(n);
            }
            let dep = |v: ValueId| self.below[v.index()].has(n);
            if let Some(mut online) = online(func, g, id, &dep) {
                online.exit = g.exits.len();
                self.groups[n].online.push(online);
                return Some(n);
            }
        }
        None
    }
}

/// Sharing a pass pays when the exits share a contraction.
fn is_heavy(func: &Func, v: ValueId) -> bool {
    matches!(func.op(v), Op::Contract(axes) if !axes.is_empty())
}

/// A set of small numbers.
#[derive(Clone, Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn insert(&mut self, n: usize) {
        if self.0.len() <= n / 64 {
            self.0.resize(n / 64 + 1, 0);
        }
        self.0[n / 64] |= 1 << (n % 64);
    }

    fn has(&self, n: usize) -> bool {
        self.0.get(n / 64).is_some_and(|w| w >> (n % 64) & 1 == 1)
    }

    fn join(&mut self, other: &Bits) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }
}

/// The exit (by number) that is the maximum of the scores of which `id` is the log-sum-exp.
pub fn anchor(func: &Func, g: &Group, id: ValueId) -> Option<usize> {
    let Op::LogSumExp(_) = func.op(id) else {
        return None;
    };
    let (max, _) = anchored(func, func.args(id)[0])?;
    g.exits.iter().position(|e| *e == max)
}

/// The scores of which an exit is the maximum or the log-sum-exp: themselves, where they are taken relative to a maximum
/// of the same group.
pub fn scores(func: &Func, g: &Group, id: ValueId) -> ValueId {
    let own = func.args(id)[0];
    match (anchor(func, g, id), anchored(func, own)) {
        (Some(_), Some((_, scores))) => scores,
        _ => own,
    }
}

/// Pair values that an exit of the group reads.
pub fn cone_of(func: &Func, g: &Group, id: ValueId) -> Vec<ValueId> {
    let mut all = cone(func, id);
    if anchor(func, g, id).is_some() {
        all.retain(|v| *v != func.args(id)[0]);
    }
    all
}

/// Pair values that a value reads, directly or through other pair values.
pub fn cone(func: &Func, id: ValueId) -> Vec<ValueId> {
    let mut seen = BTreeSet::new();
    let mut stack: Vec<ValueId> = func.args(id).to_vec();
    while let Some(v) = stack.pop() {
        if is_pair(func, v) && seen.insert(v) {
            stack.extend(func.args(v));
        }
    }
    seen.into_iter().collect()
}

/// Is `id` linear in `exp(s - lse)` for a log-sum-exp of this group, and free of the group's exits otherwise?
fn online(func: &Func, g: &Group, id: ValueId, dep: &dyn Fn(ValueId) -> bool) -> Option<Online> {
    if !matches!(func.op(id), Op::Contract(_) | Op::Reduce(ReduceOp::Sum, _)) {
        return None;
    }
    for (n, e) in g.exits.iter().enumerate() {
        let Op::LogSumExp(_) = func.op(*e) else {
            continue;
        };
        let scores = func.args(*e)[0];
        let weight = cone(func, id)
            .into_iter()
            .find(|v| is_weight(func, *v, scores, *e));
        let Some(weight) = weight else { continue };
        // Everything below the weight must reach the exit linearly, and nothing else may depend on the group. What is
        // carried is relative to the normaliser, so no axis of that may be summed.
        if linear_in(func, id, weight, dep, &func.ty(*e).axes) {
            return Some(Online {
                exit: 0,
                lse: n,
                weight,
            });
        }
    }
    None
}

/// `exp(scores - lse')`, with `lse'` the normaliser or the normaliser guarded for empty rows.
fn is_weight(func: &Func, v: ValueId, scores: ValueId, lse: ValueId) -> bool {
    normaliser(func, v).is_some_and(|l| l.contains(&lse)) && func.args(func.args(v)[0])[0] == scores
}

/// The two values that may be the normaliser `lse` of `exp(scores - lse')`: what is subtracted, and what it guards.
fn normaliser(func: &Func, v: ValueId) -> Option<[ValueId; 2]> {
    let Op::Map(MapFn::Exp) = func.op(v) else {
        return None;
    };
    let d = func.args(v)[0];
    let Op::Map(MapFn::Sub) = func.op(d) else {
        return None;
    };
    let l = func.args(d)[1];
    let guarded = matches!(func.op(l), Op::Map(MapFn::Select)).then(|| func.args(l)[2]);
    Some([l, guarded.unwrap_or(l)])
}

/// Does `id` depend on the group only through `weight`, linearly, with nothing summed along the axes `apart`?
fn linear_in(
    func: &Func,
    id: ValueId,
    weight: ValueId,
    dep: &dyn Fn(ValueId) -> bool,
    apart: &[Axis],
) -> bool {
    if id == weight {
        return true;
    }
    let args = func.args(id);
    let hit: Vec<usize> = (0..args.len()).filter(|n| dep(args[*n])).collect();
    if let Op::Contract(axes) | Op::Reduce(_, axes) = func.op(id)
        && axes.iter().any(|a| apart.contains(a))
    {
        return false;
    }
    match (func.op(id), hit.as_slice()) {
        (Op::Contract(_) | Op::Reduce(ReduceOp::Sum, _) | Op::Expand(_), &[n]) => {
            linear_in(func, args[n], weight, dep, apart)
        }
        (Op::Map(MapFn::Mul | MapFn::Neg), &[n]) | (Op::Map(MapFn::Div), &[n @ 0]) => {
            linear_in(func, args[n], weight, dep, apart)
        }
        (Op::Map(MapFn::Select), &[1]) => {
            matches!(func.op(args[2]), Op::Const(z) if z.0 == 0.0)
                && linear_in(func, args[1], weight, dep, apart)
        }
        _ => false,
    }
}
