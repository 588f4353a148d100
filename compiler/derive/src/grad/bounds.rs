//! Cheap proofs about the sign of a value, so that a derivative needs no guard where it cannot be singular.
//!
//! `No` never means the contrary, only that no proof was found. The search is bounded in depth.

use seqc_algebra::{Func, MapFn, Num, Op, ReduceOp, ValueId};

const DEPTH: usize = 6;

/// At least some positive constant, for every input.
pub fn bounded_away(func: &Func, v: ValueId) -> bool {
    positive(func, v, DEPTH)
}

/// Nowhere above 0, so that its exponential is at most 1.
pub fn nonpositive(func: &Func, v: ValueId) -> bool {
    nonpos(func, v, DEPTH)
}

/// Nowhere below 0.
pub fn nonnegative(func: &Func, v: ValueId) -> bool {
    nonneg(func, v, DEPTH)
}

/// A product with something that grows without bound, so that it may be infinite where its value is not wanted.
pub fn may_overflow(func: &Func, v: ValueId) -> bool {
    overflows(func, v, DEPTH)
}

fn overflows(func: &Func, v: ValueId, depth: usize) -> bool {
    if depth == 0 {
        return false;
    }
    let args = func.args(v);
    match func.op(v) {
        Op::Map(MapFn::Exp | MapFn::Expm1) => !nonpositive(func, args[0]),
        Op::Map(MapFn::Div) => !bounded_away(func, args[1]) || overflows(func, args[0], depth - 1),
        Op::Map(MapFn::Pow | MapFn::Log) => true,
        Op::Map(MapFn::Sqrt | MapFn::Log1p) => !nonnegative(func, args[0]),
        Op::Map(MapFn::Add | MapFn::Sub | MapFn::Mul | MapFn::Neg | MapFn::Conj)
        | Op::Contract(_)
        | Op::Expand(_)
        | Op::Rename { .. } => args.iter().any(|a| overflows(func, *a, depth - 1)),
        _ => false,
    }
}

fn positive(func: &Func, v: ValueId, depth: usize) -> bool {
    if depth == 0 {
        return false;
    }
    let args = func.args(v);
    let pos = |k: usize| positive(func, args[k], depth - 1);
    let non = |k: usize| nonneg(func, args[k], depth - 1);
    match func.op(v) {
        Op::Const(Num(x)) => *x > 0.0,
        Op::Length(_) => true,
        Op::Map(MapFn::Add) => (pos(0) && (pos(1) || non(1))) || (non(0) && pos(1)),
        Op::Map(MapFn::Max) => pos(0) || pos(1),
        Op::Map(MapFn::Min | MapFn::Mul) => pos(0) && pos(1),
        Op::Map(MapFn::Sqrt | MapFn::Stop) => pos(0),
        Op::Map(MapFn::Exp) => non(0),
        Op::Map(MapFn::Softplus) => non(0),
        Op::Expand(_)
        | Op::Rename { .. }
        | Op::Split { .. }
        | Op::Merge { .. }
        | Op::Unpatch { .. }
        | Op::Flip(_)
        | Op::Pick { .. } => pos(0),
        _ => false,
    }
}

fn nonneg(func: &Func, v: ValueId, depth: usize) -> bool {
    if depth == 0 {
        return false;
    }
    let args = func.args(v);
    let non = |k: usize| nonneg(func, args[k], depth - 1);
    let real = || {
        args.iter()
            .all(|a| func.ty(*a).elem != seqc_algebra::Elem::Complex)
    };
    match func.op(v) {
        Op::Const(Num(x)) => *x >= 0.0,
        Op::Iota(_) | Op::Length(_) | Op::Softmax(_) | Op::TopMask(..) => true,
        Op::Map(
            MapFn::Abs
            | MapFn::Sigmoid
            | MapFn::Softplus
            | MapFn::BitLen
            | MapFn::Hash
            | MapFn::Not,
        ) => true,
        Op::Map(MapFn::Exp | MapFn::Sqrt) => real(),
        Op::Map(
            MapFn::Lt
            | MapFn::Le
            | MapFn::Gt
            | MapFn::Ge
            | MapFn::Eq
            | MapFn::Ne
            | MapFn::And
            | MapFn::Or,
        ) => true,
        Op::Map(MapFn::Mul) if args[0] == args[1] => real(),
        Op::Map(MapFn::Add | MapFn::Mul | MapFn::Min | MapFn::Div) => non(0) && non(1),
        Op::Map(MapFn::Max) => non(0) || non(1),
        Op::Map(MapFn::Select) => non(1) && (non(2) || rectified(func, v)),
        Op::Map(MapFn::Stop)
        | Op::Expand(_)
        | Op::Rename { .. }
        | Op::Split { .. }
        | Op::Merge { .. }
        | Op::Patch { .. }
        | Op::Unpatch { .. }
        | Op::Flip(_)
        | Op::Pick { .. } => non(0),
        Op::Reduce(ReduceOp::Sum | ReduceOp::Max | ReduceOp::Min | ReduceOp::Prod, _) => non(0),
        Op::Map(MapFn::Pow) => non(0) || even(func, args[1]),
        Op::Contract(_) => real() && paired(args, |v| nonneg(func, v, depth - 1)),
        _ => positive(func, v, depth),
    }
}

