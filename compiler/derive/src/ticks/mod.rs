//! Law: a coarser clock is the clock of steps, at which values of the tick that is under way are those of the sequence
//! that ends here.
//!
//! A program that does not look ahead gives at step `t` what it gives at the end of the sequence cut after `t`: there
//! the last tick is ragged, and what it lacks is 0. So a value of a coarser clock has at each step the value of that
//! last tick; earlier ticks are kept as they were at their last steps: states change only there ([`carry`]), and sums over
//! ticks see the last step of each past tick and the present step ([`masks`], [`kernels`]). The result has one clock, and is
//! stepped, filled and resumed like any other program. Values of ticks are computed at every step, which is its price.
//!
//! Side conditions: no value on the clock of steps hangs on a tick's later steps; what moves along a coarser clock is a
//! shift, a short window, a recurrence, a convolution or a sum over ticks.

mod carry;
mod kernels;
mod masks;

use crate::rewrite::on_other_axes;
use crate::words::{describe, written};
use crate::{DeriveError, Result};
use seqc_algebra::{Axis, Builder, Func, MapFn, Op, Scan, Size, Sym, ValueId};

/// The program on the clock of steps alone; itself, if there is no other.
pub fn at_every_step(func: &Func) -> Result<Func> {
    let clocks = coarser_clocks(func);
    if clocks.is_empty() {
        return Ok(func.clone());
    }
    // Rows over ticks are ticks, which states and counts run along.
    let mut func = func.clone();
    for clock in &clocks {
        func = crate::step::one_present_of(&func, *clock)?;
    }
    let func = &func;
    let mut walk = Steps {
        func,
        clocks,
        b: Builder::new(&func.name),
        image: vec![None; func.values.len()],
        ahead: vec![0; func.values.len()],
        later: None,
    };
    let live = func.live();
    for id in func
        .ids()
        .filter(|id| live[id.index()] || func.params.contains(id))
    {
        let v = walk.value(id)?;
        if let Some(name) = func.value(id).name {
            walk.b.name(v, name.as_str());
        }
        walk.image[id.index()] = Some(v);
    }
    for (name, v) in &func.results {
        if let Some(v) = walk.image[v.index()] {
            walk.b.result(name, v);
        }
    }
    Ok(walk.b.finish())
}

/// The clocks that patches make, and those that unpatching these makes. Other axes of ticks are indices.
fn coarser_clocks(func: &Func) -> Vec<Axis> {
    let live = func.live();
    let mut clocks: Vec<Axis> = vec![];
    for id in func.ids().filter(|id| live[id.index()]) {
        let (from, to) = match func.op(id) {
            Op::Patch { axis, ticks, .. } => (*axis, *ticks),
            Op::Unpatch { ticks, axis, .. } => (*ticks, *axis),
            _ => continue,
        };
        let known = |a: Axis| a == Axis::time() || clocks.contains(&a);
        if known(from) && !known(to) && rate(to).is_some() {
            clocks.push(to);
        }
    }
    clocks
}

/// Steps of the stepped clock in one position of an axis, if that is more than one.
fn rate(axis: Axis) -> Option<usize> {
    match axis.size {
        Size::Tiles(s, n) if Size::Len(s) == Axis::time().size => Some(n),
        _ => None,
    }
}

/// A program being rebuilt.
struct Steps<'a> {
    func: &'a Func,
    /// The coarser clocks themselves; other axes of their size are indices.
    clocks: Vec<Axis>,
    b: Builder,
    image: Vec<Option<ValueId>>,
    /// How many steps after its own a value hangs on: of a tick, after its first.
    ahead: Vec<i64>,
    /// Lags over ticks that are read as one more.
    later: Option<Axis>,
}

