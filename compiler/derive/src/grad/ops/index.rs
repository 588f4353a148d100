//! `Gather` and `ScatterAdd` are each other's transpose in the table; indices carry no derivative.

use super::{At, Result};
use seqc_algebra::{Axis, Builder, Op, ValueId};

pub fn jvp(b: &mut Builder, at: At, t: Option<ValueId>) -> Result<Option<ValueId>> {
    let Some(t) = t else { return Ok(None) };
    Ok(Some(b.push(at.op.clone(), &[t, at.x[1]])?))
}

pub fn vjp(b: &mut Builder, at: At, g: ValueId) -> Result<Vec<(usize, ValueId)>> {
    let index = at.x[1];
    let back = match at.op {
        Op::Gather(axis) => {
            // Kept are the table's other axes; the looked-up name may be the index's too, then that one is summed.
            let table = b.ty(at.x[0]).clone();
            let over: Vec<Axis> = b
                .axes(g)
                .iter()
                .copied()
                .filter(|a| a == axis || !table.has(*a))
                .collect();
            Op::ScatterAdd { axis: *axis, over }
        }
        Op::ScatterAdd { axis, .. } => Op::Gather(*axis),
        _ => return Ok(vec![]),
    };
    Ok(vec![(0, b.push(back, &[g, index])?)])
}
