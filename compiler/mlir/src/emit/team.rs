//! A block of threads runs one cell together.
//!
//! Sequential loops, bindings and branches are run by every thread alike. `Par` and `Vec` loops are dealt out,
//! perfect nests as one loop over all their iterations; so are the entries of a matrix product. Between two
//! pieces that touch the same buffer, one of them writing, all threads wait. The wait is always reached by all:
//! it is never printed inside dealt-out code, and conditions and bounds outside of it are the same everywhere.

use super::Emit;
use super::deps::Deps;
use super::effects::{Effects, has_product};
use super::index::{Index, Uni};
use crate::error::Result;
use crate::text::{F32, Fun, I64, Value};
use seqc_schedule::ir::{Expr, Ix, LoopKind, Matmul, Part, Stmt, Var};

pub(crate) struct Team {
    thread: Value,
    threads: Value,
    /// What threads did since they last waited for each other.
    pending: Effects,
}

impl Team {
    pub fn new(thread: Value, threads: Value) -> Team {
        Team {
            thread,
            threads,
            pending: Effects::default(),
        }
    }
}

/// Threads that a matrix product should keep busy.
const BUSY: usize = 128;

type Nest<'a> = Vec<(Var, &'a Ix, &'a Ix)>;

impl Emit<'_> {
    pub fn barrier(&mut self) {
        self.f.line("nvvm.barrier");
        *self.pending() = Effects::default();
    }

    fn pending(&mut self) -> &mut Effects {
        &mut self
            .team
            .get_or_insert_with(|| Team::new(Value::new("%none", I64), Value::new("%none", I64)))
            .pending
    }

    fn place(&self) -> (Value, Value) {
        match &self.team {
            Some(t) => (t.thread.clone(), t.threads.clone()),
            None => (Value::new("%none", I64), Value::new("%none", I64)),
        }
    }

    /// Waits if `next` touches what other threads may still be at, and records it.
    fn sync(&mut self, next: &Effects) {
        if self.pending().conflict(next) {
            self.barrier();
        }
        self.pending().merge(next);
    }

    pub fn team_block(&mut self, stmts: &[Stmt]) -> Result<()> {
        stmts.iter().try_for_each(|s| self.team_stmt(s))
    }

    fn team_stmt(&mut self, s: &Stmt) -> Result<()> {
        match s {
            Stmt::For { kind, body, .. } if *kind != LoopKind::Seq && !has_product(body) => {
                self.deal(s)
            }
            Stmt::For {
                var,
                lo,
                hi,
                reverse,
                body,
                ..
            } => {
                self.sync(&Effects::of_indices([lo, hi]));
                let (lo, hi) = (self.uniform(lo)?, self.uniform(hi)?);
                let before = self.pending().clone();
                // An iteration follows the previous one.
                self.pending().merge(&Effects::of_block(body));
                self.together(*var, &lo, &hi, *reverse, body)?;
                self.pending().merge(&before);
                Ok(())
            }
            Stmt::Store { buf, at, value } => {
                self.sync(&Effects::of_block(std::slice::from_ref(s)));
                let (thread, _) = self.place();
                let zero = self.f.int(I64, 0);
                let first = self.f.cmp("eq", &thread, &zero);
                self.f.begin_if(&first);
                self.assign(*buf, at, value)?;
                self.f.end_if();
                Ok(())
            }
            Stmt::Let { value, .. } => {
                self.sync(&Effects::of_exprs([value]));
                self.block(std::slice::from_ref(s))
            }
            Stmt::If { cond, then, els } => self.team_if(cond, then, els),
            Stmt::Matmul(m) => {
                self.sync(&Effects::of_block(std::slice::from_ref(s)));
                self.deal_product(m)
            }
        }
    }

    fn team_if(&mut self, cond: &Expr, then: &[Stmt], els: &[Stmt]) -> Result<()> {
        self.sync(&Effects::of_exprs([cond]));
        let c = self.truth(cond)?;
        let before = self.pending().clone();
        self.f.begin_if(&c);
        self.team_block(then)?;
        let after_then = std::mem::replace(self.pending(), before);
        if !els.is_empty() {
            self.f.begin_else();
            self.team_block(els)?;
        }
        self.f.end_if();
        self.pending().merge(&after_then);
        Ok(())
    }

    /// A loop that every thread runs.
    fn together(
        &mut self,
        var: Var,
        lo: &Uni,
        hi: &Uni,
        reverse: bool,
        body: &[Stmt],
    ) -> Result<()> {
        let one = self.f.int(I64, 1);
        let (start, end) = if reverse {
            (Uni::constant(0), self.sub(hi, lo))
        } else {
            (lo.clone(), hi.clone())
        };
        let (start, end) = (self.value(&start), self.value(&end));
        let open = self
            .f
            .begin_for(&format!("i{}_", var.0), &start, &end, &one, &[]);
        let mut at = Uni::new(open.iv.clone());
        if reverse {
            let last = self.sub(hi, &Uni::constant(1));
            at = self.sub(&last, &at);
        }
        at.nonneg = lo.nonneg;
        self.vars.insert(var, Index::Uniform(at));
        self.team_block(body)?;
        self.f.end_for(open, &[]);
        Ok(())
    }

    /// Deals the iterations of a nest of independent loops to the threads.
    fn deal(&mut self, s: &Stmt) -> Result<()> {
        let mut nest: Nest = vec![];
        let mut rest = std::slice::from_ref(s);
        let mut deps = Deps::default();
        while let [
            Stmt::For {
                var,
                lo,
                hi,
                kind,
                body,
                ..
            },
        ] = rest
        {
            if *kind == LoopKind::Seq || deps.index(lo) || deps.index(hi) {
                break;
            }
            nest.push((*var, lo, hi));
            deps.vars.insert(*var);
            rest = body;
        }
        // Statements that share no binding can be dealt out one by one, each as its own nest.
        if rest.len() > 1 && !rest.iter().any(|s| matches!(s, Stmt::Let { .. })) {
            return rest.iter().try_for_each(|part| self.deal_part(&nest, part));
        }
        self.sync(&Effects::of_block(std::slice::from_ref(s)));
        self.deal_nest(&nest, rest)
    }

    /// One statement of the body of a nest: its own independent loops join the nest.
    fn deal_part(&mut self, nest: &Nest, part: &Stmt) -> Result<()> {
        let mut whole = part.clone();
        for (var, lo, hi) in nest.iter().rev() {
            let (var, lo, hi) = (*var, (*lo).clone(), (*hi).clone());
            whole = Stmt::For {
                var,
                lo,
                hi,
                kind: LoopKind::Par,
                reverse: false,
                body: vec![whole],
            };
        }
        self.deal(&whole)
    }

    fn deal_nest(&mut self, nest: &Nest, body: &[Stmt]) -> Result<()> {
        let mut axes = vec![];
        let mut total = Uni::constant(1);
        for (var, lo, hi) in nest {
            let (lo, hi) = (self.uniform(lo)?, self.uniform(hi)?);
            let length = self.sub(&hi, &lo);
            let length = self.max(&length, &Uni::constant(0)).known_unsigned();
            total = self.mul(&total, &length);
            axes.push((*var, lo, length));
        }
        let (thread, threads) = self.place();
        let total = self.value(&total);
        let open = self.f.begin_for("e", &thread, &total, &threads, &[]);
        let mut rest = Uni::unsigned(open.iv.clone());
        for (i, (var, lo, length)) in axes.iter().enumerate().rev() {
            let mut here = rest.clone();
            if i > 0 {
                here = self.rem(&rest, length);
                rest = self.div(&rest, length);
            }
            let at = self.add(&here, lo);
            self.vars.insert(*var, Index::Uniform(at));
        }
        self.block(body)?;
        self.f.end_for(open, &[]);
        Ok(())
    }

    /// Each thread computes small tiles of the product; neighbours take neighbouring columns.
    fn deal_product(&mut self, m: &Matmul) -> Result<()> {
        self.check_extents(m)?;
        let (out, a, b) = (self.corner(&m.out)?, self.corner(&m.a)?, self.corner(&m.b)?);
        if m.m == 0 || m.n == 0 {
            return Ok(());
        }
        let (rows, cols) = micro_tile(m.m, m.n);
        let (down, across) = ((m.m / rows) as i64, (m.n / cols) as i64);
        let (thread, threads) = self.place();
        let f = &mut self.f;
        let (total, across_) = (f.int(I64, down * across), f.int(I64, across));
        let open = f.begin_for("e", &thread, &total, &threads, &[]);
        let i = f.binary("arith.divui", &open.iv, &across_);
        let j = f.binary("arith.remui", &open.iv, &across_);
        let high = f.int(I64, rows as i64);
        let i = f.mul(&i, &high);
        let wanted = wanted(f, m, &i, &j, rows, cols);
        if let Some(c) = &wanted {
            f.begin_if(c);
        }
        let tile = MicroTile {
            rows: rows as i64,
            cols: cols as i64,
            apart: across,
        };
        tile.print(f, m, [&out, &a, &b], &i, &j);
        if wanted.is_some() {
            f.end_if();
        }
        f.end_for(open, &[]);
        Ok(())
    }
}

