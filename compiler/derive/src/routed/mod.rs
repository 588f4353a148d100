//! Law: of states of which each step changes and reads only a few, those are stepped and no others.
//!
//! `S_m[t] = select(pick_m, step(S_m[t-1]), S_m[t-1])` and a read `Σ_m w_m read(S_m)` with `w_m = 0` where `pick_m = 0`,
//! `pick` the k largest of M scores: each memory m sees a sequence of its own, of the steps that pick it. All of them
//! one after another have k T steps, however many memories there are. The law lays what the loop is given along that
//! axis ([`order`]), runs one recurrence there whose state begins anew where a memory begins, and adds up for each
//! step what its k reads give (derivation calculus §2.6, "Routed").
//!
//! Side conditions, which [`kinds`] shows by folding the equations with `pick = 0` ([`folded`]): a state that is not
//! picked stays as it is, and adds nothing to any output; memories do not see each other but in sums over them, in the
//! loop's outputs or after it ([`reads`]). States begin at 0, and neither states nor what enters a step is given out.
//! [`body`] makes the new loop.

mod body;
mod folded;
mod kinds;
mod order;
mod reads;

use crate::rewrite::{Image, map_by_images};
use crate::{DeriveError, Result};
use folded::Folded;
use order::Arranged;
use reads::Reads;
use seqc_algebra::{Axis, Builder, Func, Op, Out, Scan, ValueId};
use std::collections::{BTreeSet, HashMap};

/// Applies the law wherever it holds.
pub fn route_states(func: &Func) -> Result<Func> {
    Ok(route(func)?.0)
}

/// The new program, and what has become of the scans that are routed.
fn route(func: &Func) -> Result<(Func, HashMap<ValueId, ValueId>)> {
    // Without a router there is nothing to look for, scan by scan.
    let picks = |v: ValueId| matches!(func.op(v), Op::TopMask(..));
    if !func.ids().any(picks) {
        return Ok((func.clone(), HashMap::new()));
    }
    let live = func.live();
    let scans = func.ids().filter(|id| live[id.index()]);
    let mut found: Vec<Routed<'_>> = vec![];
    for r in scans.filter_map(|id| routed(func, id)) {
        // What is read of two of them has the slots of one mask.
        let other = |o: &Routed<'_>| o.mask != r.mask && o.reads.meets(&r.reads);
        if !found.iter().any(other) {
            found.push(r);
        }
    }
    if found.is_empty() {
        return Ok((func.clone(), HashMap::new()));
    }
    let mut done: HashMap<ValueId, Rebuilt> = HashMap::new();
    let new = map_by_images(func, |b, id, image| {
        if let Some(r) = found.iter().find(|r| r.id == id) {
            let new = r.rebuilt(b, func, image)?;
            let scan = new.scan;
            done.insert(id, new);
            return Ok(Some(scan));
        }
        if let Op::Proj(n) = func.op(id) {
            return Ok(done.get(&func.args(id)[0]).map(|d| d.outs[*n]));
        }
        let reads = found.iter().find(|r| r.reads.has(id));
        let new = reads.and_then(|r| Some((r, done.get(&r.id)?)));
        new.map(|(r, d)| r.reads.for_slots(b, (func, id), image, &d.order))
            .transpose()
    })?;
    let scans = done.into_iter().map(|(id, d)| (id, d.scan)).collect();
    Ok((new, scans))
}

/// A scan over states that a mask picks from.
struct Routed<'a> {
    id: ValueId,
    scan: &'a Scan,
    mask: ValueId,
    /// The memories, and how many of them a step picks.
    memory: Axis,
    picks: usize,
    /// The axis of all steps of all memories.
    along: Axis,
    reads: Reads,
}

/// The new scan, and what the old one gives out: sums over memories, or values of slots.
struct Rebuilt {
    scan: ValueId,
    order: Arranged,
    outs: Vec<ValueId>,
}

/// How a recurrence's states are picked.
pub(crate) struct Words {
    pub mask: ValueId,
    /// How many of how many.
    pub text: String,
    /// The loop over what is picked, or what keeps all states in the loop.
    pub scan: std::result::Result<Scan, String>,
}

/// `None` if nothing picks from the recurrence's states.
pub(crate) fn words(func: &Func, id: ValueId) -> Option<Words> {
    let one = |mask: ValueId| {
        let Op::TopMask(memory, picks) = func.op(mask) else {
            return None;
        };
        let (all, name) = (memory.size, crate::words::axis(*memory));
        let text = format!("each step picks {picks} of the {all} states along `{name}`");
        let scan = picked_by(func, id, mask).and_then(|_| {
            let (new, scans) = route(func).map_err(|e| e.0)?;
            match scans.get(&id).map(|v| new.op(*v)) {
                Some(Op::Scan(s)) => Ok((**s).clone()),
                _ => Err("what is read of them is read of others that another mask picks".into()),
            }
        });
        Some(Words { mask, text, scan })
    };
    let mut all = masks(func, id).into_iter().filter_map(one);
    let first = all.next()?;
    Some(match first.scan.is_ok() {
        true => first,
        false => all.find(|w| w.scan.is_ok()).unwrap_or(first),
    })
}

