//! Rewrites before differentiation, for the sake of the gradient's numbers and size; values do not change.
//!
//! * `sigmoid(u)^p` and `exp(u)^p` become exponentials of a logarithm that is at hand, so that the derivative does
//!   not divide by a gate that underflowed; `log` of them, and the share of one in a sum of two, likewise.
//! * What a scan's body computes from fixed operands alone moves before the scan: it is computed once, and a
//!   parameter that the body reshapes or negates is met by its contractions directly.
//! * What a `select` leaves out is made regular ([`super::untaken`]).
//!
//! Inputs keep their order, so that the k-th parameter stays the k-th.

use super::Result;
use crate::powers::{known_log, share};
use seqc_algebra::{Builder, Elem, Func, InputKind, MapFn, Op, Scan, ValueId};
use std::collections::HashMap;

pub fn normal(func: &Func) -> Result<Func> {
    rewritten(func, &[])
}

/// `kept`: the states, of a loop's body.
fn rewritten(func: &Func, kept: &[ValueId]) -> Result<Func> {
    let func = &super::untaken::regular(func, kept)?;
    let mut b = Builder::new(&func.name);
    let live = func.live();
    let mut image: Vec<Option<ValueId>> = vec![None; func.values.len()];
    for id in func.ids() {
        if !live[id.index()] && func.input(id).is_none() {
            continue;
        }
        let args: Option<Vec<ValueId>> = func.args(id).iter().map(|a| image[a.index()]).collect();
        let Some(args) = args else { continue };
        let v = match func.op(id) {
            Op::Map(f) => pointwise(&mut b, *f, &args)?,
            Op::Scan(scan) => Some(hoisted(&mut b, scan, &args)?),
            _ => None,
        };
        image[id.index()] = Some(match v {
            Some(v) => v,
            None => b.copy(func.value(id), &args)?,
        });
        if let (Some(v), Some(name)) = (v, func.value(id).name) {
            b.name(v, name.as_str());
        }
    }
    for (name, v) in &func.results {
        if let Some(v) = image[v.index()] {
            b.result(name, v);
        }
    }
    Ok(b.finish())
}

fn pointwise(b: &mut Builder, f: MapFn, args: &[ValueId]) -> Result<Option<ValueId>> {
    match (f, args) {
        (MapFn::Log, [x]) => known_log(b, *x),
        (MapFn::Div, [x, whole]) => share(b, *x, *whole),
        (MapFn::Pow, [x, p]) if b.elem(*p) != Elem::Complex => {
            let Some(l) = known_log(b, *x)? else {
                return Ok(None);
            };
            let scaled = b.mul(*p, l)?;
            Ok(Some(b.map1(MapFn::Exp, scaled)?))
        }
        _ => Ok(None),
    }
}

/// Is it worth computing before the loop? What needs no operand is cheaper where it is.
fn movable(op: &Op) -> bool {
    !matches!(
        op,
        Op::Input(_) | Op::Const(_) | Op::Iota(_) | Op::Length(_) | Op::Scan(_) | Op::Proj(_)
    )
}

/// The scan with its body in normal form and what depends on fixed operands alone moved before it.
fn hoisted(b: &mut Builder, scan: &Scan, args: &[ValueId]) -> Result<ValueId> {
    let body = rewritten(&scan.body, &scan.body.params[1..=scan.states])?;
    let first = 1 + scan.states + scan.seqs.len();
    // Outside images of values that need fixed operands only. The axes of a tile mean other positions each step,
    // but a coordinate along them is the same: such values may move too.
    let mut outer: HashMap<ValueId, ValueId> = HashMap::new();
    for (p, a) in body.params[first..].iter().zip(&args[first - 1..]) {
        outer.insert(*p, *a);
    }
    let mut moved: Vec<ValueId> = vec![];
    let leaf = |op: &Op| matches!(op, Op::Const(_) | Op::Iota(_) | Op::Length(_));
    for id in body.ids() {
        if body.input(id).is_some() || !(movable(body.op(id)) || leaf(body.op(id))) {
            continue;
        }
        let images: Option<Vec<ValueId>> = body
            .args(id)
            .iter()
            .map(|a| outer.get(a).copied())
            .collect();
        let Some(images) = images else { continue };
        outer.insert(id, b.copy(body.value(id), &images)?);
        if !leaf(body.op(id)) && needs_fixed(&body, id, first) {
            moved.push(id);
        }
    }
    if moved.is_empty() {
        let scan = Scan {
            body,
            ..scan.clone()
        };
        return Ok(b.push(Op::Scan(Box::new(scan)), args)?);
    }
    let mut inner = Builder::new(&body.name);
    let mut given: HashMap<ValueId, ValueId> = HashMap::new();
    for p in &body.params {
        given.insert(*p, inner.copy(body.value(*p), &[])?);
    }
    let bounds = args.len() - usize::from(scan.lo) - usize::from(scan.hi);
    let mut all = args[..bounds].to_vec();
    let mut fixed = scan.fixed;
    for id in frontier(&body, &moved) {
        let ty = b.ty(outer[&id]).clone();
        given.insert(id, inner.input(&format!("h{fixed}"), InputKind::Formal, ty));
        all.push(outer[&id]);
        fixed += 1;
    }
    all.extend_from_slice(&args[bounds..]);
    let image = inner.inline(&body, &given)?;
    for (name, v) in &body.results {
        if let Some(v) = image[v.index()] {
            inner.result(name, v);
        }
    }
    let scan = Scan {
        body: inner.finish(),
        fixed,
        ..scan.clone()
    };
    Ok(b.push(Op::Scan(Box::new(scan)), &all)?)
}

