//! Gradients of scans: steps and tiles, ragged tails, both directions, bounds, entering states read outside,
//! nesting, maps without states, parameters as fixed operands; and how cotangents of fixed operands are formed.

mod support;
use seqc_algebra::*;
use support::check;

fn ax(name: &str, n: usize) -> Axis {
    Axis::new(name, n)
}

fn real(axes: &[Axis]) -> Ty {
    Ty::real(axes.to_vec())
}

/// Starts a body: its builder and its parameters behind the position.
fn body(params: &[(&str, Ty)]) -> (Builder, Vec<ValueId>) {
    let mut b = Builder::new("body");
    b.input("p", InputKind::Formal, real(&[]));
    let ids = params
        .iter()
        .map(|(n, t)| b.input(n, InputKind::Formal, t.clone()))
        .collect();
    (b, ids)
}

#[allow(clippy::too_many_arguments)]
fn scan(
    axis: Axis,
    tile: Option<Axis>,
    reverse: bool,
    states: usize,
    seqs: usize,
    fixed: usize,
    body: Func,
    outs: Vec<Out>,
) -> Scan {
    Scan {
        tile,
        reverse,
        ..Scan::steps(axis, states, &vec![0.0; seqs], fixed, body, outs)
    }
}

fn data(b: &mut Builder, name: &str, axes: &[Axis]) -> ValueId {
    b.input(name, InputKind::Data, real(axes))
}

/// A gated recurrence with a dense recurrent weight, start given: `s <- tanh(W s + U x) · a`.
fn recurrence(reverse: bool, outs: Vec<Out>) -> Func {
    let (n, t, k, k2, d) = (
        Axis::batch(),
        Axis::time(),
        ax("k", 3),
        ax("k'", 3),
        ax("d", 2),
    );
    let (mut f, p) = body(&[
        ("s", real(&[n, k])),
        ("x", real(&[n, d])),
        ("a", real(&[n, k])),
        ("w", real(&[k, k2])),
        ("u", real(&[d, k])),
        ("bias", real(&[k])),
    ]);
    let ws = f.contract(&[k], &[p[0], p[3]]).unwrap();
    let ws = f.rename(ws, k2, k).unwrap();
    let ux = f.contract(&[d], &[p[1], p[4]]).unwrap();
    let sum = f.add2(ws, ux).unwrap();
    let sum = f.add2(sum, p[5]).unwrap();
    let h = f.map1(MapFn::Tanh, sum).unwrap();
    let next = f.mul(h, p[2]).unwrap();
    f.result("s", next);
    f.result("h", h);
    let mut b = Builder::new("f");
    let s0 = data(&mut b, "s0", &[n, k]);
    let x = data(&mut b, "x", &[n, t, d]);
    let a = data(&mut b, "a", &[n, t, k]);
    let w = data(&mut b, "w", &[k, k2]);
    let u = data(&mut b, "u", &[d, k]);
    let bias = data(&mut b, "bias", &[k]);
    let names: Vec<String> = (0..outs.len()).map(|k| format!("y{k}")).collect();
    let ys = b
        .scan(
            scan(t, None, reverse, 1, 2, 3, f.finish(), outs),
            &[s0, x, a, w, u, bias],
        )
        .unwrap();
    for (name, y) in names.iter().zip(ys) {
        b.result(name, y);
    }
    b.finish()
}

#[test]
fn recurrences_in_both_directions() {
    for reverse in [false, true] {
        for outs in [
            vec![Out::Emit(0)],
            vec![Out::Final(0)],
            vec![Out::Enter(0)],
            vec![Out::Emit(0), Out::Final(0), Out::Enter(0)],
        ] {
            for t in [1, 2, 5] {
                check(
                    &recurrence(reverse, outs.clone()),
                    &[("batch", 2), ("t", t)],
                    t as u64,
                );
            }
        }
    }
}

/// A weight used as a matrix inside a loop gets its gradient by one contraction over time outside of it.
#[test]
fn outer_products_are_contracted_outside() {
    let func = recurrence(false, vec![Out::Emit(0)]);
    let wrt: Vec<ValueId> = func.params.clone();
    let g = seqc_derive::grad::vjp(&func, &wrt, &["y0"]).unwrap();
    let back = g.ids().filter_map(|v| match g.op(v) {
        Op::Scan(s) if s.reverse => Some(s.clone()),
        _ => None,
    });
    let back: Vec<_> = back.collect();
    assert_eq!(back.len(), 1);
    // Carried: the state's cotangent and the bias's sum; neither weight.
    assert_eq!(back[0].states, 2, "{g}");
    // The bias's sum is one for each sequence: nothing in the loop mixes the batch.
    let sums = back[0].body.values.iter().any(|v| match &v.op {
        Op::Contract(over) | Op::Reduce(_, over) => over.contains(&Axis::batch()),
        _ => false,
    });
    assert!(!sums, "{g}");
}

