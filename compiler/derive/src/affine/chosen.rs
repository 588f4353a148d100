//! Conditions of a product as choices: what they leave out is 0, whatever the other factors are there.
//!
//! `[c] · x` is x where c holds, else 0. As a product it would be 0 · inf where x is infinite, which is why the program chose.

use super::How;
use crate::Result;
use seqc_algebra::{Builder, ValueId};

/// A factor: how it is taken, and its value.
type Factor = (How, ValueId);

/// The values of a product's factors: each condition (a value of 0 and 1) chooses of all factors that have its axes, and is a
/// factor itself only where none has. `outer` are the factors of a product that this one is a factor of.
pub fn left_out(
    b: &mut Builder,
    factors: &[(How, ValueId)],
    outer: &[(How, ValueId)],
) -> Result<Vec<ValueId>> {
    let (own, rest): (Vec<Factor>, Vec<Factor>) = factors.iter().copied().partition(is_condition);
    let rest: Vec<ValueId> = rest.into_iter().map(|(_, v)| v).collect();
    let mut all = rest.clone();
    let zero = b.num(0.0);
    for (_, c) in own.iter().chain(outer.iter().filter(|f| is_condition(f))) {
        for (v, plain) in all.iter_mut().zip(&rest) {
            if covers(b, *plain, *c) {
                *v = b.select(*c, *v, zero)?;
            }
        }
    }
    let kept = own.iter().map(|(_, c)| *c);
    all.extend(kept.filter(|c| !rest.iter().any(|v| covers(b, *v, *c))));
    Ok(all)
}

fn is_condition((how, _): &(How, ValueId)) -> bool {
    matches!(how, How::Where | How::Unless)
}

fn covers(b: &Builder, v: ValueId, condition: ValueId) -> bool {
    b.axes(condition).iter().all(|a| b.has(v, *a))
}
