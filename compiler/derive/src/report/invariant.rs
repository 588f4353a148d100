//! What does not change with time: a program of which the same inputs, some steps later, give the same outputs as
//! many steps later, but for what lies before the first step and after the last.
//!
//! Every value has a degree: by how much it grows when all positions grow by one. Inputs and what is made of them have 0,
//! the step itself 1, `i - j` again 0; what has none (a length, a mean over all steps, `t * t`) changes with time.

use crate::stream::{is_long, is_pair};
use seqc_algebra::{Axis, Func, MapFn, Num, Op, ReduceOp, Scan, ValueId};

/// Do positions enter no result?
pub fn is_invariant(func: &Func) -> bool {
    let all = degrees(func, &vec![Some(0.0); func.params.len()]);
    (func.results.iter()).all(|(_, v)| all[v.index()] == Some(0.0))
}

/// Are entries over a pair of times, into which no data enters, a function of the difference of the two?
pub fn is_of_lags(func: &Func, root: ValueId) -> bool {
    degrees(func, &vec![Some(0.0); func.params.len()])[root.index()] == Some(0.0)
}

/// The degree of each value, given those of the parameters.
fn degrees(func: &Func, params: &[Option<f64>]) -> Vec<Option<f64>> {
    let lags = lags(func);
    let mut all: Vec<Option<f64>> = Vec::with_capacity(func.values.len());
    for v in func.ids() {
        let of: Vec<Option<f64>> = (func.args(v).iter()).map(|a| all[a.index()]).collect();
        let known = match func.op(v) {
            Op::Input(_) => match func.params.iter().position(|p| *p == v) {
                Some(k) => params[k],
                None => Some(0.0),
            },
            Op::Iota(a) if is_long(a) && !lags.contains(a) => Some(1.0),
            Op::Map(f) => map(func, *f, func.args(v), &of),
            Op::Expand(_) | Op::Rename { .. } | Op::Split { .. } | Op::Merge { .. } => of[0],
            _ if of.iter().any(|d| *d != Some(0.0)) => None,
            op => other(func, v, op).then_some(0.0),
        };
        all.push(known);
    }
    all
}

/// Axes that count lags, which stay where positions grow.
fn lags(func: &Func) -> Vec<Axis> {
    let lag = |v: ValueId| match func.op(v) {
        Op::Window { lag, .. } | Op::Conv { lag, .. } => Some(*lag),
        _ => None,
    };
    func.ids().filter_map(lag).collect()
}

fn map(func: &Func, f: MapFn, args: &[ValueId], of: &[Option<f64>]) -> Option<f64> {
    use MapFn::*;
    let number = |k: usize| match func.op(args[k]) {
        Op::Const(Num(x)) => Some(*x),
        _ => None,
    };
    match (f, of) {
        (Add, [Some(a), Some(b)]) => Some(a + b),
        (Sub, [Some(a), Some(b)]) => Some(a - b),
        (Neg, [Some(a)]) => Some(-a),
        (Mul, [Some(a), Some(0.0)]) if *a != 0.0 => Some(a * number(1)?),
        (Mul, [Some(0.0), Some(b)]) if *b != 0.0 => Some(b * number(0)?),
        (Div, [Some(a), Some(0.0)]) if *a != 0.0 => Some(a / number(1)?),
        (Lt | Le | Gt | Ge | Eq | Ne, [Some(a), Some(b)]) if a == b => Some(0.0),
        (Max | Min, [Some(a), Some(b)]) if a == b => Some(*a),
        (Select, [Some(0.0), Some(a), Some(b)]) if a == b => Some(*a),
        (Stop, [a]) => *a,
        (_, all) => all.iter().all(|d| *d == Some(0.0)).then_some(0.0),
    }
}

/// Of values that do not change with time, does the operation make one?
fn other(func: &Func, v: ValueId, op: &Op) -> bool {
    let pairs = func.args(v).iter().any(|a| is_pair(func, *a));
    match op {
        Op::Length(_) | Op::Patch { .. } | Op::Unpatch { .. } => false,
        Op::Gather(a) | Op::Flip(a) | Op::Pick { axis: a, .. } => !is_long(a),
        Op::Contract(over) | Op::Reduce(ReduceOp::Sum, over) => !over.iter().any(is_long) || pairs,
        Op::Reduce(_, over) => !over.iter().any(is_long),
        Op::Softmax(a) | Op::LogSumExp(a) | Op::TopMask(a, _) => !is_long(a),
        Op::Scan(scan) => steps(scan),
        _ => true,
    }
}

/// A loop whose steps do not look at their position.
fn steps(scan: &Scan) -> bool {
    let mut params = vec![Some(0.0); scan.body.params.len()];
    params[0] = Some(1.0);
    let all = degrees(&scan.body, &params);
    (scan.body.results.iter()).all(|(_, v)| all[v.index()] == Some(0.0))
}
