//! Is a body jointly linear (affine) in all its states? A judgement on operations alone, wider than the normal form
//! of [`crate::affine`]: it accepts regroupings, shifts and selections of positions, and several states at once.

use crate::affine::NotAffine;
use crate::words::describe;
use seqc_algebra::{Func, MapFn, Op, ReduceOp, ValueId};

/// The first value that `results` need and that is not affine in `states` taken together.
pub fn jointly_affine(
    func: &Func,
    states: &[ValueId],
    results: &[ValueId],
) -> Result<(), NotAffine> {
    let depends = crate::order::depends_on(func, states);
    let needed = func.needed(results.iter().copied());
    let mut ids = func
        .ids()
        .filter(|v| depends[v.index()] && needed[v.index()] && !states.contains(v));
    ids.try_for_each(|v| affine_step(func, v, &depends))
}

/// Is one operation linear in those of its arguments that depend on the states?
fn affine_step(func: &Func, v: ValueId, depends: &[bool]) -> Result<(), NotAffine> {
    let args = func.args(v);
    let hit: Vec<usize> = (0..args.len())
        .filter(|k| depends[args[*k].index()])
        .collect();
    let why = match func.op(v) {
        Op::Map(MapFn::Mul) | Op::Contract(_) | Op::Conv { .. } | Op::ConvKernel { .. }
            if hit.len() > 1 =>
        {
            "it multiplies two values that both depend on the state".to_owned()
        }
        Op::Map(MapFn::Div) if hit.contains(&1) => "it divides by the state".to_owned(),
        Op::Map(MapFn::Select) if hit.contains(&0) => "it chooses by the state".to_owned(),
        Op::Gather(_) if hit.contains(&1) => "the state says where it reads".to_owned(),
        Op::Solve { .. } if hit.contains(&0) => "it solves with the state".to_owned(),
        Op::Map(
            MapFn::Add
            | MapFn::Sub
            | MapFn::Neg
            | MapFn::Mul
            | MapFn::Div
            | MapFn::Select
            | MapFn::Re
            | MapFn::Im
            | MapFn::Conj
            | MapFn::Complex
            | MapFn::Stop,
        )
        | Op::Contract(_)
        | Op::Reduce(ReduceOp::Sum, _)
        | Op::Expand(_)
        | Op::Rename { .. }
        | Op::Split { .. }
        | Op::Merge { .. }
        | Op::Patch { .. }
        | Op::Unpatch { .. }
        | Op::Flip(_)
        | Op::Shift { .. }
        | Op::Window { .. }
        | Op::Unwindow { .. }
        | Op::Pick { .. }
        | Op::Place { .. }
        | Op::Stack(_)
        | Op::Gather(_)
        | Op::ScatterAdd { .. }
        | Op::Solve { .. }
        | Op::Conv { .. }
        | Op::ConvKernel { .. } => return Ok(()),
        op => format!("{} of the state is not linear", describe(op)),
    };
    Err(NotAffine { at: v, why })
}
