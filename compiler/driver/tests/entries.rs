//! Matrices over time whose entries are functions of positions, tables and few features: whatever checks is built, by
//! every form, with the definition's numbers and gradients; and what is recomputed, cached and visited is what must be.

mod support;

use seqc_algebra::Sym;
use seqc_algebra::interp::run;
use seqc_algebra::tensor::Tensor;
use seqc_derive::cost::cost;
use seqc_driver::explain::{Report, report};
use seqc_driver::frontend::{self, Source};
use seqc_driver::passes::{Form, Shapes, forward, training};
use std::collections::HashMap;
use support::{certificate, lengths, small};

/// A mixer `m` of `x`, after `seq 1`.
fn text(header: &str, body: &str) -> String {
    format!("seq 1\n\nmixer m({header} {{\n{body}\n}}\n")
}

fn source(header: &str, body: &str) -> Source {
    let text = text(header, body);
    frontend::of_text("m.seq", &text).unwrap_or_else(|e| panic!("{e}"))
}

fn explained(header: &str, body: &str) -> Report {
    let s = source(header, body);
    let e = s.elaborate("m", &[]).unwrap_or_else(|e| panic!("{e}"));
    report(&s, &e, &Shapes::cpu()).unwrap_or_else(|e| panic!("{e}"))
}

fn green(header: &str, body: &str) {
    let text = text(header, body);
    let c = certificate(&text, "m", &small());
    assert!(c.green(), "{text}\n{c}");
}

const NONE: &str = "x: seq{}; n = 8) -> y: seq{}";
const READ: &str = "\n    y = sum[j](M[t,j] * x[j])";

fn wide(d: usize) -> String {
    format!("x: seq{{d}}; d = {d}, n = 8) -> y: seq{{d}}")
}

/// A matrix, with the parameters that its entries read.
fn matrix(entry: &str, domain: &str) -> String {
    let tables = [("W{", "W{n}"), ("V{", "V{n, n'}"), (" a ", "a{}")];
    let used = tables.iter().filter(|(read, _)| entry.contains(read));
    let params: String = used
        .map(|(_, p)| format!("    param {p} = uniform(-1, 1)\n"))
        .collect();
    format!("{params}    M[i,j] = {entry}{domain}{READ}")
}

/// Entries that no data enters are the same for the whole batch: what is made of both lies where there is room.
#[test]
fn scores_without_data() {
    let causal = "  where j <= i";
    for (header, entry, domain) in [
        (NONE, "1 / (i + j + 1)", ""),
        (&*wide(1), "1 / (i + j + 1)", causal),
        (&*wide(2), "cos(0.3 * i * j)", ""),
        (&*wide(3), "cos(0.3 * i * j)", causal),
        (NONE, "softmax[j](1 / (i + j + 1))", causal),
        (&*wide(2), "softmax[j](cos(0.3 * i * j))", ""),
        (
            NONE,
            "1 / (i + j + 1) - logsumexp[j](1 / (i + j + 1))",
            causal,
        ),
        (&*wide(2), "exp(cos(i * j) - max[j](cos(i * j)))", causal),
        (NONE, "cos(i * j) / (1 + sum[j](abs(cos(i * j))))", ""),
        (&*wide(2), "softmax[j]( a  * i * j / 9)", causal),
    ] {
        green(header, &matrix(entry, domain));
    }
}

/// Tables read at a number that both positions say are read anew in each tile, and their gradients are added up there.
#[test]
fn entries_of_tables() {
    let causal = "  where j <= i";
    let score = "x[i] * x[j]";
    for (header, entry, domain) in [
        (
            NONE,
            &*format!("softmax[j]({score} + W{{n = i - j}})"),
            causal,
        ),
        (&*wide(2), "W{n = bitlen(xor(i, j))} / (i + j + 1)", ""),
        (&*wide(3), "softmax[j](W{n = floor((i - j) / 3)})", causal),
        (NONE, "softmax[j](V{n = i - j, n' = j})", causal),
        (&*wide(1), "relu(W{n = abs(i - j)} - 0.1 * i)", ""),
    ] {
        green(header, &matrix(entry, domain));
    }
    let levels = "    L = linear(x, d -> n)
    M[i,j] = softmax[j](L[i]{n = bitlen(xor(i, j))} + L[j]{n = i - j})  where j <= i";
    green(&wide(2), &format!("{levels}{READ}"));
}