/// Rows and columns of a thread's tile: up to 4×4, dividing the product, leaving work for every thread.
fn micro_tile(m: usize, n: usize) -> (usize, usize) {
    let fit = |extent: usize| {
        [4, 2, 1]
            .into_iter()
            .find(|t| extent.is_multiple_of(*t))
            .unwrap_or(1)
    };
    let (mut rows, mut cols) = (fit(m), fit(n));
    while (m / rows) * (n / cols) < BUSY && rows * cols > 1 {
        if rows >= cols { rows /= 2 } else { cols /= 2 }
    }
    (rows, cols)
}

/// Columns of a tile lie `across` apart: is any entry of the tile at `(i, j)` in the wanted part?
fn wanted(
    f: &mut Fun,
    m: &Matmul,
    i: &Value,
    j: &Value,
    rows: usize,
    cols: usize,
) -> Option<Value> {
    let (last_row, last_col) = (
        f.int(I64, rows as i64 - 1),
        f.int(I64, ((cols - 1) * (m.n / cols)) as i64),
    );
    match m.part {
        Part::All => None,
        Part::Lower => {
            let bottom = f.add(i, &last_row);
            Some(f.cmp("sle", j, &bottom))
        }
        Part::Upper => {
            let right = f.add(j, &last_col);
            Some(f.cmp("sge", &right, i))
        }
    }
}

