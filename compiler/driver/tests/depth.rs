//! Depth costs what depth costs: of models of 4, 8 and 16 layers, the second four and the next eight add to the work of
//! each pass what they add to the program, and no kernel more. Work is counted in values looked at and in bytes allocated,
//! which are the same at any load. Texts that double again and again end.

use seqc_driver::build::{Built, model};
use seqc_driver::explain;
use seqc_driver::frontend::{of_text, open};
use seqc_driver::passes::{Form, Shapes, Timings, forward, generation_step, gradient, training};
use seqc_hir::Elaborated;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

/// The system's allocator, and how many bytes each thread has asked it for.
struct Counting;

thread_local! {
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it is; the counter allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = BYTES.try_with(|b| b.set(b.get() + layout.size() as u64));
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` was given out by `alloc` above, for this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Files of models with a setting `layers`.
const KINDS: &[&str] = &[
    "examples/attention.seq",
    "examples/gla.seq",
    "examples/hybrid.seq",
    "examples/hyena.seq",
    "examples/lstm.seq",
    "examples/mamba2.seq",
    "tests/faults/gpt2.seq",
    "tests/faults/mamba130m.seq",
];

fn elaborated(file: &str, layers: usize) -> Elaborated {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(file);
    let source = open(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
    let name = source.model(None).unwrap();
    let settings = [("layers".to_owned(), layers.to_string())];
    source
        .elaborate(&name, &settings)
        .unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// The plans of training and of generation.
fn built(file: &str, layers: usize, timings: &mut Timings) -> Built {
    let e = elaborated(file, layers);
    let built = model(&e, Form::Chunked, &Shapes::cpu(), 8, timings);
    built.unwrap_or_else(|e| panic!("{file}, {layers} layers: {e}"))
}

/// The work of a build: values that each pass and all of them looked at, and bytes allocated; and the number of kernels.
fn work(file: &str, layers: usize) -> (BTreeMap<&'static str, u64>, usize) {
    let (looks, bytes) = (seqc_algebra::looks(), BYTES.get());
    let mut timings = vec![];
    let built = built(file, layers, &mut timings);
    let mut all = BTreeMap::new();
    for t in &timings {
        *all.entry(t.pass).or_default() += t.looks;
    }
    all.insert("everything, in looks", seqc_algebra::looks() - looks);
    all.insert("everything, in bytes", BYTES.get() - bytes);
    (all, built.kernels.len())
}

#[test]
fn work_grows_as_programs_do_and_kernels_do_not() {
    let mut wrong = vec![];
    for file in KINDS {
        let [(four, kernels), (eight, _), (sixteen, as_many)] = [4, 8, 16].map(|n| work(file, n));
        if kernels != as_many {
            wrong.push(format!(
                "{file}: {kernels} kernels of 4 layers, {as_many} of 16"
            ));
        }
        assert!(sixteen["everything, in looks"] > 0, "nothing was counted");
        for (pass, all) in &sixteen {
            let of = |w: &BTreeMap<&str, u64>| w.get(pass).copied().unwrap_or(0) as f64;
            let (first, then) = (of(&eight) - of(&four), *all as f64 - of(&eight));
            // Twice as many layers: twice the work if it is linear, four times if it is quadratic. Tables that double their
            // room move the bytes.
            let most = if pass.ends_with("bytes") { 2.5 } else { 2.2 };
            if then > most * first + 2000.0 {
                wrong.push(format!(
                    "{file}, {pass}: 4 layers more add {first}, 8 more {then}: {:.2} times",
                    then / first
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn forty_eight_layers_have_the_kernels_of_three() {
    for file in ["tests/faults/gpt2.seq", "tests/faults/mamba130m.seq"] {
        let [few, many] = [3, 48].map(|n| built(file, n, &mut vec![]));
        assert_eq!(few.kernels.len(), many.kernels.len(), "{file}");
        let launches = |b: &Built| b.plans.iter().map(|p| p.launches.len()).sum::<usize>();
        assert!(
            launches(&many) > 8 * launches(&few),
            "{file}: layers were lost"
        );
    }
}

/// Bodies in which a value is made of the one before twice, sixty times over: what is doubled first, how, and who reads the
/// last.
const DOUBLED: &[(&str, &str, &str, &str)] = &[
    (
        "a sequence in a matrix",
        "a0 = x * 1e-18",
        "a{n} = a{k} + a{k}",
        "M[i,j] = a60[i] * a60[j] where j <= i\ny = sum[j](M[t,j] * x[j])",
    ),
    (
        "a sequence in an exponent",
        "a0 = x * 1e-18",
        "a{n} = a{k} + a{k}",
        "M[i,j] = exp(a60[i] - a60[j]) where j <= i\ny = sum[j](M[t,j] * x[j])",
    ),
    (
        "a decay",
        "a0 = x * 1e-18",
        "a{n} = a{k} + a{k}",
        "state y{d}\ny[t] = sigmoid(a60) * y[t-1] + x",
    ),
    (
        "a position in a condition",
        "a0 = t",
        "a{n} = a{k} + a{k}",
        "M[i,j] = 1 where a60[i] >= a60[j]\ny = sum[j](M[t,j] * x[j])",
    ),
    (
        "entries",
        "E0[i,j] = x[i] * x[j] * 1e-18",
        "E{n}[i,j] = E{k}[i,j] + E{k}[i,j]",
        "M[i,j] = E60[i,j] where j <= i\ny = sum[j](M[t,j] * x[j])",
    ),
    (
        "entries, multiplied",
        "E0[i,j] = 0.5 * x[i] * x[j]",
        "E{n}[i,j] = E{k}[i,j] * E{k}[i,j]",
        "M[i,j] = E60[i,j] where j <= i\ny = sum[j](M[t,j] * x[j])",
    ),
    (
        "distances",
        "E0[i,j] = (i - j) * 1e-18",
        "E{n}[i,j] = E{k}[i,j] + E{k}[i,j]",
        "M[i,j] = exp(-E60[i,j]) where j <= i\ny = sum[j](M[t,j] * x[j])",
    ),
    (
        "scores",
        "E0[i,j] = sum[d](x[i] * x[j]) * 1e-18",
        "E{n}[i,j] = E{k}[i,j] + E{k}[i,j]",
        "M[i,j] = softmax[j](E60[i,j]) where j <= i\ny = sum[j](M[t,j] * x[j])",
    ),
    (
        "a kernel",
        "f0[lag] = exp(-lag) * 1e-18 where lag >= 0",
        "f{n}[lag] = f{k}[lag] + f{k}[lag]",
        "y = sum[lag](f60[lag] * x[t - lag])",
    ),
    (
        "a kernel, multiplied",
        "f0[lag] = exp(-lag) where lag >= 0",
        "f{n}[lag] = f{k}[lag] * f{k}[lag]",
        "y = sum[lag](f60[lag] * x[t - lag])",
    ),
    (
        "a rate of lags",
        "f0[lag] = lag * 1e-18 where lag >= 0",
        "f{n}[lag] = f{k}[lag] + f{k}[lag]",
        "g[lag] = exp(-f60[lag]) where lag >= 0\ny = sum[lag](g[lag] * x[t - lag])",
    ),
    (
        "a next state",
        "state s{d}\na0 = s[t-1] * 1e-18",
        "a{n} = a{k} + a{k}",
        "s[t] = a60 + x\ny = s",
    ),
    (
        "a next state, multiplied",
        "state s{d}\na0 = s[t-1] * 0.1",
        "a{n} = a{k} * a{k}",
        "s[t] = a60 + x\ny = s",
    ),
    (
        "a read of a state",
        "state s{d}\ns[t] = 0.5 * s[t-1] + x\na0 = s * 1e-18",
        "a{n} = a{k} / 2 + a{k} / 3",
        "y = linear(a60, d -> d)",
    ),
    (
        "a complex value",
        "a0 = exp(1i * x)",
        "a{n} = a{k} * a{k}",
        "y = re(a60)",
    ),
];

fn doubled((_, first, step, last): &(&str, &str, &str, &str)) -> String {
    let step = |k: usize| {
        let one = step.replace("{n}", &(k + 1).to_string());
        one.replace("{k}", &k.to_string()) + "\n"
    };
    let steps: String = (0..60).map(step).collect();
    format!("seq 1\nmixer m(x: seq{{d}}) -> y: seq{{d}} {{\n{first}\n{steps}{last}\n}}\n")
}

/// Derived in every form, with its gradient and its step; lowered. What is refused is refused in words.
fn ends(what: &str, text: &str) {
    let before = seqc_algebra::looks();
    let source = of_text(what, text).unwrap_or_else(|e| panic!("{what}: {e}\n{text}"));
    let settings = [("d".to_owned(), "4".to_owned())];
    let e = source
        .elaborate("m", &settings)
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    let shapes = Shapes::cpu();
    let timings = &mut vec![];
    for form in [Form::Matrix, Form::Recurrent, Form::Chunked] {
        let _ = forward(&e.func, form, &shapes, timings);
        let _ = gradient(&e.func, form, &shapes, &["x"], &["y"], timings);
    }
    if let Ok(f) = generation_step(&e.func, &shapes, timings) {
        let _ = seqc_driver::build::lowered(&f, 8);
    }
    let _ = explain::report(&source, &e, &shapes);
    let looks = seqc_algebra::looks() - before;
    assert!(looks < 20_000_000, "{what}: {looks} values were looked at");
}

#[test]
fn what_doubles_sixty_times_ends() {
    for case in DOUBLED {
        ends(case.0, &doubled(case));
    }
}

/// Layers that add a state to what all go on from: the sum is read by each, and each read is one read.
#[test]
fn what_is_read_is_read_once() {
    let text = "seq 1
import std (next_token, rmsnorm)
mixer leaky(x: seq{d}) -> y: seq{d} {
    state y{d}
    u = linear(x, d -> d)
    y[t] = 0.9 * y[t-1] + tanh(u)
}
model m(tokens: seq<vocab>; vocab = 32, d = 16, layers = 4) -> logits: seq{vocab} {
    param E{vocab, d} = normal(0.02)
    x = E{vocab = tokens}
    layers: repeat layers { mix: x += leaky(NORM) }
    logits = sum[d](E * x)
    objective lm = next_token(logits, tokens)
}
";
    for norm in ["x", "rmsnorm(x)"] {
        let source = of_text("leaky", &text.replace("NORM", norm)).unwrap();
        let [one, two, four] = [8, 16, 32].map(|n| {
            let settings = [("layers".to_owned(), n.to_string())];
            let e = source.elaborate("m", &settings).unwrap();
            let f = training(&e.func, Form::Chunked, &Shapes::cpu(), &mut vec![]).unwrap();
            f.values.len()
        });
        assert!(
            four - two <= 2 * (two - one) + 8,
            "{norm}: {one}, {two}, {four} values"
        );
    }
}
