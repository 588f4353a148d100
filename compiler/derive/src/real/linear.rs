//! Operations that are linear in each argument: moves act on both parts alike, products expand.

use super::pair::{self, Pair, Part};
use crate::{DeriveError, Result};
use seqc_algebra::{Axis, Builder, InputKind, MapFn, Op, Out, Scan, Ty, ValueId};

/// Products along constant axes up to this are written out.
const LARGEST_WRITTEN: usize = 64;

/// The same move of both parts; `z` must be whole along the axes that it moves.
pub(super) fn moved(b: &mut Builder, op: &Op, z: Pair, axes: &[Axis]) -> Result<Pair> {
    let mut one = |p: Part| -> Result<Part> {
        if p.is_none() {
            return Ok(None);
        }
        let v = pair::full(b, p, axes)?;
        Ok(Some(b.push(op.clone(), &[v])?))
    };
    Ok(Pair {
        re: one(z.re)?,
        im: one(z.im)?,
    })
}

/// A move of both parts by a real index.
pub(super) fn indexed(
    b: &mut Builder,
    op: &Op,
    z: Pair,
    axes: &[Axis],
    index: ValueId,
) -> Result<Pair> {
    let mut one = |p: Part| -> Result<Part> {
        if p.is_none() {
            return Ok(None);
        }
        let v = pair::full(b, p, axes)?;
        Ok(Some(b.push(op.clone(), &[v, index])?))
    };
    Ok(Pair {
        re: one(z.re)?,
        im: one(z.im)?,
    })
}

pub(super) fn stacked(b: &mut Builder, op: &Op, args: &[Pair]) -> Result<Pair> {
    let mut one = |list: Vec<Part>| -> Result<Part> {
        if list.iter().all(Option::is_none) {
            return Ok(None);
        }
        let list: Vec<ValueId> = list.into_iter().map(|p| pair::value(b, p)).collect();
        Ok(Some(b.push(op.clone(), &list)?))
    };
    Ok(Pair {
        re: one(args.iter().map(|z| z.re).collect())?,
        im: one(args.iter().map(|z| z.im).collect())?,
    })
}

/// An operation that is linear in each of two arguments, given whole.
pub(super) fn bilinear(
    b: &mut Builder,
    op: &Op,
    (x, x_axes): (Pair, &[Axis]),
    (y, y_axes): (Pair, &[Axis]),
) -> Result<Pair> {
    let mut one = |p: Part, q: Part| -> Result<Part> {
        if p.is_none() || q.is_none() {
            return Ok(None);
        }
        let (p, q) = (pair::full(b, p, x_axes)?, pair::full(b, q, y_axes)?);
        Ok(Some(b.push(op.clone(), &[p, q])?))
    };
    let (rr, ii) = (one(x.re, y.re)?, one(x.im, y.im)?);
    let (ri, ir) = (one(x.re, y.im)?, one(x.im, y.re)?);
    Ok(Pair {
        re: pair::sub(b, rr, ii)?,
        im: pair::add(b, ri, ir)?,
    })
}

/// `Σ_over Π args`: real and imaginary factors are shared by all terms, each other factor doubles them. A factor
/// within another is multiplied into it first.
pub(super) fn contract(b: &mut Builder, over: &[Axis], args: &[Pair]) -> Result<Pair> {
    let mut shared: Vec<ValueId> = vec![];
    let (mut whole, mut turns): (Vec<Pair>, usize) = (vec![], 0);
    for z in args {
        match (z.re, z.im) {
            (None, None) => return Ok(Pair::default()),
            (Some(v), None) => shared.push(v),
            (None, Some(v)) => {
                shared.push(v);
                turns += 1;
            }
            _ => whole.push(*z),
        }
    }
    while whole.len() > 2
        && let Some((small, large)) = nested(b, &whole)
    {
        let product = pair::times(b, whole[small], whole[large])?;
        whole.remove(small.max(large));
        whole[small.min(large)] = product;
    }
    let (mut re, mut im): (Vec<Term>, Vec<Term>) = (vec![(1.0, shared)], vec![]);
    for z in whole {
        let (x, y) = (pair::value(b, z.re), pair::value(b, z.im));
        let next = [with(&re, x, 1.0), with(&im, y, -1.0)].concat();
        im = [with(&re, y, 1.0), with(&im, x, 1.0)].concat();
        re = next;
    }
    let mut z = Pair {
        re: sum(b, over, &re)?,
        im: sum(b, over, &im)?,
    };
    for _ in 0..turns % 4 {
        z = pair::turn(b, z)?;
    }
    Ok(z)
}

