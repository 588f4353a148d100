//! Statements: loops, stores, bindings, branches.

use super::index::At;
use super::{Emit, LANES, Result};
use crate::deps::Deps;
use cranelift::prelude::*;
use seqc_schedule::ir::{Expr, LoopKind, Stmt, Var};

impl Emit<'_, '_> {
    /// What the statements bind ends with them: it would not dominate a later use.
    pub fn block(&mut self, stmts: &[Stmt]) -> Result<()> {
        stmts.iter().try_for_each(|s| self.stmt(s))?;
        for s in stmts {
            match s {
                Stmt::Let { val, .. } => drop(self.vals.remove(val)),
                Stmt::For { var, .. } => drop(self.vars.remove(var)),
                _ => {}
            }
        }
        Ok(())
    }

    fn stmt(&mut self, s: &Stmt) -> Result<()> {
        match s {
            Stmt::For {
                var,
                lo,
                hi,
                kind,
                reverse,
                body,
            } => {
                let (lo, hi) = (self.uniform(lo)?, self.uniform(hi)?);
                let wide = matches!(kind, LoopKind::Vec(n) if i64::from(*n) >= LANES);
                if wide && !self.wide && Deps::on(*var).body_fits(body) {
                    self.vector(*var, lo, hi, body)
                } else if *reverse {
                    self.backward(*var, lo, hi, body)
                } else {
                    self.forward(*var, lo, hi, body)
                }
            }
            Stmt::Store { buf, at, value } => self.store(*buf, at, value),
            Stmt::Let { val, value } => {
                let n = self.number(value)?;
                self.vals.insert(*val, n);
                Ok(())
            }
            Stmt::If { cond, then, els } => self.branch(cond, then, els),
            Stmt::Matmul(m) => self.matmul(m),
        }
    }

    fn forward(&mut self, var: Var, lo: Value, hi: Value, body: &[Stmt]) -> Result<()> {
        self.for_loop(lo, hi, 1, &[], |e, i, _| {
            e.vars.insert(var, At::value(i));
            e.block(body)?;
            Ok(vec![])
        })?;
        Ok(())
    }

    fn backward(&mut self, var: Var, lo: Value, hi: Value, body: &[Stmt]) -> Result<()> {
        let last = self.b.ins().iadd_imm_s(hi, -1);
        let sum = self.b.ins().iadd(lo, last);
        self.for_loop(lo, hi, 1, &[], |e, i, _| {
            let mirrored = e.b.ins().isub(sum, i);
            e.vars.insert(var, At::value(mirrored));
            e.block(body)?;
            Ok(vec![])
        })?;
        Ok(())
    }

    /// Iterations are independent: those that fill a vector first, then the rest one by one, in either order.
    fn vector(&mut self, var: Var, lo: Value, hi: Value, body: &[Stmt]) -> Result<()> {
        let middle = self.whole_groups(lo, hi, LANES);
        self.for_loop(lo, middle, LANES, &[], |e, i, _| {
            e.vars.insert(var, At::ramp(i, 0));
            e.wide = true;
            let done = e.block(body);
            e.wide = false;
            done?;
            Ok(vec![])
        })?;
        self.forward(var, middle, hi, body)
    }

    /// Where the last whole group of `size` iterations of `lo..hi` ends. `size` is a power of two.
    pub fn whole_groups(&mut self, lo: Value, hi: Value, size: i64) -> Value {
        let length = self.b.ins().isub(hi, lo);
        let zero = self.int(0);
        let length = self.b.ins().smax(length, zero);
        let whole = self.b.ins().band_imm_s(length, -size);
        self.b.ins().iadd(lo, whole)
    }

    fn branch(&mut self, cond: &Expr, then: &[Stmt], els: &[Stmt]) -> Result<()> {
        let c = self.truth(cond)?;
        if c.wide {
            return Err("a branch differs from lane to lane".into());
        }
        let [yes, no, after] = [0; 3].map(|_| self.b.create_block());
        self.b.ins().brif(c.v, yes, &[], no, &[]);
        for (block, stmts) in [(yes, then), (no, els)] {
            self.b.switch_to_block(block);
            self.block(stmts)?;
            self.b.ins().jump(after, &[]);
        }
        self.b.switch_to_block(after);
        Ok(())
    }
}
