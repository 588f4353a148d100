//! The cost report: costs against formulas worked by hand, classes that do not depend on how a mixer is spelled, the
//! library's documented classes, and the page of the diagnostic that compares them.

use seqc_algebra::interp::run;
use seqc_algebra::tensor::Tensor;
use seqc_algebra::{Op, Size, Sym};
use seqc_derive::cost::{Cost, cost};
use seqc_driver::explain::{Certificates, Report, class_mismatch, entries, report, table};
use seqc_driver::frontend::Source;
use seqc_driver::passes::{Form, Shapes, forward};
use seqc_hir::{BesideImporter, load, stdlib};
use seqc_syntax::{SourceMap, render_human};
use std::collections::HashMap;
use std::path::Path;

fn source(name: &str, text: &str) -> Source {
    let mut map = SourceMap::new();
    let id = map.add(name, text.as_bytes().to_vec());
    match load(&mut map, id, &BesideImporter) {
        Ok(program) => Source { map, program },
        Err(d) => panic!("{}\n{text}", render_human(&map, &d, false)),
    }
}

/// A mixer `m` over given inputs, after `seq 1`.
fn mixer(header: &str, body: &str) -> Source {
    source(
        "m.seq",
        &format!("seq 1\n\nmixer m({header} {{\n{body}\n}}\n"),
    )
}

fn explained(s: &Source, item: &str) -> Report {
    let e = s.elaborate(item, &[]).unwrap_or_else(|e| panic!("{e}"));
    report(s, &e, &Shapes::cpu()).unwrap_or_else(|e| panic!("{e}"))
}

fn costs(s: &Source, form: Form) -> Cost {
    let e = s.elaborate("m", &[]).unwrap_or_else(|e| panic!("{e}"));
    cost(&forward(&e.func, form, &Shapes::cpu(), &mut vec![]).unwrap())
}

// Costs. Sizes: dk = 8, dv = 32, one head, no projections; the chunk of the CPU is 16.

const LINEAR: &str = "q: seq{dk}, k: seq{dk}, v: seq{dv}, a: seq{}; dk = 8, dv = 32) -> o: seq{dv}";
const DIAGONAL: &str =
    "q: seq{dk}, k: seq{dk}, v: seq{dv}, a: seq{dk}; dk = 8, dv = 32) -> o: seq{dv}";

fn scalar() -> Source {
    mixer(
        LINEAR,
        "    state S{dk, dv}\n    S[t] = a * S[t-1] + k * v\n    o = sum[dk](q * S)",
    )
}

/// Per token `2 C (dk + dv) + 4 dk dv`: inside the chunk QKᵀ and its product with V, from the state and to it.
#[test]
fn products_of_a_chunked_scalar_recurrence() {
    let expected = 2.0 * 16.0 * (8.0 + 32.0) + 4.0 * 8.0 * 32.0;
    let c = costs(&scalar(), Form::Chunked);
    assert_eq!(c.products.to_string(), format!("{expected} T"));
}

/// With a decay for each position of K the scores have a third factor: `3 C dk` instead of `2 C dk`.
#[test]
fn products_of_a_chunked_diagonal_recurrence() {
    let s = mixer(
        DIAGONAL,
        "    state S{dk, dv}\n    S[t] = a * S[t-1] + k * v\n    o = sum[dk](q * S)",
    );
    let expected = 16.0 * (3.0 * 8.0 + 2.0 * 32.0) + 4.0 * 8.0 * 32.0;
    let c = costs(&s, Form::Chunked);
    assert_eq!(c.products.to_string(), format!("{expected} T"));
}

/// Step by step: decay, outer product and sum are an operation each, the read a multiply-add: `5 dk dv`.
#[test]
fn a_recurrence_step_by_step_costs_five_operations_an_entry() {
    let c = costs(&scalar(), Form::Recurrent);
    assert_eq!(c.flops().to_string(), format!("{} T", 5 * 8 * 32));
}

