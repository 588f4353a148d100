//! A hand-made model: the logit of v is s · W[v] + 1/4 · (how many tokens so far), where the state s is a weighted
//! sum of the tokens' values, s = s/2 + token, and a cache of all tokens adds the first one's value to logit 0.

use super::*;
use seqc_device::abi::{Buffer, Dim, Elem, KernelDecl, KernelFn, Launch};
use std::collections::BTreeMap;
use std::rc::Rc;

const V: usize = 4;

unsafe fn floats<'a>(bufs: *const *mut u8, i: usize, n: usize) -> &'a mut [f32] {
    // SAFETY: buffers and sizes are those of the plans below.
    unsafe { std::slice::from_raw_parts_mut((*bufs.add(i)).cast::<f32>(), n) }
}

unsafe fn ints<'a>(bufs: *const *mut u8, i: usize, n: usize) -> &'a [i32] {
    // SAFETY: buffers and sizes are those of the plans below.
    unsafe { std::slice::from_raw_parts((*bufs.add(i)).cast::<i32>(), n) }
}

fn logits(out: &mut [f32], w: &[f32], s: f32, first: f32, count: f32) {
    for v in 0..V {
        out[v] = s * w[v] + count / 4.0 + if v == 0 { first } else { 0.0 };
    }
}

/// (tokens, W, out, s', cache') with dims (t, cache).
unsafe extern "C" fn prefill(bufs: *const *mut u8, dims: *const i64, _: i64, _: i64, _: *mut u8) {
    // SAFETY: buffers and sizes are those of the plans below.
    unsafe {
        let (t, cache) = (*dims as usize, *dims.add(1) as usize);
        let tokens = ints(bufs, 0, t);
        let s = tokens.iter().fold(0.0, |s, &x| s / 2.0 + x as f32);
        let kept = floats(bufs, 4, cache);
        kept.fill(0.0);
        kept.iter_mut()
            .zip(tokens)
            .for_each(|(k, x)| *k = *x as f32);
        floats(bufs, 3, 1)[0] = s;
        logits(floats(bufs, 2, V), floats(bufs, 1, V), s, kept[0], t as f32);
    }
}

/// (token, pos, W, s, cache, out, s', cache') with dims (cache).
unsafe extern "C" fn step(bufs: *const *mut u8, dims: *const i64, _: i64, _: i64, _: *mut u8) {
    // SAFETY: buffers and sizes are those of the plans below.
    unsafe {
        let cache = *dims as usize;
        let (x, pos) = (ints(bufs, 0, 1)[0] as f32, floats(bufs, 1, 1)[0]);
        let s = floats(bufs, 3, 1)[0] / 2.0 + x;
        let kept = floats(bufs, 7, cache);
        kept.copy_from_slice(floats(bufs, 4, cache));
        kept[pos as usize] = x;
        floats(bufs, 6, 1)[0] = s;
        logits(
            floats(bufs, 5, V),
            floats(bufs, 2, V),
            s,
            kept[0],
            pos + 1.0,
        );
    }
}

fn buffer(name: &str, elem: Elem, axes: &[(&str, Dim)], role: Role) -> Buffer {
    Buffer {
        name: name.into(),
        elem,
        axes: axes.iter().map(|a| a.0.to_owned()).collect(),
        shape: axes.iter().map(|a| a.1.clone()).collect(),
        role,
    }
}

fn len(name: &str) -> Dim {
    Dim::Len(name.into())
}

fn plan(name: &str, lens: &[&str], dims: &[&str], buffers: Vec<Buffer>) -> Plan {
    let writes = |b: &Buffer| matches!(b.role, Role::Output { .. } | Role::StateOut { .. });
    Plan {
        name: name.into(),
        lens: lens.iter().map(|l| (*l).to_owned()).collect(),
        kernels: vec![KernelDecl {
            symbol: name.into(),
            dims: dims.iter().map(|l| (*l).to_owned()).collect(),
            scratch_bytes: 0,
            writes: buffers.iter().map(writes).collect(),
        }],
        once: 0,
        launches: vec![Launch::Kernel {
            kernel: 0,
            buffers: (0..buffers.len()).collect(),
            grid: vec![Dim::Const(1)],
        }],
        buffers,
    }
}

