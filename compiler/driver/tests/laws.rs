//! Every form of every mixer of the corpus equals its definition, run by the f64 interpreter.

mod support;

use seqc_algebra::interp::run;
use seqc_algebra::tensor::Tensor;
use seqc_algebra::{Elem, Func, Sym};
use seqc_driver::passes::{Form, Shapes, forward, generation_step, gradient, prefill, readable};
use std::collections::HashMap;
use support::{all_real, as_real, close, elaborated, inputs, lengths, shapes};

fn check(file: &str, item: &str, settings: &[(&str, &str)]) {
    let (func, shapes) = (elaborated(file, item, settings), shapes());
    for t in [1usize, 3, 4, 9] {
        let sizes = lengths(t);
        let given = inputs(&func, &sizes);
        let truth = run(&func, &given, &sizes).unwrap();
        for form in [Form::Recurrent, Form::Chunked] {
            let f = forward(&func, form, &shapes, &mut vec![])
                .unwrap_or_else(|e| panic!("{item} {form:?}: {e}"));
            let got = run(&f, &all_real(&given), &sizes)
                .unwrap_or_else(|e| panic!("{item} {form:?}: {e}"));
            for ((name, a), (_, b)) in got.iter().zip(&truth) {
                close(&format!("{item} {form:?} T={t} {name}"), a, b);
            }
        }
        if t > 1 {
            steps(item, &func, &shapes, &given, &truth, t);
        }
    }
}

/// The gradient of each form, with respect to every real and complex input, is that of the definition; and every
/// program of training and generating can be lowered.
fn check_gradients(file: &str, item: &str, settings: &[(&str, &str)]) {
    let (func, shapes) = (elaborated(file, item, settings), shapes());
    let wrt: Vec<_> = func
        .params
        .iter()
        .copied()
        .filter(|p| func.ty(*p).elem != Elem::Int)
        .collect();
    let names: Vec<&str> = wrt
        .iter()
        .filter_map(|p| func.input(*p))
        .map(|i| i.name.as_str())
        .collect();
    let outs: Vec<&str> = func.results.iter().map(|(n, _)| n.as_str()).collect();
    let plain = seqc_derive::grad::vjp(&func, &wrt, &outs).unwrap();
    for form in [Form::Recurrent, Form::Chunked] {
        let f = gradient(&func, form, &shapes, &names, &outs, &mut vec![])
            .unwrap_or_else(|e| panic!("{item} {form:?}: {e}"));
        seqc_driver::build::lowered(&f, 8).unwrap_or_else(|e| panic!("{item} {form:?}: {e}"));
        for t in [1usize, 4, 9] {
            let sizes = lengths(t);
            let given = inputs(&plain, &sizes);
            let truth = run(&plain, &given, &sizes).unwrap();
            let got = run(&f, &all_real(&given), &sizes)
                .unwrap_or_else(|e| panic!("{item} {form:?}: {e}"));
            for (name, want) in &truth {
                let (_, a) = got.iter().find(|(n, _)| n == name).unwrap();
                close(&format!("{item} {form:?} gradients T={t} {name}"), a, want);
            }
        }
    }
    for f in [
        generation_step(&func, &shapes, &mut vec![]),
        prefill(&func, &shapes, &mut vec![]),
    ] {
        let f = f.unwrap_or_else(|e| panic!("{item}: {e}"));
        seqc_driver::build::lowered(&f, 8).unwrap_or_else(|e| panic!("{item}: {e}"));
    }
}

