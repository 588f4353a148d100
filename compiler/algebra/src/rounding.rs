//! What one rounding does to each operation of a program that is otherwise run in f64.

use crate::axis::Axis;
use crate::interp::EvalError;
use crate::op::{Op, ReduceOp};
use crate::tensor::{Data, Tensor, count, strides};
use std::rc::Rc;

/// How numbers are rounded.
#[derive(Clone, Copy, Debug)]
pub struct Rounding {
    /// Half a unit in the last place of a number of size 1.
    pub unit: f64,
    /// Chooses which way each number goes.
    pub draw: u64,
}

impl Rounding {
    pub const F32: f64 = f32::EPSILON as f64 / 2.0;
    pub const F64: f64 = f64::EPSILON / 2.0;

    fn drawn(self, more: u64) -> Rounding {
        Rounding {
            draw: self.draw.wrapping_add(more),
            ..self
        }
    }
}

/// Rounds what an operation rounds before it computes: what is transformed forth of a convolution.
pub(crate) fn operands(op: &Op, args: &mut [Rc<Tensor>], r: Rounding) -> Result<(), EvalError> {
    // A sum rounds each of its terms.
    if let (true, Some(first)) = (sums(op), args.first_mut()) {
        each(Rc::make_mut(first), r);
    }
    // A convolution is a product of transforms, in which an entry is rounded as its row's largest.
    let along = match op {
        Op::Conv { axis, lag, .. } => [*lag, *axis],
        Op::ConvKernel { axis, .. } => [*axis, *axis],
        Op::Online(axis) => [*axis, *axis],
        _ => return Ok(()),
    };
    for (n, (arg, axis)) in args.iter_mut().zip(along).enumerate() {
        rows(Rc::make_mut(arg), axis, r.drawn(n as u64))?;
    }
    Ok(())
}

/// Rounds what an operation has made: a convolution in the transform back.
pub(crate) fn result(op: &Op, t: &mut Tensor, r: Rounding) -> Result<(), EvalError> {
    match op {
        Op::Conv { axis, .. } | Op::Online(axis) if t.axes.contains(axis) => {
            rows(t, *axis, r.drawn(2))?
        }
        Op::ConvKernel { lag, .. } => rows(t, *lag, r.drawn(2))?,
        _ => {}
    }
    each(t, r);
    Ok(())
}

/// Rounds every number that is not whole. Equal numbers at different places go different ways: a form computes them
/// anew, in another order; what cancels only because the scores of equal tokens round alike is noise in it.
fn each(t: &mut Tensor, r: Rounding) {
    let one = |place: usize, x: &mut f64| {
        if x.fract() != 0.0 {
            let bits = x.to_bits() ^ (place as u64).rotate_left(40);
            *x *= 1.0 + r.unit * sign(bits, r.draw);
        }
    };
    match &mut t.data {
        Data::Real(d) => d.iter_mut().enumerate().for_each(|(k, x)| one(k, x)),
        Data::Complex(d) => d.iter_mut().enumerate().for_each(|(k, z)| {
            one(2 * k, &mut z.re);
            one(2 * k + 1, &mut z.im);
        }),
        Data::Exact(_) => {}
    }
}

/// Each number as f32 holds it.
pub(crate) fn single(t: &mut Tensor) {
    let round = |x: &mut f64| *x = f64::from(*x as f32);
    match &mut t.data {
        Data::Real(d) => d.iter_mut().for_each(round),
        Data::Complex(d) => d.iter_mut().for_each(|z| {
            round(&mut z.re);
            round(&mut z.im);
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

/// Moves each number by what a transform of its row along `axis` rounds: half a unit of the row's largest at each
/// stage, and stages add like a random walk.
fn rows(t: &mut Tensor, axis: Axis, r: Rounding) -> Result<(), EvalError> {
    let n = t.len_of(axis)?;
    if n == 0 {
        return Ok(());
    }
    let step = strides(&t.axes, &t.shape, &[axis])[0] as usize;
    let row = |k: usize| k / (step * n) * step + k % step;
    let mut largest = vec![0.0f64; count(&t.shape)? / n];
    let stages = (2 * n).next_power_of_two().trailing_zeros();
    let unit = r.unit * f64::from(stages).sqrt();
    match &mut t.data {
        Data::Real(d) => {
            for (k, x) in d.iter().enumerate() {
                largest[row(k)] = largest[row(k)].max(x.abs());
            }
            for (k, x) in d.iter_mut().enumerate() {
                *x += unit * largest[row(k)] * sign(k as u64, r.draw);
            }
        }
        Data::Complex(d) => {
            for (k, z) in d.iter().enumerate() {
                largest[row(k)] = largest[row(k)].max(z.re.abs()).max(z.im.abs());
            }
            for (k, z) in d.iter_mut().enumerate() {
                let by = unit * largest[row(k)];
                z.re += by * sign(2 * k as u64, r.draw);
                z.im += by * sign(2 * k as u64 + 1, r.draw);
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

    const UNIT: f64 = Rounding::F32;
    const ONE: Rounding = Rounding {
        unit: UNIT,
        draw: 1,
    };

    #[test]
    fn a_row_is_rounded_as_its_largest() {
        let (a, b) = (Axis::new("a", 2), Axis::new("b", 3));
        let mut t = Tensor::real(vec![a, b], vec![2, 3], vec![1.0, 0.0, 8.0, 0.0, 0.0, 0.0])
            .expect("a tensor");
        let before = t.clone();
        rows(&mut t, b, ONE).expect("rows");
        let (x, y) = (t.as_real().expect("real"), before.as_real().expect("real"));
        let moved: Vec<f64> = x.iter().zip(y).map(|(x, y)| (x - y).abs() / UNIT).collect();
        let near = |x: f64, y: f64| (x - y).abs() < 1e-6;
        // Rows of 3 are transformed at length 8: three stages.
        let three = 3f64.sqrt();
        assert!(
            moved[..3].iter().all(|m| near(*m, 8.0 * three)),
            "{moved:?}"
        );
        assert!(moved[3..].iter().all(|m| *m == 0.0), "{moved:?}");
        let mut t = before;
        rows(&mut t, a, ONE).expect("columns");
        let moved = (t.as_real().expect("real")[3] / UNIT).abs();
        assert!(near(moved, 2f64.sqrt()), "{moved}");
    }
}
