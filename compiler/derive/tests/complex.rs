//! Splitting complex values into real ones changes no result: random programs, their gradients, and each function
//! on numbers in every quadrant.

#[path = "../../algebra/tests/support/random.rs"]
mod random;
mod support;

use proptest::prelude::*;
use seqc_algebra::*;
use seqc_derive::{grad, real};
use std::collections::HashMap;
use support::{Rng, Sizes, draw, run_named, well_formed};

/// A complex tensor as a real one with a last axis of parts; a real one as it is.
fn as_real(t: &Tensor) -> Tensor {
    let Data::Complex(data) = &t.data else {
        return t.clone();
    };
    Tensor::real(
        [t.axes.as_slice(), &[real::parts_axis(&t.axes)]].concat(),
        [t.shape.as_slice(), &[2]].concat(),
        data.iter().flat_map(|z| [z.re, z.im]).collect(),
    )
    .unwrap()
}

fn is_real(func: &Func) -> bool {
    func.values
        .iter()
        .all(|v| v.ty.elem != Elem::Complex && !matches!(&v.op, Op::Scan(s) if !is_real(&s.body)))
}

/// Largest difference over the largest entry; NaN where the original is not finite.
fn distance(a: &Tensor, b: &Tensor) -> f64 {
    let b = b.ordered(&a.axes).unwrap();
    let (a, b) = (a.as_real().unwrap(), b.as_real().unwrap());
    let size = a.iter().fold(1.0, |m: f64, x| m.max(x.abs()));
    let diff = a.iter().zip(b).map(|(x, y)| (x - y).abs());
    diff.fold(0.0, |m: f64, d| if d > m || d.is_nan() { d } else { m }) / size
}

