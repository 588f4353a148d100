//! Forward mode: each value beside its tangent.

use super::activity::Activity;
use super::ops::{self, At};
use super::{GradError, Result};
use seqc_algebra::{Builder, Func, Op, ValueId};
use std::collections::HashMap;

/// For each value of a program, its image and its tangent (`None`: zero by structure) in a builder.
pub struct Dual {
    pub value: Vec<Option<ValueId>>,
    pub tangent: Vec<Option<ValueId>>,
    /// For scans: which result of the combined scan is the tangent of each result.
    pub scans: HashMap<ValueId, Vec<Option<usize>>>,
}

impl Dual {
    pub fn new(func: &Func) -> Dual {
        let n = func.values.len();
        Dual {
            value: vec![None; n],
            tangent: vec![None; n],
            scans: HashMap::new(),
        }
    }

    pub fn value_of(&self, v: ValueId) -> Result<ValueId> {
        self.value[v.index()].ok_or_else(|| GradError("a value has no image".into()))
    }
}

/// Fills in all live values; those with images (the inputs) are given, with tangents for some.
pub fn forward(b: &mut Builder, func: &Func, dual: &mut Dual) -> Result<()> {
    let roots: Vec<ValueId> = func
        .ids()
        .filter(|v| dual.tangent[v.index()].is_some())
        .collect();
    let activity = Activity::new(func, &roots);
    let live = func.live();
    for id in func.ids() {
        if dual.value[id.index()].is_some() || !live[id.index()] {
            continue;
        }
        let args = func
            .args(id)
            .iter()
            .map(|a| dual.value_of(*a))
            .collect::<Result<Vec<_>>>()?;
        let tangents: Vec<Option<ValueId>> = func
            .args(id)
            .iter()
            .map(|a| dual.tangent[a.index()])
            .collect();
        match (func.op(id), activity.scans.get(&id)) {
            (Op::Scan(scan), Some(inner)) => {
                let (v, outs) = ops::scan::jvp(b, scan, &args, &tangents, inner)?;
                dual.value[id.index()] = Some(v);
                dual.scans.insert(id, outs);
            }
            (Op::Proj(k), _) => {
                let v = b.copy(func.value(id), &args)?;
                dual.value[id.index()] = Some(v);
                let at = dual
                    .scans
                    .get(&func.args(id)[0])
                    .and_then(|outs| outs.get(*k).copied().flatten());
                dual.tangent[id.index()] = at.map(|k| b.push(Op::Proj(k), &args)).transpose()?;
            }
            (op, _) => {
                let y = b.copy(func.value(id), &args)?;
                dual.value[id.index()] = Some(y);
                if activity.is(id) {
                    dual.tangent[id.index()] = ops::jvp(b, At { op, y, x: &args }, &tangents)?;
                }
            }
        }
    }
    Ok(())
}