fn model() -> Model {
    let batch = || ("batch", len("batch"));
    let role_in = |name: &str| Role::Input { name: name.into() };
    let out = || {
        buffer(
            "logits",
            Elem::F32,
            &[batch(), ("v", Dim::Const(V as u64))],
            Role::Output {
                name: "logits".into(),
            },
        )
    };
    let w = || {
        let role = Role::Param {
            path: "w".into(),
            init: Init::Normal { std: 1.0 },
            decay: true,
        };
        buffer("W", Elem::F32, &[("v", Dim::Const(V as u64))], role)
    };
    let state = |name: &str, out: bool| {
        let role = match out {
            true => Role::StateOut { name: name.into() },
            false => Role::StateIn {
                name: name.into(),
                init: Init::Zero,
            },
        };
        match name {
            "s" => buffer("s", Elem::F32, &[batch()], role),
            _ => buffer("kept", Elem::F32, &[batch(), ("j", len("cache"))], role),
        }
    };
    let tokens = |axes: &[(&str, Dim)]| buffer("tokens", Elem::I32, axes, role_in("tokens"));
    let first = vec![
        tokens(&[batch(), ("t", len("t"))]),
        w(),
        out(),
        state("s", true),
        state("kept", true),
    ];
    let next = vec![
        tokens(&[batch()]),
        buffer("pos", Elem::F32, &[], role_in("pos")),
        w(),
        state("s", false),
        state("kept", false),
        out(),
        state("s", true),
        state("kept", true),
    ];
    let kernels: Rc<dyn seqc_device::Kernels> =
        Rc::new(BTreeMap::<&'static str, KernelFn>::from([
            ("prefill", prefill as KernelFn),
            ("step", step as KernelFn),
        ]));
    let program =
        |plan: Plan| Program::new(plan, kernels.clone()).unwrap_or_else(|e| panic!("{e}"));
    Model {
        prefill: program(plan(
            "prefill",
            &["batch", "t", "cache"],
            &["t", "cache"],
            first,
        )),
        step: program(plan("step", &["batch", "cache"], &["cache"], next)),
        resume: None,
        input: "tokens".into(),
        output: "logits".into(),
    }
}

const W: [f32; V] = [0.5, -1.0, 2.0, 0.25];

fn generator() -> Generator {
    let mut g = Generator::new(model(), Pool::new(2)).unwrap_or_else(|e| panic!("{e}"));
    let w = g.store_mut().get_mut("w").expect("declared");
    assert_eq!(w.value(), [0.0; V], "nothing is drawn");
    w.value_mut().copy_from_slice(&W);
    g
}

/// The model's formula over all tokens at once.
fn whole(tokens: &[i32]) -> Vec<f32> {
    let s = tokens.iter().fold(0.0, |s, &x| s / 2.0 + x as f32);
    let mut out = vec![0.0; V];
    logits(&mut out, &W, s, tokens[0] as f32, tokens.len() as f32);
    out
}

#[test]
fn prefill_and_steps_are_the_whole() {
    let text = [3, 1, 0, 2, 2, 1];
    let mut g = generator();
    for prompt in 1..text.len() {
        let mut going = g
            .start(&text[..prompt], text.len() - prompt)
            .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(going.logits(), whole(&text[..prompt]));
        for n in prompt..text.len() {
            going.push(text[n]).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(going.logits(), whole(&text[..n + 1]), "{prompt} and {n}");
            assert_eq!(going.len(), n + 1);
        }
        let full = going.push(0).expect_err("full");
        assert_eq!(full.0, "there is room for 6 tokens only");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let mut g = generator();
    let mut error = |prompt: &[i32], new| g.start(prompt, new).err().expect("refused").0;
    assert!(error(&[], 3).contains("at least one token"));
    assert_eq!(
        error(&[0, 4, 1], 1),
        "token 1 of the prompt is 4, the model knows 4 tokens"
    );
    assert!(error(&[-1], 1).contains("is -1"));
    assert!(error(&[0], MAX_LENGTH).contains("too many"));
    assert!(error(&[0], usize::MAX).contains("too many"));
    let mut going = g.start(&[0], 2).unwrap_or_else(|e| panic!("{e}"));
    assert!(going.push(9).is_err() && going.push(-1).is_err());
    assert_eq!(going.len(), 1, "a refused token is not part of the text");
}

#[test]
fn plans_that_do_not_belong_together_are_refused() {
    let mut m = model();
    m.output = "other".into();
    let error = Generator::new(m, Pool::new(1)).err().expect("refused").0;
    assert_eq!(error, "plan `step` has no output `other`");
    let mut m = model();
    let mut plan = (*m.prefill.plan).clone();
    plan.buffers[4].role = Role::StateOut {
        name: "else".into(),
    };
    m.prefill = Program::new(plan, m.prefill.kernels.clone()).unwrap_or_else(|e| panic!("{e}"));
    let mut g = Generator::new(m, Pool::new(1)).unwrap_or_else(|e| panic!("{e}"));
    let error = g.start(&[1], 1).err().expect("refused").0;
    assert!(error.contains("`kept`"), "{error}");
    let mut m = model();
    let mut plan = (*m.prefill.plan).clone();
    plan.buffers[4].axes.reverse();
    m.prefill = Program::new(plan, m.prefill.kernels.clone()).unwrap_or_else(|e| panic!("{e}"));
    let error = Generator::new(m, Pool::new(1)).err().expect("refused").0;
    assert_eq!(
        error,
        "plan `prefill` has the state `kept` with the axes j, batch, `step` with batch, j"
    );
}