/// The split program gives the parts of the program's results. Results that are not finite prove nothing.
fn same(func: &Func, inputs: &HashMap<String, Tensor>, sizes: &Sizes) {
    let split = real::split_complex(func).unwrap_or_else(|e| panic!("{e}\n{func}"));
    well_formed(&split);
    assert!(is_real(&split), "complex values are left\n{split}");
    let given: HashMap<String, Tensor> = inputs
        .iter()
        .map(|(n, t)| (n.clone(), as_real(t)))
        .collect();
    let (before, after) = (
        run_named(func, inputs, sizes),
        run_named(&split, &given, sizes),
    );
    for (name, want) in &before {
        let want = as_real(want);
        if want.as_real().unwrap().iter().all(|x| x.is_finite()) {
            let d = distance(&want, &after[name]);
            assert!(d < 1e-12, "{name}: {d}\n{func}\n{split}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_programs_and_their_gradients(seed in any::<u64>(), size in 1usize..20, t in 1usize..6) {
        let func = random::program(seed, size);
        let sizes: Sizes = [(Sym::new("batch"), 2), (Sym::new("t"), t)].into();
        let mut rng = Rng(seed);
        let mut inputs = draw(&func, &sizes, &mut rng);
        same(&func, &inputs, &sizes);
        let outs: Vec<&str> = func.results.iter().map(|(n, _)| n.as_str()).collect();
        let back = grad::vjp(&func, &func.params, &outs).unwrap();
        for p in &back.params {
            let name = back.input(*p).unwrap().name.to_string();
            let t = support::tensor(back.ty(*p), &sizes, &mut rng);
            inputs.entry(name).or_insert(t);
        }
        same(&back, &inputs, &sizes);
    }
}

fn ax(name: &str, n: usize) -> Axis {
    Axis::new(name, n)
}

fn complex(axes: &[Axis]) -> Ty {
    Ty {
        elem: Elem::Complex,
        axes: axes.to_vec(),
    }
}

/// Values in all quadrants, on the axes and 0; large and small.
fn points() -> Tensor {
    let mut all = vec![C64::default()];
    for r in [1e-3, 0.3, 1.0, 4.0] {
        for k in 0..24 {
            let a = f64::from(k) * std::f64::consts::PI / 12.0 + 0.1;
            all.push(C64::new(r * a.cos(), r * a.sin()));
        }
        for (x, y) in [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)] {
            all.push(C64::new(r * x, r * y));
        }
    }
    let n = all.len();
    Tensor::new(vec![ax("a", n)], vec![n], Data::Complex(all)).unwrap()
}

/// `y = build(x0)` at the points.
fn at_points(build: impl FnOnce(&mut Builder, ValueId) -> ValueId) {
    let x = points();
    let func = support::program(&[complex(&x.axes)], |b, v| build(b, v[0]));
    same(
        &func,
        &HashMap::from([("x0".to_owned(), x)]),
        &HashMap::new(),
    );
}

#[test]
fn functions_in_every_quadrant() {
    use MapFn::*;
    for f in [Neg, Abs, Exp, Sqrt, Sin, Cos, Stop, Re, Im, Conj] {
        at_points(|b, x| b.map1(f, x).unwrap());
    }
    // The logarithm of 0 is infinite: kept away from it.
    at_points(|b, x| {
        let (size, zero, one) = (b.map1(Abs, x).unwrap(), b.num(0.0), b.num(1.0));
        let none = b.map2(Eq, size, zero).unwrap();
        let safe = b.select(none, one, x).unwrap();
        b.map1(Log, safe).unwrap()
    });
}

#[test]
fn quotients_and_powers() {
    let n = points().axes[0];
    let other = |b: &mut Builder, x: ValueId| {
        // The same points in another order, away from 0.
        let y = b.push(Op::Flip(n), &[x]).unwrap();
        let half = b.num(0.05);
        b.add2(y, half).unwrap()
    };
    at_points(|b, x| {
        let y = other(b, x);
        b.div(x, y).unwrap()
    });
    at_points(|b, x| {
        let y = other(b, x);
        b.map2(MapFn::Pow, y, x).unwrap()
    });
    for p in [0.0, 1.0, 2.0, 3.0, 7.0, 0.5, 1.7] {
        at_points(|b, x| {
            let p = b.num(p);
            b.map2(MapFn::Pow, x, p).unwrap()
        });
    }
    at_points(|b, x| {
        let (y, p) = (other(b, x), b.num(-3.0));
        b.map2(MapFn::Pow, y, p).unwrap()
    });
    at_points(|b, x| {
        let (base, one) = (b.num(10000.0), b.num(1.0));
        let y = b.map2(MapFn::Pow, base, x).unwrap();
        b.div(one, y).unwrap()
    });
}

#[test]
fn a_turn_costs_a_sine_and_a_cosine() {
    let x = ax("a", 3);
    let func = support::program(&[Ty::real(vec![x])], |b, v| {
        let (zero, one) = (b.num(0.0), b.num(1.0));
        let i = b.map2(MapFn::Complex, zero, one).unwrap();
        let z = b.mul(i, v[0]).unwrap();
        let z = b.map1(MapFn::Exp, z).unwrap();
        b.map1(MapFn::Re, z).unwrap()
    });
    let split = real::split_complex(&func).unwrap();
    let ops: Vec<&Op> = split.values.iter().map(|v| &v.op).collect();
    assert!(
        matches!(ops[..], [Op::Input(_), Op::Map(MapFn::Cos)]),
        "{split}"
    );
}

#[test]
fn products_along_an_axis() {
    let sizes: Sizes = [(Sym::new("t"), 5)].into();
    let (t, a) = (Axis::time(), ax("a", 3));
    for over in [vec![t], vec![a], vec![t, a]] {
        let func = support::program(&[complex(&[t, a])], |b, v| {
            b.push(Op::Reduce(ReduceOp::Prod, over.clone()), &[v[0]])
                .unwrap()
        });
        let inputs = draw(&func, &sizes, &mut Rng(1));
        same(&func, &inputs, &sizes);
    }
}

#[test]
fn triangular_systems() {
    let (row, col, c) = (ax("i", 5), ax("j", 5), ax("c", 2));
    for (matrix, side) in [(true, true), (true, false), (false, true)] {
        for transpose in [false, true] {
            let ty = |on: bool, axes: &[Axis]| Ty {
                elem: if on { Elem::Complex } else { Elem::Real },
                axes: axes.to_vec(),
            };
            let types = [ty(matrix, &[row, col]), ty(side, &[row, c])];
            let func = support::program(&types, |b, v| {
                let op = Op::Solve {
                    row,
                    col,
                    transpose,
                };
                b.push(op, &[v[0], v[1]]).unwrap()
            });
            let inputs = draw(&func, &Sizes::new(), &mut Rng(2));
            same(&func, &inputs, &Sizes::new());
        }
    }
}

#[test]
fn sequences_are_filled_with_real_numbers() {
    let (t, k) = (Axis::time(), ax("k", 4));
    let mut inner = Builder::new("body");
    inner.input("p", InputKind::Formal, Ty::real(vec![]));
    let x = inner.input("x", InputKind::Formal, complex(&[k]));
    let all = inner
        .push(Op::Reduce(ReduceOp::Prod, vec![k]), &[x])
        .unwrap();
    inner.result("y", all);
    let scan = Scan {
        axis: t,
        tile: Some(k),
        reverse: false,
        states: 0,
        seqs: vec![SeqIn { fill: Num(1.0) }],
        fixed: 0,
        lo: false,
        hi: false,
        body: inner.finish(),
        outs: vec![Out::Emit(0)],
    };
    let func = support::program(&[complex(&[t])], |b, v| {
        b.scan(scan.clone(), &[v[0]]).unwrap()[0]
    });
    for n in [1, 4, 6] {
        let sizes: Sizes = [(Sym::new("t"), n)].into();
        let inputs = draw(&func, &sizes, &mut Rng(3));
        same(&func, &inputs, &sizes);
    }
}

#[test]
fn a_complex_parameter_starts_as_both_of_its_formulas_say() {
    let mut b = Builder::new("f");
    let (re, im) = (
        Init::Normal { std: Num(0.5) },
        Init::Uniform {
            lo: Num(0.0),
            hi: Num(1.0),
        },
    );
    let kind = InputKind::Param {
        init: Init::Apply(MapFn::Complex, vec![re.clone(), im.clone()]),
        decay: true,
    };
    let w = b.input("w", kind, complex(&[ax("complex", 3)]));
    b.result("y", w);
    let split = real::split_complex(&b.finish()).unwrap();
    let parts = ax("complex'", 2);
    assert_eq!(split.ty(split.params[0]).axes, [ax("complex", 3), parts]);
    let want = Init::Apply(MapFn::Select, vec![Init::Coord(parts), im, re]);
    match &split.input(split.params[0]).unwrap().kind {
        InputKind::Param { init, decay: true } => assert_eq!(*init, want),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_has_no_meaning_is_named() {
    let func = support::program(&[complex(&[])], |b, v| b.map1(MapFn::Tanh, v[0]).unwrap());
    let error = real::split_complex(&func).unwrap_err();
    assert!(error.0.contains("`tanh`"), "{error}");
}
