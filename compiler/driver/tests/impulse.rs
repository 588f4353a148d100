//! Recurrences that are the same at every step are convolutions with their response to an impulse: the law against the
//! definition at every short length, forms and gradients certified, long sequences in f32, and what is no convolution
//! named.

mod support;

use seqc_algebra::{Func, Op, Sym};
use seqc_driver::passes::{self, Form, Shapes};
use seqc_driver::verify::{Certificate, Extent, Options, item};
use seqc_driver::{explain, frontend};
use std::collections::HashMap;

/// Mixers of `x: seq{d}, z: seq{d}`.
const MIXERS: &[(&str, &str)] = &[
    (
        "a diagonal",
        "param a{d, n} = uniform(0, 1)\n param b{d, n} = normal(1)\n state S{d, n}
         S[t] = a * S[t-1] + b * x
         y = sum[n](b * S)",
    ),
    (
        "complex numbers, read by their real part",
        "param r{d, n} = uniform(0, 1)\n param b{d, n} = normal(1) + 1i * normal(1)\n state S{d, n}
         S[t] = exp(0 - r + 2i * r) * S[t-1] + b * x
         y = re(sum[n](b * S)) + x",
    ),
    (
        "a learned start",
        "param a{d, n} = uniform(0, 1)\n param s{d, n} = normal(1)\n state S{d, n} = s
         S[t] = a * S[t-1] + x
         y = sum[n](s * S)",
    ),
    (
        "from the end, from a learned state",
        "param a{d, n} = uniform(0, 1)\n param s{d, n} = normal(1)\n state S{d, n} = s
         S[t] = a * S[t+1] + x
         y = sum[n](s * S)",
    ),
    (
        "two inputs",
        "param a{d, n} = uniform(0, 1)\n param b{d, n} = normal(1)\n param c{n} = normal(1)\n state S{d, n}
         S[t] = a * S[t-1] + b * x - c * z
         y = sum[n](b * S)",
    ),
    (
        "a dense transition",
        "param b{n} = normal(1)\n state S{d, n}
         S[t] = 0.3 * linear(S[t-1], n -> n) + b * x
         y = sum[n](b * S)",
    ),
    (
        "a delta rule with fixed keys",
        "param k{d, n} = normal(0.4)\n param b{d, n} = normal(1)\n state S{d, n}
         S[t] = S[t-1] - k * sum[n](k * S[t-1]) + b * x
         y = sum[n](b * S)",
    ),
    (
        "states that feed each other",
        "param a{d, n} = uniform(0, 1)\n param b{d, n} = normal(1)\n state S{d, n}\n state R{d, n}
         S[t] = a * S[t-1] + 0.2 * R[t-1] + b * x
         R[t] = a * R[t-1] - 0.3 * S[t-1]
         y = sum[n](b * R) + sum[n](b * S)",
    ),
    (
        "a shift register",
        "param b{d, n} = normal(1)\n state S{d, n}
         S[t] = shift[n](S[t-1], 1) + b * x
         y = sum[n](b * S)",
    ),
];

/// Recurrences that are none, and why.
const OTHERS: &[(&str, &str)] = &[
    (
        "param a{d} = uniform(0, 1)\n state S{d}\n S[t] = a * S[t-1] + x + 1\n y = S",
        "it is added to what is linear in the state",
    ),
    (
        "state S{d}\n S[t] = 0.1 * sum[d](S[t-1]) + x\n y = S",
        "mixes positions along `d`, which its input has",
    ),
    (
        "param a{d} = uniform(0, 1)\n state S{d} = x[first]\n S[t] = a * S[t-1] + x\n y = S",
        "it starts from a state that differs from sequence to sequence",
    ),
];

fn source(body: &str) -> frontend::Source {
    let text = format!(
        "seq 1\n\nmixer still(x: seq{{d}}, z: seq{{d}}; d = 3, n = 5) -> y: seq{{d}} {{\n{body}\n}}\n"
    );
    frontend::of_text("still.seq", &text).unwrap_or_else(|e| panic!("{e}"))
}