/// A matrix that is a function of the difference alone is the kernel that says the same.
#[test]
fn differences_are_kernels() {
    for (entry, domain, kernel, lags) in [
        (
            "exp(-0.3 * (i - j))",
            "  where j <= i",
            "exp(-0.3 * lag)",
            "  where lag >= 0",
        ),
        ("1 / (1 + (i - j) ^ 2)", "", "1 / (1 + lag ^ 2)", ""),
        (
            "W{n = i - j}",
            "  where j <= i",
            "W{n = lag}",
            "  where lag >= 0",
        ),
        (
            "cos(i - j) * 0.9 ^ (i - j)",
            "  where j < i",
            "cos(lag) * 0.9 ^ lag",
            "  where lag >= 1",
        ),
        (
            "j - i + 2",
            "  where j >= i and j - i < 3",
            "2 - lag",
            "  where lag <= 0 and lag > -3",
        ),
    ] {
        let header = wide(2);
        let one = matrix(entry, domain);
        green(&header, &one);
        let param = if kernel.contains('W') {
            "    param W{n} = uniform(-1, 1)\n"
        } else {
            ""
        };
        let other =
            format!("{param}    f[lag] = {kernel}{lags}\n    y = sum[lag](f[lag] * x[t - lag])");
        let (a, b) = (explained(&header, &one), explained(&header, &other));
        let facts = |r: &Report| {
            let state = r.generation.as_ref().ok().map(|g| g.state_bytes.clone());
            (r.class, r.equations[0].forms.clone(), state)
        };
        assert_eq!(facts(&a), facts(&b), "{one}");
    }
}

/// Multiply-adds and bytes at length 2048 of the trained form: of the loss, and with its gradient.
fn trained(body: &str) -> [(f64, f64); 2] {
    let header = "q: seq{dk}, k: seq{dk}, v: seq{dk}; dk = 8, n = 64) -> loss: {}";
    let s = source(header, body);
    let e = s.elaborate("m", &[]).unwrap_or_else(|e| panic!("{e}"));
    let loss = forward(&e.func, Form::Chunked, &Shapes::cpu(), &mut vec![]).unwrap();
    let both = training(&e.func, Form::Chunked, &Shapes::cpu(), &mut vec![]).unwrap();
    [loss, both].map(|f| {
        let c = cost(&f);
        let at = |s: Sym| if s.as_str() == "batch" { 1.0 } else { 2048.0 };
        (c.flops().at(at), c.bytes.at(at))
    })
}

/// A bias by lag costs what a sum over all lags by a mask costs, less the n-fold work, gradient included.
#[test]
fn a_bias_by_lag_needs_no_mask_for_each_lag() {
    let of = |bias: &str| {
        trained(&format!(
            "    param W{{n}} = normal(0.5)
    M[i,j] = softmax[j](sum[dk](q[i] * k[j]) + {bias})  where j <= i
    o = sum[j](M[t,j] * v[j])
    loss = mean[t](sum[dk](o * o))"
        ))
    };
    let (lag, mask) = (of("W{n = i - j}"), of("sum[n](W * (range(n) == i - j))"));
    // The bias's gradient is a pass of its own over the pairs.
    for ((lag, mask), more) in lag.into_iter().zip(mask).zip([1.0, 1.125]) {
        assert!(lag.1 <= more * mask.1, "bytes {} and {}", lag.1, mask.1);
        assert!(lag.0 < 0.5 * mask.0, "operations {} and {}", lag.0, mask.0);
    }
}

/// Blocks and multiples bound the tiles that are visited as windows do.
#[test]
fn linear_conditions_bound_tiles() {
    let degree = |domain: &str| {
        let body = matrix("softmax[j](sin(i * j))", domain);
        let e = source(NONE, &body)
            .elaborate("m", &[])
            .unwrap_or_else(|e| panic!("{e}"));
        let f = forward(&e.func, Form::Chunked, &Shapes::cpu(), &mut vec![]).unwrap();
        let flops = cost(&f).flops();
        let at = |n: f64| flops.at(|s: Sym| if s.as_str() == "batch" { 1.0 } else { n });
        at(1e6) / at(5e5)
    };
    for (domain, grows) in [
        ("  where j <= i", 4.0),
        ("  where j <= i and i - j < 9", 2.0),
        ("  where block(i, 8) == block(j, 8)", 2.0),
        ("  where floor(i / 8) == floor(j / 8) and j <= i", 2.0),
        (
            "  where block(j, 4) <= block(i, 4) and block(i, 4) - block(j, 4) < 2",
            2.0,
        ),
        ("  where 2 * j <= 2 * i + 1 and 2 * j >= 2 * i - 7", 2.0),
    ] {
        let found = degree(domain);
        assert!((found - grows).abs() < 0.1, "{domain}: {found}");
        green(NONE, &matrix("softmax[j](sin(i * j))", domain));
    }
    // Half of the columns at most, and a quarter of all entries.
    green(&wide(2), &matrix("cos(i * j)", "  where 2 * j <= i"));
}

