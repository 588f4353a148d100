//! Contractions: linear in each operand. A contraction over E becomes one contraction per operand, of the cotangent
//! with the other operands, over whatever the operand lacks: the FLOPs stay those of the primal.

use super::super::parts::{conj, contribution, total};
use super::{At, Result};
use seqc_algebra::{Axis, Builder, ValueId};

pub fn jvp(
    b: &mut Builder,
    over: &[Axis],
    at: At,
    t: &[Option<ValueId>],
) -> Result<Option<ValueId>> {
    let mut terms = vec![];
    for (k, t) in t.iter().enumerate() {
        if let Some(t) = t {
            let mut args = at.x.to_vec();
            args[k] = *t;
            terms.push(b.contract(over, &args)?);
        }
    }
    total(b, &terms)
}

pub fn vjp(b: &mut Builder, at: At, g: ValueId, want: &[bool]) -> Result<Vec<(usize, ValueId)>> {
    let mut out = vec![];
    for k in (0..at.x.len()).filter(|k| want[*k]) {
        let mut beside = vec![];
        for (j, x) in at.x.iter().enumerate() {
            if j != k {
                beside.push(conj(b, *x)?);
            }
        }
        let ty = b.ty(at.x[k]).clone();
        out.push((k, contribution(b, g, &beside, &ty)?));
    }
    Ok(out)
}
