//! States of which a router picks a few a step are stepped where they are picked, in whatever way that is spelt; else
//! `explain` says what keeps all of them in the loop.

mod support;

use seqc_algebra::{Func, Op, Scan};
use seqc_derive::report::equations;
use seqc_driver::passes::{Form, forward};
use seqc_driver::{build, frontend};
use support::{certificate, shapes, small};

const HEAD: &str =
    "q: seq{n}, k: seq{m, n}, v: seq{p}, a: seq{m}, s: seq{m}; m = 4, n = 3, p = 2) -> y: seq{p}";
const PICKED: &str = "select(pick > 0, a * S[t-1] + k * v, S[t-1])";

fn spec(start: &str, next: &str, read: &str) -> String {
    format!(
        "seq 1\n\nmixer m({HEAD} {{\n    pick = top[m](s, 1)\n    state S{{m, n, p}}{start}\n    S[t] = {next}\n    y = {read}\n}}\n"
    )
}

fn outputs(text: &str) -> Func {
    let source = frontend::of_text("m.seq", text).unwrap_or_else(|e| panic!("{e}"));
    let e = source.elaborate("m", &[]);
    build::outputs(&e.unwrap_or_else(|e| panic!("{text}\n{e}"))).expect("has outputs")
}

/// What `explain` says of the states that are picked: a reason of the class, or what is missing.
fn said(func: &Func) -> (Option<String>, Option<String>) {
    let all = equations(func).unwrap_or_else(|e| panic!("{e}"));
    let mut reasons = all.iter().flat_map(|e| &e.why).map(|r| r.text.clone());
    let mut missing = all.iter().flat_map(|e| &e.missing);
    (
        reasons.find(|t| t.starts_with("each step picks")),
        missing.find(|m| m.form == "routed").map(|m| m.why.clone()),
    )
}

/// Is there a loop over states with an axis of memories in the training form, beside that which counts picks?
fn steps_all(func: &Func) -> bool {
    let chunked = forward(func, Form::Chunked, &shapes(), &mut vec![]);
    let chunked = chunked.unwrap_or_else(|e| panic!("{e}"));
    let of_memories = |s: &Scan| {
        let mut states = s.body.params[1..=s.states].iter();
        states.any(|p| s.body.ty(*p).axes.iter().any(|a| a.name.as_str() == "m"))
    };
    let scans = chunked.values.iter().filter_map(|v| match &v.op {
        Op::Scan(s) => Some(s),
        _ => None,
    });
    (scans.filter(|s| s.body.name != "count")).any(|s| of_memories(s))
}

fn certified(text: &str) {
    let c = certificate(text, "m", &small());
    assert!(c.green(), "{text}\n{c}");
}

#[test]
fn however_it_is_spelt() {
    let reads = [
        "sum[n](q * sum[m](pick * S))",
        "sum[m](pick * sum[n](q * S))",
        "sum[m, n](select(pick > 0, a, 0) * S * q)",
    ];
    let nexts = [
        PICKED,
        "(1 - pick * (1 - a)) * S[t-1] + pick * k * v",
        "S[t-1] + pick * (k * v - (1 - a) * S[t-1])",
        "select(pick <= 0, S[t-1], k * v + S[t-1] * a)",
    ];
    for (n, next) in nexts.iter().enumerate() {
        let text = spec("", next, reads[n % 3]);
        let func = outputs(&text);
        let (why, missing) = said(&func);
        assert_eq!(missing, None, "{text}");
        let why = why.unwrap_or_else(|| panic!("{text}"));
        assert!(why.starts_with("each step picks 1 of the 4 states along `m`:"));
        assert!(!steps_all(&func), "{text}");
        certified(&text);
    }
}

#[test]
fn read_outside_of_the_loop() {
    let text = spec(
        "",
        PICKED,
        "sum[m](pick * tanh(sum[n](q * S)) / (1 + exp(a)))",
    );
    assert!(!steps_all(&outputs(&text)));
    certified(&text);
}

