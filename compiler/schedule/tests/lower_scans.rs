//! Scans: stepwise, tiled, nested, bounded, with shared weights; forms that the derivations make.

mod lower_support;

use lower_support::{check, data};
use seqc_algebra::{
    Axis, Builder, Func, InputKind, MapFn, Num, Op, Out, ReduceOp, Scan, SeqIn, Ty, ValueId,
};
use seqc_derive::{chunk, grad, sink, softmax, stream};

type Done = Result<(), Box<dyn std::error::Error>>;

const LENGTHS: &[&[(&str, usize)]] = &[
    &[("batch", 1), ("t", 1)],
    &[("batch", 3), ("t", 2)],
    &[("batch", 1), ("t", 17)],
    &[("batch", 3), ("t", 64)],
    &[("batch", 1), ("t", 65)],
];

fn bt(rest: &[Axis]) -> Vec<Axis> {
    [vec![Axis::batch(), Axis::time()], rest.to_vec()].concat()
}

fn formal(b: &mut Builder, name: &str, axes: &[Axis]) -> ValueId {
    b.input(name, InputKind::Formal, Ty::real(axes))
}

fn steps(
    states: usize,
    seqs: usize,
    fixed: usize,
    reverse: bool,
    body: Func,
    outs: Vec<Out>,
) -> Scan {
    let seqs = (0..seqs).map(|_| SeqIn { fill: Num(0.0) }).collect();
    Scan {
        axis: Axis::time(),
        tile: None,
        reverse,
        states,
        seqs,
        fixed,
        lo: false,
        hi: false,
        body,
        outs,
    }
}

/// `S = a S + k v`, `y = q S`, with or without a decay that depends on k.
fn linear_recurrence(decay: &[Axis], reverse: bool) -> Result<Func, Box<dyn std::error::Error>> {
    let (h, k, v) = (Axis::new("h", 2), Axis::new("k", 8), Axis::new("v", 12));
    let mut b = Builder::new("f");
    let q = data(&mut b, "q", &bt(&[h, k]));
    let kk = data(&mut b, "k", &bt(&[h, k]));
    let vv = data(&mut b, "v", &bt(&[h, v]));
    let a = data(&mut b, "a", &bt(&[&[h], decay].concat()));
    let a = b.map1(MapFn::Sigmoid, a)?;
    let s_axes = [Axis::batch(), h, k, v];
    let zero = b.num(0.0);
    let s0 = b.expand(zero, &s_axes)?;
    let mut c = Builder::new("step");
    formal(&mut c, "pos", &[]);
    let row = |rest: &[Axis]| [&[Axis::batch(), h], rest].concat();
    let s = formal(&mut c, "S", &s_axes);
    let qi = formal(&mut c, "q", &row(&[k]));
    let ki = formal(&mut c, "k", &row(&[k]));
    let vi = formal(&mut c, "v", &row(&[v]));
    let ai = formal(&mut c, "a", &row(decay));
    let old = c.mul(s, ai)?;
    let new = c.contract(&[], &[ki, vi])?;
    let s2 = c.add2(old, new)?;
    let y = c.contract(&[k], &[qi, s2])?;
    c.result("S", s2);
    c.result("y", y);
    let scan = steps(
        1,
        4,
        0,
        reverse,
        c.finish(),
        vec![Out::Emit(0), Out::Final(0)],
    );
    let r = b.scan(scan, &[s0, q, kk, vv, a])?;
    b.result("y", r[0]);
    b.result("last", r[1]);
    Ok(b.finish())
}

#[test]
fn stepwise_linear_recurrence() -> Done {
    check(&linear_recurrence(&[], false)?, LENGTHS);
    check(
        &linear_recurrence(&[Axis::new("k", 8)], true)?,
        &LENGTHS[..3],
    );
    Ok(())
}

#[test]
fn chunked_linear_recurrence() -> Done {
    for decay in [vec![], vec![Axis::new("k", 8)]] {
        for reverse in [false, true] {
            let f = chunk::chunk_scans(&linear_recurrence(&decay, reverse)?, 16)?;
            check(&f, LENGTHS);
        }
    }
    Ok(())
}

fn wrt(f: &Func, names: &[&str]) -> Vec<ValueId> {
    f.params
        .iter()
        .copied()
        .filter(|p| {
            f.input(*p)
                .is_some_and(|i| names.contains(&i.name.as_str()))
        })
        .collect()
}