/// A chunked linear recurrence with decay (scalar per position), tiles of 4: inside a tile by a masked product.
fn chunked(reverse: bool) -> Func {
    let (n, t, c, e, dk, dv) = (
        Axis::batch(),
        Axis::time(),
        ax("c", 4),
        ax("e", 4),
        ax("dk", 2),
        ax("dv", 3),
    );
    let (mut f, p) = body(&[
        ("s", real(&[n, dk, dv])),
        ("q", real(&[n, c, dk])),
        ("k", real(&[n, c, dk])),
        ("v", real(&[n, c, dv])),
        ("g", real(&[n, c])),
        ("scale", real(&[dk])),
    ]);
    let zero = f.num(0.0);
    let (i, j) = (f.iota(e).unwrap(), f.iota(c).unwrap());
    // pre[e] = Σ_{c<=e} g[c]
    let upto = f
        .map2(if reverse { MapFn::Le } else { MapFn::Ge }, i, j)
        .unwrap();
    let pre = f.contract(&[c], &[upto, p[4]]).unwrap();
    let pre_c = f.rename(pre, e, c).unwrap();
    let tot = f.sum(&[c], p[4]).unwrap();
    let diff = f.sub(pre, pre_c).unwrap();
    let d = f.select(upto, diff, zero).unwrap();
    let d = f.map1(MapFn::Exp, d).unwrap();
    let d = f.select(upto, d, zero).unwrap();
    let q = f.mul(p[1], p[5]).unwrap();
    let qe = f.rename(q, c, e).unwrap();
    let inside = f.contract(&[c, dk], &[qe, p[2], d, p[3]]).unwrap();
    let epre = f.map1(MapFn::Exp, pre).unwrap();
    let carried = f.contract(&[dk], &[qe, p[0], epre]).unwrap();
    let y = f.add2(inside, carried).unwrap();
    let y = f.rename(y, e, c).unwrap();
    let suf = f.sub(tot, pre_c).unwrap();
    let suf = f.map1(MapFn::Exp, suf).unwrap();
    let added = f.contract(&[c], &[p[2], suf, p[3]]).unwrap();
    let etot = f.map1(MapFn::Exp, tot).unwrap();
    let kept = f.mul(etot, p[0]).unwrap();
    let next = f.add2(kept, added).unwrap();
    f.result("s", next);
    f.result("y", y);
    f.result("tot", tot);
    let mut b = Builder::new("f");
    let s0 = data(&mut b, "s0", &[n, dk, dv]);
    let q = data(&mut b, "q", &[n, t, dk]);
    let k = data(&mut b, "k", &[n, t, dk]);
    let v = data(&mut b, "v", &[n, t, dv]);
    let g = data(&mut b, "g", &[n, t]);
    let scale = data(&mut b, "scale", &[dk]);
    let outs = vec![Out::Emit(0), Out::Final(0), Out::Enter(0), Out::Emit(1)];
    let ys = b
        .scan(
            scan(t, Some(c), reverse, 1, 4, 1, f.finish(), outs),
            &[s0, q, k, v, g, scale],
        )
        .unwrap();
    for (name, y) in ["y", "final", "enter", "tot"].iter().zip(ys) {
        b.result(name, y);
    }
    b.finish()
}

#[test]
fn tiles_with_ragged_tails() {
    for reverse in [false, true] {
        for t in [1, 3, 4, 5, 8, 10] {
            check(&chunked(reverse), &[("batch", 2), ("t", t)], t as u64);
        }
    }
}

