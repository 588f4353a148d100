//! Gradients through states: of a prompt from cotangents of the states after it, of what follows by the states before
//! it. A sequence may be cut anywhere: the cotangents of one part's states are the gradients of the next part's.
//!
//! The program that goes on from states is one like any other, so the law of states comes first, then the form, then
//! differentiation: a chunked form's gradient is chunked.

use super::{
    CHUNKS, CONVOLUTIONS, Form, PAIRS, Pass, REAL, RENAMES, STEPPED, Shapes, Stepped, Timings,
    apply, inputs_named, readable, timed, verify,
};
use seqc_algebra::Func;
use seqc_derive::{DeriveError, grad, step};

/// What cotangents of states are called, before the state's name.
pub const STATE_COTANGENT: &str = "cotangent.state.";

/// Where a program's sequence begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At the start: only the states after it count.
    Start,
    /// At given states.
    States,
}

/// What is differentiated: results `outs` by inputs `wrt`, beside all states that have gradients.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub begin: Begin,
    pub wrt: &'a [&'a str],
    pub outs: &'a [&'a str],
}

/// The program with its states and its gradient in a form: cotangents are read under `cotangent.NAME` and
/// `cotangent.state.NAME`, gradients are `grad.NAME` and, from given states, `grad.state.NAME`.
pub fn carried_gradient(
    func: &Func,
    form: Form,
    shapes: &Shapes,
    wanted: Wanted,
    timings: &mut Timings,
) -> Result<Func, DeriveError> {
    Stepped::of(func, shapes, timings)?.carried_gradient(form, wanted, timings)
}

/// The same of a program as the laws of steps want it.
pub(super) fn of_stepped(
    func: &Func,
    form: Form,
    shapes: &Shapes,
    wanted: Wanted,
    timings: &mut Timings,
) -> Result<Func, DeriveError> {
    let f = differentiated(func, before(form), shapes, wanted, timings)?;
    apply(f, &[REAL, PAIRS], shapes, timings)
}

/// Complex numbers and softmax as they are.
pub fn exact_carried_gradient(
    func: &Func,
    form: Form,
    shapes: &Shapes,
    wanted: Wanted,
) -> Result<Func, DeriveError> {
    let f = apply(func.clone(), STEPPED, shapes, &mut vec![])?;
    let f = differentiated(&f, before(form), shapes, wanted, &mut vec![])?;
    apply(f, &[PAIRS], shapes, &mut vec![])
}

/// Of the definition: nothing chunked or tiled.
pub fn plain_carried_gradient(func: &Func, wanted: Wanted) -> Result<Func, DeriveError> {
    differentiated(&readable(func)?, &[], &Shapes::cpu(), wanted, &mut vec![])
}

/// What makes the form of a program with states.
fn before(form: Form) -> &'static [&'static [Pass]] {
    match form {
        Form::Matrix => &[],
        Form::Recurrent => &[CONVOLUTIONS, RENAMES],
        Form::Chunked | Form::Convolution => &[CHUNKS, CONVOLUTIONS, RENAMES],
    }
}

fn differentiated(
    func: &Func,
    form: &[&[Pass]],
    shapes: &Shapes,
    wanted: Wanted,
    timings: &mut Timings,
) -> Result<Func, DeriveError> {
    let states: Vec<String> = (step::states(func)?.into_iter())
        .filter(|s| s.smooth)
        .map(|s| s.name)
        .collect();
    let f = match wanted.begin {
        Begin::Start => step::prefill(func)?,
        Begin::States => step::resume(func)?,
    };
    verify(&f, "states")?;
    let f = apply(f, form, shapes, timings)?;
    let named = states.iter().map(String::as_str);
    let wrt: Vec<&str> = wanted.wrt.iter().copied().chain(named.clone()).collect();
    let outs: Vec<&str> = wanted.outs.iter().copied().chain(named).collect();
    timed("differentiate", timings, || {
        grad::vjp(&f, &inputs_named(&f, &wrt), &outs)
    })
}
