//! Products of gates over the ranges of a chunk, as reads and writes need them: for one state numbers or vectors, for
//! several small matrices of them. [`super::gates`] makes them.

use super::inside::Chunk;
use crate::{DeriveError, Result};
use seqc_algebra::{MapFn, ValueId};

/// What of a state is in another after some steps; `None` where that is all of it.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    /// over ..=i and over ..i, along i
    pub pre: Option<ValueId>,
    pub pex: Option<ValueId>,
    pub tot: Option<ValueId>,
    /// Does it hang on an axis of K?
    pub diagonal: bool,
    /// Of what is written in the chunk, if anything is written to the source.
    pub within: Option<Within>,
}

/// What of a write is in a state later in the chunk.
#[derive(Clone, Copy)]
pub(super) struct Within {
    /// `D_ij` over j+1..=i for j <= i, else 0; and over j+1..i for j < i, else 0
    pub incl: ValueId,
    pub excl: ValueId,
    /// over j+1.., along i; `None`: 1
    pub suf: Option<ValueId>,
    /// Does it hang on an axis of K?
    pub diagonal: bool,
}

/// By state and source; `None`: nothing of the source ever gets there.
pub(super) type Pairs = Vec<Vec<Option<Pair>>>;

impl Chunk {
    /// A state that is kept as it is.
    pub fn kept(&mut self) -> Result<Pair> {
        let (at, from) = (self.b.iota(self.i)?, self.b.iota(self.j)?);
        let (zero, one) = (self.b.num(0.0), self.b.num(1.0));
        let (incl, excl) = if self.reverse {
            (MapFn::Ge, MapFn::Gt)
        } else {
            (MapFn::Le, MapFn::Lt)
        };
        let m = self.b.map2(incl, from, at)?;
        let incl = self.b.select(m, one, zero)?;
        let m = self.b.map2(excl, from, at)?;
        let excl = self.b.select(m, one, zero)?;
        Ok(Pair {
            pre: None,
            pex: None,
            tot: None,
            diagonal: false,
            within: Some(Within {
                incl,
                excl,
                suf: None,
                diagonal: false,
            }),
        })
    }

    /// What of something written to several states alike is in one of them; `None`: nothing.
    pub fn toward(&mut self, z: usize, into: &[usize]) -> Result<Option<Within>> {
        let mut all: Option<Within> = None;
        for w in into {
            let Some(pair) = self.pairs[z][*w] else {
                continue;
            };
            let one = pair
                .within
                .ok_or_else(|| DeriveError("a state that is written has its products".into()))?;
            all = Some(match all {
                None => one,
                Some(sum) => Within {
                    incl: self.plus_spread(sum.incl, one.incl)?,
                    excl: self.plus_spread(sum.excl, one.excl)?,
                    suf: match (sum.suf, one.suf) {
                        (Some(a), Some(b)) => Some(self.plus_spread(a, b)?),
                        _ => return Err(DeriveError("a state that is kept is alone".into())),
                    },
                    diagonal: sum.diagonal || one.diagonal,
                },
            });
        }
        Ok(all)
    }

    /// The sum of two values, over the axes of both.
    pub fn plus_spread(&mut self, x: ValueId, y: ValueId) -> Result<ValueId> {
        let within = |a: ValueId, of: ValueId| self.b.axes(a).iter().all(|x| self.b.has(of, *x));
        let x = match within(x, y) || within(y, x) {
            true => x,
            false => {
                let axes = self.b.axes(y).to_vec();
                self.b.fill(x, &axes)?
            }
        };
        Ok(self.b.add2(x, y)?)
    }
}
