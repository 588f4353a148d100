//! Tensors cut and joined along an axis, and added where they have none.

use crate::engine::Named;
use seqc_algebra::tensor::{copy_box, row_major, strides};
use seqc_algebra::{Axis, C64, Data, Exact, Kind, Tensor};
use std::ops::Range;

/// Positions `range` along the axis; the tensor as it is if it lacks the axis.
pub fn cut(x: &Tensor, axis: Axis, range: Range<usize>) -> Result<Tensor, String> {
    let Some(k) = x.axes.iter().position(|a| *a == axis) else {
        return Ok(x.clone());
    };
    if range.end > x.shape[k] || range.start > range.end {
        return Err(format!("no positions {range:?} along `{axis}`"));
    }
    let mut shape = x.shape.clone();
    shape[k] = range.len();
    let start = row_major(&x.shape)[k] * range.start as isize;
    moved(x, &shape, 0, start, &shape)
}

/// Positions `range` of each tensor.
pub fn cut_all(given: &Named, axis: Axis, range: Range<usize>) -> Result<Named, crate::Error> {
    let cut = |(n, x): (&String, &Tensor)| {
        let x = cut(x, axis, range.clone()).map_err(|e| crate::other(n, e))?;
        Ok((n.clone(), x))
    };
    given.iter().map(cut).collect()
}

/// The entries of each tensor at one position.
pub fn all_at(given: &Named, axis: Axis, position: usize) -> Result<Named, crate::Error> {
    let one = |(n, x): (&String, &Tensor)| {
        let x = at(x, axis, position).map_err(|e| crate::other(n, e))?;
        Ok((n.clone(), x))
    };
    given.iter().map(one).collect()
}

/// The entries at one position, without the axis; the tensor as it is if it lacks the axis.
pub fn at(x: &Tensor, axis: Axis, position: usize) -> Result<Tensor, String> {
    let Some(k) = x.axes.iter().position(|a| *a == axis) else {
        return Ok(x.clone());
    };
    let mut one = cut(x, axis, position..position + 1)?;
    one.axes.remove(k);
    one.shape.remove(k);
    Ok(one)
}

/// Tensors of the same axes laid along a new leading axis.
pub fn stack(parts: &[Tensor], axis: Axis) -> Result<Tensor, String> {
    let Some(first) = parts.first() else {
        return Err(format!("nothing to lay along `{axis}`"));
    };
    let mut data = match &first.data {
        Data::Real(_) => Data::Real(vec![]),
        Data::Complex(_) => Data::Complex(vec![]),
        Data::Exact(_) => Data::Exact(vec![]),
    };
    for p in parts {
        let p = p.ordered(&first.axes)?;
        match (&mut data, &p.data) {
            (Data::Real(all), Data::Real(d)) if p.shape == first.shape => all.extend(d),
            (Data::Complex(all), Data::Complex(d)) if p.shape == first.shape => all.extend(d),
            (Data::Exact(all), Data::Exact(d)) if p.shape == first.shape => all.extend(d),
            _ => return Err(format!("parts along `{axis}` differ")),
        }
    }
    Tensor::new(
        [vec![axis], first.axes.clone()].concat(),
        [vec![parts.len()], first.shape.clone()].concat(),
        data,
    )
}

/// Tensors of the same axes, one behind the other along one of them.
pub fn join(parts: &[Tensor], axis: Axis) -> Result<Tensor, String> {
    let first = parts.first().ok_or("nothing to join")?;
    let k = first.axes.iter().position(|a| *a == axis);
    let k = k.ok_or_else(|| format!("parts lack the axis `{axis}`"))?;
    let rest: Vec<Axis> = first.axes.iter().copied().filter(|a| *a != axis).collect();
    let mut along = Vec::new();
    for p in parts {
        let n = p.len_of(axis)?;
        for t in 0..n {
            along.push(at(p, axis, t)?.ordered(&rest)?.into_owned());
        }
    }
    let mut axes = rest;
    axes.insert(k, axis);
    Ok(stack(&along, axis)?.ordered(&axes)?.into_owned())
}

