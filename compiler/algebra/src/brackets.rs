//! What stands in brackets behind an operation's name in a listing.
//!
//! Operands come after the brackets and give bare axis names their sizes, so the brackets are kept as written until
//! the operands are known.

use crate::axis::{Axis, Size, Sym};
use crate::op::{Op, ReduceOp};

/// An axis as written; without a size, the operands' axis of that name.
#[derive(Clone)]
pub(crate) struct Named {
    pub name: String,
    pub size: Option<Size>,
}

impl Named {
    pub fn resolve(&self, known: &[Axis]) -> Axis {
        let name = Sym::new(&self.name);
        let size = self
            .size
            .or_else(|| known.iter().find(|a| a.name == name).map(|a| a.size))
            .unwrap_or(Size::Len(name));
        Axis { name, size }
    }
}

/// One item inside brackets.
#[derive(Clone)]
pub(crate) enum Item {
    Axis(Named),
    Number(i64),
}

/// The brackets after an operation: groups parted by `;` or `->`.
pub(crate) type Brackets = Vec<Vec<Item>>;

/// Operations with brackets; `None` if the brackets do not fit.
pub(crate) fn bracketed(name: &str, groups: &Brackets, known: &[Axis]) -> Option<Op> {
    let axis = |item: &Item| match item {
        Item::Axis(n) => Some(n.resolve(known)),
        Item::Number(_) => None,
    };
    let axes = |g: &[Item]| g.iter().map(axis).collect::<Option<Vec<_>>>();
    let natural = |item: &Item| match item {
        Item::Number(n) => usize::try_from(*n).ok(),
        Item::Axis(_) => None,
    };
    // `[axis, axis]` with an optional last word.
    let flagged = |g: &[Item], flag: &str| match g {
        [a, b] => Some((axis(a)?, axis(b)?, false)),
        [a, b, Item::Axis(n)] if n.name == flag && n.size.is_none() => {
            Some((axis(a)?, axis(b)?, true))
        }
        _ => None,
    };
    let reduce = |r| match groups.as_slice() {
        [g] => Some(Op::Reduce(r, axes(g)?)),
        _ => None,
    };
    match (name, groups.as_slice()) {
        ("sum", _) => reduce(ReduceOp::Sum),
        ("prod", _) => reduce(ReduceOp::Prod),
        ("max", _) => reduce(ReduceOp::Max),
        ("min", _) => reduce(ReduceOp::Min),
        ("argmax", _) => reduce(ReduceOp::ArgMax),
        ("argmin", _) => reduce(ReduceOp::ArgMin),
        ("contract", [g]) => Some(Op::Contract(axes(g)?)),
        ("expand", [g]) => Some(Op::Expand(axes(g)?)),
        ("rename", [a, b]) => match (a.as_slice(), b.as_slice()) {
            ([a], [b]) => Some(Op::Rename {
                from: axis(a)?,
                to: axis(b)?,
            }),
            _ => None,
        },
        ("split", [a, into]) => match a.as_slice() {
            [a] => Some(Op::Split {
                axis: axis(a)?,
                into: axes(into)?,
            }),
            _ => None,
        },
        ("merge", [parts, into]) => match into.as_slice() {
            [a] => Some(Op::Merge {
                axes: axes(parts)?,
                into: axis(a)?,
            }),
            _ => None,
        },
        ("patch", [a, parts]) => match (a.as_slice(), parts.as_slice()) {
            ([a], [ticks, within]) => Some(Op::Patch {
                axis: axis(a)?,
                ticks: axis(ticks)?,
                within: axis(within)?,
            }),
            _ => None,
        },
        ("unpatch", [parts, a]) => match (parts.as_slice(), a.as_slice()) {
            ([ticks, within], [a]) => Some(Op::Unpatch {
                ticks: axis(ticks)?,
                within: axis(within)?,
                axis: axis(a)?,
            }),
            _ => None,
        },
        ("scatter_add", [a, over]) => match a.as_slice() {
            [a] => Some(Op::ScatterAdd {
                axis: axis(a)?,
                over: axes(over)?,
            }),
            _ => None,
        },
        ("conv_kernel", [g, over]) => {
            let (axis, lag, ahead) = flagged(g, "ahead")?;
            Some(Op::ConvKernel {
                axis,
                lag,
                ahead,
                over: axes(over)?,
            })
        }
        ("window", [g]) => {
            flagged(g, "ahead").map(|(axis, lag, ahead)| Op::Window { axis, lag, ahead })
        }
        ("unwindow", [g]) => {
            flagged(g, "ahead").map(|(axis, lag, ahead)| Op::Unwindow { axis, lag, ahead })
        }
        ("conv", [g]) => {
            flagged(g, "ahead").map(|(axis, lag, ahead)| Op::Conv { axis, lag, ahead })
        }
        ("solve", [g]) => flagged(g, "transpose").map(|(row, col, transpose)| Op::Solve {
            row,
            col,
            transpose,
        }),
        (_, [g]) => match (name, g.as_slice()) {
            ("proj", [k]) => Some(Op::Proj(natural(k)?)),
            ("iota", [a]) => Some(Op::Iota(axis(a)?)),
            ("softmax", [a]) => Some(Op::Softmax(axis(a)?)),
            ("logsumexp", [a]) => Some(Op::LogSumExp(axis(a)?)),
            ("flip", [a]) => Some(Op::Flip(axis(a)?)),
            ("online", [a]) => Some(Op::Online(axis(a)?)),
            ("stack", [a]) => Some(Op::Stack(axis(a)?)),
            ("gather", [a]) => Some(Op::Gather(axis(a)?)),
            ("topmask", [a, k]) => Some(Op::TopMask(axis(a)?, natural(k)?)),
            ("pick", [a, k]) => Some(Op::Pick {
                axis: axis(a)?,
                index: natural(k)?,
            }),
            ("place", [a, k]) => Some(Op::Place {
                axis: axis(a)?,
                index: natural(k)?,
            }),
            ("shift", [a, Item::Number(by)]) => Some(Op::Shift {
                axis: axis(a)?,
                by: *by,
            }),
            _ => None,
        },
        _ => None,
    }
}
