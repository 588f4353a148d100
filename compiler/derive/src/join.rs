//! Law: a recurrence that takes the states of another, position by position, steps together with it.
//!
//! `P[t] = m P[t-1] + k v; S[t] = a S[t-1] + P[t]` (a momentum) in two loops would store P at every time. Side
//! conditions: the first loop's trajectory has more axes than any sequence that the loop is given, so that it is
//! larger than what it is made of; both step one position at a time, the same way along one time; nothing else that
//! the second is given depends on the first.

use crate::order::topological;
use crate::rewrite::{images, map_in_order};
use crate::trajectory::{Trajectory, trajectory};
use crate::{DeriveError, Result};
use seqc_algebra::{Builder, Func, Op, Out, Scan, ValueId};
use std::collections::HashMap;

/// Joins recurrences as long as there are two that can be.
pub fn join_scans(func: &Func) -> Result<Func> {
    let mut func = func.clone();
    while let Some(pair) = find(&func) {
        func = joined(&func, &pair)?;
    }
    Ok(func)
}

/// Is the value a state of a scan that is larger than what it is made of, at this step or at the one before?
pub(crate) fn taken(func: &Func, v: ValueId) -> Option<Trajectory> {
    let t = trajectory(func, v)?;
    let Op::Scan(s) = func.op(t.scan) else {
        return None;
    };
    larger(func, t.scan, s, s.body.ty(t.value).axes.len()).then_some(t)
}

/// Have all sequences of the scan fewer axes than so many?
fn larger(func: &Func, id: ValueId, s: &Scan, axes: usize) -> bool {
    let seqs = &func.args(id)[s.states..s.states + s.seqs.len()];
    seqs.iter().all(|v| func.ty(*v).axes.len() - 1 < axes)
}

/// Two scans to be joined, and an order of the program in which what the second is given comes before the first.
struct Pair {
    first: ValueId,
    second: ValueId,
    order: Vec<ValueId>,
}

fn find(func: &Func) -> Option<Pair> {
    let live = func.live();
    for second in func.ids().filter(|v| live[v.index()]) {
        let Op::Scan(s) = func.op(second) else {
            continue;
        };
        if s.tile.is_some() || s.lo || s.hi {
            continue;
        }
        let seqs = &func.args(second)[s.states..s.states + s.seqs.len()];
        for t in seqs.iter().filter_map(|v| taken(func, *v)) {
            let same = |f: &Scan| f.axis == s.axis && f.reverse == s.reverse;
            if !matches!(func.op(t.scan), Op::Scan(f) if same(f)) {
                continue;
            }
            let of_first = |v: &ValueId| taken(func, *v).is_some_and(|x| x.scan == t.scan);
            let others: Vec<ValueId> = (func.args(second).iter())
                .filter(|v| !of_first(v))
                .copied()
                .collect();
            if let Some(order) = topological(func, &HashMap::from([(t.scan, others)])) {
                return Some(Pair {
                    first: t.scan,
                    second,
                    order,
                });
            }
        }
    }
    None
}

fn joined(func: &Func, pair: &Pair) -> Result<Func> {
    let (Op::Scan(first), Op::Scan(second)) = (func.op(pair.first), func.op(pair.second)) else {
        return Err(DeriveError("only recurrences are joined".into()));
    };
    let order = pair.order.iter().copied();
    map_in_order(func, order, |b, id, image| {
        if id == pair.first {
            let (scan, args) = both(func, pair, first, second)?;
            return Ok(Some(
                b.push(Op::Scan(Box::new(scan)), &images(&args, image)?)?,
            ));
        }
        if id == pair.second {
            return Ok(image(pair.first));
        }
        match func.op(id) {
            Op::Proj(n) if func.args(id)[0] == pair.second => {
                let n = first.outs.len() + n;
                Ok(Some(b.push(Op::Proj(n), &images(func.args(id), image)?)?))
            }
            _ => Ok(None),
        }
    })
}

/// One of two scans while they are joined: its arguments by kind, and where its body's values are in the joint body.
struct Half<'a> {
    scan: &'a Scan,
    states: &'a [ValueId],
    seqs: &'a [ValueId],
    fixed: &'a [ValueId],
    place: HashMap<ValueId, ValueId>,
}

