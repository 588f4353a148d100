//! Elementary functions against f64: every exponent, both signs, dense samples where they bend, special values.

mod common;
use common::*;
use seqc_schedule::ir::*;

/// y[i] = f(x[i], z[i]) in vectors of eight with a scalar rest.
fn map(name: &str, f: Expr) -> Kernel {
    Kernel {
        name: name.into(),
        args: vec![
            arg("x", Access::Read),
            arg("z", Access::Read),
            arg("y", Access::Write),
        ],
        dims: vec!["n".into()],
        grid: vec![],
        locals: vec![],
        body: vec![each(
            LoopKind::Vec(8),
            0,
            c(0),
            d(0),
            vec![st(A(2), v(0), f)],
        )],
    }
}

fn samples() -> Vec<f32> {
    let mut x: Vec<f32> = (0..=65535u32)
        .map(|i| f32::from_bits(i.wrapping_mul(65537)))
        .collect();
    x.extend((-60000..=60000).map(|i| i as f32 * 2e-4));
    x.extend((-60000..=60000).map(|i| i as f32 * 2e-3));
    x.extend([
        0.0,
        -0.0,
        1.0,
        -1.0,
        2.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::MIN_POSITIVE,
        f32::MAX,
    ]);
    x
}

/// The largest relative error, with the argument it was seen at. Panics on a wrong special value.
fn worst(
    name: &str,
    x: &[f32],
    z: &[f32],
    got: &[f32],
    f: impl Fn(f64, f64) -> f64,
    floor: f64,
) -> (f64, f32, f32) {
    let mut worst = (0.0, 0.0, 0.0);
    for i in 0..x.len() {
        let want = f(f64::from(x[i]), f64::from(z[i]));
        let (g, w32) = (got[i], want as f32);
        if w32.is_nan() || w32.is_infinite() {
            let near = want.is_finite() && f64::from(g.abs()) > 3.4028e38;
            assert!(
                g.to_bits() == w32.to_bits() || (g.is_nan() && w32.is_nan()) || near,
                "{name}({}, {}): {g}, not {w32}",
                x[i],
                z[i]
            );
            continue;
        }
        // Half an ulp of the largest finite number may round to infinity.
        if g.is_infinite() && want.abs() > 3.40282e38 {
            continue;
        }
        let error = (f64::from(g) - want).abs() / want.abs().max(floor);
        if error > worst.0 || error.is_nan() {
            worst = (error, x[i], z[i]);
        }
    }
    worst
}

/// The series e^{-x²}·Σ 2ⁿ x^{2n+1}/(2n+1)!!, all terms of one sign.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-18 * sum.abs() {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    if x.is_nan() {
        x
    } else {
        2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp() * sum
    }
}

type Reference = fn(f64, f64) -> f64;

#[test]
fn unary_functions() {
    let cases: [(&str, Unary, Reference, f64); 12] = [
        ("exp", Unary::Exp, |x, _| x.exp(), 1.2e-38),
        ("expm1", Unary::Expm1, |x, _| x.exp_m1(), 1.2e-38),
        ("log", Unary::Log, |x, _| x.ln(), 1.2e-38),
        ("log1p", Unary::Log1p, |x, _| x.ln_1p(), 1.2e-38),
        ("tanh", Unary::Tanh, |x, _| x.tanh(), 1.2e-38),
        ("erf", Unary::Erf, |x, _| erf(x), 1.2e-38),
        ("sin", Unary::Sin, |x, _| x.sin(), 1.2e-38),
        ("cos", Unary::Cos, |x, _| x.cos(), 1.2e-38),
        ("sqrt", Unary::Sqrt, |x, _| x.sqrt(), 1.2e-38),
        ("floor", Unary::Floor, |x, _| x.floor(), 1.2e-38),
        (
            "sign",
            Unary::Sign,
            |x, _| {
                if x == 0.0 || x.is_nan() {
                    x
                } else {
                    x.signum()
                }
            },
            1.2e-38,
        ),
        ("abs", Unary::Abs, |x, _| x.abs(), 1.2e-38),
    ];
    let kernels: Vec<Kernel> = cases
        .iter()
        .map(|(n, op, _, _)| map(n, un(*op, ld(A(0), v(0)))))
        .collect();
    let loaded = load(&kernels);
    let all = samples();
    for (kernel, (name, _, f, floor)) in kernels.iter().zip(cases) {
        // Angles are reduced below 2^40.
        let trig = matches!(name, "sin" | "cos");
        let x: Vec<f32> = all
            .iter()
            .copied()
            .filter(|x| !(trig && x.abs() > 1e12 && x.is_finite()))
            .collect();
        let mut data = [
            Data::F(x.clone()),
            Data::F(x.clone()),
            Data::F(vec![0.0; x.len()]),
        ];
        loaded.run(kernel, &mut data, &[x.len() as i64], 0, 1);
        let w = worst(name, &x, &x, data[2].f(), f, floor);
        println!("{name}: {:.2e} at {:e}", w.0, w.1);
        assert!(
            w.0 < 2.2e-7,
            "{name}: relative error {:e} at {:e}",
            w.0,
            w.1
        );
    }
}

#[test]
fn powers() {
    let kernel = map("pow", bin(Binary::Pow, ld(A(0), v(0)), ld(A(1), v(0))));
    let special = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        2.0,
        -2.0,
        3.0,
        -3.0,
        0.5,
        -0.5,
        1.5,
        1e-30,
        1e30,
        -1e30,
        0.001,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        7.0,
        -8.0,
        0.9999,
        1.0001,
        20000.0,
        1e-42,
    ];
    let (mut x, mut z) = (vec![], vec![]);
    for a in special {
        for b in special {
            x.push(a);
            z.push(b);
        }
    }
    let (p, q) = (noise(100_000, 3), noise(100_000, 4));
    for i in 0..p.len() {
        x.push(p[i].abs() * 10f32.powf(10.0 * p[p.len() - 1 - i]));
        z.push(q[i] * 12.0);
    }
    let mut data = [
        Data::F(x.clone()),
        Data::F(z.clone()),
        Data::F(vec![0.0; x.len()]),
    ];
    run(&kernel, &mut data, &[x.len() as i64], 1);
    // The sign of a zero or infinity from a negative zero may be lost.
    let signless = |x: f64| if x == 0.0 { 0.0 } else { x };
    let w = worst(
        "pow",
        &x,
        &z,
        data[2].f(),
        |a, b| signless(a).powf(b),
        1.2e-38,
    );
    println!("pow: {:.2e} at {:e} ^ {:e}", w.0, w.1, w.2);
    assert!(
        w.0 < 2e-7,
        "pow: relative error {:e} at {:e} ^ {:e}",
        w.0,
        w.1,
        w.2
    );
}
