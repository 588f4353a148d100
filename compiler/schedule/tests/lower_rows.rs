//! Rows, views, products, sums over run-time axes, gathers and scatters.

mod lower_support;

use lower_support::{check, data, tokens};
use seqc_algebra::{Axis, Builder, MapFn, Op, ReduceOp, ShapeError};

const LENGTHS: &[&[(&str, usize)]] = &[
    &[("batch", 1), ("t", 1)],
    &[("batch", 3), ("t", 2)],
    &[("batch", 1), ("t", 17)],
    &[("batch", 3), ("t", 65)],
    &[("batch", 2), ("t", 130)],
];

fn bt() -> [Axis; 2] {
    [Axis::batch(), Axis::time()]
}

fn row(c: Axis) -> Vec<Axis> {
    vec![Axis::batch(), Axis::time(), c]
}

#[test]
fn normalised_linear_layer() -> Result<(), ShapeError> {
    let (d, e) = (Axis::new("d", 24), Axis::new("e", 20));
    let mut b = Builder::new("f");
    let x = data(&mut b, "x", &row(d));
    let scale = data(&mut b, "scale", &[d]);
    let w = data(&mut b, "w", &[d, e]);
    let sq = b.mul(x, x)?;
    let ss = b.sum(&[d], sq)?;
    let n = b.num(24.0);
    let ms = b.div(ss, n)?;
    let eps = b.num(1e-3);
    let ms = b.add2(ms, eps)?;
    let r = b.map1(MapFn::Sqrt, ms)?;
    let y = b.div(x, r)?;
    let y = b.mul(y, scale)?;
    let z = b.contract(&[d], &[y, w])?;
    let s = b.map1(MapFn::Sigmoid, z)?;
    let out = b.mul(z, s)?;
    b.result("out", out);
    b.result("norm", y);
    let all = [bt().to_vec(), vec![d]].concat();
    let g = b.contract(&bt(), &[x, out])?;
    b.result("grad", g);
    let total = b.sum(&all, y)?;
    b.result("total", total);
    let most = b.push(Op::Reduce(ReduceOp::Max, vec![Axis::time()]), &[y])?;
    b.result("most", most);
    check(&b.finish(), LENGTHS);
    Ok(())
}

#[test]
fn views_and_shifts() -> Result<(), ShapeError> {
    let (d, h, k) = (Axis::new("d", 12), Axis::new("h", 3), Axis::new("k", 4));
    let lag = Axis::new("lag", 4);
    let mut b = Builder::new("f");
    let x = data(&mut b, "x", &row(d));
    let w = data(&mut b, "w", &[lag, d]);
    let e = b.map1(MapFn::Exp, x)?;
    let window = b.push(
        Op::Window {
            axis: Axis::time(),
            lag,
            ahead: false,
        },
        &[e],
    )?;
    let conv = b.contract(&[lag], &[window, w])?;
    b.result("conv", conv);
    let back = b.push(
        Op::Unwindow {
            axis: Axis::time(),
            lag,
            ahead: false,
        },
        &[window],
    )?;
    b.result("back", back);
    let s = b.push(
        Op::Split {
            axis: d,
            into: vec![h, k],
        },
        &[conv],
    )?;
    let p = b.push(Op::Pick { axis: h, index: 1 }, &[s])?;
    b.result("picked", p);
    let q = b.push(Op::Place { axis: h, index: 2 }, &[p])?;
    let m = b.push(
        Op::Merge {
            axes: vec![h, k],
            into: d,
        },
        &[q],
    )?;
    b.result("placed", m);
    for by in [-3, 1, 2] {
        let moved = b.shift(e, Axis::time(), by)?;
        b.result(&format!("shift{by}"), moved);
    }
    let f = b.push(Op::Flip(Axis::time()), &[x])?;
    let g = b.push(Op::Flip(d), &[f])?;
    b.result("flipped", g);
    let st = b.push(Op::Stack(Axis::new("two", 2)), &[x, e])?;
    b.result("stacked", st);
    let length = b.push(Op::Length(seqc_algebra::Axis::time().size), &[])?;
    let at = b.iota(Axis::time())?;
    let left = b.sub(length, at)?;
    b.result("left", left);
    b.result("again", x);
    let two = b.num(2.0);
    b.result("two", two);
    check(&b.finish(), LENGTHS);
    Ok(())
}

