//! The standard library through every pipeline: what is derived and lowered, and what is refused with which reason.
//! Both lists are exact, so that a mixer that begins to work, or ceases to, shows.

mod support;

use seqc_algebra::interp::run;
use seqc_algebra::{Axis, Elem, Func, ValueId};
use seqc_derive::grad::vjp;
use seqc_driver::build::{lowered, only};
use seqc_driver::passes::{Form, forward, generation_step, gradient, prefill};
use support::{all_real, difference, elaborated, inputs, lengths, shapes};

type Item = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// Mixers at small sizes; all of tier 1.
const ITEMS: &[Item] = &[
    ("attention.seq", "attention", &[("d", "16")]),
    ("attention.seq", "cross_attention", &[("d", "16")]),
    ("attention.seq", "alibi", &[("d", "16")]),
    ("attention.seq", "bigbird", &[("d", "16"), ("b", "3")]),
    ("attention.seq", "gau", &[("d", "8"), ("s", "4")]),
    ("linear_attention.seq", "linear_attention", &[("d", "8")]),
    ("linear_attention.seq", "retnet", &[("d", "16")]),
    ("linear_attention.seq", "gla", &[("d", "16")]),
    ("linear_attention.seq", "bigla", &[("d", "16")]),
    ("linear_attention.seq", "hgrn2", &[("d", "8")]),
    ("linear_attention.seq", "lightnet", &[("d", "8")]),
    ("linear_attention.seq", "mlstm", &[("d", "8")]),
    ("linear_attention.seq", "mom", &[("d", "8")]),
    ("delta.seq", "deltanet", &[("d", "8")]),
    ("delta.seq", "gated_deltanet", &[("d", "16")]),
    ("delta.seq", "deltaproduct", &[("d", "8")]),
    ("delta.seq", "titans", &[("d", "8")]),
    ("delta.seq", "rwkv7", &[("d", "8")]),
    ("delta.seq", "swa_delta", &[("d", "16")]),
    ("ssm.seq", "mamba", &[("d", "16"), ("n", "4")]),
    ("ssm.seq", "mamba2", &[("d", "8"), ("p", "4"), ("n", "6")]),
    (
        "ssm.seq",
        "ssd_matrix",
        &[("h", "2"), ("n", "3"), ("p", "4")],
    ),
    ("ssm.seq", "hydra", &[("d", "8"), ("p", "4"), ("n", "3")]),
    ("ssm.seq", "lru", &[("d", "4"), ("n", "6")]),
    ("ssm.seq", "s4d", &[("d", "4"), ("n", "3")]),
    ("ssm.seq", "s4", &[("d", "4"), ("n", "3")]),
    ("ssm.seq", "rglru", &[("e", "4")]),
    ("ssm.seq", "mingru", &[("d", "4")]),
    ("ssm.seq", "minlstm", &[("d", "4")]),
    ("ssm.seq", "spacetime", &[("c", "4"), ("n", "3")]),
    ("ssm.seq", "h3", &[("d", "4"), ("n", "3"), ("m", "4")]),
    ("conv.seq", "conv", &[("c", "4")]),
    (
        "conv.seq",
        "hyena",
        &[("d", "6"), ("m", "4"), ("bands", "2")],
    ),
    ("conv.seq", "longconv", &[("c", "4"), ("n", "16")]),
    (
        "conv.seq",
        "sgconv",
        &[("c", "4"), ("taps", "2"), ("scales", "3")],
    ),
    (
        "matrices.seq",
        "dense_mixer",
        &[("h", "2"), ("p", "3"), ("n", "16")],
    ),
    (
        "matrices.seq",
        "toeplitz_mixer",
        &[("h", "2"), ("p", "3"), ("n", "16")],
    ),
    ("matrices.seq", "dft_mixer", &[("p", "3")]),
    (
        "matrices.seq",
        "vandermonde_mixer",
        &[("d", "4"), ("h", "2"), ("p", "3"), ("n", "3")],
    ),
    (
        "matrices.seq",
        "cauchy_mixer",
        &[("d", "4"), ("h", "2"), ("p", "3"), ("n", "3")],
    ),
    (
        "matrices.seq",
        "monarch",
        &[("d", "3"), ("b", "2"), ("p", "2")],
    ),
    (
        "multirate.seq",
        "sashimi_level",
        &[("d", "8"), ("pool", "2")],
    ),
    ("multirate.seq", "scan2d", &[("d", "8"), ("w", "2")]),
    ("rnn.seq", "elman", &[("d", "8")]),
    ("rnn.seq", "lstm", &[("d", "8")]),
    ("rnn.seq", "gru", &[("d", "8")]),
    ("rnn.seq", "slstm", &[("d", "8")]),
    ("positions.seq", "rope", &[("c", "6")]),
];

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
