//! The inside of a chunk: what is read of its writes and of the state that enters it.

use super::decays::Decays;
use super::values::{Factors, multiply};
use crate::class::Read;
use crate::{DeriveError, Result};
use seqc_algebra::{Axis, Builder, ValueId};

/// A rank-one input inside the chunk: key and what it writes, both along i.
#[derive(Clone, Copy)]
pub(super) struct Written {
    pub key: ValueId,
    pub value: ValueId,
}

/// The chunk's body under construction.
pub(super) struct Chunk {
    pub b: Builder,
    pub i: Axis,
    pub j: Axis,
    pub k: Vec<Axis>,
    pub diagonal: bool,
    pub decays: Option<Decays>,
    /// 1 at steps that exist, 0 at those that are padded, if some term needs it.
    pub present: Option<ValueId>,
    pub reverse: bool,
}

impl Chunk {
    pub fn decays(&self) -> Result<Decays> {
        self.decays
            .ok_or_else(|| DeriveError("decays are made first".into()))
    }

    /// `x` along the axes of K that neither it nor `y` has: a sum over them counts their positions (a mean over the
    /// state, fed back to all of it).
    fn over_k(&mut self, x: ValueId, y: ValueId) -> Result<ValueId> {
        let missing = |a: &&Axis| !self.b.has(x, **a) && !self.b.has(y, **a);
        let missing: Vec<Axis> = self.k.iter().filter(missing).copied().collect();
        match missing.is_empty() {
            true => Ok(x),
            false => Ok(self.b.expand(x, &missing)?),
        }
    }

    /// `Σ_K x_i y_j D_ij` as a matrix over i and j.
    pub fn decayed(&mut self, x: ValueId, y: ValueId, within: ValueId) -> Result<ValueId> {
        let x = self.over_k(x, y)?;
        let k = self.k.clone();
        let y = if self.b.has(y, self.i) {
            self.b.rename(y, self.i, self.j)?
        } else {
            y
        };
        if self.diagonal {
            return Ok(self.b.contract(&k, &[x, y, within])?);
        }
        let m = self.b.contract(&k, &[x, y])?;
        Ok(self.b.mul(m, within)?)
    }

    /// `Σ_K p_i x_i S`
    pub fn of_state(&mut self, x: ValueId, p: Option<ValueId>, state: ValueId) -> Result<ValueId> {
        match p {
            None => Ok(self.b.contract(&self.k.clone(), &[x, state])?),
            Some(p) if self.diagonal => {
                let x = self.b.mul(x, p)?;
                Ok(self.b.contract(&self.k.clone(), &[x, state])?)
            }
            Some(p) => {
                let y = self.b.contract(&self.k.clone(), &[x, state])?;
                Ok(self.b.mul(y, p)?)
            }
        }
    }

    /// `Σ_j m_ij u_j`
    pub fn mix(&mut self, m: ValueId, u: ValueId) -> Result<ValueId> {
        let u = if self.b.has(u, self.i) {
            self.b.rename(u, self.i, self.j)?
        } else {
            u
        };
        Ok(self.b.contract(&[self.j], &[m, u])?)
    }

    pub fn next_state(&mut self, state: ValueId, terms: &[Written]) -> Result<ValueId> {
        let d = self.decays()?;
        let mut next = match d.tot {
            Some(tot) => self.b.mul(state, tot)?,
            None => state,
        };
        for w in terms {
            let (mut key, mut value) = (w.key, w.value);
            match d.suf {
                Some(suf) if self.diagonal => key = self.b.mul(key, suf)?,
                Some(suf) => value = self.b.mul(value, suf)?,
                None => {}
            }
            let written = self.b.contract(&[self.i], &[key, value])?;
            next = self.b.add2(next, written)?;
        }
        Ok(next)
    }

    pub fn read(
        &mut self,
        r: &Read,
        inner: &Factors,
        state: ValueId,
        terms: &[Written],
    ) -> Result<ValueId> {
        let d = self.decays()?;
        let q = multiply(&mut self.b, &r.vector, inner)?;
        let (pre, within) = if r.inclusive {
            (d.pre, d.within)
        } else {
            (d.pex, d.within_ex)
        };
        let mut y = self.of_state(q, pre, state)?;
        for w in terms {
            let m = self.decayed(q, w.key, within)?;
            let part = self.mix(m, w.value)?;
            y = self.b.add2(y, part)?;
        }
        Ok(y)
    }
}