/// `2 T (dk + dv)` a token as written; in tiles of 32 the masked half is skipped: `(T + 32) (dk + dv)`.
#[test]
fn products_of_a_causal_softmax_matrix() {
    let s = mixer(
        "q: seq{dk}, k: seq{dk}, v: seq{dv}; dk = 8, dv = 32) -> o: seq{dv}",
        "    M[i,j] = softmax[j](sum[dk](q[i] * k[j]))  where j <= i\n    o = sum[j](M[t,j] * v[j])",
    );
    let whole = costs(&s, Form::Matrix).products;
    assert_eq!(whole.to_string(), format!("{} T^2", 2 * (8 + 32)));
    let tiled = costs(&s, Form::Chunked).products;
    assert_eq!(
        tiled.to_string(),
        format!("{} T^2 + {} T", 8 + 32, 32 * (8 + 32))
    );
}

/// A window of w positions: every tile of 32 rows meets w + 31 columns.
#[test]
fn a_window_bounds_the_tiles() {
    let s = mixer(
        "q: seq{dk}, k: seq{dk}, v: seq{dv}; dk = 8, dv = 32) -> o: seq{dv}",
        "    M[i,j] = softmax[j](sum[dk](q[i] * k[j]))  where j <= i and i - j < 256\n    o = sum[j](M[t,j] * v[j])",
    );
    let tiled = costs(&s, Form::Chunked).products;
    assert_eq!(
        tiled.to_string(),
        format!("{} T", 2 * (8 + 32) * (256 + 31))
    );
}

#[test]
fn states_are_counted_in_bytes() {
    let g = explained(&scalar(), "m").generation.unwrap();
    assert_eq!((g.state_bytes.as_str(), g.bytes_per_token), ("1024", 0.0));
    let s = mixer(
        "q: seq{dk}, k: seq{dk}, v: seq{dv}; dk = 8, dv = 32) -> o: seq{dv}",
        "    M[i,j] = softmax[j](sum[dk](q[i] * k[j]))  where j <= i\n    o = sum[j](M[t,j] * v[j])",
    );
    let g = explained(&s, "m").generation.unwrap();
    assert_eq!(g.bytes_per_token, 4.0 * (8.0 + 32.0));
}

/// 8 channels: 2.5 log2(2N)^2 + 3 log2(2N) each for the convolution, and 8 for the product outside and 8 for the
/// negated rate; the kernel's two products and its exponential at each of N lags are computed once.
#[test]
fn a_long_convolution_is_counted_by_position() {
    let s = mixer(
        "x: seq{d}; d = 8) -> y: seq{d}",
        "    param w{d} = 1\n    f[lag] = exp(-w * lag * lag)  where lag >= 0\n    y = 2 * sum[lag](f[lag] * x[t - lag])",
    );
    let g = explained(&s, "m").generation.unwrap();
    assert_eq!(g.flops, "20 log2(2 N)^2 + 24 log2(2 N) + 16");
    assert_eq!(g.flops_once, "24 N");
    assert_eq!(g.state_bytes, "32 N");
}

// Classes. Each row: a class, a header, and spellings of one mixer.

