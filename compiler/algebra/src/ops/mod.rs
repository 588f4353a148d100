//! Evaluation of the operations, one family a file. Each takes dense tensors laid out as their types say and
//! gives one laid out as the result's type says; what goes wrong with sizes is an error, never a panic.

pub mod contract;
pub mod conv;
pub mod index;
pub mod map;
pub mod matmul;
pub mod online;
pub mod patch;
pub mod place;
pub mod reduce;
pub mod solve;
pub mod special;
pub mod window;

use crate::axis::Axis;
use crate::complex::Scalar;
use crate::tensor::{Data, Tensor, count, filled};

/// Where a result goes: its axes in order and their lengths.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub axes: &'a [Axis],
    pub shape: &'a [usize],
}

impl Place<'_> {
    pub fn len_of(&self, axis: Axis) -> Result<usize> {
        match self.axes.iter().position(|a| *a == axis) {
            Some(k) => Ok(self.shape[k]),
            None => Err(format!("the result lacks axis `{axis}`")),
        }
    }

    /// A buffer for the result.
    pub fn fresh<S: Scalar>(&self, x: S) -> Result<Vec<S>> {
        filled(count(self.shape)?, x)
    }

    pub fn tensor<S: Scalar>(&self, data: Vec<S>) -> Tensor {
        Tensor {
            axes: self.axes.to_vec(),
            shape: self.shape.to_vec(),
            data: S::wrap(data),
        }
    }
}

pub type Result<T> = std::result::Result<T, String>;

/// The numbers of an operand as one kind; the caller has made them so.
pub fn numbers<S: Scalar>(t: &Tensor) -> Result<&[S]> {
    S::of_data(&t.data).ok_or_else(|| "real and complex operands are mixed".to_owned())
}

/// Runs a kernel on one operand of either kind.
macro_rules! by_kind {
    ($t:expr, $S:ident => $body:expr) => {
        match &$t.data {
            $crate::tensor::Data::Real(_) => {
                type $S = f64;
                $body
            }
            $crate::tensor::Data::Complex(_) => {
                type $S = $crate::complex::C64;
                $body
            }
            $crate::tensor::Data::Exact(_) => {
                type $S = $crate::exact::Exact;
                $body
            }
        }
    };
}
pub(crate) use by_kind;

/// Makes two operands of one kind.
pub fn alike<'a>(
    a: &'a Tensor,
    b: &'a Tensor,
) -> Result<(std::borrow::Cow<'a, Tensor>, std::borrow::Cow<'a, Tensor>)> {
    let kind = a.kind().max(b.kind());
    Ok((a.at_least(kind)?, b.at_least(kind)?))
}

/// A real operand, or an error that names the operation.
pub fn real<'a>(t: &'a Tensor, what: &str) -> Result<&'a [f64]> {
    match &t.data {
        Data::Real(d) => Ok(d),
        Data::Complex(_) => Err(format!("{what} is not defined on complex numbers")),
        Data::Exact(_) => Err(format!("{what} of data is not exact")),
    }
}

/// The axes not in `drop`, with their lengths.
pub fn rest(t: &Tensor, drop: &[Axis]) -> (Vec<Axis>, Vec<usize>) {
    t.axes
        .iter()
        .zip(&t.shape)
        .filter(|(a, _)| !drop.contains(a))
        .map(|(a, n)| (*a, *n))
        .unzip()
}
