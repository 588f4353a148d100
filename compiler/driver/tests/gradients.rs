//! Gradients beside masks, poles, kinks and shut gates: every form on every engine, against values worked by hand. The mixers are
//! those of tests/faults/gradients.seq, and siblings of each kind that are made here.

use seqc_algebra::{Axis, Elem, Func, Tensor};
use seqc_driver::engine::{Engine, Named, Programs, Sizes};
use seqc_driver::frontend;
use seqc_driver::passes::{self, FORMS, Shapes};

const FILE: &str = include_str!("../../../tests/faults/gradients.seq");

/// What a result is to be, by step and entry.
type Right<'a> = (&'a str, Vec<f64>);

/// Inputs of one sequence; the cotangent of every output is 1.
fn given(func: &Func, inputs: &[(&str, Vec<f64>)], sizes: &Sizes) -> Named {
    let mut all = Named::new();
    for p in &func.params {
        let (name, ty) = (
            func.input(*p).expect("an input").name.to_string(),
            func.ty(*p),
        );
        assert_ne!(ty.elem, Elem::Complex);
        let size = |a: &Axis| a.size.constant().unwrap_or_else(|| sizes[&a.name]);
        let shape: Vec<usize> = ty.axes.iter().map(size).collect();
        let n = shape.iter().product();
        let data = inputs.iter().find(|(x, _)| *x == name);
        let data = data.map_or_else(|| vec![1.0; n], |(_, d)| d.clone());
        all.insert(
            name,
            Tensor::real(ty.axes.clone(), shape, data).expect("fits"),
        );
    }
    all
}

/// Runs a mixer's gradient program in each form on each engine, and compares.
fn hold(text: &str, mixer: &str, inputs: &[(&str, Vec<f64>)], right: &[Right]) {
    let source = frontend::of_text("m.seq", text).unwrap_or_else(|e| panic!("{text}{e}"));
    let e = source
        .elaborate(mixer, &[])
        .unwrap_or_else(|e| panic!("{text}{e}"));
    let out = e.outputs[0].as_str();
    let wrt: Vec<&str> = (right.iter())
        .filter_map(|(n, _)| n.strip_prefix("grad."))
        .collect();
    let steps = inputs[0].1.len();
    let sizes: Sizes = [(Axis::batch().name, 1), (Axis::time().name, steps)].into();
    let mut funcs = vec![];
    for form in FORMS {
        let made = passes::gradient(&e.func, form, &Shapes::cpu(), &wrt, &[out], &mut vec![]);
        let made = made.unwrap_or_else(|e| panic!("{text}{}: {e}", form.name()));
        funcs.push((form.name().to_owned(), made));
    }
    let given = given(&funcs[0].1, inputs, &sizes);
    for engine in Engine::all() {
        let programs =
            Programs::new(engine, funcs.clone(), 1).unwrap_or_else(|e| panic!("{text}{e}"));
        for (form, _) in &funcs {
            let made = programs
                .run(form, &given, &sizes)
                .unwrap_or_else(|e| panic!("{text}{e}"));
            for (name, want) in right {
                let (_, t) = made.iter().find(|(n, _)| n == name).expect("a result");
                let got = t.as_real().expect("real");
                let most = want.iter().fold(1f64, |m, x| m.max(x.abs()));
                let near = |(g, w): (&f64, &f64)| (g - w).abs() <= 2e-5 * most;
                let all = got.len() == want.len() && got.iter().zip(want).all(near);
                assert!(
                    all,
                    "{mixer}, {form} on {}: {name} = {got:?}, not {want:?}\n{text}",
                    engine.name()
                );
            }
        }
    }
}

