//! Contractions of two stored operands as products of the runtime's matrix routine: each group of axes (shared,
//! rows, columns, summed) must be one stride in every operand that has it; constant axes that spoil this are
//! taken one index at a time, as separate products.

use super::choose::Roles;
use super::place::{Mem, Place, ix_dim, size_dim, size_ix};
use crate::ir::Ix;
use seqc_abi::{Dim, Gemm, GemmOperand, Launch};
use seqc_algebra::{Axis, Sym};

/// At most this many separate products for one contraction.
const MOST: usize = 64;

/// Axes as one, innermost last.
fn chain(axes: &[Axis], places: &[&Place], lens: &[Sym]) -> Option<Vec<Axis>> {
    let follows = |outer: Axis, inner: Axis| {
        places.iter().all(
            |p| match (p.stride(outer), p.stride(inner), size_ix(inner.size, lens)) {
                (Some(o), Some(i), Some(n)) => o.simplify() == (i.clone() * n).simplify(),
                _ => false,
            },
        )
    };
    fn extend(done: &mut Vec<Axis>, axes: &[Axis], follows: &dyn Fn(Axis, Axis) -> bool) -> bool {
        if done.len() == axes.len() {
            return true;
        }
        for a in axes {
            if !done.contains(a) && done.last().is_none_or(|l| follows(*l, *a)) {
                done.push(*a);
                if extend(done, axes, follows) {
                    return true;
                }
                done.pop();
            }
        }
        false
    }
    let mut done = vec![];
    extend(&mut done, axes, &follows).then_some(done)
}

/// The group as one axis, after moving as few constant axes as possible into `single`.
fn collapse(
    axes: &[Axis],
    places: &[&Place],
    lens: &[Sym],
    single: &mut Vec<Axis>,
) -> Option<Vec<Axis>> {
    if let Some(c) = chain(axes, places, lens) {
        return Some(c);
    }
    let mut constant: Vec<Axis> = axes.iter().copied().filter(|a| a.is_const()).collect();
    constant.sort_by_key(|a| a.size.constant());
    for k in 1..=constant.len() {
        let rest: Vec<Axis> = axes
            .iter()
            .copied()
            .filter(|a| !constant[..k].contains(a))
            .collect();
        if let Some(c) = chain(&rest, places, lens) {
            single.extend(&constant[..k]);
            return Some(c);
        }
    }
    None
}

fn product(axes: &[Axis]) -> Dim {
    Dim::product(axes.iter().map(|a| size_dim(a.size)))
}

/// The launches for `out = Σ a b`, or `None` if the layouts do not allow it.
pub(crate) fn gemm(
    r: &Roles,
    a: &Place,
    b: &Place,
    out: &Place,
    lens: &[Sym],
) -> Option<Vec<Launch>> {
    if a.int || b.int {
        return None;
    }
    let mut single = Vec::new();
    let batch = collapse(&r.both, &[a, b, out], lens, &mut single)?;
    let rows = collapse(&r.rows, &[a, out], lens, &mut single)?;
    let cols = collapse(&r.cols, &[b, out], lens, &mut single)?;
    let mut serial = Vec::new();
    let sum = collapse(&r.sum, &[a, b], lens, &mut serial)?;
    let count = single
        .iter()
        .chain(&serial)
        .try_fold(1usize, |n, x| n.checked_mul(x.size.constant()?))?;
    if count > MOST {
        return None;
    }
    let operand =
        |p: &Place, rows: &[Axis], cols: &[Axis], at: &[(Axis, i64)]| -> Option<GemmOperand> {
            let stride = |axes: &[Axis]| match axes.last() {
                None => Some(Dim::Const(0)),
                Some(x) => ix_dim(
                    &p.stride(*x).cloned().unwrap_or(Ix::Const(0)).simplify(),
                    lens,
                ),
            };
            let Mem::Global(buffer) = p.mem else {
                return None;
            };
            let mut place = p.clone();
            for (axis, k) in at {
                place = place.at(*axis, Ix::Const(*k));
            }
            let offset = u64::try_from(place.base.known()?).ok()?;
            Some(GemmOperand {
                buffer,
                offset,
                batch: stride(&batch)?,
                rows: stride(rows)?,
                cols: stride(cols)?,
            })
        };
    let mut launches = Vec::new();
    let all: Vec<Axis> = single.iter().chain(&serial).copied().collect();
    for k in 0..count {
        let mut rest = k;
        let mut at = Vec::new();
        let mut first = true;
        for x in all.iter().rev() {
            let n = x.size.constant()?;
            at.push((*x, (rest % n) as i64));
            first &= rest % n == 0 || !serial.contains(x);
            rest /= n;
        }
        launches.push(Launch::Gemm(Gemm {
            batch: product(&batch),
            m: product(&rows),
            n: product(&cols),
            k: product(&sum),
            a: operand(a, &rows, &sum, &at)?,
            b: operand(b, &sum, &cols, &at)?,
            out: operand(out, &rows, &cols, &at)?,
            accumulate: !first,
        }));
    }
    Some(launches)
}