/// A signed product.
type Term = (f64, Vec<ValueId>);

fn with(terms: &[Term], factor: ValueId, sign: f64) -> Vec<Term> {
    terms
        .iter()
        .map(|(s, list)| (s * sign, [list.as_slice(), &[factor]].concat()))
        .collect()
}

fn sum(b: &mut Builder, over: &[Axis], terms: &[Term]) -> Result<Part> {
    let mut total = None;
    for (sign, factors) in terms {
        let mut factors = factors.clone();
        let lost: Vec<Axis> = over
            .iter()
            .copied()
            .filter(|a| factors.iter().all(|f| !b.has(*f, *a)))
            .collect();
        if let Some(first) = factors.first_mut() {
            *first = b.expand(*first, &lost)?;
        }
        let term = Some(b.contract(over, &factors)?);
        total = if *sign > 0.0 {
            pair::add(b, total, term)?
        } else {
            pair::sub(b, total, term)?
        };
    }
    Ok(total)
}

/// Two factors of which the first has no axis that the second lacks.
fn nested(b: &Builder, list: &[Pair]) -> Option<(usize, usize)> {
    let has = |z: &Pair, a: Axis| [z.re, z.im].iter().flatten().any(|v| b.has(*v, a));
    let within = |x: &Pair, y: &Pair| {
        let mut axes = [x.re, x.im].into_iter().flatten().flat_map(|v| b.axes(v));
        axes.all(|a| has(y, *a))
    };
    (0..list.len())
        .flat_map(|i| (0..list.len()).map(move |j| (i, j)))
        .find(|(i, j)| i != j && within(&list[*i], &list[*j]))
}

/// The product along the axes of a value that has all of `axes`.
pub(super) fn product(b: &mut Builder, z: Pair, axes: &[Axis], over: &[Axis]) -> Result<Pair> {
    if z.im.is_none() {
        let v = pair::full(b, z.re, axes)?;
        let op = Op::Reduce(seqc_algebra::ReduceOp::Prod, over.to_vec());
        return Ok(Pair::real(Some(b.push(op, &[v])?)));
    }
    let mut axes = axes.to_vec();
    let mut z = Pair {
        re: Some(pair::full(b, z.re, &axes)?),
        im: Some(pair::full(b, z.im, &axes)?),
    };
    for axis in over {
        z = match axis.size.constant() {
            Some(n) if n <= LARGEST_WRITTEN => written_product(b, z, &axes, *axis, 0..n)?,
            _ => running_product(b, z, &axes, *axis)?,
        };
        axes.retain(|a| a != axis);
    }
    Ok(z)
}

/// A balanced tree of products.
fn written_product(
    b: &mut Builder,
    z: Pair,
    axes: &[Axis],
    axis: Axis,
    range: std::ops::Range<usize>,
) -> Result<Pair> {
    match range.len() {
        0 => Ok(Pair::real(Some(b.num(1.0)))),
        1 => {
            let index = range.start;
            moved(b, &Op::Pick { axis, index }, z, axes)
        }
        n => {
            let middle = range.start + n / 2;
            let x = written_product(b, z, axes, axis, range.start..middle)?;
            let y = written_product(b, z, axes, axis, middle..range.end)?;
            pair::times(b, x, y)
        }
    }
}

