//! What a select leaves out takes no part in a gradient, whatever it is: every singular factor, at every place of a product,
//! under functions that bend, in both arms, for numbers that are no numbers and for masks of two times.

mod support;
use seqc_algebra::*;
use std::collections::HashMap;
use support::{program, run_named};

const AT: [f64; 4] = [-1.0, 0.0, 2.0, 1e300];

fn axis() -> Axis {
    Axis::new("a", AT.len())
}

/// Makes a value that is singular somewhere outside of the domain, of `x0`.
type Singular = fn(&mut Builder, ValueId) -> ValueId;

fn map(b: &mut Builder, f: MapFn, x: ValueId) -> ValueId {
    b.map1(f, x).unwrap()
}

/// Named factors, and their values where x is 2, by hand.
const FACTORS: [(&str, Singular, f64); 8] = [
    (
        "log x",
        |b, x| map(b, MapFn::Log, x),
        std::f64::consts::LN_2,
    ),
    ("1 / x", |b, x| one_over(b, x), 0.5),
    (
        "sqrt x",
        |b, x| map(b, MapFn::Sqrt, x),
        std::f64::consts::SQRT_2,
    ),
    ("exp x", |b, x| map(b, MapFn::Exp, x), 7.389_056_098_930_65),
    ("x ^ -2", |b, x| power(b, x, -2.0), 0.25),
    ("x ^ x", |b, x| b.map2(MapFn::Pow, x, x).unwrap(), 4.0),
    (
        "exp(1 / x)",
        |b, x| inverse_exp(b, x),
        1.648_721_270_700_128_2,
    ),
    (
        "x log x",
        |b, x| times_log(b, x),
        2.0 * std::f64::consts::LN_2,
    ),
];

fn one_over(b: &mut Builder, x: ValueId) -> ValueId {
    let one = b.num(1.0);
    b.div(one, x).unwrap()
}

fn power(b: &mut Builder, x: ValueId, p: f64) -> ValueId {
    let p = b.num(p);
    b.map2(MapFn::Pow, x, p).unwrap()
}

fn inverse_exp(b: &mut Builder, x: ValueId) -> ValueId {
    let v = one_over(b, x);
    map(b, MapFn::Exp, v)
}

fn times_log(b: &mut Builder, x: ValueId) -> ValueId {
    let l = map(b, MapFn::Log, x);
    b.mul(x, l).unwrap()
}

/// 1 at the third number alone.
fn inside(b: &mut Builder, x: ValueId) -> ValueId {
    let (low, high) = (b.num(1.0), b.num(10.0));
    let (above, below) = (
        b.map2(MapFn::Gt, x, low).unwrap(),
        b.map2(MapFn::Lt, x, high).unwrap(),
    );
    b.map2(MapFn::And, above, below).unwrap()
}

/// `y` and the gradients of all inputs at cotangent 1; `x0` is [`AT`], the rest are 1 unless given.
fn ran(func: &Func, others: &[(&str, f64)]) -> HashMap<String, Vec<f64>> {
    let back = seqc_derive::grad::vjp(func, &func.params, &["y"]).unwrap();
    support::well_formed(&back);
    let t = |x: f64| Tensor::real(vec![axis()], vec![AT.len()], vec![x; AT.len()]).unwrap();
    let mut given: HashMap<String, Tensor> = [("cotangent.y".to_owned(), t(1.0))].into();
    for p in &func.params {
        let name = func.input(*p).unwrap().name.to_string();
        let at = others
            .iter()
            .find(|(n, _)| *n == name)
            .map_or(1.0, |(_, x)| *x);
        given.insert(name, t(at));
    }
    let x = Tensor::real(vec![axis()], vec![AT.len()], AT.to_vec()).unwrap();
    given.insert("x0".into(), x);
    let out = run_named(&back, &given, &HashMap::new());
    out.into_iter()
        .map(|(n, t)| (n, t.as_real().unwrap().to_vec()))
        .collect()
}

/// `select(c, a f(x) b, 0)` in all orders: the gradient of a and b is f(x) inside and 0 outside.
#[test]
fn at_every_place_of_a_product() {
    let ty = Ty::real(vec![axis()]);
    for (name, f, at) in FACTORS {
        for place in 0..3 {
            for second in [false, true] {
                let func = program(&[ty.clone(), ty.clone(), ty.clone()], |b, x| {
                    let mut factors = vec![x[1], x[2]];
                    factors.insert(place, f(b, x[0]));
                    let all = b.mul(factors[0], factors[1]).unwrap();
                    let all = b.mul(all, factors[2]).unwrap();
                    let (on, zero) = (inside(b, x[0]), b.num(0.0));
                    if second {
                        let off = map(b, MapFn::Not, on);
                        return b.select(off, zero, all).unwrap();
                    }
                    b.select(on, all, zero).unwrap()
                });
                let out = ran(&func, &[]);
                for g in ["y", "grad.x1", "grad.x2"] {
                    let near = |x: f64, y: f64| (x - y).abs() < 1e-12;
                    let got = &out[g];
                    assert!(
                        near(got[2], at) && [0, 1, 3].iter().all(|k| got[*k] == 0.0),
                        "{name} at {place}, arm {second}: {g} = {got:?}"
                    );
                }
                assert!(
                    out["grad.x0"].iter().all(|x| x.is_finite()),
                    "{name}: {out:?}"
                );
            }
        }
    }
}

