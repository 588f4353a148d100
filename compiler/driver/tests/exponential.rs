//! Kernels that are sums of exponentials generate with a state of constant size, however they are spelled, and equal
//! their definition; others keep their past, and the report says what they lack.

mod support;

use seqc_derive::report::equations;
use seqc_driver::passes::generation_step;
use seqc_driver::{build, frontend};
use support::{certificate, shapes, small};

fn spec(body: &str) -> String {
    format!("seq 1\n\nmixer k(x: seq{{d}}; d = 3, n = 4, two = 2) -> y: seq{{d}} {{\n{body}\n}}\n")
}

/// The states of a step as `name {axes}`, batch left out.
fn states(body: &str) -> Vec<String> {
    let source = frontend::of_text("k.seq", &spec(body)).unwrap_or_else(|e| panic!("{e}"));
    let e = source
        .elaborate("k", &[])
        .unwrap_or_else(|e| panic!("{body}\n{e}"));
    let func = build::outputs(&e).expect("has outputs");
    let step = generation_step(&func, &shapes(), &mut vec![]).expect("has a step");
    let is_state = |i: &seqc_algebra::Input| i.kind == seqc_algebra::InputKind::State;
    let kept = step
        .params
        .iter()
        .filter(|p| step.input(**p).is_some_and(is_state));
    let axes = |p: &seqc_algebra::ValueId| {
        let own = step
            .ty(*p)
            .axes
            .iter()
            .filter(|a| a.name.as_str() != "batch");
        own.map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    kept.map(axes).collect()
}

fn certified(body: &str) {
    let text = spec(body);
    let c = certificate(&text, "k", &small());
    assert!(c.green(), "{text}\n{c}");
    assert!(c.rows.iter().any(|r| r.engine == "exact"), "{text}\n{c}");
}

/// Spelled one way: the states that its step has, and a green certificate.
fn recurrent(body: &str, want: &[&str]) {
    assert_eq!(states(body), want, "{body}");
    certified(body);
}

/// What generation lacks for a kernel, and the name of the equation that says so.
fn lacks(body: &str, why: &str, at: &str) {
    let kept = states(body);
    assert!(
        kept.iter().any(|s| s.contains("=cache")),
        "{body}\n{kept:?}"
    );
    let source = frontend::of_text("k.seq", &spec(body)).unwrap_or_else(|e| panic!("{e}"));
    let e = source.elaborate("k", &[]).unwrap_or_else(|e| panic!("{e}"));
    let found = equations(&build::outputs(&e).expect("has outputs")).expect("has equations");
    let missing: Vec<_> = found.iter().flat_map(|q| &q.missing).collect();
    let said = missing
        .iter()
        .any(|m| m.form == "recurrent" && m.why.contains(why) && m.at.as_deref() == Some(at));
    assert!(said, "{body}\n{missing:?}");
}

const SUM: &str = "y = sum[lag](f[lag] * x[t - lag])";

#[test]
fn real_exponentials() {
    let rate =
        "param r{d} = uniform(0.1, 1)\nparam c{d, n} = normal(1)\nparam p{n} = uniform(0.1, 1)";
    for f in [
        "exp(-r * lag)",
        "exp(-(lag + 1) * r / 7 - 0.1)",
        "r ^ lag",
        "r ^ (2 * lag + 1)",
        "1 / exp(r * lag)",
        "sigmoid(r) ^ lag",
        // The squares cancel: what is left is linear.
        "exp(r * (lag ^ 2 - (lag + 1) ^ 2) / 5)",
    ] {
        recurrent(
            &format!("{rate}\nf[lag] = {f}  where lag >= 0\n{SUM}"),
            &["d=3"],
        );
    }
}

#[test]
fn sums_and_products_of_real_exponentials() {
    let rate =
        "param r{d} = uniform(0.1, 1)\nparam c{d, n} = normal(1)\nparam p{n} = uniform(0.1, 1)";
    for (f, want) in [
        ("sum[n](c * exp(-p * lag))", vec!["d=3 n=4"]),
        ("sum[n](c * exp(-p * lag)) * exp(-r * lag)", vec!["d=3 n=4"]),
        ("2 - 0.5 ^ lag * exp(-r * lag)", vec!["d=3", "d=3"]),
        ("(1 + exp(-r * lag)) ^ 2", vec!["d=3", "d=3", "d=3"]),
    ] {
        recurrent(
            &format!("{rate}\nf[lag] = {f}  where lag >= 0\n{SUM}"),
            &want,
        );
    }
}

#[test]
fn complex_exponentials() {
    let rate = "param r{d} = uniform(0.1, 1)\nparam w{n} = uniform(0, 3)\nparam c{d, n} = normal(1) + 1i * normal(1)\nparam v{n, two, d} = normal(1)";
    // In the program that is run, a complex state is a pair of numbers.
    let pair = |axes: &str| format!("{axes} complex=2");
    for (f, want) in [
        (
            "re(sum[n](c * exp((-r * w - w + 1i * r * w) * lag)))",
            pair("d=3 n=4"),
        ),
        (
            "2 * im(sum[n](conj(c) * exp(1i * w) ^ lag)) * exp(-r * lag)",
            pair("d=3 n=4"),
        ),
        ("exp(-r * lag) * cos(r * (lag + 2))", pair("d=3")),
        (
            "abs(r) * (sin(r * lag / 3) * 2 ^ (-lag) + cos(r * lag / 3) * 0.5 ^ lag)",
            pair("d=3"),
        ),
        (
            "exp(-r * lag) * linear(stack[two](cos(w * lag), sin(w * lag)), n two -> d)",
            pair("d=3 n=4"),
        ),
    ] {
        recurrent(
            &format!("{rate}\nf[lag] = {f}  where lag >= 0\n{SUM}"),
            &[&want],
        );
    }
}

#[test]
fn kernels_that_begin_later_and_what_they_meet() {
    let rate = "param r{d} = uniform(0.1, 1)";
    let late = format!("{rate}\nf[lag] = exp(-r * lag)  where lag >= 2\n{SUM}");
    recurrent(&late, &["d=3 lag%=3", "d=3"]);
    // What it would be at lag 0 has no f32.
    let later = format!("{rate}\nf[lag] = exp(120 - 30 * (lag + r))  where lag > 3\n{SUM}");
    recurrent(&later, &["d=3 lag%=5", "d=3"]);
    // Read off a sequence: its own clock is the lag.
    let read = format!("{rate}\np = exp(-r * t)\nf[lag] = p[first + lag]  where lag >= 0\n{SUM}");
    recurrent(&read, &["d=3"]);
    // Two kernels, one behind the other, with rates that the first position of the input gives.
    let chained = "f[lag] = exp(-abs(x[first]) * lag)  where lag >= 0
         s = sum[lag](f[lag] * x[t - lag])
         y = sum[lag](f[lag] * s[t - lag]) * s";
    let kept = states(chained);
    assert!(kept.iter().all(|s| s == "d=3"), "{kept:?}");
    certified(chained);
}

#[test]
fn other_kernels_keep_their_past() {
    let p = "param r{d} = uniform(0.1, 1)";
    let long = |f: &str| format!("{p}\nf[lag] = {f}\n{SUM}");
    lacks(
        &long("exp(-r * lag ^ 2)  where lag >= 0"),
        "degree 2 in the lag",
        "f",
    );
    lacks(
        &long("exp(-r * lag)  where lag >= 0 and lag < 16"),
        "a condition on the lag that ends its domain",
        "f",
    );
    lacks(
        &long("exp(-r * lag)  where lag >= 65"),
        "it begins at lag 65",
        "f",
    );
    lacks(
        &long("lag * exp(-r * lag)  where lag >= 0"),
        "a factor that is a polynomial in the lag",
        "f",
    );
    lacks(
        &long("r ^ lag / (1 + lag)  where lag >= 0"),
        "in the lag",
        "f",
    );
    lacks(
        &long("cos(r * lag ^ 2)  where lag >= 0"),
        "the argument of `cos`",
        "f",
    );
    lacks(
        "m = 5\ne[lag] = tanh(affine(exp(-lag / 9), -> n))\nf[lag] = linear(e[lag], n -> d)  where lag >= 0\ny = sum[lag](f[lag] * x[t - lag])",
        "`tanh`",
        "e",
    );
    // As a difference it would lose what it is written for.
    lacks(&long("r * expm1(-r * lag)  where lag >= 0"), "`expm1`", "f");
    // A window that is written as an axis of taps is short, and stays direct.
    let short = "param w{d, n} = 1\ny = sum[n](w * x[t - range(n)])";
    assert_eq!(states(short), ["d=3 n=4"]);
}
