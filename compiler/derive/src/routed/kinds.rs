//! Whether memories are apart, and what is not picked is left alone.

use super::folded::{At, Folded};
use crate::words::{expression, written};
use seqc_algebra::{Axis, Func, MapFn, Op, Scan, ValueId};
use std::collections::HashMap;

/// How a value goes with memories.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// The same for all.
    Shared,
    /// One for each.
    Each,
    /// A sum over them.
    Summed,
}

/// What picks: a mask with such axes, one of them the memories.
pub(super) struct Picked<'a> {
    pub axes: &'a [Axis],
    pub memory: Axis,
}

impl Picked<'_> {
    /// Is it pointwise along the axes that the mask has?
    pub fn mixes_none(&self, func: &Func, v: ValueId) -> bool {
        let other = |a: &Axis| !self.axes.contains(a);
        match func.op(v) {
            Op::Map(_) | Op::Expand(_) | Op::Const(_) => true,
            Op::Contract(over) | Op::Reduce(_, over) => over.iter().all(other),
            Op::Rename { from, to } => other(from) && other(to),
            Op::Iota(a) => other(a),
            _ => false,
        }
    }

    /// Is it a sum over memories, and nothing where one is not picked?
    pub fn sums(&self, func: &Func, v: ValueId, nothing: &Folded) -> bool {
        let Op::Contract(over) = func.op(v) else {
            return false;
        };
        let mut others = over.iter().filter(|a| **a != self.memory);
        let zero = |a: &ValueId| nothing.number(*a) == Some(0.0);
        over.contains(&self.memory)
            && others.all(|a| !self.axes.contains(a))
            && func.args(v).iter().any(zero)
    }

    /// Of sums over memories, is it linear in them?
    fn is_linear(&self, func: &Func, v: ValueId, of: &[Kind]) -> bool {
        let sums = of.iter().filter(|k| **k == Kind::Summed).count();
        let linear = match func.op(v) {
            Op::Map(MapFn::Neg | MapFn::Add | MapFn::Sub) => sums == of.len(),
            Op::Map(MapFn::Mul) | Op::Contract(_) => sums == 1,
            Op::Map(MapFn::Div) => sums == 1 && of[0] == Kind::Summed,
            Op::Expand(_) | Op::Rename { .. } => true,
            _ => false,
        };
        linear && self.mixes_none(func, v)
    }

    /// The kind of a value of such arguments; `None` if memories see each other, or what the mask is for each of is
    /// mixed.
    fn kind(&self, func: &Func, v: ValueId, of: &[Kind], nothing: &Folded) -> Option<Kind> {
        let (each, summed) = (of.contains(&Kind::Each), of.contains(&Kind::Summed));
        let (fits, kind) = match func.ty(v).has(self.memory) {
            true => (!summed && self.mixes_none(func, v), Kind::Each),
            false if each => (!summed && self.sums(func, v, nothing), Kind::Summed),
            false if summed => (self.is_linear(func, v, of), Kind::Summed),
            false => (self.mixes_none(func, v), Kind::Shared),
        };
        fits.then_some(kind)
    }
}

/// For each emitted value of the loop: is it one for each memory, or a sum over them? Else why memories are not apart,
/// or those that are not picked not left alone. `given` are the loop's sequences and fixed
/// values, `nothing` says what they are where a memory is not picked.
pub(super) fn given_out(
    scan: &Scan,
    given: &[ValueId],
    nothing: &Folded,
    by: &Picked<'_>,
) -> Result<Vec<Kind>, String> {
    let body = &scan.body;
    let (olds, formals) = body.params[1..].split_at(scan.states);
    let known = |v: ValueId| {
        let k = formals.iter().position(|p| *p == v)?;
        nothing.number(given[k]).map(At::Num)
    };
    let inside = Folded::new(body, by.axes, &known);
    let mut kinds: HashMap<ValueId, Kind> = HashMap::new();
    for p in &body.params[1..] {
        let each = body.ty(*p).has(by.memory);
        kinds.insert(*p, if each { Kind::Each } else { Kind::Shared });
    }
    let live = body.live();
    let made = |v: &ValueId| live[v.index()] && body.input(*v).is_none();
    for v in body.ids().filter(made) {
        // The position of a step is that of no memory: it has no kind.
        let of = body.args(v).iter().map(|a| kinds.get(a).copied());
        let of: Option<Vec<Kind>> = of.collect();
        let of = of.ok_or("a step uses its position")?;
        let mixed = || {
            format!(
                "`{}` mixes them, or counts one that is not picked",
                words(body, v)
            )
        };
        kinds.insert(v, by.kind(body, v, &of, &inside).ok_or_else(mixed)?);
    }
    // What gives out the position is no memory's.
    let kind = |v: &ValueId| kinds.get(v).copied().unwrap_or(Kind::Shared);
    let (states, emits) = body.results.split_at(scan.states);
    for ((name, v), old) in states.iter().zip(olds) {
        if kind(v) != Kind::Each || inside.at(*v) != At::Same(*old) {
            return Err(format!(
                "`{}` changes where it is not picked",
                written(name)
            ));
        }
    }
    let emits: Vec<Kind> = emits.iter().map(|(_, v)| kind(v)).collect();
    match emits.contains(&Kind::Shared) {
        true => Err("a step gives out what is no state's".into()),
        false => Ok(emits),
    }
}

fn words(body: &Func, v: ValueId) -> String {
    expression(body, v, &|_| None)
}