#[test]
fn gradient_of_chunked_recurrence() -> Done {
    let f = chunk::chunk_scans(&linear_recurrence(&[], false)?, 16)?;
    let g = grad::vjp(&f, &wrt(&f, &["q", "k", "v", "a"]), &["y"])?;
    check(&g, LENGTHS);
    Ok(())
}

/// An LSTM-like cell: the state is multiplied by shared weights.
fn gated_cell() -> Result<Func, Box<dyn std::error::Error>> {
    let (d, e) = (Axis::new("d", 8), Axis::new("e", 8));
    let mut b = Builder::new("f");
    let x = data(&mut b, "x", &bt(&[d]));
    let w = data(&mut b, "w", &[e, d]);
    let u = data(&mut b, "u", &[e, d]);
    let zero = b.num(0.0);
    let s = [Axis::batch(), d];
    let h0 = b.expand(zero, &s)?;
    let mut c = Builder::new("step");
    formal(&mut c, "pos", &[]);
    let h = formal(&mut c, "h", &s);
    let cell = formal(&mut c, "c", &s);
    let xi = formal(&mut c, "x", &s);
    let wi = formal(&mut c, "w", &[e, d]);
    let ui = formal(&mut c, "u", &[e, d]);
    let he = c.rename(h, d, e)?;
    let z = c.contract(&[e], &[he, wi])?;
    let g = c.contract(&[e], &[he, ui])?;
    let z = c.add2(z, xi)?;
    let f = c.map1(MapFn::Sigmoid, z)?;
    let i = c.map1(MapFn::Tanh, g)?;
    let kept = c.mul(f, cell)?;
    let c2 = c.add2(kept, i)?;
    let t = c.map1(MapFn::Tanh, c2)?;
    let h2 = c.mul(t, f)?;
    c.result("h", h2);
    c.result("c", c2);
    c.result("y", h2);
    let scan = steps(
        2,
        1,
        2,
        false,
        c.finish(),
        vec![Out::Emit(0), Out::Final(1), Out::Enter(0)],
    );
    let r = b.scan(scan, &[h0, h0, x, w, u])?;
    b.result("y", r[0]);
    b.result("state.c", r[1]);
    b.result("h", r[2]);
    Ok(b.finish())
}

#[test]
fn shared_weights_tile_the_batch() -> Done {
    check(
        &gated_cell()?,
        &[
            &[("batch", 1), ("t", 1)],
            &[("batch", 8), ("t", 5)],
            &[("batch", 11), ("t", 3)],
        ],
    );
    Ok(())
}

#[test]
fn gradient_of_gated_cell() -> Done {
    let f = gated_cell()?;
    let g = sink::sink_reads(&grad::vjp(&f, &wrt(&f, &["x", "w", "u"]), &["y"])?)?;
    check(&g, &[&[("batch", 1), ("t", 1)], &[("batch", 9), ("t", 5)]]);
    Ok(())
}

fn attention() -> Result<Func, Box<dyn std::error::Error>> {
    let (h, k, v, t, s) = (
        Axis::new("h", 2),
        Axis::new("k", 8),
        Axis::new("v", 8),
        Axis::time(),
        Axis::len("s", "t"),
    );
    let mut b = Builder::new("f");
    let q = data(&mut b, "q", &bt(&[h, k]));
    let kk = data(&mut b, "k", &bt(&[h, k]));
    let vv = data(&mut b, "v", &bt(&[h, v]));
    let (ks, vs) = (b.rename(kk, t, s)?, b.rename(vv, t, s)?);
    let scores = b.contract(&[k], &[q, ks])?;
    let (i, j) = (b.iota(t)?, b.iota(s)?);
    let mask = b.map2(MapFn::Le, j, i)?;
    let least = b.num(f64::NEG_INFINITY);
    let masked = b.select(mask, scores, least)?;
    let p = b.push(Op::Softmax(s), &[masked])?;
    let o = b.contract(&[s], &[p, vs])?;
    b.result("o", o);
    Ok(b.finish())
}

fn streamed(f: &Func) -> Result<Func, Box<dyn std::error::Error>> {
    let f = stream::lower_renames(&softmax::expand_softmax(f)?)?;
    Ok(stream::stream_pairs(
        &f,
        stream::Tiles {
            kept: 16,
            streamed: 16,
        },
    )?)
}

#[test]
fn tiled_attention_and_its_gradient() -> Done {
    let f = attention()?;
    check(&streamed(&f)?, LENGTHS);
    let g = grad::vjp(&f, &wrt(&f, &["q", "k", "v"]), &["o"])?;
    check(&streamed(&g)?, LENGTHS);
    Ok(())
}

