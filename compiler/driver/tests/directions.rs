//! Recurrences in both directions whose outputs are added share the inside of their chunks: what is written is
//! multiplied once, with a full matrix of both, whichever way the user shifted the outputs.

mod support;

use seqc_algebra::{Func, Op, Scan};
use seqc_driver::passes::{Form, forward};
use seqc_driver::{build, frontend};
use support::{certificate, shapes, small};

const HEAD: &str =
    "q: seq{n}, k: seq{n}, l: seq{n}, v: seq{p}, a: seq{n}, b: seq{n}; n = 3, p = 5) -> y: seq{p}";
const STATES: &str = "    state F{n, p}
    state G{n, p}
    F[t] = sigmoid(a) * F[t-1] + k * v";

fn spec(backward: &str, outputs: &str) -> String {
    format!(
        "seq 1\n\nmixer m({HEAD} {{\n{STATES}\n    G[t] = sigmoid(b) * G[t+1] + {backward}\n{outputs}\n}}\n"
    )
}

fn chunked(text: &str) -> Func {
    let source = frontend::of_text("m.seq", text).unwrap_or_else(|e| panic!("{e}"));
    let e = source.elaborate("m", &[]);
    let func = build::outputs(&e.unwrap_or_else(|e| panic!("{text}\n{e}"))).expect("has outputs");
    forward(&func, Form::Chunked, &shapes(), &mut vec![]).unwrap_or_else(|e| panic!("{e}"))
}

/// For each loop over chunks: how many products over its own sources it has, and whether it goes backward.
fn products(func: &Func) -> Vec<(usize, bool)> {
    let of = |s: &Scan| {
        let sources = |op: &Op| matches!(op, Op::Contract(over) if over.iter().any(|a| a.name.as_str().ends_with("%j")));
        (
            s.body.values.iter().filter(|v| sources(&v.op)).count(),
            s.reverse,
        )
    };
    let scans = func.values.iter().filter_map(|v| match &v.op {
        Op::Scan(s) if s.tile.is_some() => Some(of(s)),
        _ => None,
    });
    scans.collect()
}

/// The products inside of chunks, forward and backward; the forms are certified.
fn inside(backward: &str, outputs: &str) -> (usize, usize) {
    let text = spec(backward, outputs);
    let c = certificate(&text, "m", &small());
    assert!(c.green(), "{text}\n{c}");
    let all = products(&chunked(&text));
    let sum = |way| all.iter().filter(|p| p.1 == way).map(|p| p.0).sum();
    (sum(false), sum(true))
}

#[test]
fn one_full_matrix() {
    let both = "    y = sum[n](q * F) + sum[n](q * G)";
    assert_eq!(inside("k * v", both), (1, 0));
    let diagonal_once = "    y = sum[n](q * (F + G - k * v))";
    assert_eq!(inside("k * v", diagonal_once), (1, 0));
    assert_eq!(inside("l * v", both), (1, 0));
}

#[test]
fn shifted_outputs() {
    let text = |y: &str| format!("    f = sum[n](q * F)\n    g = sum[n](q * G)\n    y = {y}");
    for y in ["f[t-1] + g[t+1]", "f + g[t+1]", "f[t-1] + v + g"] {
        assert_eq!(inside("k * v", &text(y)), (1, 0), "{y}");
    }
    // Two steps before is no state before the step, and the next one is not past.
    for y in ["f[t-2] + g", "f + g[t-1]"] {
        assert_eq!(inside("k * v", &text(y)), (1, 1), "{y}");
    }
}

#[test]
fn nothing_in_common() {
    let both = "    y = sum[n](q * F) + sum[n](q * G)";
    assert_eq!(inside("l * tanh(v)", both), (1, 1));
    let less = "    y = sum[n](q * F) - sum[n](q * G)";
    assert_eq!(inside("k * v", less), (1, 1));
    let twice = "    f = sum[n](q * F)\n    y = f + sum[n](q * G) + tanh(f)";
    assert_eq!(inside("k * v", twice), (1, 1));
}