/// What is kept of the past is what keys and values are made of.
#[test]
fn latent_caches() {
    let header = "x: seq{d}; d = 12, h = 2, k = 4, c = 3) -> o: seq{h, k}";
    let read = "    M[i,j] = softmax[j](sum[k](q[i] * k1[j]))  where j <= i
    o = sum[j](M[t,j] * v[j])";
    let q = "    z = linear(x, d -> c)\n    q = linear(x, d -> h k)\n";
    for (made, bytes) in [
        (
            "k1 = linear(z, c -> h k)\n    v = linear(z, c -> h k)",
            "12 N",
        ),
        (
            "k1 = linear(z, c -> h k) / sqrt(k)\n    v = 2 * linear(z, c -> h k)",
            "12 N",
        ),
        (
            "u = linear(x, d -> h k)\n    k1 = linear(z, c -> h k)\n    v = u",
            "44 N",
        ),
        (
            "k1 = linear(z / sqrt(1 + sum[c](z * z)), c -> h k)\n    v = linear(z, c -> h k)",
            "24 N",
        ),
        (
            "k1 = tanh(linear(z, c -> h k))\n    v = linear(z, c -> h k)",
            "44 N",
        ),
    ] {
        let body = format!("{q}    {made}\n{read}");
        let text = text(header, &body);
        let s = frontend::of_text("m.seq", &text).unwrap_or_else(|e| panic!("{e}"));
        let e = s.elaborate("m", &[]).unwrap_or_else(|e| panic!("{e}"));
        let r = report(&s, &e, &Shapes::cpu()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(r.generation.unwrap().state_bytes, bytes, "{made}");
        let c = certificate(&text, "m", &small());
        assert!(c.green(), "{text}\n{c}");
    }
}

/// Scores of columns alone: a maximum, a sum and a weighted sum stand for the past.
#[test]
fn a_softmax_of_columns_has_a_state_of_fixed_size() {
    let header = "k: seq{h}, v: seq{h, d}; h = 2, d = 3) -> o: seq{h, d}";
    for (entry, domain) in [
        ("softmax[j](k[j])", "  where j <= i"),
        ("softmax[j](2 * tanh(k[j]))", "  where j < i"),
    ] {
        let body = format!("    M[i,j] = {entry}{domain}\n    o = sum[j](M[t,j] * v[j])");
        let r = explained(header, &body);
        assert!(r.equations[0].forms.contains(&"recurrent"), "{entry}");
        let g = r.generation.unwrap();
        // Two heads, each with a maximum, a sum and three weighted sums, of four bytes.
        assert_eq!(
            (g.state_bytes.as_str(), g.bytes_per_token),
            ("40", 0.0),
            "{entry}"
        );
        green(header, &body);
    }
}

/// By hand: sums over j of 1 / (i + j + 1) at three steps.
#[test]
fn a_dense_matrix_by_hand() {
    let e = source(NONE, &matrix("1 / (i + j + 1)", ""))
        .elaborate("m", &[])
        .unwrap_or_else(|e| panic!("{e}"));
    let x = e.func.params[0];
    let ones = Tensor::real(e.func.ty(x).axes.clone(), vec![2, 3], vec![1.0; 6]).unwrap();
    let given = HashMap::from([("x".to_owned(), ones)]);
    for form in [Form::Matrix, Form::Recurrent, Form::Chunked] {
        let f = forward(&e.func, form, &support::shapes(), &mut vec![]).unwrap();
        let out = run(&f, &given, &lengths(3)).unwrap();
        let want = [
            1.0 + 0.5 + 1.0 / 3.0,
            0.5 + 1.0 / 3.0 + 0.25,
            1.0 / 3.0 + 0.25 + 0.2,
        ];
        for (k, y) in out[0].1.as_real().unwrap().iter().enumerate() {
            assert!((y - want[k % 3]).abs() < 1e-12, "{form:?} {k}: {y}");
        }
    }
}

/// The witnesses of `tests/faults`: in tiles, or recurrences with a state of one size.
#[test]
fn entries_of_lags_and_tables() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/faults/entries_of_lags_and_tables.seq");
    let text = std::fs::read_to_string(path).unwrap();
    let s = frontend::of_text("entries.seq", &text).unwrap_or_else(|e| panic!("{e}"));
    for m in [
        "bias_by_lag",
        "bias_by_one_hot",
        "running_sum_decay",
        "power_of_the_lag",
    ] {
        let e = s.elaborate(m, &[]).unwrap_or_else(|e| panic!("{e}"));
        let r = report(&s, &e, &Shapes::cpu()).unwrap_or_else(|e| panic!("{e}"));
        assert!(r.forms.iter().any(|f| f.form == "chunked"), "{m}");
        let c = certificate(&text, m, &small());
        assert!(c.green(), "{m}\n{c}");
    }
}
