//! Law: a power of a number that is an exponential is the exponential of a product:
//! `sigmoid(x)^c = exp(c · logsigmoid(x))` and `exp(x)^c = exp(c · x)`.
//!
//! So is the share of one in a sum of two: `x / (x + y) = sigmoid(log x - log y)`.
//!
//! Exact algebra for every real c, since both bases are positive; in floating point the left side loses its base to
//! underflow where the right side is an ordinary number (`sigmoid(-100)^(1/16)` is 0.002), and so do its gradients.
//! Apply before differentiation.

use crate::Result;
use crate::rewrite::map_values;
use seqc_algebra::{Builder, Elem, Func, MapFn, Op, ValueId};

/// Rewrites every such power and share of a program's own values.
pub fn exponential_powers(func: &Func) -> Result<Func> {
    map_values(func, |b, func, id, args| match (func.op(id), args) {
        (Op::Map(MapFn::Pow), &[base, c]) if b.elem(c) == Elem::Real => power(b, base, c),
        (Op::Map(MapFn::Div), &[x, whole]) => share(b, x, whole),
        _ => Ok(None),
    })
}

/// The logarithm of a value that is an exponential or a sigmoid of something real.
pub(crate) fn known_log(b: &mut Builder, v: ValueId) -> Result<Option<ValueId>> {
    let (op, args) = (b.func().op(v).clone(), b.func().args(v).to_vec());
    if !matches!(op, Op::Map(MapFn::Exp | MapFn::Sigmoid)) || b.elem(args[0]) == Elem::Complex {
        return Ok(None);
    }
    Ok(Some(match op {
        Op::Map(MapFn::Sigmoid) => b.map1(MapFn::LogSigmoid, args[0])?,
        _ => args[0],
    }))
}

fn power(b: &mut Builder, base: ValueId, c: ValueId) -> Result<Option<ValueId>> {
    let Some(log) = known_log(b, base)? else {
        return Ok(None);
    };
    let scaled = b.mul(c, log)?;
    Ok(Some(b.map1(MapFn::Exp, scaled)?))
}

/// `x / (x + y)` or `x / (y + x)`.
pub(crate) fn share(b: &mut Builder, x: ValueId, whole: ValueId) -> Result<Option<ValueId>> {
    let other = match (b.func().op(whole), b.func().args(whole)) {
        (Op::Map(MapFn::Add), &[p, q]) if p == x => q,
        (Op::Map(MapFn::Add), &[p, q]) if q == x => p,
        _ => return Ok(None),
    };
    let (Some(own), Some(rest)) = (known_log(b, x)?, known_log(b, other)?) else {
        return Ok(None);
    };
    let d = b.sub(own, rest)?;
    Ok(Some(b.map1(MapFn::Sigmoid, d)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqc_algebra::{Axis, InputKind, Tensor, Ty, run};
    use std::collections::HashMap;

    #[test]
    fn powers_keep_their_values_and_lose_their_bases() {
        let k = Axis::new("k", 5);
        let mut b = Builder::new("f");
        let x = b.input("x", InputKind::Data, Ty::real(vec![k]));
        let c = b.num(0.0625);
        for (name, f) in [("s", MapFn::Sigmoid), ("e", MapFn::Exp), ("t", MapFn::Abs)] {
            let base = b.map1(f, x).expect("fits");
            let y = b.map2(MapFn::Pow, base, c).expect("fits");
            b.result(name, y);
        }
        let f = b.finish();
        let g = exponential_powers(&f).expect("derives");
        let powers = |f: &Func| {
            let pow = |v: &&seqc_algebra::Value| matches!(v.op, Op::Map(MapFn::Pow));
            f.values.iter().filter(pow).count()
        };
        assert_eq!((powers(&f), powers(&g)), (3, 1));
        let x = Tensor::real(vec![k], vec![5], vec![-300.0, -20.0, -0.5, 0.0, 7.0]).expect("fits");
        let given = HashMap::from([("x".to_owned(), x)]);
        let results = [&f, &g].map(|f| run(f, &given, &HashMap::new()).expect("runs"));
        for ((name, a), (_, b)) in results[0].iter().zip(&results[1]) {
            let (a, b) = (a.as_real().expect("real"), b.as_real().expect("real"));
            for (a, b) in a.iter().zip(b) {
                assert!((a - b).abs() <= 1e-12 * a.abs(), "{name}: {a} {b}");
            }
        }
    }

    /// The share of one shut gate beside another: by hand, 1 / (1 + e^(y - x)) where both are far below 0.
    #[test]
    fn shares_of_gates_that_are_shut() {
        let k = Axis::new("k", 3);
        let mut b = Builder::new("f");
        let of = |b: &mut Builder, name: &str| b.input(name, InputKind::Data, Ty::real(vec![k]));
        let (x, y) = (of(&mut b, "x"), of(&mut b, "y"));
        let (p, q) = (
            b.map1(MapFn::Sigmoid, x).expect("fits"),
            b.map1(MapFn::Sigmoid, y).expect("fits"),
        );
        let sum = b.add2(p, q).expect("fits");
        for (name, v) in [("p", p), ("q", q)] {
            let part = b.div(v, sum).expect("fits");
            b.result(name, part);
        }
        let f = exponential_powers(&b.finish()).expect("derives");
        let t = |d: [f64; 3]| Tensor::real(vec![k], vec![3], d.to_vec()).expect("fits");
        let given = [
            ("x".to_owned(), t([-800.0, -801.0, 0.0])),
            ("y".to_owned(), t([-800.0, -800.0, 0.0])),
        ];
        let out = run(&f, &HashMap::from(given), &HashMap::new()).expect("runs");
        let first = 1.0 / (1.0 + 1f64.exp());
        for ((name, got), want) in out.iter().zip([[0.5, first, 0.5], [0.5, 1.0 - first, 0.5]]) {
            for (g, w) in got.as_real().expect("real").iter().zip(want) {
                assert!((g - w).abs() < 1e-12, "{name}: {g} {w}");
            }
        }
    }
}