/// Two passes, as a chunked mixer has: entering states by a scan, then a map over tiles that reads them.
#[test]
fn maps_over_tiles_read_entering_states() {
    let (t, c, d, k) = (Axis::time(), ax("c", 3), ax("d", 2), ax("k", 4));
    let (mut f, p) = body(&[("s", real(&[d])), ("x", real(&[c, d])), ("a", real(&[d]))]);
    let sum = f.sum(&[c], p[1]).unwrap();
    let sa = f.mul(p[0], p[2]).unwrap();
    let next = f.add2(sa, sum).unwrap();
    f.result("s", next);
    let first = scan(t, Some(c), false, 1, 1, 1, f.finish(), vec![Out::Enter(0)]);
    let (mut m, p) = body(&[
        ("x", real(&[c, d])),
        ("s", real(&[d])),
        ("w", real(&[d, k])),
        ("a", real(&[d])),
        ("one", real(&[])),
    ]);
    let xs = m.mul(p[0], p[1]).unwrap();
    let sw = m.contract(&[d], &[xs, p[2]]).unwrap();
    let ax_ = m.mul(xs, p[3]).unwrap();
    let e = m.sum(&[d], ax_).unwrap();
    let e = m.mul(e, p[4]).unwrap();
    m.result("y", sw);
    m.result("e", e);
    let second = scan(
        t,
        Some(c),
        false,
        0,
        2,
        3,
        m.finish(),
        vec![Out::Emit(0), Out::Emit(1)],
    );
    let mut b = Builder::new("f");
    let s0 = data(&mut b, "s0", &[d]);
    let x = data(&mut b, "x", &[t, d]);
    let a = data(&mut b, "a", &[d]);
    let w = data(&mut b, "w", &[d, k]);
    let one = data(&mut b, "one", &[]);
    let s = b.scan(first, &[s0, x, a]).unwrap()[0];
    let ys = b.scan(second, &[x, s, w, a, one]).unwrap();
    b.result("y", ys[0]);
    b.result("e", ys[1]);
    let func = b.finish();
    for n in [1, 3, 7] {
        check(&func, &[("t", n)], n as u64);
    }
    // The transposed map stays a map: no state is carried.
    let g = seqc_derive::grad::vjp(&func, &func.params, &["y", "e"]).unwrap();
    let maps = g
        .ids()
        .filter(|v| matches!(g.op(*v), Op::Scan(s) if s.states == 0))
        .count();
    assert_eq!(maps, 2, "{g}");
}

/// Tiled causal attention: a map over query tiles, inside it a bounded scan over key tiles with online softmax.
fn attention(bounded: bool) -> Func {
    let (t, i, j, d, dv) = (
        Axis::time(),
        ax("i", 3),
        ax("j", 2),
        ax("d", 2),
        ax("dv", 2),
    );
    // Inner: states m, l, o over key tiles.
    let (mut f, p) = body(&[
        ("m", real(&[i])),
        ("l", real(&[i])),
        ("o", real(&[i, dv])),
        ("k", real(&[j, d])),
        ("v", real(&[j, dv])),
        ("q", real(&[i, d])),
        ("at", real(&[])),
    ]);
    let start = f.func().params[0];
    let (ii, jj) = (f.iota(i).unwrap(), f.iota(j).unwrap());
    let (ii, jj) = (f.add2(ii, p[6]).unwrap(), f.add2(jj, start).unwrap());
    let ok = f.map2(MapFn::Le, jj, ii).unwrap();
    let s = f.contract(&[d], &[p[5], p[3]]).unwrap();
    let low = f.num(f64::NEG_INFINITY);
    let s = f.select(ok, s, low).unwrap();
    let top = f.push(Op::Reduce(ReduceOp::Max, vec![j]), &[s]).unwrap();
    let m = f.map2(MapFn::Max, p[0], top).unwrap();
    let m = f.map1(MapFn::Stop, m).unwrap();
    let safe = {
        let zero = f.num(0.0);
        let none = f.map2(MapFn::Eq, m, low).unwrap();
        f.select(none, zero, m).unwrap()
    };
    let e = f.sub(s, safe).unwrap();
    let e = f.map1(MapFn::Exp, e).unwrap();
    let old = f.map1(MapFn::Stop, p[0]).unwrap();
    let shrink = f.sub(old, safe).unwrap();
    let shrink = f.map1(MapFn::Exp, shrink).unwrap();
    let l = f.mul(p[1], shrink).unwrap();
    let el = f.sum(&[j], e).unwrap();
    let l = f.add2(l, el).unwrap();
    let o = f.mul(p[2], shrink).unwrap();
    let eo = f.contract(&[j], &[e, p[4]]).unwrap();
    let o = f.add2(o, eo).unwrap();
    f.result("m", m);
    f.result("l", l);
    f.result("o", o);
    let inner = Scan {
        hi: bounded,
        ..scan(
            t,
            Some(j),
            false,
            3,
            2,
            2,
            f.finish(),
            vec![Out::Final(1), Out::Final(2)],
        )
    };
    let (mut g, p) = body(&[
        ("q", real(&[i, d])),
        ("k", real(&[t, d])),
        ("v", real(&[t, dv])),
    ]);
    let at = g.func().params[0];
    let (zero, low, three) = (g.num(0.0), g.num(f64::NEG_INFINITY), g.num(3.0));
    let (m0, l0) = (g.expand(low, &[i]).unwrap(), g.expand(zero, &[i]).unwrap());
    let o0 = g.expand(zero, &[i, dv]).unwrap();
    let mut args = vec![m0, l0, o0, p[1], p[2], p[0], at];
    if bounded {
        args.push(g.add2(at, three).unwrap());
    }
    let lo = g.scan(inner, &args).unwrap();
    let y = g.div(lo[1], lo[0]).unwrap();
    g.result("y", y);
    let outer = scan(t, Some(i), false, 0, 1, 2, g.finish(), vec![Out::Emit(0)]);
    let mut b = Builder::new("attention");
    let q = data(&mut b, "q", &[t, d]);
    let k = data(&mut b, "k", &[t, d]);
    let v = data(&mut b, "v", &[t, dv]);
    let y = b.scan(outer, &[q, k, v]).unwrap()[0];
    b.result("y", y);
    b.finish()
}

