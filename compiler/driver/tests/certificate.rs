//! Certificates of one mixer of each class, and that broken programs get none.

use seqc_algebra::{Axis, Builder, Func, Op, ValueId};
use seqc_driver::backend::Backend;
use seqc_driver::engine::Engine;
use seqc_driver::frontend::{self, Source};
use seqc_driver::passes::Shapes;
use seqc_driver::verify::{
    Certificate, Derived, Extent, Options, Part, Subject, certify, item, small,
};
use std::collections::HashMap;
use std::path::Path;

fn source(file: &str) -> Source {
    let stdlib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stdlib");
    frontend::open(&stdlib.join(file)).unwrap_or_else(|e| panic!("{e}"))
}

fn options() -> Options {
    Options {
        extent: Extent::Quick,
        shapes: Shapes {
            chunk: 4,
            checkpoint: 4,
            tiles: seqc_derive::stream::Tiles {
                kept: 4,
                streamed: 3,
            },
        },
        ..Options::default()
    }
}

fn green(file: &str, mixer: &str, set: &[(&str, &str)]) {
    let set: Vec<(String, String)> = (set.iter())
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
    let c = item(&source(file), mixer, &set, &options()).unwrap_or_else(|e| panic!("{e}"));
    assert!(c.green(), "{c}");
    // Each form, forward and gradient, on the interpreter and on Cranelift at least.
    assert!(c.rows.len() >= 12, "{c}");
    let rows = |part: &str| c.rows.iter().filter(|r| r.part == part).count();
    assert!(rows("forward") >= 6 && rows("gradient") >= 6, "{c}");
}

#[test]
fn diagonal() {
    green("linear_attention.seq", "gla", &[]);
}

#[test]
fn delta() {
    green("delta.seq", "deltanet", &[]);
}

#[test]
fn scalar_state_space() {
    green("ssm.seq", "mamba2", &[]);
}

#[test]
fn nonlinear() {
    green("rnn.seq", "gru", &[]);
}

#[test]
fn softmax_matrix() {
    green("attention.seq", "alibi", &[]);
}

/// A pattern that is drawn: blocks so small that most pairs are decided by `hash`.
#[test]
fn random_blocks() {
    let set = [("b", "4"), ("global", "3"), ("p", "0.3")];
    green("attention.seq", "bigbird", &set);
}

#[test]
fn two_clocks_and_no_step() {
    let c = item(&source("attention.seq"), "cross_attention", &[], &options());
    let c = c.unwrap_or_else(|e| panic!("{e}"));
    assert!(c.green(), "{c}");
}

#[test]
fn short_kernel() {
    green("conv.seq", "conv", &[]);
}

/// The certificate of a mixer, one of whose programs was changed.
fn with_mutant(
    file: &str,
    mixer: &str,
    form: &str,
    part: Part,
    f: impl Fn(&Func) -> Func,
) -> Certificate {
    let (e, _) = small(&source(file), mixer, &[]).unwrap_or_else(|e| panic!("{e}"));
    let subject = Subject::new(&e).unwrap_or_else(|e| panic!("{e}"));
    let options = Options {
        engines: vec![Engine::Interp, Engine::Compiled(Backend::Clif)],
        ..options()
    };
    let mut derived: Vec<Derived> = subject.derive(&options.shapes);
    let d = (derived.iter_mut())
        .find(|d| d.form == form && d.part == part)
        .expect("the program");
    let mutant = f(d.func.as_ref().expect("derived"));
    assert!(seqc_algebra::verify(&mutant).is_ok());
    d.func = Ok(mutant);
    certify(&subject, derived, &options)
}

/// The program with one value, chosen by `wanted`, replaced by what `change` makes of it.
fn changed(
    func: &Func,
    wanted: impl Fn(&Func, ValueId) -> bool,
    change: impl Fn(&mut Builder, ValueId) -> ValueId,
) -> Func {
    let victim = func
        .ids()
        .find(|id| wanted(func, *id))
        .expect("a value to change");
    let mut b = Builder::new(&func.name);
    let mut image: HashMap<ValueId, ValueId> = HashMap::new();
    for id in func.ids() {
        let args: Vec<ValueId> = func.args(id).iter().map(|a| image[a]).collect();
        let mut v = b.copy(func.value(id), &args).expect("a copy");
        if id == victim {
            v = change(&mut b, v);
        }
        image.insert(id, v);
    }
    for (n, v) in &func.results {
        b.result(n, image[v]);
    }
    b.finish()
}

/// Rows that are red, as `form part engine`.
fn red(c: &Certificate) -> Vec<String> {
    let bad = c.rows.iter().filter(|r| !r.green());
    bad.map(|r| format!("{} {} {}", r.form, r.part, r.engine))
        .collect()
}

#[test]
fn a_chunk_that_reads_one_step_late_is_red() {
    // What a scan emits along time, one step late.
    let late = |f: &Func| {
        let emitted =
            |f: &Func, id: ValueId| matches!(f.op(id), Op::Proj(_)) && f.ty(id).has(Axis::time());
        changed(f, emitted, |b, v| {
            b.shift(v, Axis::time(), 1).expect("a shift")
        })
    };
    let c = with_mutant(
        "linear_attention.seq",
        "retnet",
        "chunked",
        Part::Forward,
        late,
    );
    assert_eq!(
        red(&c),
        ["chunked forward interp", "chunked forward clif"],
        "{c}"
    );
}

