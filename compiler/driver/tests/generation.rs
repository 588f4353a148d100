//! Prefill, steps and passes that go on from states, compiled, say what the parallel form says over the same tokens.

use seqc_device::abi::Sizes;
use seqc_device::{Executor, Pool, Store};
use seqc_driver::backend::{Backend, instant};
use seqc_driver::passes::{Form, Shapes, forward};
use seqc_driver::{build, frontend};
use seqc_generate::{Generation, Generator, Model};

const VOCAB: usize = 11;

fn source(mixer: &str, call: &str) -> String {
    format!(
        "seq 1
import std ({mixer}, rmsnorm)

model lm(tokens: seq<vocab>; vocab = {VOCAB}, d = 16) -> logits: seq{{vocab}} {{
    param E{{vocab, d}} = normal(1)
    x = E{{vocab = tokens}}
    mix: x1 = x + {call}
    logits = sum[d](E * rmsnorm(x1))
}}
"
    )
}

fn agrees(mixer: &str, call: &str) {
    over(40, &[1, 2, 3, 15, 16, 17, 33, 39], mixer, call);
}

/// Relative RMS difference of the logits after every position, at several lengths of the prompt, and where a text in
/// parts is cut.
fn over(tokens: usize, prompts: &[usize], mixer: &str, call: &str) {
    of_source(tokens, prompts, mixer, &source(mixer, call));
}

fn of_source(tokens: usize, prompts: &[usize], mixer: &str, text: &str) {
    let source = frontend::of_text("lm.seq", text).unwrap_or_else(|e| panic!("{e}"));
    let e = source
        .elaborate("lm", &[])
        .unwrap_or_else(|e| panic!("{mixer}: {e}"));
    let lanes = Backend::Clif.lanes();
    let whole = forward(&e.func, Form::Chunked, &Shapes::cpu(), &mut vec![])
        .unwrap_or_else(|e| panic!("{mixer}: {e}"));
    let mut built = build::Built::default();
    built.add(
        "whole",
        build::lowered(&whole, lanes).unwrap_or_else(|e| panic!("{mixer}: {e}")),
    );
    let whole = instant(&built).unwrap_or_else(|e| panic!("{e}"));
    let whole = whole.program("whole").unwrap_or_else(|e| panic!("{e}"));
    let mut built = build::Built::default();
    (built.add_generation(&e, &build::GoesOn::ALL, &Shapes::cpu(), lanes, &mut vec![]))
        .unwrap_or_else(|e| panic!("{mixer}: {e}"));
    let artifact = instant(&built).unwrap_or_else(|e| panic!("{mixer}: {e}"));
    let program = |n: &str| artifact.program(n).unwrap_or_else(|e| panic!("{e}"));
    let model = Model {
        prefill: program("prefill"),
        step: program("step"),
        resume: Some(program("resume")),
        input: "tokens".into(),
        output: "logits".into(),
    };
    let pool = Pool::new(2);
    let text: Vec<i32> = (0..tokens as i32)
        .map(|i| (i * i * 7 + 3 * i) % VOCAB as i32)
        .collect();
    let sizes = Sizes::from([("batch".to_owned(), 1), ("t".to_owned(), text.len() as u64)]);
    let mut store = Store::new(5);
    let mut run =
        Executor::new(&whole, &sizes, &mut store, &pool).unwrap_or_else(|e| panic!("{e}"));
    run.set_poison(true);
    run.set_input("tokens", &text[..])
        .unwrap_or_else(|e| panic!("{e}"));
    run.run(&mut store).unwrap_or_else(|e| panic!("{e}"));
    let want = run
        .output("logits")
        .unwrap_or_else(|e| panic!("{e}"))
        .to_vec();
    let mut generator = Generator::new(model, pool).unwrap_or_else(|e| panic!("{mixer}: {e}"));
    for (path, p) in generator.store_mut().iter_mut() {
        let from = store
            .get(path)
            .unwrap_or_else(|| panic!("{mixer}: no `{path}`"));
        p.value_mut().copy_from_slice(from.value());
    }
    let right = |going: &Generation, how: &str| {
        let at = going.len();
        let want = &want[(at - 1) * VOCAB..at * VOCAB];
        let square = |x: f32| f64::from(x).powi(2);
        let both = going.logits().iter().zip(want);
        let off: f64 = both.map(|(a, b)| square(a - b)).sum();
        let size: f64 = want.iter().map(|x| square(*x)).sum();
        let error = (off / size).sqrt();
        assert!(error < 1e-4, "{mixer}: {how}, position {at}: {error}");
    };
    for &prompt in prompts {
        let mut going = generator
            .start(&text[..prompt], text.len() - prompt)
            .unwrap_or_else(|e| panic!("{mixer}: {e}"));
        right(&going, &format!("prompt {prompt}"));
        for token in &text[prompt..] {
            going
                .push(*token)
                .unwrap_or_else(|e| panic!("{mixer}: {e}"));
            right(&going, &format!("prompt {prompt}"));
        }
    }
    // In parts, of which some are single steps: what a pass leaves, a pass and a step go on from.
    for parts in [&[3, 4, 1, 2, 1][..], &[1, 1, 17, 2, 5], &[17, 2, 16, 1]] {
        let mut going = generator
            .start(&text[..parts[0]], text.len() - parts[0])
            .unwrap_or_else(|e| panic!("{mixer}: {e}"));
        for n in &parts[1..] {
            let next = &text[going.len()..going.len() + n];
            going
                .extend(next)
                .unwrap_or_else(|e| panic!("{mixer}: {e}"));
            right(&going, &format!("parts of {parts:?}"));
        }
    }
}

