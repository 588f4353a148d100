//! A program, and what the law asks of many of its values, found once.

use crate::step::Clocks;
use crate::stream::Bounds;
use seqc_algebra::{Axis, Func, MapFn, Op, ValueId};
use std::ops::Deref;

pub(super) struct Program<'a> {
    func: &'a Func,
    clocks: Clocks,
    pub bounds: Bounds,
    /// For each value, the live values that use it.
    pub users: Vec<Vec<ValueId>>,
    pub is_result: Vec<bool>,
    /// Does the value reach results through comparisons alone?
    pub only_compared: Vec<bool>,
}

impl Deref for Program<'_> {
    type Target = Func;

    fn deref(&self) -> &Func {
        self.func
    }
}

impl Program<'_> {
    pub fn of(func: &Func) -> Program<'_> {
        let mut is_result = vec![false; func.values.len()];
        for (_, v) in &func.results {
            is_result[v.index()] = true;
        }
        let users = func.users();
        Program {
            func,
            clocks: Clocks::of(func),
            bounds: Bounds::of(func),
            only_compared: only_compared(func, &users, &is_result),
            users,
            is_result,
        }
    }

    /// Does the axis stand for the present: the clock, or a renaming of it that is never summed over?
    pub fn is_present(&self, a: &Axis) -> bool {
        self.clocks.is_present(a)
    }

    /// The axis along which a value goes with the steps.
    pub fn present_axis(&self, v: ValueId) -> Option<Axis> {
        let mut own = self.ty(v).axes.iter().filter(|a| self.is_present(a));
        own.next().copied()
    }
}

fn only_compared(func: &Func, users: &[Vec<ValueId>], is_result: &[bool]) -> Vec<bool> {
    let mut only = vec![true; func.values.len()];
    for id in func.ids().rev() {
        let compared = |u: &ValueId| match func.op(*u) {
            Op::Map(MapFn::Lt | MapFn::Le | MapFn::Gt | MapFn::Ge | MapFn::Eq | MapFn::Ne) => true,
            Op::Map(MapFn::Add | MapFn::Sub | MapFn::Neg) | Op::Expand(_) | Op::Rename { .. } => {
                only[u.index()]
            }
            _ => false,
        };
        let i = id.index();
        only[i] = !is_result[i] && users[i].iter().all(compared);
    }
    only
}
