//! Scans against plain loops: steps, tiles with ragged tails, both directions, bounds, entering states, nesting.

use seqc_algebra::*;
use std::collections::HashMap;

type Given<'a> = (&'a str, Vec<Axis>, Vec<usize>, Vec<f64>);

fn run_on(func: &Func, inputs: &[Given], sizes: &[(&str, usize)]) -> Vec<Vec<f64>> {
    let given = inputs
        .iter()
        .map(|(n, a, s, d)| {
            (
                (*n).to_owned(),
                Tensor::real(a.clone(), s.clone(), d.clone()).unwrap(),
            )
        })
        .collect::<HashMap<_, _>>();
    let sizes = sizes.iter().map(|(n, s)| (Sym::new(n), *s)).collect();
    run(func, &given, &sizes)
        .unwrap()
        .into_iter()
        .map(|(_, t)| t.as_real().unwrap().to_vec())
        .collect()
}

/// `s <- s * a + x` a step at a time; emits the new state.
fn decay(reverse: bool, lo: bool, hi: bool) -> Func {
    let t = Axis::time();
    let mut body = Builder::new("body");
    body.input("p", InputKind::Formal, Ty::real(vec![]));
    let s = body.input("s", InputKind::Formal, Ty::real(vec![]));
    let x = body.input("x", InputKind::Formal, Ty::real(vec![]));
    let a = body.input("a", InputKind::Formal, Ty::real(vec![]));
    let sa = body.mul(s, a).unwrap();
    let next = body.add2(sa, x).unwrap();
    body.result("s", next);
    body.result("y", next);
    let scan = Scan {
        axis: t,
        tile: None,
        reverse,
        states: 1,
        seqs: vec![SeqIn { fill: Num(0.0) }],
        fixed: 1,
        lo,
        hi,
        body: body.finish(),
        outs: vec![Out::Emit(0), Out::Final(0), Out::Enter(0)],
    };
    let mut b = Builder::new("decay");
    let x = b.input("x", InputKind::Data, Ty::real(vec![t]));
    let a = b.input("a", InputKind::Data, Ty::real(vec![]));
    let s0 = b.input("s0", InputKind::State, Ty::real(vec![]));
    let mut args = vec![s0, x, a];
    for (name, on) in [("lo", lo), ("hi", hi)] {
        if on {
            args.push(b.input(name, InputKind::Data, Ty::real(vec![])));
        }
    }
    let outs = b.scan(scan, &args).unwrap();
    for (name, v) in ["y", "final", "enter"].iter().zip(outs) {
        b.result(name, v);
    }
    b.finish()
}

fn scalar(name: &str, x: f64) -> Given<'_> {
    (name, vec![], vec![], vec![x])
}

fn seq(name: &str, x: &[f64]) -> Given<'static> {
    assert_eq!(name, "x");
    ("x", vec![Axis::time()], vec![x.len()], x.to_vec())
}

#[test]
fn steps_in_both_directions() {
    let x = [1.0, 2.0, 3.0];
    let got = run_on(
        &decay(false, false, false),
        &[seq("x", &x), scalar("a", 10.0), scalar("s0", 5.0)],
        &[("t", 3)],
    );
    assert_eq!(
        got,
        [vec![51., 512., 5123.], vec![5123.], vec![5., 51., 512.]]
    );
    // The state defaults to 0.
    let got = run_on(
        &decay(true, false, false),
        &[seq("x", &x), scalar("a", 10.0)],
        &[("t", 3)],
    );
    assert_eq!(got, [vec![321., 32., 3.], vec![321.], vec![32., 3., 0.]]);
    let none = run_on(
        &decay(false, false, false),
        &[seq("x", &[]), scalar("a", 10.0), scalar("s0", 5.0)],
        &[("t", 0)],
    );
    assert_eq!(none, [vec![], vec![5.], vec![]]);
}

#[test]
fn bounds_leave_steps_out() {
    let x = [1.0, 2.0, 3.0, 4.0];
    let f = decay(false, true, true);
    let got = run_on(
        &f,
        &[
            seq("x", &x),
            scalar("a", 10.0),
            scalar("s0", 5.0),
            scalar("lo", 1.0),
            scalar("hi", 3.0),
        ],
        &[("t", 4)],
    );
    assert_eq!(
        got,
        [vec![0., 52., 523., 0.], vec![523.], vec![5., 5., 52., 523.]]
    );
    let got = run_on(
        &f,
        &[
            seq("x", &x),
            scalar("a", 10.0),
            scalar("lo", -7.0),
            scalar("hi", 99.0),
        ],
        &[("t", 4)],
    );
    assert_eq!(got[1], [1234.]);
    let got = run_on(
        &f,
        &[
            seq("x", &x),
            scalar("a", 10.0),
            scalar("lo", 3.0),
            scalar("hi", 1.0),
        ],
        &[("t", 4)],
    );
    assert_eq!(got[0], [0.; 4]);
}