fn running_product(b: &mut Builder, z: Pair, axes: &[Axis], axis: Axis) -> Result<Pair> {
    let rest: Vec<Axis> = axes.iter().copied().filter(|a| *a != axis).collect();
    let mut body = Builder::new("product");
    body.input("position", InputKind::Formal, Ty::real(vec![]));
    let mut formal = |name| body.input(name, InputKind::Formal, Ty::real(rest.clone()));
    let state = Pair {
        re: Some(formal("re")),
        im: Some(formal("im")),
    };
    let entry = Pair {
        re: Some(formal("x.re")),
        im: Some(formal("x.im")),
    };
    let next = pair::times(&mut body, state, entry)?;
    for (name, part) in [("re", next.re), ("im", next.im)] {
        let v = pair::full(&mut body, part, &rest)?;
        body.result(name, v);
    }
    let outs = vec![Out::Final(0), Out::Final(1)];
    let scan = Scan::steps(axis, 2, &[0.0; 2], 0, body.finish(), outs);
    let one = Some(b.num(1.0));
    let (one, zero) = (pair::full(b, one, &rest)?, pair::full(b, None, &rest)?);
    let (re, im) = (pair::value(b, z.re), pair::value(b, z.im));
    let results = b.scan(scan, &[one, zero, re, im])?;
    Ok(Pair {
        re: Some(results[0]),
        im: Some(results[1]),
    })
}

/// A triangular system as a real one of twice the size, in which the parts of an unknown lie side by side:
/// `[[Re, -Im], [Im, Re]]` in place of each entry below the diagonal, and of its conjugate if transposed.
pub(super) fn solve(
    b: &mut Builder,
    (row, col, transpose): (Axis, Axis, bool),
    (l, l_axes): (Pair, &[Axis]),
    (r, r_axes): (Pair, &[Axis]),
) -> Result<Pair> {
    let op = |row, col| Op::Solve {
        row,
        col,
        transpose,
    };
    let Some(im) = l.im else {
        let matrix = pair::full(b, l.re, l_axes)?;
        let mut one = |p: Part| -> Result<Part> {
            if p.is_none() {
                return Ok(None);
            }
            let side = pair::full(b, p, r_axes)?;
            Ok(Some(b.push(op(row, col), &[matrix, side])?))
        };
        return Ok(Pair {
            re: one(r.re)?,
            im: one(r.im)?,
        });
    };
    let Some(n) = row.size.constant() else {
        return Err(DeriveError(format!(
            "a complex triangular system along `{row}` needs a constant size"
        )));
    };
    let (of_row, of_col) = (
        Axis::new(&format!("{}%part", row.name), 2),
        Axis::new(&format!("{}%part", col.name), 2),
    );
    let (rows, cols) = (
        Axis::new(&format!("{}%parts", row.name), 2 * n),
        Axis::new(&format!("{}%parts", col.name), 2 * n),
    );
    let im = if transpose {
        pair::neg(b, Some(im))?
    } else {
        Some(im)
    };
    let (x, y) = (pair::full(b, l.re, l_axes)?, pair::full(b, im, l_axes)?);
    let minus = b.neg(y)?;
    let upper = b.push(Op::Stack(of_col), &[x, minus])?;
    let lower = b.push(Op::Stack(of_col), &[y, x])?;
    let blocks = b.push(Op::Stack(of_row), &[upper, lower])?;
    // Blocks on the diagonal are not read in the complex system, but half of them would be in the real one.
    let (i, j) = (b.iota(row)?, b.iota(col)?);
    let (below, zero) = (b.map2(MapFn::Lt, j, i)?, b.num(0.0));
    let blocks = b.select(below, blocks, zero)?;
    let merge = |axes: [Axis; 2], into| Op::Merge {
        axes: axes.to_vec(),
        into,
    };
    let blocks = b.push(merge([row, of_row], rows), &[blocks])?;
    let matrix = b.push(merge([col, of_col], cols), &[blocks])?;
    let (re, im) = (pair::full(b, r.re, r_axes)?, pair::full(b, r.im, r_axes)?);
    let side = b.push(Op::Stack(of_row), &[re, im])?;
    let side = b.push(merge([row, of_row], rows), &[side])?;
    let solved = b.push(op(rows, cols), &[matrix, side])?;
    let split = Op::Split {
        axis: rows,
        into: vec![row, of_row],
    };
    let parts = b.push(split, &[solved])?;
    let mut pick = |index| -> Result<Part> {
        let op = Op::Pick {
            axis: of_row,
            index,
        };
        Ok(Some(b.push(op, &[parts])?))
    };
    Ok(Pair {
        re: pick(0)?,
        im: pick(1)?,
    })
}
