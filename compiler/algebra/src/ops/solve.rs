//! Unit lower triangular systems by substitution.

use super::{Place, Result, alike, by_kind, numbers};
use crate::axis::Axis;
use crate::complex::Scalar;
use crate::tensor::{Tensor, count, filled, row_major, strides, walk};

/// `(I + L) U = R` along `row`, or with `transpose` `(I + L)ᵀ U = R`; entries of L on and above the diagonal are
/// not read.
pub fn solve(
    row: Axis,
    col: Axis,
    transpose: bool,
    l: &Tensor,
    r: &Tensor,
    to: Place,
) -> Result<Tensor> {
    let (l, r) = alike(l, r)?;
    by_kind!(l, S => solve_kind::<S>(row, col, transpose, &l, &r, to))
}

fn solve_kind<S: Scalar>(
    row: Axis,
    col: Axis,
    transpose: bool,
    l: &Tensor,
    r: &Tensor,
    to: Place,
) -> Result<Tensor> {
    let n = r.len_of(row)?;
    if l.len_of(row)? != n || l.len_of(col)? != n {
        return Err(format!(
            "a triangular system needs `{row}` and `{col}` of one length"
        ));
    }
    // Batches are the axes of L; the result's other axes are columns, contiguous behind `row`.
    let in_l = |a: &Axis| l.axes.contains(a) && *a != col;
    let size = |a: &Axis| to.len_of(*a).map(|n| (*a, n));
    let batch = to
        .axes
        .iter()
        .filter(|a| **a != row && in_l(a))
        .map(size)
        .collect::<Result<Vec<_>>>()?;
    let cols = to
        .axes
        .iter()
        .filter(|a| **a != row && !in_l(a))
        .map(size)
        .collect::<Result<Vec<_>>>()?;
    let (ba, bs): (Vec<Axis>, Vec<usize>) = batch.into_iter().unzip();
    let (ca, cs): (Vec<Axis>, Vec<usize>) = cols.into_iter().unzip();
    let axes = [ba.as_slice(), &[row], &ca].concat();
    let shape = [bs.as_slice(), &[n], &cs].concat();
    let mut u = filled(count(&shape)?, S::ZERO)?;
    crate::tensor::copy_box(
        &shape,
        &mut u,
        &row_major(&shape),
        0,
        numbers::<S>(r)?,
        &strides(&r.axes, &r.shape, &axes),
        0,
    );
    let width = count(&cs)?;
    let steps = strides(&l.axes, &l.shape, &[row, col]);
    let (rs, ks) = if transpose {
        (steps[1], steps[0])
    } else {
        (steps[0], steps[1])
    };
    let own: Vec<isize> = row_major(&bs)
        .iter()
        .map(|s| s * (n * width) as isize)
        .collect();
    let data = numbers::<S>(l)?;
    walk(
        &bs,
        [&own, &strides(&l.axes, &l.shape, &ba)],
        [0, 0],
        |[o, p], len, [ok, pk]| {
            for m in 0..len as isize {
                let o = (o + m * ok) as usize;
                let at = |i: usize, k: usize| {
                    data[(p + m * pk + i as isize * rs + k as isize * ks) as usize]
                };
                substitute(&mut u[o..o + n * width], n, width, transpose, at);
            }
        },
    );
    let t = Tensor {
        axes,
        shape,
        data: S::wrap(u),
    };
    Ok(t.ordered(to.axes)?.into_owned())
}

fn substitute<S: Scalar>(
    u: &mut [S],
    n: usize,
    width: usize,
    transpose: bool,
    at: impl Fn(usize, usize) -> S,
) {
    for step in 0..n {
        let i = if transpose { n - 1 - step } else { step };
        for s in 0..step {
            let k = if transpose { n - 1 - s } else { s };
            let c = at(i, k);
            let (lo, hi) = u.split_at_mut(i.max(k) * width);
            let (dst, src) = if i > k {
                (&mut hi[..width], &lo[k * width..(k + 1) * width])
            } else {
                (&mut lo[i * width..(i + 1) * width], &hi[..width])
            };
            for (d, s) in dst.iter_mut().zip(src) {
                *d = *d - c * *s;
            }
        }
    }
}
