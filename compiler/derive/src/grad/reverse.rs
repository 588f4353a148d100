//! Reverse mode: contributions to each value are collected from its users, summed, and handed on to its operands.

use super::activity::Activity;
use super::ops::{self, At};
use super::parts::total;
use super::{GradError, Result};
use seqc_algebra::{Builder, Func, Op, Out, ValueId};
use std::collections::HashMap;

/// Copies a program's inputs and live values into a builder (those with images are given). Scans get further
/// results: each state on entry, for their transposes to read; unused ones are removed at the end.
pub fn copy_in(
    b: &mut Builder,
    func: &Func,
    given: Vec<Option<ValueId>>,
) -> Result<Vec<Option<ValueId>>> {
    let live = func.live();
    let mut image = given;
    for id in func.ids() {
        if image[id.index()].is_some() || !(live[id.index()] || func.input(id).is_some()) {
            continue;
        }
        let args: Option<Vec<ValueId>> = func.args(id).iter().map(|a| image[a.index()]).collect();
        let args = args.ok_or_else(|| GradError("an operand has no image".into()))?;
        image[id.index()] = Some(match func.op(id) {
            Op::Scan(scan) => {
                let mut scan = scan.clone();
                for s in 0..scan.states {
                    if !scan.outs.contains(&Out::Enter(s)) {
                        scan.outs.push(Out::Enter(s));
                    }
                }
                b.push(Op::Scan(scan), &args)?
            }
            _ => b.copy(func.value(id), &args)?,
        });
    }
    Ok(image)
}

/// Contributions to the cotangents of the inputs among the builder's values, by value. `seeds` are cotangents of
/// some values. Contributions to inputs are left unsummed.
pub fn reverse(
    b: &mut Builder,
    activity: &Activity,
    seeds: Vec<(ValueId, ValueId)>,
) -> Result<Vec<Vec<ValueId>>> {
    let count = activity.active.len();
    let mut lists: Vec<Vec<ValueId>> = vec![vec![]; count];
    for (v, g) in seeds {
        if activity.is(v) {
            lists[v.index()].push(g);
        }
    }
    let mut scan_outs: HashMap<ValueId, Vec<Option<ValueId>>> = HashMap::new();
    for id in (0..count as u32).rev().map(ValueId) {
        let value = b.func().value(id).clone();
        let contributions = match &value.op {
            Op::Input(_) => continue,
            Op::Scan(_) => {
                let (Some(outs), Some(inner)) = (scan_outs.remove(&id), activity.scans.get(&id))
                else {
                    continue;
                };
                ops::scan::vjp(b, id, &outs, inner)?
            }
            op => {
                let list = std::mem::take(&mut lists[id.index()]);
                let Some(g) = total(b, &list)? else { continue };
                if let Op::Proj(k) = op {
                    let outs = scan_outs.entry(value.args[0]).or_default();
                    outs.resize(outs.len().max(k + 1), None);
                    outs[*k] = Some(g);
                    continue;
                }
                let want: Vec<bool> = value
                    .args
                    .iter()
                    .enumerate()
                    .map(|(k, a)| activity.is(*a) && super::activity::passes(op, k))
                    .collect();
                ops::vjp(
                    b,
                    At {
                        op,
                        y: id,
                        x: &value.args,
                    },
                    g,
                    &want,
                )?
            }
        };
        for (k, g) in contributions {
            let a = value.args[k];
            if activity.is(a) {
                lists[a.index()].push(g);
            }
        }
    }
    Ok(lists)
}
