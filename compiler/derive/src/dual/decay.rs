//! What decays between two times: `exp(r (c_i - c_j))` or `a ^ (c_i - c_j)`, c a running sum or the position itself.

use super::entry::{Entries, Names, mixes, named};
use crate::affine::{Factor, How};
use crate::stream::is_long;
use seqc_algebra::{Func, MapFn, Op, Out, ValueId};

/// The product over the steps between column and row of `exp(scale · Π rate · g)`, or of that power of `base`.
#[derive(Clone)]
pub(super) struct Decay {
    pub scale: f64,
    /// Without time.
    pub rate: Vec<Factor>,
    pub base: Option<Factor>,
    pub count: Count,
}

/// What a step adds.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Count {
    /// The position: 1.
    Position,
    /// A running sum, given by its recurrence: `g` of the body is added (or taken away) at every step.
    Sum { scan: ValueId, g: ValueId, sign: i8 },
}

/// One term of an exponent: a count at one of the two times.
struct Leaf {
    scale: f64,
    rate: Vec<Factor>,
    count: Count,
    row: bool,
}

/// Terms of one exponent; more, as of a sum that doubles again and again, are not followed.
const MOST_LEAVES: usize = 64;

impl Entries<'_> {
    /// `exp(x)` or `a ^ x` where x counts from column to row.
    pub fn decays(&mut self, v: ValueId, names: &Names) -> Result<Vec<Decay>, String> {
        let args = self.func.args(v);
        let (base, x) = match self.func.op(v) {
            Op::Map(MapFn::Exp) => (None, args[0]),
            Op::Map(MapFn::Pow) if self.timeless(args[0]) => {
                (Some(self.factor(args[0], How::Times, names)), args[1])
            }
            _ => return Err(mixes()),
        };
        let mut leaves = vec![];
        self.exponent(x, names, 1.0, &[], &mut leaves)?;
        let (rows, mut cols): (Vec<Leaf>, Vec<Leaf>) = leaves.into_iter().partition(|l| l.row);
        let mut all = vec![];
        for r in rows {
            let opposite = |c: &Leaf| c.count == r.count && c.rate == r.rate && c.scale == -r.scale;
            let at = cols.iter().position(opposite).ok_or_else(mixes)?;
            cols.remove(at);
            all.push(Decay {
                scale: r.scale,
                rate: r.rate,
                base: base.clone(),
                count: r.count,
            });
        }
        match cols.is_empty() {
            true => Ok(all),
            false => Err(mixes()),
        }
    }

    fn timeless(&self, v: ValueId) -> bool {
        !self.func.ty(v).axes.iter().any(is_long)
    }

    /// The terms of an exponent.
    fn exponent(
        &self,
        v: ValueId,
        names: &Names,
        scale: f64,
        rate: &[Factor],
        leaves: &mut Vec<Leaf>,
    ) -> Result<(), String> {
        let func = self.func;
        let args = func.args(v);
        let with = |f: Factor| {
            let mut all = [rate, &[f]].concat();
            all.sort();
            all
        };
        match func.op(v) {
            Op::Map(op @ (MapFn::Add | MapFn::Sub)) => {
                let second = if *op == MapFn::Sub { -scale } else { scale };
                self.exponent(args[0], names, scale, rate, leaves)?;
                self.exponent(args[1], names, second, rate, leaves)
            }
            Op::Map(MapFn::Neg) => self.exponent(args[0], names, -scale, rate, leaves),
            Op::Expand(_) => self.exponent(args[0], names, scale, rate, leaves),
            Op::Rename { from, to } => {
                let mut inner = names.clone();
                inner.insert(*from, named(names, *to));
                self.exponent(args[0], &inner, scale, rate, leaves)
            }
            Op::Map(MapFn::Mul) => {
                let still = args
                    .iter()
                    .position(|a| self.timeless(*a))
                    .ok_or_else(mixes)?;
                let (by, x) = (args[still], args[1 - still]);
                match func.op(by) {
                    Op::Const(n) => self.exponent(x, names, scale * n.0, rate, leaves),
                    _ => {
                        let rate = with(self.factor(by, How::Times, names));
                        self.exponent(x, names, scale, &rate, leaves)
                    }
                }
            }
            Op::Map(MapFn::Div) if self.timeless(args[1]) => {
                let rate = with(self.factor(args[1], How::Over, names));
                self.exponent(args[0], names, scale, &rate, leaves)
            }
            _ if leaves.len() >= MOST_LEAVES => Err(mixes()),
            _ => {
                let count = counted(func, v).ok_or_else(mixes)?;
                let time = func.ty(v).axes.iter().copied().find(is_long);
                let time = named(names, time.ok_or_else(mixes)?);
                leaves.push(Leaf {
                    scale,
                    rate: rate.to_vec(),
                    count,
                    row: time == self.row,
                });
                Ok(())
            }
        }
    }
}

/// A position, or a running sum: `c <- c + g` with g free of c.
fn counted(func: &Func, v: ValueId) -> Option<Count> {
    if let Op::Iota(_) = func.op(v) {
        return Some(Count::Position);
    }
    let Op::Proj(n) = func.op(v) else { return None };
    let scan = func.args(v)[0];
    let Op::Scan(s) = func.op(scan) else {
        return None;
    };
    let (Out::Emit(e), 1, false, None) = (s.outs[*n], s.states, s.reverse, s.tile) else {
        return None;
    };
    let (body, state) = (&s.body, s.body.params[1]);
    let next = body.results[0].1;
    if body.results[1 + e].1 != next {
        return None;
    }
    let args = body.args(next);
    let (g, sign) = match body.op(next) {
        Op::Map(MapFn::Add) if args[0] == state => (args[1], 1),
        Op::Map(MapFn::Add) if args[1] == state => (args[0], 1),
        Op::Map(MapFn::Sub) if args[0] == state => (args[1], -1),
        _ => return None,
    };
    let free = !crate::order::depends_on(body, &[state])[g.index()];
    free.then_some(Count::Sum { scan, g, sign })
}
