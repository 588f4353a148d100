//! Checks shared by the gradient tests: a program's `vjp` against central differences, and against `jvp` by
//! `⟨g, J v⟩ = ⟨Jᵀ g, v⟩`. Both evaluate the program itself with the interpreter; neither trusts a rule.
#![allow(dead_code)]

use seqc_algebra::*;
use seqc_derive::grad;
use std::collections::HashMap;

pub type Sizes = HashMap<Sym, usize>;

/// A small generator of repeatable numbers.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// Uniform in (-1, 1), away from 0 so that kinks are not met by chance.
    pub fn signed(&mut self) -> f64 {
        let x = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        let y = 0.1 + 0.9 * x;
        if self.next() & 1 == 0 { y } else { -y }
    }
}

pub fn tensor(ty: &Ty, sizes: &Sizes, rng: &mut Rng) -> Tensor {
    let shape: Vec<usize> = ty
        .axes
        .iter()
        .map(|a| interp::length(*a, sizes).unwrap())
        .collect();
    let n = shape.iter().product();
    let data = match ty.elem {
        Elem::Complex => Data::Complex(
            (0..n)
                .map(|_| C64::new(rng.signed(), rng.signed()))
                .collect(),
        ),
        _ => Data::Real((0..n).map(|_| rng.signed()).collect()),
    };
    Tensor::new(ty.axes.clone(), shape, data).unwrap()
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    let b = b.ordered(&a.axes).unwrap();
    match (&a.data, &b.data) {
        (Data::Real(a), Data::Real(b)) => a.iter().zip(b).map(|(x, y)| x * y).sum(),
        (Data::Complex(a), Data::Complex(b)) => a
            .iter()
            .zip(b)
            .map(|(x, y)| x.re * y.re + x.im * y.im)
            .sum(),
        _ => panic!("kinds differ"),
    }
}

fn axpy(x: &Tensor, h: f64, d: &Tensor) -> Tensor {
    let d = d.ordered(&x.axes).unwrap();
    let data = match (&x.data, &d.data) {
        (Data::Real(x), Data::Real(d)) => {
            Data::Real(x.iter().zip(d).map(|(x, d)| x + h * d).collect())
        }
        (Data::Complex(x), Data::Complex(d)) => {
            Data::Complex(x.iter().zip(d).map(|(x, d)| *x + d.scale(h)).collect())
        }
        _ => panic!("kinds differ"),
    };
    Tensor {
        axes: x.axes.clone(),
        shape: x.shape.clone(),
        data,
    }
}

pub fn run_named(
    func: &Func,
    inputs: &HashMap<String, Tensor>,
    sizes: &Sizes,
) -> HashMap<String, Tensor> {
    match run(func, inputs, sizes) {
        Ok(r) => r.into_iter().collect(),
        Err(e) => panic!("{e}\n{func}"),
    }
}

pub fn well_formed(func: &Func) {
    if let Err(e) = verify(func) {
        panic!("{e}\n{func}");
    }
    let text = func.to_string();
    match parse(&text) {
        Ok(back) => assert!(
            back == *func,
            "the listing reads back differently:\n{text}\n{back}"
        ),
        Err(e) => panic!("{e}\n{text}"),
    }
}

fn name(func: &Func, v: ValueId) -> String {
    func.input(v).unwrap().name.to_string()
}

fn smooth_inputs(func: &Func) -> Vec<ValueId> {
    func.params
        .iter()
        .copied()
        .filter(|p| func.ty(*p).elem != Elem::Int)
        .collect()
}

/// What the dual check found, for the check by differences.
pub struct Duals {
    cotangents: HashMap<String, Tensor>,
    tangents: HashMap<String, Tensor>,
    gradients: HashMap<String, Tensor>,
    back: Func,
}

