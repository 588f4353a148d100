//! The program rebuilt with every value as late as its delay says.

use super::body::Body;
use super::delays::Delays;
use super::moved::{along_clock, contract, late, zero_before};
use super::no_rule;
use super::program::Program;
use super::quiet::keeps_quiet;
use super::scan::ScanDelays;
use crate::{DeriveError, Result};
use seqc_algebra::{Axis, Builder, Func, MapFn, Op, Scan, ValueId};
use std::collections::{BTreeSet, HashMap};

pub(super) fn rebuild(func: &Program, delays: Delays) -> Result<Func> {
    let mut r = Rebuild {
        func,
        delays,
        b: Builder::new(&func.name),
        late: vec![None; func.values.len()],
        plain: vec![None; func.values.len()],
    };
    for p in &func.params {
        let v = r.b.copy(func.value(*p), &[])?;
        (r.late[p.index()], r.plain[p.index()]) = (Some(v), Some(v));
    }
    for id in func.ids() {
        if !r.delays.needed[id.index()] || func.input(id).is_some() {
            continue;
        }
        let v = r.value(id)?;
        if let Some(name) = func.value(id).name {
            r.b.name(v, name.as_str());
        }
        r.late[id.index()] = Some(v);
    }
    for (name, v) in &func.results {
        let v = r.image(*v)?;
        r.b.result(name, v);
    }
    // Reads of states that were moved may now be made where the states are.
    crate::prune::prune(&crate::sink::sink_reads(&r.b.finish())?)
}

struct Rebuild<'a> {
    func: &'a Program<'a>,
    delays: Delays,
    b: Builder,
    /// What stands for a value, late by its delay.
    late: Vec<Option<ValueId>>,
    /// Values as they are, for what states start from.
    plain: Vec<Option<ValueId>>,
}

