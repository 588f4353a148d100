//! Kernels over rows: values that share their run-time axes are computed together, a block of rows per cell, with
//! what only the group needs kept in scratch.

use super::cell::{Cell, Result};
use super::choose::is_long;
use super::place::{Env, Place, weight};
use super::root::{Target, label};
use super::top::Top;
use crate::ir::{Ix, LoopKind, Stmt};
use seqc_algebra::{Axis, ValueId};
use std::collections::BTreeMap;

/// Elements of scratch that one value of a group may take.
const SCRATCH: usize = 1 << 15;

impl<'a> Top<'a> {
    /// `awaited`: does something that is still to come read a value of the group?
    pub fn launch_rows(
        &mut self,
        group: &[ValueId],
        awaited: impl Fn(ValueId) -> bool,
    ) -> Result<()> {
        let axes = self.func.ty(group[0]).axes.clone();
        let rows: Vec<Axis> = axes.iter().copied().filter(is_long).collect();
        let lanes = |v: &ValueId| self.func.ty(*v).axes.iter().any(|a| a.is_const());
        let narrow = !group.iter().any(lanes);
        let mut cell = self.cell(group);
        let mut ranges = vec![];
        let mut row_loop: Option<(crate::ir::Var, Ix, Ix)> = None;
        if let Some((last, outer)) = rows.split_last() {
            for a in outer {
                self.over_grid(&mut cell, *a)?;
            }
            let block = self.rows_per_cell(group, narrow);
            let (g, n) = (cell.var(), cell.size(*last)?);
            let lo = Ix::Var(g) * block;
            let hi = (lo.clone() + block).min_ix(n.clone());
            cell.grid.push((g, n.ceil_div(block).simplify()));
            if narrow {
                ranges.push((*last, lo, hi));
            } else {
                let r = cell.var();
                cell.ambient.insert(*last, Ix::Var(r));
                row_loop = Some((r, lo, hi));
            }
        } else if let Some(first) = axes
            .first()
            .filter(|_| axes.len() > 1 && axes.iter().map(|a| weight(*a)).product::<f64>() > 2048.0)
        {
            self.over_grid(&mut cell, *first)?;
        }
        cell.open();
        cell.scopes[0].level = cell.blocks.len() - 1;
        let none = BTreeMap::new();
        for v in group {
            let outside = self.named.contains_key(v) || awaited(*v);
            let small = self
                .func
                .ty(*v)
                .axes
                .iter()
                .filter_map(|a| a.size.constant())
                .try_fold(1usize, |n, m| n.checked_mul(m))
                .is_some_and(|n| n <= SCRATCH);
            let scratch = !outside && !narrow && small && group.len() > 1;
            let target = match scratch {
                true => None,
                false => {
                    let mut place = self.keep(*v)?;
                    for (a, ix) in &cell.ambient {
                        place = place.at(*a, ix.clone());
                    }
                    Some(Target {
                        place,
                        ranges: ranges.clone(),
                    })
                }
            };
            let whole = (!scratch).then(|| self.place[v].clone());
            cell.lower_root(0, *v, target, &none)?;
            // Later members index it by all its axes.
            if let Some(place) = whole {
                cell.scopes[0].place.insert(*v, place);
            }
        }
        let body = cell.close();
        match row_loop {
            Some((r, lo, hi)) => cell.emit(Stmt::for_(LoopKind::Seq, r, lo, hi, body)),
            None => body.into_iter().for_each(|s| cell.emit(s)),
        }
        let name = label(self.func, group[group.len() - 1]);
        self.launch(cell, &format!("rows_{name}"))
    }

    pub fn over_grid(&self, cell: &mut Cell<'a>, axis: Axis) -> Result<()> {
        let (v, n) = (cell.var(), cell.size(axis)?);
        cell.grid.push((v, n));
        cell.ambient.insert(axis, Ix::Var(v));
        Ok(())
    }

    /// Enough rows that a cell does some thousands of elements.
    fn rows_per_cell(&self, group: &[ValueId], narrow: bool) -> i64 {
        if self.options.reference {
            return 16;
        }
        if narrow {
            return 256;
        }
        let widths = group.iter().map(|v| {
            self.func
                .ty(*v)
                .axes
                .iter()
                .filter(|a| a.is_const())
                .map(|a| weight(*a))
                .product::<f64>()
        });
        let width: f64 = widths.sum::<f64>().max(1.0);
        ((8192.0 / width) as i64).clamp(1, 64)
    }

    /// A kernel that copies a value to a buffer.
    pub fn launch_copy(&mut self, v: ValueId, to: Place, name: &str) -> Result<()> {
        let axes = self.func.ty(v).axes.clone();
        let mut cell = self.cell(&[v]);
        let mut dest = to;
        if let Some((first, rest)) = axes.split_first()
            && !rest.is_empty()
        {
            self.over_grid(&mut cell, *first)?;
            dest = dest.at(*first, cell.ambient[first].clone());
        }
        let loops: Vec<Axis> = dest.strides.iter().map(|(a, _)| *a).collect();
        cell.nest(&dest, &loops, &[], &Env::default(), &mut |c, env| {
            c.elem(0, v, env)
        })?;
        self.launch(cell, &format!("copy_{name}"))
    }
}