#[test]
fn online_softmax_in_nested_tiles() {
    for bounded in [false, true] {
        for t in [1, 2, 3, 5, 7] {
            check(&attention(bounded), &[("t", t)], t as u64);
        }
    }
}

/// Bounds: steps left out emit nothing, so nothing flows back through them.
#[test]
fn bounded_steps() {
    let (t, d, k) = (Axis::time(), ax("d", 3), ax("k", 3));
    let (mut f, p) = body(&[("s", real(&[d])), ("x", real(&[d])), ("w", real(&[d, k]))]);
    let wx = f.contract(&[d], &[p[1], p[2]]).unwrap();
    let wx = f.rename(wx, k, d).unwrap();
    let half = f.num(0.5);
    let s = f.mul(p[0], half).unwrap();
    let next = f.add2(s, wx).unwrap();
    f.result("s", next);
    f.result("y", wx);
    let s = Scan {
        lo: true,
        hi: true,
        ..scan(
            t,
            None,
            false,
            1,
            1,
            1,
            f.finish(),
            vec![Out::Emit(0), Out::Final(0)],
        )
    };
    let mut b = Builder::new("f");
    let s0 = data(&mut b, "s0", &[d]);
    let x = data(&mut b, "x", &[t, d]);
    let w = data(&mut b, "w", &[d, k]);
    let (lo, hi) = (b.num(1.0), b.num(4.0));
    let ys = b.scan(s, &[s0, x, w, lo, hi]).unwrap();
    b.result("y", ys[0]);
    b.result("s", ys[1]);
    check(&b.finish(), &[("t", 6)], 3);
}

/// A decay computed inside the body from a parameter moves before the loop; complex states.
#[test]
fn complex_diagonal_state() {
    let (t, n, d) = (Axis::time(), ax("n", 3), ax("d", 2));
    let cplx = |axes: &[Axis]| Ty {
        elem: Elem::Complex,
        axes: axes.to_vec(),
    };
    let (mut f, p) = body(&[
        ("s", cplx(&[n, d])),
        ("x", real(&[d])),
        ("nu", real(&[n])),
        ("theta", real(&[n])),
        ("b", cplx(&[n])),
        ("c", cplx(&[n, d])),
    ]);
    let decay = f.map1(MapFn::Softplus, p[2]).unwrap();
    let decay = f.neg(decay).unwrap();
    let log = f.map2(MapFn::Complex, decay, p[3]).unwrap();
    let lam = f.map1(MapFn::Exp, log).unwrap();
    let kept = f.mul(lam, p[0]).unwrap();
    let added = f.mul(p[4], p[1]).unwrap();
    let next = f.add2(kept, added).unwrap();
    let y = f.contract(&[n], &[p[5], next]).unwrap();
    let y = f.map1(MapFn::Re, y).unwrap();
    f.result("s", next);
    f.result("y", y);
    let mut b = Builder::new("f");
    let s0 = b.input("s0", InputKind::Data, cplx(&[n, d]));
    let x = data(&mut b, "x", &[t, d]);
    let nu = data(&mut b, "nu", &[n]);
    let theta = data(&mut b, "theta", &[n]);
    let bb = b.input("b", InputKind::Data, cplx(&[n]));
    let c = b.input("c", InputKind::Data, cplx(&[n, d]));
    let y = b
        .scan(
            scan(
                t,
                None,
                false,
                1,
                1,
                4,
                f.finish(),
                vec![Out::Emit(0), Out::Final(0)],
            ),
            &[s0, x, nu, theta, bb, c],
        )
        .unwrap();
    b.result("y", y[0]);
    b.result("s", y[1]);
    check(&b.finish(), &[("t", 4)], 5);
}

