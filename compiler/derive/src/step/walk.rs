//! A program rewritten value by value into one that reads states and writes them.

use super::{Plan, needed, plan};
use crate::{DeriveError, Result};
use seqc_algebra::{Builder, Func, InputKind, Ty, ValueId};

pub(super) struct Walk<'a> {
    pub plan: &'a Plan<'a>,
    pub b: Builder,
    /// Values of the old program in the new one.
    pub image: Vec<Option<ValueId>>,
    /// States as they come in, and as they go out once they are known.
    pub old: Vec<ValueId>,
    pub new: Vec<Option<ValueId>>,
    /// The position of the first step.
    pub pos: ValueId,
}

/// The image of a value; `None` for scans, whose results have images.
pub(super) type Rule = fn(&mut Walk, ValueId) -> Result<Option<ValueId>>;

/// The program that `rule` makes, with a scalar input `pos`, and states as inputs of kind `State` and as results of one
/// name, `state.NAME`.
pub(super) fn walk(func: &Func, rule: Rule) -> Result<Func> {
    let plan = plan(func)?;
    let needed = needed(func);
    let mut b = Builder::new(&func.name);
    let pos = b.input("pos", InputKind::Data, Ty::real(vec![]));
    let states = plan.carries.iter().enumerate();
    let old = states
        .map(|(k, (_, c))| b.input(&plan.state_name(k), InputKind::State, plan.carry_ty(c)))
        .collect();
    let mut w = Walk {
        b,
        image: vec![None; func.values.len()],
        old,
        new: vec![None; plan.carries.len()],
        pos,
        plan: &plan,
    };
    let wanted = |id: &ValueId| needed[id.index()] || func.params.contains(id);
    for id in func.ids().filter(wanted) {
        let v = rule(&mut w, id)?;
        if let (Some(v), Some(name)) = (v, func.value(id).name) {
            w.b.name(v, name.as_str());
        }
        w.image[id.index()] = v;
    }
    w.results()
}

impl Walk<'_> {
    pub fn arg(&self, id: ValueId, n: usize) -> Result<ValueId> {
        self.image[self.plan.func.args(id)[n].index()]
            .ok_or_else(|| DeriveError("a value has no step form".into()))
    }

    fn results(mut self) -> Result<Func> {
        for (name, v) in &self.plan.func.results {
            let Some(v) = self.image[v.index()] else {
                return Err(DeriveError(format!("result `{name}` has no step form")));
            };
            self.b.result(name, v);
        }
        for k in 0..self.plan.carries.len() {
            let name = self.plan.state_name(k);
            let Some(v) = self.new[k] else {
                return Err(DeriveError(format!("`{name}` is never written")));
            };
            self.b.result(&name, v);
        }
        Ok(self.b.finish())
    }
}