impl<'a> Half<'a> {
    fn new(scan: &'a Scan, args: &'a [ValueId]) -> Half<'a> {
        let (states, rest) = args.split_at(scan.states);
        let (seqs, rest) = rest.split_at(scan.seqs.len());
        Half {
            scan,
            states,
            seqs,
            fixed: &rest[..scan.fixed],
            place: HashMap::new(),
        }
    }

    /// The parameter of the body for the k-th sequence.
    fn seq(&self, k: usize) -> ValueId {
        self.scan.body.params[1 + self.scan.states + k]
    }

    /// Makes parameters of the body parameters of the joint one.
    fn formals(&mut self, b: &mut Builder, params: &[ValueId]) -> Result<()> {
        for p in params {
            let v = b.copy(self.scan.body.value(*p), &[])?;
            self.place.insert(*p, v);
        }
        Ok(())
    }

    fn state_formals(&mut self, b: &mut Builder) -> Result<()> {
        let params = &self.scan.body.params[1..=self.scan.states];
        self.formals(b, params)
    }

    fn fixed_formals(&mut self, b: &mut Builder) -> Result<()> {
        let first = 1 + self.scan.states + self.seqs.len();
        let params = &self.scan.body.params[first..first + self.fixed.len()];
        self.formals(b, params)
    }

    /// The body in the joint one; the images of its next states, and of what it emits.
    fn inlined(&mut self, b: &mut Builder) -> Result<(Named, Named)> {
        let body = &self.scan.body;
        for (v, image) in body.ids().zip(b.inline(body, &self.place)?) {
            self.place.extend(image.map(|i| (v, i)));
        }
        let image = |(name, v): &(String, ValueId)| Ok((name.clone(), self.at(*v)?));
        let (states, emits) = body.results.split_at(self.scan.states);
        let named = |all: &[(String, ValueId)]| all.iter().map(image).collect::<Result<Named>>();
        Ok((named(states)?, named(emits)?))
    }

    fn at(&self, v: ValueId) -> Result<ValueId> {
        let lost = || DeriveError("a scan's value was lost".into());
        self.place.get(&v).copied().ok_or_else(lost)
    }
}

type Named = Vec<(String, ValueId)>;

/// One scan with the states of both, and its arguments as values of the old program.
fn both(func: &Func, pair: &Pair, first: &Scan, second: &Scan) -> Result<(Scan, Vec<ValueId>)> {
    let mut one = Half::new(first, func.args(pair.first));
    let mut two = Half::new(second, func.args(pair.second));
    let from_first = |v: ValueId| taken(func, v).filter(|t| t.scan == pair.first);
    // A sequence that both are given is one: what is alike in them stays alike.
    let known: Vec<Option<usize>> = (two.seqs.iter().zip(&second.seqs))
        .map(|two| (one.seqs.iter().zip(&first.seqs)).position(|one| one == two))
        .collect();
    let own: Vec<usize> = (0..two.seqs.len())
        .filter(|k| from_first(two.seqs[*k]).is_none() && known[*k].is_none())
        .collect();
    let mut b = Builder::new(&second.body.name);
    let position = first.body.params[0];
    one.formals(&mut b, &[position])?;
    two.place.insert(second.body.params[0], one.at(position)?);
    one.state_formals(&mut b)?;
    two.state_formals(&mut b)?;
    let seqs: Vec<ValueId> = (0..one.seqs.len()).map(|k| one.seq(k)).collect();
    one.formals(&mut b, &seqs)?;
    let seqs: Vec<ValueId> = own.iter().map(|k| two.seq(*k)).collect();
    two.formals(&mut b, &seqs)?;
    one.fixed_formals(&mut b)?;
    two.fixed_formals(&mut b)?;
    let (states_one, emits_one) = one.inlined(&mut b)?;
    for (k, known) in known.iter().enumerate() {
        let there = match (from_first(two.seqs[k]), known) {
            (Some(t), _) => one.at(t.value)?,
            (None, Some(n)) => one.at(one.seq(*n))?,
            (None, None) => continue,
        };
        two.place.insert(two.seq(k), there);
    }
    let (states_two, emits_two) = two.inlined(&mut b)?;
    let offset = emits_one.len();
    for (name, v) in [states_one, states_two, emits_one, emits_two].concat() {
        b.result(&name, v);
    }
    let moved = |o: &Out| match o {
        Out::Emit(e) => Out::Emit(offset + e),
        Out::Final(k) => Out::Final(first.states + k),
        Out::Enter(k) => Out::Enter(first.states + k),
    };
    let of_two = own.iter().map(|k| &second.seqs[*k]);
    let scan = Scan {
        states: first.states + second.states,
        seqs: first.seqs.iter().chain(of_two).cloned().collect(),
        fixed: first.fixed + second.fixed,
        body: b.finish(),
        outs: (first.outs.iter().copied())
            .chain(second.outs.iter().map(moved))
            .collect(),
        ..first.clone()
    };
    let own: Vec<ValueId> = own.iter().map(|k| two.seqs[*k]).collect();
    let args = [one.states, two.states, one.seqs, &own, one.fixed, two.fixed];
    Ok((scan, args.concat()))
}