struct MicroTile {
    rows: i64,
    cols: i64,
    /// Distance of its columns.
    apart: i64,
}

impl MicroTile {
    fn print(&self, f: &mut Fun, m: &Matmul, [out, a, b]: [&Value; 3], i: &Value, j: &Value) {
        let corner = step(f, out, i, m.out.rows);
        let corner = step(f, &corner, j, m.out.cols);
        let cells: Vec<(i64, i64)> = (0..self.rows)
            .flat_map(|r| (0..self.cols).map(move |c| (r, c)))
            .collect();
        let place = |f: &mut Fun, r: i64, c: i64| {
            f.address_at(&corner, r * m.out.rows + c * self.apart * m.out.cols)
        };
        let mut sums = vec![];
        for &(r, c) in &cells {
            sums.push(if m.accumulate {
                let p = place(f, r, c);
                f.load(&p, F32)
            } else {
                f.float(F32, 0.0)
            });
        }
        let (left, top) = (step(f, a, i, m.a.rows), step(f, b, j, m.b.cols));
        let (zero, one, k) = (f.int(I64, 0), f.int(I64, 1), f.int(I64, m.k as i64));
        let open = f.begin_for("k", &zero, &k, &one, &sums);
        let (left, top) = (
            step(f, &left, &open.iv, m.a.cols),
            step(f, &top, &open.iv, m.b.rows),
        );
        let column: Vec<Value> = (0..self.rows)
            .map(|r| element(f, &left, r * m.a.rows))
            .collect();
        let row: Vec<Value> = (0..self.cols)
            .map(|c| element(f, &top, c * self.apart * m.b.cols))
            .collect();
        let next: Vec<Value> = cells
            .iter()
            .zip(&open.carried)
            .map(|(&(r, c), sum)| f.fma(&column[r as usize], &row[c as usize], sum))
            .collect();
        let sums = f.end_for(open, &next);
        for (&(r, c), sum) in cells.iter().zip(&sums) {
            let p = place(f, r, c);
            f.store(sum, &p);
        }
    }
}

fn element(f: &mut Fun, base: &Value, at: i64) -> Value {
    let p = f.address_at(base, at);
    f.load(&p, F32)
}

fn step(f: &mut Fun, base: &Value, index: &Value, stride: i64) -> Value {
    let stride = f.int(I64, stride);
    let at = f.mul(index, &stride);
    f.address(base, &at)
}
