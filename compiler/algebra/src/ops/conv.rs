//! Convolution along an axis by its definition, and its gradient in the kernel.

use super::{Place, Result, alike, by_kind, numbers};
use crate::axis::Axis;
use crate::complex::Scalar;
use crate::tensor::{Tensor, count, filled, strides, walk};

/// An operand with one axis brought last, and its strides along `axes` (the last axis has stride 1).
struct Rows<'a, S> {
    data: std::borrow::Cow<'a, Tensor>,
    strides: Vec<isize>,
    kind: std::marker::PhantomData<S>,
}

impl<'a, S: Scalar> Rows<'a, S> {
    fn new(t: &'a Tensor, last: Axis, axes: &[Axis]) -> Result<Rows<'a, S>> {
        let mut order: Vec<Axis> = t.axes.iter().copied().filter(|a| *a != last).collect();
        order.push(last);
        let data = t.ordered(&order)?;
        let strides = strides(&data.axes, &data.shape, axes);
        Ok(Rows {
            data,
            strides,
            kind: std::marker::PhantomData,
        })
    }

    fn numbers(&self) -> Result<&[S]> {
        numbers(&self.data)
    }
}

/// All axes of both operands but the given ones, with lengths.
fn others(a: &Tensor, b: &Tensor, drop: &[Axis]) -> (Vec<Axis>, Vec<usize>) {
    let mut out: Vec<(Axis, usize)> = Vec::new();
    for (x, n) in a
        .axes
        .iter()
        .zip(&a.shape)
        .chain(b.axes.iter().zip(&b.shape))
    {
        if !drop.contains(x) && !out.iter().any(|(y, _)| y == x) {
            out.push((*x, *n));
        }
    }
    out.into_iter().unzip()
}

/// `y[t] = Σ_lag f[lag] x[t - lag]` (`ahead`: `x[t + lag]`), pointwise in other axes.
pub fn conv(
    axis: Axis,
    lag: Axis,
    ahead: bool,
    f: &Tensor,
    x: &Tensor,
    to: Place,
) -> Result<Tensor> {
    let (f, x) = alike(f, x)?;
    by_kind!(f, S => conv_kind::<S>(axis, lag, ahead, &f, &x, to))
}

fn conv_kind<S: Scalar>(
    axis: Axis,
    lag: Axis,
    ahead: bool,
    f: &Tensor,
    x: &Tensor,
    to: Place,
) -> Result<Tensor> {
    let (n, lags) = (x.len_of(axis)?, f.len_of(lag)?);
    let (mut axes, mut shape) = others(f, x, &[axis, lag]);
    let (fr, xr) = (
        Rows::<S>::new(f, lag, &axes)?,
        Rows::<S>::new(x, axis, &axes)?,
    );
    let own: Vec<isize> = crate::tensor::row_major(&shape)
        .iter()
        .map(|s| s * n as isize)
        .collect();
    let mut out = filled(count(&[count(&shape)?, n])?, S::ZERO)?;
    let (fd, xd) = (fr.numbers()?, xr.numbers()?);
    walk(
        &shape,
        [&own, &fr.strides, &xr.strides],
        [0; 3],
        |[o, p, q], len, [ok, pk, qk]| {
            for m in 0..len as isize {
                let at = |s: isize, n: usize| s as usize..s as usize + n;
                let y = &mut out[at(o + m * ok, n)];
                row(&fd[at(p + m * pk, lags)], &xd[at(q + m * qk, n)], y, ahead);
            }
        },
    );
    axes.push(axis);
    shape.push(n);
    let t = Tensor {
        axes,
        shape,
        data: S::wrap(out),
    };
    Ok(t.ordered(to.axes)?.into_owned())
}

fn row<S: Scalar>(f: &[S], x: &[S], y: &mut [S], ahead: bool) {
    let n = x.len();
    for (l, f) in f.iter().enumerate().take(n) {
        let (y, x) = if ahead {
            (&mut y[..n - l], &x[l..])
        } else {
            (&mut y[l..], &x[..n - l])
        };
        for (y, x) in y.iter_mut().zip(x) {
            *y += *f * *x;
        }
    }
}

/// `y[lag] = Σ_t g[t] x[t - lag]` (`ahead`: `x[t + lag]`), summed over the axes that the result lacks too.
pub fn kernel(
    axis: Axis,
    lag: Axis,
    ahead: bool,
    g: &Tensor,
    x: &Tensor,
    to: Place,
) -> Result<Tensor> {
    let (g, x) = alike(g, x)?;
    by_kind!(g, S => kernel_kind::<S>(axis, lag, ahead, &g, &x, to))
}

fn kernel_kind<S: Scalar>(
    axis: Axis,
    lag: Axis,
    ahead: bool,
    g: &Tensor,
    x: &Tensor,
    to: Place,
) -> Result<Tensor> {
    let (n, lags) = (x.len_of(axis)?, to.len_of(lag)?);
    let (axes, shape) = others(g, x, &[axis]);
    let (gr, xr) = (
        Rows::<S>::new(g, axis, &axes)?,
        Rows::<S>::new(x, axis, &axes)?,
    );
    let own = strides(to.axes, to.shape, &axes);
    let step = strides(to.axes, to.shape, &[lag])[0];
    let mut out = to.fresh(S::ZERO)?;
    let (gd, xd) = (gr.numbers()?, xr.numbers()?);
    walk(
        &shape,
        [&own, &gr.strides, &xr.strides],
        [0; 3],
        |[o, p, q], len, [ok, pk, qk]| {
            for m in 0..len as isize {
                let (p, q) = ((p + m * pk) as usize, (q + m * qk) as usize);
                let (g, x) = (&gd[p..p + n], &xd[q..q + n]);
                for l in 0..lags.min(n) {
                    let (g, x) = if ahead {
                        (&g[..n - l], &x[l..])
                    } else {
                        (&g[l..], &x[..n - l])
                    };
                    let mut sum = S::ZERO;
                    for (g, x) in g.iter().zip(x) {
                        sum += *g * *x;
                    }
                    out[(o + m * ok + l as isize * step) as usize] += sum;
                }
            }
        },
    );
    Ok(to.tensor(out))
}
