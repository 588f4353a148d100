//! Which reads of a trajectory move into the scan that makes it.

mod support;

use seqc_algebra::*;
use seqc_derive::sink::sink_reads;
use support::{Rng, Sizes, draw, run_named};

/// `h[t] = a h' + x` with `h` over `state`; `y[t] = Σ_over w h[t]`.
fn program(state: &[Axis], w: &[Axis], over: &[Axis]) -> Func {
    let (t, n) = (Axis::time(), Axis::batch());
    let with = |axes: &[Axis]| Ty::real([&[n, t], axes].concat());
    let inside = Ty::real([&[n], state].concat());
    let mut inner = Builder::new("body");
    inner.input("pos", InputKind::Formal, Ty::real(vec![]));
    let h = inner.input("h", InputKind::Formal, inside.clone());
    let x = inner.input("x", InputKind::Formal, inside.clone());
    let half = inner.num(0.5);
    let kept = inner.mul(half, h).unwrap();
    let next = inner.add2(kept, x).unwrap();
    inner.result("h", next);
    inner.result("trajectory", next);
    let scan = Scan {
        axis: t,
        tile: None,
        reverse: false,
        states: 1,
        seqs: vec![SeqIn { fill: Num(0.0) }],
        fixed: 0,
        lo: false,
        hi: false,
        body: inner.finish(),
        outs: vec![Out::Emit(0)],
    };
    let types = [inside, with(state), Ty::real(w.to_vec())];
    support::program(&types, |b, v| {
        let all = b.scan(scan.clone(), &[v[0], v[1]]).unwrap()[0];
        b.contract(over, &[v[2], all]).unwrap()
    })
}

fn sinks(func: &Func) -> bool {
    let after = sink_reads(func).unwrap();
    support::well_formed(&after);
    let sizes: Sizes = [(Sym::new("batch"), 2), (Sym::new("t"), 4)].into();
    let given = draw(func, &sizes, &mut Rng(5));
    let (a, b) = (
        run_named(func, &given, &sizes),
        run_named(&after, &given, &sizes),
    );
    let b = b["y"].ordered(&a["y"].axes).unwrap();
    let pairs = a["y"].as_real().unwrap().iter().zip(b.as_real().unwrap());
    assert!(pairs.into_iter().all(|(x, y)| (x - y).abs() < 1e-12));
    !after.values.iter().any(|v| matches!(v.op, Op::Contract(_)))
}

#[test]
fn a_matrix_of_state_is_read_inside() {
    let (k, v, m) = (Axis::new("k", 3), Axis::new("v", 2), Axis::new("m", 4));
    let t = Axis::time();
    assert!(sinks(&program(&[k, v], &[t, k], &[k])), "a query");
    assert!(sinks(&program(&[k, v], &[k], &[k])), "a fixed query");
    assert!(sinks(&program(&[k, v], &[m, k], &[k])), "fixed queries");
    assert!(sinks(&program(&[k], &[t, m, k], &[k])), "queries");
}

#[test]
fn a_vector_of_state_is_multiplied_outside() {
    let (h, k, m) = (Axis::new("h", 2), Axis::new("k", 3), Axis::new("m", 4));
    assert!(!sinks(&program(&[k], &[m, k], &[k])));
    assert!(!sinks(&program(&[h, k], &[h, m, k], &[k])), "by heads");
}

/// What only depends on a trajectory, past something that is not linear, has no read to move: `Σ_m B Σ_k A tanh(h)`
/// stays two products.
#[test]
fn sums_of_later_layers_stay_apart() {
    let (k, m, j) = (Axis::new("k", 3), Axis::new("m", 4), Axis::new("j", 5));
    let (t, n) = (Axis::time(), Axis::batch());
    let first = program(&[k], &[t], &[]);
    let types: Vec<Ty> = first
        .params
        .iter()
        .map(|p| first.ty(*p).clone())
        .chain([Ty::real(vec![m, k]), Ty::real(vec![j, m])])
        .collect();
    let whole = support::program(&types, |b, v| {
        let given = first.params.iter().copied().zip(v.iter().copied());
        let image = b.inline(&first, &given.collect()).unwrap();
        let h = image[first.result("y").unwrap().index()].unwrap();
        let x = b.map1(MapFn::Tanh, h).unwrap();
        let u = b.contract(&[k], &[v[3], x]).unwrap();
        b.contract(&[m], &[v[4], u]).unwrap()
    });
    assert_eq!(whole.ty(whole.result("y").unwrap()).axes, [n, t, j]);
    let after = sink_reads(&whole).unwrap();
    let sums = |f: &Func| {
        let real = |v: &&Value| matches!(&v.op, Op::Contract(axes) if !axes.is_empty());
        f.values.iter().filter(real).count()
    };
    assert_eq!((sums(&whole), sums(&after)), (2, 2), "{after}");
}
