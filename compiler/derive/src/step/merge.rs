//! Law: scans of the same steps over the same values are one scan that gives out what any of them does.

use crate::Result;
use seqc_algebra::{Func, Op, Out, Scan, ValueId};
use std::collections::HashMap;

/// Scans that differ only in what they give out become one.
pub(super) fn merge_scans(func: &Func) -> Result<Func> {
    let live = func.live();
    let mut wide: HashMap<(Vec<ValueId>, Scan), (ValueId, Vec<Out>)> = HashMap::new();
    let key = |func: &Func, id: ValueId| match func.op(id) {
        Op::Scan(s) => {
            let mut s = (**s).clone();
            s.outs.clear();
            Some((func.args(id).to_vec(), s))
        }
        _ => None,
    };
    for id in func.ids().filter(|id| live[id.index()]) {
        let (Some(k), Op::Scan(s)) = (key(func, id), func.op(id)) else {
            continue;
        };
        let entry = wide.entry(k).or_insert((id, vec![]));
        for o in &s.outs {
            if !entry.1.contains(o) {
                entry.1.push(*o);
            }
        }
    }
    let mut made: HashMap<ValueId, ValueId> = HashMap::new();
    crate::rewrite::map_values(func, |b, func, id, args| match func.op(id) {
        Op::Scan(s) => {
            let Some(k) = key(func, id) else {
                return Ok(None);
            };
            let (first, outs) = &wide[&k];
            if let Some(v) = made.get(first) {
                return Ok(Some(*v));
            }
            let mut s = (**s).clone();
            s.outs = outs.clone();
            let v = b.push(Op::Scan(Box::new(s)), args)?;
            made.insert(*first, v);
            Ok(Some(v))
        }
        Op::Proj(n) => {
            let scan = func.args(id)[0];
            let (Some(k), Op::Scan(s)) = (key(func, scan), func.op(scan)) else {
                return Ok(None);
            };
            let at = wide[&k].1.iter().position(|o| *o == s.outs[*n]);
            match at {
                Some(at) => Ok(Some(b.push(Op::Proj(at), args)?)),
                None => Ok(None),
            }
        }
        _ => Ok(None),
    })
}
