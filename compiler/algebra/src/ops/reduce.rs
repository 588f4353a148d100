//! Reductions, softmax, log-sum-exp and top-k masks.

use super::{Place, Result, by_kind, numbers, real, rest, special};
use crate::axis::Axis;
use crate::complex::Scalar;
use crate::exact::Exact;
use crate::op::ReduceOp;
use crate::tensor::{Kind, Tensor, add_box, row_major, strides, walk};

pub fn eval(op: ReduceOp, over: &[Axis], x: &Tensor, to: Place) -> Result<Tensor> {
    match op {
        ReduceOp::Sum => by_kind!(x, S => sum::<S>(x, to)),
        ReduceOp::Prod => by_kind!(x, S => fold::<S>(x, to, S::ONE, |a, b| a * b)),
        ReduceOp::Max => {
            real(x, "max").and_then(|_| fold::<f64>(x, to, f64::NEG_INFINITY, special::max))
        }
        ReduceOp::Min => {
            real(x, "min").and_then(|_| fold::<f64>(x, to, f64::INFINITY, special::min))
        }
        ReduceOp::ArgMax | ReduceOp::ArgMin => {
            let [axis] = over else {
                return Err("an index needs one axis".into());
            };
            let sign = if op == ReduceOp::ArgMax { 1.0 } else { -1.0 };
            rows(x, *axis, to, |row: &[f64], out| {
                out[0] = first_largest(row, sign)
            })
        }
    }
}

/// The sum over the axes that the result lacks.
pub fn sum<S: Scalar>(x: &Tensor, to: Place) -> Result<Tensor> {
    let mut out = to.fresh(S::ZERO)?;
    let ds = strides(to.axes, to.shape, &x.axes);
    add_box(
        &x.shape,
        &mut out,
        &ds,
        0,
        numbers::<S>(x)?,
        &row_major(&x.shape),
        0,
    );
    Ok(to.tensor(out))
}

fn fold<S: Scalar>(x: &Tensor, to: Place, start: S, f: impl Fn(S, S) -> S) -> Result<Tensor> {
    let mut out = to.fresh(start)?;
    let data = numbers::<S>(x)?;
    let ds = strides(to.axes, to.shape, &x.axes);
    walk(
        &x.shape,
        [&ds, &row_major(&x.shape)],
        [0, 0],
        |[d, s], n, [dk, sk]| {
            for i in 0..n as isize {
                let o = &mut out[(d + i * dk) as usize];
                *o = f(*o, data[(s + i * sk) as usize]);
            }
        },
    );
    Ok(to.tensor(out))
}

fn first_largest(row: &[f64], sign: f64) -> f64 {
    let mut best = 0;
    for (i, x) in row.iter().enumerate() {
        if x * sign > row[best] * sign {
            best = i;
        }
    }
    best as f64
}

/// Runs `f` on each row along `axis`: the row in, the result's entries out (a row along `axis` if the result
/// has it, else one number).
fn rows<S: Scalar>(
    x: &Tensor,
    axis: Axis,
    to: Place,
    mut f: impl FnMut(&[S], &mut [S]),
) -> Result<Tensor> {
    let n = x.len_of(axis)?;
    let (mut order, mut shape) = rest(x, &[axis]);
    let keeps = to.axes.contains(&axis);
    let len_out = if keeps { n } else { 1 };
    order.push(axis);
    let flat = x.ordered(&order)?;
    let data = S::of_data(&flat.data).ok_or("the order of such numbers is not exact")?;
    let count = crate::tensor::count(&shape)?;
    let mut out = crate::tensor::filled(count * len_out, S::ZERO)?;
    for r in 0..count {
        f(
            &data[r * n..(r + 1) * n],
            &mut out[r * len_out..(r + 1) * len_out],
        );
    }
    if keeps {
        shape.push(n);
    } else {
        order.pop();
    }
    let t = Tensor::new(order, shape, S::wrap(out))?;
    Ok(t.ordered(to.axes)?.into_owned())
}

/// A random function of each row. Not along time, where forms take rows apart.
fn opaque(axis: Axis, x: &Tensor, to: Place, which: u64) -> Result<Tensor> {
    if axis.size.constant().is_none() {
        return Err(format!("a softmax along `{axis}` is not exact"));
    }
    rows(x, axis, to, |row, out| {
        let row = Exact::number_of(row).wrapping_add(which);
        for (k, o) in (0u64..).zip(out) {
            *o = Exact::random(row, k, false);
        }
    })
}

/// `exp(x)/Σ exp(x)` along the axis; a row of -inf gives 0.
pub fn softmax(axis: Axis, x: &Tensor, to: Place) -> Result<Tensor> {
    if x.kind() == Kind::Exact {
        return opaque(axis, x, to, 1);
    }
    rows(x, axis, to, |row: &[f64], out| {
        let m = row.iter().copied().fold(f64::NEG_INFINITY, special::max);
        if m == f64::NEG_INFINITY {
            return;
        }
        let mut sum = 0.0;
        for (o, x) in out.iter_mut().zip(row) {
            *o = (x - m).exp();
            sum += *o;
        }
        out.iter_mut().for_each(|o| *o /= sum);
    })
}

/// `log Σ exp(x)` along the axis; a row of -inf gives -inf.
pub fn log_sum_exp(axis: Axis, x: &Tensor, to: Place) -> Result<Tensor> {
    if x.kind() == Kind::Exact {
        return opaque(axis, x, to, 2);
    }
    rows(x, axis, to, |row: &[f64], out| {
        let m = row.iter().copied().fold(f64::NEG_INFINITY, special::max);
        out[0] = if m.is_infinite() {
            m
        } else {
            m + row.iter().map(|x| (x - m).exp()).sum::<f64>().ln()
        };
    })
}

/// 1 at the k largest entries, ties to the lowest index.
pub fn top_mask(axis: Axis, k: usize, x: &Tensor, to: Place) -> Result<Tensor> {
    let mut order: Vec<usize> = Vec::new();
    rows(x, axis, to, |row: &[f64], out| {
        order.clear();
        order.extend(0..row.len());
        // A stable sort keeps ties in ascending order; NaN counts as the smallest.
        let key = |i: usize| {
            if row[i].is_nan() {
                f64::NEG_INFINITY
            } else {
                row[i]
            }
        };
        order.sort_by(|a, b| {
            key(*b)
                .partial_cmp(&key(*a))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        for i in order.iter().take(k) {
            out[*i] = 1.0;
        }
    })
}