/// Elementwise recurrence over a wide axis, and a cumulative maximum inside a tile.
#[test]
fn elementwise_and_nested() -> Done {
    let (d, n, c) = (Axis::new("d", 72), Axis::new("n", 4), Axis::new("c", 16));
    let mut b = Builder::new("f");
    let x = data(&mut b, "x", &bt(&[d]));
    let cc = data(&mut b, "cc", &bt(&[n]));
    let a = data(&mut b, "a", &[d, n]);
    let zero = b.num(0.0);
    let s_axes = [Axis::batch(), d, n];
    let s0 = b.expand(zero, &s_axes)?;
    let mut f = Builder::new("step");
    let pos = formal(&mut f, "pos", &[]);
    let s = formal(&mut f, "s", &s_axes);
    let xi = formal(&mut f, "x", &[Axis::batch(), d]);
    let ci = formal(&mut f, "c", &[Axis::batch(), n]);
    let ai = formal(&mut f, "a", &[d, n]);
    let e = f.mul(ai, xi)?;
    let e = f.map1(MapFn::Exp, e)?;
    let old = f.mul(e, s)?;
    let s2 = f.add2(old, xi)?;
    let half = f.num(0.125);
    let s2 = f.mul(s2, half)?;
    let y = f.contract(&[n], &[s2, ci])?;
    let y = f.add2(y, pos)?;
    f.result("s", s2);
    f.result("y", y);
    let r = b.scan(
        steps(
            1,
            2,
            1,
            false,
            f.finish(),
            vec![Out::Emit(0), Out::Final(0)],
        ),
        &[s0, x, cc, a],
    )?;
    b.result("y", r[0]);
    b.result("s", r[1]);
    // A map over tiles with a running maximum inside, and bounds.
    let mut inner = Builder::new("max");
    formal(&mut inner, "pos", &[]);
    let m = formal(&mut inner, "m", &[Axis::batch(), d]);
    let xi = formal(&mut inner, "x", &[Axis::batch(), d]);
    let m2 = inner.map2(MapFn::Max, m, xi)?;
    inner.result("m", m2);
    inner.result("y", m2);
    let inner = Scan {
        axis: c,
        ..steps(
            1,
            1,
            0,
            false,
            inner.finish(),
            vec![Out::Emit(0), Out::Final(0)],
        )
    };
    let mut outer = Builder::new("tiles");
    let pos = formal(&mut outer, "pos", &[]);
    let xt = formal(&mut outer, "x", &[Axis::batch(), c, d]);
    let least = outer.num(f64::NEG_INFINITY);
    let m0 = outer.expand(least, &[Axis::batch(), d])?;
    let r = outer.scan(inner, &[m0, xt])?;
    let y = outer.add2(r[0], pos)?;
    outer.result("y", y);
    outer.result("top", r[1]);
    let mut tiles = steps(
        0,
        1,
        0,
        false,
        outer.finish(),
        vec![Out::Emit(0), Out::Emit(1)],
    );
    tiles.tile = Some(c);
    let r = b.scan(tiles, &[x])?;
    b.result("running", r[0]);
    b.result("tops", r[1]);
    let most = b.push(Op::Reduce(ReduceOp::Max, vec![d]), &[r[1]])?;
    b.result("most", most);
    check(&b.finish(), LENGTHS);
    Ok(())
}

#[test]
fn bounds_leave_steps_out() -> Done {
    let (d, c) = (Axis::new("d", 8), Axis::new("c", 4));
    let mut b = Builder::new("f");
    let x = data(&mut b, "x", &bt(&[d]));
    let zero = b.num(0.0);
    let s0 = b.expand(zero, &[Axis::batch(), d])?;
    let mut f = Builder::new("step");
    formal(&mut f, "pos", &[]);
    let s = formal(&mut f, "s", &[Axis::batch(), d]);
    let xi = formal(&mut f, "x", &[Axis::batch(), c, d]);
    let sum = f.sum(&[c], xi)?;
    let s2 = f.add2(s, sum)?;
    let y = f.add2(xi, s)?;
    f.result("s", s2);
    f.result("y", y);
    let mut scan = steps(
        1,
        1,
        0,
        true,
        f.finish(),
        vec![Out::Emit(0), Out::Final(0), Out::Enter(0)],
    );
    (scan.tile, scan.lo, scan.hi) = (Some(c), true, true);
    let (lo, hi) = (b.num(5.0), b.num(13.5));
    let r = b.scan(scan.clone(), &[s0, x, lo, hi])?;
    b.result("y", r[0]);
    b.result("s", r[1]);
    b.result("enter", r[2]);
    scan.outs = vec![Out::Final(0)];
    let r = b.scan(scan, &[s0, x, lo, hi])?;
    b.result("only", r[0]);
    check(&b.finish(), LENGTHS);
    Ok(())
}

