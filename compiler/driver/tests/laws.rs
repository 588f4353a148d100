//! Every form of every mixer of the corpus equals its definition, run by the f64 interpreter.

use seqc_algebra::interp::run;
use seqc_algebra::tensor::Tensor;
use seqc_algebra::{C64, Data, Elem, Func, Op, Size, Sym};
use seqc_driver::passes::{Form, Shapes, forward, generation_step, gradient, prefill};
use seqc_hir::{BesideImporter, elaborate, load};
use seqc_syntax::SourceMap;
use std::collections::HashMap;
use std::path::Path;

/// A fixed pseudo-random number in [-1, 1) of a name and an index.
fn draw(name: &str, n: usize) -> f64 {
    let mut h = 0xcbf2_9ce4_8422_2325u64;
    for b in name.bytes().chain((n as u64).to_le_bytes()) {
        h = (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3);
    }
    h ^= h >> 29;
    h = h.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h ^= h >> 32;
    (h >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

fn inputs(func: &Func, sizes: &HashMap<Sym, usize>) -> HashMap<String, Tensor> {
    let mut all = HashMap::new();
    for p in &func.params {
        let Op::Input(input) = func.op(*p) else {
            continue;
        };
        let ty = func.ty(*p);
        let shape: Vec<usize> = ty
            .axes
            .iter()
            .map(|a| match a.size {
                Size::Const(n) => n,
                Size::Len(s) => sizes[&s],
                Size::Tiles(s, n) => sizes[&s].div_ceil(n),
            })
            .collect();
        let n: usize = shape.iter().product();
        let name = input.name.as_str();
        let t = match ty.elem {
            Elem::Int => Tensor::real(
                ty.axes.clone(),
                shape,
                (0..n)
                    .map(|k| ((draw(name, k) + 1.0) * 8.0).floor())
                    .collect(),
            ),
            Elem::Real => Tensor::real(
                ty.axes.clone(),
                shape,
                (0..n).map(|k| 0.5 * draw(name, k)).collect(),
            ),
            Elem::Complex => Tensor::new(
                ty.axes.clone(),
                shape,
                Data::Complex(
                    (0..n)
                        .map(|k| C64::new(0.5 * draw(name, 2 * k), 0.5 * draw(name, 2 * k + 1)))
                        .collect(),
                ),
            ),
        };
        all.insert(name.to_owned(), t.unwrap());
    }
    all
}

/// Derived programs take and give complex values as real ones with a last axis of parts.
fn as_real(t: &Tensor) -> Tensor {
    let Data::Complex(data) = &t.data else {
        return t.clone();
    };
    let parts = seqc_derive::real::parts_axis(&t.axes);
    Tensor::real(
        [t.axes.as_slice(), &[parts]].concat(),
        [t.shape.as_slice(), &[2]].concat(),
        data.iter().flat_map(|z| [z.re, z.im]).collect(),
    )
    .unwrap()
}

fn all_real(given: &HashMap<String, Tensor>) -> HashMap<String, Tensor> {
    given.iter().map(|(n, t)| (n.clone(), as_real(t))).collect()
}

fn close(name: &str, a: &Tensor, b: &Tensor) {
    let b = as_real(b);
    let b = b.ordered(&a.axes).unwrap();
    let (x, y) = (a.as_real().unwrap(), b.as_real().unwrap());
    assert_eq!(x.len(), y.len(), "{name}");
    let norm: f64 = y.iter().map(|v| v * v).sum::<f64>().sqrt().max(1e-12);
    let diff: f64 = x
        .iter()
        .zip(y)
        .map(|(a, b)| (a - b) * (a - b))
        .sum::<f64>()
        .sqrt();
    assert!(diff / norm < 1e-9, "{name}: relative error {}", diff / norm);
}

fn elaborated(file: &str, item: &str, settings: &[(&str, &str)]) -> Func {
    let mut map = SourceMap::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../stdlib")
        .join(file);
    let id = map.read(&path).unwrap();
    let program = load(&mut map, id, &BesideImporter)
        .unwrap_or_else(|e| panic!("{}", seqc_syntax::render_human(&map, &e, false)));
    let settings: Vec<(String, String)> = settings
        .iter()
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
    elaborate(&program, item, &settings)
        .unwrap_or_else(|e| panic!("{}", seqc_syntax::render_human(&map, &e, false)))
        .func
}

fn shapes() -> Shapes {
    Shapes {
        chunk: 4,
        checkpoint: 4,
        tiles: seqc_derive::stream::Tiles {
            kept: 4,
            streamed: 3,
        },
    }
}

fn lengths(t: usize) -> HashMap<Sym, usize> {
    [("batch", 2), ("t", t), ("cache", t + 2)]
        .iter()
        .map(|(n, v)| (Sym::new(n), *v))
        .collect()
}

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
        &seqc_derive::step::prefill(&seqc_derive::sink::sink_reads(func).unwrap()).unwrap(),
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
        if let Some(s) = n.strip_prefix("state.") {
            last.insert(s.to_owned(), v);
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