fn definition(body: &str) -> Func {
    let e = source(body).elaborate("still", &[]);
    e.unwrap_or_else(|e| panic!("{e}")).func
}

fn convolution(what: &str, body: &str) -> Func {
    let f = passes::forward(
        &definition(body),
        Form::Convolution,
        &support::shapes(),
        &mut vec![],
    );
    f.unwrap_or_else(|e| panic!("{what}: {e}"))
}

fn certified(body: &str, extent: Extent) -> Certificate {
    let options = Options {
        extent,
        threads: 2,
        ..support::small()
    };
    item(&source(body), "still", &[], &options).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn the_law_holds_at_every_length() {
    for (what, body) in MIXERS {
        let (func, form) = (definition(body), convolution(what, body));
        for length in 1..=9 {
            let sizes = HashMap::from([(Sym::new("t"), length), (Sym::new("batch"), 2)]);
            let given = support::inputs(&func, &sizes);
            let whole = seqc_algebra::run(&func, &given, &sizes).unwrap();
            let got = seqc_algebra::run(&form, &support::all_real(&given), &sizes).unwrap();
            support::close(&format!("{what} at T={length}"), &got[0].1, &whole[0].1);
        }
    }
}

/// No loop over the batch is left.
#[test]
fn the_response_is_one_for_the_whole_batch() {
    for (what, body) in MIXERS {
        let f = convolution(what, body);
        let (mut convolved, live) = (false, f.live());
        for id in f.ids().filter(|id| live[id.index()]) {
            convolved |= matches!(f.op(id), Op::Conv { .. });
            if let Op::Scan(s) = f.op(id) {
                let batch = |v: &seqc_algebra::func::Value| v.ty.has(seqc_algebra::Axis::batch());
                assert!(!s.body.values.iter().any(batch), "{what}\n{f}");
            }
        }
        assert!(convolved, "{what}\n{f}");
    }
}

#[test]
fn forms_and_gradients_are_certified() {
    for (what, body) in MIXERS {
        let c = certified(body, Extent::Brief);
        assert!(c.green(), "{what}\n{c}");
        assert!(c.to_string().contains("convolution"), "{what}\n{c}");
    }
}

/// Decays near 1 forget nothing in 1000 steps.
#[test]
fn long_memories_in_single_precision() {
    let body = "param r{d, n} = uniform(0, 1)\n param b{d, n} = normal(1)\n state S{d, n}
        S[t] = exp(0 - 0.001 * r) * S[t-1] + b * x
        y = sum[n](b * S)";
    let c = certified(body, Extent::Full);
    assert!(c.green(), "{c}");
}

#[test]
fn what_is_no_convolution_says_why() {
    for (body, why) in OTHERS {
        let s = source(body);
        let e = s.elaborate("still", &[]).unwrap_or_else(|e| panic!("{e}"));
        assert!(
            !passes::forms_of(&e.func).contains(&Form::Convolution),
            "{body}"
        );
        let r = explain::report(&s, &e, &Shapes::cpu()).unwrap_or_else(|e| panic!("{e}"));
        let missing = r.equations[0]
            .missing
            .iter()
            .find(|m| m.form == "convolution");
        let missing = missing.unwrap_or_else(|| panic!("{body}"));
        assert!(missing.why.contains(why), "{}", missing.why);
    }
}

/// Training takes the form where the state is large beside its input, and the loop where it is not.
#[test]
fn the_form_is_taken_where_it_pays() {
    for (n, taken) in [("2", false), ("64", true)] {
        let s = source(MIXERS[1].1);
        let set = [("n".to_owned(), n.to_owned())];
        let e = s.elaborate("still", &set).unwrap_or_else(|e| panic!("{e}"));
        let f = passes::forward(&e.func, Form::Chunked, &Shapes::cpu(), &mut vec![]).unwrap();
        let convolved = f.ids().any(|id| matches!(f.op(id), Op::Conv { .. }));
        assert_eq!(convolved, taken, "n = {n}");
        let r = explain::report(&s, &e, &Shapes::cpu()).unwrap();
        assert_eq!(
            r.forms.last().unwrap().form == "convolution",
            taken,
            "n = {n}"
        );
    }
}
