//! Law: the largest of what grows with s are the largest of s: `top_a(f(s)) = top_a(s)` and `argmax_a(f(s)) = argmax_a(s)`, for f
//! strictly increasing and the same at all positions of the axis: a softmax along it, a sigmoid, an exponential, a positive scale,
//! a number added to the whole row.
//!
//! Exact algebra; in floating point the left side compares what has underflowed or saturated: of the scores 0, -110 and -120, a softmax
//! in f32 leaves two zeros, and the pick goes by position.

use crate::Result;
use crate::grad::bounded_away;
use crate::rewrite::map_values;
use seqc_algebra::{Axis, Builder, Elem, Func, MapFn, Op, ReduceOp, ValueId};

/// Rewrites every pick of a program's own values.
pub fn picks_of_scores(func: &Func) -> Result<Func> {
    map_values(func, |b, func, id, args| {
        let axis = match func.op(id) {
            Op::TopMask(axis, _) => *axis,
            Op::Reduce(ReduceOp::ArgMax | ReduceOp::ArgMin, axes) if axes.len() == 1 => axes[0],
            _ => return Ok(None),
        };
        let scores = ordered_alike(b, args[0], axis);
        match scores == args[0] {
            true => Ok(None),
            false => Ok(Some(b.push(func.op(id).clone(), &[scores])?)),
        }
    })
}

/// What has the same order along the axis, and the same type, with every increasing function taken off.
fn ordered_alike(b: &Builder, v: ValueId, axis: Axis) -> ValueId {
    let mut at = v;
    while let Some(inner) = below(b, at, axis).filter(|x| b.ty(*x).same(b.ty(v))) {
        at = inner;
    }
    at
}

/// The value that this one grows with.
fn below(b: &Builder, v: ValueId, axis: Axis) -> Option<ValueId> {
    let (func, args) = (b.func(), b.func().args(v));
    if args.iter().any(|a| func.ty(*a).elem == Elem::Complex) {
        return None;
    }
    // The same for the whole row.
    let apart = |k: usize| !b.has(args[k], axis);
    let positive = |k: usize| apart(k) && bounded_away(func, args[k]);
    use MapFn::*;
    match func.op(v) {
        Op::Softmax(a) => (*a == axis).then_some(args[0]),
        Op::Map(Exp | Expm1 | Sigmoid | LogSigmoid | Softplus | Tanh | Erf | Stop) => Some(args[0]),
        Op::Map(Sub) if apart(1) => Some(args[0]),
        Op::Map(Add) => (0..2).find(|k| apart(*k)).map(|k| args[1 - k]),
        Op::Map(Div) if positive(1) => Some(args[0]),
        Op::Map(Mul) => (0..2).find(|k| positive(*k)).map(|k| args[1 - k]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqc_algebra::{InputKind, Tensor, Ty, run};
    use std::collections::HashMap;

    /// Picks of scores so far apart that f64's functions of them are equal: by hand, those of the scores themselves.
    #[test]
    fn what_has_saturated_is_picked_by_its_scores() {
        let m = Axis::new("m", 4);
        let of = |f: &dyn Fn(&mut Builder, ValueId) -> ValueId| {
            let mut b = Builder::new("f");
            let s = b.input("s", InputKind::Data, Ty::real(vec![m]));
            let v = f(&mut b, s);
            let top = b.push(Op::TopMask(m, 2), &[v]).expect("fits");
            b.result("top", top);
            for (name, op) in [("most", ReduceOp::ArgMax), ("least", ReduceOp::ArgMin)] {
                let at = b.push(Op::Reduce(op, vec![m]), &[v]).expect("fits");
                b.result(name, at);
            }
            let func = picks_of_scores(&b.finish()).expect("derives");
            let s =
                Tensor::real(vec![m], vec![4], vec![-2000.0, 0.0, -1500.0, -1000.0]).expect("fits");
            let out = run(
                &func,
                &HashMap::from([("s".to_owned(), s)]),
                &HashMap::new(),
            );
            let out = out.expect("runs").into_iter();
            out.map(|(_, t)| t.as_real().expect("real").to_vec())
                .collect::<Vec<_>>()
        };
        let right = [vec![0.0, 1.0, 0.0, 1.0], vec![1.0], vec![0.0]];
        for f in [MapFn::Exp, MapFn::Sigmoid, MapFn::Tanh, MapFn::Softplus] {
            assert_eq!(of(&|b, s| b.map1(f, s).expect("fits")), right, "{f:?}");
        }
        assert_eq!(
            of(&|b, s| b.push(Op::Softmax(m), &[s]).expect("fits")),
            right
        );
        let scaled = of(&|b, s| {
            let (c, high) = (b.num(1e-3), b.num(1e30));
            let s = b.mul(c, s).and_then(|s| b.add2(s, high)).expect("fits");
            b.push(Op::Softmax(m), &[s]).expect("fits")
        });
        assert_eq!(scaled, right);
        // What falls is not taken off.
        let c = of(&|b, s| {
            let c = b.num(-1.0);
            b.mul(c, s).expect("fits")
        });
        assert_eq!(c[1..], [vec![0.0], vec![1.0]]);
    }
}
