//! Recurrences with complex decays, keys and reads: the chunked form and its gradients are those of the steps.

mod support;

use seqc_algebra::*;
use seqc_derive::{chunk, grad};
use support::{Rng, Sizes, run_named, tensor, well_formed};

fn ty(elem: Elem, axes: &[Axis]) -> Ty {
    Ty {
        elem,
        axes: axes.to_vec(),
    }
}

/// What a recurrence is made of.
#[derive(Clone, Copy)]
struct Kind {
    /// A decay per position of K.
    diagonal: bool,
    /// What is written depends on what is read.
    feedback: bool,
    reverse: bool,
    /// Reads see the step's own input.
    inclusive: bool,
}

/// `S[t] = a S' + k (v - b (r·S'))`, `y = q·S`, all complex but v.
fn recurrence(kind: Kind) -> Func {
    let (t, n, k, v) = (
        Axis::time(),
        Axis::batch(),
        Axis::new("k", 3),
        Axis::new("v", 2),
    );
    let mut b = Builder::new("f");
    let decay_axes = if kind.diagonal { vec![n, k] } else { vec![n] };
    let inputs = [
        ("a", ty(Elem::Complex, &decay_axes)),
        ("key", ty(Elem::Complex, &[n, k])),
        ("q", ty(Elem::Complex, &[n, k])),
        ("r", ty(Elem::Complex, &[n, k])),
        ("beta", ty(Elem::Complex, &[n])),
        ("value", ty(Elem::Real, &[n, v])),
    ];
    let mut inner = Builder::new("body");
    inner.input("pos", InputKind::Formal, Ty::real(vec![]));
    let state = inner.input("s", InputKind::Formal, ty(Elem::Complex, &[n, k, v]));
    let (mut args, mut x) = (vec![], vec![]);
    for (name, ty) in inputs {
        let mut whole = ty.clone();
        whole.axes.insert(1, t);
        args.push(b.input(name, InputKind::Data, whole));
        x.push(inner.input(name, InputKind::Formal, ty));
    }
    let [a, key, q, r, beta, value] = x[..] else {
        unreachable!()
    };
    let mut write = value;
    if kind.feedback {
        let seen = inner.contract(&[k], &[r, state]).unwrap();
        let seen = inner.mul(beta, seen).unwrap();
        write = inner.sub(write, seen).unwrap();
    }
    let kept = inner.mul(a, state).unwrap();
    let new = inner.contract(&[], &[key, write]).unwrap();
    let next = inner.add2(kept, new).unwrap();
    let from = if kind.inclusive { next } else { state };
    let y = inner.contract(&[k], &[q, from]).unwrap();
    inner.result("s", next);
    inner.result("y", y);
    let scan = Scan {
        axis: t,
        tile: None,
        reverse: kind.reverse,
        states: 1,
        seqs: vec![SeqIn { fill: Num(0.0) }; args.len()],
        fixed: 0,
        lo: false,
        hi: false,
        body: inner.finish(),
        outs: vec![Out::Emit(0), Out::Final(0)],
    };
    let start = b.input("start", InputKind::Data, ty(Elem::Complex, &[n, k, v]));
    let r = b.scan(scan, &[&[start], args.as_slice()].concat()).unwrap();
    b.result("y", r[0]);
    b.result("last", r[1]);
    b.finish()
}

fn close(name: &str, a: &Tensor, b: &Tensor, func: &Func) {
    let b = b.ordered(&a.axes).unwrap();
    let (a, b) = (a.to_complex(), b.to_complex());
    let (Data::Complex(a), Data::Complex(b)) = (&a.data, &b.data) else {
        unreachable!()
    };
    let size = a.iter().fold(1.0, |m: f64, z| m.max(z.abs()));
    for (x, y) in a.iter().zip(b) {
        let d = (*x - *y).abs() / size;
        assert!(d < 1e-11, "{name}: {x:?} {y:?}\n{func}");
    }
}

fn check(kind: Kind) {
    let func = recurrence(kind);
    let chunked = chunk::chunk_scans(&func, 4).unwrap();
    well_formed(&chunked);
    let tiled = |v: &Value| matches!(&v.op, Op::Scan(s) if s.tile.is_some());
    assert!(chunked.values.iter().any(tiled), "not chunked\n{func}");
    let outs = ["y", "last"];
    let plain = grad::vjp(&func, &func.params, &outs).unwrap();
    let back = grad::vjp(&chunked, &chunked.params, &outs).unwrap();
    let split = seqc_derive::real::split_complex(&back).unwrap();
    well_formed(&split);
    for t in [1, 3, 4, 9] {
        let sizes: Sizes = [(Sym::new("batch"), 2), (Sym::new("t"), t)].into();
        let mut rng = Rng(t as u64);
        let given = plain
            .params
            .iter()
            .map(|p| {
                let name = plain.input(*p).unwrap().name.to_string();
                (name, tensor(plain.ty(*p), &sizes, &mut rng))
            })
            .collect();
        let want = run_named(&plain, &given, &sizes);
        let got = run_named(&back, &given, &sizes);
        for (name, want) in &want {
            close(name, want, &got[name], &back);
        }
    }
}

#[test]
fn decays_and_rank_one_terms() {
    for bits in 0..16 {
        let on = |k: u32| bits >> k & 1 == 1;
        check(Kind {
            diagonal: on(0),
            feedback: on(1),
            reverse: on(2),
            inclusive: on(3),
        });
    }
}
