//! Gradients through states: with cotangents of the states after the last position, and from given states their
//! gradients too. A sequence cut into parts is differentiated part by part, the last one first: what a part gives as
//! `grad.state.NAME` is `cotangent.state.NAME` of the part before.

use super::contract::{Contract, Given, Part, Slot, matched, meaningful};
use super::states::{Continued, Start, after, as_inputs, grown, sorted_out, start_of};
use super::{Request, laid_out};
use crate::engine::{Named, Programs, Sizes};
use crate::passes::{self, Begin, Form, STATE_COTANGENT, Shapes, Wanted};
use crate::{Result, build, other, timeline};
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
    let program = program(e, contract, states.is_some(), request)?;
    let start = match states {
        Some(states) => start_of(&program, states, &m.sizes)?,
        None => Start::default(),
    };
    let (sizes, position) = after(&m, &start);
    let cotangents = cotangents(&program, &of_states, &sizes)?;
    let mut given = m.tensors.clone();
    given.extend(cotangents);
    given.insert("pos".into(), Tensor::scalar(start.position as f64));
    given.extend(as_inputs(&grown(start.states.clone(), sizes[&cache()])?));
    let run = vec![("carried".to_owned(), program)];
    let programs = Programs::new(request.runs_on(), run, request.threads)?;
    let made = programs.run("carried", &given, &sizes)?;
    let (gradients, made): (Named, Vec<_>) = divided(made);
    let mut done = sorted_out(contract, made, &sizes, position)?;
    for slot in contract.smooth() {
        let name = format!("grad.{}", slot.name);
        let g = laid_out(&gradients, &name, slot, &sizes)?;
        done.outputs.push((name, g));
    }
    done.outputs.extend(by_states(&gradients, &start)?);
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
    from_states: bool,
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
    let (form, shapes) = (request.form.unwrap_or(Form::Chunked), Shapes::cpu());
    passes::carried_gradient(&build::outputs(e)?, form, &shapes, wanted, &mut vec![])
        .map_err(|x| other(&e.name, x))
}

/// The given cotangents of states, held to those that the program has; those that are not given are 0.
fn cotangents(
    program: &Func,
    given: &BTreeMap<String, Given>,
    sizes: &Sizes,
) -> Result<Vec<(String, Tensor)>> {
    let slot = |p: &seqc_algebra::ValueId| {
        let name = program.input(*p)?.name.as_str();
        let ty = program.ty(*p);
        name.starts_with(STATE_COTANGENT).then(|| Slot {
            name: name.to_owned(),
            part: Part::Cotangent,
            elem: ty.elem,
            axes: ty.axes.clone(),
        })
    };
    let all: Vec<Slot> = program.params.iter().filter_map(slot).collect();
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
fn by_states(gradients: &Named, start: &Start) -> Result<Vec<(String, Tensor)>> {
    let mut all = vec![];
    for (name, state) in &start.states {
        let own = format!("grad.{name}");
        let Some(g) = gradients.get(&own) else {
            continue;
        };
        let mut g = g
            .ordered(&state.axes)
            .map_err(|e| other(&own, e))?
            .into_owned();
        for (a, n) in state.axes.iter().zip(&state.shape) {
            if a.size == Size::Len(cache()) {
                g = timeline::cut(&g, *a, 0..*n).map_err(|e| other(&own, e))?;
            }
        }
        all.push((own, g));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}
