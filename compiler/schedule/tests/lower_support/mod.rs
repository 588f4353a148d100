//! Holds lowered programs to the algebra interpreter: random inputs, several lengths, f64 kernels, both orders of
//! independent iterations.
#![allow(dead_code)]

use seqc_algebra::{Axis, Elem, Func, Input, InputKind, Op, Sym, Tensor, Ty, ValueId, interp};
use seqc_schedule::interp::{Options as Run, bf16, of_bf16};
use seqc_schedule::lower::{Lowered, Options, lower};
use seqc_schedule::narrow::narrow;
use seqc_schedule::run_plan::run_plan;
use seqc_schedule::verify;
use std::collections::{BTreeMap, HashMap};

pub struct Rng(pub u64);

impl Rng {
    pub fn bits(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }

    pub fn signed(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// Integers, and positions `pos`, are drawn below 5.
pub fn inputs(func: &Func, sizes: &HashMap<Sym, usize>, seed: u64) -> HashMap<String, Tensor> {
    let mut rng = Rng(seed);
    let mut all = HashMap::new();
    for p in &func.params {
        let Op::Input(Input { name, .. }) = func.op(*p) else {
            continue;
        };
        let ty = func.ty(*p);
        let shape: Vec<usize> = ty
            .axes
            .iter()
            .map(|a| interp::length(*a, sizes).unwrap())
            .collect();
        let n = shape.iter().product();
        let data = (0..n)
            .map(|_| {
                if ty.elem == Elem::Int || name.as_str() == "pos" {
                    rng.below(5) as f64
                } else {
                    rng.signed()
                }
            })
            .collect();
        all.insert(
            name.to_string(),
            Tensor::real(ty.axes.clone(), shape, data).unwrap(),
        );
    }
    all
}

pub fn all_options() -> Vec<Options> {
    vec![
        Options {
            lanes: 8,
            ..Options::default()
        },
        Options {
            lanes: 4,
            reference: true,
            ..Options::default()
        },
    ]
}

pub fn listing(l: &Lowered) -> String {
    let kernels: Vec<String> = l.kernels.iter().map(|k| k.to_string()).collect();
    format!("{}\n{:#?}", kernels.join("\n"), l.plan.launches)
}

/// Every result of every lowering equals the interpreter's, at these lengths.
pub fn check(func: &Func, lengths: &[&[(&str, usize)]]) {
    for options in all_options() {
        let lowered = lower(func, &options).unwrap_or_else(|e| panic!("{options:?}: {e}"));
        for k in &lowered.kernels {
            if let Err(faults) = verify::verify(k) {
                panic!("{options:?}: {}\n{k}", faults[0]);
            }
        }
        for (n, sizes) in lengths.iter().enumerate() {
            compare(func, &lowered, sizes, 7 + n as u64, options.reference);
        }
        let narrowed = narrow(lowered, options.lanes);
        for k in &narrowed.kernels {
            if let Err(faults) = verify::verify(k) {
                panic!("{options:?}, in bf16: {}\n{k}", faults[0]);
            }
        }
        in_bf16(func, &narrowed, lengths[lengths.len() / 2]);
    }
}

/// In bf16 memory: from numbers that it holds, results within one rounding.
fn in_bf16(func: &Func, narrowed: &Lowered, sizes: &[(&str, usize)]) {
    let lens: HashMap<Sym, usize> = sizes.iter().map(|(n, k)| (Sym::new(n), *k)).collect();
    let round = |x: f64| of_bf16(bf16(x));
    let mut given = inputs(func, &lens, 3);
    for t in given.values_mut() {
        let data = t.as_real().unwrap().iter().map(|x| round(*x)).collect();
        *t = Tensor::real(t.axes.clone(), t.shape.clone(), data).unwrap();
    }
    let want = interp::run(func, &given, &lens).unwrap();
    let given = given
        .into_iter()
        .map(|(n, t)| (n, t.as_real().unwrap().to_vec()));
    let abi = sizes
        .iter()
        .map(|(n, k)| (n.to_string(), *k as u64))
        .collect();
    let (plan, kernels) = (&narrowed.plan, &narrowed.kernels);
    let got = run_plan(plan, kernels, &abi, &given.collect(), Run::default()).unwrap();
    for (name, t) in want {
        let (_, values) = got.iter().find(|(n, _)| *n == name).unwrap();
        for (x, y) in values.iter().zip(t.as_real().unwrap()) {
            let close =
                (x - y).abs() <= y.abs() / 256.0 + 1e-9 || x == y || x.is_nan() && y.is_nan();
            assert!(
                close,
                "{sizes:?}, in bf16: `{name}` is {x}, not {y}\n{}",
                listing(narrowed)
            );
        }
    }
}

pub fn compare(
    func: &Func,
    lowered: &Lowered,
    sizes: &[(&str, usize)],
    seed: u64,
    backwards: bool,
) {
    let lens: HashMap<Sym, usize> = sizes.iter().map(|(n, k)| (Sym::new(n), *k)).collect();
    let given = inputs(func, &lens, seed);
    let want = interp::run(func, &given, &lens).unwrap();
    let given: HashMap<String, Vec<f64>> = given
        .into_iter()
        .map(|(n, t)| (n, t.as_real().unwrap().to_vec()))
        .collect();
    let abi: BTreeMap<String, u64> = sizes
        .iter()
        .map(|(n, k)| (n.to_string(), *k as u64))
        .collect();
    let run = Run {
        backwards,
        ..Run::default()
    };
    let got = run_plan(&lowered.plan, &lowered.kernels, &abi, &given, run)
        .unwrap_or_else(|e| panic!("{sizes:?}: {e}\n{}", listing(lowered)));
    for (name, t) in want {
        let (_, values) = got
            .iter()
            .find(|(n, _)| *n == name)
            .unwrap_or_else(|| panic!("no result `{name}`"));
        let want = t.as_real().unwrap();
        assert_eq!(values.len(), want.len(), "`{name}`");
        for (i, (x, y)) in values.iter().zip(want).enumerate() {
            let close =
                x == y || (x - y).abs() <= 1e-9 * (1.0 + y.abs()) || x.is_nan() && y.is_nan();
            assert!(
                close,
                "{sizes:?}: `{name}`[{i}] is {x}, not {y}\n{}",
                listing(lowered)
            );
        }
    }
}

pub fn data(b: &mut seqc_algebra::Builder, name: &str, axes: &[Axis]) -> ValueId {
    b.input(name, InputKind::Data, Ty::real(axes))
}

pub fn tokens(b: &mut seqc_algebra::Builder, name: &str, axes: &[Axis]) -> ValueId {
    b.input(
        name,
        InputKind::Data,
        Ty {
            elem: Elem::Int,
            axes: axes.to_vec(),
        },
    )
}
