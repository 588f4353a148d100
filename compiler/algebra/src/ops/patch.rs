//! Steps of a sequence in tiles, and their inverse: a coarser clock with an axis of what lies within one tick.

use super::{Place, Result, by_kind, numbers, rest};
use crate::axis::Axis;
use crate::complex::Scalar;
use crate::tensor::{Tensor, copy_box, strides};

/// `y[c, r] = x[n c + r]`, 0 past the end.
pub fn patch(axis: Axis, parts: [Axis; 2], x: &Tensor, to: Place) -> Result<Tensor> {
    let (axes, shape) = rest(x, &[axis]);
    let (own, src) = (
        strides(to.axes, to.shape, &axes),
        strides(&x.axes, &x.shape, &axes),
    );
    let places = places(
        x.len_of(axis)?,
        parts,
        to.axes,
        to.shape,
        to.len_of(parts[1])?,
    );
    let step = strides(&x.axes, &x.shape, &[axis])[0];
    by_kind!(x, S => {
        let mut out = to.fresh(S::ZERO)?;
        for (p, at) in places {
            copy_box(&shape, &mut out, &own, at, numbers::<S>(x)?, &src, p * step);
        }
        Ok(to.tensor(out))
    })
}

/// `y[p] = x[p / n, p % n]`.
pub fn unpatch(parts: [Axis; 2], axis: Axis, x: &Tensor, to: Place) -> Result<Tensor> {
    let (axes, shape) = rest(x, &parts);
    let (own, src) = (
        strides(to.axes, to.shape, &axes),
        strides(&x.axes, &x.shape, &axes),
    );
    let places = places(
        to.len_of(axis)?,
        parts,
        &x.axes,
        &x.shape,
        x.len_of(parts[1])?,
    );
    let step = strides(to.axes, to.shape, &[axis])[0];
    by_kind!(x, S => {
        let mut out = to.fresh(S::ZERO)?;
        for (p, at) in places {
            copy_box(&shape, &mut out, &own, p * step, numbers::<S>(x)?, &src, at);
        }
        Ok(to.tensor(out))
    })
}

/// Each step, with where its tick and its place within the tick lie in a row-major tensor.
fn places(
    steps: usize,
    parts: [Axis; 2],
    axes: &[Axis],
    shape: &[usize],
    within: usize,
) -> impl Iterator<Item = (isize, isize)> {
    let step = strides(axes, shape, &parts);
    let at = move |p: usize| (p / within) as isize * step[0] + (p % within) as isize * step[1];
    (0..steps).map(move |p| (p as isize, at(p)))
}
