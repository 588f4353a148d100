//! Law: what is read `c` steps late may be computed `c` steps late. A program that is causal, though a value in it
//! reads ahead, equals one in which nothing reads ahead.
//!
//! Every value `v` along the clock gets a delay `r(v) >= 0`, and what stands for it computes `v'[t] = v[t - r(v)]`:
//! ```text
//! u = x[t+1];  S[t] = a S[t-1] + u;  y = S[t-1]      r(u) = r(S) = 1:  u'[t] = x[t],  y = S'[t]
//! ```
//! The delays are the smallest with which no operation reads what is not there yet, a longest path through the
//! program ([`delays`]): pointwise operations wait for their latest argument, a shift adds and subtracts its steps, a
//! recurrence waits for what its next state needs and its reads of the state before wait one step less, a sum over
//! earlier positions waits by how far its mask lets it see ([`bounds`]), a kernel of lags by its first lag. The law
//! holds iff results need no delay, which is what causality says.
//!
//! Boundaries: `v'[t]` at `t < r(v)` stands for no position. A state is its start there ([`body`], [`quiet`]); reads
//! before the first position give 0 as the definition's do, by a mask; everything else there is computed from numbers
//! of the sequence (so that nothing is singular that is not so in the definition) and is never read. At the other end
//! nothing is lost: a value at the last `r` positions would reach no result.
//!
//! Side condition: every operation that a delay meets is one of [`delays`]'; the first that is not is named. What
//! states start from is no part of a step and keeps the form that it has.

mod body;
mod bounds;
mod delays;
mod moved;
mod program;
mod quiet;
mod rebuild;
mod scan;

use crate::words::{describe, written};
use crate::{DeriveError, Result};
use delays::Delays;
use program::Program;
use seqc_algebra::{Func, Op, ValueId};

/// The program with nothing that reads ahead, if it is causal; a program in which nothing does, as it is.
pub fn retime(func: &Func) -> Result<Func> {
    let program = &Program::of(func);
    match Delays::of(program) {
        Ok(d) if d.ahead_of(func).is_some() => match looks_ahead(program) {
            Some(at) => Err(too_early(func, at, &d)),
            None => Ok(func.clone()),
        },
        Ok(d) if d.are_zero() => Ok(func.clone()),
        Ok(d) => rebuild::rebuild(program, d),
        // The law of steps names what it cannot do where nothing could be late.
        Err(e) if looks_ahead(program).is_some() => Err(e),
        Err(_) => Ok(func.clone()),
    }
}

/// The first operation that reads a fixed number of steps ahead.
fn looks_ahead(func: &Program) -> Option<ValueId> {
    let needed = crate::step::needed(func);
    let ahead = |id: &ValueId| match func.op(*id) {
        Op::Shift { axis, by } => func.is_present(axis) && *by < 0,
        Op::Window { axis, ahead, .. } => func.is_present(axis) && *ahead,
        _ => false,
    };
    func.ids().filter(|id| needed[id.index()]).find(ahead)
}

fn too_early(func: &Func, at: ValueId, d: &Delays) -> DeriveError {
    let DeriveError(mut text) = crate::step::ahead(func, at);
    if let Some((name, by)) = d.ahead_of(func) {
        let steps = if by == 1 { "step" } else { "steps" };
        text +=
            &format!(", and `{name}` needs what follows from them {by} {steps} before it is known");
    }
    DeriveError(text)
}

fn no_rule(func: &Func, id: ValueId) -> DeriveError {
    let name = func.value(id).name;
    let name = name.map_or(String::new(), |n| format!(" in `{}`", written(n.as_str())));
    DeriveError(format!(
        "no step form: {}{name} takes what reads later times and cannot be computed late",
        describe(func.op(id))
    ))
}