const SPELLINGS: &[(&str, &str, &[&str])] = &[
    (
        "identity",
        LINEAR,
        &[
            "state S{dk, dv}\nS[t] = S[t-1] + k * v\no = sum[dk](q * S)",
            "state S{dv, dk}\nw = v * k\nS[t] = w + 1 * S[t-1]\no = sum[dk](S * q)",
            "state S{dk, dv}\nS[t] = 0.5 * S[t-1] + k * v + 0.5 * S[t-1]\no = sum[dk](q * S)",
        ],
    ),
    (
        "scalar",
        LINEAR,
        &[
            "state S{dk, dv}\nS[t] = a * S[t-1] + k * v\no = sum[dk](q * S)",
            "state S{dv, dk}\nP = S[t-1] * a\nS[t] = v * k + P\no = sum[dk](S * q)",
            "b = 1 - a\nstate S{dk, dv}\nS[t] = S[t-1] - b * S[t-1] + k * v\no = sum[dk](q * S)",
            "state S{dk, dv}\nS[t] = S[t-1] + (a - 1) * S[t-1] + v * k\no = sum[dk](q * S)",
        ],
    ),
    (
        "diagonal",
        DIAGONAL,
        &[
            "state S{dk, dv}\nS[t] = a * S[t-1] + k * v\no = sum[dk](q * S)",
            "state S{dv, dk}\nS[t] = S[t-1] / (1 / a) + k * v\no = sum[dk](q * S)",
            "state S{dk, dv}\nS[t] = (1 - a) * S[t-1] + (2 * a - 1) * S[t-1] + k * v\no = sum[dk](q * S)",
            "state S{dk, dv}\nP = k * v - S[t-1]\nS[t] = a * S[t-1] - (0 - k * v)\no = sum[dk](q * S) + 0 * sum[dk](q)",
        ],
    ),
    (
        "identity + rank 1",
        LINEAR,
        &[
            "state S{dk, dv}\nS[t] = S[t-1] + a * k * (v - sum[dk](k * S[t-1]))\no = sum[dk](q * S)",
            "state S{dk, dv}\nS[t] = S[t-1] - a * k * (sum[dk](k * S[t-1]) - v)\no = sum[dk](q * S)",
            "state S{dv, dk}\nr = sum[dk](S[t-1] * k)\nb = a * k\nS[t] = S[t-1] - b * r + b * v\no = sum[dk](S * q)",
            "state S{dk, dv}\nS[t] = a * k * v + S[t-1] - sum[dk](a * k * S[t-1]) * k\no = sum[dk](q * S)",
        ],
    ),
    (
        "scalar x (identity + rank 1)",
        "q: seq{dk}, k: seq{dk}, v: seq{dv}, a: seq{}, g: seq{}; dk = 8, dv = 32) -> o: seq{dv}",
        &[
            "state S{dk, dv}\nP = g * S[t-1]\nS[t] = P + a * k * (v - sum[dk](k * P))\no = sum[dk](q * S)",
            "state S{dk, dv}\nS[t] = g * S[t-1] - g * a * k * sum[dk](k * S[t-1]) + a * k * v\no = sum[dk](q * S)",
            "state S{dv, dk}\nS[t] = g * (S[t-1] - a * sum[dk](S[t-1] * k) * k) + v * k * a\no = sum[dk](q * S)",
        ],
    ),
    (
        "coupled",
        "q: seq{dk}, k: seq{dk}, v: seq{dv}, a: seq{}, g: seq{}; dk = 8, dv = 32) -> o: seq{dv}",
        &[
            "state P{dk, dv}\nstate S{dk, dv}\nP[t] = g * P[t-1] + k * v\nS[t] = a * S[t-1] + P\no = sum[dk](q * S)",
            "state P{dv, dk}\nstate S{dv, dk}\nS[t] = S[t-1] - (1 - a) * S[t-1] + P\nP[t] = v * k + P[t-1] * g\no = sum[dk](S * q)",
            "state S{dk, dv}\nstate P{dk, dv}\nw = k * v\nP[t] = w + g * P[t-1]\nS[t] = w + a * S[t-1] + g * P[t-1]\no = sum[dk](q * S)",
        ],
    ),
    (
        "coupled",
        "q: seq{dk}, k: seq{dk}, v: seq{dv}, a: seq{dk}, g: seq{}; dk = 8, dv = 32) -> o: seq{dv}",
        &[
            "state S{dk, dv}\nS[t] = a * S[t-1] - g * S[t-2] + k * v\no = sum[dk](q * S)",
            "state S{dk, dv}\nstate P{dk, dv}\nS[t] = a * S[t-1] - g * P[t-1] + k * v\nP[t] = S[t-1]\no = sum[dk](q * S)",
            "state S{dv, dk}\nstate P{dv, dk}\nS[t] = v * k + S[t-1] * a - P[t-1] / (1 / g)\nP[t] = S[t-1] + 0 * P[t-1]\no = sum[dk](S * q)",
        ],
    ),
    (
        "diagonal + rank 1",
        "q: seq{dk}, k: seq{dk}, v: seq{dv}, a: seq{dk}, z: seq{dk}; dk = 8, dv = 32) -> o: seq{dv}",
        &[
            "state S{dk, dv}\nS[t] = a * S[t-1] - z * sum[dk](k * S[t-1]) + k * v\no = sum[dk](q * S)",
            "state S{dv, dk}\nr = sum[dk](S[t-1] * k)\nS[t] = k * v + a * S[t-1] - r * z\no = sum[dk](S * q)",
            "state S{dk, dv}\nS[t] = S[t-1] - (1 - a) * S[t-1] - z * sum[dk](k * S[t-1]) + k * v\no = sum[dk](q * S)",
        ],
    ),
    (
        "identity + rank r",
        "q: seq{dk}, k: seq{dk}, z: seq{dk}, v: seq{dv}; dk = 8, dv = 32) -> o: seq{dv}",
        &[
            "state S{dk, dv}\nS[t] = S[t-1] - k * sum[dk](k * S[t-1]) - z * sum[dk](z * S[t-1]) + k * v\no = sum[dk](q * S)",
            "state S{dv, dk}\nr = sum[dk](S[t-1] * k)\ns = sum[dk](S[t-1] * z)\nS[t] = S[t-1] + k * (v - r) - s * z\no = sum[dk](S * q)",
            "state S{dk, dv}\nP = S[t-1] - k * sum[dk](k * S[t-1])\nS[t] = P + z * (v - sum[dk](z * P))\no = sum[dk](q * S)",
        ],
    ),
    (
        "scalar x (identity + rank r)",
        "q: seq{dk}, k: seq{dk}, z: seq{dk}, v: seq{dv}, a: seq{}; dk = 8, dv = 32) -> o: seq{dv}",
        &[
            "state S{dk, dv}\nP = a * S[t-1]\nR = P - k * sum[dk](k * P)\nS[t] = R + z * (v - sum[dk](z * R))\no = sum[dk](q * S)",
            "state S{dk, dv}\nR = S[t-1] - k * sum[dk](k * S[t-1])\nS[t] = a * R + z * v - sum[dk](z * R) * a * z\no = sum[dk](q * S)",
            "state S{dv, dk}\nS[t] = a * (S[t-1] - k * sum[dk](k * S[t-1]) - z * sum[dk](z * S[t-1])) + v * z\no = sum[dk](S * q)",
        ],
    ),
    (
        "diagonal + rank r",
        "q: seq{dk}, k: seq{dk}, z: seq{dk}, v: seq{dv}, a: seq{dk}; dk = 8, dv = 32) -> o: seq{dv}",
        &[
            "state S{dk, dv}\nR = a * S[t-1] - k * sum[dk](z * S[t-1])\nS[t] = R - z * sum[dk](k * R) + k * v\no = sum[dk](q * S)",
            "state S{dv, dk}\nS[t] = S[t-1] * a - sum[dk](S[t-1] * z) * k - sum[dk](S[t-1] * k) * z + v * k\no = sum[dk](S * q)",
            "state S{dk, dv}\nr = k * sum[dk](z * S[t-1]) + z * sum[dk](k * S[t-1])\nS[t] = S[t-1] - r + (a - 1) * S[t-1] + v * k\no = sum[dk](q * S)",
        ],
    ),
    (
        "dense recurrence",
        "x: seq{n}; n = 8) -> o: seq{n}",
        &[
            "param W{n, n'} = normal(0.1)\nstate o{n}\no[t] = sum[n'](W * o[t-1]{n -> n'}) + x",
            "state o{n}\no[t] = x + linear(o[t-1], n -> n)",
            "state s{n}\ns[t] = shift[n](s[t-1], 1) + x\no = s",
        ],
    ),
    (
        "nonlinear",
        "x: seq{n}; n = 8) -> o: seq{n}",
        &[
            "state o{n}\no[t] = tanh(x + linear(o[t-1], n -> n))",
            "state s{n}\nr = linear(s[t-1], n -> n)\np = r + x\ns[t] = tanh(p)\no = s",
            "state s{n}\ns[t] = x + 0.1 * s[t-1] * s[t-1]\no = s",
            "state c{n}\nstate s{n}\nc[t] = 0.5 * c[t-1] + x * sigmoid(s[t-1])\ns[t] = tanh(c)\no = s",
        ],
    ),
    (
        "softmax",
        "q: seq{dk}, k: seq{dk}, v: seq{dv}; dk = 8, dv = 32) -> o: seq{dv}",
        &[
            "M[i,j] = softmax[j](sum[dk](q[i] * k[j]))  where j <= i\no = sum[j](M[t,j] * v[j])",
            "A[i,j] = sum[dk](k[j] * q[i]) / 3\nM[i,j] = softmax[j](A[i,j])  where i >= j\no = sum[j](v[j] * M[t,j])",
            "M[i,j] = softmax[j](sum[dk](q[i] * k[j]) - (i - j))  where j <= i and i - j < 9\no = sum[j](M[t,j] * v[j])",
        ],
    ),
    (
        "low rank",
        "q: seq{dk}, k: seq{dk}, v: seq{dv}; dk = 8, dv = 32) -> o: seq{dv}",
        &[
            "M[i,j] = sum[dk](q[i] * k[j])  where j <= i\no = sum[j](M[t,j] * v[j])",
            "M[i,j] = sum[dk](k[j] * q[i]) * (1 + j) / 2  where j <= i\no = sum[j](M[t,j] * v[j])",
            "A[i,j] = sum[dk](q[i] * 2 * k[j])\nM[i,j] = A[i,j] / (i + 1)  where j <= i\no = sum[j](v[j] * M[t,j])",
        ],
    ),
    (
        "semiseparable",
        "q: seq{dk}, k: seq{dk}, v: seq{dv}; dk = 8, dv = 32) -> o: seq{dv}",
        &[
            "M[i,j] = sum[dk](q[i] * k[j]) * 0.9 ^ (i - j)  where j <= i\no = sum[j](M[t,j] * v[j])",
            "M[i,j] = sum[dk](k[j] * q[i]) * exp(j - i) / 2  where j <= i\no = sum[j](M[t,j] * v[j])",
            "D[i,j] = exp((j - i) / 3)\nM[i,j] = D[i,j] * sum[dk](q[i] * k[j]) / (i + 1)  where i >= j\no = sum[j](v[j] * M[t,j])",
        ],
    ),
    (
        "implicit long kernel",
        "x: seq{n}; n = 8) -> o: seq{n}",
        &[
            "param w{n} = 1\nf[lag] = exp(-w * lag)  where lag >= 0\no = sum[lag](f[lag] * x[t - lag])",
            "param w{n} = 1\nf[lag] = exp(-lag * w)  where lag >= 0\no = sum[lag](x[t - lag] * f[lag]) + x",
            "param w{n} = 1\ne[lag] = sin(w * lag)\nf[lag] = linear(e[lag], n -> n) * exp(-lag)  where lag >= 0\no = sum[lag](f[lag] * x[t - lag])",
        ],
    ),
];

