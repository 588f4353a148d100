//! Gradients of programs, as programs: linearise, then transpose, on the algebra IR.
//!
//! [`jvp`] carries tangents forward beside the values; [`vjp`] recomputes nothing at the top level and walks the
//! values backwards, each operation contributing by its own rule (`ops/`). A scan's transpose is a scan in the
//! other direction, tile by tile, that recomputes its body from the states on entry. A chunked program therefore
//! has a chunked gradient. What is zero by structure is never built, and dead parts are removed at the end.

mod activity;
mod bounds;
mod forward;
mod normal;
mod ops;
mod parts;
mod reverse;
mod untaken;

pub use crate::DeriveError as GradError;
pub(crate) use bounds::bounded_away;
pub(crate) use ops::reduce::running;

use crate::Result;
use seqc_algebra::{Axis, Builder, Func, InputKind, MapFn, Op, Sym, Ty, ValueId, dce};

/// The program and its tangent: for each input in `wrt` (by id in `func`) a new input `tangent.NAME` of its type;
/// for each result a further result `tangent.NAME`. Inputs keep their names; results come first in their order.
pub fn jvp(func: &Func, wrt: &[ValueId]) -> Result<Func> {
    let (func, wrt) = ready(func, wrt)?;
    let mut b = Builder::new(&format!("{}.jvp", func.name));
    let mut dual = forward::Dual::new(&func);
    for id in &func.params {
        dual.value[id.index()] = Some(b.copy(func.value(*id), &[])?);
    }
    for id in &wrt {
        let t = b.input(
            &format!("tangent.{}", name_of(&func, *id)?),
            InputKind::Data,
            func.ty(*id).clone(),
        );
        dual.tangent[id.index()] = Some(t);
    }
    forward::forward(&mut b, &func, &mut dual)?;
    for (name, v) in &func.results {
        b.result(name, dual.value_of(*v)?);
    }
    for (name, v) in &func.results {
        let t = match dual.tangent[v.index()] {
            Some(t) => t,
            None => parts::zeros(&mut b, &func.ty(*v).clone())?,
        };
        b.result(&format!("tangent.{name}"), t);
    }
    finish(b)
}

/// The program and its gradient: for each named result in `outs` a new input `cotangent.NAME` of its type; for each
/// input in `wrt` a result `grad.NAME` of its type, behind the program's own results.
pub fn vjp(func: &Func, wrt: &[ValueId], outs: &[&str]) -> Result<Func> {
    let (func, wrt) = ready(func, wrt)?;
    let mut b = Builder::new(&format!("{}.vjp", func.name));
    let image = reverse::copy_in(&mut b, &func, vec![None; func.values.len()])?;
    let at = |v: ValueId| image[v.index()].ok_or_else(|| GradError("a value has no image".into()));
    let mut seeds = vec![];
    for name in outs {
        let v = func
            .result(name)
            .ok_or_else(|| GradError(format!("there is no result `{name}`")))?;
        seeds.push((
            at(v)?,
            b.input(
                &format!("cotangent.{name}"),
                InputKind::Data,
                func.ty(v).clone(),
            ),
        ));
    }
    for (name, v) in &func.results {
        b.result(name, at(*v)?);
    }
    let roots = wrt.iter().map(|v| at(*v)).collect::<Result<Vec<_>>>()?;
    gradients(&mut b, &func, &wrt, &roots, seeds)?;
    finish(b)
}

/// The loss `loss` (a number, or one number per sequence of the batch) as its mean over the batch under its own
/// name, and `grad.NAME` of that mean for each input in `wrt`. Other results are dropped.
pub fn value_and_grad(func: &Func, loss: &str, wrt: &[ValueId]) -> Result<Func> {
    let (mut func, wrt) = ready(func, wrt)?;
    let v = func
        .result(loss)
        .ok_or_else(|| GradError(format!("there is no result `{loss}`")))?;
    func.results.retain(|(name, _)| name == loss);
    let mut b = Builder::new(&format!("{}.grad", func.name));
    let image = reverse::copy_in(&mut b, &func, vec![None; func.values.len()])?;
    let at = |v: ValueId| image[v.index()].ok_or_else(|| GradError("a value has no image".into()));
    let mean = batch_mean(&mut b, at(v)?, loss)?;
    b.result(loss, mean);
    let one = b.num(1.0);
    let roots = wrt.iter().map(|v| at(*v)).collect::<Result<Vec<_>>>()?;
    gradients(&mut b, &func, &wrt, &roots, vec![(mean, one)])?;
    finish(b)
}

/// `Σ_batch v / batch`; a number stays as it is.
fn batch_mean(b: &mut Builder, v: ValueId, loss: &str) -> Result<ValueId> {
    let axes = b.axes(v).to_vec();
    match axes.as_slice() {
        [] => Ok(v),
        [one] if *one == Axis::batch() => {
            let sum = b.sum(&axes, v)?;
            let n = b.push(Op::Length(Axis::batch().size), &[])?;
            Ok(b.map2(MapFn::Div, sum, n)?)
        }
        _ => Err(GradError(format!(
            "the loss `{loss}` must be a number, its axes are {axes:?}"
        ))),
    }
}

/// The program without dead parts, its inputs and results having names of their own.
fn finish(b: Builder) -> Result<Func> {
    let func = dce(&b.finish())?;
    let inputs = func
        .params
        .iter()
        .filter_map(|p| func.input(*p))
        .map(|i| i.name.as_str());
    let results = func.results.iter().map(|(n, _)| n.as_str());
    for names in [inputs.collect::<Vec<_>>(), results.collect()] {
        if let Some(twice) = names
            .iter()
            .enumerate()
            .find(|(k, n)| names[..*k].contains(n))
        {
            return Err(GradError(format!(
                "`{}` would be there twice: rename the program's own",
                twice.1
            )));
        }
    }
    Ok(func)
}

/// Adds `grad.NAME` results for the roots, given cotangents of some values.
fn gradients(
    b: &mut Builder,
    func: &Func,
    wrt: &[ValueId],
    roots: &[ValueId],
    seeds: Vec<(ValueId, ValueId)>,
) -> Result<()> {
    let activity = activity::Activity::new(b.func(), roots);
    let lists = reverse::reverse(b, &activity, seeds)?;
    for (id, root) in wrt.iter().zip(roots) {
        let ty: Ty = func.ty(*id).clone();
        let g = match parts::total(b, &lists[root.index()])? {
            Some(g) => g,
            None => parts::zeros(b, &ty)?,
        };
        b.result(&format!("grad.{}", name_of(func, *id)?), g);
    }
    Ok(())
}

fn name_of(func: &Func, id: ValueId) -> Result<Sym> {
    func.input(id)
        .map(|i| i.name)
        .ok_or_else(|| GradError(format!("%{} is not an input", id.0)))
}

/// The program in the form that the rules expect, and the same inputs in it.
fn ready(func: &Func, wrt: &[ValueId]) -> Result<(Func, Vec<ValueId>)> {
    let new = normal::normal(func)?;
    let place = |id: &ValueId| {
        func.params
            .iter()
            .position(|p| p == id)
            .and_then(|k| new.params.get(k))
            .copied()
    };
    let wrt = wrt
        .iter()
        .map(|id| place(id).ok_or_else(|| GradError(format!("%{} is not an input", id.0))));
    let wrt = wrt.collect::<Result<Vec<_>>>()?;
    Ok((new, wrt))
}
