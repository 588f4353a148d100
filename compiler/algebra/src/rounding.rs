//! What one rounding to f32 does to each operation of a program that is otherwise run in f64.

use crate::axis::Axis;
use crate::interp::EvalError;
use crate::op::{Op, ReduceOp};
use crate::tensor::{Data, Tensor, count, strides};
use std::rc::Rc;

/// Half a unit in the last place of f32, of a number of size 1.
const UNIT: f64 = f32::EPSILON as f64 / 2.0;

/// Rounds what an operation rounds before it computes.
pub(crate) fn operands(op: &Op, args: &mut [Rc<Tensor>], draw: u64) -> Result<(), EvalError> {
    // A sum rounds each of its terms.
    if let (true, Some(first)) = (sums(op), args.first_mut()) {
        result(Rc::make_mut(first), draw);
    }
    // A convolution is a product of transforms, in which an entry is rounded as its row's largest.
    let along = match op {
        Op::Conv { axis, lag, .. } => [*lag, *axis],
        Op::ConvKernel { axis, .. } => [*axis, *axis],
        Op::Online(axis) => [*axis, *axis],
        _ => return Ok(()),
    };
    for (n, (arg, axis)) in args.iter_mut().zip(along).enumerate() {
        rows(Rc::make_mut(arg), axis, draw.wrapping_add(n as u64))?;
    }
    Ok(())
}

/// Rounds every number that is not whole.
pub(crate) fn result(t: &mut Tensor, draw: u64) {
    let one = |x: &mut f64| {
        if x.fract() != 0.0 {
            *x *= 1.0 + UNIT * sign(x.to_bits(), draw);
        }
    };
    match &mut t.data {
        Data::Real(d) => d.iter_mut().for_each(one),
        Data::Complex(d) => d.iter_mut().for_each(|z| {
            one(&mut z.re);
            one(&mut z.im);
        }),
        Data::Exact(_) => {}
    }
}

fn sums(op: &Op) -> bool {
    match op {
        Op::Contract(over) | Op::Reduce(ReduceOp::Sum, over) => !over.is_empty(),
        Op::Conv { .. } | Op::ConvKernel { .. } | Op::Online(_) | Op::Unwindow { .. } => true,
        _ => false,
    }
}

/// Moves each number by half a unit of the largest of its row along `axis`.
fn rows(t: &mut Tensor, axis: Axis, draw: u64) -> Result<(), EvalError> {
    let n = t.len_of(axis)?;
    if n == 0 {
        return Ok(());
    }
    let step = strides(&t.axes, &t.shape, &[axis])[0] as usize;
    let row = |k: usize| k / (step * n) * step + k % step;
    let mut largest = vec![0.0f64; count(&t.shape)? / n];
    match &mut t.data {
        Data::Real(d) => {
            for (k, x) in d.iter().enumerate() {
                largest[row(k)] = largest[row(k)].max(x.abs());
            }
            for (k, x) in d.iter_mut().enumerate() {
                *x += UNIT * largest[row(k)] * sign(k as u64, draw);
            }
        }
        Data::Complex(d) => {
            for (k, z) in d.iter().enumerate() {
                largest[row(k)] = largest[row(k)].max(z.re.abs()).max(z.im.abs());
            }
            for (k, z) in d.iter_mut().enumerate() {
                let by = UNIT * largest[row(k)];
                z.re += by * sign(2 * k as u64, draw);
                z.im += by * sign(2 * k as u64 + 1, draw);
            }
        }
        Data::Exact(_) => {}
    }
    Ok(())
}

/// 1 or -1: a hash of some bits and of `draw`.
fn sign(bits: u64, draw: u64) -> f64 {
    let mixed = (bits ^ draw.rotate_left(23)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let up = (mixed ^ mixed >> 31).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 63 == 1;
    if up { 1.0 } else { -1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_rounded_as_its_largest() {
        let (a, b) = (Axis::new("a", 2), Axis::new("b", 3));
        let mut t = Tensor::real(vec![a, b], vec![2, 3], vec![1.0, 0.0, 8.0, 0.0, 0.0, 0.0])
            .expect("a tensor");
        let before = t.clone();
        rows(&mut t, b, 1).expect("rows");
        let (x, y) = (t.as_real().expect("real"), before.as_real().expect("real"));
        let moved: Vec<f64> = x.iter().zip(y).map(|(x, y)| (x - y).abs() / UNIT).collect();
        let near = |x: f64, y: f64| (x - y).abs() < 1e-6;
        assert!(moved[..3].iter().all(|m| near(*m, 8.0)), "{moved:?}");
        assert!(moved[3..].iter().all(|m| *m == 0.0), "{moved:?}");
        let mut t = before;
        rows(&mut t, a, 1).expect("columns");
        let moved = (t.as_real().expect("real")[3] / UNIT).abs();
        assert!(near(moved, 1.0), "{moved}");
    }
}
