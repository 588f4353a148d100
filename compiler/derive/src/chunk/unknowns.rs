//! What a chunk writes where that depends on what is read: linear equations in the writes of all steps.
//!
//! `u_a + Σ_b m_ab u_b = rhs_a`, each `m_ab` strictly triangular in time. One term is one triangular solve. Several
//! are eliminated in turn, each by solves and products of C×C matrices, which stay triangular; substitution only,
//! never a product of powers (derivation calculus §2.4).

use super::inside::{Chunk, Written};
use super::values::{Factors, add_up, multiply};
use super::writes_always;
use crate::Result;
use crate::affine::Factor;
use crate::class::{Product, Term};
use seqc_algebra::{Axis, Op, ValueId};

/// The equations: a right-hand side for each unknown, a matrix for each pair of unknowns.
struct System {
    rhs: Vec<ValueId>,
    m: Vec<Vec<ValueId>>,
}

impl Chunk {
    /// Everything that the chunk writes; what reads nothing first.
    pub fn written(
        &mut self,
        terms: &[Term],
        inner: &Factors,
        state: ValueId,
    ) -> Result<Vec<Written>> {
        let (fed, plain): (Vec<&Term>, Vec<&Term>) =
            terms.iter().partition(|t| !t.feedback.is_empty());
        let mut all = vec![];
        for t in plain {
            all.push(Written {
                key: self.key(t, inner)?,
                value: add_up(&mut self.b, &t.values, inner)?,
            });
        }
        let keys = (fed.iter())
            .map(|t| self.key(t, inner))
            .collect::<Result<Vec<_>>>()?;
        let system = self.system(&fed, &keys, inner, state, &all)?;
        let values = self.solved(system)?;
        all.extend((keys.into_iter().zip(values)).map(|(key, value)| Written { key, value }));
        Ok(all)
    }

    /// A term's key, 0 at steps that do not exist.
    fn key(&mut self, t: &Term, inner: &Factors) -> Result<ValueId> {
        let key = multiply(&mut self.b, &t.key, inner)?;
        let varies = |p: &Product| {
            let of = |f: &Factor| self.b.has(inner[&(f.value, f.how)], self.i);
            p.all_factors().any(of)
        };
        match self.present {
            Some(present) if writes_always(t, varies) => Ok(self.b.mul(key, present)?),
            _ => Ok(key),
        }
    }

    fn system(
        &mut self,
        fed: &[&Term],
        keys: &[ValueId],
        inner: &Factors,
        state: ValueId,
        known: &[Written],
    ) -> Result<System> {
        let mut s = System {
            rhs: vec![],
            m: vec![],
        };
        for t in fed {
            let (rhs, row) = self.equation(t, keys, inner, state, known)?;
            s.rhs.push(rhs);
            s.m.push(row);
        }
        Ok(s)
    }

    /// The right-hand side of one unknown, and its matrix with each of the unknowns.
    fn equation(
        &mut self,
        t: &Term,
        keys: &[ValueId],
        inner: &Factors,
        state: ValueId,
        known: &[Written],
    ) -> Result<(ValueId, Vec<ValueId>)> {
        let d = self.decays()?;
        let mut rhs: Option<ValueId> = None;
        let mut row: Vec<Option<ValueId>> = vec![None; keys.len()];
        for (coef, read) in &t.feedback {
            let coef = multiply(&mut self.b, coef, inner)?;
            let read = multiply(&mut self.b, read, inner)?;
            let mut seen = self.of_state(read, d.pex, state)?;
            for w in known {
                let m = self.decayed(read, w.key, d.within_ex)?;
                let y = self.mix(m, w.value)?;
                seen = self.b.add2(seen, y)?;
            }
            let fed = self.b.mul(seen, coef)?;
            rhs = Some(self.plus(rhs, fed)?);
            for (m, key) in row.iter_mut().zip(keys) {
                let new = self.decayed(read, *key, d.within_ex)?;
                let new = self.b.mul(new, coef)?;
                let new = self.b.neg(new)?;
                *m = Some(self.plus(*m, new)?);
            }
        }
        if !t.values.is_empty() {
            let own = add_up(&mut self.b, &t.values, inner)?;
            rhs = Some(self.plus(rhs, own)?);
        }
        let zero = self.b.num(0.0);
        let row = row.into_iter().map(|m| m.unwrap_or(zero)).collect();
        let mut rhs = rhs.unwrap_or(zero);
        // What every step reads alike is an unknown of every step all the same.
        if !self.b.has(rhs, self.i) {
            rhs = self.b.expand(rhs, &[self.i])?;
        }
        Ok((rhs, row))
    }

    fn plus(&mut self, a: Option<ValueId>, b: ValueId) -> Result<ValueId> {
        match a {
            None => Ok(b),
            Some(a) => Ok(self.b.add2(a, b)?),
        }
    }

    /// The unknowns.
    fn solved(&mut self, mut s: System) -> Result<Vec<ValueId>> {
        let n = s.rhs.len();
        for a in 0..n {
            s.rhs[a] = self.solve(s.m[a][a], s.rhs[a])?;
            for b in a + 1..n {
                s.m[a][b] = self.solve_matrix(s.m[a][a], s.m[a][b])?;
            }
            for c in a + 1..n {
                let y = self.mix(s.m[c][a], s.rhs[a])?;
                s.rhs[c] = self.b.sub(s.rhs[c], y)?;
                for b in a + 1..n {
                    let y = self.product(s.m[c][a], s.m[a][b])?;
                    s.m[c][b] = self.b.sub(s.m[c][b], y)?;
                }
            }
        }
        for a in (0..n).rev() {
            for b in a + 1..n {
                let y = self.mix(s.m[a][b], s.rhs[b])?;
                s.rhs[a] = self.b.sub(s.rhs[a], y)?;
            }
        }
        Ok(s.rhs)
    }

    /// `(1 + m)^-1 rhs` for a strictly triangular m.
    fn solve(&mut self, m: ValueId, rhs: ValueId) -> Result<ValueId> {
        if !self.reverse {
            let op = Op::Solve {
                row: self.i,
                col: self.j,
                transpose: false,
            };
            return Ok(self.b.push(op, &[m, rhs])?);
        }
        // Upper triangular: the unknowns' axis is the matrix's second one.
        let rhs = self.b.rename(rhs, self.i, self.j)?;
        let op = Op::Solve {
            row: self.j,
            col: self.i,
            transpose: true,
        };
        let u = self.b.push(op, &[m, rhs])?;
        Ok(self.b.rename(u, self.j, self.i)?)
    }

    /// A third axis of the chunk's length, for columns.
    fn column(&self) -> Axis {
        self.j.renamed(&format!("{}%", self.j.name))
    }

    /// `(1 + m)^-1 x` for a matrix x.
    fn solve_matrix(&mut self, m: ValueId, x: ValueId) -> Result<ValueId> {
        let l = self.column();
        let x = self.b.rename(x, self.j, l)?;
        let y = self.solve(m, x)?;
        Ok(self.b.rename(y, l, self.j)?)
    }

    /// `x y` for matrices.
    fn product(&mut self, x: ValueId, y: ValueId) -> Result<ValueId> {
        let l = self.column();
        let y = self.b.rename(y, self.j, l)?;
        let y = self.b.rename(y, self.i, self.j)?;
        let z = self.b.contract(&[self.j], &[x, y])?;
        Ok(self.b.rename(z, l, self.j)?)
    }
}