/// One state for the batch and one for all of it, and a state over a length that each step sums: none of these axes can be
/// shared out, and no thread's memory has a place of their size.
fn run_time_states(lengthy: bool) -> Result<Func, Box<dyn std::error::Error>> {
    let (d, s) = (Axis::new("d", 3), Axis::len("s", "s"));
    let mut b = Builder::new("f");
    let x = data(&mut b, "x", &bt(&[d]));
    let w = data(&mut b, "w", &[Axis::time(), d]);
    let own = match lengthy {
        true => vec![Axis::batch(), s, d],
        false => vec![Axis::batch(), d],
    };
    let zero = b.num(0.0);
    let (s0, m0) = (b.expand(zero, &own)?, b.expand(zero, &[d])?);
    let mut c = Builder::new("step");
    formal(&mut c, "pos", &[]);
    let (old, mean) = (formal(&mut c, "S", &own), formal(&mut c, "m", &[d]));
    let (xi, wi) = (
        formal(&mut c, "x", &[Axis::batch(), d]),
        formal(&mut c, "w", &[d]),
    );
    let half = c.num(0.5);
    let kept = c.mul(mean, half)?;
    let mean = c.add2(kept, wi)?;
    let mean = c.map1(MapFn::Tanh, mean)?;
    let mut new = c.contract(&[], &[old, mean])?;
    if lengthy {
        let whole = c.sum(&[s], new)?;
        let whole = c.expand(whole, &[s])?;
        let at = c.iota(s)?;
        let at = c.expand(at, &[Axis::batch(), d])?;
        let by = c.mul(at, half)?;
        let all = c.add2(whole, by)?;
        new = c.map1(MapFn::Tanh, all)?;
    }
    let xi = c.fill(xi, &own)?;
    let new = c.add2(new, xi)?;
    c.result("S", new);
    c.result("m", mean);
    c.result("y", new);
    let outs = vec![Out::Emit(0), Out::Final(0), Out::Final(1)];
    let r = b.scan(steps(2, 2, 0, false, c.finish(), outs), &[s0, m0, x, w])?;
    for (name, v) in ["y", "last", "mean"].iter().zip(r) {
        b.result(name, v);
    }
    Ok(b.finish())
}

#[test]
fn states_of_run_time_size() -> Done {
    check(&run_time_states(false)?, LENGTHS);
    let lengths: &[&[(&str, usize)]] = &[
        &[("batch", 1), ("s", 1), ("t", 1)],
        &[("batch", 3), ("s", 5), ("t", 4)],
        &[("batch", 2), ("s", 17), ("t", 9)],
    ];
    check(&run_time_states(true)?, lengths);
    Ok(())
}

/// A histogram: each step adds its values where its indices say, the same place several times.
#[test]
fn sums_by_an_index_into_a_state() -> Done {
    let (c, n, d) = (Axis::new("c", 6), Axis::new("n", 4), Axis::new("d", 3));
    let mut b = Builder::new("f");
    let x = data(&mut b, "x", &bt(&[c, d]));
    let zero = b.num(0.0);
    let s0 = b.expand(zero, &[Axis::batch(), n, d])?;
    let mut step = Builder::new("step");
    let pos = formal(&mut step, "pos", &[]);
    let s = formal(&mut step, "S", &[Axis::batch(), n, d]);
    let xi = formal(&mut step, "x", &[Axis::batch(), c, d]);
    let at = step.iota(c)?;
    let pos = step.expand(pos, &[c])?;
    let at = step.add2(at, pos)?;
    let four = step.num(4.0);
    let at = step.map2(MapFn::Rem, at, four)?;
    let scatter = Op::ScatterAdd {
        axis: n,
        over: vec![c],
    };
    let added = step.push(scatter, &[xi, at])?;
    let next = step.add2(s, added)?;
    step.result("S", next);
    step.result("y", next);
    let scan = steps(1, 1, 0, false, step.finish(), vec![Out::Emit(0)]);
    let r = b.scan(scan, &[s0, x])?;
    b.result("y", r[0]);
    check(&b.finish(), LENGTHS);
    Ok(())
}
