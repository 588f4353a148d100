//! Sums over run-time axes, and scattered sums. Sums are taken in two stages: each cell folds a block of rows, then
//! the blocks' results are folded in order. Blocks do not depend on the number of threads, so neither do results.
//! A result too large to be kept once per block is shared out by its own axes instead.

use super::LowerError;
use super::buffers::place;
use super::cell::{Cell, Result};
use super::choose::is_long;
use super::place::{Env, Place, size_dim};
use super::root::label;
use super::top::{Top, blocks};
use crate::ir::{Binary, Expr, FoldOp, Ix, LoopKind, Stmt, Var};
use seqc_abi::{Buffer, Elem, Role};
use seqc_algebra::{Axis, Op, ReduceOp, Ty, ValueId};

/// Rows of one block.
const BLOCK: usize = 128;
/// Elements of a result that are kept once per block.
const PARTIAL: usize = 1 << 13;

/// A sum over rows being lowered.
struct Long {
    v: ValueId,
    op: FoldOp,
    /// Summed axes: run-time ones, and constant ones (folded inside an element).
    rows: Vec<Axis>,
    inner: Vec<Axis>,
    /// The result's axes: run-time (grid) and constant.
    outer: Vec<Axis>,
    lanes: Vec<Axis>,
}

impl<'a> Top<'a> {
    pub fn launch_long(&mut self, v: ValueId) -> Result<()> {
        let (op, over) = match self.func.op(v) {
            Op::Contract(over) => (FoldOp::Sum, over),
            Op::Reduce(op, over) => {
                let op = match op {
                    ReduceOp::Sum => FoldOp::Sum,
                    ReduceOp::Prod => FoldOp::Prod,
                    ReduceOp::Max => FoldOp::Max,
                    ReduceOp::Min => FoldOp::Min,
                    _ => return Err(LowerError::new("an arg-max was not taken apart")),
                };
                (op, over)
            }
            _ => return Err(LowerError::new("not a sum")),
        };
        let (rows, inner) = over.iter().copied().partition(is_long);
        let (outer, lanes): (Vec<Axis>, Vec<Axis>) =
            self.func.ty(v).axes.iter().copied().partition(is_long);
        let width = lanes
            .iter()
            .try_fold(1usize, |n, a| n.checked_mul(a.size.constant()?));
        let s = Long {
            v,
            op,
            rows,
            inner,
            outer,
            lanes,
        };
        match width {
            Some(w) if w <= PARTIAL => self.two_stages(&s),
            _ => self.by_result(&s),
        }
    }

    fn two_stages(&mut self, s: &Long) -> Result<()> {
        let mut rows = s.rows.clone();
        rows.sort_by_key(|a| a.name.as_str() != "batch");
        let Some((last, before)) = rows.split_last() else {
            return Err(LowerError::new("a sum over no rows"));
        };
        let parts = blocks(*last, BLOCK);
        let axes: Vec<Axis> = s
            .outer
            .iter()
            .chain(before)
            .copied()
            .chain([parts])
            .chain(s.lanes.iter().copied())
            .collect();
        let index = self.buffers.len();
        self.buffers.push(Buffer {
            name: format!("partial.{}", label(self.func, s.v)),
            elem: Elem::F32,
            axes: axes.iter().map(|a| a.name.as_str().to_owned()).collect(),
            shape: axes.iter().map(|a| size_dim(a.size)).collect(),
            role: Role::Temp,
        });
        let partial = place(index, &Ty::real(axes), self.lens)?;
        self.first_stage(s, *last, before, parts, &partial)?;
        self.second_stage(s, before, parts, &partial)
    }

    fn first_stage(
        &mut self,
        s: &Long,
        last: Axis,
        before: &[Axis],
        parts: Axis,
        partial: &Place,
    ) -> Result<()> {
        let mut cell = self.cell(&[s.v]);
        for a in s.outer.iter().chain(before).chain([&parts]) {
            self.over_grid(&mut cell, *a)?;
        }
        let lo = cell.ambient[&parts].clone() * BLOCK as i64;
        let hi = (lo.clone() + BLOCK as i64).min_ix(cell.size(last)?);
        let r = cell.var();
        let env = Env(vec![(last, Ix::Var(r))]);
        let mut dest = partial.clone();
        for (a, ix) in &cell.ambient {
            dest = dest.at(*a, ix.clone());
        }
        if s.lanes.is_empty() {
            let x = element(&mut cell, s, &env)?;
            let reads = crate::walk::Node::Expr(&x).loads();
            let flat = reads
                .iter()
                .all(|(_, at)| matches!(at.stride(r), Some(0 | 1)));
            let lanes = if flat && s.inner.is_empty() {
                self.options.lanes
            } else {
                1
            };
            let sum = Expr::fold(s.op, r, lo, hi, lanes, x);
            let buf = cell.buf(&dest, true);
            cell.emit(buf.store(dest.base.simplify(), sum));
        } else {
            let acc = cell.local("acc", &s.lanes)?;
            accumulate(&mut cell, s, &acc, vec![(r, lo, hi)], &env)?;
            cell.copy_place(&acc, &dest)?;
        }
        let name = label(self.func, s.v);
        self.launch(cell, &format!("partial_{name}"))
    }

