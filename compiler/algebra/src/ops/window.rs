//! Windows over an axis and their transpose.

use super::{Place, Result, by_kind, numbers};
use crate::axis::Axis;
use crate::complex::Scalar;
use crate::tensor::{Tensor, add_box, copy_box, row_major, strides};

/// Where lag `l` meets the sequence: `(first position read, first written, how many)` for a window `y[p] = x[p ∓ l]`.
fn overlap(l: usize, n: usize, ahead: bool) -> (usize, usize, usize) {
    let len = n.saturating_sub(l);
    if ahead { (l, 0, len) } else { (0, l, len) }
}

/// `y[p, l] = x[p - l]` (`ahead`: `x[p + l]`), 0 outside.
pub fn window(axis: Axis, lag: Axis, ahead: bool, x: &Tensor, to: Place) -> Result<Tensor> {
    let (n, lags) = (x.len_of(axis)?, to.len_of(lag)?);
    let (axes, mut shape) = without(to, lag);
    let k = position(&axes, axis)?;
    let own = strides(to.axes, to.shape, &axes);
    let lag_step = strides(to.axes, to.shape, &[lag])[0];
    let src = strides(&x.axes, &x.shape, &axes);
    by_kind!(x, S => {
        let mut out = to.fresh(S::ZERO)?;
        for l in 0..lags {
            let (from, at, len) = overlap(l, n, ahead);
            shape[k] = len;
            let d0 = l as isize * lag_step + at as isize * own[k];
            copy_box(&shape, &mut out, &own, d0, numbers::<S>(x)?, &src, from as isize * src[k]);
        }
        Ok(to.tensor(out))
    })
}

/// `y[p] = Σ_l x[p + l, l]` (`ahead`: `x[p - l, l]`), terms outside are 0.
pub fn unwindow(axis: Axis, lag: Axis, ahead: bool, x: &Tensor, to: Place) -> Result<Tensor> {
    let (n, lags) = (x.len_of(axis)?, x.len_of(lag)?);
    let k = position(to.axes, axis)?;
    let own = row_major(to.shape);
    let src = strides(&x.axes, &x.shape, to.axes);
    let lag_step = strides(&x.axes, &x.shape, &[lag])[0];
    let mut shape = to.shape.to_vec();
    by_kind!(x, S => {
        let mut out = to.fresh(S::ZERO)?;
        for l in 0..lags {
            // The window wrote x[from..] to y[at..]; the transpose reads there and adds here.
            let (from, at, len) = overlap(l, n, ahead);
            shape[k] = len;
            let s0 = l as isize * lag_step + at as isize * src[k];
            add_box(&shape, &mut out, &own, from as isize * own[k], numbers::<S>(x)?, &src, s0);
        }
        Ok(to.tensor(out))
    })
}

fn without(to: Place, lag: Axis) -> (Vec<Axis>, Vec<usize>) {
    to.axes
        .iter()
        .zip(to.shape)
        .filter(|(a, _)| **a != lag)
        .map(|(a, n)| (*a, *n))
        .unzip()
}

fn position(axes: &[Axis], axis: Axis) -> Result<usize> {
    axes.iter()
        .position(|a| *a == axis)
        .ok_or_else(|| format!("the result lacks axis `{axis}`"))
}
