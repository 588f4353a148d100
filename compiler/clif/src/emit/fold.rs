//! Folds. Outside vector loops a fold keeps vectors of partial results; inside, each lane folds on its own.

use super::index::At;
use super::{Emit, LANES, Num, Result};
use crate::deps::Deps;
use cranelift::prelude::*;
use seqc_schedule::ir::{Binary, Expr, FoldOp, Ix, Var};
use seqc_schedule::walk::Node;

/// Vectors of partial results that a fold keeps at most: enough to hide the latency of an addition.
const PARTIALS: i64 = 4;

impl Emit<'_, '_> {
    pub fn fold(
        &mut self,
        op: FoldOp,
        var: Var,
        lo: &Ix,
        hi: &Ix,
        lanes: u32,
        body: &Expr,
    ) -> Result<Num> {
        let (lo, hi) = (self.uniform(lo)?, self.uniform(hi)?);
        let done = if self.wide && self.varies(body) {
            let start = self.neutral(op, true);
            let v = self.fold_one_by_one(op, var, (lo, hi), start, body);
            v.map(|v| Num::new(v, true))
        } else {
            // The same in every lane: computed once, in lanes of its own.
            let outer = std::mem::replace(&mut self.wide, false);
            let v = self.fold_scalar(op, var, (lo, hi), lanes, body);
            self.wide = outer;
            v.map(Num::one)
        };
        self.vars.remove(&var);
        done
    }

    /// Does the value differ between the lanes of the enclosing loop?
    fn varies(&self, e: &Expr) -> bool {
        let vars = self.vars.iter().filter(|(_, at)| !at.is_uniform());
        let vals = self.vals.iter().filter(|(_, n)| n.wide);
        let deps = Deps {
            vars: vars.map(|(v, _)| *v).collect(),
            vals: vals.map(|(v, _)| *v).collect(),
        };
        deps.differs(Node::Expr(e))
    }

    fn neutral(&mut self, op: FoldOp, wide: bool) -> Value {
        let x = match op {
            FoldOp::Sum => 0.0,
            FoldOp::Prod => 1.0,
            FoldOp::Max => f64::NEG_INFINITY,
            FoldOp::Min => f64::INFINITY,
        };
        self.float(x, wide)
    }

    fn combine(&mut self, op: FoldOp, a: Value, b: Value) -> Value {
        match op {
            FoldOp::Sum => self.b.ins().fadd(a, b),
            FoldOp::Prod => self.b.ins().fmul(a, b),
            FoldOp::Max => self.b.ins().fmax(a, b),
            FoldOp::Min => self.b.ins().fmin(a, b),
        }
    }

    /// One more element; a sum of products takes a fused multiply-add.
    fn accumulate(&mut self, op: FoldOp, total: Value, body: &Expr, wide: bool) -> Result<Value> {
        if let (FoldOp::Sum, Expr::Binary(Binary::Mul, a, b), true) = (op, body, self.imports.fma) {
            let (a, b) = (self.number(a)?, self.number(b)?);
            let (a, b) = match wide {
                true => (self.widen(a), self.widen(b)),
                false => (a.v, b.v),
            };
            return Ok(self.fma(a, b, total));
        }
        let x = self.number(body)?;
        let x = if wide { self.widen(x) } else { x.v };
        Ok(self.combine(op, total, x))
    }

    fn fold_one_by_one(
        &mut self,
        op: FoldOp,
        var: Var,
        (lo, hi): (Value, Value),
        start: Value,
        body: &Expr,
    ) -> Result<Value> {
        let wide = self.wide;
        let total = self.for_loop(lo, hi, 1, &[start], |e, i, total| {
            e.vars.insert(var, At::value(i));
            Ok(vec![e.accumulate(op, total[0], body, wide)?])
        })?;
        Ok(total[0])
    }

    fn fold_scalar(
        &mut self,
        op: FoldOp,
        var: Var,
        (lo, hi): (Value, Value),
        lanes: u32,
        body: &Expr,
    ) -> Result<Value> {
        let start = self.neutral(op, false);
        let partials = (i64::from(lanes) / LANES).clamp(0, PARTIALS);
        if partials == 0 || !Deps::on(var).fits(Node::Expr(body)) {
            return self.fold_one_by_one(op, var, (lo, hi), start, body);
        }
        // A power of two.
        let partials = 1 << partials.ilog2();
        let middle = self.whole_groups(lo, hi, partials * LANES);
        let none = self.neutral(op, true);
        let many = vec![none; partials as usize];
        let many = self.for_loop(lo, middle, partials * LANES, &many, |e, i, totals| {
            let mut next = vec![];
            e.wide = true;
            for (t, at) in totals.iter().zip((0..).step_by(LANES as usize)) {
                e.vars.insert(var, At::ramp(i, at));
                next.push(e.accumulate(op, *t, body, true));
            }
            e.wide = false;
            next.into_iter().collect()
        })?;
        let total = self.across(op, &many);
        self.fold_one_by_one(op, var, (middle, hi), total, body)
    }

    /// All lanes of all partial results in one.
    fn across(&mut self, op: FoldOp, many: &[Value]) -> Value {
        let mut v = many[0];
        for x in &many[1..] {
            v = self.combine(op, v, *x);
        }
        let lane = [0u8, 1, 2, 3].map(|l| self.b.ins().extractlane(v, l));
        let (a, b) = (
            self.combine(op, lane[0], lane[1]),
            self.combine(op, lane[2], lane[3]),
        );
        self.combine(op, a, b)
    }
}
