//! Dense tensors of the interpreter, and walks over boxes of them.
//!
//! A tensor is row-major in the order of its axes: `data.len()` is the product of `shape`. All movement of data
//! (broadcast, permute, slice, flip, shift) is one primitive, [`walk`]: a box visited run by run, with an offset
//! and a stride per operand. The strides are made by [`strides`], 0 where an operand lacks the axis.

use crate::axis::Axis;
use crate::complex::{C64, Scalar};
use crate::exact::Exact;
use crate::func::Elem;
use crate::op::MapFn;
use std::borrow::Cow;

/// The numbers of a tensor. Integers are stored as reals.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    Real(Vec<f64>),
    Complex(Vec<C64>),
    /// Elements of a finite field, real and complex alike ([`crate::exact`]).
    Exact(Vec<Exact>),
}

/// Which numbers. Operands of one operation are made of the greatest of their kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Real,
    Complex,
    Exact,
}

impl Data {
    pub fn len(&self) -> usize {
        match self {
            Data::Real(d) => d.len(),
            Data::Complex(d) => d.len(),
            Data::Exact(d) => d.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A dense tensor, row-major in the order of `axes`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub axes: Vec<Axis>,
    pub shape: Vec<usize>,
    pub data: Data,
}

impl Tensor {
    /// A real tensor; an error if the lengths do not fit.
    pub fn real(axes: Vec<Axis>, shape: Vec<usize>, data: Vec<f64>) -> Result<Tensor, String> {
        Tensor::new(axes, shape, Data::Real(data))
    }

    pub fn new(axes: Vec<Axis>, shape: Vec<usize>, data: Data) -> Result<Tensor, String> {
        let n = count(&shape)?;
        if axes.len() != shape.len() || n != data.len() {
            return Err(format!(
                "{} numbers do not fill axes {axes:?} of shape {shape:?}",
                data.len()
            ));
        }
        Ok(Tensor { axes, shape, data })
    }

    pub fn scalar(x: f64) -> Tensor {
        Tensor {
            axes: vec![],
            shape: vec![],
            data: Data::Real(vec![x]),
        }
    }

    pub fn zeros(axes: &[Axis], shape: &[usize], elem: Elem) -> Result<Tensor, String> {
        let n = count(shape)?;
        let data = match elem {
            Elem::Complex => Data::Complex(filled(n, C64::ZERO)?),
            _ => Data::Real(filled(n, 0.0)?),
        };
        Ok(Tensor {
            axes: axes.to_vec(),
            shape: shape.to_vec(),
            data,
        })
    }

    pub fn as_real(&self) -> Option<&[f64]> {
        f64::of_data(&self.data)
    }

    /// Is no number of it infinite, or none?
    pub fn is_finite(&self) -> bool {
        match &self.data {
            Data::Real(d) => d.iter().all(|x| x.is_finite()),
            Data::Complex(d) => d.iter().all(|z| z.re.is_finite() && z.im.is_finite()),
            Data::Exact(_) => true,
        }
    }

    pub fn is_complex(&self) -> bool {
        matches!(self.data, Data::Complex(_))
    }

    /// The length along an axis.
    pub fn len_of(&self, axis: Axis) -> Result<usize, String> {
        match self.axes.iter().position(|a| *a == axis) {
            Some(k) => Ok(self.shape[k]),
            None => Err(format!("an operand lacks axis `{axis}`")),
        }
    }

    pub fn kind(&self) -> Kind {
        match self.data {
            Data::Real(_) => Kind::Real,
            Data::Complex(_) => Kind::Complex,
            Data::Exact(_) => Kind::Exact,
        }
    }

    /// The same numbers with complex elements (elements of the field are that already).
    pub fn to_complex(&self) -> Cow<'_, Tensor> {
        match &self.data {
            Data::Complex(_) | Data::Exact(_) => Cow::Borrowed(self),
            Data::Real(d) => {
                let data = Data::Complex(d.iter().map(|x| C64::new(*x, 0.0)).collect());
                Cow::Owned(self.with(data))
            }
        }
    }

    /// The same numbers as elements of the field; an error if one is not finite.
    pub fn to_exact(&self) -> Result<Cow<'_, Tensor>, String> {
        let of = |x: f64| Exact::of_f64(x).ok_or_else(|| format!("{x} is not exact"));
        let data = match &self.data {
            Data::Exact(_) => return Ok(Cow::Borrowed(self)),
            Data::Real(d) => d.iter().map(|x| of(*x)).collect::<Result<_, _>>()?,
            Data::Complex(d) => (d.iter())
                .map(|z| Exact::map2(MapFn::Complex, of(z.re)?, of(z.im)?))
                .collect::<Result<_, _>>()?,
        };
        Ok(Cow::Owned(self.with(Data::Exact(data))))
    }