#[test]
fn linear_attention() {
    agrees("gla", "gla(rmsnorm(x), h = 2, low = 4)");
}

#[test]
fn state_space() {
    agrees("mamba2", "mamba2(rmsnorm(x), p = 8, n = 8)");
}

#[test]
fn nonlinear_recurrence() {
    agrees("lstm", "lstm(rmsnorm(x))");
}

#[test]
fn attention_with_biases() {
    agrees("alibi", "alibi(rmsnorm(x), h = 2)");
}

#[test]
fn attention_with_rotary_positions() {
    agrees("attention", "attention(rmsnorm(x), g = 2, r = 1)");
}

/// Ticks of four steps inside: a prompt may end anywhere in one.
#[test]
fn coarser_clock() {
    agrees("sashimi_level", "sashimi_level(rmsnorm(x))");
}

/// Keys of ticks, of which the nearest is read step by step. The text repeats itself backwards, so that shorter blocks
/// may have the same mean.
#[test]
fn chosen_blocks() {
    let call = "infllm(rmsnorm(x), h = 2, b = 10, keep = 1, window = 3)";
    agrees("infllm", call);
}

/// Blocks that are summed directly, and those that are transformed; each kind of hand-over to them.
#[test]
fn long_kernel() {
    let call = "hyena(rmsnorm(x), m = 8, bands = 2, span = 64)";
    over(300, &[1, 2, 31, 63, 64, 65, 129, 192, 299], "hyena", call);
}

/// The kernel is read off the text, and grows with it.
#[test]
fn long_kernel_of_data() {
    agrees("orchid", "orchid(rmsnorm(x))");
}

#[test]
fn long_kernels_of_exponentials() {
    over(150, &[1, 2, 64, 149], "s4d", "s4d(rmsnorm(x), n = 4)");
    over(
        150,
        &[1, 63, 100],
        "hyperzzw",
        "hyperzzw(rmsnorm(x), m = 6, span = 32)",
    );
}

/// What is read late lies in the states, whose axes are of one size: a state whose axes changed places would go unseen.
#[test]
fn windows_that_are_read_late() {
    let own = "mixer late(x: seq{d}; d = 16, taps = 16) -> z: seq{d} {
    y = x[t - range(taps)]
    s = softmax[taps](sum[d](y * x))
    u = s * y
    z = sum[taps](u[t-1] * range(taps)) + sum[taps](y[t-2])
}
";
    let text = source("late", "late(rmsnorm(x))").replace("import std (late, ", "import std (");
    of_source(40, &[1, 2, 17], "late", &format!("{text}\n{own}"));
}