#[test]
fn a_gradient_that_is_off_by_a_little_is_red() {
    let off = |f: &Func| {
        let grad = f.result("grad.x").expect("a gradient");
        changed(
            f,
            |_, id| id == grad,
            |b, v| {
                let k = b.num(1.0 + 1e-4);
                b.mul(v, k).expect("a product")
            },
        )
    };
    let c = with_mutant(
        "linear_attention.seq",
        "retnet",
        "recurrent",
        Part::Gradient,
        off,
    );
    assert_eq!(
        red(&c),
        [
            "recurrent gradient interp",
            "recurrent gradient clif",
            "recurrent packed clif"
        ],
        "{c}"
    );
}

#[test]
fn a_step_that_forgets_a_little_is_red() {
    let forgets = |f: &Func| {
        let state = (f.results.iter())
            .find(|(n, _)| n.starts_with("state."))
            .map(|(_, v)| *v)
            .expect("a state");
        changed(
            f,
            |_, id| id == state,
            |b, v| {
                let k = b.num(0.999);
                b.mul(v, k).expect("a product")
            },
        )
    };
    let c = with_mutant(
        "linear_attention.seq",
        "retnet",
        "step",
        Part::Step,
        forgets,
    );
    assert_eq!(red(&c), ["step step interp", "step step clif"], "{c}");
}

/// A gradient by a state that is off by a little, and a prompt that does not hear of its states' cotangents.
#[test]
fn gradients_through_states_that_are_wrong_are_red() {
    let off = |f: &Func| {
        let grad = (f.results.iter()).find(|(n, _)| n.starts_with("grad.state."));
        let grad = grad.expect("a state's gradient").1;
        changed(
            f,
            |_, id| id == grad,
            |b, v| {
                let k = b.num(1.0 + 1e-4);
                b.mul(v, k).expect("a product")
            },
        )
    };
    let deaf = |f: &Func| {
        let is = |f: &Func, id: ValueId| {
            f.input(id)
                .is_some_and(|i| i.name.as_str().starts_with("cotangent.state."))
        };
        changed(f, is, |b, v| {
            let k = b.num(0.0);
            b.mul(v, k).expect("a product")
        })
    };
    type Mutant<'a> = (&'a str, Part, &'a dyn Fn(&Func) -> Func);
    let all: [Mutant; 3] = [
        ("chunked", Part::StateGradient, &off),
        ("recurrent", Part::StateGradient, &deaf),
        ("chunked", Part::PromptGradient, &deaf),
    ];
    for (form, part, f) in all {
        let c = with_mutant("linear_attention.seq", "retnet", form, part, f);
        let rows = ["interp", "clif"].map(|e| format!("{form} state gradient {e}"));
        assert_eq!(red(&c), rows, "{c}");
    }
}

/// On every engine, over the finite field, and against difference quotients.
#[test]
fn gradients_through_states_are_certified() {
    for (file, mixer) in [
        ("linear_attention.seq", "gla"),
        ("delta.seq", "gated_deltanet"),
        ("delta.seq", "titans"),
        ("ssm.seq", "lru"),
        ("conv.seq", "hyena"),
    ] {
        let c = item(&source(file), mixer, &[], &options()).unwrap_or_else(|e| panic!("{e}"));
        assert!(c.green(), "{c}");
        let mine = c.rows.iter().filter(|r| r.part == "state gradient");
        let engines: Vec<&str> = mine.map(|r| r.engine.as_str()).collect();
        let count = |e: &str| engines.iter().filter(|x| **x == e).count();
        assert_eq!(count("differ."), 1, "{c}");
        for e in ["interp", "clif", "exact"] {
            assert_eq!(count(e), 2, "{c}");
        }
    }
}

#[test]
fn what_is_not_derived_is_red_and_what_is_not_built_is_said() {
    let (e, _) =
        small(&source("linear_attention.seq"), "retnet", &[]).unwrap_or_else(|e| panic!("{e}"));
    let subject = Subject::new(&e).unwrap_or_else(|e| panic!("{e}"));
    let options = Options {
        engines: vec![Engine::Interp],
        ..options()
    };
    let none = Derived {
        form: "chunked",
        part: Part::Forward,
        func: Err("no such law".into()),
    };
    let c = certify(&subject, vec![none], &options);
    assert_eq!(red(&c), ["chunked forward interp"]);
    assert!(c.to_string().contains("no such law"), "{c}");
}

#[test]
fn certificates_survive_json() {
    let (e, _) = small(&source("norms.seq"), "rmsnorm", &[]).unwrap_or_else(|e| panic!("{e}"));
    let subject = Subject::new(&e).unwrap_or_else(|e| panic!("{e}"));
    let options = Options {
        engines: vec![Engine::Interp],
        ..options()
    };
    let c = seqc_driver::verify::verify(&subject, &options);
    let json = serde_json::to_value(&c).expect("JSON");
    assert_eq!(json["mixer"], "rmsnorm");
    let rows = json["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), c.rows.len());
    assert!(rows.iter().all(|r| r["worst"]["error"].is_f64()), "{json}");
}