/// `a + b`, of the same axes; over the field if one of them is.
pub fn sum(a: &Tensor, b: &Tensor) -> Result<Tensor, String> {
    let kind = match (&a.data, &b.data) {
        (Data::Exact(_), _) | (_, Data::Exact(_)) => Kind::Exact,
        _ => Kind::Real,
    };
    let (mut all, b) = (a.at_least(kind)?.into_owned(), b.at_least(kind)?);
    let b = b.ordered(&all.axes)?;
    if b.shape != all.shape {
        return Err("what is added has another shape".into());
    }
    match (&mut all.data, &b.data) {
        (Data::Real(a), Data::Real(b)) => a.iter_mut().zip(b).for_each(|(a, b)| *a += b),
        (Data::Complex(a), Data::Complex(b)) => a.iter_mut().zip(b).for_each(|(a, b)| *a += *b),
        (Data::Exact(a), Data::Exact(b)) => a.iter_mut().zip(b).for_each(|(a, b)| *a += *b),
        _ => return Err("what is added is of another kind".into()),
    }
    Ok(all)
}

/// The tensor with zeros behind it along the axis, up to length `n`.
pub fn pad(x: &Tensor, axis: Axis, n: usize) -> Result<Tensor, String> {
    let Some(k) = x.axes.iter().position(|a| *a == axis) else {
        return Ok(x.clone());
    };
    let mut shape = x.shape.clone();
    shape[k] = n.max(shape[k]);
    moved(x, &shape, 0, 0, &x.shape.clone())
}

/// A new tensor of shape `to`, zero but for a box of shape `part` copied from `x`.
fn moved(
    x: &Tensor,
    to: &[usize],
    into: isize,
    from: isize,
    part: &[usize],
) -> Result<Tensor, String> {
    let (ds, ss) = (
        strides(&x.axes, to, &x.axes),
        strides(&x.axes, &x.shape, &x.axes),
    );
    let n = seqc_algebra::tensor::count(to)?;
    let data = match &x.data {
        Data::Real(d) => {
            let mut out = vec![0.0; n];
            copy_box(part, &mut out, &ds, into, d, &ss, from);
            Data::Real(out)
        }
        Data::Exact(d) => {
            let mut out = vec![Exact::default(); n];
            copy_box(part, &mut out, &ds, into, d, &ss, from);
            Data::Exact(out)
        }
        Data::Complex(d) => {
            let mut out = vec![C64::default(); n];
            copy_box(part, &mut out, &ds, into, d, &ss, from);
            Data::Complex(out)
        }
    };
    Tensor::new(x.axes.clone(), to.to_vec(), data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Axis, Axis, Tensor) {
        let (t, a) = (Axis::time(), Axis::new("a", 2));
        let data = (0..6).map(f64::from).collect();
        (t, a, Tensor::real(vec![a, t], vec![2, 3], data).unwrap())
    }

    #[test]
    fn cuts_and_joins() {
        let (t, a, x) = sample();
        let (head, tail) = (cut(&x, t, 0..2).unwrap(), cut(&x, t, 2..3).unwrap());
        assert_eq!(head.as_real().unwrap(), [0.0, 1.0, 3.0, 4.0]);
        assert_eq!(join(&[head, tail], t).unwrap(), x);
        assert_eq!(at(&x, t, 1).unwrap().as_real().unwrap(), [1.0, 4.0]);
        let parts: Vec<Tensor> = (0..3).map(|p| at(&x, t, p).unwrap()).collect();
        let back = stack(&parts, t).unwrap();
        assert_eq!(*back.ordered(&[a, t]).unwrap(), x);
        assert!(cut(&x, t, 2..4).is_err());
    }

    #[test]
    fn pads_with_zeros() {
        let (t, _, x) = sample();
        let y = pad(&x, t, 4).unwrap();
        assert_eq!(y.shape, [2, 4]);
        assert_eq!(
            y.as_real().unwrap(),
            [0.0, 1.0, 2.0, 0.0, 3.0, 4.0, 5.0, 0.0]
        );
    }
}