#[test]
fn class_and_forms_do_not_depend_on_the_spelling() {
    let mut wrong = Vec::new();
    for (class, header, spellings) in SPELLINGS {
        assert!(spellings.len() >= 3, "{class}");
        let forms = |r: &Report| {
            let all = r.equations.iter().map(|q| q.forms.clone());
            all.collect::<Vec<_>>()
        };
        let first = forms(&explained(&mixer(header, spellings[0]), "m"));
        for body in *spellings {
            let found = explained(&mixer(header, body), "m");
            if found.class != *class {
                wrong.push(format!("{class}, derived {}:\n{body}", found.class));
            }
            if forms(&found) != first {
                wrong.push(format!(
                    "{class}, forms {:?} for {first:?}:\n{body}",
                    forms(&found)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Spellings with several decays, or with none, are chunked by their sum: equal to the steps.
#[test]
fn decays_that_are_sums_are_chunked() {
    let bodies = [
        "state S{dk, dv}\nS[t] = S[t-1] - a * S[t-1] + k * v\no = sum[dk](q * S)",
        "state S{dk, dv}\nS[t] = a * k * v + 0.3 * k * sum[dk](q * S[t-1])\no = sum[dk](q * S)",
        "state S{dk, dv}\nS[t] = a * S[t-1] - 0.5 * S[t-1] - 0.1 * k * sum[dk](q * S[t-1]) + k * v\no = sum[dk](q * S)",
    ];
    for body in bodies {
        let s = mixer(
            "q: seq{dk}, k: seq{dk}, v: seq{dv}, a: seq{}; dk = 2, dv = 3) -> o: seq{dv}",
            body,
        );
        let e = s.elaborate("m", &[]).unwrap();
        let mut shapes = Shapes::cpu();
        shapes.chunk = 4;
        let chunked = forward(&e.func, Form::Chunked, &shapes, &mut vec![]).unwrap();
        let tiled = |v: &seqc_algebra::Value| matches!(&v.op, Op::Scan(s) if s.tile.is_some());
        assert!(chunked.values.iter().any(tiled), "not chunked:\n{body}");
        for t in [1usize, 4, 11] {
            let sizes = HashMap::from([(Sym::new("batch"), 1), (Sym::new("t"), t)]);
            let given: HashMap<String, Tensor> = e
                .func
                .params
                .iter()
                .map(|p| {
                    (
                        e.func.input(*p).unwrap().name.as_str().to_owned(),
                        numbers(e.func.ty(*p), t),
                    )
                })
                .collect();
            let (a, b) = (
                run(&e.func, &given, &sizes).unwrap(),
                run(&chunked, &given, &sizes).unwrap(),
            );
            let b = b[0].1.ordered(&a[0].1.axes).unwrap();
            let pairs = a[0].1.as_real().unwrap().iter().zip(b.as_real().unwrap());
            let worst = pairs.map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-9, "T = {t}: off by {worst}\n{body}");
        }
    }
}

fn numbers(ty: &seqc_algebra::Ty, t: usize) -> Tensor {
    let shape: Vec<usize> = ty
        .axes
        .iter()
        .map(|a| match a.size {
            Size::Const(n) => n,
            Size::Len(s) if s.as_str() == "t" => t,
            _ => 1,
        })
        .collect();
    let n: usize = shape.iter().product();
    let data = (0..n).map(|k| ((k * 7 + n) as f64 * 0.7).sin()).collect();
    Tensor::real(ty.axes.clone(), shape, data).unwrap()
}

// What is said.

#[test]
fn a_nonlinear_state_is_shown_with_the_line_that_makes_it_so() {
    let r = explained(
        &mixer(
            "x: seq{n}; n = 8) -> o: seq{n}",
            "    state o{n}\n    u = 2 * x\n    o[t] = tanh(u + linear(o[t-1], n -> n))",
        ),
        "m",
    );
    let missing = &r.equations[0].missing[0];
    assert_eq!(missing.form, "chunked");
    assert!(missing.why.contains("tanh("), "{}", missing.why);
    let place = missing.at.as_ref().expect("a line");
    assert_eq!(
        (place.line, place.text.starts_with("o[t] = tanh")),
        (6, true)
    );
    assert!(r.warnings.iter().any(|w| w.contains("sequential loop")));
}

#[test]
fn the_matrix_falls_behind_the_chunks_from_some_length_on() {
    let s = mixer(
        "q: seq{dk}, k: seq{dk}, v: seq{dv}; dk = 8, dv = 32) -> o: seq{dv}",
        "    M[i,j] = softmax[j](sum[dk](q[i] * k[j]))  where j <= i\n    o = sum[j](M[t,j] * v[j])",
    );
    let r = explained(&s, "m");
    let c = &r.crossovers[0];
    assert_eq!((c.less, c.more), ("chunked", "matrix"));
    let e = s.elaborate("m", &[]).unwrap();
    let at = |form, t: u64| {
        let f = forward(&e.func, form, &Shapes::cpu(), &mut vec![]).unwrap();
        cost(&f).flops().at(|_| t as f64)
    };
    assert!(at(Form::Chunked, c.from) <= at(Form::Matrix, c.from));
    assert!(at(Form::Chunked, c.from - 1) >= at(Form::Matrix, c.from - 1));
}

// The library and the page.

/// Every mixer of the library that elaborates by itself has the class that its `class:` line says.
#[test]
fn the_library_documents_the_derived_classes() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for path in stdlib::paths() {
        let s = source(&format!("{path}.seq"), stdlib::text(path).unwrap());
        for (name, _) in s.items() {
            // Mixers that need a setting, or are not built yet, have no class by themselves.
            let Ok(e) = s.elaborate(&name, &[]) else {
                continue;
            };
            compared += 1;
            if let Some(d) = class_mismatch(&e).unwrap_or_else(|e| panic!("{e}")) {
                wrong.push(format!("{name}: {}", d.message));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 50, "{compared}");
}

#[test]
fn the_page_of_e23_shows_what_is_said() {
    let (_, page) = seqc_hir::pages::find("E23").unwrap();
    let mut blocks = page.split("```").skip(1).step_by(2);
    let mut next = || blocks.next().unwrap().split_once('\n').unwrap().1;
    let (wrong, shown, right) = (next(), next(), next());
    let said = |text: &str| {
        let s = source("E23.seq", text);
        let e = s.elaborate("cell", &[]).unwrap();
        class_mismatch(&e)
            .unwrap()
            .map(|d| render_human(&s.map, &[d], false))
    };
    if std::env::var_os("UPDATE_PAGES").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors/E23.md");
        let old = format!("```text\n{shown}```");
        let new = format!("```text\n{}```", said(wrong).unwrap());
        std::fs::write(path, page.replacen(&old, &new, 1)).unwrap();
    } else {
        assert_eq!(said(wrong).as_deref(), Some(shown));
    }
    assert_eq!(said(right), None);
}

/// `docs/mixers.md` ends with what the command above its table prints. `UPDATE_PAGES=1` writes it.
#[test]
fn the_table_of_mixers_is_what_the_command_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files: Vec<_> = std::fs::read_dir(root.join("stdlib"))
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    let mut rows = Vec::new();
    for f in files {
        let s = source(
            &f.display().to_string(),
            &std::fs::read_to_string(&f).unwrap(),
        );
        rows.extend(entries(&s, &[], &Shapes::cpu()));
    }
    let printed = table(&rows, &Certificates::default());
    let path = root.join("docs/mixers.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, old) = text.split_once("| mixer |").unwrap();
    // Whoever joins certificates fills the last column; it is compared without it.
    let bare = |t: &str| -> Vec<String> {
        let rows = t.lines().filter(|l| l.starts_with('|'));
        rows.map(|l| l.rsplitn(3, '|').last().unwrap().to_owned())
            .collect()
    };
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(&path, format!("{head}{printed}")).unwrap();
    } else {
        assert_eq!(bare(&format!("| mixer |{old}")), bare(&printed));
    }
}

#[test]
fn certificates_fill_the_last_column() {
    let text =
        r#"[{"mixer": "m", "rows": [{"failure": null, "worst": {"error": 1e-7, "bound": 1e-6}}]}]"#;
    let green = Certificates::parse(text).unwrap();
    let rows = entries(&scalar(), &[], &Shapes::cpu());
    assert!(table(&rows, &green).trim_end().ends_with("| certified |"));
    let red = Certificates::parse(&text.replace("1e-7", "1e-5")).unwrap();
    assert!(table(&rows, &red).trim_end().ends_with("| red |"));
    assert!(Certificates::parse("[{}]").is_err());
}
