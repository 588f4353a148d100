//! What is read of memories outside of the loop, one by one: values of each, until they are added up.

use super::folded::Folded;
use super::kinds::{Kind, Picked};
use super::order::Arranged;
use crate::rewrite::Image;
use crate::words::expression;
use crate::{DeriveError, Result};
use seqc_algebra::{Builder, Func, Op, Out, Scan, ValueId};

/// The values between what a loop gives out for each memory and the sums over memories, those included.
pub(super) struct Reads {
    is: Vec<bool>,
}

impl Reads {
    /// Else why memories are not apart, or where one that is not picked counts.
    pub fn of(
        func: &Func,
        (id, scan): (ValueId, &Scan),
        emits: &[Kind],
        nothing: &Folded,
        by: &Picked<'_>,
    ) -> std::result::Result<Reads, String> {
        let live = func.live();
        let mut each = vec![false; func.values.len()];
        let mut is = each.clone();
        let given_out = |n: usize| match scan.outs[n] {
            Out::Emit(e) => emits[e] == Kind::Each,
            Out::Enter(_) | Out::Final(_) => false,
        };
        for v in func.ids().filter(|v| live[v.index()]) {
            if let Op::Proj(n) = func.op(v) {
                each[v.index()] = func.args(v)[0] == id && given_out(*n);
                continue;
            }
            if !func.args(v).iter().any(|a| each[a.index()]) {
                continue;
            }
            is[v.index()] = true;
            each[v.index()] = func.ty(v).has(by.memory);
            let fits = match each[v.index()] {
                true => by.mixes_none(func, v),
                false => by.sums(func, v, nothing),
            };
            if !fits {
                let text = expression(func, v, &|_| None);
                return Err(format!(
                    "`{text}` mixes them, or counts one that is not picked"
                ));
            }
        }
        let kept = func.results.iter().any(|(_, v)| each[v.index()]);
        match kept {
            true => Err("all of them are given out".into()),
            false => Ok(Reads { is }),
        }
    }

    pub fn has(&self, v: ValueId) -> bool {
        self.is[v.index()]
    }

    /// One of the values, for slots in place of memories.
    pub fn for_slots(
        &self,
        b: &mut Builder,
        (func, v): (&Func, ValueId),
        image: &Image<'_>,
        order: &Arranged,
    ) -> Result<ValueId> {
        let lost = || DeriveError("what is read of a memory was lost".into());
        let mut args = vec![];
        for a in func.args(v) {
            let a = image(*a).ok_or_else(lost)?;
            args.push(order.picked(b, a)?);
        }
        Ok(match func.op(v) {
            Op::Contract(over) => b.contract(&order.slots(over), &args)?,
            Op::Expand(axes) => b.fill(args[0], &order.slots(axes))?,
            other => b.push(other.clone(), &args)?,
        })
    }

    /// Has the other one of the values too?
    pub fn meets(&self, other: &Reads) -> bool {
        self.is.iter().zip(&other.is).any(|(a, b)| *a && *b)
    }
}