/// Prefill of T-1 positions, then one step, gives the last position of the whole.
fn steps(
    item: &str,
    func: &Func,
    shapes: &Shapes,
    given: &HashMap<String, Tensor>,
    truth: &[(String, Tensor)],
    t: usize,
) {
    let (Ok(pre), Ok(step)) = (
        prefill(func, shapes, &mut vec![]),
        generation_step(func, shapes, &mut vec![]),
    ) else {
        panic!(
            "{item} has no step: {:?} {:?}",
            prefill(func, shapes, &mut vec![]).err(),
            generation_step(func, shapes, &mut vec![]).err()
        );
    };
    let sizes: HashMap<Sym, usize> = [("batch", 2), ("t", t - 1), ("cache", t + 2)]
        .iter()
        .map(|(n, v)| (Sym::new(n), *v))
        .collect();
    let time = seqc_algebra::Axis::time();
    let cut = |x: &Tensor, range: std::ops::Range<usize>| -> Tensor {
        let Some(at) = x.axes.iter().position(|a| *a == time) else {
            return x.clone();
        };
        let inner: usize = x.shape[at + 1..].iter().product();
        let outer: usize = x.shape[..at].iter().product();
        let data = x.as_real().unwrap();
        let mut out = vec![];
        for o in 0..outer {
            for p in range.clone() {
                let start = (o * x.shape[at] + p) * inner;
                out.extend_from_slice(&data[start..start + inner]);
            }
        }
        let mut shape = x.shape.clone();
        let mut axes = x.axes.clone();
        if range.len() == 1 && t > 2 || range.start > 0 {
            shape.remove(at);
            axes.remove(at);
        } else {
            shape[at] = range.len();
        }
        Tensor::real(axes, shape, out).unwrap()
    };
    let head: HashMap<String, Tensor> = given
        .iter()
        .map(|(n, x)| {
            let Some(at) = x.axes.iter().position(|a| *a == time) else {
                return (n.clone(), x.clone());
            };
            let inner: usize = x.shape[at + 1..].iter().product();
            let data = x.as_real().unwrap();
            let mut out = vec![];
            for o in 0..x.shape[..at].iter().product::<usize>() {
                out.extend_from_slice(&data[o * t * inner..(o * t + t - 1) * inner]);
            }
            let mut shape = x.shape.clone();
            shape[at] = t - 1;
            (n.clone(), Tensor::real(x.axes.clone(), shape, out).unwrap())
        })
        .collect();
    let first =
        run(&pre, &all_real(&head), &sizes).unwrap_or_else(|e| panic!("{item} prefill: {e}"));
    let plain = run(
        &seqc_derive::step::prefill(&readable(func).unwrap()).unwrap(),
        &head,
        &sizes,
    )
    .unwrap();
    for (n, v) in &plain {
        if let Some((_, w)) = first.iter().find(|(m, _)| m == n) {
            close(&format!("{item} prefill T={t} {n}"), w, v);
        } else {
            panic!(
                "{item}: no {n} in {:?}",
                first.iter().map(|(n, _)| n).collect::<Vec<_>>()
            );
        }
    }
    let mut last: HashMap<String, Tensor> = given
        .iter()
        .map(|(n, x)| (n.clone(), as_real(&cut(x, t - 1..t))))
        .collect();
    last.insert("pos".into(), Tensor::scalar((t - 1) as f64));
    for (n, v) in first {
        if n.starts_with("state.") {
            last.insert(n, v);
        }
    }
    let sizes = lengths(t);
    let got = run(&step, &last, &sizes).unwrap_or_else(|e| panic!("{item} step: {e}"));
    for (name, want) in truth {
        if !want.axes.contains(&time) {
            continue;
        }
        let (_, a) = got.iter().find(|(n, _)| n == name).unwrap();
        close(
            &format!("{item} step T={t} {name}"),
            a,
            &cut(want, t - 1..t),
        );
    }
}

#[test]
fn linear_recurrences() {
    for (item, s) in [
        ("gla", &[("d", "16"), ("h", "2")][..]),
        ("retnet", &[("d", "16"), ("h", "2")]),
        ("linear_attention", &[("d", "8"), ("h", "2")]),
        ("hgrn2", &[("d", "8"), ("h", "2")]),
    ] {
        check("linear_attention.seq", item, s);
    }
}

#[test]
fn state_spaces() {
    check("ssm.seq", "mamba2", &[("d", "8"), ("p", "4"), ("n", "6")]);
    check("ssm.seq", "mamba", &[("d", "16"), ("n", "4")]);
}

#[test]
fn delta_rules() {
    check("delta.seq", "deltanet", &[("d", "8"), ("h", "2")]);
    check("delta.seq", "gated_deltanet", &[("d", "16"), ("h", "2")]);
    check("delta.seq", "titans", &[("d", "8"), ("h", "2")]);
}

#[test]
fn attention() {
    check("attention.seq", "attention", &[("d", "16")]);
    check(
        "attention.seq",
        "attention",
        &[("d", "16"), ("window", "3")],
    );
}

#[test]
fn long_kernels() {
    check(
        "conv.seq",
        "hyena",
        &[("d", "6"), ("m", "4"), ("bands", "2")],
    );
}

#[test]
fn nonlinear_recurrences() {
    for item in ["lstm", "gru", "elman"] {
        check("rnn.seq", item, &[("d", "8")]);
    }
}

/// Recurrences and kernels over complex numbers, and rotary positions.
#[test]
fn complex_values() {
    for (file, item, settings) in [
        ("ssm.seq", "lru", &[("d", "4"), ("n", "6")][..]),
        ("ssm.seq", "s4d", &[("d", "4"), ("n", "3")]),
        ("ssm.seq", "s4", &[("d", "4"), ("n", "3")]),
        ("attention.seq", "attention", &[("d", "16")]),
        ("positions.seq", "rope", &[("c", "6")]),
    ] {
        check(file, item, settings);
        check_gradients(file, item, settings);
    }
}
