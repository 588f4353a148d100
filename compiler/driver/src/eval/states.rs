//! Going on from states, and leaving states behind: the contract between prefill, resume and step.
//!
//! The tokens are read in one pass, from the start (prefill) or from given states (resume); or, if the recurrent form
//! is asked for, the step is repeated, once a token. The states afterwards are `state.NAME`, beside `pos`, the number
//! of positions read so far. Caches are as long as that, and grow. A state has one layout, however many parts came
//! before: what one run writes, the next reads.

use super::carried::carried;
use super::contract::{Contract, Given, Matched, Part, Slot, matched, meaningful};
use super::{Request, laid_out, packed};
use crate::build;
use crate::engine::{Named, Programs, Sizes};
use crate::passes::{Form, Shapes, Stepped, in_memory};
use crate::{Error, Result, other, timeline};
use seqc_algebra::{Axis, Elem, Func, Size, Tensor};
use seqc_derive::DeriveError;
use seqc_derive::step::{State, cache};
use seqc_hir::{Elaborated, Look};
use std::collections::BTreeMap;

/// Outputs and the states after the last position.
#[derive(Clone, Debug)]
pub struct Continued {
    pub outputs: Vec<(String, Tensor)>,
    pub states: Vec<(String, Tensor)>,
    /// Positions read so far, those before included.
    pub position: usize,
}

/// Runs a causal mixer from given states, or from the start.
pub fn continued(
    e: &Elaborated,
    contract: &Contract,
    given: &BTreeMap<String, Given>,
    states: Option<&BTreeMap<String, Given>>,
    request: &Request,
) -> Result<Continued> {
    request.supported()?;
    refused(e, states.is_some(), request)?;
    if packed::given(contract, given) {
        return Err(Error::Other(
            "`offsets` with states: a state is that of one sequence; run each document by itself"
                .into(),
        ));
    }
    if request.grad {
        return carried(e, contract, given, states, request);
    }
    let mut m = matched(given, &contract.wanted(false), &Sizes::new())?;
    meaningful(e, &m)?;
    let failed = |x: DeriveError| other(&e.name, x);
    let (shapes, mut times) = (Shapes::cpu(), vec![]);
    let stepped = Stepped::of(&build::outputs(e)?, &shapes, &mut times).map_err(failed)?;
    let slots = slots(&stepped).map_err(failed)?;
    let run = |name: &str, f: std::result::Result<Func, DeriveError>| {
        let programs = vec![(name.to_owned(), f.map_err(failed)?)];
        Programs::new(request.runs_on(), programs, request.threads)
    };
    let layout = Layout {
        contract,
        states: &slots,
    };
    let Some(states) = states else {
        let programs = run("prefill", stepped.prefill(&mut times))?;
        return prefilled(&layout, programs, &mut m);
    };
    let start = start_of(&slots, states, &m.sizes)?;
    match request.form {
        Some(Form::Recurrent) => {
            let programs = run("step", stepped.step(&mut times))?;
            stepwise(&layout, programs, &m, start)
        }
        _ => {
            let programs = run("resume", stepped.resume(&mut times))?;
            resumed(&layout, programs, &m, start)
        }
    }
}

/// How results are laid out.
pub(super) struct Layout<'a> {
    pub contract: &'a Contract,
    pub states: &'a [Slot],
}

/// What the states of a mixer are called and how they lie, in every file: complex ones in their parts.
pub(super) fn slots(stepped: &Stepped) -> std::result::Result<Vec<Slot>, DeriveError> {
    let slot = |s: State| Slot {
        axes: in_memory(&s),
        name: s.name,
        part: Part::State,
        elem: Elem::Real,
    };
    Ok(stepped.states()?.into_iter().map(slot).collect())
}

fn refused(e: &Elaborated, from_states: bool, request: &Request) -> Result<()> {
    let refuse = |why: String| Err(Error::Other(why));
    if let Some(c) = e.causality.iter().find(|c| c.own() != Look::Causal) {
        return refuse(format!(
            "`{}` has no states: its output `{}` is {}, and only causal outputs have a step",
            e.name,
            c.output,
            c.own()
        ));
    }
    let (form, want) = match (request.form, from_states) {
        (None | Some(Form::Chunked | Form::Convolution), _) | (Some(Form::Recurrent), true) => {
            return Ok(());
        }
        (Some(Form::Recurrent), false) if request.grad => return Ok(()),
        (Some(form), true) => (
            form,
            "from given states there are the training form and the step, `--form chunked` and `--form recurrent`",
        ),
        (Some(form), false) if request.grad => (
            form,
            "gradients through states are those of `--form chunked` and `--form recurrent`",
        ),
        (Some(form), false) => (form, "states come from the training form: `--form chunked`"),
    };
    refuse(format!("form {} with states: {want}", form.name()))
}

/// One pass over all tokens.
fn prefilled(layout: &Layout, programs: Programs, m: &mut Matched) -> Result<Continued> {
    let position = m.sizes.get(&Axis::time().name).copied().unwrap_or(1);
    m.sizes.insert(cache(), position);
    let made = programs.run("prefill", &m.tensors, &m.sizes)?;
    layout.sorted_out(made, &m.sizes, position)
}

