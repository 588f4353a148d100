//! How late each value is: the smallest delays with which nothing reads what is not there yet.
//!
//! A value may lie along the present and along earlier positions `j` at once (the scores of a softmax). Its row says how
//! late it is along the present; its columns, how long after position `j` its entries there are known: position `j`
//! counts as read at step `j`, so columns may be early (`k[j-1]` is known a step before). Columns stand where they
//! are, so only rows are moved when the program is rebuilt.

use super::program::Program;
use super::scan::ScanDelays;
use super::{bounds, no_rule};
use crate::Result;
use crate::step::{ahead, is_clocklike, needed, reads_first};
use seqc_algebra::{Axis, Func, Op, Out, ReduceOp, ValueId};
use std::collections::{BTreeMap, HashMap};

pub(super) struct Delays {
    /// Steps that a value is late.
    pub row: Vec<i64>,
    /// When entries along other axes of the clock are known; none: always.
    cols: Vec<BTreeMap<Axis, i64>>,
    pub scans: HashMap<ValueId, ScanDelays>,
    pub needed: Vec<bool>,
}

impl Delays {
    pub fn of(func: &Program) -> Result<Delays> {
        let mut d = Delays {
            row: vec![0; func.values.len()],
            cols: vec![BTreeMap::new(); func.values.len()],
            scans: HashMap::new(),
            needed: needed(func),
        };
        let all: Vec<ValueId> = func.ids().filter(|id| d.needed[id.index()]).collect();
        for id in &all {
            let (row, cols) = d.flow(func, *id)?;
            d.row[id.index()] = row.max(0);
            d.cols[id.index()] = cols;
        }
        if !d.are_zero() {
            let placed = positions_only(func);
            for id in all.iter().rev() {
                d.postpone(func, *id, placed[id.index()]);
            }
        }
        Ok(d)
    }

