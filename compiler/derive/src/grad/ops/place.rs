//! Operations that only move numbers: linear, their transposes move them back. Windows pair with unwindows.

use super::super::parts::zeros;
use super::{At, Result};
use crate::grad::GradError;
use seqc_algebra::{Builder, Op, Ty, ValueId};

/// The same movement of the tangent.
pub fn jvp(b: &mut Builder, at: At, t: &[Option<ValueId>]) -> Result<Option<ValueId>> {
    if matches!(
        at.op,
        Op::Input(_) | Op::Const(_) | Op::Iota(_) | Op::Length(_)
    ) {
        return Ok(None);
    }
    let mut args = Vec::with_capacity(t.len());
    for (x, t) in at.x.iter().zip(t) {
        args.push(match t {
            Some(t) => *t,
            None => {
                let ty = b.ty(*x).clone();
                zeros(
                    b,
                    &Ty {
                        elem: seqc_algebra::Elem::Real,
                        ..ty
                    },
                )?
            }
        });
    }
    Ok(Some(b.push(at.op.clone(), &args)?))
}

pub fn vjp(b: &mut Builder, at: At, g: ValueId) -> Result<Vec<(usize, ValueId)>> {
    let back = match at.op {
        Op::Input(_) | Op::Const(_) | Op::Iota(_) | Op::Length(_) => return Ok(vec![]),
        Op::Expand(_) => return Ok(vec![(0, g)]),
        Op::Rename { from, to } => Op::Rename {
            from: *to,
            to: *from,
        },
        Op::Split { axis, into } => Op::Merge {
            axes: into.clone(),
            into: *axis,
        },
        Op::Merge { axes, into } => Op::Split {
            axis: *into,
            into: axes.clone(),
        },
        Op::Patch {
            axis,
            ticks,
            within,
        } => Op::Unpatch {
            ticks: *ticks,
            within: *within,
            axis: *axis,
        },
        Op::Unpatch {
            ticks,
            within,
            axis,
        } => Op::Patch {
            axis: *axis,
            ticks: *ticks,
            within: *within,
        },
        Op::Flip(axis) => Op::Flip(*axis),
        Op::Shift { axis, by } => Op::Shift {
            axis: *axis,
            by: by
                .checked_neg()
                .ok_or_else(|| GradError("a shift is too far".into()))?,
        },
        Op::Window { axis, lag, ahead } => Op::Unwindow {
            axis: *axis,
            lag: *lag,
            ahead: *ahead,
        },
        Op::Unwindow { axis, lag, ahead } => Op::Window {
            axis: *axis,
            lag: *lag,
            ahead: *ahead,
        },
        Op::Pick { axis, index } => Op::Place {
            axis: *axis,
            index: *index,
        },
        Op::Place { axis, index } => Op::Pick {
            axis: *axis,
            index: *index,
        },
        Op::Stack(axis) => {
            return (0..at.x.len())
                .map(|k| {
                    Ok((
                        k,
                        b.push(
                            Op::Pick {
                                axis: *axis,
                                index: k,
                            },
                            &[g],
                        )?,
                    ))
                })
                .collect();
        }
        op => return Err(GradError(format!("no derivative rule for {op:?}"))),
    };
    Ok(vec![(0, b.push(back, &[g])?)])
}