impl Steps<'_> {
    /// What an axis is where there is one clock: ticks are steps, indices over ticks run over steps.
    fn fine(&self, a: Axis) -> Axis {
        match rate(a) {
            None => a,
            Some(_) if self.clocks.contains(&a) => Axis::time(),
            Some(n) => Axis {
                name: Sym::new(&format!("{}%{n}", a.name)),
                size: Axis::time().size,
            },
        }
    }

    fn all_fine(&self, axes: &[Axis]) -> Vec<Axis> {
        axes.iter().map(|a| self.fine(*a)).collect()
    }

    fn args(&self, id: ValueId) -> Result<Vec<ValueId>> {
        let image = |v: &ValueId| {
            self.image[v.index()].ok_or_else(|| DeriveError("a value was lost".into()))
        };
        self.func.args(id).iter().map(image).collect()
    }

    fn refused(&self, id: ValueId, why: &str) -> DeriveError {
        let name = match self.func.op(id) {
            Op::Scan(scan) => scan.body.results.first().map(|(n, _)| n.as_str()),
            _ => self.func.value(id).name.map(|n| n.as_str()),
        };
        let name = name.map_or(String::new(), |n| format!(" in `{}`", written(n)));
        let what = describe(self.func.op(id));
        DeriveError(format!("no step form: {what}{name} {why}"))
    }

    fn value(&mut self, id: ValueId) -> Result<ValueId> {
        let args = self.args(id)?;
        self.ahead[id.index()] = self.looks(id)?;
        let op = self.func.op(id).clone();
        Ok(match op {
            Op::Input(_) => self.b.copy(self.func.value(id), &[])?,
            Op::Patch {
                axis,
                ticks,
                within,
            } if self.clocks.contains(&ticks) => {
                self.patched(args[0], rate(axis).unwrap_or(1), within)?
            }
            Op::Unpatch {
                ticks,
                within,
                axis,
            } if self.clocks.contains(&ticks) => {
                let at = self.within(rate(axis).unwrap_or(1), within)?;
                self.b.push(Op::Gather(within), &[args[0], at])?
            }
            Op::Unpatch {
                ticks,
                within,
                axis,
            } if let (Some(n), None) = (rate(ticks), rate(axis)) => {
                self.at_blocks(args[0], (ticks, n), within, axis)?
            }
            Op::Shift { axis, by } if let Some(n) = rate(axis) => match usize::try_from(by) {
                Ok(by) => {
                    let lag = Axis::new("lag%", by + 1);
                    let all = self.recent(args[0], n, lag)?;
                    self.b.push(
                        Op::Pick {
                            axis: lag,
                            index: by,
                        },
                        &[all],
                    )?
                }
                Err(_) => return Err(self.refused(id, "reads later ticks")),
            },
            Op::Window {
                axis,
                lag,
                ahead: false,
            } if let (Some(n), true) = (rate(axis), lag.is_const()) => {
                self.recent(args[0], n, lag)?
            }
            Op::Scan(scan) if let Some(n) = rate(scan.axis) => self.scanned(id, &scan, n, &args)?,
            Op::Gather(axis)
                if let (Some(n), true) = (rate(axis), crate::step::reads_first(self.func, id)) =>
            {
                self.first(args[0], n)?
            }
            Op::Iota(a) if let Some(n) = rate(a) => {
                let steps = self.b.iota(self.fine(a))?;
                let ticks = quotient(&mut self.b, steps, n)?;
                let more = self.b.num(f64::from(u8::from(self.later == Some(a))));
                self.b.add2(ticks, more)?
            }
            Op::Conv {
                axis,
                lag,
                ahead: false,
            } if let (Some(n), Some(_)) = (rate(axis), rate(lag)) => {
                self.convolved(id, lag, n, &args)?
            }
            Op::Scan(scan) if mentions_ticks(&scan) => {
                let scan = self.mapped(id, &scan)?;
                self.b.push(Op::Scan(Box::new(scan)), &args)?
            }
            op if self.ranges(&op).next().is_some() => self.over_ticks(id, op, args)?,
            Op::Expand(new) => {
                let new = self.all_fine(&new);
                self.b.expand(args[0], &new)?
            }
            Op::Rename { from, to } => self.b.rename(args[0], self.fine(from), self.fine(to))?,
            op => {
                if self.along_ticks(&op) {
                    return Err(
                        self.refused(id, "runs along a coarser clock, and is no recurrence")
                    );
                }
                self.b.push(op, &args)?
            }
        })
    }

    /// A loop that is mapped over ticks, mapped over steps.
    fn mapped(&self, id: ValueId, scan: &Scan) -> Result<Scan> {
        let body = on_other_axes(&scan.body, &|axes| self.all_fine(axes), &|op| {
            if self.ranges(op).next().is_some() || self.along_ticks(op) {
                return Err(self.refused(id, "runs along a coarser clock inside"));
            }
            Ok(Some(match op {
                Op::Iota(a) if rate(*a).is_some() => {
                    return Err(self.refused(id, "counts ticks inside"));
                }
                Op::Expand(new) => Op::Expand(self.all_fine(new)),
                Op::Rename { from, to } => Op::Rename {
                    from: self.fine(*from),
                    to: self.fine(*to),
                },
                op => op.clone(),
            }))
        })?;
        Ok(Scan {
            body,
            ..scan.clone()
        })
    }

    /// Does the operation name a coarser clock or an index over one?
    fn along_ticks(&self, op: &Op) -> bool {
        let coarse = |a: &Axis| rate(*a).is_some();
        match op {
            Op::Length(size) => coarse(&Axis {
                name: Axis::time().name,
                size: *size,
            }),
            Op::Flip(a) | Op::Gather(a) | Op::Online(a) | Op::Shift { axis: a, .. } => coarse(a),
            Op::Window { axis, lag, .. }
            | Op::Unwindow { axis, lag, .. }
            | Op::Conv { axis, lag, .. }
            | Op::ConvKernel { axis, lag, .. } => coarse(axis) || coarse(lag),
            Op::ScatterAdd { axis, over } => coarse(axis) || over.iter().any(coarse),
            Op::Patch { axis, ticks, .. } | Op::Unpatch { axis, ticks, .. } => {
                coarse(axis) || coarse(ticks)
            }
            Op::Scan(scan) => mentions_ticks(scan),
            _ => false,
        }
    }

    /// How far ahead of its own position a value looks; an error where the clock of steps would see a later one.
    fn looks(&self, id: ValueId) -> Result<i64> {
        let args = self.func.args(id).iter().map(|a| self.ahead[a.index()]);
        let of = args.max().unwrap_or(0);
        let steps = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let wide = |axis: Axis| steps(rate(axis).unwrap_or(1));
        Ok(match self.func.op(id) {
            Op::Patch { axis, within, .. } if rate(*axis).is_some() || *axis == Axis::time() => {
                let others = within.size.constant().unwrap_or(1).saturating_sub(1);
                of.saturating_add(wide(*axis).saturating_mul(steps(others)))
            }
            Op::Shift { axis, by } if rate(*axis).is_some() => {
                of.saturating_sub(by.saturating_mul(wide(*axis)))
            }
            Op::Unpatch { axis, .. } if *axis == Axis::time() && of > 0 => {
                return Err(self.refused(id, "reads later times"));
            }
            // Past ticks are whole.
            Op::Unpatch { ticks, axis, .. }
                if rate(*ticks).is_some() && *axis != Axis::time() && rate(*axis).is_none() =>
            {
                0
            }
            op if self.ranges(op).next().is_some() && !self.on_ticks(id) => 0,
            _ => of,
        })
    }

    /// Does the value have a position among ticks?
    fn on_ticks(&self, id: ValueId) -> bool {
        self.func.ty(id).axes.iter().any(|a| rate(*a).is_some())
    }

    /// The entry of a tick that the present step of a clock of `rate` steps is, for each step.
    fn within(&mut self, rate: usize, within: Axis) -> Result<ValueId> {
        let steps = self.b.iota(Axis::time())?;
        let at = quotient(&mut self.b, steps, rate)?;
        remainder(&mut self.b, at, within.size.constant().unwrap_or(1))
    }
}

fn mentions_ticks(scan: &Scan) -> bool {
    let of = |f: &Func| {
        let mut axes = f.values.iter().flat_map(|v| &v.ty.axes);
        axes.any(|a| rate(*a).is_some())
    };
    of(&scan.body)
}

/// `x mod n`
fn remainder(b: &mut Builder, x: ValueId, n: usize) -> Result<ValueId> {
    let n = b.num(n as f64);
    Ok(b.map2(MapFn::Rem, x, n)?)
}

/// `floor(x / n)` of whole numbers, without a number that is not whole.
fn quotient(b: &mut Builder, x: ValueId, n: usize) -> Result<ValueId> {
    if n == 1 {
        return Ok(x);
    }
    let (rest, by) = (remainder(b, x, n)?, b.num(n as f64));
    let whole = b.sub(x, rest)?;
    Ok(b.div(whole, by)?)
}

/// Is `x` the last of each `n` steps?
fn ends(b: &mut Builder, x: ValueId, n: usize) -> Result<ValueId> {
    let (rest, last) = (remainder(b, x, n)?, b.num(n as f64 - 1.0));
    Ok(b.map2(MapFn::Eq, rest, last)?)
}