    /// A result that would come late, and by how much.
    pub fn ahead_of<'f>(&self, func: &'f Func) -> Option<(&'f str, i64)> {
        let late = func.results.iter().map(|(n, v)| (n.as_str(), self.row(*v)));
        late.filter(|(_, by)| *by > 0).max_by_key(|(_, by)| *by)
    }

    pub fn are_zero(&self) -> bool {
        self.row.iter().all(|r| *r == 0)
    }

    pub fn row(&self, v: ValueId) -> i64 {
        self.row[v.index()]
    }

    pub fn latest_col(&self, v: ValueId) -> i64 {
        self.cols[v.index()].values().copied().max().unwrap_or(0)
    }

    /// What a value of operands that are all read where they stand has.
    fn joined(&self, args: &[ValueId]) -> (i64, BTreeMap<Axis, i64>) {
        let mut cols: BTreeMap<Axis, i64> = BTreeMap::new();
        for (axis, c) in args.iter().flat_map(|a| &self.cols[a.index()]) {
            let known = cols.entry(*axis).or_insert(*c);
            *known = (*known).max(*c);
        }
        (args.iter().map(|a| self.row(*a)).max().unwrap_or(0), cols)
    }

    /// Row and columns of a value from those of its arguments.
    fn flow(&mut self, func: &Program, id: ValueId) -> Result<(i64, BTreeMap<Axis, i64>)> {
        let args = func.args(id);
        let (row, mut cols) = self.joined(args);
        let present = |a: &Axis| func.is_present(a);
        let stands = row == 0 && cols.is_empty();
        Ok(match func.op(id) {
            Op::Shift { axis, by } if present(axis) => (row - by, cols),
            Op::Shift { axis, by } => {
                cols.entry(*axis).and_modify(|c| *c -= by);
                (row, cols)
            }
            Op::Window {
                axis,
                lag,
                ahead: false,
            } if present(axis) && is_clocklike(lag) => {
                (row - bounds::first_counted(func, id, *lag), cols)
            }
            Op::Window {
                axis, ahead: false, ..
            } if present(axis) => (row, cols),
            Op::Window {
                axis,
                lag,
                ahead: true,
            } if present(axis) => match lag.size.constant() {
                Some(n) => (row + n as i64 - 1, cols),
                None => return Err(ahead(func, id)),
            },
            Op::Conv {
                axis,
                lag,
                ahead: false,
            } if present(axis) => {
                // The kernel's entries up to the present are met.
                let kernel = cols.remove(lag).unwrap_or(0);
                let first = bounds::first_lag(func, args[0], *lag);
                (
                    self.row(args[0]).max(self.row(args[1]) - first).max(kernel),
                    cols,
                )
            }
            Op::Conv {
                axis, ahead: true, ..
            } if present(axis) => return Err(ahead(func, id)),
            Op::Rename { from, to } => self.renamed(func, args[0], (*from, *to)),
            Op::Contract(over) | Op::Reduce(_, over) => {
                if matches!(
                    func.op(id),
                    Op::Reduce(ReduceOp::Prod | ReduceOp::Min | ReduceOp::ArgMin, _)
                ) && !stands
                {
                    self.all_columns(func, id, (row, cols), over)?
                } else {
                    self.summed(func, id, (row, cols), over, false)?
                }
            }
            Op::LogSumExp(a) => self.summed(func, id, (row, cols), &[*a], false)?,
            Op::Softmax(a) | Op::TopMask(a, _) => {
                self.summed(func, id, (row, cols), &[*a], true)?
            }
            Op::Gather(axis) if present(axis) => match self.row(args[0]) {
                0 if reads_first(func, id) => (self.row(args[1]), cols),
                _ => {
                    return Err(if reads_first(func, id) {
                        no_rule(func, id)
                    } else {
                        ahead(func, id)
                    });
                }
            },
            Op::Gather(axis) if is_clocklike(axis) => {
                let known = cols.remove(axis).unwrap_or(0);
                (row.max(known), cols)
            }
            Op::Scan(scan) if scan.axis == Axis::time() => {
                let bounded = scan.reverse || scan.tile.is_some() || scan.lo || scan.hi;
                if bounded {
                    return Err(ahead(func, id));
                }
                let s = ScanDelays::of(func, id, scan, self)?;
                self.scans.insert(id, s);
                (0, cols)
            }
            Op::Proj(n) => match (self.scans.get(&args[0]), func.op(args[0])) {
                (Some(s), Op::Scan(scan)) => match scan.outs[*n] {
                    Out::Final(_) if s.outs[*n] > 0 => return Err(no_rule(func, id)),
                    _ => (s.outs[*n], cols),
                },
                _ => (row, cols),
            },
            Op::Flip(axis) | Op::Unwindow { axis, .. } if present(axis) => {
                return Err(ahead(func, id));
            }
            op if stands || keeps_clocks(op) => (row, cols),
            _ => return Err(no_rule(func, id)),
        })
    }

    fn renamed(
        &self,
        func: &Program,
        arg: ValueId,
        (from, to): (Axis, Axis),
    ) -> (i64, BTreeMap<Axis, i64>) {
        let (mut row, mut cols) = (self.row(arg), self.cols[arg.index()].clone());
        match (func.is_present(&from), func.is_present(&to)) {
            (true, false) => {
                cols.insert(to, row);
                let presents = func.ty(arg).axes.iter().filter(|a| func.is_present(a));
                if presents.count() == 1 {
                    row = 0;
                }
            }
            (false, true) => row = row.max(cols.remove(&from).unwrap_or(0)),
            (false, false) => {
                if let Some(c) = cols.remove(&from) {
                    cols.insert(to, c);
                }
            }
            (true, true) => {}
        }
        (row, cols)
    }

    /// A sum over positions waits until the last that counts is known; a softmax keeps its axis.
    fn summed(
        &self,
        func: &Program,
        id: ValueId,
        (mut row, mut cols): (i64, BTreeMap<Axis, i64>),
        over: &[Axis],
        keeps: bool,
    ) -> Result<(i64, BTreeMap<Axis, i64>)> {
        if over.iter().any(|a| func.is_present(a)) {
            return Err(ahead(func, id));
        }
        for a in over {
            // A position counts only if there is one, however early its entry is known.
            let known = cols.get(a).copied().unwrap_or(0).max(0);
            row = row.max(known + bounds::sees(func, id, *a));
            if !keeps {
                cols.remove(a);
            }
        }
        Ok((row, cols))
    }

    /// A reduction whose masks are not understood waits for everything up to the present.
    fn all_columns(
        &self,
        func: &Program,
        id: ValueId,
        (mut row, mut cols): (i64, BTreeMap<Axis, i64>),
        over: &[Axis],
    ) -> Result<(i64, BTreeMap<Axis, i64>)> {
        if over.iter().any(|a| func.is_present(a)) {
            return Err(ahead(func, id));
        }
        for a in over {
            row = row.max(cols.remove(a).unwrap_or(0));
        }
        Ok((row, cols))
    }

    /// What is wide, or made of positions alone, is computed as late as all that use it allow: delaying what it is made
    /// of keeps less.
    fn postpone(&mut self, func: &Program, id: ValueId, placed: bool) {
        let wide = func
            .ty(id)
            .axes
            .iter()
            .any(|a| is_clocklike(a) && !func.is_present(a));
        if func.present_axis(id).is_none()
            || !(wide || placed)
            || matches!(func.op(id), Op::Proj(_))
        {
            return;
        }
        let of_result = func.is_result[id.index()].then_some(0);
        let users = func.users[id.index()].iter();
        let most = users
            .filter(|u| self.needed[u.index()])
            .map(|u| self.wanted(func, *u, id))
            .chain(of_result)
            .min();
        if let Some(most) = most {
            self.row[id.index()] = self.row(id).max(most);
        }
    }

    /// The largest delay of an argument with which its user comes no later.
    fn wanted(&self, func: &Program, user: ValueId, arg: ValueId) -> i64 {
        let (row, args) = (self.row(user), func.args(user));
        match func.op(user) {
            Op::Shift { axis, by } if func.is_present(axis) => row + by,
            Op::Window {
                axis,
                ahead: true,
                lag,
            } if func.is_present(axis) => row - lag.size.constant().unwrap_or(1) as i64 + 1,
            Op::Rename { from, to } if func.is_present(from) == func.is_present(to) => row,
            Op::Rename { .. } | Op::Gather(_) => self.row(arg),
            Op::Scan(_) => match self.scans.get(&user) {
                Some(s) => s.wanted(args, arg).unwrap_or(self.row(arg)),
                None => row,
            },
            _ => row,
        }
    }
}

