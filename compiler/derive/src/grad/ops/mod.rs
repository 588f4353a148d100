//! Derivative rules, one family of operations a file: the tangent rule and its transpose side by side.
//!
//! A tangent rule maps tangents of operands to that of the result; `None` is a zero known by structure. A cotangent
//! rule maps the result's cotangent `g` (of exactly the result's type) to contributions for the wanted operands,
//! each of exactly the operand's type. The drivers sum contributions and handle scans.

pub mod bilinear;
pub mod conv;
pub mod index;
pub mod map;
pub mod place;
pub mod reduce;
pub mod scan;
pub mod scan_fixed;
pub mod solve;

use super::Result;
use seqc_algebra::{Builder, Op, ValueId};

/// One application of an operation: the result `y` of operands `x`.
#[derive(Clone, Copy)]
pub struct At<'a> {
    pub op: &'a Op,
    pub y: ValueId,
    pub x: &'a [ValueId],
}

/// The tangent of `at.y`.
pub fn jvp(b: &mut Builder, at: At, t: &[Option<ValueId>]) -> Result<Option<ValueId>> {
    if t.iter().all(Option::is_none) {
        return Ok(None);
    }
    let out = match at.op {
        Op::Map(f) => map::jvp(b, *f, at, t)?,
        Op::Reduce(..) | Op::Softmax(_) | Op::LogSumExp(_) | Op::TopMask(..) => {
            reduce::jvp(b, at, t[0])?
        }
        Op::Contract(over) => bilinear::jvp(b, over, at, t)?,
        Op::Gather(_) | Op::ScatterAdd { .. } => index::jvp(b, at, t[0])?,
        Op::Solve {
            row,
            col,
            transpose,
        } => solve::jvp(b, (*row, *col, *transpose), at, t)?,
        Op::Conv { .. } | Op::ConvKernel { .. } => conv::jvp(b, at, t)?,
        _ => place::jvp(b, at, t)?,
    };
    let ty = b.ty(at.y).clone();
    out.map(|v| super::parts::fit(b, v, &ty)).transpose()
}

/// The contributions of `g` to the operands `k` for which `want[k]`.
pub fn vjp(b: &mut Builder, at: At, g: ValueId, want: &[bool]) -> Result<Vec<(usize, ValueId)>> {
    let raw = match at.op {
        Op::Map(f) => map::vjp(b, *f, at, g, want)?,
        Op::Reduce(..) | Op::Softmax(_) | Op::LogSumExp(_) | Op::TopMask(..) => {
            reduce::vjp(b, at, g)?
        }
        Op::Contract(_) => bilinear::vjp(b, at, g, want)?,
        Op::Gather(_) | Op::ScatterAdd { .. } => index::vjp(b, at, g)?,
        Op::Solve {
            row,
            col,
            transpose,
        } => solve::vjp(b, (*row, *col, *transpose), at, g, want)?,
        Op::Conv { .. } | Op::ConvKernel { .. } => conv::vjp(b, at, g, want)?,
        _ => place::vjp(b, at, g)?,
    };
    let mut out = Vec::with_capacity(raw.len());
    for (k, v) in raw.into_iter().filter(|(k, _)| want[*k]) {
        let ty = b.ty(at.x[k]).clone();
        out.push((k, super::parts::fit(b, v, &ty)?));
    }
    Ok(out)
}