    fn second_stage(
        &mut self,
        s: &Long,
        before: &[Axis],
        parts: Axis,
        partial: &Place,
    ) -> Result<()> {
        let mut dest = self.keep(s.v)?;
        let mut cell = self.cell(&[s.v]);
        for a in &s.outer {
            self.over_grid(&mut cell, *a)?;
            dest = dest.at(*a, cell.ambient[a].clone());
        }
        let op = s.op;
        cell.nest(&dest, &s.lanes, &[], &Env::default(), &mut |c, env| {
            let mut env = env.clone();
            let mut vars = vec![];
            for a in before.iter().chain([&parts]) {
                let v = c.var();
                env.set(*a, Ix::Var(v));
                vars.push((v, c.size(*a)?));
            }
            let mut e = c.load(partial, &env)?;
            for (v, n) in vars.into_iter().rev() {
                e = Expr::fold(op, v, 0, n, 1, e);
            }
            Ok(e)
        })?;
        let name = label(self.func, s.v);
        self.launch(cell, &format!("total_{name}"))
    }

    /// One cell per position of the result's first constant axis; each walks all rows in order.
    fn by_result(&mut self, s: &Long) -> Result<()> {
        let mut dest = self.keep(s.v)?;
        let mut cell = self.cell(&[s.v]);
        let (first, lanes) = s
            .lanes
            .split_first()
            .ok_or_else(|| LowerError::new("a scalar is not too large"))?;
        for a in s.outer.iter().chain([first]) {
            self.over_grid(&mut cell, *a)?;
            dest = dest.at(*a, cell.ambient[a].clone());
        }
        let mut env = Env::default();
        let mut loops = vec![];
        for a in &s.rows {
            let v = cell.var();
            env.set(*a, Ix::Var(v));
            loops.push((v, Ix::Const(0), cell.size(*a)?));
        }
        let acc = cell.local("acc", lanes)?;
        accumulate(&mut cell, s, &acc, loops, &env)?;
        cell.copy_place(&acc, &dest)?;
        let name = label(self.func, s.v);
        self.launch(cell, &format!("sum_{name}"))
    }

    /// `y[index[row], …] += g[row, …]`: a cell owns a block of columns and walks all rows in order.
    pub fn launch_scatter(&mut self, v: ValueId) -> Result<()> {
        let Op::ScatterAdd { axis, .. } = self.func.op(v) else {
            return Err(LowerError::new("not a scatter"));
        };
        let index = self.func.args(v)[1];
        let mut dest = self.keep(v)?;
        let mut cell = self.cell(&[v]);
        let rest: Vec<Axis> = self
            .func
            .ty(v)
            .axes
            .iter()
            .copied()
            .filter(|a| a != axis)
            .collect();
        let (outer, rest): (Vec<Axis>, Vec<Axis>) = rest.into_iter().partition(is_long);
        let mut columns = rest.iter().filter(|a| !self.func.ty(index).has(**a));
        for a in &outer {
            self.over_grid(&mut cell, *a)?;
            dest = dest.at(*a, cell.ambient[a].clone());
        }
        let mut ranges = vec![];
        if let Some(last) = columns.next_back() {
            let wide = i64::from(self.options.lanes) * 2;
            let (block, n) = (cell.var(), cell.size(*last)?);
            let lo = Ix::Var(block) * wide;
            ranges.push((*last, lo.clone(), (lo + wide).min_ix(n.clone())));
            cell.grid.push((block, n.ceil_div(wide).simplify()));
        }
        cell.scatter(0, v, &dest, &ranges, false)?;
        let name = label(self.func, v);
        self.launch(cell, &format!("scatter_{name}"))
    }
}

/// `acc = neutral; for rows { acc = acc op element }`
fn accumulate(
    cell: &mut Cell,
    s: &Long,
    acc: &Place,
    loops: Vec<(Var, Ix, Ix)>,
    env: &Env,
) -> Result<()> {
    debug_assert!(super::contract::is_own(acc));
    let neutral = match s.op {
        FoldOp::Sum => 0.0,
        FoldOp::Prod => 1.0,
        FoldOp::Max => f64::NEG_INFINITY,
        FoldOp::Min => f64::INFINITY,
    };
    let axes: Vec<Axis> = acc.strides.iter().map(|(a, _)| *a).collect();
    cell.nest(acc, &axes, &[], &Env::default(), &mut |_, _| {
        Ok(Expr::num(neutral))
    })?;
    cell.open();
    let made = cell.nest(acc, &axes, &[], env, &mut |c, env| {
        let x = element(c, s, env)?;
        let old = c.load(acc, env)?;
        Ok(old.binary(
            match s.op {
                FoldOp::Sum => Binary::Add,
                FoldOp::Prod => Binary::Mul,
                FoldOp::Max => Binary::Max,
                FoldOp::Min => Binary::Min,
            },
            x,
        ))
    });
    let mut body = cell.close();
    made?;
    for (r, lo, hi) in loops.into_iter().rev() {
        body = vec![Stmt::for_(LoopKind::Seq, r, lo, hi, body)];
    }
    body.into_iter().for_each(|s| cell.emit(s));
    Ok(())
}

/// What one row contributes, its constant summed axes folded.
fn element(cell: &mut Cell, s: &Long, env: &Env) -> Result<Expr> {
    let func = cell.scopes[0].func;
    let args = func.args(s.v);
    cell.folded(s.op, &s.inner, env, &mut |c, e| {
        let mut product: Option<Expr> = None;
        for a in args {
            let x = c.elem(0, *a, e)?;
            product = Some(match product {
                None => x,
                Some(p) => p.binary(Binary::Mul, x),
            });
        }
        product.ok_or_else(|| LowerError::new("an empty product"))
    })
}
