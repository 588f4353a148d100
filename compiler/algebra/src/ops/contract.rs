//! Contractions of any number of operands, pair by pair in greedy order of cost, each pair one batched product.
//!
//! The axes of a pair fall into four groups: in both and kept (batch), only in the left (m), only in the right
//! (n), in both and summed (k). Axes that only one operand has and nobody needs are summed beforehand.

use super::matmul::{Sizes, matmul};
use super::{Place, Result, by_kind, map, numbers, reduce};
use crate::axis::Axis;
use crate::complex::Scalar;
use crate::tensor::{Kind, Tensor, count, filled};
use std::borrow::Cow;
use std::rc::Rc;

/// `Σ Π args` over all axes that the result lacks.
pub fn eval(args: &[Rc<Tensor>], to: Place) -> Result<Tensor> {
    let kind = args.iter().map(|a| a.kind()).max().unwrap_or(Kind::Real);
    let mut list: Vec<Cow<Tensor>> = args
        .iter()
        .map(|a| a.at_least(kind))
        .collect::<Result<_>>()?;
    while list.len() > 1 {
        let (i, j) = cheapest(&list, to);
        let b = list.swap_remove(j.max(i));
        let a = list.swap_remove(j.min(i));
        let last = list.is_empty();
        let needed = |x: &Axis| to.axes.contains(x) || list.iter().any(|t| t.axes.contains(x));
        let c = by_kind!(a, S => pair::<S>(&a, &b, &needed, last.then_some(to))?);
        list.push(Cow::Owned(c));
    }
    match list.pop() {
        Some(t) if t.axes == to.axes => Ok(t.into_owned()),
        Some(t) if t.axes.len() == to.axes.len() => Ok(t.ordered(to.axes)?.into_owned()),
        Some(t) => by_kind!(t, S => reduce::sum::<S>(&t, to)),
        None => Err("a contraction of nothing".into()),
    }
}

/// The pair whose product costs least; ties go to the pair with the smaller result.
fn cheapest(list: &[Cow<Tensor>], to: Place) -> (usize, usize) {
    let mut best = (f64::INFINITY, f64::INFINITY, 0, 1);
    for i in 0..list.len() {
        for j in i + 1..list.len() {
            let (mut work, mut size) = (1.0, 1.0);
            let (a, b) = (&list[i], &list[j]);
            let extra = b
                .axes
                .iter()
                .zip(&b.shape)
                .filter(|(x, _)| !a.axes.contains(x));
            for (x, n) in a.axes.iter().zip(&a.shape).chain(extra) {
                let others = list
                    .iter()
                    .enumerate()
                    .any(|(k, t)| k != i && k != j && t.axes.contains(x));
                let both = a.axes.contains(x) && b.axes.contains(x);
                let kept = others || to.axes.contains(x);
                if kept {
                    size *= *n as f64;
                }
                if kept || both {
                    work *= *n as f64;
                }
            }
            if (work, size) < (best.0, best.1) {
                best = (work, size, i, j);
            }
        }
    }
    (best.2, best.3)
}

/// One operand without the axes that nobody needs.
fn trimmed<'a, S: Scalar>(t: &'a Tensor, keep: &dyn Fn(&Axis) -> bool) -> Result<Cow<'a, Tensor>> {
    if t.axes.iter().all(keep) {
        return Ok(Cow::Borrowed(t));
    }
    let (axes, shape): (Vec<Axis>, Vec<usize>) = t
        .axes
        .iter()
        .zip(&t.shape)
        .filter(|(a, _)| keep(a))
        .map(|(a, n)| (*a, *n))
        .unzip();
    Ok(Cow::Owned(reduce::sum::<S>(
        t,
        Place {
            axes: &axes,
            shape: &shape,
        },
    )?))
}

type Group = Vec<(Axis, usize)>;

fn length(group: &Group) -> Result<usize> {
    count(&group.iter().map(|(_, n)| *n).collect::<Vec<_>>())
}

fn joined(groups: &[&Group]) -> Vec<Axis> {
    groups
        .iter()
        .flat_map(|g| g.iter().map(|(a, _)| *a))
        .collect()
}

fn pair<S: Scalar>(
    a: &Tensor,
    b: &Tensor,
    needed: &dyn Fn(&Axis) -> bool,
    to: Option<Place>,
) -> Result<Tensor> {
    let a = trimmed::<S>(a, &|x| needed(x) || b.axes.contains(x))?;
    let b = trimmed::<S>(b, &|x| needed(x) || a.axes.contains(x))?;
    let (mut batch, mut m, mut n, mut k): (Group, Group, Group, Group) = Default::default();
    for (x, len) in a.axes.iter().zip(&a.shape) {
        match (b.axes.contains(x), needed(x)) {
            (true, true) => batch.push((*x, *len)),
            (true, false) => k.push((*x, *len)),
            _ => m.push((*x, *len)),
        }
    }
    n.extend(
        b.axes
            .iter()
            .zip(&b.shape)
            .filter(|(x, _)| !a.axes.contains(x))
            .map(|(x, len)| (*x, *len)),
    );
    if k.is_empty() {
        return product::<S>(&a, &b, &[&batch, &m, &n], to);
    }
    let left = a.ordered(&joined(&[&batch, &m, &k]))?;
    let right = b.ordered(&joined(&[&batch, &k, &n]))?;
    let s = Sizes {
        batch: length(&batch)?,
        m: length(&m)?,
        n: length(&n)?,
        k: length(&k)?,
    };
    let shape: Vec<usize> = [&batch, &m, &n]
        .iter()
        .flat_map(|g| g.iter().map(|(_, len)| *len))
        .collect();
    let mut out = filled(count(&shape)?, S::ZERO)?;
    matmul::<S>(s, numbers(&left)?, numbers(&right)?, &mut out);
    Ok(Tensor {
        axes: joined(&[&batch, &m, &n]),
        shape,
        data: S::wrap(out),
    })
}

/// No summed axis: a pointwise product, straight into the final layout if this is the last pair.
fn product<S: Scalar>(
    a: &Tensor,
    b: &Tensor,
    groups: &[&Group],
    to: Option<Place>,
) -> Result<Tensor> {
    let axes = joined(groups);
    let shape: Vec<usize> = groups
        .iter()
        .flat_map(|g| g.iter().map(|(_, n)| *n))
        .collect();
    let place = match to {
        Some(to) if to.axes.len() == axes.len() => to,
        _ => Place {
            axes: &axes,
            shape: &shape,
        },
    };
    map::zip::<S, S, S>(a, b, place, |x, y| x * y)
}