/// `⟨g, J v⟩ = ⟨Jᵀ g, v⟩` over the real and complex inputs, the values unchanged, all programs well formed.
pub fn check_duals(
    func: &Func,
    inputs: &HashMap<String, Tensor>,
    sizes: &Sizes,
    rng: &mut Rng,
) -> Duals {
    well_formed(func);
    let wrt = smooth_inputs(func);
    let outs: Vec<&str> = func.results.iter().map(|(n, _)| n.as_str()).collect();
    let back = grad::vjp(func, &wrt, &outs).unwrap_or_else(|e| panic!("{e}\n{func}"));
    let fwd = grad::jvp(func, &wrt).unwrap_or_else(|e| panic!("{e}\n{func}"));
    well_formed(&back);
    well_formed(&fwd);
    let mut given = inputs.clone();
    let (mut cot, mut tan) = (HashMap::new(), HashMap::new());
    for (n, v) in &func.results {
        cot.insert(n.clone(), tensor(func.ty(*v), sizes, rng));
        given.insert(format!("cotangent.{n}"), cot[n].clone());
    }
    for v in &wrt {
        let t = tensor(func.ty(*v), sizes, rng);
        given.insert(format!("tangent.{}", name(func, *v)), t.clone());
        tan.insert(name(func, *v), t);
    }
    let plain = run_named(func, inputs, sizes);
    let (b, f) = (
        run_named(&back, &given, sizes),
        run_named(&fwd, &given, sizes),
    );
    for (n, y) in &plain {
        for other in [&b[n], &f[n]] {
            let diff = axpy(y, -1.0, other);
            assert!(
                dot(&diff, &diff).sqrt() <= 1e-9 * (1.0 + dot(y, y).sqrt()),
                "value of {n} changed\n{func}\n{back}"
            );
        }
    }
    let terms = |pairs: Vec<f64>| {
        (
            pairs.iter().sum::<f64>(),
            pairs.iter().map(|x| x.abs()).sum::<f64>(),
        )
    };
    let (left, size) = terms(
        cot.iter()
            .map(|(n, g)| dot(g, &f[&format!("tangent.{n}")]))
            .collect(),
    );
    let (right, size2) = terms(
        tan.iter()
            .map(|(n, t)| dot(t, &b[&format!("grad.{n}")]))
            .collect(),
    );
    let scale = 1.0 + size.max(size2);
    assert!(
        (left - right).abs() <= 1e-8 * scale,
        "forward {left}, reverse {right}\n{func}\n{back}\n{fwd}"
    );
    Duals {
        cotangents: cot,
        tangents: tan,
        gradients: b,
        back,
    }
}

/// Both checks, at given inputs.
pub fn check_at(func: &Func, inputs: &HashMap<String, Tensor>, sizes: &Sizes, rng: &mut Rng) {
    let duals = check_duals(func, inputs, sizes, rng);
    let back = &duals.back;
    // The directional derivative by differences, one input at a time.
    for (n, t) in &duals.tangents {
        let at = |h: f64| {
            let mut moved = inputs.clone();
            moved.insert(n.clone(), axpy(&inputs[n], h, t));
            let y = run_named(func, &moved, sizes);
            duals
                .cotangents
                .iter()
                .map(|(n, g)| dot(g, &y[n]))
                .sum::<f64>()
        };
        let h = 1e-4;
        // Fourth order.
        let numeric = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
        let grad = &duals.gradients[&format!("grad.{n}")];
        let exact = dot(t, grad);
        let scale = 1.0 + numeric.abs() + grad.data.len() as f64 * 0.01;
        assert!(
            (numeric - exact).abs() <= 2e-6 * scale,
            "{n}: differences {numeric}, gradient {exact}\n{func}\n{back}"
        );
    }
}

/// Draws inputs and checks.
pub fn check(func: &Func, sizes: &[(&str, usize)], seed: u64) {
    let sizes: Sizes = sizes.iter().map(|(n, s)| (Sym::new(n), *s)).collect();
    let mut rng = Rng(seed);
    let inputs = draw(func, &sizes, &mut rng);
    check_at(func, &inputs, &sizes, &mut rng);
}

/// Inputs for a program.
pub fn draw(func: &Func, sizes: &Sizes, rng: &mut Rng) -> HashMap<String, Tensor> {
    func.params
        .iter()
        .map(|p| (name(func, *p), tensor(func.ty(*p), sizes, rng)))
        .collect()
}

/// A program of one expression over data inputs `x0, x1, …` of the given types.
pub fn program(types: &[Ty], build: impl FnOnce(&mut Builder, &[ValueId]) -> ValueId) -> Func {
    let mut b = Builder::new("f");
    let ids: Vec<ValueId> = types
        .iter()
        .enumerate()
        .map(|(k, t)| b.input(&format!("x{k}"), InputKind::Data, t.clone()))
        .collect();
    let y = build(&mut b, &ids);
    b.result("y", y);
    b.finish()
}