/// Running sums a tile at a time: inside the tile a triangular contraction, the state carries the total.
fn tiled_sums(reverse: bool) -> Func {
    let (t, c, e) = (Axis::time(), Axis::new("c", 4), Axis::new("e", 4));
    let mut body = Builder::new("body");
    let p = body.input("p", InputKind::Formal, Ty::real(vec![]));
    let s = body.input("s", InputKind::Formal, Ty::real(vec![]));
    let x = body.input("x", InputKind::Formal, Ty::real(vec![c]));
    let (i, j) = (body.iota(e).unwrap(), body.iota(c).unwrap());
    let before = body
        .map2(if reverse { MapFn::Le } else { MapFn::Ge }, i, j)
        .unwrap();
    let sums = body.contract(&[c], &[before, x]).unwrap();
    let sums = body.rename(sums, e, c).unwrap();
    let y = body.add2(sums, s).unwrap();
    let total = body.sum(&[c], x).unwrap();
    let next = body.add2(s, total).unwrap();
    body.result("s", next);
    body.result("y", y);
    body.result("at", p);
    let scan = Scan {
        axis: t,
        tile: Some(c),
        reverse,
        states: 1,
        seqs: vec![SeqIn { fill: Num(0.0) }],
        fixed: 0,
        lo: false,
        hi: false,
        body: body.finish(),
        outs: vec![Out::Emit(0), Out::Emit(1), Out::Enter(0), Out::Final(0)],
    };
    let mut b = Builder::new("sums");
    let x = b.input("x", InputKind::Data, Ty::real(vec![t]));
    let s0 = b.input("s0", InputKind::State, Ty::real(vec![]));
    let outs = b.scan(scan, &[s0, x]).unwrap();
    for (name, v) in ["y", "at", "enter", "final"].iter().zip(outs) {
        b.result(name, v);
    }
    b.finish()
}

#[test]
fn tiles_with_ragged_tails() {
    for n in [1usize, 3, 4, 5, 8, 10] {
        let x: Vec<f64> = (1..=n).map(|i| i as f64).collect();
        let total: f64 = x.iter().sum();
        let prefix: Vec<f64> = (1..=n).map(|i| (i * (i + 1) / 2) as f64).collect();
        let suffix: Vec<f64> = (0..n).map(|i| total - (i * (i + 1) / 2) as f64).collect();
        let starts: Vec<f64> = (0..n.div_ceil(4)).map(|k| (4 * k) as f64).collect();
        let got = run_on(&tiled_sums(false), &[seq("x", &x)], &[("t", n)]);
        let enter: Vec<f64> = starts.iter().map(|p| p * (p + 1.0) / 2.0).collect();
        assert_eq!(got, [prefix, starts.clone(), enter, vec![total]], "{n}");
        let got = run_on(&tiled_sums(true), &[seq("x", &x)], &[("t", n)]);
        assert_eq!(got[0], suffix, "{n}");
        assert_eq!(got[1], starts);
        assert_eq!(got[3], [total]);
    }
}

/// A scan inside a scan: `y[i] = Σ_{j <= i} x[j]²`, the inner loop bounded above by the outer position.
#[test]
fn nested_with_bounds() {
    let t = Axis::time();
    let mut inner = Builder::new("inner");
    inner.input("p", InputKind::Formal, Ty::real(vec![]));
    let s = inner.input("s", InputKind::Formal, Ty::real(vec![]));
    let x = inner.input("x", InputKind::Formal, Ty::real(vec![]));
    let sq = inner.mul(x, x).unwrap();
    let next = inner.add2(s, sq).unwrap();
    inner.result("s", next);
    let inner = Scan {
        axis: t,
        tile: None,
        reverse: false,
        states: 1,
        seqs: vec![SeqIn { fill: Num(0.0) }],
        fixed: 0,
        lo: false,
        hi: true,
        body: inner.finish(),
        outs: vec![Out::Final(0)],
    };
    let mut outer = Builder::new("outer");
    let p = outer.input("p", InputKind::Formal, Ty::real(vec![]));
    let whole = outer.input("whole", InputKind::Formal, Ty::real(vec![t]));
    let (zero, one) = (outer.num(0.0), outer.num(1.0));
    let end = outer.add2(p, one).unwrap();
    let y = outer.scan(inner, &[zero, whole, end]).unwrap()[0];
    outer.result("y", y);
    let scan = Scan {
        axis: t,
        tile: None,
        reverse: false,
        states: 0,
        seqs: vec![],
        fixed: 1,
        lo: false,
        hi: false,
        body: outer.finish(),
        outs: vec![Out::Emit(0)],
    };
    let mut b = Builder::new("nested");
    let x = b.input("x", InputKind::Data, Ty::real(vec![t]));
    let y = b.scan(scan, &[x]).unwrap()[0];
    b.result("y", y);
    assert_eq!(
        run_on(&b.finish(), &[seq("x", &[1., 2., 3., 4.])], &[("t", 4)]),
        [[1., 5., 14., 30.]]
    );
}

/// Entering states laid along the axis of tiles are read back, one entry a tile.
#[test]
fn values_along_tiles_are_sequences_of_tiled_scans() {
    let (t, c) = (Axis::time(), Axis::new("c", 4));
    let along = shape::tiles(t, 4);
    let mut body = Builder::new("body");
    body.input("p", InputKind::Formal, Ty::real(vec![]));
    let x = body.input("x", InputKind::Formal, Ty::real(vec![c]));
    let e = body.input("e", InputKind::Formal, Ty::real(vec![]));
    let y = body.mul(x, e).unwrap();
    body.result("y", y);
    let fill = SeqIn { fill: Num(0.0) };
    let scan = Scan {
        axis: t,
        tile: Some(c),
        reverse: false,
        states: 0,
        seqs: vec![fill.clone(), fill],
        fixed: 0,
        lo: false,
        hi: false,
        body: body.finish(),
        outs: vec![Out::Emit(0)],
    };
    let mut b = Builder::new("f");
    let x = b.input("x", InputKind::Data, Ty::real(vec![t]));
    let e = b.input("e", InputKind::Data, Ty::real(vec![along]));
    let y = b.scan(scan, &[x, e]).unwrap()[0];
    b.result("y", y);
    let e = ("e", vec![along], vec![2], vec![10., 100.]);
    assert_eq!(
        run_on(
            &b.finish(),
            &[seq("x", &[1., 2., 3., 4., 5.]), e],
            &[("t", 5)]
        ),
        [[10., 20., 30., 40., 500.]]
    );
}
