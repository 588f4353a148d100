//! Law: a power of a number that is an exponential is the exponential of a product:
//! `sigmoid(x)^c = exp(c · logsigmoid(x))` and `exp(x)^c = exp(c · x)`.
//!
//! Exact algebra for every real c, since both bases are positive; in floating point the left side loses its base to
//! underflow where the right side is an ordinary number (`sigmoid(-100)^(1/16)` is 0.002), and so do its gradients.
//! Apply before differentiation.

use crate::Result;
use crate::rewrite::map_values;
use seqc_algebra::{Elem, Func, MapFn, Op};

/// Rewrites every such power of a program's own values.
pub fn exponential_powers(func: &Func) -> Result<Func> {
    map_values(func, |b, func, id, args| {
        let (Op::Map(MapFn::Pow), &[base, c]) = (func.op(id), args) else {
            return Ok(None);
        };
        let real = [base, c].iter().all(|v| b.elem(*v) == Elem::Real);
        let log = match b.func().op(base) {
            Op::Map(MapFn::Exp) if real => b.func().args(base)[0],
            Op::Map(MapFn::Sigmoid) if real => {
                let x = b.func().args(base)[0];
                b.map1(MapFn::LogSigmoid, x)?
            }
            _ => return Ok(None),
        };
        let scaled = b.mul(c, log)?;
        Ok(Some(b.map1(MapFn::Exp, scaled)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqc_algebra::{Axis, Builder, InputKind, Tensor, Ty, run};
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
}
