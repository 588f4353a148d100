//! A model's plans with their code, as the commands that run models want them.
//!
//! The cache is addressed by the elaborated program, so that a comment, a name or an unused mixer changes nothing.

use crate::backend::Backend;
use crate::build::{Built, GoesOn};
use crate::passes::{Form, Shapes};
use crate::{Error, Result, cache};
use seqc_device::Artifact;
use seqc_hir::Elaborated;

/// The program names `train` and `eval`.
pub fn for_training(e: &Elaborated, form: Form, backend: Backend) -> Result<Artifact> {
    if e.func.result("loss").is_none() {
        return Err(Error::Other(format!(
            "`{}` has no objective to train; write `objective lm = next_token(logits, tokens)` at its end",
            e.name
        )));
    }
    let (shapes, lanes) = (Shapes::cpu(), backend.lanes());
    let about = format!("train {form:?} {shapes:?} {lanes} {:?}", e.outputs);
    cache::loaded(backend, &[&about, &e.func.to_string()], || {
        let mut built = Built::default();
        built.add_training(e, form, &shapes, lanes, &mut vec![])?;
        Ok(built)
    })
}

/// The programs `prefill` and `step`. The model must be causal.
pub fn for_generation(e: &Elaborated, backend: Backend) -> Result<Artifact> {
    let (shapes, lanes) = (Shapes::cpu(), backend.lanes());
    let about = format!("generate {shapes:?} {lanes} {:?}", e.outputs);
    cache::loaded(backend, &[&about, &e.func.to_string()], || {
        let mut built = Built::default();
        let plans = [GoesOn::Step, GoesOn::Prefill];
        built.add_generation(e, &plans, &shapes, lanes, &mut vec![])?;
        Ok(built)
    })
}

/// A model of text: an integer input along time, and an output that says of each token how likely it comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pub input: String,
    pub output: String,
    pub vocab: usize,
}

/// How a model reads and writes text. The error says what it lacks.
pub fn text(e: &Elaborated) -> Result<Text> {
    let [v] = e.vocabularies.as_slice() else {
        return Err(Error::Other(format!(
            "`{}` reads no text: one input `tokens: seq<vocab>` is wanted, it has {}",
            e.name,
            e.vocabularies.len()
        )));
    };
    let over = |name: &&String| {
        let ty = e.func.result(name).map(|id| e.func.ty(id));
        let own = ty.map(|ty| ty.axes.iter().filter(|a| a.name.as_str() == v.axis));
        own.is_some_and(|mut own| own.next().is_some())
    };
    let Some(output) = e.outputs.iter().find(over) else {
        return Err(Error::Other(format!(
            "`{}` predicts no tokens: no output is over the axis `{}` of `{}`",
            e.name, v.axis, v.input
        )));
    };
    Ok(Text {
        input: v.input.clone(),
        output: output.clone(),
        vocab: v.size,
    })
}
