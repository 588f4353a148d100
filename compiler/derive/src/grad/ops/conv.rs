//! Convolutions: bilinear in kernel and sequence. The transpose in the sequence runs the other way in time, the
//! transpose in the kernel is the correlation of cotangent and sequence.

use super::super::parts::{conj, total};
use super::{At, Result};
use seqc_algebra::{Axis, Builder, Op, ValueId};

pub fn jvp(b: &mut Builder, at: At, t: &[Option<ValueId>]) -> Result<Option<ValueId>> {
    let mut terms = vec![];
    for (k, t) in t.iter().enumerate() {
        if let Some(t) = t {
            let mut args = at.x.to_vec();
            args[k] = *t;
            terms.push(b.push(at.op.clone(), &args)?);
        }
    }
    total(b, &terms)
}

pub fn vjp(b: &mut Builder, at: At, g: ValueId, want: &[bool]) -> Result<Vec<(usize, ValueId)>> {
    let mut out = vec![];
    let (p, q) = (conj(b, at.x[0])?, conj(b, at.x[1])?);
    match at.op {
        Op::Conv { axis, lag, ahead } => {
            if want[0] {
                let kernel = b.ty(at.x[0]).clone();
                let over: Vec<Axis> = b
                    .axes(g)
                    .iter()
                    .copied()
                    .filter(|a| a != axis && !kernel.has(*a))
                    .collect();
                out.push((
                    0,
                    b.push(
                        Op::ConvKernel {
                            axis: *axis,
                            lag: *lag,
                            ahead: *ahead,
                            over,
                        },
                        &[g, q],
                    )?,
                ));
            }
            if want[1] {
                out.push((
                    1,
                    b.push(
                        Op::Conv {
                            axis: *axis,
                            lag: *lag,
                            ahead: !ahead,
                        },
                        &[p, g],
                    )?,
                ));
            }
        }
        Op::ConvKernel {
            axis, lag, ahead, ..
        } => {
            if want[0] {
                out.push((
                    0,
                    b.push(
                        Op::Conv {
                            axis: *axis,
                            lag: *lag,
                            ahead: *ahead,
                        },
                        &[g, q],
                    )?,
                ));
            }
            if want[1] {
                out.push((
                    1,
                    b.push(
                        Op::Conv {
                            axis: *axis,
                            lag: *lag,
                            ahead: !ahead,
                        },
                        &[g, p],
                    )?,
                ));
            }
        }
        _ => {}
    }
    Ok(out)
}
