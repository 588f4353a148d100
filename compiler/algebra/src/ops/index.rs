//! Reading and adding by index: `Gather` and its transpose.

use super::{Place, Result, by_kind, numbers, real};
use crate::axis::Axis;
use crate::complex::Scalar;
use crate::tensor::{Data, Tensor, add_box, copy_box, row_major, strides, walk};
use std::borrow::Cow;

/// Rounded to nearest, clamped into `0..n`.
fn slot(x: f64, n: usize) -> usize {
    (x.round().max(0.0) as usize).min(n.saturating_sub(1))
}

/// The index as numbers. An element of a field is one if it is a small whole number, such as a quotient without rest.
fn positions(index: &Tensor) -> Result<Cow<'_, [f64]>> {
    let whole = match &index.data {
        Data::Exact(d) => d.iter().map(|x| x.whole()).collect::<Option<Vec<f64>>>(),
        _ => None,
    };
    match whole {
        Some(all) => Ok(Cow::Owned(all)),
        None => real(index, "an index").map(Cow::Borrowed),
    }
}

type Sized = (Vec<Axis>, Vec<usize>);

/// Axes with their lengths, split into those the index walks and those it does not.
fn parts(axes: &[Axis], shape: &[usize], index: &Tensor) -> (Sized, Sized) {
    let pick = |with: bool| {
        axes.iter()
            .zip(shape)
            .filter(|(a, _)| index.axes.contains(a) == with)
            .map(|(a, n)| (*a, *n))
            .unzip()
    };
    (pick(true), pick(false))
}

/// The table's entries at the indices; axes that both have are walked together.
pub fn gather(axis: Axis, table: &Tensor, index: &Tensor, to: Place) -> Result<Tensor> {
    by_kind!(table, S => gather_kind::<S>(axis, table, index, to))
}

fn gather_kind<S: Scalar>(axis: Axis, table: &Tensor, index: &Tensor, to: Place) -> Result<Tensor> {
    let n = table.len_of(axis)?;
    let mut out = to.fresh(S::ZERO)?;
    if n == 0 {
        return if out.is_empty() {
            Ok(to.tensor(out))
        } else {
            Err(format!("axis `{axis}` is empty"))
        };
    }
    let data = numbers::<S>(table)?;
    let at = &*positions(index)?;
    let step = strides(&table.axes, &table.shape, &[axis])[0];
    // The index may have an axis of the table's name: then the table's own is the one looked up.
    let table_strides = |axes: &[Axis]| -> Vec<isize> {
        let s = strides(&table.axes, &table.shape, axes);
        axes.iter()
            .zip(s)
            .map(|(a, s)| if *a == axis { 0 } else { s })
            .collect()
    };
    let ((oa, os), (ia, is)) = parts(to.axes, to.shape, index);
    let (inner_out, inner_table) = (strides(to.axes, to.shape, &ia), table_strides(&ia));
    let outer = [
        strides(to.axes, to.shape, &oa),
        table_strides(&oa),
        strides(&index.axes, &index.shape, &oa),
    ];
    walk(
        &os,
        [&outer[0], &outer[1], &outer[2]],
        [0; 3],
        |[o, t, i], len, [ok, tk, ik]| {
            for m in 0..len as isize {
                let row = slot(at[(i + m * ik) as usize], n) as isize * step;
                copy_box(
                    &is,
                    &mut out,
                    &inner_out,
                    o + m * ok,
                    data,
                    &inner_table,
                    t + m * tk + row,
                );
            }
        },
    );
    Ok(to.tensor(out))
}

/// `y[a, …] = Σ_over g · [index = a]`.
pub fn scatter_add(
    axis: Axis,
    over: &[Axis],
    g: &Tensor,
    index: &Tensor,
    to: Place,
) -> Result<Tensor> {
    by_kind!(g, S => scatter_kind::<S>(axis, over, g, index, to))
}

fn scatter_kind<S: Scalar>(
    axis: Axis,
    over: &[Axis],
    g: &Tensor,
    index: &Tensor,
    to: Place,
) -> Result<Tensor> {
    let n = to.len_of(axis)?;
    let mut out = to.fresh(S::ZERO)?;
    let (mut axes, mut shape) = (g.axes.clone(), g.shape.clone());
    for (a, n) in index.axes.iter().zip(&index.shape) {
        if !axes.contains(a) {
            axes.push(*a);
            shape.push(*n);
        }
    }
    if n == 0 || out.is_empty() {
        return Ok(to.tensor(out));
    }
    let data = numbers::<S>(g)?;
    let at = &*positions(index)?;
    let step = row_major(to.shape)[to
        .axes
        .iter()
        .position(|a| *a == axis)
        .ok_or("the result lacks the axis")?];
    let out_strides = |axes: &[Axis]| -> Vec<isize> {
        let s = strides(to.axes, to.shape, axes);
        axes.iter()
            .zip(s)
            .map(|(a, s)| if over.contains(a) { 0 } else { s })
            .collect()
    };
    let ((oa, os), (ia, is)) = parts(&axes, &shape, index);
    let (inner_out, inner_g) = (out_strides(&ia), strides(&g.axes, &g.shape, &ia));
    let outer = [
        out_strides(&oa),
        strides(&g.axes, &g.shape, &oa),
        strides(&index.axes, &index.shape, &oa),
    ];
    walk(
        &os,
        [&outer[0], &outer[1], &outer[2]],
        [0; 3],
        |[o, p, i], len, [ok, pk, ik]| {
            for m in 0..len as isize {
                let row = slot(at[(i + m * ik) as usize], n) as isize * step;
                add_box(
                    &is,
                    &mut out,
                    &inner_out,
                    o + m * ok + row,
                    data,
                    &inner_g,
                    p + m * pk,
                );
            }
        },
    );
    Ok(to.tensor(out))
}
