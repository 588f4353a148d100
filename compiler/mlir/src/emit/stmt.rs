//! Statements of a sequential cell: loops, stores, bindings, branches, matrix products.

use super::Emit;
use super::deps::Deps;
use super::fold::{Segment, cost};
use super::index::{Index, Uni};
use crate::error::Result;
use crate::matmul;
use crate::text::Of;
use seqc_schedule::ir::{Buf, Elem, Expr, Ix, LoopKind, Matmul, Stmt, Tile, Var};

impl Emit<'_> {
    pub fn block(&mut self, stmts: &[Stmt]) -> Result<()> {
        stmts.iter().try_for_each(|s| self.stmt(s))
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
                match kind {
                    LoopKind::Vec(lanes) => self.vector_loop(*var, &lo, &hi, *lanes, body),
                    LoopKind::Seq if *reverse => self.backward(*var, &lo, &hi, body),
                    _ => self.forward(*var, &lo, &hi, body),
                }
            }
            Stmt::Store { buf, at, value } => self.assign(*buf, at, value),
            Stmt::Let { val, value } => {
                let n = self.expr(value)?;
                self.vals.insert(*val, n);
                Ok(())
            }
            Stmt::If { cond, then, els } => {
                let c = self.truth(cond)?;
                if c.ty.lanes > 1 {
                    return self.error("a branch differs from lane to lane");
                }
                self.f.begin_if(&c);
                self.block(then)?;
                if !els.is_empty() {
                    self.f.begin_else();
                    self.block(els)?;
                }
                self.f.end_if();
                Ok(())
            }
            Stmt::Matmul(m) => self.product(m),
        }
    }

    pub fn assign(&mut self, buf: Buf, at: &Ix, value: &Expr) -> Result<()> {
        let (base, elem) = self.buffer(buf)?;
        let x = self.number(value)?;
        let at = self.index(at)?;
        let v = match (elem, x.whole) {
            (Elem::F32 | Elem::Bf16, _) => x.v,
            (Elem::I32, Some(w)) => w,
            (Elem::I32, None) => self.f.cast("arith.fptosi", &x.v, Of::I32),
        };
        self.store(&v, &base, elem, &at)
    }

    pub fn forward(&mut self, var: Var, lo: &Uni, hi: &Uni, body: &[Stmt]) -> Result<()> {
        if let (Some(a), Some(b)) = (lo.known(), hi.known()) {
            if b <= a {
                return Ok(());
            }
            if b == a + 1 {
                self.vars.insert(var, Index::Uniform(lo.clone()));
                return self.block(body);
            }
        }
        let s = Segment {
            start: lo.clone(),
            end: hi.clone(),
            width: 1,
        };
        let open = self.open(var, &s, &[]);
        self.bind(var, &open.iv, &s);
        self.block(body)?;
        self.f.end_for(open, &[]);
        Ok(())
    }

    fn backward(&mut self, var: Var, lo: &Uni, hi: &Uni, body: &[Stmt]) -> Result<()> {
        let (length, last) = (self.sub(hi, lo), self.sub(hi, &Uni::constant(1)));
        let s = Segment {
            start: Uni::constant(0),
            end: length,
            width: 1,
        };
        let open = self.open(var, &s, &[]);
        let mut at = self.sub(&last, &Uni::new(open.iv.clone()));
        at.nonneg = lo.nonneg;
        self.vars.insert(var, Index::Uniform(at));
        self.block(body)?;
        self.f.end_for(open, &[]);
        Ok(())
    }

    fn vector_loop(
        &mut self,
        var: Var,
        lo: &Uni,
        hi: &Uni,
        lanes: u32,
        body: &[Stmt],
    ) -> Result<()> {
        let fits = self.lanes == 1 && Deps::default().body_fits(var, body);
        let lanes = if fits { self.usable_lanes(lanes) } else { 1 };
        for s in self.segments(lo, hi, lanes) {
            if let Some(steps) = s.short(block_cost(body)) {
                for step in steps {
                    self.bind_at(var, step.start, step.width);
                    self.in_lanes(step.width, body)?;
                }
                continue;
            }
            if s.width == 1 {
                self.forward(var, &s.start, &s.end, body)?;
                continue;
            }
            let open = self.open(var, &s, &[]);
            self.bind(var, &open.iv, &s);
            self.in_lanes(s.width, body)?;
            self.f.end_for(open, &[]);
        }
        Ok(())
    }

    fn in_lanes(&mut self, lanes: u32, body: &[Stmt]) -> Result<()> {
        let saved = std::mem::replace(&mut self.lanes, lanes);
        let done = self.block(body);
        self.lanes = saved;
        done
    }

    fn product(&mut self, m: &Matmul) -> Result<()> {
        self.check_extents(m)?;
        let mut pointers = vec![];
        for tile in [&m.out, &m.a, &m.b] {
            pointers.push(self.corner(tile)?);
        }
        if m.m == 0 || m.n == 0 {
            return Ok(());
        }
        let atom = matmul::Atom::of(m);
        let name = atom.helper(self.helpers, self.target);
        self.f.run(&name, &pointers);
        Ok(())
    }

    /// Extents whose products can be computed with.
    pub fn check_extents(&self, m: &Matmul) -> Result<()> {
        match [m.m, m.n, m.k].iter().all(|n| *n <= 1 << 20) {
            true => Ok(()),
            false => self.error("a matrix product is too large"),
        }
    }

    /// Address of the first element of a tile.
    pub fn corner(&mut self, tile: &Tile) -> Result<crate::text::Value> {
        let (base, elem) = self.buffer(tile.buf)?;
        if [tile.rows, tile.cols]
            .iter()
            .any(|s| s.unsigned_abs() > 1 << 40)
        {
            return self.error("a stride of a matrix product is out of range");
        }
        if elem != Elem::F32 {
            return self.error("a matrix product of something else than f32");
        }
        let at = self.uniform(&tile.base)?;
        Ok(self.address(&base, &at))
    }
}

/// A rough count of the operations of a vector loop's body.
fn block_cost(stmts: &[Stmt]) -> u32 {
    let each = |s: &Stmt| match s {
        Stmt::Store { value, .. } => 1 + cost(value),
        Stmt::Let { value, .. } => cost(value),
        _ => 100,
    };
    stmts.iter().map(each).sum()
}