/// A mixer of its own head and equations.
fn mixer(head: &str, body: &str) -> String {
    format!("seq 1\n\nmixer m({head}) -> y: seq{{p}} {{\n{body}\n}}\n")
}

#[test]
fn a_router_for_each_head() {
    // The value has no heads, what a head picks has.
    let text = mixer(
        "v: seq{p}, s: seq{h, m}; h = 2, m = 4, p = 3",
        "    pick = top[m](s, 2)
    state S{h, m, p}
    S[t] = select(pick > 0, tanh(s) * S[t-1] + v, S[t-1])
    y = sum[h](sum[m](pick * S))",
    );
    assert!(!steps_all(&outputs(&text)));
    certified(&text);
    // One head's pick counts for another's state.
    let text = text.replace("state S{h, m, p}", "state S{m, p}");
    let text = text.replace("tanh(s) * S[t-1] + v", "S[t-1] + v");
    let text = text.replace("select(pick > 0", "select(sum[h](pick) > 0");
    let text = text.replace("sum[h](sum[m](pick * S))", "sum[m](sum[h](pick) * S)");
    assert!(steps_all(&outputs(&text)), "{text}");
    certified(&text);
}

#[test]
fn memories_of_two_routers() {
    let text = |read: &str| {
        mixer(
            "v: seq{p}, s: seq{m}, u: seq{m}; m = 4, p = 3",
            &format!(
                "    one = top[m](s, 1)
    two = top[m](u, 2)
    state S{{m, p}}
    state R{{m, p}}
    S[t] = select(one > 0, 0.5 * S[t-1] + v, S[t-1])
    R[t] = select(two > 0, 0.8 * R[t-1] + v, R[t-1])
    {read}"
            ),
        )
    };
    for read in [
        "y = sum[m](one * S) + sum[m](two * R)",
        "y = sum[m](one * tanh(S) * two * tanh(R))",
        "y = sum[m](one * S * tanh(R))",
    ] {
        certified(&text(read));
    }
    let same = text("y = sum[m](one * tanh(S) * tanh(R))").replace("two > 0", "one > 0");
    assert!(!steps_all(&outputs(&same)));
    certified(&same);
}

#[test]
fn complex_memories() {
    let text = mixer(
        "v: seq{p}, s: seq{m}, a: seq{m}; m = 4, p = 3",
        "    pick = top[m](s, 1)
    state S{m, p}
    S[t] = select(pick > 0, 0.9 * exp(1i * a) * S[t-1] + v, S[t-1])
    y = sum[m](pick * re(S))",
    );
    assert!(!steps_all(&outputs(&text)));
    certified(&text);
}

#[test]
fn what_keeps_all_in_the_loop() {
    let read = "sum[n](q * sum[m](pick * S))";
    let cases = [
        (
            spec("", PICKED, "sum[n](q * sum[m](S))"),
            "counts one that is not picked",
        ),
        (
            spec("", PICKED, "sum[n](q * sum[m](a * S))"),
            "counts one that is not picked",
        ),
        (spec(" = 1", PICKED, read), "they do not begin at 0"),
        (
            spec("", "select(pick > 0, S[t-1] + k * v, 0.9 * S[t-1])", read),
            "`S` changes where it is not picked",
        ),
        (
            spec(
                "",
                "select(pick > 0, a * S[t-1] + k * sum[m](S[t-1]), S[t-1])",
                read,
            ),
            "mixes them",
        ),
        (
            spec("", PICKED, read).replace("top[m](s, 1)", "top[m](s, 3)"),
            "that is more than half of them",
        ),
    ];
    for (text, why) in cases {
        let (_, missing) = said(&outputs(&text));
        let missing = missing.unwrap_or_else(|| panic!("{text}"));
        assert!(missing.contains(why), "{text}\n{missing}");
        certified(&text);
    }
}
