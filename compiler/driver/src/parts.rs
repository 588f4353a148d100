//! Complex tensors at the border of derived programs, which have a real axis of parts instead (real part first).

use seqc_algebra::{Axis, C64, Data, Elem, Tensor, Ty};
use seqc_derive::real::parts_axis;
use std::borrow::Cow;

/// The tensor as a program takes it whose input has this type: a complex one with an axis of parts if the type is real.
pub fn fitted<'a>(t: &'a Tensor, ty: &Ty) -> Result<Cow<'a, Tensor>, String> {
    match (&t.data, ty.elem) {
        (Data::Complex(d), Elem::Real) => {
            let axes = [t.axes.clone(), vec![parts_axis(&t.axes)]].concat();
            let shape = [t.shape.clone(), vec![2]].concat();
            let data = d.iter().flat_map(|z| [z.re, z.im]).collect();
            Tensor::real(axes, shape, data).map(Cow::Owned)
        }
        _ => Ok(Cow::Borrowed(t)),
    }
}

/// The tensor with exactly these axes: a real one with an axis of parts becomes complex.
pub fn whole(t: &Tensor, axes: &[Axis]) -> Result<Tensor, String> {
    let parts = parts_axis(axes);
    if t.is_complex() || t.axes.len() != axes.len() + 1 || !t.axes.contains(&parts) {
        return Ok(t.ordered(axes)?.into_owned());
    }
    let last = [axes, &[parts]].concat();
    let pairs = t.ordered(&last)?;
    let words = pairs.as_real().unwrap_or_default();
    let data = words.chunks(2).map(|c| C64::new(c[0], c[1])).collect();
    let shape = pairs.shape[..axes.len()].to_vec();
    Tensor::new(axes.to_vec(), shape, Data::Complex(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let a = Axis::new("a", 2);
        let data = vec![C64::new(1.0, 2.0), C64::new(3.0, 4.0)];
        let z = Tensor::new(vec![a], vec![2], Data::Complex(data)).unwrap();
        let pair = fitted(&z, &Ty::real(vec![])).unwrap().into_owned();
        assert_eq!(pair.as_real().unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(whole(&pair, &[a]).unwrap(), z);
        assert_eq!(whole(&z, &[a]).unwrap(), z);
    }
}