fn of(items: &[(&'static str, &[f64])]) -> Vec<(&'static str, Vec<f64>)> {
    items.iter().map(|(n, x)| (*n, x.to_vec())).collect()
}

/// d/dx of 1 + x + x^2 + x^3 at 0; the logarithm's inverse far out; the kink; a row's maximum: all by hand, see the file.
#[test]
fn the_file() {
    hold(
        FILE,
        "polynomial",
        &of(&[("x", &[0.0, 0.0])]),
        &of(&[
            ("y", &[1.0, 1.0]),
            ("grad.x", &[1.0, 1.0]),
            ("grad.c", &[2.0, 0.0, 0.0, 0.0]),
        ]),
    );
    hold(
        FILE,
        "shut_gate",
        &of(&[("x", &[1.0, 1.0]), ("r", &[-100.0, -100.0]), ("L", &[0.0])]),
        &of(&[("grad.r", &[0.0, 0.0]), ("grad.L", &[0.0])]),
    );
    hold(
        FILE,
        "inverse_softplus_of_large",
        &of(&[("x", &[95.0, 88.0])]),
        &of(&[("y", &[95.0, 88.0]), ("grad.x", &[1.0, 1.0])]),
    );
    hold(
        FILE,
        "relu_at_zero",
        &of(&[("x", &[0.0, 1.0, -1.0])]),
        &of(&[("y", &[0.0, 1.0, 0.0]), ("grad.x", &[0.0, 1.0, 0.0])]),
    );
    hold(
        FILE,
        "max_of_normalised_rows",
        &of(&[("x", &[1.0])]),
        &of(&[("y", &[0.5]), ("grad.x", &[1.0])]),
    );
}

/// `Σ_{j<=i} q_i e^(c_i - c_j) q_j v_j` at c = 0, -50, -100 is v_i q_i² but for e^-50: the derivative by q is 2, by v 1, by c 0.
#[test]
fn factors_in_every_order() {
    let given = of(&[
        ("c", &[0.0, -50.0, -100.0]),
        ("v", &[1.0; 3]),
        ("q", &[1.0; 3]),
    ]);
    let right = of(&[
        ("o", &[1.0; 3]),
        ("grad.q", &[2.0; 3]),
        ("grad.v", &[1.0; 3]),
        ("grad.c", &[0.0; 3]),
    ]);
    hold(FILE, "exponential_in_the_middle", &given, &right);
    let (q, e, k) = ("q[i]", "exp(c[i] - c[j])", "q[j]");
    let mut bodies = vec![];
    for [a, b, c] in [
        [q, e, k],
        [q, k, e],
        [e, q, k],
        [e, k, q],
        [k, q, e],
        [k, e, q],
    ] {
        bodies.push(format!(
            "M[i,j] = {a} * {b} * {c}  where j <= i\n    o = sum[j](M[t,j] * v[j])"
        ));
        bodies.push(format!(
            "M[i,j] = select(j <= i, {a} * {b} * {c}, 0)\n    o = sum[j](M[t,j] * v[j])"
        ));
        bodies.push(format!(
            "M[i,j] = {a} * ({b} + 0 * v[j]) * {c}  where i >= j\n    o = sum[j](v[j] * M[t,j])"
        ));
    }
    bodies.push(
        "M[i,j] = q[i] / exp(c[j] - c[i]) * q[j]  where j <= i\n    o = sum[j](M[t,j] * v[j])"
            .into(),
    );
    bodies.push("M[i,j] = q[i] * 2.718281828459045 ^ (c[i] - c[j]) * q[j]  where j <= i\n    o = sum[j](M[t,j] * v[j])".into());
    for body in bodies {
        let text = format!(
            "seq 1\nmixer m(c: seq{{}}, v: seq{{}}, q: seq{{}}) -> o: seq{{}} {{\n    {body}\n}}\n"
        );
        hold(&text, "m", &given, &right);
    }
}

/// Where n is 0 it is left out: y = Σ_{j<=t, n_j>0} x_t x_j f(n_j), f(4) as named.
#[test]
fn poles_that_data_leave_out() {
    for (f, at) in [
        ("1 / n[j]", 0.25),
        ("log(n[j])", 4f64.ln()),
        ("n[j] ^ -0.5", 0.5),
        ("sqrt(n[j])", 2.0),
        ("exp(1 / n[j])", 0.25f64.exp()),
    ] {
        for body in [
            format!("x[i] * {f} * x[j]"),
            format!("{f} * x[j] * x[i]"),
            format!("x[i] * x[j] * {f}"),
        ] {
            let text = format!(
                "seq 1\nmixer m(x: seq{{}}, n: seq{{}}) -> o: seq{{}} {{\n    M[i,j] = {body}  where j <= i and n[j] > 0\n    o = sum[j](M[t,j])\n}}\n"
            );
            let given = of(&[("x", &[1.0; 3]), ("n", &[4.0, 0.0, 4.0])]);
            // By hand: rows have 1, 1 and 2 terms. x_0: 2 of its own row and 1 of each other; x_1: 1 of its row; x_2: its row's
            // 2 and once more.
            let right = of(&[
                ("o", &[at, at, 2.0 * at]),
                ("grad.x", &[4.0 * at, at, 3.0 * at]),
            ]);
            hold(&text, "m", &given, &right);
        }
    }
}

/// A recurrence that steps where n is above 0 only: S_t = S_{t-1} / 2 + x_t f(n_t) there. Where n is 0 the factor is a pole.
#[test]
fn poles_that_a_recurrence_leaves_out() {
    for (f, at) in [
        ("1 / n", 0.25),
        ("log(n)", 4f64.ln()),
        ("n ^ -0.5", 0.5),
        ("exp(1 / n)", 0.25f64.exp()),
    ] {
        for step in [
            format!("select(n > 0, S[t-1] / 2 + x * {f}, S[t-1])"),
            format!("select(n > 0, {f} * x + S[t-1] * 0.5, S[t-1])"),
            format!("select(n <= 0, 1, 0.5) * S[t-1] + select(n > 0, x * {f}, 0)"),
            format!("select(n > 0, S[t-1] * {f} / {at} / 2 + x * {f}, S[t-1])"),
        ] {
            let text = format!(
                "seq 1\nmixer m(x: seq{{}}, n: seq{{}}) -> o: seq{{}} {{\n    state S{{}}\n    S[t] = {step}\n    o = S\n}}\n"
            );
            let given = of(&[("x", &[1.0; 4]), ("n", &[4.0, 0.0, 0.0, 4.0])]);
            // By hand: S = a, a, a, 3a/2; x_0 counts 1 + 1 + 1 + 1/2, x_3 once.
            let right = of(&[
                ("o", &[at, at, at, 1.5 * at]),
                ("grad.x", &[3.5 * at, 0.0, 0.0, at]),
            ]);
            hold(&text, "m", &given, &right);
        }
    }
}

/// Rows of equal scores, more than a tile of them: each of the i + 1 entries has an equal share.
#[test]
fn ties_in_rows() {
    let n = 40;
    let shares: Vec<f64> = (0..n)
        .map(|j| (j..n).map(|i| 1.0 / (i + 1) as f64).sum())
        .collect();
    for body in [
        "q[i] * k[j]",
        "k[j] * q[i] / q[j]",
        "q[i] * exp(k[j] - k[i]) * k[j]",
    ] {
        let text = format!(
            "seq 1\nmixer m(q: seq{{}}, k: seq{{}}) -> o: seq{{}} {{\n    M[i,j] = {body}  where j <= i\n    o = max[j](M[t,j])\n}}\n"
        );
        let given = [("q", vec![1.0; n]), ("k", vec![1.0; n])];
        // By hand: the third is k_j e^(k_j - k_i), at 1 with derivatives 2 by k_j and -1 by k_i.
        let wanted = match body.contains("exp") {
            true => shares.iter().map(|s| 2.0 * s - 1.0).collect(),
            false => shares.clone(),
        };
        hold(&text, "m", &given, &[("grad.k", wanted)]);
    }
    // Scores that are sums over features: whatever way they are summed, a row's shares are 1 together.
    let d = 16;
    let text = format!(
        "seq 1\nmixer m(q: seq{{d}}, k: seq{{d}}; d = {d}) -> o: seq{{}} {{\n    M[i,j] = sum[d](q[i] * k[j])  where j <= i\n    o = max[j](M[t,j])\n}}\n"
    );
    let one: Vec<f64> = (0..d)
        .map(|k| f64::from((0.37 * (k as f64 + 1.0)).sin() as f32))
        .collect();
    let all: Vec<f64> = (0..n).flat_map(|_| one.clone()).collect();
    let source = frontend::of_text("m.seq", &text).expect("reads");
    let e = source.elaborate("m", &[]).expect("elaborates");
    let sizes: Sizes = [(Axis::batch().name, 1), (Axis::time().name, n)].into();
    for form in FORMS {
        let f = passes::gradient(&e.func, form, &Shapes::cpu(), &["q"], &["o"], &mut vec![])
            .expect("derives");
        let inputs = given(&f, &[("q", all.clone()), ("k", all.clone())], &sizes);
        for engine in Engine::all() {
            let p = Programs::new(engine, vec![("g".into(), f.clone())], 1).expect("compiles");
            let made = p.run("g", &inputs, &sizes).expect("runs");
            let (_, t) = made
                .iter()
                .find(|(n, _)| n == "grad.q")
                .expect("a gradient");
            let time = Axis::time();
            let rest: Vec<Axis> = t.axes.iter().copied().filter(|a| a.is_const()).collect();
            let t = t
                .ordered(&[&[Axis::batch(), time], rest.as_slice()].concat())
                .expect("its axes");
            let got = t.as_real().expect("real");
            let near = got.iter().zip(&all).all(|(g, w)| (g - w).abs() < 1e-5);
            assert!(
                near,
                "{} on {}: {:?}",
                form.name(),
                engine.name(),
                &got[..d]
            );
        }
    }
}

/// Of the scores 0, -400, -300, -500 the largest two are the first and the third, in every dtype.
#[test]
fn picks_of_what_underflows() {
    for score in [
        "softmax[m](s)",
        "sigmoid(s)",
        "exp(s)",
        "2 * softmax[m](s / 2)",
        "softmax[m](s) + 1",
    ] {
        let text = format!(
            "seq 1\nmixer m(s: seq{{m}}; m = 4) -> p: seq{{m}} {{\n    p = top[m]({score}, 2)\n}}\n"
        );
        let source = frontend::of_text("m.seq", &text).expect("reads");
        let e = source.elaborate("m", &[]).unwrap_or_else(|e| panic!("{e}"));
        let sizes: Sizes = [(Axis::batch().name, 1), (Axis::time().name, 1)].into();
        for form in FORMS {
            let f = passes::forward(&e.func, form, &Shapes::cpu(), &mut vec![]).expect("derives");
            let inputs = given(&f, &[("s", vec![0.0, -400.0, -300.0, -500.0])], &sizes);
            for engine in Engine::all() {
                let p = Programs::new(engine, vec![("p".into(), f.clone())], 1).expect("compiles");
                let made = p.run("p", &inputs, &sizes).expect("runs");
                assert_eq!(
                    made[0].1.as_real().expect("real"),
                    [1.0, 0.0, 1.0, 0.0],
                    "{score} {}",
                    engine.name()
                );
            }
        }
    }
}