    /// The same numbers, of at least this kind.
    pub fn at_least(&self, kind: Kind) -> Result<Cow<'_, Tensor>, String> {
        match kind {
            Kind::Real => Ok(Cow::Borrowed(self)),
            Kind::Complex => Ok(self.to_complex()),
            Kind::Exact => self.to_exact(),
        }
    }

    fn with(&self, data: Data) -> Tensor {
        Tensor {
            axes: self.axes.clone(),
            shape: self.shape.clone(),
            data,
        }
    }

    /// The same tensor with its axes in the given order (the same set of axes).
    pub fn ordered(&self, axes: &[Axis]) -> Result<Cow<'_, Tensor>, String> {
        if self.axes == axes {
            return Ok(Cow::Borrowed(self));
        }
        if self.axes.len() != axes.len() {
            return Err(format!("axes {:?} are not {axes:?}", self.axes));
        }
        let shape = axes
            .iter()
            .map(|a| self.len_of(*a))
            .collect::<Result<Vec<_>, _>>()?;
        let data = match &self.data {
            Data::Real(d) => Data::Real(permuted(&self.axes, &self.shape, d, axes, &shape)?),
            Data::Complex(d) => Data::Complex(permuted(&self.axes, &self.shape, d, axes, &shape)?),
            Data::Exact(d) => Data::Exact(permuted(&self.axes, &self.shape, d, axes, &shape)?),
        };
        Ok(Cow::Owned(Tensor {
            axes: axes.to_vec(),
            shape,
            data,
        }))
    }
}

fn permuted<S: Scalar>(
    from: &[Axis],
    from_shape: &[usize],
    data: &[S],
    to: &[Axis],
    shape: &[usize],
) -> Result<Vec<S>, String> {
    let mut out = filled(count(shape)?, S::ZERO)?;
    let own = row_major(shape);
    let src = strides(from, from_shape, to);
    copy_box(shape, &mut out, &own, 0, data, &src, 0);
    Ok(out)
}

/// The number of entries of a shape; an error if it overflows.
pub fn count(shape: &[usize]) -> Result<usize, String> {
    let n = shape
        .iter()
        .try_fold(1usize, |n, s| n.checked_mul(*s))
        .filter(|n| *n <= isize::MAX as usize / 16);
    n.ok_or_else(|| format!("a tensor of shape {shape:?} is too large"))
}

/// A vector of one value; an error rather than an abort if memory is short.
pub fn filled<S: Copy>(n: usize, x: S) -> Result<Vec<S>, String> {
    let mut v = Vec::new();
    v.try_reserve_exact(n)
        .map_err(|_| format!("no memory for {n} numbers"))?;
    v.resize(n, x);
    Ok(v)
}

/// Row-major strides of a shape.
pub fn row_major(shape: &[usize]) -> Vec<isize> {
    let mut out = vec![1isize; shape.len()];
    for k in (0..shape.len().saturating_sub(1)).rev() {
        out[k] = out[k + 1] * shape[k + 1].max(1) as isize;
    }
    out
}

/// The strides of a row-major tensor along each of `along`; 0 for axes it lacks.
pub fn strides(axes: &[Axis], shape: &[usize], along: &[Axis]) -> Vec<isize> {
    let own = row_major(shape);
    along
        .iter()
        .map(|a| axes.iter().position(|b| a == b).map_or(0, |k| own[k]))
        .collect()
}