/// `select(x <= 0, …, x)`: the second arm is above 0 where it is taken.
fn rectified(func: &Func, v: ValueId) -> bool {
    let &[cond, _, x] = func.args(v) else {
        return false;
    };
    let least = |v: &ValueId| func.everywhere(*v).is_some_and(|n| n >= 0.0);
    match (func.op(cond), func.args(cond)) {
        (Op::Map(MapFn::Le | MapFn::Lt), [y, n]) => *y == x && least(n),
        _ => false,
    }
}

fn even(func: &Func, v: ValueId) -> bool {
    matches!(func.op(v), Op::Const(Num(x)) if *x % 2.0 == 0.0)
}

/// Are the factors that are not themselves nonnegative there in pairs?
fn paired(args: &[ValueId], non: impl Fn(ValueId) -> bool) -> bool {
    args.iter()
        .all(|a| args.iter().filter(|b| *b == a).count() % 2 == 0 || non(*a))
}

fn nonpos(func: &Func, v: ValueId, depth: usize) -> bool {
    if depth == 0 {
        return false;
    }
    let args = func.args(v);
    let neg = |k: usize| nonpos(func, args[k], depth - 1);
    let non = |k: usize| nonneg(func, args[k], depth - 1);
    match func.op(v) {
        Op::Const(Num(x)) => *x <= 0.0,
        Op::Map(MapFn::LogSigmoid) => true,
        Op::Map(MapFn::Neg) => non(0),
        Op::Map(MapFn::Add | MapFn::Max) => neg(0) && neg(1),
        Op::Map(MapFn::Min) => neg(0) || neg(1),
        Op::Map(MapFn::Sub) => neg(0) && non(1),
        Op::Map(MapFn::Mul | MapFn::Div) => (neg(0) && non(1)) || (non(0) && neg(1)),
        Op::Map(MapFn::Select) => neg(1) && neg(2),
        Op::Map(MapFn::Stop)
        | Op::Expand(_)
        | Op::Rename { .. }
        | Op::Split { .. }
        | Op::Merge { .. }
        | Op::Patch { .. }
        | Op::Unpatch { .. }
        | Op::Flip(_)
        | Op::Pick { .. } => neg(0),
        Op::Reduce(ReduceOp::Sum | ReduceOp::Max | ReduceOp::Min, _) => neg(0),
        Op::Contract(_) => {
            let negs = (0..args.len()).filter(|k| neg(*k)).count();
            negs == 1 && (0..args.len()).all(|k| neg(k) || non(k))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqc_algebra::{Axis, Builder, InputKind, Ty};

    #[test]
    fn proofs_and_their_absence() {
        let d = Axis::new("d", 4);
        let mut b = Builder::new("f");
        let x = b.input("x", InputKind::Data, Ty::real(vec![d]));
        let eps = b.num(1e-6);
        let square = b.contract(&[d], &[x, x]).unwrap();
        let norm = b.add2(square, eps).unwrap();
        let root = b.map1(MapFn::Sqrt, norm).unwrap();
        assert!(bounded_away(b.func(), root));
        assert!(!bounded_away(b.func(), square));
        assert!(!bounded_away(b.func(), x));
        let floor = b.map2(MapFn::Max, x, eps).unwrap();
        assert!(bounded_away(b.func(), floor));
        let cube = b.contract(&[d], &[x, x, x]).unwrap();
        let cube = b.add2(cube, eps).unwrap();
        assert!(!bounded_away(b.func(), cube));
        let gate = b.map1(MapFn::LogSigmoid, x).unwrap();
        let sum = b.sum(&[d], gate).unwrap();
        assert!(nonpositive(b.func(), sum));
        let speed = b.map1(MapFn::Softplus, x).unwrap();
        let scale = b.map1(MapFn::Exp, x).unwrap();
        let minus = b.neg(speed).unwrap();
        let decay = b.mul(minus, scale).unwrap();
        assert!(nonpositive(b.func(), decay));
        let diff = b.sub(gate, minus).unwrap();
        assert!(!nonpositive(b.func(), diff));
        // A complex square has no sign.
        let z = b.map2(MapFn::Complex, x, x).unwrap();
        let zz = b.mul(z, z).unwrap();
        assert!(!nonneg(b.func(), zz, 6));
    }
}
