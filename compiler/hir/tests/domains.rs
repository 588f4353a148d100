//! What is outside of a domain: values and causality of matrix programs, against loops.
//!
//! The normal run takes one program in `EVERY`; `SEQC_MATRICES=all` takes the grid in full.

mod matrices;
mod support;

use matrices::{Given, Program};
use support::{elaborated, far, outputs};

/// One program in so many is run, a prime so that all kinds occur.
const EVERY: usize = 23;
const LENGTH: usize = 9;

/// What is wrong with a program, if anything.
fn wrong(p: &Program) -> Option<String> {
    let e = match (elaborated(&p.text()), p.refused()) {
        (Err(d), true) if d.iter().any(|d| d.code == "E30") => return None,
        (Ok(_), true) => return Some("is not refused".into()),
        (Err(d), _) => return Some(format!("{} {}", d[0].code, d[0].message)),
        (Ok(e), false) => e,
    };
    for len in [1, 2, 5, LENGTH] {
        let g = Given::of_length(len, 0);
        let got = outputs(&e, &[("q", &g.q), ("k", &g.k), ("x", &g.x)]);
        let want = p.values(&g);
        if far(&got, &want) {
            return Some(format!("gives {got:?}\nfor {want:?}"));
        }
    }
    let called = e.causality[0].own().to_string() == "causal";
    let is = p.is_causal(LENGTH);
    let fits = called == is || !called && !p.shows_all();
    (!fits).then(|| format!("is called {}", e.causality[0].own()))
}

#[test]
fn what_does_not_exist_is_left_out() {
    let all = matrices::all();
    let every = match std::env::var("SEQC_MATRICES").as_deref() {
        Ok("all") => 1,
        _ => EVERY,
    };
    let some: Vec<&Program> = all.iter().step_by(every).collect();
    let mut failed = 0;
    for p in &some {
        if let Some(why) = wrong(p) {
            failed += 1;
            eprintln!("---- {}{why}", p.text());
        }
    }
    assert_eq!(failed, 0, "of {} programs, {failed} are wrong", some.len());
}

/// A mixer of `q`, `k` and `x` against numbers worked out by hand, and how it looks ahead.
fn gives(body: &str, k: &[f64], want: &[f64], looks: &str) {
    let text = format!(
        "seq 1\nmixer m(q: seq{{}}, k: seq{{}}, x: seq{{}}) -> y: seq{{}} {{\n{body}\n}}\n"
    );
    let e = elaborated(&text).unwrap_or_else(|d| panic!("{text}{d:?}"));
    assert_eq!(e.causality[0].own().to_string(), looks, "{text}");
    let ones = vec![1.0; k.len()];
    let got = outputs(&e, &[("q", &ones), ("k", k), ("x", &ones)]);
    assert!(!far(&got, want), "{text}{got:?}\n{want:?}");
}

#[test]
fn rows_of_masked_matrices() {
    let m = |entry: &str, read: &str| format!("M[i,j] = {entry}  where j <= i\ny = {read}");
    let k = [1.0, 2.0, 3.0];
    gives(
        &m("-q[i] * k[j]", "max[j](M[t,j])"),
        &k,
        &[-1.0, -1.0, -1.0],
        "causal",
    );
    gives(
        &m("2 * q[i] * k[j]", "prod[j](M[t,j])"),
        &k,
        &[2.0, 8.0, 48.0],
        "causal",
    );
    gives(
        &m("-q[i] * k[j]", "argmax[j](M[t,j]) + 0"),
        &k,
        &[0.0, 0.0, 0.0],
        "causal",
    );
    gives(
        &m("q[i] * k[j]", "mean[j](M[t,j])"),
        &k,
        &[1.0, 1.5, 2.0],
        "causal",
    );
    let ln = [0.0, 2f64.ln(), 3f64.ln()];
    gives(
        &m("0 * q[i] * k[j]", "logsumexp[j](M[t,j])"),
        &k,
        &ln,
        "causal",
    );
    gives(
        &m("0 * q[i] * k[j]", "sum[j](exp(M[t,j]))"),
        &k,
        &[1.0, 2.0, 3.0],
        "causal",
    );
    gives(
        &m("q[i] * k[j]", "min[j](M[j,t])"),
        &k,
        &[1.0, 2.0, 3.0],
        "bidirectional",
    );
    gives(
        "M[i,j] = exp(0 * abs(i - j))\ny = x * sum[j](M[t,j])",
        &k,
        &[3.0; 3],
        "bidirectional",
    );
}

/// Both indices at one: the entries of the diagonal, 0 where it lies outside of the domain.
#[test]
fn diagonals() {
    let m = |domain: &str, read: &str| format!("M[i,j] = q[i] * k[j] + i  {domain}\ny = {read}");
    let k = [1.0, 2.0, 4.0];
    gives(&m("", "M[t,t]"), &k, &[1.0, 3.0, 6.0], "causal");
    gives(
        &m("where j <= i", "exp(M[t,t]) / exp(t)"),
        &k,
        &k.map(f64::exp),
        "causal",
    );
    gives(&m("where j < i", "exp(M[t,t])"), &k, &[0.0; 3], "causal");
    gives(
        &m("where j <= i", "M[t,t-1]"),
        &k,
        &[0.0, 2.0, 4.0],
        "causal",
    );
    gives(&m("", "M[t-1,t]"), &k, &[0.0, 2.0, 5.0], "causal");
    gives(
        "M[i,j] = softmax[j](0 * q[i] * k[j])  where j <= i\ny = M[t,t]",
        &k,
        &[1.0, 0.5, 1.0 / 3.0],
        "causal",
    );
    gives(
        "M[i,j] = q[i] * k[j]  where j <= i\nN[i,j] = k[j] * M[i,i]\ny = sum[j](N[t,j])",
        &k,
        &[7.0, 14.0, 28.0],
        "bidirectional",
    );
}

/// A state for each source has the domain `j <= i`.
#[test]
fn families() {
    let body = |read: &str| format!("state K[j]{{}} = k[j]\nK[t,j] = 0.5 * K[t-1,j]\ny = {read}");
    let k = [4.0, 4.0, 4.0];
    gives(&body("min[j](K[t,j])"), &k, &[4.0, 2.0, 1.0], "causal");
    gives(
        &body("mean[j](K[t,j])"),
        &k,
        &[4.0, 3.0, 7.0 / 3.0],
        "causal",
    );
    gives(
        &body("sum[j](exp(0 * K[t,j]))"),
        &k,
        &[1.0, 2.0, 3.0],
        "causal",
    );
}

/// What a `where` reads restricts nothing, and is 0 outside of its own domain.
#[test]
fn reads_inside_of_a_domain() {
    let m = |domain: &str| {
        format!(
            "M[i,j] = q[i] * k[j]  where j <= i\nN[i,j] = x[j]  where {domain}\ny = sum[j](N[t,j])"
        )
    };
    let k = [1.0, -2.0, 3.0];
    gives(&m("M[i,j] < 0.5"), &k, &[2.0, 2.0, 1.0], "bidirectional");
    gives(&m("M[i,j] > 0.5"), &k, &[1.0, 1.0, 2.0], "causal");
    gives(
        &m("exp(M[i,j]) + 1 <= 2"),
        &k,
        &[2.0, 2.0, 1.0],
        "bidirectional",
    );
}