/// Visits a box: `f(offsets, length, strides)` once per innermost run. Neighbouring dimensions that every operand
/// crosses evenly are merged first, so runs are as long as they can be.
pub fn walk<const N: usize>(
    shape: &[usize],
    strides: [&[isize]; N],
    start: [isize; N],
    mut f: impl FnMut([isize; N], usize, [isize; N]),
) {
    if shape.contains(&0) {
        return;
    }
    let mut dims: Vec<(usize, [isize; N])> = Vec::with_capacity(shape.len());
    for (d, n) in shape.iter().enumerate() {
        if *n == 1 {
            continue;
        }
        let step: [isize; N] = std::array::from_fn(|o| strides[o][d]);
        match dims.last_mut() {
            Some((m, outer)) if (0..N).all(|o| outer[o] == step[o] * *n as isize) => {
                *m *= n;
                *outer = step;
            }
            _ => dims.push((*n, step)),
        }
    }
    let (run, inner) = dims.pop().unwrap_or((1, [1; N]));
    let mut at = start;
    let mut index = vec![0usize; dims.len()];
    loop {
        f(at, run, inner);
        let mut d = dims.len();
        loop {
            if d == 0 {
                return;
            }
            d -= 1;
            index[d] += 1;
            at.iter_mut()
                .zip(dims[d].1)
                .for_each(|(at, step)| *at += step);
            if index[d] < dims[d].0 {
                break;
            }
            at.iter_mut()
                .zip(dims[d].1)
                .for_each(|(at, step)| *at -= step * dims[d].0 as isize);
            index[d] = 0;
        }
    }
}

/// Copies a box.
pub fn copy_box<S: Scalar>(
    shape: &[usize],
    dst: &mut [S],
    ds: &[isize],
    d0: isize,
    src: &[S],
    ss: &[isize],
    s0: isize,
) {
    walk(shape, [ds, ss], [d0, s0], |[d, s], n, [dk, sk]| {
        if dk == 1 && sk == 1 {
            let (d, s) = (d as usize, s as usize);
            dst[d..d + n].copy_from_slice(&src[s..s + n]);
        } else if dk == 1 && sk == 0 {
            dst[d as usize..d as usize + n].fill(src[s as usize]);
        } else {
            for i in 0..n as isize {
                dst[(d + i * dk) as usize] = src[(s + i * sk) as usize];
            }
        }
    });
}

/// Adds a box to another.
pub fn add_box<S: Scalar>(
    shape: &[usize],
    dst: &mut [S],
    ds: &[isize],
    d0: isize,
    src: &[S],
    ss: &[isize],
    s0: isize,
) {
    walk(shape, [ds, ss], [d0, s0], |[d, s], n, [dk, sk]| {
        if dk == 1 && sk == 1 {
            let (d, s) = (d as usize, s as usize);
            for (y, x) in dst[d..d + n].iter_mut().zip(&src[s..s + n]) {
                *y += *x;
            }
        } else if dk == 0 {
            let mut sum = S::ZERO;
            for i in 0..n as isize {
                sum += src[(s + i * sk) as usize];
            }
            dst[d as usize] += sum;
        } else {
            for i in 0..n as isize {
                dst[(d + i * dk) as usize] += src[(s + i * sk) as usize];
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordered_transposes() {
        let (a, b) = (Axis::new("a", 2), Axis::new("b", 3));
        let t = Tensor::real(vec![a, b], vec![2, 3], vec![1., 2., 3., 4., 5., 6.]).unwrap();
        let u = t.ordered(&[b, a]).unwrap().into_owned();
        assert_eq!(u.shape, [3, 2]);
        assert_eq!(u.as_real().unwrap(), [1., 4., 2., 5., 3., 6.]);
    }

    #[test]
    fn walk_merges_what_is_contiguous() {
        let mut runs = vec![];
        walk(
            &[2, 3, 4],
            [&[12, 4, 1], &[4, 0, 1]],
            [0, 0],
            |at, n, step| runs.push((at, n, step)),
        );
        assert_eq!(runs.len(), 6);
        assert_eq!(runs[1], ([4, 0], 4, [1, 1]));
        runs.clear();
        walk(
            &[2, 3, 4],
            [&[12, 4, 1], &[12, 4, 1]],
            [0, 0],
            |at, n, step| runs.push((at, n, step)),
        );
        assert_eq!(runs, [([0, 0], 24, [1, 1])]);
    }

    #[test]
    fn sizes_are_checked() {
        assert!(count(&[usize::MAX, 2]).is_err());
        assert!(Tensor::real(vec![], vec![], vec![]).is_err());
    }
}
