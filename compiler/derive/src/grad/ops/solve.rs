//! Unit lower triangular solves `(I + L) U = R`: `dR` solves the transposed system, `dL = -tril(dR Uᵀ, -1)`.
//! The transposed solve has the same rule with the roles of rows and columns exchanged.

use super::super::parts::{conj, product, total};
use super::{At, Result};
use seqc_algebra::{Axis, Builder, MapFn, Op, ValueId};

type Shape = (Axis, Axis, bool);

/// The columns' axis under a name that no right side has, with the matrix renamed to it.
fn apart(b: &mut Builder, l: ValueId, r: &[ValueId], col: Axis) -> Result<(ValueId, Axis)> {
    let mut fresh = col;
    while r
        .iter()
        .any(|r| b.axes(*r).iter().any(|a| a.name == fresh.name))
        || (fresh != col && b.has(l, fresh))
    {
        fresh = fresh.renamed(&format!("{}'", fresh.name));
    }
    Ok((b.rename(l, col, fresh)?, fresh))
}

/// Zero on and above the diagonal.
fn strictly_lower(b: &mut Builder, v: ValueId, row: Axis, col: Axis) -> Result<ValueId> {
    let (c, r, zero) = (b.iota(col)?, b.iota(row)?, b.num(0.0));
    let below = b.map2(MapFn::Lt, c, r)?;
    Ok(b.select(below, v, zero)?)
}

/// `dU = T (dR - dL U)`.
pub fn jvp(
    b: &mut Builder,
    (row, col, transpose): Shape,
    at: At,
    t: &[Option<ValueId>],
) -> Result<Option<ValueId>> {
    let (l, c) = apart(b, at.x[0], &[at.x[1], at.y], col)?;
    let mut terms: Vec<ValueId> = t[1].into_iter().collect();
    if let Some(dl) = t[0] {
        let dl = b.rename(dl, col, c)?;
        let dl = strictly_lower(b, dl, row, c)?;
        let change = if transpose {
            // Σ_row dL[row, col] U[row], laid along `row` again.
            let v = b.contract(&[row], &[dl, at.y])?;
            b.rename(v, c, row)?
        } else {
            let u = b.rename(at.y, row, c)?;
            b.contract(&[c], &[dl, u])?
        };
        terms.push(b.neg(change)?);
    }
    let Some(r) = total(b, &terms)? else {
        return Ok(None);
    };
    Ok(Some(b.push(
        Op::Solve {
            row,
            col: c,
            transpose,
        },
        &[l, r],
    )?))
}

pub fn vjp(
    b: &mut Builder,
    (row, col, transpose): Shape,
    at: At,
    g: ValueId,
    want: &[bool],
) -> Result<Vec<(usize, ValueId)>> {
    let (l, c) = apart(b, at.x[0], &[at.x[1], at.y], col)?;
    let lc = conj(b, l)?;
    let dr = b.push(
        Op::Solve {
            row,
            col: c,
            transpose: !transpose,
        },
        &[lc, g],
    )?;
    let mut out = vec![(1, dr)];
    if want[0] {
        let u = conj(b, at.y)?;
        let (along_row, along_col) = if transpose { (u, dr) } else { (dr, u) };
        let along_col = b.rename(along_col, row, c)?;
        let ty = b.ty(l).clone();
        let v = product(b, &[along_row, along_col], &ty)?;
        let v = b.neg(v)?;
        let v = strictly_lower(b, v, row, c)?;
        out.push((0, b.rename(v, c, col)?));
    }
    Ok(out)
}