/// One pass over all tokens, from states.
fn resumed(layout: &Layout, programs: Programs, m: &Matched, start: Start) -> Result<Continued> {
    let (sizes, position) = after(m, &start);
    let mut given = m.tensors.clone();
    given.insert("pos".into(), Tensor::scalar(start.position as f64));
    given.extend(grown(start.states, sizes[&cache()])?);
    let made = programs.run("resume", &given, &sizes)?;
    layout.sorted_out(made, &sizes, position)
}

impl Layout<'_> {
    /// Outputs and states of one pass.
    pub fn sorted_out(
        &self,
        made: Vec<(String, Tensor)>,
        sizes: &Sizes,
        position: usize,
    ) -> Result<Continued> {
        let made: Named = made.into_iter().collect();
        let lay = |s: &Slot| Ok((s.name.clone(), laid_out(&made, &s.name, s, sizes)?));
        Ok(Continued {
            outputs: self
                .contract
                .outputs
                .iter()
                .map(lay)
                .collect::<Result<_>>()?,
            states: self.states.iter().map(lay).collect::<Result<_>>()?,
            position,
        })
    }
}

/// Lengths with room for everything read, and the position afterwards.
pub(super) fn after(m: &Matched, start: &Start) -> (Sizes, usize) {
    let tokens = m.sizes.get(&Axis::time().name).copied().unwrap_or(1);
    let position = start.position + tokens;
    let held = (start.states.values())
        .flat_map(|t| t.axes.iter().zip(&t.shape))
        .filter(|(a, _)| a.size == Size::Len(cache()))
        .map(|(_, n)| *n);
    let mut sizes = m.sizes.clone();
    sizes.insert(cache(), held.fold(position, usize::max));
    (sizes, position)
}

/// Where a run goes on.
#[derive(Default)]
pub(super) struct Start {
    pub states: Named,
    pub position: usize,
}

/// The given states, held to those that there are.
pub(super) fn start_of(
    slots: &[Slot],
    given: &BTreeMap<String, Given>,
    sizes: &Sizes,
) -> Result<Start> {
    let mut wanted = slots.to_vec();
    wanted.push(Slot {
        name: "pos".into(),
        part: Part::State,
        elem: Elem::Int,
        axes: vec![],
    });
    let known = sizes
        .iter()
        .filter(|(s, _)| s.as_str() == "batch")
        .map(|(s, n)| (*s, *n))
        .collect();
    let m = matched(given, &wanted, &known)?;
    let mut states = m.tensors;
    let pos = states.remove("pos");
    let pos = pos.as_ref().and_then(Tensor::as_real).map_or(0.0, |d| d[0]);
    if pos < 0.0 {
        return Err(Error::Other(format!(
            "state `pos` is {pos}: it counts positions"
        )));
    }
    let position = pos as usize;
    match m.sizes.get(&cache()) {
        Some(n) if *n < position => Err(Error::Other(format!(
            "the states' caches hold {n} positions, `pos` says that {position} were read"
        ))),
        _ => Ok(Start { states, position }),
    }
}

/// Every state with room for `n` positions.
pub(super) fn grown(states: Named, n: usize) -> Result<Named> {
    let mut all = Named::new();
    for (name, mut t) in states {
        for a in t.axes.clone() {
            if a.size == Size::Len(cache()) {
                t = timeline::pad(&t, a, n).map_err(|e| other(&name, e))?;
            }
        }
        all.insert(name, t);
    }
    Ok(all)
}

/// The step, once a token.
fn stepwise(layout: &Layout, programs: Programs, m: &Matched, start: Start) -> Result<Continued> {
    let time = Axis::time();
    let tokens = m.sizes.get(&time.name).copied().unwrap_or(1);
    let (sizes, position) = after(m, &start);
    let mut all = grown(start.states, sizes[&cache()])?;
    let mut parts: BTreeMap<String, Vec<Tensor>> = BTreeMap::new();
    for t in 0..tokens {
        let mut now = timeline::all_at(&m.tensors, time, t)?;
        now.insert("pos".into(), Tensor::scalar((start.position + t) as f64));
        now.extend(all.clone());
        for (name, x) in programs.run("step", &now, &sizes)? {
            match name.starts_with("state.") {
                true => {
                    all.insert(name, x);
                }
                false => parts.entry(name).or_default().push(x),
            }
        }
    }
    for (name, p) in parts {
        let timeless = |s: &Slot| s.name == name && !s.axes.contains(&time);
        let t = match layout.contract.outputs.iter().any(timeless) {
            true => p
                .into_iter()
                .next_back()
                .ok_or_else(|| other(&name, "no token"))?,
            false => timeline::stack(&p, time).map_err(|e| other(&name, e))?,
        };
        all.insert(name, t);
    }
    layout.sorted_out(all.into_iter().collect(), &sizes, position)
}
