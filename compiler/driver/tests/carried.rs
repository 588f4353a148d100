//! Gradients through states cost what gradients of the form cost: a chunked form's stay chunked.

mod support;

use seqc_algebra::{Axis, Elem, Func, InputKind, Op, Size, ValueId};
use seqc_derive::cost::cost;
use seqc_derive::words::describe;
use seqc_driver::passes::{Begin, Form, Shapes, Wanted, carried_gradient, gradient, resume};
use seqc_driver::verify::item;
use seqc_driver::{build, frontend};
use std::path::Path;
use support::elaborated;

/// FLOPs of the gradient of one sequence of `t` steps, and of that after as many steps again, from states.
fn flops(file: &str, mixer: &str, form: Form, t: f64) -> (f64, f64) {
    let f = elaborated(file, mixer, &[]);
    let smooth = f.params.iter().filter(|p| f.ty(**p).elem != Elem::Int);
    let wrt: Vec<&str> = smooth
        .filter_map(|p| f.input(*p))
        .map(|i| i.name.as_str())
        .collect();
    let outs: Vec<&str> = f.results.iter().map(|(n, _)| n.as_str()).collect();
    let shapes = Shapes::cpu();
    let wanted = Wanted {
        begin: Begin::States,
        wrt: &wrt,
        outs: &outs,
    };
    let whole = gradient(&f, form, &shapes, &wrt, &outs, &mut vec![]);
    let rest = carried_gradient(&f, form, &shapes, wanted, &mut vec![]);
    let of = |f: Result<Func, seqc_derive::DeriveError>| {
        let f = f.unwrap_or_else(|e| panic!("{mixer}: {e}"));
        let length = |s: seqc_algebra::Sym| if s.as_str() == "cache" { 2.0 * t } else { t };
        cost(&f).flops().at(length)
    };
    (of(whole), of(rest))
}

#[test]
fn recurrences_from_states_cost_what_they_cost_from_the_start() {
    for (file, mixer) in [
        ("linear_attention.seq", "gla"),
        ("linear_attention.seq", "retnet"),
        ("delta.seq", "gated_deltanet"),
        ("delta.seq", "rwkv7"),
        ("ssm.seq", "mamba2"),
        ("rnn.seq", "lstm"),
    ] {
        for form in [Form::Recurrent, Form::Chunked] {
            let (whole, rest) = flops(file, mixer, form, 4096.0);
            assert!(
                rest <= 1.02 * whole,
                "{mixer} {}: {whole} {rest}",
                form.name()
            );
        }
    }
}

/// Queries after a prompt see the prompt's keys too: three times the pairs of a whole as long.
#[test]
fn attention_from_a_cache_costs_its_pairs() {
    for mixer in ["attention", "alibi", "gau"] {
        let (whole, rest) = flops("attention.seq", mixer, Form::Chunked, 4096.0);
        assert!(rest <= 4.2 * whole, "{mixer}: {whole} {rest}");
    }
}

/// No value of the chunked gradient has both a run-time length and the axes of a state, but along chunks.
#[test]
fn no_trajectory_of_states_is_stored() {
    let f = elaborated("linear_attention.seq", "gla", &[]);
    let outs = ["y"];
    let wanted = Wanted {
        begin: Begin::States,
        wrt: &["x"],
        outs: &outs,
    };
    let g = carried_gradient(&f, Form::Chunked, &Shapes::cpu(), wanted, &mut vec![]);
    let g = g.unwrap_or_else(|e| panic!("{e}"));
    let time = Axis::time();
    let is = |v: &ValueId, n: &str| g.ty(*v).axes.iter().any(|a| a.name.as_str() == n);
    let all = g
        .ids()
        .filter(|v| g.ty(*v).has(time) && is(v, "dk") && is(v, "dv"));
    assert_eq!(all.count(), 0);
    let tiled = |v: &ValueId| matches!(g.op(*v), Op::Scan(s) if s.tile.is_some());
    assert!(
        g.ids().filter(tiled).count() >= 2,
        "forward and backward in chunks"
    );
}