#[test]
fn embedding_and_cross_entropy() -> Result<(), ShapeError> {
    let (d, v) = (Axis::new("d", 16), Axis::new("v", 7));
    let mut b = Builder::new("f");
    let ids = tokens(&mut b, "ids", &bt());
    let table = data(&mut b, "table", &[v, d]);
    let head = data(&mut b, "head", &[d, v]);
    let x = b.push(Op::Gather(v), &[table, ids])?;
    let logits = b.contract(&[d], &[x, head])?;
    let lse = b.push(Op::LogSumExp(v), &[logits])?;
    let right = b.push(Op::Gather(v), &[logits, ids])?;
    let loss = b.sub(lse, right)?;
    let sum = b.sum(&bt(), loss)?;
    b.result("loss", sum);
    let p = b.push(Op::Softmax(v), &[logits])?;
    let at = b.iota(v)?;
    let hit = b.map2(MapFn::Eq, at, ids)?;
    let g = b.sub(p, hit)?;
    b.result("g", g);
    let gx = b.contract(&[v], &[g, head])?;
    let gt = b.push(
        Op::ScatterAdd {
            axis: v,
            over: bt().to_vec(),
        },
        &[gx, ids],
    )?;
    b.result("grad.table", gt);
    let gh = b.contract(&bt(), &[x, g])?;
    b.result("grad.head", gh);
    let best = b.push(Op::Reduce(ReduceOp::ArgMax, vec![v]), &[logits])?;
    b.result("best", best);
    let top = b.push(Op::TopMask(v, 3), &[logits])?;
    b.result("top", top);
    let bias = b.sum(&bt(), g)?;
    b.result("bias", bias);
    check(&b.finish(), LENGTHS);
    Ok(())
}

#[test]
fn heads_and_batched_products() -> Result<(), ShapeError> {
    let (h, k, v, t, s) = (
        Axis::new("h", 3),
        Axis::new("k", 8),
        Axis::new("v", 6),
        Axis::time(),
        Axis::len("s", "t"),
    );
    let mut b = Builder::new("f");
    let x = data(&mut b, "x", &[Axis::batch(), t, h, k]);
    let w = data(&mut b, "w", &[h, k, v]);
    let y = b.contract(&[k], &[x, w])?;
    b.result("y", y);
    let xs = b.rename(x, t, s)?;
    let scores = b.contract(&[k], &[x, xs])?;
    let (i, j) = (b.iota(t)?, b.iota(s)?);
    let mask = b.map2(MapFn::Le, j, i)?;
    let least = b.num(f64::NEG_INFINITY);
    let masked = b.select(mask, scores, least)?;
    let p = b.push(Op::Softmax(s), &[masked])?;
    let ys = b.rename(y, t, s)?;
    let o = b.contract(&[s], &[p, ys])?;
    b.result("o", o);
    let three = b.contract(&[k, h], &[x, w, x])?;
    b.result("three", three);
    check(&b.finish(), &LENGTHS[..3]);
    Ok(())
}

#[test]
fn convolutions() -> Result<(), ShapeError> {
    let (c, t, lag) = (Axis::new("c", 5), Axis::time(), Axis::len("lag", "t"));
    let mut b = Builder::new("f");
    let x = data(&mut b, "x", &row(c));
    let f = data(&mut b, "f", &[lag, c]);
    for ahead in [false, true] {
        let y = b.push(
            Op::Conv {
                axis: t,
                lag,
                ahead,
            },
            &[f, x],
        )?;
        b.result(&format!("y{ahead}"), y);
        let g = b.push(
            Op::ConvKernel {
                axis: t,
                lag,
                ahead,
                over: vec![Axis::batch()],
            },
            &[x, y],
        )?;
        b.result(&format!("g{ahead}"), g);
    }
    check(&b.finish(), &LENGTHS[..4]);
    Ok(())
}

/// A product too small for the runtime's routine is an atom of the kernel that reads it, at that kernel's row.
#[test]
fn small_products_inside_of_rows() -> Result<(), ShapeError> {
    let (d, low, k) = (Axis::new("d", 6), Axis::new("low", 2), Axis::new("k", 6));
    let mut b = Builder::new("f");
    let x = data(&mut b, "x", &[Axis::batch(), d]);
    let down = data(&mut b, "down", &[d, low]);
    let up = data(&mut b, "up", &[low, k]);
    let w = b.contract(&[d], &[x, down])?;
    let a = b.contract(&[low], &[w, up])?;
    let a = b.map1(MapFn::Sigmoid, a)?;
    b.result("a", a);
    check(
        &b.finish(),
        &[&[("batch", 1)], &[("batch", 5)], &[("batch", 70)]],
    );
    Ok(())
}

/// Bits of tokens and positions: those are words, whatever f32 holds.
#[test]
fn hashes_and_exclusive_or() -> Result<(), ShapeError> {
    let j = Axis::len("j", "t");
    let mut b = Builder::new("f");
    let x = tokens(&mut b, "x", &bt());
    let (t, j) = (b.iota(Axis::time())?, b.iota(j)?);
    let thirty = b.num(30.0);
    let four = b.num(4.0);
    let early = b.sub(t, thirty)?;
    let block = b.div(j, four)?;
    let block = b.map1(MapFn::Floor, block)?;
    let by_token = b.map2(MapFn::Hash, x, early)?;
    b.result("by_token", by_token);
    let by_block = b.map2(MapFn::Hash, block, t)?;
    b.result("by_block", by_block);
    let xor = b.map2(MapFn::Xor, block, x)?;
    let level = b.map1(MapFn::BitLen, xor)?;
    b.result("xor", xor);
    b.result("level", level);
    let seven = b.num(7.0);
    let known = b.map2(MapFn::Hash, seven, four)?;
    let known = b.mul(known, t)?;
    b.result("known", known);
    check(&b.finish(), LENGTHS);
    Ok(())
}
