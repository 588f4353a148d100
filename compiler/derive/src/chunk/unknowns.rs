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
use crate::class::{Feedback, Product, Term};
use seqc_algebra::{Axis, Op, ValueId};

/// The equations: a right-hand side for each unknown, a matrix for each pair of unknowns.
struct System {
    rhs: Vec<ValueId>,
    m: Vec<Vec<Option<ValueId>>>,
}

impl Chunk {
    /// Everything that the chunk writes; what reads nothing first.
    pub fn written(
        &mut self,
        terms: &[Term],
        inner: &Factors,
        states: &[ValueId],
    ) -> Result<Vec<Written>> {
        let (fed, plain): (Vec<&Term>, Vec<&Term>) =
            terms.iter().partition(|t| !t.feedback.is_empty());
        let mut all = vec![];
        for t in plain {
            all.push(Written {
                into: t.into.clone(),
                key: self.key(t, inner)?,
                value: add_up(&mut self.b, &t.values, inner)?,
            });
        }
        let keys = (fed.iter())
            .map(|t| Ok((t.into.clone(), self.key(t, inner)?)))
            .collect::<Result<Vec<_>>>()?;
        let mut system = System {
            rhs: vec![],
            m: vec![],
        };
        for t in fed {
            let (rhs, row) = self.equation(t, &keys, inner, states, &all)?;
            system.rhs.push(rhs);
            system.m.push(row);
        }
        let values = self.solved(system)?;
        let written = |((into, key), value)| Written { into, key, value };
        all.extend(keys.into_iter().zip(values).map(written));
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

    /// The right-hand side of one unknown, and its matrix with each of the unknowns.
    fn equation(
        &mut self,
        t: &Term,
        keys: &[(Vec<usize>, ValueId)],
        inner: &Factors,
        states: &[ValueId],
        known: &[Written],
    ) -> Result<(ValueId, Vec<Option<ValueId>>)> {
        let mut rhs: Option<ValueId> = None;
        let mut row: Vec<Option<ValueId>> = vec![None; keys.len()];
        for Feedback { from, coef, read } in &t.feedback {
            let coef = multiply(&mut self.b, coef, inner)?;
            let read = multiply(&mut self.b, read, inner)?;
            let mut seen = self.of_states(*from, read, |p| p.pex, states)?;
            if let Some(y) = self.of_written(*from, read, |w| w.excl, known)? {
                seen = self.plus(Some(seen), y)?;
            }
            let fed = self.b.mul(seen, coef)?;
            rhs = Some(self.plus(rhs, fed)?);
            for (m, (into, key)) in row.iter_mut().zip(keys) {
                let Some(d) = self.toward(*from, into)? else {
                    continue;
                };
                let new = self.decayed(*from, read, *key, (d.excl, d.diagonal))?;
                let new = self.b.mul(new, coef)?;
                let new = self.b.neg(new)?;
                *m = Some(self.plus(*m, new)?);
            }
        }
        if !t.values.is_empty() {
            let own = add_up(&mut self.b, &t.values, inner)?;
            rhs = Some(self.plus(rhs, own)?);
        }
        let rhs = rhs.unwrap_or_else(|| self.b.num(0.0));
        // What is read and written may be the same at every step.
        let rhs = self.b.fill(rhs, &[self.i])?;
        Ok((rhs, row))
    }

    /// The unknowns. An absent matrix is 0: that unknown does not read what the other writes.
    fn solved(&mut self, mut s: System) -> Result<Vec<ValueId>> {
        let n = s.rhs.len();
        for a in 0..n {
            if let Some(own) = s.m[a][a] {
                s.rhs[a] = self.solve(own, s.rhs[a])?;
                for b in a + 1..n {
                    if let Some(m) = s.m[a][b] {
                        s.m[a][b] = Some(self.solve_matrix(own, m)?);
                    }
                }
            }
            for c in a + 1..n {
                let Some(m) = s.m[c][a] else { continue };
                s.rhs[c] = self.without(s.rhs[c], m, s.rhs[a])?;
                for b in a + 1..n {
                    let Some(of) = s.m[a][b] else { continue };
                    let y = self.product(m, of)?;
                    s.m[c][b] = Some(match s.m[c][b] {
                        Some(x) => self.less(x, y)?,
                        None => self.b.neg(y)?,
                    });
                }
            }
        }
        for a in (0..n).rev() {
            for b in a + 1..n {
                if let Some(m) = s.m[a][b] {
                    s.rhs[a] = self.without(s.rhs[a], m, s.rhs[b])?;
                }
            }
        }
        Ok(s.rhs)
    }

    /// `x - m u`
    fn without(&mut self, x: ValueId, m: ValueId, u: ValueId) -> Result<ValueId> {
        let y = self.mix(m, u)?;
        self.less(x, y)
    }

    /// `x - y`, over the axes of both.
    fn less(&mut self, x: ValueId, y: ValueId) -> Result<ValueId> {
        let axes = self.b.axes(y).to_vec();
        let x = self.b.fill(x, &axes)?;
        Ok(self.b.sub(x, y)?)
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
