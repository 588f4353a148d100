//! The body of a loop over memories for one memory at a time.

use super::Routed;
use crate::{DeriveError, Result};
use seqc_algebra::{Axis, Builder, Func, InputKind, MapFn, Op, Scan, SeqIn, Ty, ValueId, op::Num};
use std::collections::HashMap;

/// What the new loop is given, each for a parameter of the old body.
#[derive(Default)]
pub(super) struct Inputs {
    pub numbers: Vec<(ValueId, f64)>,
    pub seqs: Vec<(ValueId, ValueId)>,
    pub fixed: Vec<(ValueId, ValueId)>,
}

/// The loop along all steps of all memories. A state is multiplied by 0 where the next memory begins.
pub(super) fn rebuilt(
    b: &mut Builder,
    r: &Routed<'_>,
    inputs: &Inputs,
    begins: ValueId,
) -> Result<ValueId> {
    let old = &r.scan.body;
    let one = b.num(1.0);
    let goes_on = b.sub(one, begins)?;
    let mut body = Builder::new(&old.name);
    body.input("pos", InputKind::Formal, Ty::real(vec![]));
    let mut image: HashMap<ValueId, ValueId> = HashMap::new();
    let mut starts = vec![];
    for p in &old.params[1..=r.scan.states] {
        let ty = old.ty(*p).without(r.memory);
        starts.push(b.everywhere(0.0, &ty)?);
        let name = old.input(*p).map_or("state", |i| i.name.as_str());
        image.insert(*p, body.input(name, InputKind::Formal, ty));
    }
    let given = |b: &Builder, body: &mut Builder, v: ValueId, name: &str| {
        let ty = b.ty(v).without(r.along);
        body.input(name, InputKind::Formal, ty)
    };
    let keep = given(b, &mut body, goes_on, "goes_on");
    for (p, v) in inputs.seqs.iter().chain(&inputs.fixed) {
        let name = old.input(*p).map_or("x", |i| i.name.as_str());
        image.insert(*p, given(b, &mut body, *v, name));
    }
    for (p, x) in &inputs.numbers {
        image.insert(*p, body.num(*x));
    }
    for p in &old.params[1..=r.scan.states] {
        let kept = body.mul(image[p], keep)?;
        image.insert(*p, kept);
    }
    steps(&mut body, old, r.memory, &mut image)?;
    for (n, (name, v)) in old.results.iter().enumerate() {
        let mut new = image[v];
        if n < r.scan.states {
            new = body.fill(new, &old.ty(*v).without(r.memory).axes)?;
        }
        body.result(name, new);
    }
    let fill = || SeqIn { fill: Num(0.0) };
    let scan = Scan {
        axis: r.along,
        seqs: (0..=inputs.seqs.len()).map(|_| fill()).collect(),
        fixed: inputs.fixed.len(),
        body: body.finish(),
        ..r.scan.clone()
    };
    let of = |all: &[(ValueId, ValueId)]| -> Vec<ValueId> { all.iter().map(|(_, v)| *v).collect() };
    let args = [starts, vec![goes_on], of(&inputs.seqs), of(&inputs.fixed)].concat();
    Ok(b.push(Op::Scan(Box::new(scan)), &args)?)
}

/// Copies the body's operations without the axis of memories.
fn steps(
    body: &mut Builder,
    old: &Func,
    memory: Axis,
    image: &mut HashMap<ValueId, ValueId>,
) -> Result<()> {
    let live = old.live();
    let lacks =
        |axes: &[Axis]| -> Vec<Axis> { axes.iter().copied().filter(|a| *a != memory).collect() };
    for v in old.ids().filter(|v| live[v.index()]) {
        if old.input(v).is_some() {
            continue;
        }
        let args = (old.args(v).iter())
            .map(|a| image.get(a).copied())
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| DeriveError("a routed recurrence uses its position".into()))?;
        let new = match (old.op(v), chosen(body, old.op(v), &args)) {
            (_, Some((v, axes))) => body.fill(v, &axes)?,
            (Op::Contract(over), _) => body.contract(&lacks(over), &args)?,
            // What is laid out has the mask's axes already.
            (Op::Expand(axes), _) => body.fill(args[0], &lacks(axes))?,
            (other, _) => body.push(other.clone(), &args)?,
        };
        if let Some(name) = old.value(v).name {
            body.name(new, name.as_str());
        }
        image.insert(v, new);
    }
    Ok(())
}

/// What a choice is where its condition is a number, and the axes that it has.
fn chosen(body: &Builder, op: &Op, args: &[ValueId]) -> Option<(ValueId, Vec<Axis>)> {
    if *op != Op::Map(MapFn::Select) {
        return None;
    }
    let holds = body.constant(args[0])? != 0.0;
    let (v, other) = match holds {
        true => (args[1], args[2]),
        false => (args[2], args[1]),
    };
    Some((v, body.axes(other).to_vec()))
}