/// A recurrence in two levels: tiles carry the state, inside a tile a scan over its positions. The gradient keeps
/// one state a tile and recomputes the rest, and the weight is still met by one contraction over all of time.
#[test]
fn two_levels_keep_one_state_a_tile() {
    let (n, t, c, k, k2) = (
        Axis::batch(),
        Axis::time(),
        ax("c", 3),
        ax("k", 8),
        ax("k'", 8),
    );
    let (mut f, p) = body(&[
        ("s", real(&[n, k])),
        ("x", real(&[n, k])),
        ("on", real(&[])),
        ("w", real(&[k, k2])),
    ]);
    let ws = f.contract(&[k], &[p[0], p[3]]).unwrap();
    let ws = f.rename(ws, k2, k).unwrap();
    let sum = f.add2(ws, p[1]).unwrap();
    let h = f.map1(MapFn::Tanh, sum).unwrap();
    let next = f.select(p[2], h, p[0]).unwrap();
    f.result("s", next);
    f.result("h", h);
    let inner = scan(
        c,
        None,
        false,
        1,
        2,
        1,
        f.finish(),
        vec![Out::Emit(0), Out::Final(0)],
    );
    let (mut g, p) = body(&[
        ("s", real(&[n, k])),
        ("x", real(&[n, c, k])),
        ("on", real(&[c])),
        ("w", real(&[k, k2])),
    ]);
    let ys = g.scan(inner, &[p[0], p[1], p[2], p[3]]).unwrap();
    g.result("s", ys[1]);
    g.result("h", ys[0]);
    let mut b = Builder::new("f");
    let s0 = data(&mut b, "s0", &[n, k]);
    let x = data(&mut b, "x", &[n, t, k]);
    let w = data(&mut b, "w", &[k, k2]);
    let one = b.num(1.0);
    let on = b.expand(one, &[t]).unwrap();
    let ys = b
        .scan(
            scan(
                t,
                Some(c),
                false,
                1,
                2,
                1,
                g.finish(),
                vec![Out::Emit(0), Out::Final(0)],
            ),
            &[s0, x, on, w],
        )
        .unwrap();
    b.result("h", ys[0]);
    b.result("s", ys[1]);
    let func = b.finish();
    for t in [1, 3, 4, 7] {
        check(&func, &[("batch", 2), ("t", t)], t as u64);
    }
    let g = seqc_derive::grad::vjp(&func, &[w], &["h"]).unwrap();
    let carried = |f: &Func| {
        f.values.iter().find_map(|v| {
            if let Op::Scan(s) = &v.op {
                s.reverse.then_some(s.states)
            } else {
                None
            }
        })
    };
    assert_eq!(carried(&g), Some(1), "{g}");
}

/// Second order: the gradient's own gradient, through the transposed scan.
#[test]
fn gradients_of_gradients() {
    let first_order = |func: &Func, wrt: &[usize], out: &str| {
        let wrt: Vec<ValueId> = wrt.iter().map(|k| func.params[*k]).collect();
        let mut g = seqc_derive::grad::vjp(func, &wrt, &[out]).unwrap();
        for (k, (name, _)) in g.results.iter_mut().enumerate() {
            *name = format!("z{k}");
        }
        g
    };
    check(
        &first_order(&recurrence(false, vec![Out::Emit(0)]), &[1, 3], "y0"),
        &[("batch", 1), ("t", 3)],
        1,
    );
    check(
        &first_order(&chunked(false), &[1, 4], "y"),
        &[("batch", 1), ("t", 5)],
        1,
    );
    // Without new names the second gradient would meet the first one's.
    let func = recurrence(false, vec![Out::Emit(0)]);
    let g = seqc_derive::grad::vjp(&func, &[func.params[1]], &["y0"]).unwrap();
    assert!(seqc_derive::grad::vjp(&g, &[g.params[1]], &["y0"]).is_err());
}
