//! One more position of a causal convolution.

use super::{Place, Result, by_kind, numbers, real};
use crate::axis::Axis;
use crate::complex::Scalar;
use crate::tensor::{Tensor, strides, walk};

/// `f[0] x + Σ_{s<pos} f[pos - s] past[s]`; lags and positions that the operands do not have add nothing.
pub fn online(axis: Axis, [f, past, x]: [&Tensor; 3], pos: &Tensor, to: Place) -> Result<Tensor> {
    let pos = real(pos, "a position")?.first().copied().unwrap_or(0.0);
    let pos = pos.round().max(0.0) as usize;
    let kind = f.kind().max(past.kind()).max(x.kind());
    let (f, past, x) = (f.at_least(kind)?, past.at_least(kind)?, x.at_least(kind)?);
    by_kind!(f, S => sums::<S>(axis, [&f, &past, &x], pos, to))
}

fn sums<S: Scalar>(
    axis: Axis,
    [f, past, x]: [&Tensor; 3],
    pos: usize,
    to: Place,
) -> Result<Tensor> {
    let along = |t: &Tensor| -> Result<(usize, isize)> {
        Ok((t.len_of(axis)?, strides(&t.axes, &t.shape, &[axis])[0]))
    };
    let ((lags, lag), (kept, row)) = (along(f)?, along(past)?);
    let own: Vec<isize> = crate::tensor::row_major(to.shape);
    let at = |t: &Tensor| strides(&t.axes, &t.shape, to.axes);
    let (fs, ps, xs) = (at(f), at(past), at(x));
    let (fd, pd, xd) = (numbers::<S>(f)?, numbers::<S>(past)?, numbers::<S>(x)?);
    let mut out = to.fresh(S::ZERO)?;
    let first = (pos + 1).saturating_sub(lags);
    walk(
        to.shape,
        [&own, &fs, &ps, &xs],
        [0; 4],
        |[o, p, q, r], len, [ok, pk, qk, rk]| {
            for m in 0..len as isize {
                let (f0, p0) = (p + m * pk, q + m * qk);
                let mut sum = S::ZERO;
                for s in first..pos.min(kept) {
                    let l = (pos - s) as isize;
                    sum += fd[(f0 + l * lag) as usize] * pd[(p0 + s as isize * row) as usize];
                }
                if lags > 0 {
                    sum += fd[f0 as usize] * xd[(r + m * rk) as usize];
                }
                out[(o + m * ok) as usize] = sum;
            }
        },
    );
    Ok(to.tensor(out))
}
