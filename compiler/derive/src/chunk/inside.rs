//! The inside of a chunk: what is read of its writes and of the states that enter it.

use super::decays::{Pair, Pairs, Within};
use super::values::{Factors, add_up, multiply};
use crate::Result;
use crate::class::{Linear, Part, Read};
use seqc_algebra::{Axis, Builder, ValueId};

/// A rank-one input inside the chunk: key and what it writes, both along i, and the states it is added to.
#[derive(Clone)]
pub(super) struct Written {
    pub into: Vec<usize>,
    pub key: ValueId,
    pub value: ValueId,
}

/// The chunk's body under construction.
pub(super) struct Chunk {
    pub b: Builder,
    pub i: Axis,
    pub j: Axis,
    /// The axes of K that each state has.
    pub k: Vec<Vec<Axis>>,
    pub pairs: Pairs,
    /// 1 at steps that exist, 0 at those that are padded, if some term needs it.
    pub present: Option<ValueId>,
    pub reverse: bool,
}

impl Chunk {
    pub fn new(b: Builder, (i, j): (Axis, Axis), l: &Linear, reverse: bool) -> Chunk {
        Chunk {
            b,
            i,
            j,
            k: (0..l.states.len()).map(|z| l.keyed(z)).collect(),
            pairs: vec![],
            present: None,
            reverse,
        }
    }

    /// `x` along the axes `k` that neither it nor `y` has: a sum over them counts their positions (a mean over the
    /// state, fed back to all of it).
    fn over_k(&mut self, k: &[Axis], x: ValueId, y: ValueId) -> Result<ValueId> {
        let missing = |a: &&Axis| !self.b.has(x, **a) && !self.b.has(y, **a);
        let missing: Vec<Axis> = k.iter().filter(missing).copied().collect();
        match missing.is_empty() {
            true => Ok(x),
            false => Ok(self.b.expand(x, &missing)?),
        }
    }

    /// `Σ_K x_i y_j D_ij` as a matrix over i and j, K those of the state that is read.
    pub fn decayed(
        &mut self,
        state: usize,
        x: ValueId,
        y: ValueId,
        (within, diagonal): (ValueId, bool),
    ) -> Result<ValueId> {
        let k = self.k[state].clone();
        let x = self.over_k(&k, x, y)?;
        let y = self.as_source(y)?;
        if diagonal {
            return Ok(self.b.contract(&k, &[x, y, within])?);
        }
        let m = self.b.contract(&k, &[x, y])?;
        Ok(self.b.mul(m, within)?)
    }

    /// The value along j instead of i.
    fn as_source(&mut self, y: ValueId) -> Result<ValueId> {
        match self.b.has(y, self.i) {
            true => Ok(self.b.rename(y, self.i, self.j)?),
            false => Ok(y),
        }
    }

    /// `Σ_w Σ_K p_i x_i S_w`: what one state, read along x, holds of the states that enter the chunk.
    pub fn of_states(
        &mut self,
        state: usize,
        x: ValueId,
        product: fn(&Pair) -> Option<ValueId>,
        states: &[ValueId],
    ) -> Result<ValueId> {
        let mut all: Option<ValueId> = None;
        for (w, s) in states.iter().enumerate() {
            let Some(pair) = self.pairs[state][w] else {
                continue;
            };
            let y = self.of_state(state, x, (product(&pair), pair.diagonal), *s)?;
            all = Some(self.plus(all, y)?);
        }
        Ok(all.unwrap_or_else(|| self.b.num(0.0)))
    }

    fn of_state(
        &mut self,
        state: usize,
        x: ValueId,
        (p, diagonal): (Option<ValueId>, bool),
        s: ValueId,
    ) -> Result<ValueId> {
        let k = self.k[state].clone();
        let x = match p {
            Some(p) if diagonal => self.b.mul(x, p)?,
            _ => x,
        };
        let x = self.over_k(&k, x, s)?;
        let y = self.b.contract(&k, &[x, s])?;
        match p {
            Some(p) if !diagonal => Ok(self.b.mul(y, p)?),
            _ => Ok(y),
        }
    }

    /// `Σ_j m_ij u_j`
    pub fn mix(&mut self, m: ValueId, u: ValueId) -> Result<ValueId> {
        let u = self.as_source(u)?;
        Ok(self.b.contract(&[self.j], &[m, u])?)
    }

    /// The sum, over the axes of both.
    pub fn plus(&mut self, a: Option<ValueId>, b: ValueId) -> Result<ValueId> {
        match a {
            None => Ok(b),
            Some(a) => self.plus_spread(a, b),
        }
    }

    /// A state after the chunk.
    pub fn next_state(
        &mut self,
        z: usize,
        states: &[ValueId],
        terms: &[Written],
    ) -> Result<ValueId> {
        let mut next: Option<ValueId> = None;
        for (w, s) in states.iter().enumerate() {
            let Some(pair) = self.pairs[z][w] else {
                continue;
            };
            let kept = match pair.tot {
                Some(tot) => self.b.mul(*s, tot)?,
                None => *s,
            };
            next = Some(self.plus(next, kept)?);
        }
        for t in terms {
            let Some(d) = self.toward(z, &t.into)? else {
                continue;
            };
            let (mut key, mut value) = (t.key, t.value);
            match d.suf {
                Some(suf) if d.diagonal => key = self.b.mul(key, suf)?,
                Some(suf) => value = self.b.mul(value, suf)?,
                None => {}
            }
            let written = self.b.contract(&[self.i], &[key, value])?;
            next = Some(self.plus(next, written)?);
        }
        Ok(next.unwrap_or_else(|| self.b.num(0.0)))
    }

    /// What a state, read along x, holds of what the chunk has written.
    pub fn of_written(
        &mut self,
        state: usize,
        x: ValueId,
        which: fn(&Within) -> ValueId,
        terms: &[Written],
    ) -> Result<Option<ValueId>> {
        let mut all = None;
        for t in terms {
            let Some(d) = self.toward(state, &t.into)? else {
                continue;
            };
            let m = self.decayed(state, x, t.key, (which(&d), d.diagonal))?;
            let part = self.mix(m, t.value)?;
            all = Some(self.plus(all, part)?);
        }
        Ok(all)
    }

    pub fn read(
        &mut self,
        r: &Read,
        inner: &Factors,
        states: &[ValueId],
        terms: &[Written],
    ) -> Result<ValueId> {
        let mut all = match r.own.is_empty() {
            true => None,
            false => Some(add_up(&mut self.b, &r.own, inner)?),
        };
        for part in &r.parts {
            let y = self.part(part, inner, states, terms)?;
            all = Some(self.plus(all, y)?);
        }
        Ok(all.unwrap_or_else(|| self.b.num(0.0)))
    }

    fn part(
        &mut self,
        p: &Part,
        inner: &Factors,
        states: &[ValueId],
        terms: &[Written],
    ) -> Result<ValueId> {
        let q = multiply(&mut self.b, &p.vector, inner)?;
        let (entered, written) = match p.inclusive {
            true => (
                self.of_states(p.state, q, |p| p.pre, states)?,
                self.of_written(p.state, q, |w| w.incl, terms)?,
            ),
            false => (
                self.of_states(p.state, q, |p| p.pex, states)?,
                self.of_written(p.state, q, |w| w.excl, terms)?,
            ),
        };
        match written {
            Some(w) => self.plus(Some(entered), w),
            None => Ok(entered),
        }
    }
}
