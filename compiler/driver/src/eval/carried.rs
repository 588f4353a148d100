//! Gradients through states: with cotangents of the states after the last position, and from given states their
//! gradients too. A sequence cut into parts is differentiated part by part, the last one first: what a part gives as
//! `grad.state.NAME` is `cotangent.state.NAME` of the part before.

use super::contract::{Contract, Given, Part, Slot, matched, meaningful};
use super::states::{Continued, Layout, Start, after, grown, slots, start_of};
use super::{Request, laid_out};
use crate::engine::{Named, Programs, Sizes};
use crate::passes::{Begin, Form, STATE_COTANGENT, Shapes, Stepped, Wanted};
use crate::{Result, build, other, parts, timeline};
use seqc_algebra::{Func, Size, Tensor};
use seqc_derive::step::cache;
use seqc_hir::Elaborated;
use std::collections::BTreeMap;

/// Outputs, states and gradients of a causal mixer from given states, or from the start.
pub fn carried(
    e: &Elaborated,
    contract: &Contract,
    given: &BTreeMap<String, Given>,
    states: Option<&BTreeMap<String, Given>>,
    request: &Request,
) -> Result<Continued> {
    let (of_states, others) = apart(given);
    let m = matched(&others, &contract.wanted(true), &Sizes::new())?;
    meaningful(e, &m)?;
    let failed = |x: seqc_derive::DeriveError| other(&e.name, x);
    let shapes = Shapes::cpu();
    let stepped = Stepped::of(&build::outputs(e)?, &shapes, &mut vec![]).map_err(failed)?;
    let slots = slots(&stepped).map_err(failed)?;
    let program = program(e, contract, (&stepped, states.is_some()), request)?;
    let start = match states {
        Some(states) => start_of(&slots, states, &m.sizes)?,
        None => Start::default(),
    };
    let (sizes, position) = after(&m, &start);
    let cotangents = cotangents(&program, &slots, &of_states, &sizes)?;
    let mut given = m.tensors.clone();
    given.extend(cotangents);
    given.insert("pos".into(), Tensor::scalar(start.position as f64));
    given.extend(grown(start.states.clone(), sizes[&cache()])?);
    let run = vec![("carried".to_owned(), program)];
    let programs = Programs::new(request.runs_on(), run, request.threads)?;
    let made = programs.run("carried", &given, &sizes)?;
    let (gradients, made): (Named, Vec<_>) = divided(made);
    let layout = Layout {
        contract,
        states: &slots,
    };
    let mut done = layout.sorted_out(made, &sizes, position)?;
    for slot in contract.smooth() {
        let name = format!("grad.{}", slot.name);
        let g = laid_out(&gradients, &name, slot, &sizes)?;
        done.outputs.push((name, g));
    }
    done.outputs.extend(by_states(&gradients, &slots, &start)?);
    Ok(done)
}

/// Cotangents of states, and all other tensors.
fn apart(given: &BTreeMap<String, Given>) -> (BTreeMap<String, Given>, BTreeMap<String, Given>) {
    let all = given.iter().map(|(n, g)| (n.clone(), g.clone()));
    all.partition(|(n, _)| n.starts_with(STATE_COTANGENT))
}

/// Gradients, and all other results.
fn divided(made: Vec<(String, Tensor)>) -> (Named, Vec<(String, Tensor)>) {
    let (gradients, others): (Vec<_>, Vec<_>) =
        made.into_iter().partition(|(n, _)| n.starts_with("grad."));
    (gradients.into_iter().collect(), others)
}

fn program(
    e: &Elaborated,
    contract: &Contract,
    (stepped, from_states): (&Stepped, bool),
    request: &Request,
) -> Result<Func> {
    let wrt: Vec<&str> = contract.smooth().map(|s| s.name.as_str()).collect();
    let outs: Vec<&str> = e.outputs.iter().map(String::as_str).collect();
    let wanted = Wanted {
        begin: if from_states {
            Begin::States
        } else {
            Begin::Start
        },
        wrt: &wrt,
        outs: &outs,
    };
    let form = request.form.unwrap_or(Form::Chunked);
    (stepped.carried_gradient(form, wanted, &mut vec![])).map_err(|x| other(&e.name, x))
}

/// The given cotangents of states, held to those that the program has; those that are not given are 0.
fn cotangents(
    program: &Func,
    states: &[Slot],
    given: &BTreeMap<String, Given>,
    sizes: &Sizes,
) -> Result<Vec<(String, Tensor)>> {
    let slot = |s: &Slot| {
        let name = format!("cotangent.{}", s.name);
        let mut read = program.params.iter().filter_map(|p| program.input(*p));
        read.any(|i| i.name.as_str() == name).then(|| Slot {
            name,
            part: Part::Cotangent,
            ..s.clone()
        })
    };
    let all: Vec<Slot> = states.iter().filter_map(slot).collect();
    let (there, absent): (Vec<Slot>, Vec<Slot>) = all
        .iter()
        .cloned()
        .partition(|s| given.contains_key(&s.name));
    // One that no state has is named beside all that there are.
    let wanted = if there.len() == given.len() {
        &there
    } else {
        &all
    };
    let mut tensors: Vec<_> = matched(given, wanted, sizes)?.tensors.into_iter().collect();
    for s in absent {
        let zeros = s.zeros(sizes)?;
        tensors.push((s.name, zeros));
    }
    Ok(tensors)
}

/// `grad.state.NAME` in the layout and the length of the given states.
fn by_states(gradients: &Named, slots: &[Slot], start: &Start) -> Result<Vec<(String, Tensor)>> {
    let mut all = vec![];
    for slot in slots {
        let own = format!("grad.{}", slot.name);
        let (Some(g), Some(state)) = (gradients.get(&own), start.states.get(&slot.name)) else {
            continue;
        };
        let mut g = parts::whole(g, &slot.axes).map_err(|e| other(&own, e))?;
        for (a, n) in state.axes.iter().zip(&state.shape) {
            if a.size == Size::Len(cache()) {
                g = timeline::cut(&g, *a, 0..*n).map_err(|e| other(&own, e))?;
            }
        }
        all.push((own, g));
    }
    Ok(all)
}
