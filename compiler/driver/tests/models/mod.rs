//! The example models at small sizes, inputs for them, and what the f64 interpreter says of them.
#![allow(dead_code)]

#[path = "../support/draw.rs"]
mod draw;

use draw::draw;
use seqc_abi::{Buffer, Plan, Role, Sizes};
use seqc_algebra::interp::{Rounding, run, run_rounded};
use seqc_algebra::tensor::Tensor;
use seqc_algebra::{Elem, Func, InputKind, Op, Sym, ValueId};
use seqc_driver::build::{derived, lowered};
use seqc_driver::frontend::{self, Source};
use seqc_driver::passes::Form;
use seqc_hir::Elaborated;
use seqc_schedule::lower::Lowered;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A file of the repository.
pub fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// A mixer or model with its settings.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    pub file: &'static str,
    pub name: &'static str,
    pub set: &'static [(&'static str, &'static str)],
}

const fn model(
    file: &'static str,
    name: &'static str,
    set: &'static [(&'static str, &'static str)],
) -> Item {
    Item { file, name, set }
}

const SMALL: &[(&str, &str)] = &[("vocab", "16"), ("d", "16"), ("layers", "1")];

/// The example models.
pub const MODELS: [Item; 6] = [
    model("examples/attention.seq", "attention_lm", SMALL),
    model("examples/gla.seq", "gla_lm", SMALL),
    model("examples/mamba2.seq", "mamba2_lm", SMALL),
    model("examples/hyena.seq", "hyena_lm", SMALL),
    model("examples/lstm.seq", "lstm_lm", SMALL),
    model(
        "examples/hybrid.seq",
        "hybrid_lm",
        &[("vocab", "16"), ("d", "16"), ("layers", "2")],
    ),
];

/// Mixers with coarser clocks and with an axis as their time.
pub const RATES: [Item; 3] = [
    model(
        "stdlib/matrices.seq",
        "monarch",
        &[("d", "4"), ("b", "2"), ("p", "3")],
    ),
    model(
        "stdlib/multirate.seq",
        "sashimi_level",
        &[("d", "8"), ("pool", "3")],
    ),
    model("stdlib/multirate.seq", "scan2d", &[("d", "8"), ("w", "3")]),
];

/// The mixers of the example models by themselves, small enough for their stages to be read.
pub const MIXERS: [Item; 5] = [
    model(
        "stdlib/attention.seq",
        "attention",
        &[("d", "8"), ("g", "2"), ("r", "1")],
    ),
    model(
        "stdlib/linear_attention.seq",
        "gla",
        &[("d", "8"), ("h", "2"), ("low", "4")],
    ),
    model(
        "stdlib/ssm.seq",
        "mamba2",
        &[("d", "8"), ("p", "4"), ("n", "4")],
    ),
    model(
        "stdlib/conv.seq",
        "hyena",
        &[("d", "8"), ("m", "4"), ("bands", "2"), ("span", "16")],
    ),
    model("stdlib/rnn.seq", "lstm", &[("d", "8"), ("h", "2")]),
];

impl Item {
    pub fn settings(&self) -> Vec<(String, String)> {
        let owned = |(k, v): &(&str, &str)| (k.to_string(), v.to_string());
        self.set.iter().map(owned).collect()
    }

    pub fn source(&self) -> Source {
        frontend::open(&file(self.file)).unwrap_or_else(|e| panic!("{e}"))
    }

    pub fn elaborated(&self) -> Elaborated {
        let e = self.source().elaborate(self.name, &self.settings());
        e.unwrap_or_else(|e| panic!("{e}"))
    }
}

/// A program in a form, with its plan: what the compiler makes of it.
pub fn compiled(e: &Elaborated, form: Form, grad: bool, lanes: u32) -> Lowered {
    let shapes = seqc_driver::passes::Shapes::cpu();
    let f = derived(e, form, grad, &shapes, &mut vec![]).unwrap_or_else(|e| panic!("{e}"));
    let low = lowered(&f, lanes).unwrap_or_else(|why| panic!("{}: {why}", e.name));
    seqc_schedule::verify::verify_all(&low.kernels).unwrap_or_else(|why| panic!("{why}"));
    low
}

/// What the program means: as written, or differentiated as written, with no law applied.
pub fn definition(e: &Elaborated, grad: bool) -> Func {
    if !grad {
        return e.func.clone();
    }
    if e.func.result("loss").is_none() {
        let smooth = |p: &ValueId| e.func.ty(*p).elem != seqc_algebra::Elem::Int;
        let wrt: Vec<ValueId> = e.func.params.iter().copied().filter(smooth).collect();
        let outs: Vec<&str> = e.outputs.iter().map(String::as_str).collect();
        return seqc_derive::grad::vjp(&e.func, &wrt, &outs)
            .unwrap_or_else(|why| panic!("{}: {why}", e.name));
    }
    let is_param = |p: &ValueId| {
        matches!(
            e.func.input(*p).map(|i| &i.kind),
            Some(InputKind::Param { .. })
        )
    };
    let params: Vec<ValueId> = e.func.params.iter().copied().filter(is_param).collect();
    seqc_derive::grad::value_and_grad(&e.func, "loss", &params)
        .unwrap_or_else(|why| panic!("{}: {why}", e.name))
}