/// A convolution over all lags from states is one of the whole history, by transforms too.
#[test]
fn long_convolutions_from_states_stay_transforms() {
    for (file, mixer) in [("conv.seq", "hyena"), ("ssm.seq", "s4d")] {
        let (whole, rest) = flops(file, mixer, Form::Chunked, 4096.0);
        assert!(rest <= 2.5 * whole, "{mixer}: {whole} {rest}");
    }
}

/// Where data choose, for each position, which blocks of others are read, that choice is stored; and a state for each
/// pair of positions is what such a mixer says.
const STORED: &[&str] = &["infllm", "resonance"];

/// No program from states of any mixer of the library stores a value for each pair of positions.
#[test]
fn no_pairs_are_stored() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stdlib");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("the library") {
        let path = entry.expect("a file").path();
        let Ok(source) = frontend::open(&path) else {
            continue;
        };
        for (mixer, _) in source.items() {
            let Ok(e) = source.elaborate(&mixer, &[]) else {
                continue;
            };
            if !build::is_causal(&e) {
                continue;
            }
            let f = build::outputs(&e).unwrap_or_else(|e| panic!("{e}"));
            let smooth = build::smooth(&f);
            let wrt: Vec<&str> = smooth.iter().map(String::as_str).collect();
            let outs: Vec<&str> = e.outputs.iter().map(String::as_str).collect();
            let wanted = Wanted {
                begin: Begin::States,
                wrt: &wrt,
                outs: &outs,
            };
            let shapes = Shapes::cpu();
            for made in [
                resume(&f, &shapes, &mut vec![]),
                carried_gradient(&f, Form::Chunked, &shapes, wanted, &mut vec![]),
            ] {
                let made = made.unwrap_or_else(|e| panic!("{mixer}: {e}"));
                let none = pairs(&made).is_empty();
                assert_eq!(
                    none,
                    !STORED.contains(&mixer.as_str()),
                    "{mixer}: {:?}",
                    pairs(&made)
                );
                seen += 1;
            }
        }
    }
    assert!(seen >= 60, "{seen}");
}

/// Values of two run-time axes beside the batch; those that are computed where they are used do not count.
fn pairs(f: &Func) -> Vec<String> {
    let live = f.live();
    let free = |v: ValueId| matches!(f.op(v), Op::Map(_) | Op::Expand(_) | Op::Iota(_));
    let long = |a: &&Axis| match a.size {
        Size::Len(s) => s.as_str() != "batch",
        Size::Tiles(..) | Size::Times { .. } => true,
        Size::Const(_) => false,
    };
    let stored = f.ids().filter(|v| live[v.index()] && !free(*v));
    let two = stored.filter(|v| f.ty(*v).axes.iter().filter(long).count() > 1);
    two.map(|v| describe(f.op(v))).collect()
}

/// Tokens that are carried have no gradient; what is read of them has.
#[test]
fn indices_among_the_states_have_none() {
    let text = "seq 1

mixer pairs(tokens: seq<v>, x: seq{d}; v = 5, d = 3) -> y: seq{d} {
    param w{v, d}
    state s{d}
    s[t] = 0.5 * s[t-1] + w{v = tokens[t-1]} * x[t-2]
    y = s + w{v = tokens}
}
";
    let source = frontend::of_text("pairs.seq", text).unwrap_or_else(|e| panic!("{e}"));
    let e = source.elaborate("pairs", &[]);
    let e = e.unwrap_or_else(|e| panic!("{e}"));
    let wanted = Wanted {
        begin: Begin::States,
        wrt: &["w", "x"],
        outs: &["y"],
    };
    let f = carried_gradient(&e.func, Form::Chunked, &Shapes::cpu(), wanted, &mut vec![]);
    let f = f.unwrap_or_else(|e| panic!("{e}"));
    let inputs = f.params.iter().filter_map(|p| f.input(*p));
    let states = inputs.filter(|i| i.kind == InputKind::State);
    let gradients = f
        .results
        .iter()
        .filter(|(n, _)| n.starts_with("grad.state."));
    assert_eq!((states.count(), gradients.count()), (3, 2));
    let c = item(&source, "pairs", &[], &support::brief()).unwrap_or_else(|e| panic!("{e}"));
    assert!(c.green(), "{c}");
    assert!(
        c.rows
            .iter()
            .any(|r| r.part == "state gradient" && r.engine == "clif"),
        "{c}"
    );
}