/// Which values are functions of positions and of what does not change in time?
fn positions_only(func: &Func) -> Vec<bool> {
    let mut placed = vec![false; func.values.len()];
    for id in func.ids() {
        let given = func.input(id).is_some() && func.ty(id).axes.iter().any(is_clocklike);
        let of_such = func.args(id).iter().all(|a| placed[a.index()]);
        placed[id.index()] = !given && keeps_clocks(func.op(id)) && of_such;
    }
    placed
}

/// Does the operation treat every position along every clock by itself?
fn keeps_clocks(op: &Op) -> bool {
    let other = |a: &Axis| !is_clocklike(a);
    match op {
        Op::Input(_)
        | Op::Const(_)
        | Op::Iota(_)
        | Op::Length(_)
        | Op::Map(_)
        | Op::Expand(_)
        | Op::Proj(_) => true,
        Op::Split { axis, .. }
        | Op::Flip(axis)
        | Op::Pick { axis, .. }
        | Op::Place { axis, .. } => other(axis),
        Op::Merge { axes, .. } => axes.iter().all(other),
        Op::Stack(axis) | Op::Gather(axis) => other(axis),
        Op::Window { axis, lag, .. } | Op::Unwindow { axis, lag, .. } => other(axis) && other(lag),
        Op::ScatterAdd { axis, over } => other(axis) && over.iter().all(other),
        Op::Solve { row, col, .. } => other(row) && other(col),
        Op::Conv { axis, lag, .. } => other(axis) && other(lag),
        Op::Scan(scan) => other(&scan.axis),
        Op::Contract(over) | Op::Reduce(_, over) => over.iter().all(other),
        Op::Softmax(a) | Op::LogSumExp(a) | Op::TopMask(a, _) => other(a),
        Op::Rename { from, to } => is_clocklike(from) == is_clocklike(to),
        _ => false,
    }
}
