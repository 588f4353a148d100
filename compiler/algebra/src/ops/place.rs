//! Operations that only move numbers: expand, rename, split, merge, flip, shift, pick, place, stack; coordinates.

use super::{Place, Result, by_kind, numbers, rest};
use crate::axis::Axis;
use crate::complex::Scalar;
use crate::tensor::{Data, Tensor, copy_box, row_major, strides};
use std::rc::Rc;

/// The coordinate along the only axis of the result.
pub fn iota(to: Place) -> Result<Tensor> {
    let n = crate::tensor::count(to.shape)?;
    Ok(to.tensor::<f64>((0..n).map(|i| i as f64).collect()))
}

/// Copies along the axes that the argument lacks.
pub fn expand(x: &Tensor, to: Place) -> Result<Tensor> {
    by_kind!(x, S => {
        let mut out = to.fresh(S::ZERO)?;
        let src = strides(&x.axes, &x.shape, to.axes);
        copy_box(to.shape, &mut out, &row_major(to.shape), 0, numbers::<S>(x)?, &src, 0);
        Ok(to.tensor(out))
    })
}

/// The same numbers under other axes: renaming and splitting keep the row-major order.
pub fn relabel(x: &Tensor, to: Place) -> Result<Tensor> {
    Tensor::new(to.axes.to_vec(), to.shape.to_vec(), x.data.clone())
}

/// Brings the parts next to each other where the first stands, then reads them as one axis.
pub fn merge(axes: &[Axis], x: &Tensor, to: Place) -> Result<Tensor> {
    let mut order = Vec::with_capacity(x.axes.len());
    for a in &x.axes {
        if !axes.contains(a) {
            order.push(*a);
        } else if !axes.iter().any(|p| order.contains(p)) {
            order.extend_from_slice(axes);
        }
    }
    let x = x.ordered(&order)?;
    Tensor::new(to.axes.to_vec(), to.shape.to_vec(), x.data.clone())
}

/// Positions `from..from+len` along `axis` of `src` go to `at..at+len` of the result; a step of -1 flips.
fn moved<S: Scalar>(
    x: &Tensor,
    axis: Axis,
    to: Place,
    from: usize,
    at: usize,
    len: usize,
    step: isize,
) -> Result<Tensor> {
    let mut out = to.fresh(S::ZERO)?;
    let k = to
        .axes
        .iter()
        .position(|a| *a == axis)
        .ok_or("the result lacks the axis")?;
    let own = row_major(to.shape);
    let mut src = strides(&x.axes, &x.shape, to.axes);
    let (s0, d0) = (from as isize * src[k], at as isize * own[k]);
    src[k] *= step;
    let mut shape = to.shape.to_vec();
    shape[k] = len;
    if !shape.contains(&0) {
        copy_box(&shape, &mut out, &own, d0, numbers::<S>(x)?, &src, s0);
    }
    Ok(to.tensor(out))
}

pub fn flip(axis: Axis, x: &Tensor, to: Place) -> Result<Tensor> {
    let n = x.len_of(axis)?;
    by_kind!(x, S => moved::<S>(x, axis, to, n.saturating_sub(1), 0, n, -1))
}

/// `y[p] = x[p - by]`, 0 outside.
pub fn shift(axis: Axis, by: i64, x: &Tensor, to: Place) -> Result<Tensor> {
    let n = x.len_of(axis)?;
    let far = usize::try_from(by.unsigned_abs())
        .unwrap_or(usize::MAX)
        .min(n);
    let (from, at) = if by >= 0 { (0, far) } else { (far, 0) };
    by_kind!(x, S => moved::<S>(x, axis, to, from, at, n - far, 1))
}

/// The slice at `index` along `axis`, in the result's layout.
pub fn pick(axis: Axis, index: usize, x: &Tensor, to: Place) -> Result<Tensor> {
    let n = x.len_of(axis)?;
    if index >= n {
        return Err(format!("index {index} is outside axis `{axis}` of {n}"));
    }
    by_kind!(x, S => {
        let mut out = to.fresh(S::ZERO)?;
        let src = strides(&x.axes, &x.shape, to.axes);
        let step = strides(&x.axes, &x.shape, &[axis])[0];
        copy_box(to.shape, &mut out, &row_major(to.shape), 0, numbers::<S>(x)?, &src, index as isize * step);
        Ok(to.tensor(out))
    })
}

/// Writes `x` into `out` (row-major, `axes`) at `index` along `axis`, broadcasting axes that `x` lacks.
pub fn put(out: &mut Tensor, axis: Axis, index: usize, x: &Tensor) -> Result<()> {
    let n = out.len_of(axis)?;
    if index >= n {
        return Err(format!("index {index} is outside axis `{axis}` of {n}"));
    }
    let (axes, shape) = rest(out, &[axis]);
    let own = strides(&out.axes, &out.shape, &axes);
    let start = index as isize * strides(&out.axes, &out.shape, &[axis])[0];
    let src = strides(&x.axes, &x.shape, &axes);
    match (&mut out.data, &x.data) {
        (Data::Real(o), Data::Real(x)) => copy_box(&shape, o, &own, start, x, &src, 0),
        (Data::Complex(o), Data::Complex(x)) => copy_box(&shape, o, &own, start, x, &src, 0),
        (Data::Exact(o), Data::Exact(x)) => copy_box(&shape, o, &own, start, x, &src, 0),
        (Data::Real(_), Data::Complex(_)) => {
            return Err("a complex value does not fit a real one".into());
        }
        // The rest meets where both fit, and is of one kind then.
        _ => {
            let kind = out.kind().max(x.kind());
            *out = out.at_least(kind)?.into_owned();
            return put(out, axis, index, &*x.at_least(kind)?);
        }
    }
    Ok(())
}

pub fn place(axis: Axis, index: usize, x: &Tensor, to: Place) -> Result<Tensor> {
    let mut out = by_kind!(x, S => to.tensor(to.fresh(S::ZERO)?));
    put(&mut out, axis, index, x)?;
    Ok(out)
}

pub fn stack(axis: Axis, args: &[Rc<Tensor>], to: Place) -> Result<Tensor> {
    let complex = args.iter().any(|a| a.is_complex());
    let elem = if complex {
        crate::func::Elem::Complex
    } else {
        crate::func::Elem::Real
    };
    let mut out = Tensor::zeros(to.axes, to.shape, elem)?;
    for (k, x) in args.iter().enumerate() {
        put(&mut out, axis, k, x)?;
    }
    Ok(out)
}
