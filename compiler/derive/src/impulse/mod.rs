//! Law: a recurrence that is linear and the same at every step is a convolution with its response to an impulse,
//! ```text
//! S[t] = A S[t-1] + B x[t],   y = C S     is     y[t] = Σ_lag f[lag] x[t - lag],   f[lag] = C A^lag B
//! ```
//! (derivation calculus §2.6, the other direction of [`crate::exponential`]). The response is the recurrence itself, run
//! once on 1, 0, 0, … and without the batch, so its gradient is the recurrence's and nothing is fitted; what it starts
//! from adds its own run without inputs.
//!
//! Side condition ([`still`]): next states and reads are linear in states and inputs together, with nothing added to
//! them; neither the position nor another sequence enters; what multiplies them and what states start from is the same
//! for the whole batch; and an axis of an input is carried through, never summed, so that each of its positions has a
//! response of its own; and each read contracts an axis of the state.
//!
//! Numbers: a transform rounds beside the largest entry of its row, a step beside what is there. Reads that contract the
//! state are sums over it, as an output of a convolution is; a state that is given out as it is stays a recurrence.
//!
//! It saves where the state is large beside its input: a step costs its size for every sequence, the transforms
//! `log2(2T)` a channel, and the response is one for the whole batch ([`Saving`]). Where chunks are products of matrices
//! they are left so.

mod response;
mod still;

use crate::cost::cost;
use crate::poly::Poly;
use crate::rewrite::map_values;
use crate::{Result, chunk};
use response::{convolved, response_body};
use seqc_algebra::{Axis, Func, Op, Scan, ValueId};
use std::collections::HashMap;

/// Which recurrences become convolutions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    /// Those that cost less so at the length and the batch that are usual in training.
    Paying,
}

/// What a batch and a length are taken to be where none is known.
const BATCH: f64 = 8.0;
const LENGTH: f64 = 1024.0;

/// Rewrites time-invariant recurrences into convolutions.
pub fn impulse_responses(func: &Func, which: Which) -> Result<Func> {
    let mut made: HashMap<ValueId, Vec<ValueId>> = HashMap::new();
    let func = map_values(func, |b, func, id, args| match func.op(id) {
        Op::Proj(n) => Ok(made.get(&func.args(id)[0]).map(|all| all[*n])),
        Op::Scan(scan) if applies(func, id, scan, which) => {
            made.insert(id, convolved(b, func, id, scan, args)?);
            Ok(None)
        }
        _ => Ok(None),
    })?;
    crate::prune::prune(&func)
}

/// Has the program a recurrence that is a convolution?
pub fn has_responses(func: &Func) -> bool {
    let live = func.live();
    let mut ids = func.ids().filter(|id| live[id.index()]);
    ids.any(|id| matches!(func.op(id), Op::Scan(scan) if obstacle(func, id, scan).is_none()))
}

fn applies(func: &Func, id: ValueId, scan: &Scan, which: Which) -> bool {
    obstacle(func, id, scan).is_none() && (which == Which::All || pays(scan))
}

/// What keeps a scan from being a convolution.
pub fn obstacle(func: &Func, id: ValueId, scan: &Scan) -> Option<String> {
    still::obstacle(func, id, scan).err()
}

/// What the two forms of a recurrence cost.
pub struct Saving {
    /// Operations of a step of one sequence.
    pub step: f64,
    /// Transforms and products for one sequence, as a formula in its length; the response's own transforms among them.
    pub convolution: Poly,
}

impl Saving {
    /// Sequences in a batch of length `t` from which on the convolution has fewer operations, its response included.
    pub fn from_batch(&self, t: f64) -> Option<u64> {
        let (recurrence, each) = (self.step * t, self.convolution.at(|_| t));
        let gain = recurrence - each;
        (gain > 0.0).then(|| (recurrence / gain).floor() as u64 + 1)
    }

    fn pays(&self) -> bool {
        self.from_batch(LENGTH).is_some_and(|n| n as f64 <= BATCH)
    }

    /// Both costs in words, and where they cross.
    fn words(&self) -> String {
        let step = Poly::size(Axis::time().size).scaled(self.step);
        let from = match self.from_batch(LENGTH) {
            Some(n) => format!("fewer from batches of {n} sequences of {LENGTH} steps on"),
            None => format!("never fewer at {LENGTH} steps"),
        };
        format!(
            "{} operations a sequence beside {step}, and the response, {step}, once for the whole batch: {from}",
            self.convolution
        )
    }
}

/// What [`crate::report`] says of the form: that it is taken in training, or only could be.
pub fn words(scan: &Scan) -> Option<String> {
    let s = saving(scan)?;
    let taken = match pays(scan) {
        true => "training takes it",
        false => "training does not take it",
    };
    Some(format!("{}; {taken}", s.words()))
}

/// Is the convolution what training takes? Products of matrices in chunks are left as they are.
pub fn pays(scan: &Scan) -> bool {
    chunk::obstacle(scan).is_some() && saving(scan).is_some_and(|s| s.pays())
}

/// Both costs, by walking both programs.
pub fn saving(scan: &Scan) -> Option<Saving> {
    let body = response_body(&scan.body).ok()?;
    let step = cost(&body).flops().at(|_| 1.0);
    // A complex convolution is four real ones.
    let convolution = response::transforms(scan, &body).ok()?;
    let convolution = crate::real::split_complex(&convolution).ok()?;
    Some(Saving {
        step,
        convolution: cost(&convolution).flops(),
    })
}

/// The axis of lags of a response.
fn lags() -> Axis {
    Axis::time().renamed("lag%")
}