/// Does the value depend on a fixed operand at all (rather than on coordinates and constants)?
fn needs_fixed(body: &Func, id: ValueId, first: usize) -> bool {
    let mut stack = vec![id];
    while let Some(v) = stack.pop() {
        if body.params[first..].contains(&v) {
            return true;
        }
        stack.extend(body.args(v));
    }
    false
}

/// The moved values that something unmoved, or a result, uses.
fn frontier(body: &Func, moved: &[ValueId]) -> Vec<ValueId> {
    let users = body.users();
    let result = |v: ValueId| body.results.iter().any(|(_, r)| *r == v);
    moved
        .iter()
        .copied()
        .filter(|v| result(*v) || users[v.index()].iter().any(|u| !moved.contains(u)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str) -> Func {
        seqc_algebra::parse(source).unwrap()
    }

    #[test]
    fn powers_of_gates_become_exponentials() {
        let f = text(
            "func f(%0) {\n  %0 {a=2} = data x\n  %1 {a=2} = sigmoid %0\n  %2 {} = const 0.0625\n  %3 {a=2} = pow %1, %2\n  %4 {a=2} = log %1\n  return y = %3, l = %4\n}",
        );
        let g = seqc_algebra::dce(&normal(&f).unwrap()).unwrap();
        let ops: Vec<&Op> = g.values.iter().map(|v| &v.op).collect();
        assert!(
            !ops.contains(&&Op::Map(MapFn::Pow)) && !ops.contains(&&Op::Map(MapFn::Sigmoid)),
            "{g}"
        );
        assert!(matches!(
            g.op(g.result("l").unwrap()),
            Op::Map(MapFn::LogSigmoid)
        ));
    }

    /// `-exp(a)` of a fixed operand moves before the loop; what meets a sequence or only coordinates stays.
    #[test]
    fn fixed_work_moves_before_the_loop() {
        let f = text(
            "func f(%0, %1) {\n  %0 {t} = data x\n  %1 {k=2} = data a\n  %2 {} = scan[t; states 0; seqs 0.0; fixed 1; outs emit 0] %0, %1 body(%0, %1, %2) {\n    %0 {} = formal p\n    %1 {} = formal x\n    %2 {k=2} = formal a\n    %3 {k=2} = exp %2\n    %4 {k=2} = neg %3\n    %5 {k=2} = iota[k=2]\n    %6 {k=2} = sin %5\n    %7 {k=2} = mul %4, %1\n    %8 {k=2} = mul %7, %6\n    return y = %8\n  }\n  %3 {t, k=2} = proj[0] %2\n  return y = %3\n}",
        );
        let g = seqc_algebra::dce(&normal(&f).unwrap()).unwrap();
        seqc_algebra::verify(&g).unwrap();
        let inner = g
            .values
            .iter()
            .find_map(|v| {
                if let Op::Scan(s) = &v.op {
                    Some(s.body.clone())
                } else {
                    None
                }
            })
            .unwrap();
        let count = |f: &Func, m: MapFn| f.values.iter().filter(|v| v.op == Op::Map(m)).count();
        assert_eq!(
            [count(&g, MapFn::Exp), count(&g, MapFn::Neg)],
            [1, 1],
            "{g}"
        );
        assert_eq!(
            [
                count(&inner, MapFn::Exp),
                count(&inner, MapFn::Neg),
                count(&inner, MapFn::Sin)
            ],
            [0, 0, 1],
            "{g}"
        );
    }
}