impl Rebuild<'_> {
    fn image(&self, v: ValueId) -> Result<ValueId> {
        self.late[v.index()]
            .ok_or_else(|| DeriveError("a value was lost while it was moved".into()))
    }

    /// A value late by `row` steps.
    fn at(&mut self, v: ValueId, row: i64) -> Result<ValueId> {
        let (image, d) = (self.image(v)?, row - self.delays.row(v));
        let presents = self
            .func
            .ty(v)
            .axes
            .iter()
            .filter(|a| self.func.is_present(a));
        if d > 0 && presents.count() > 1 {
            return Err(no_rule(self.func, v));
        }
        late(&mut self.b, self.func, v, image, d)
    }

    fn value(&mut self, id: ValueId) -> Result<ValueId> {
        let func = self.func;
        let (args, row) = (func.args(id).to_vec(), self.delays.row(id));
        match func.op(id).clone() {
            Op::Iota(a) if func.is_present(&a) => {
                let t = self.b.iota(a)?;
                late(&mut self.b, func, id, t, row)
            }
            Op::Shift { axis, by } if func.is_present(&axis) => {
                self.shift((axis, by), args[0], row)
            }
            Op::Window { axis, lag, ahead } if func.is_present(&axis) => {
                self.window(id, (axis, lag, ahead), args[0])
            }
            Op::Conv { axis, lag, .. } if func.is_present(&axis) => {
                self.conv(id, lag, (args[0], args[1]))
            }
            Op::Rename { from, to } if func.is_present(&from) && !func.is_present(&to) => {
                self.column(args[0], (from, to))
            }
            Op::Scan(scan) if scan.axis == Axis::time() => self.scan(id, &scan),
            op => {
                let args = args
                    .iter()
                    .map(|a| self.at(*a, row))
                    .collect::<Result<Vec<_>>>()?;
                match op {
                    Op::Contract(over) => contract(&mut self.b, &over, &args),
                    op => Ok(self.b.push(op, &args)?),
                }
            }
        }
    }

    /// `v[t - by]`, late by `row`.
    fn shift(&mut self, (axis, by): (Axis, i64), of: ValueId, row: i64) -> Result<ValueId> {
        let (v, had) = (self.image(of)?, self.delays.row(of));
        along_clock(&mut self.b, axis, v, |b, v| {
            let moved = b.shift(v, Axis::time(), row + by - had)?;
            // What the shift itself fills with 0 is right where its argument is on time.
            match by > 0 && had > 0 {
                true => zero_before(b, moved, row + by),
                false => Ok(moved),
            }
        })
    }

    /// An argument whose reads before the first position give 0.
    fn zeroed(&mut self, of: ValueId) -> Result<(ValueId, i64)> {
        let (v, had) = (self.image(of)?, self.delays.row(of));
        Ok((
            if had > 0 {
                zero_before(&mut self.b, v, had)?
            } else {
                v
            },
            had,
        ))
    }

    fn window(
        &mut self,
        id: ValueId,
        (axis, lag, ahead): (Axis, Axis, bool),
        of: ValueId,
    ) -> Result<ValueId> {
        let row = self.delays.row(id);
        if axis != Axis::time() {
            return Err(no_rule(self.func, id));
        }
        let back = Op::Window {
            axis,
            lag,
            ahead: false,
        };
        if ahead {
            let last = lag.size.constant().unwrap_or(1) as i64 - 1;
            let (v, had) = (self.image(of)?, self.delays.row(of));
            let v = self.b.shift(v, axis, row - had - last)?;
            let v = self.b.push(back, &[v])?;
            return Ok(self.b.push(Op::Flip(lag), &[v])?);
        }
        let (v, had) = self.zeroed(of)?;
        let v = self.b.shift(v, axis, (row - had).max(0))?;
        let v = self.b.push(back, &[v])?;
        Ok(self.b.shift(v, lag, (had - row).max(0))?)
    }

    /// A convolution that is early skips the first lags, at which its kernel is 0.
    fn conv(
        &mut self,
        id: ValueId,
        lag: Axis,
        (kernel, of): (ValueId, ValueId),
    ) -> Result<ValueId> {
        let row = self.delays.row(id);
        let f = self.at(kernel, row)?;
        let (x, had) = self.zeroed(of)?;
        let x = self.b.shift(x, Axis::time(), (row - had).max(0))?;
        let skipped = (had - row).max(0);
        let f = match crate::step::is_settled(self.func, kernel, lag) {
            true if skipped > 0 => self.later_lags(kernel, lag, skipped)?,
            false if row > 0 || skipped > 0 => return self.met(f, x, lag, (row, skipped)),
            _ => f,
        };
        Ok(self.b.push(self.func.op(id).clone(), &[f, x])?)
    }

    /// A convolution whose kernel is read off the sequence: its entries that are not known yet meet nothing, which a mask
    /// says.
    fn met(
        &mut self,
        f: ValueId,
        x: ValueId,
        lag: Axis,
        (row, skipped): (i64, i64),
    ) -> Result<ValueId> {
        let axis = Axis::time();
        let back = Op::Window {
            axis,
            lag,
            ahead: false,
        };
        let w = self.b.push(back, &[x])?;
        let w = self.b.shift(w, lag, skipped)?;
        let (l, t, n) = (
            self.b.iota(lag)?,
            self.b.iota(axis)?,
            self.b.num(row as f64),
        );
        let (now, zero) = (self.b.sub(t, n)?, self.b.num(0.0));
        let known = self.b.map2(MapFn::Le, l, now)?;
        let w = self.b.select(known, w, zero)?;
        Ok(self.b.contract(&[lag], &[f, w])?)
    }

    /// A kernel of lags at `lag + n`, made anew from there: it is known beyond the sequence's length.
    fn later_lags(&mut self, kernel: ValueId, lag: Axis, n: i64) -> Result<ValueId> {
        let needed = self.func.needed([kernel]);
        let mut image: HashMap<ValueId, ValueId> = HashMap::new();
        for id in self.func.ids().filter(|id| needed[id.index()]) {
            let v = match self.func.op(id) {
                Op::Input(_) => self.image(id)?,
                Op::Iota(a) if *a == lag => {
                    let (l, n) = (self.b.iota(lag)?, self.b.num(n as f64));
                    self.b.add2(l, n)?
                }
                op => {
                    let args: Vec<ValueId> = self.func.args(id).iter().map(|a| image[a]).collect();
                    self.b.push(op.clone(), &args)?
                }
            };
            image.insert(id, v);
        }
        Ok(image[&kernel])
    }

    /// Earlier positions under their own name stand where they are, however late they are known.
    fn column(&mut self, of: ValueId, (from, to): (Axis, Axis)) -> Result<ValueId> {
        let (v, known) = (self.image(of)?, self.delays.row(of));
        let v = self.b.rename(v, from, to)?;
        Ok(self.b.shift(v, to, -known)?)
    }

    /// A value that no delay touches, with what it is made of.
    fn as_it_is(&mut self, v: ValueId) -> Result<ValueId> {
        let mut open = vec![v];
        while let Some(id) = open.last().copied() {
            if self.plain[id.index()].is_some() {
                open.pop();
                continue;
            }
            let args = self.func.args(id);
            let made: Vec<ValueId> = args.iter().filter_map(|a| self.plain[a.index()]).collect();
            if made.len() == args.len() {
                self.plain[id.index()] = Some(self.b.copy(self.func.value(id), &made)?);
            } else {
                open.extend(args.iter().filter(|a| self.plain[a.index()].is_none()));
            }
        }
        self.plain[v.index()].ok_or_else(|| DeriveError("a start was lost".into()))
    }

    fn scan(&mut self, id: ValueId, scan: &Scan) -> Result<ValueId> {
        let args = self.func.args(id).to_vec();
        let starts = args[..scan.states].iter().map(|a| self.as_it_is(*a));
        let starts = starts.collect::<Result<Vec<_>>>()?;
        let delays = self
            .delays
            .scans
            .remove(&id)
            .ok_or_else(|| no_rule(self.func, id))?;
        let made = if delays.are_zero() {
            let rest = args[scan.states..]
                .iter()
                .map(|a| self.at(*a, 0))
                .collect::<Result<Vec<_>>>()?;
            self.b
                .push(Op::Scan(Box::new(scan.clone())), &[starts, rest].concat())?
        } else {
            self.delayed(&args, scan, &starts, &delays)?
        };
        self.delays.scans.insert(id, delays);
        Ok(made)
    }

    /// The scan whose results are late, each by its own delay.
    fn delayed(
        &mut self,
        args: &[ValueId],
        scan: &Scan,
        starts: &[ValueId],
        d: &ScanDelays,
    ) -> Result<ValueId> {
        let quiet = keeps_quiet(self.func, args, scan);
        let body = Body::new(scan, d, quiet.is_some());
        let mut seqs = vec![];
        let levels: BTreeSet<i64> = d.results.iter().copied().collect();
        let mut fixed = vec![];
        for (n, arg) in args.iter().enumerate().skip(scan.states) {
            let seq = n < scan.states + scan.seqs.len();
            for row in levels.iter().filter(|row| d.takes(**row, n)) {
                let mut v = self.at(*arg, if seq { *row } else { 0 })?;
                if quiet == Some(n) && *row > 0 {
                    v = zero_before(&mut self.b, v, *row)?;
                }
                if seq {
                    seqs.push((v, (n, *row), scan.seqs[n - scan.states].clone()));
                } else if !fixed.iter().any(|(_, (m, _))| *m == n) {
                    fixed.push((v, (n, 0)));
                }
            }
        }
        let mut all = vec![];
        for (start, slots) in starts.iter().zip(&body.depth) {
            all.extend(std::iter::repeat_n(*start, *slots));
        }
        all.extend(seqs.iter().map(|s| s.0));
        all.extend(fixed.iter().map(|f| f.0));
        let places: Vec<(usize, i64)> = seqs
            .iter()
            .map(|s| s.1)
            .chain(fixed.iter().map(|f| f.1))
            .collect();
        let (func, outs) = body.build(&places)?;
        let made = Scan {
            states: all.len() - places.len(),
            seqs: seqs.into_iter().map(|s| s.2).collect(),
            fixed: fixed.len(),
            body: func,
            outs,
            ..scan.clone()
        };
        Ok(self.b.push(Op::Scan(Box::new(made)), &all)?)
    }
}