/// The scan as a routed one, if it is, by the first mask by which it is one.
fn routed(func: &Func, id: ValueId) -> Option<Routed<'_>> {
    let by = |mask| picked_by(func, id, mask).ok();
    masks(func, id).into_iter().find_map(by)
}

/// The masks that pick from the states of a scan: what it is given is made of them, position by position.
fn masks(func: &Func, id: ValueId) -> Vec<ValueId> {
    let Op::Scan(scan) = func.op(id) else {
        return vec![];
    };
    let states = &scan.body.params[1..=scan.states];
    let mut todo = func.args(id)[scan.states..].to_vec();
    let mut seen = BTreeSet::new();
    while let Some(v) = todo.pop() {
        if !seen.insert(v) {
            continue;
        }
        if matches!(func.op(v), Op::Map(_) | Op::Expand(_) | Op::Contract(_)) {
            todo.extend(func.args(v));
        }
    }
    let of_states =
        |m: &Axis| !states.is_empty() && states.iter().all(|s| scan.body.ty(*s).has(*m));
    let picks = |v: &ValueId| matches!(func.op(*v), Op::TopMask(m, _) if of_states(m));
    seen.into_iter().filter(picks).collect()
}

/// The scan as a routed one, or why it is none.
fn picked_by(func: &Func, id: ValueId, mask: ValueId) -> std::result::Result<Routed<'_>, String> {
    let (Op::Scan(scan), Op::TopMask(memory, picks)) = (func.op(id), func.op(mask)) else {
        return Err("nothing picks".into());
    };
    let (memory, picks) = (*memory, *picks);
    let (states, given) = func.args(id).split_at(scan.states);
    let axes = &func.ty(mask).axes;
    let emits = scan.outs.iter().all(|o| matches!(o, Out::Emit(_)));
    let whole = scan.tile.is_none() && !scan.lo && !scan.hi;
    let along = scan
        .axis
        .size
        .times(picks)
        .filter(|_| axes.contains(&scan.axis));
    if memory.size.constant().is_none_or(|m| 2 * picks > m) {
        return Err("that is more than half of them".into());
    }
    if states.iter().any(|s| func.everywhere(*s) != Some(0.0)) {
        return Err("they do not begin at 0".into());
    }
    let Some(size) = along.filter(|_| emits && whole) else {
        return Err("states are given out, or not every step picks".into());
    };
    let nothing = Folded::outside(func, mask, memory, 0.0);
    let by = kinds::Picked { axes, memory };
    let each = kinds::given_out(scan, given, &nothing, &by)?;
    Ok(Routed {
        id,
        scan,
        mask,
        memory,
        picks,
        along: Axis {
            size,
            ..scan.axis.renamed(&format!("{}%routed", scan.axis.name))
        },
        reads: Reads::of(func, (id, scan), &each, &nothing, &by)?,
    })
}

impl Routed<'_> {
    fn rebuilt(&self, b: &mut Builder, func: &Func, image: &Image<'_>) -> Result<Rebuilt> {
        let lost = || DeriveError("what a recurrence is given was lost".into());
        let mask = image(self.mask).ok_or_else(lost)?;
        let order = Arranged::new(b, self, mask)?;
        let picked = Folded::outside(func, self.mask, self.memory, 1.0);
        let mut inputs = body::Inputs::default();
        let formals = &self.scan.body.params[1 + self.scan.states..];
        for (p, v) in formals.iter().zip(&func.args(self.id)[self.scan.states..]) {
            if let Some(x) = picked.number(*v) {
                inputs.numbers.push((*p, x));
                continue;
            }
            let v = image(*v).ok_or_else(lost)?;
            match b.has(v, self.memory) || b.has(v, self.scan.axis) {
                true => inputs.seqs.push((*p, order.laid_out(b, v)?)),
                false => inputs.fixed.push((*p, v)),
            }
        }
        let begins = order.begins(b, self.scan.reverse)?;
        let scan = body::rebuilt(b, self, &inputs, begins)?;
        let outs = (self.scan.outs.iter().enumerate()).map(|(n, o)| {
            let Out::Emit(e) = o else { return Err(lost()) };
            let y = b.push(Op::Proj(n), &[scan])?;
            let y = order.back(b, y)?;
            let old = self.scan.body.results[self.scan.states + e].1;
            let ty = self.scan.body.ty(old);
            match ty.has(self.memory) {
                true => Ok(y),
                false => Ok(order.added_up(b, y, &ty.axes)?),
            }
        });
        let outs = outs.collect::<Result<Vec<_>>>()?;
        Ok(Rebuilt { scan, order, outs })
    }
}
