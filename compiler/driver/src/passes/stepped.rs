//! A program as the laws of steps want it, and the programs that they make of it: one step, a prompt, what follows. All
//! of them hand on the same states.

use super::{
    CHUNKS, CONVOLUTIONS, Form, PAIRS, Pass, REAL, STEPPED, Shapes, Timings, Wanted, apply,
    carried, timed,
};
use seqc_algebra::{Axis, Elem, Func};
use seqc_derive::DeriveError;
use seqc_derive::real::parts_axis;
use seqc_derive::step::{self, State};

/// What follows a law of many positions.
const ONE_PASS: &[&[Pass]] = &[CHUNKS, CONVOLUTIONS, REAL, PAIRS];
/// The same, complex numbers and softmax as they are.
const EXACT: &[&[Pass]] = &[CHUNKS, CONVOLUTIONS, PAIRS];

/// A law of a whole program, which needs no lengths.
type WholeLaw = fn(&Func) -> Result<Func, DeriveError>;

pub struct Stepped<'a> {
    func: Func,
    shapes: &'a Shapes,
}

impl Stepped<'_> {
    pub fn of<'a>(
        func: &Func,
        shapes: &'a Shapes,
        timings: &mut Timings,
    ) -> Result<Stepped<'a>, DeriveError> {
        let func = apply(func.clone(), STEPPED, shapes, timings)?;
        Ok(Stepped { func, shapes })
    }

    pub fn func(&self) -> &Func {
        &self.func
    }

    /// The states in their order.
    pub fn states(&self) -> Result<Vec<State>, DeriveError> {
        step::states(&self.func)
    }

    /// Holds the laws of steps to the program, without what follows them.
    pub fn laws(&self) -> Result<(), DeriveError> {
        step::step(&self.func)?;
        step::resume(&self.func)?;
        Ok(())
    }

    /// One step of generation.
    pub fn step(&self, timings: &mut Timings) -> Result<Func, DeriveError> {
        self.followed(("step", step::step), &[REAL], timings)
    }

    /// The prompt in one pass, with the states that the step goes on from.
    pub fn prefill(&self, timings: &mut Timings) -> Result<Func, DeriveError> {
        self.followed(("prefill", step::prefill), ONE_PASS, timings)
    }

    /// The positions after some states in one pass, and the states after them.
    pub fn resume(&self, timings: &mut Timings) -> Result<Func, DeriveError> {
        self.followed(("resume", step::resume), ONE_PASS, timings)
    }

    /// Outputs, states and gradients, of a prompt or of what follows: see [`super::carried_gradient`].
    pub fn carried_gradient(
        &self,
        form: Form,
        wanted: Wanted,
        timings: &mut Timings,
    ) -> Result<Func, DeriveError> {
        carried::of_stepped(&self.func, form, self.shapes, wanted, timings)
    }

    /// [`prefill`](Self::prefill) and [`resume`](Self::resume), complex numbers and softmax as they are.
    pub fn exact_split(&self) -> Result<(Func, Func), DeriveError> {
        Ok((
            self.followed(("prefill", step::prefill), EXACT, &mut vec![])?,
            self.followed(("resume", step::resume), EXACT, &mut vec![])?,
        ))
    }

    fn followed(
        &self,
        (name, law): (&'static str, WholeLaw),
        lists: &[&[Pass]],
        timings: &mut Timings,
    ) -> Result<Func, DeriveError> {
        let f = timed(name, timings, || law(&self.func))?;
        apply(f, lists, self.shapes, timings)
    }
}

/// The axes of a state where nothing is complex, in the order in which it lies in memory.
pub fn in_memory(state: &State) -> Vec<Axis> {
    let mut axes = state.ty.axes.clone();
    if state.ty.elem == Elem::Complex {
        axes.push(parts_axis(&axes));
    }
    axes
}
