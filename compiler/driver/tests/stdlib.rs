//! The standard library through every pipeline: what is derived and lowered, and what is refused with which reason.
//! Both lists are exact, so that a mixer that begins to work, or ceases to, shows.

mod support;

use seqc_algebra::interp::run;
use seqc_algebra::{Axis, Elem, Func, ValueId};
use seqc_derive::grad::vjp;
use seqc_driver::build::{lowered, only};
use seqc_driver::passes::{Form, forward, generation_step, gradient, prefill};
use support::items::ITEMS;
use support::{all_real, difference, elaborated, inputs, lengths, shapes};

/// What is refused: mixer, pipeline, and a part of the reason.
const REFUSED: &[(&str, &str, &str)] = &[
    ("bigla", "step", "reads later times"),
    ("bigla", "prefill", "reads later times"),
    ("hydra", "step", "reads later times"),
    ("hydra", "prefill", "reads later times"),
    ("monarch", "step", "reads later times"),
    ("monarch", "prefill", "reads later times"),
    ("scan2d", "step", "reads later times"),
    ("scan2d", "prefill", "reads later times"),
    ("toeplitz_mixer", "step", "reads later times"),
    ("toeplitz_mixer", "prefill", "reads later times"),
];

fn pipelines(func: &Func) -> Vec<(&'static str, Result<Func, String>)> {
    let s = shapes();
    let names = names(func, &smooth(func));
    let outs: Vec<&str> = func.results.iter().map(|(n, _)| n.as_str()).collect();
    let t = &mut vec![];
    let text = |r: Result<Func, seqc_derive::DeriveError>| r.map_err(|e| e.to_string());
    // Objectives over all times are no part of a step.
    let along = |n: &str| func.result(n).is_some_and(|v| func.ty(v).has(Axis::time()));
    let outputs = only(func, along).expect("a part of a sound program is sound");
    vec![
        ("forward", text(forward(func, Form::Chunked, &s, t))),
        ("recurrent", text(forward(func, Form::Recurrent, &s, t))),
        (
            "gradient",
            text(gradient(func, Form::Chunked, &s, &names, &outs, t)),
        ),
        ("step", text(generation_step(&outputs, &s, t))),
        ("prefill", text(prefill(&outputs, &s, t))),
    ]
}

/// The chunked form and its gradient with respect to every real and complex input are those of the definition.
#[test]
fn values_and_gradients() {
    let mut wrong: Vec<String> = vec![];
    for (file, item, settings) in ITEMS {
        let func = elaborated(file, item, settings);
        let wrt: Vec<ValueId> = smooth(&func);
        let outs: Vec<&str> = func.results.iter().map(|(n, _)| n.as_str()).collect();
        let plain = vjp(&func, &wrt, &outs).expect("the definition has a gradient");
        let names = names(&func, &wrt);
        let derived = gradient(&func, Form::Chunked, &shapes(), &names, &outs, &mut vec![])
            .unwrap_or_else(|e| panic!("{item}: {e}"));
        for t in [1usize, 6, 9] {
            let sizes = lengths(t);
            let given = inputs(&plain, &sizes);
            let truth = run(&plain, &given, &sizes).unwrap_or_else(|e| panic!("{item}: {e}"));
            let got =
                run(&derived, &all_real(&given), &sizes).unwrap_or_else(|e| panic!("{item}: {e}"));
            for (name, want) in &truth {
                let at = format!("{item} T={t} {name}");
                match got.iter().find(|(n, _)| n == name) {
                    Some((_, a)) => wrong.extend(difference(&at, a, want)),
                    None => wrong.push(format!("{at} is missing")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Inputs that a gradient can be taken for.
fn smooth(func: &Func) -> Vec<ValueId> {
    let real = |p: &ValueId| func.ty(*p).elem != Elem::Int;
    func.params.iter().copied().filter(real).collect()
}

fn names<'a>(func: &'a Func, inputs: &[ValueId]) -> Vec<&'a str> {
    let inputs = inputs.iter().filter_map(|p| func.input(*p));
    inputs.map(|i| i.name.as_str()).collect()
}

#[test]
fn every_pipeline() {
    let mut found: Vec<(String, String, String)> = vec![];
    for (file, item, settings) in ITEMS {
        let func = elaborated(file, item, settings);
        for (pipeline, derived) in pipelines(&func) {
            let done = derived.and_then(|f| {
                lowered(&f, 8)
                    .map(|_| ())
                    .map_err(|e| format!("lowering: {e}"))
            });
            if let Err(why) = done {
                found.push((item.to_string(), pipeline.to_owned(), why));
            }
        }
    }
    let known = |f: &(String, String, String)| {
        REFUSED
            .iter()
            .any(|(i, p, why)| f.0 == *i && f.1 == *p && f.2.contains(why))
    };
    let fresh: Vec<String> = found
        .iter()
        .filter(|f| !known(f))
        .map(|(i, p, why)| format!("{i} {p}: {why}"))
        .collect();
    assert!(fresh.is_empty(), "refused:\n{}", fresh.join("\n"));
    let mended: Vec<_> = REFUSED
        .iter()
        .filter(|(i, p, _)| !found.iter().any(|f| f.0 == *i && f.1 == *p))
        .collect();
    assert!(mended.is_empty(), "no longer refused: {mended:?}");
}
