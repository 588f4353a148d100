//! One mixer run on given tensors.
//!
//! [`contract`] says which tensors a mixer takes and holds the given ones to it; [`states`] goes on from states and
//! leaves states behind; [`carried`] differentiates through them; [`packed`] takes many documents in one row;
//! [`weights`] makes parameters of another implementation's tensors. Nothing is computed in a precision or on a device
//! that was not asked for: what is not built yet is refused.

mod carried;
mod contract;
mod packed;
mod ranges;
mod states;
mod weights;

use contract::meaningful;
pub use contract::{Contract, Given, Matched, Part, Slot, matched};
pub use ranges::in_ranges;
pub use states::{Continued, continued};
pub use weights::Table;

use crate::build;
use crate::engine::{Engine, Named, Programs, Sizes};
use crate::passes::{self, Form, Shapes};
use crate::{Error, Result, other, parts};
use seqc_algebra::{Axis, Func, Tensor};
use seqc_hir::Elaborated;
use std::collections::BTreeMap;

/// The precision of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    F32,
    Bf16,
    F64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    Cpu,
    Cuda,
}

/// How to run a mixer.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub engine: Engine,
    /// `None`: the definition for the interpreter, the training form for compiled code.
    pub form: Option<Form>,
    pub precision: Precision,
    pub device: Device,
    pub grad: bool,
    pub threads: usize,
}

impl Request {
    pub fn form(&self) -> Form {
        let own = match self.engine {
            Engine::Interp => Form::Matrix,
            Engine::Compiled(_) | Engine::Narrow(_) => Form::Chunked,
        };
        self.form.unwrap_or(own)
    }

    /// What runs it: the engine, in the memory that the precision asks for.
    fn runs_on(&self) -> Engine {
        match (self.engine, self.precision) {
            (Engine::Compiled(backend), Precision::Bf16) => Engine::Narrow(backend),
            (engine, _) => engine,
        }
    }

    /// Refuses what is not built yet.
    pub fn supported(&self) -> Result<()> {
        let refuse = |why: &str| Err(Error::Other(why.to_owned()));
        let compiled = self.engine != Engine::Interp;
        match (self.precision, self.device) {
            (_, Device::Cuda) if !compiled => refuse(
                "`--device cuda`: the interpreter runs on the CPU; leave out `--device cuda`",
            ),
            (_, Device::Cuda) => refuse(
                "`--device cuda`: running single mixers on a CUDA device is not built yet; use `--device cpu`",
            ),
            (Precision::Bf16, _) if !compiled => refuse(
                "`--dtype bf16`: the interpreter computes in f64; use `--backend mlir` or `clif`",
            ),
            (Precision::F64, _) if compiled => refuse(
                "`--dtype f64`: compiled code computes in f32; use `--backend interp` for f64",
            ),
            _ => Ok(()),
        }
    }
}

/// The outputs under their names, in declared layout, and with `grad` the gradients under `grad.NAME`.
pub fn evaluate(
    e: &Elaborated,
    contract: &Contract,
    given: &BTreeMap<String, Given>,
    request: &Request,
) -> Result<Vec<(String, Tensor)>> {
    request.supported()?;
    let wanted = contract.wanted(request.grad);
    let packed = packed::matched(contract, given, &wanted)?;
    let (m, documents) = match packed {
        Some((m, documents)) => (m, Some(documents)),
        None => (matched(given, &wanted, &Sizes::new())?, None),
    };
    meaningful(e, &m)?;
    let func = program(e, contract, request)?;
    let programs = Programs::new(
        request.runs_on(),
        vec![("eval".into(), func)],
        request.threads,
    )?;
    let results = match &documents {
        Some(documents) => documents.run(&mut programs.open("eval")?, &m.tensors, &m.sizes)?,
        None => programs.run("eval", &m.tensors, &m.sizes)?,
    };
    let results: Named = results.into_iter().collect();
    // In a row of documents, what has time has a batch of one.
    let mut in_row = m.sizes.clone();
    if documents.is_some() {
        in_row.insert(Axis::batch().name, 1);
    }
    let lay = |name: String, slot: &Slot| {
        let timed = slot.axes.contains(&Axis::time());
        let sizes = if timed { &in_row } else { &m.sizes };
        let t = laid_out(&results, &name, slot, sizes)?;
        Ok((name, t))
    };
    let outputs = contract.outputs.iter().map(|s| lay(s.name.clone(), s));
    let smooth = contract.smooth().filter(|_| request.grad);
    let gradients = smooth.map(|s| lay(format!("grad.{}", s.name), s));
    outputs.chain(gradients).collect()
}

/// The mixer's outputs, and with `grad` its gradients, in the wanted form.
fn program(e: &Elaborated, contract: &Contract, request: &Request) -> Result<Func> {
    let derivation = |x: seqc_derive::DeriveError| other(&e.name, x);
    let outputs = build::outputs(e)?;
    passes::require(&outputs, request.form()).map_err(|why| other(&e.name, why))?;
    let (form, shapes) = (request.form(), Shapes::cpu());
    let wrt: Vec<&str> = contract.smooth().map(|s| s.name.as_str()).collect();
    let outs: Vec<&str> = e.outputs.iter().map(String::as_str).collect();
    match (request.engine, form, request.grad) {
        // The reference is the definition itself, no pass between.
        (Engine::Interp, Form::Matrix, false) => Ok(outputs),
        (Engine::Interp, Form::Matrix, true) => {
            let ids = passes::inputs_named(&outputs, &wrt);
            seqc_derive::grad::vjp(&outputs, &ids, &outs).map_err(derivation)
        }
        (_, _, false) => passes::forward(&outputs, form, &shapes, &mut vec![]).map_err(derivation),
        (_, _, true) => {
            passes::gradient(&outputs, form, &shapes, &wrt, &outs, &mut vec![]).map_err(derivation)
        }
    }
}

/// A result in the slot's layout. A gradient that the program does not have is 0: no output needs that input.
fn laid_out(results: &Named, name: &str, slot: &Slot, sizes: &Sizes) -> Result<Tensor> {
    match results.get(name) {
        Some(t) => parts::whole(t, &slot.axes).map_err(|e| other(name, e)),
        None if name.starts_with("grad.") => slot.zeros(sizes),
        None => Err(other(name, "the program has no such output")),
    }
}