/// Below functions that bend, beside sums, below a contraction, and used twice.
#[test]
fn below_other_functions() {
    let ty = Ty::real(vec![axis()]);
    let d = Axis::new("d", 3);
    for (name, f, _) in FACTORS {
        for shape in 0..5 {
            let func = program(&[ty.clone(), ty.clone()], |b, x| {
                let v = f(b, x[0]);
                let v = b.mul(v, x[1]).unwrap();
                let one = b.num(1.0);
                let v = match shape {
                    0 => map(b, MapFn::Tanh, v),
                    1 => map(b, MapFn::Sin, v),
                    2 => b.add2(v, one).and_then(|s| b.mul(s, x[1])).unwrap(),
                    3 => {
                        let wide = b.expand(v, &[d]).unwrap();
                        b.contract(&[d], &[wide, x[1]]).unwrap()
                    }
                    _ => b.mul(v, v).unwrap(),
                };
                let (on, zero) = (inside(b, x[0]), b.num(0.0));
                b.select(on, v, zero).unwrap()
            });
            let out = ran(&func, &[]);
            for g in ["grad.x0", "grad.x1"] {
                let got = &out[g];
                let zero = [0, 1, 3].iter().all(|k| got[*k] == 0.0);
                assert!(
                    zero && got[2].is_finite(),
                    "{name}, shape {shape}: {g} = {got:?}"
                );
            }
            assert!(out["grad.x1"][2] != 0.0, "{name}, shape {shape}: {out:?}");
        }
    }
}

/// What is given may be no number where it is not wanted: padding.
#[test]
fn numbers_that_are_none() {
    let ty = Ty::real(vec![axis()]);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let func = program(&[ty.clone(), ty.clone(), ty.clone()], |b, x| {
            let (on, zero) = (inside(b, x[0]), b.num(0.0));
            let off = map(b, MapFn::Not, on);
            let v = b.mul(x[1], x[2]).unwrap();
            let v = map(b, MapFn::Sigmoid, v);
            let v = b.mul(v, x[2]).unwrap();
            let v = b.select(on, v, zero).unwrap();
            let rest = b.select(off, zero, x[2]).unwrap();
            b.add2(v, rest).unwrap()
        });
        let back = seqc_derive::grad::vjp(&func, &func.params, &["y"]).unwrap();
        let t = |d: Vec<f64>| Tensor::real(vec![axis()], vec![d.len()], d).unwrap();
        let given = [
            ("x0".to_owned(), t(AT.to_vec())),
            ("x1".to_owned(), t(vec![bad, bad, 0.0, bad])),
            ("x2".to_owned(), t(vec![1.0, 1.0, 1.0, bad])),
            ("cotangent.y".to_owned(), t(vec![1.0; 4])),
        ];
        let out = run_named(&back, &given.into(), &HashMap::new());
        // By hand at x1 = 0, x2 = 1: y = sigmoid(0) + 1, dy/dx1 = 1/4, dy/dx2 = 0 + 1/2 + 1.
        assert_eq!(out["y"].as_real().unwrap(), [0.0, 0.0, 1.5, 0.0], "{bad}");
        assert_eq!(
            out["grad.x1"].as_real().unwrap(),
            [0.0, 0.0, 0.25, 0.0],
            "{bad}"
        );
        assert_eq!(
            out["grad.x2"].as_real().unwrap(),
            [0.0, 0.0, 1.5, 0.0],
            "{bad}"
        );
    }
}

/// `Σ_j q_i exp(c_i - c_j) q_j v_j` over j <= i, factors in every order: above the diagonal the exponential overflows.
#[test]
fn above_the_diagonal() {
    let t = Axis::time();
    let j = t.renamed("j");
    let sizes: support::Sizes = [("t".into(), 3)].into();
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let func = program(&[Ty::real(vec![t]), Ty::real(vec![t])], |b, x| {
            let (cj, qj) = (b.rename(x[0], t, j).unwrap(), b.rename(x[1], t, j).unwrap());
            let d = b.sub(x[0], cj).unwrap();
            let e = map(b, MapFn::Exp, d);
            let factors = [x[1], e, qj];
            let m = b.mul(factors[order[0]], factors[order[1]]).unwrap();
            let m = b.mul(m, factors[order[2]]).unwrap();
            let (row, col, zero) = (b.iota(t).unwrap(), b.iota(j).unwrap(), b.num(0.0));
            let on = b.map2(MapFn::Le, col, row).unwrap();
            let m = b.select(on, m, zero).unwrap();
            b.sum(&[j], m).unwrap()
        });
        let back = seqc_derive::grad::vjp(&func, &func.params, &["y"]).unwrap();
        let v = |d: [f64; 3]| Tensor::real(vec![t], vec![3], d.to_vec()).unwrap();
        let given = [
            ("x0".to_owned(), v([0.0, -400.0, -800.0])),
            ("x1".to_owned(), v([1.0; 3])),
            ("cotangent.y".to_owned(), v([1.0; 3])),
        ];
        let out = run_named(&back, &given.into(), &sizes);
        let q = out["grad.x1"].as_real().unwrap();
        assert!(
            q.iter().all(|g| (g - 2.0).abs() < 1e-12),
            "{order:?}: {q:?}"
        );
        assert!(
            out["grad.x0"]
                .as_real()
                .unwrap()
                .iter()
                .all(|g| g.abs() < 1e-12),
            "{order:?}"
        );
    }
}
