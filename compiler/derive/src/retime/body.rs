//! The body of a recurrence whose results are late, each by its own delay.
//!
//! The body is written down once for each delay, the latest first, so that what is early reads states that have just
//! been made. Each copy counts its own position; a copy that is late by `r` leaves its states as they are until step
//! `r`, since there was no position for it before.

use super::scan::{Needs, ScanDelays, only};
use crate::{DeriveError, Result};
use seqc_algebra::{Builder, Func, InputKind, MapFn, Out, Scan, ValueId};
use std::collections::{BTreeSet, HashMap};

pub(super) struct Body<'a> {
    scan: &'a Scan,
    delays: &'a ScanDelays,
    /// Its inputs keep the states at their start until it begins.
    quiet: bool,
    /// How many past values of each state are kept: after positions `t - r - 1`, `t - r - 2`, …
    pub depth: Vec<usize>,
    b: Builder,
    slots: Vec<Vec<ValueId>>,
    /// Results of the old body, once they are made.
    made: Vec<Option<ValueId>>,
}

impl<'a> Body<'a> {
    pub fn new(scan: &'a Scan, delays: &'a ScanDelays, quiet: bool) -> Body<'a> {
        let kept = |k: usize| {
            let reads = delays.results.iter().zip(&delays.needs);
            let reads = reads.filter(|(_, n)| n.states.contains(&k));
            let oldest = reads.map(|(r, _)| r - delays.results[k]).max();
            1 + usize::try_from(oldest.unwrap_or(0)).unwrap_or(0)
        };
        Body {
            scan,
            delays,
            quiet,
            depth: (0..scan.states).map(kept).collect(),
            b: Builder::new(&scan.body.name),
            slots: vec![],
            made: vec![None; scan.body.results.len()],
        }
    }

    fn input(&mut self, n: usize) -> Result<ValueId> {
        let body = &self.scan.body;
        let lost = || DeriveError("a scan's body has too few inputs".into());
        let p = *body.params.get(n).ok_or_else(lost)?;
        let name = body.input(p).ok_or_else(lost)?.name;
        Ok(self
            .b
            .input(name.as_str(), InputKind::Formal, body.ty(p).clone()))
    }

    /// The body and what the scan gives out. `places`: the old argument that each argument after the states is, and how
    /// late.
    pub fn build(mut self, places: &[(usize, i64)]) -> Result<(Func, Vec<Out>)> {
        let pos = self.input(0)?;
        for k in 0..self.scan.states {
            let slots = (0..self.depth[k])
                .map(|_| self.input(1 + k))
                .collect::<Result<_>>()?;
            self.slots.push(slots);
        }
        let mut given = HashMap::new();
        for place in places {
            given.insert(*place, self.input(1 + place.0)?);
        }
        let levels: BTreeSet<i64> = self.delays.results.iter().copied().collect();
        for row in levels.into_iter().rev() {
            self.level(row, pos, &given)?;
        }
        self.finish()
    }

    /// All results that are late by `row`.
    fn level(
        &mut self,
        row: i64,
        pos: ValueId,
        given: &HashMap<(usize, i64), ValueId>,
    ) -> Result<()> {
        let body = &self.scan.body;
        let of_row = |p: &usize| self.delays.results[*p] == row;
        let members: Vec<usize> = (0..body.results.len()).filter(of_row).collect();
        let part = only(body, &members)?;
        let mut inner = HashMap::from([(body.params[0], self.position(pos, row)?)]);
        for p in &members {
            let Needs { states, args } = &self.delays.needs[*p];
            for k in states {
                inner.insert(body.params[1 + k], self.before(*k, row)?);
            }
            for n in args {
                let v = given.get(&(*n, row)).or_else(|| given.get(&(*n, 0)));
                let v = v.ok_or_else(|| DeriveError("an argument of a scan was lost".into()))?;
                inner.insert(body.params[1 + n], *v);
            }
        }
        let image = self.b.inline(&part, &inner)?;
        for p in members {
            let v = image[body.results[p].1.index()];
            let v = v.ok_or_else(|| DeriveError("a scan's result was lost".into()))?;
            self.made[p] = Some(match p < self.scan.states && row > 0 && !self.quiet {
                true => {
                    let n = self.b.num(row as f64);
                    let begun = self.b.map2(MapFn::Ge, pos, n)?;
                    self.b.select(begun, v, self.slots[p][0])?
                }
                false => v,
            });
        }
        Ok(())
    }

    /// The position that is `row` steps back; the first, where there is none.
    fn position(&mut self, pos: ValueId, row: i64) -> Result<ValueId> {
        if row == 0 {
            return Ok(pos);
        }
        let (n, zero) = (self.b.num(row as f64), self.b.num(0.0));
        let at = self.b.sub(pos, n)?;
        Ok(self.b.map2(MapFn::Max, at, zero)?)
    }

    /// State `k` as what is late by `row` meets it.
    fn before(&self, k: usize, row: i64) -> Result<ValueId> {
        let v = match usize::try_from(row - self.delays.results[k]) {
            Ok(h) => self.slots[k].get(h).copied(),
            Err(_) => self.made[k],
        };
        v.ok_or_else(|| DeriveError("a state is read before it is known".into()))
    }

    fn finish(mut self) -> Result<(Func, Vec<Out>)> {
        let states = self.scan.states;
        let name = |p: usize| self.scan.body.results[p].0.as_str();
        let lost = || DeriveError("a scan's result was lost".into());
        let mut first = vec![];
        let mut count = 0;
        for k in 0..states {
            first.push(count);
            count += self.depth[k];
            let next = self.made[k].ok_or_else(lost)?;
            let older = &self.slots[k][..self.depth[k] - 1];
            self.b.result(name(k), next);
            for (n, v) in older.iter().enumerate() {
                self.b.result(&format!("{}.{}", name(k), n + 1), *v);
            }
        }
        for p in states..self.made.len() {
            let v = self.made[p].ok_or_else(lost)?;
            self.b.result(name(p), v);
        }
        let mut outs = vec![];
        let mut emitted = self.made.len() - states;
        for (out, row) in self.scan.outs.iter().zip(&self.delays.outs) {
            outs.push(match *out {
                Out::Emit(e) => Out::Emit(e),
                Out::Final(k) => Out::Final(first[k]),
                Out::Enter(k) => match usize::try_from(row - self.delays.results[k]) {
                    Ok(h) => Out::Enter(first[k] + h),
                    Err(_) => {
                        let v = self.before(k, *row)?;
                        self.b.result(name(k), v);
                        emitted += 1;
                        Out::Emit(emitted - 1)
                    }
                },
            });
        }
        Ok((self.b.finish(), outs))
    }
}
