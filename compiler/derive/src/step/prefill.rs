//! The whole from the start, with the states that it ends in.

use super::merge::merge_scans;
use super::{Carry, Order, cached, clock, length, plan};
use crate::dual::sources;
use crate::{DeriveError, Result};
use seqc_algebra::{Axis, Builder, Func, MapFn, Op, Out, ValueId};
use std::collections::HashMap;

/// The parallel program with the states after its last position as results `state.NAME`, of the same names and
/// shapes as [`step`]'s. `func` must be the program that `step` was given (before any chunking).
pub fn prefill(func: &Func) -> Result<Func> {
    // What nothing can go on from is no state.
    super::resume(func)?;
    let plan = plan(func)?;
    let mut b = Builder::new(&func.name);
    let image = b.inline(func, &HashMap::new())?;
    let mut finals: HashMap<ValueId, Vec<ValueId>> = HashMap::new();
    for (name, v) in &func.results {
        if let Some(v) = image[v.index()] {
            b.result(name, v);
        }
    }
    for (k, (_, c)) in plan.carries.iter().enumerate() {
        let of = |v: ValueId| {
            image[v.index()].ok_or_else(|| DeriveError("a carried value was lost".into()))
        };
        let v = match c {
            Carry::State { scan, k: n } => {
                let Op::Scan(s) = func.op(*scan) else {
                    continue;
                };
                if !finals.contains_key(scan) {
                    let mut wider = (**s).clone();
                    wider.outs.extend((0..s.states).map(Out::Final));
                    let args = func
                        .args(*scan)
                        .iter()
                        .map(|a| of(*a))
                        .collect::<Result<Vec<_>>>()?;
                    let all = b.scan(wider, &args)?;
                    finals.insert(*scan, all[s.outs.len()..].to_vec());
                }
                let last = finals[scan][*n];
                match sources(s) {
                    Some(j) if b.has(last, j) => oldest_first(&mut b, last, (j, cached(&j)))?,
                    _ => last,
                }
            }
            Carry::Recent { of: v, lag } => newest_first(&mut b, of(*v)?, *lag)?,
            Carry::All {
                of: v,
                along,
                order: Order::NewestFirst,
            } => newest_first(&mut b, of(*v)?, cached(along))?,
            Carry::All {
                of: v,
                along,
                order: Order::OldestFirst,
            } => oldest_first(&mut b, of(*v)?, (clock(), cached(along)))?,
            Carry::First { of: v } => {
                let zero = b.num(0.0);
                b.push(Op::Gather(clock()), &[of(*v)?, zero])?
            }
        };
        b.result(&plan.state_name(k), v);
    }
    merge_scans(&b.finish())
}

/// `y[l] = x[T-1-l]`, 0 before the start.
fn newest_first(b: &mut Builder, x: ValueId, lag: Axis) -> Result<ValueId> {
    let (l, one, zero) = (b.iota(lag)?, b.num(1.0), b.num(0.0));
    let len = length(b)?;
    let last = b.sub(len, one)?;
    let at = b.sub(last, l)?;
    let inside = b.map2(MapFn::Ge, at, zero)?;
    let v = b.push(Op::Gather(clock()), &[x, at])?;
    Ok(b.select(inside, v, zero)?)
}

/// `y[j] = x[j]` for j < T, else 0: from one axis to a longer one.
fn oldest_first(b: &mut Builder, x: ValueId, (from, along): (Axis, Axis)) -> Result<ValueId> {
    let (at, zero) = (b.iota(along)?, b.num(0.0));
    let len = length(b)?;
    let inside = b.map2(MapFn::Lt, at, len)?;
    let v = b.push(Op::Gather(from), &[x, at])?;
    Ok(b.select(inside, v, zero)?)
}
