//! A program on one clock gives at each step what the program with coarser clocks gives at the end of the sequence cut there.

mod support;

use seqc_algebra::*;
use seqc_derive::ticks::at_every_step;
use support::{Rng, Sizes, draw, run_named, well_formed};

fn ticks(n: usize) -> Axis {
    Axis {
        name: Sym::new(&format!("t/{n}")),
        size: Axis::time().size.tiled(n),
    }
}

fn patch(b: &mut Builder, x: ValueId, axis: Axis, n: usize, within: Axis) -> ValueId {
    let op = Op::Patch {
        axis,
        ticks: ticks(n),
        within,
    };
    b.push(op, &[x]).unwrap()
}

fn unpatch(b: &mut Builder, x: ValueId, n: usize, within: Axis, axis: Axis) -> ValueId {
    let op = Op::Unpatch {
        ticks: ticks(n),
        within,
        axis,
    };
    b.push(op, &[x]).unwrap()
}

/// A running sum along an axis.
fn sum_along(b: &mut Builder, axis: Axis, x: ValueId, axes: &[Axis]) -> ValueId {
    let ty = Ty::real(axes.to_vec());
    let mut body = Builder::new("sum");
    let pos = body.input("pos", InputKind::Formal, Ty::real(vec![]));
    let s = body.input("s", InputKind::Formal, ty.clone());
    let now = body.input("x", InputKind::Formal, ty);
    let half = body.num(0.5);
    let kept = body.mul(s, half).unwrap();
    let next = body.add2(kept, now).unwrap();
    let counted = body.mul(next, pos).unwrap();
    body.result("s", next);
    body.result("y", counted);
    let scan = Scan {
        axis,
        tile: None,
        reverse: false,
        states: 1,
        seqs: vec![SeqIn { fill: Num(0.0) }],
        fixed: 0,
        lo: false,
        hi: false,
        body: body.finish(),
        outs: vec![Out::Emit(0)],
    };
    let zero = b.num(0.0);
    let start = b.expand(zero, axes).unwrap();
    b.scan(scan, &[start, x]).unwrap()[0]
}

/// Two rates, a recurrence, a matrix with a softmax and a window on the coarser ones, one tick late.
fn pyramid() -> Func {
    let (t, n) = (Axis::time(), Axis::batch());
    let (p, q, d) = (Axis::new("p", 2), Axis::new("q", 3), Axis::new("d", 2));
    support::program(&[Ty::real(vec![n, t, d])], |b, v| {
        let x = patch(b, v[0], t, 2, p);
        let c = b.sum(&[p], x).unwrap();
        let y = patch(b, c, ticks(2), 6, q);
        let slow = b.sum(&[q], y).unwrap();
        let m = sum_along(b, ticks(6), slow, &[n, d]);
        let m = b.shift(m, ticks(6), 1).unwrap();
        let m = b.expand(m, &[q]).unwrap();
        let m = unpatch(b, m, 6, q, ticks(2));
        let index = |name: &str| ticks(2).renamed(name);
        let (i, j) = (index("i"), index("j"));
        let (row, col) = (
            b.rename(c, ticks(2), i).unwrap(),
            b.rename(c, ticks(2), j).unwrap(),
        );
        let s = b.contract(&[d], &[row, col]).unwrap();
        let (at, of) = (b.iota(j).unwrap(), b.iota(i).unwrap());
        let past = b.map2(MapFn::Le, at, of).unwrap();
        let least = b.num(f64::NEG_INFINITY);
        let s = b.select(past, s, least).unwrap();
        let w = b.push(Op::Softmax(j), &[s]).unwrap();
        let o = b.contract(&[j], &[w, col]).unwrap();
        let o = b.rename(o, i, ticks(2)).unwrap();
        let lag = Axis::new("lag", 3);
        let window = Op::Window {
            axis: ticks(2),
            lag,
            ahead: false,
        };
        let recent = b.push(window, &[c]).unwrap();
        let recent = b.sum(&[lag], recent).unwrap();
        let all = b.add2(o, recent).unwrap();
        let all = b.add2(all, m).unwrap();
        let all = b.shift(all, ticks(2), 1).unwrap();
        let all = b.expand(all, &[p]).unwrap();
        let up = unpatch(b, all, 2, p, t);
        b.add2(up, v[0]).unwrap()
    })
}

#[test]
fn each_step_is_the_end_of_the_sequence_cut_there() {
    let func = pyramid();
    well_formed(&func);
    let fine = at_every_step(&func).unwrap();
    well_formed(&fine);
    let coarse = |a: &Axis| matches!(a.size, Size::Tiles(..));
    assert!(
        !fine.values.iter().flat_map(|v| &v.ty.axes).any(coarse),
        "{fine}"
    );
    let sizes = |t: usize| -> Sizes { [(Sym::new("batch"), 2), (Sym::new("t"), t)].into() };
    let given = draw(&func, &sizes(15), &mut Rng(5));
    let (time, d) = (Axis::time(), Axis::new("d", 2));
    let order = [time, Axis::batch(), d];
    let rows = |t: &Tensor| t.ordered(&order).unwrap().as_real().unwrap().to_vec();
    let all = rows(&run_named(&fine, &given, &sizes(15))["y"]);
    let whole = rows(&run_named(&func, &given, &sizes(15))["y"]);
    let (name, x) = given.iter().next().unwrap();
    let own = rows(x);
    for t in 1..=15 {
        let cut = Tensor::real(order.to_vec(), vec![t, 2, 2], own[..t * 4].to_vec()).unwrap();
        let made = run_named(&func, &[(name.clone(), cut)].into(), &sizes(t));
        let last = &rows(&made["y"])[(t - 1) * 4..];
        for (a, b) in [&all, &whole]
            .iter()
            .flat_map(|x| x[(t - 1) * 4..t * 4].iter().zip(last))
        {
            assert!((a - b).abs() < 1e-12, "step {t}: {a} and {b}");
        }
    }
}

#[test]
fn what_sees_the_rest_of_its_tick_is_refused() {
    let (t, p) = (Axis::time(), Axis::new("p", 2));
    let func = support::program(&[Ty::real(vec![t])], |b, v| {
        let x = patch(b, v[0], t, 2, p);
        let c = b.sum(&[p], x).unwrap();
        let c = b.expand(c, &[p]).unwrap();
        unpatch(b, c, 2, p, t)
    });
    let why = at_every_step(&func).unwrap_err().to_string();
    assert!(why.contains("reads later times"), "{why}");
}