/// Values for every buffer that a caller fills, by name: parameters near their starts, tokens below 16, all of them
/// numbers that f32 holds exactly.
pub fn values(plan: &Plan, sizes: &Sizes) -> HashMap<String, Vec<f64>> {
    let mut all = HashMap::new();
    for b in &plan.buffers {
        let shape = shape(b, sizes);
        let n: usize = shape.iter().product();
        let data: Vec<f64> = match &b.role {
            Role::Input { name } if b.elem == seqc_abi::Elem::I32 => (0..n)
                .map(|k| ((draw(name, k) + 1.0) * 8.0).floor())
                .collect(),
            Role::Input { name } => (0..n).map(|k| 0.5 * draw(name, k)).collect(),
            Role::Param { path, init, .. } => {
                let key = seqc_device::key_of(7, path);
                let start = seqc_device::draw(init, &shape, key, 0).unwrap();
                let near = |(k, x): (usize, &f32)| f64::from(*x) + 0.1 * draw(path, k);
                start.iter().enumerate().map(near).collect()
            }
            _ => continue,
        };
        let exact = data.iter().map(|x| f64::from(*x as f32)).collect();
        all.insert(name_of(b), exact);
    }
    all
}

fn name_of(b: &Buffer) -> String {
    match &b.role {
        Role::Input { name } | Role::Output { name } => name.clone(),
        Role::Param { path, .. } => path.clone(),
        Role::Grad { path } => format!("grad.{path}"),
        Role::StateOut { name } => format!("state.{name}"),
        _ => b.name.clone(),
    }
}

pub fn shape(b: &Buffer, sizes: &Sizes) -> Vec<usize> {
    b.shape
        .iter()
        .map(|d| d.eval(sizes).unwrap() as usize)
        .collect()
}

pub fn sizes(t: usize) -> Sizes {
    Sizes::from([("batch".into(), 2), ("t".into(), t as u64)])
}

/// A result by the interpreter: its name, its elements laid out as the plan's buffer of that name, and how far (in
/// relative RMS) it moves at most when each operation of the interpreter is rounded once to f32.
pub type True = (String, Vec<f64>, f64);

/// The results of a program by the interpreter.
pub fn truth(
    func: &Func,
    plan: &Plan,
    sizes: &Sizes,
    values: &HashMap<String, Vec<f64>>,
) -> Vec<True> {
    let lengths: HashMap<Sym, usize> = sizes
        .iter()
        .map(|(n, v)| (Sym::new(n), *v as usize))
        .collect();
    let mut given = HashMap::new();
    for p in &func.params {
        let (Op::Input(input), ty) = (func.op(*p), func.ty(*p)) else {
            continue;
        };
        let name = input.name.as_str();
        let b = plan.buffers.iter().find(|b| name_of(b) == name);
        let b = b.unwrap_or_else(|| panic!("the plan has no `{name}`"));
        let axes = b.axes.iter().map(|n| {
            let is = |a: &&seqc_algebra::Axis| a.name.as_str() == n;
            *ty.axes.iter().find(is).unwrap()
        });
        assert_ne!(ty.elem, Elem::Complex, "`{name}` is laid out in parts");
        let t = Tensor::real(axes.collect(), shape(b, sizes), values[name].clone()).unwrap();
        given.insert(name.to_owned(), t.ordered(&ty.axes).unwrap().into_owned());
    }
    let results = run(func, &given, &lengths).unwrap_or_else(|e| panic!("{e}"));
    let rounding = |draw| Rounding {
        unit: Rounding::F32,
        draw,
    };
    let draw =
        |n| run_rounded(func, &given, &lengths, rounding(n)).unwrap_or_else(|e| panic!("{e}"));
    let rounded: Vec<_> = (0..4).map(draw).collect();
    let laid = |(name, t): (String, Tensor)| {
        let b = plan.buffers.iter().find(|b| {
            name_of(b) == name
                && matches!(
                    b.role,
                    Role::Output { .. } | Role::Grad { .. } | Role::StateOut { .. }
                )
        });
        let b = b.unwrap_or_else(|| panic!("the plan has no result `{name}`"));
        let axes: Vec<seqc_algebra::Axis> = b
            .axes
            .iter()
            .map(|n| *t.axes.iter().find(|a| a.name.as_str() == n).unwrap())
            .collect();
        let data = t.ordered(&axes).unwrap().as_real().unwrap().to_vec();
        (name, data)
    };
    let one = |(k, exact): (usize, (String, Tensor))| {
        let (name, data) = laid(exact);
        let near = rounded.iter().map(|r| laid(r[k].clone()).1);
        let far = near.map(|n| distance(&n, &data)).fold(0.0, f64::max);
        let moved = far / norm(&data).max(f64::MIN_POSITIVE);
        (name, data, moved)
    };
    results.into_iter().enumerate().map(one).collect()
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn distance(x: &[f64], y: &[f64]) -> f64 {
    let square = |(a, b): (&f64, &f64)| (a - b) * (a - b);
    x.iter().zip(y).map(square).sum::<f64>().sqrt()
}

/// The bound of the design: relative RMS 2e-6·√T, at most 1e-4. Where rounding each operation of the definition moves
/// a result by more than a quarter of that (cancellation), four times the movement is allowed, as `seqc verify` does.
pub fn agree(what: &str, t: usize, got: &[(String, Vec<f64>)], want: &[True]) {
    for (name, w, moved) in want {
        let bound = (2e-6 * (t as f64).sqrt()).min(1e-4).max(4.0 * moved);
        let (_, g) = got
            .iter()
            .find(|(n, _)| n == name)
            .unwrap_or_else(|| panic!("{what}: no result `{name}`"));
        assert_eq!(g.len(), w.len(), "{what}, T={t}: `{name}`");
        let (norm, diff) = (norm(w), distance(g, w));
        // NaN compares false.
        let good = diff <= bound * norm || diff <= 1e-12;
        assert!(
            good,
            "{what}, T={t}: `{name}` is {:.3e} off, {bound:.1e} is allowed",
            diff / norm
        );
    }
}
