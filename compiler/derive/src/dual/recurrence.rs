//! The recurrences of a sum: one for each of its products.

use super::decay::{Count, Decay};
use super::entry::Entry;
use super::{Sees, Summed};
use crate::affine::{Factor, How, factor_axes, left_out};
use crate::chunk::Hoist;
use crate::rewrite::Image;
use crate::{DeriveError, Result};
use seqc_algebra::{Axis, Builder, Elem, Func, InputKind, MapFn, Op, Out, Scan, Ty, ValueId};
use std::collections::HashMap;

/// The sum, made in the program `b`; `image` gives values of the old program there.
pub(super) fn made(
    b: &mut Builder,
    func: &Func,
    sum: &Summed,
    image: &Image<'_>,
) -> Result<ValueId> {
    let mut all: Option<ValueId> = None;
    for (entry, sees) in &sum.terms {
        let mut make = Make {
            b,
            func,
            row: sum.row,
            image,
        };
        let y = make.term(sum, entry, *sees)?;
        all = Some(match all {
            None => y,
            Some(x) => b.add2(x, y)?,
        });
    }
    all.ok_or_else(|| DeriveError("a matrix without entries".into()))
}

/// What makes values of a program of those of an old one.
pub(super) struct Make<'a> {
    pub b: &'a mut Builder,
    pub func: &'a Func,
    /// The time along which recurrences run.
    pub row: Axis,
    pub image: &'a Image<'a>,
}

/// The factors of a product by the time that they have.
struct Sides {
    rows: Vec<ValueId>,
    cols: Vec<ValueId>,
}

impl Make<'_> {
    fn term(&mut self, sum: &Summed, e: &Entry, sees: Sees) -> Result<ValueId> {
        let y = match sees {
            Sees::Everything => {
                let sides = self.sides(e, sum.col, sum.col)?;
                self.whole(sum.col, e, &sides)?
            }
            _ => {
                let sides = self.sides(e, sum.col, sum.row)?;
                self.scanned(e, sees, &sides)?
            }
        };
        let scale = self.b.num(e.scale);
        let y = self.b.mul(y, scale)?;
        Ok(self.b.fill(y, &sum.axes)?)
    }

    /// Factors of the column, along the given time; factors that have no time are the row's.
    fn sides(&mut self, e: &Entry, col: Axis, along: Axis) -> Result<Sides> {
        let (mut rows, mut cols) = (vec![], vec![]);
        let born = e.transports.iter().filter_map(|t| t.start.as_ref());
        for f in e.factors.iter().chain(born) {
            let of_col = factor_axes(self.func, f).contains(&col);
            let v = self.factor(f)?;
            match of_col {
                true => cols.push((f.how, self.renamed(v, col, along)?)),
                false => rows.push((f.how, v)),
            }
        }
        let rows = left_out(self.b, &rows, &[])?;
        let mut cols = left_out(self.b, &cols, &[])?;
        if cols.is_empty() {
            // Every column alike: what is summed is their number.
            let one = self.b.num(1.0);
            cols.push(self.b.expand(one, &[along])?);
        }
        // What no row is matched by is summed at once.
        let apart: Vec<Axis> = (e.bound.iter().copied())
            .filter(|a| !rows.iter().any(|v| self.b.has(*v, *a)))
            .collect();
        if !apart.is_empty() {
            cols = vec![self.b.contract(&apart, &cols)?];
        }
        Ok(Sides { rows, cols })
    }

    fn factor(&mut self, f: &Factor) -> Result<ValueId> {
        let mut v = (self.image)(f.value)
            .ok_or_else(|| DeriveError("a factor of a matrix was lost".into()))?;
        for (from, to) in &f.renamed {
            v = self.renamed(v, *from, *to)?;
        }
        let (zero, one) = (self.b.num(0.0), self.b.num(1.0));
        Ok(match f.how {
            How::Times => v,
            How::Over => self.b.div(one, v)?,
            How::Where => self.b.select(v, one, zero)?,
            How::Unless => self.b.select(v, zero, one)?,
        })
    }

    /// The value along another axis, made there again as far down as it is pointwise: a renaming that led away from
    /// that axis is undone, so that nothing is read at another position than its own.
    fn renamed(&mut self, v: ValueId, from: Axis, to: Axis) -> Result<ValueId> {
        if from == to || !self.b.has(v, from) {
            return Ok(v);
        }
        let args = self.b.func().args(v).to_vec();
        let op = match self.b.func().op(v).clone() {
            Op::Rename { from: f, to: t } if t == from && f == to => return Ok(args[0]),
            Op::Iota(_) => return Ok(self.b.iota(to)?),
            op @ Op::Map(_) => op,
            op @ (Op::Contract(_) | Op::Reduce(..)) => op,
            Op::Expand(axes) => {
                let place = |a: &Axis| if *a == from { to } else { *a };
                Op::Expand(axes.iter().map(place).collect())
            }
            _ => return Ok(self.b.rename(v, from, to)?),
        };
        let args = (args.iter())
            .map(|a| self.renamed(*a, from, to))
            .collect::<Result<Vec<_>>>()?;
        Ok(self.b.push(op, &args)?)
    }

    /// `q_i · Σ_j k_j v_j`
    fn whole(&mut self, col: Axis, e: &Entry, s: &Sides) -> Result<ValueId> {
        let all = self.b.contract(&[col], &s.cols)?;
        let mut factors = s.rows.clone();
        factors.push(all);
        matched(self.b, e, &factors)
    }

    fn scanned(&mut self, e: &Entry, sees: Sees, s: &Sides) -> Result<ValueId> {
        let time = self.row;
        let reverse = matches!(sees, Sees::Later { .. });
        let decays = (e.decays.iter())
            .map(|d| self.step(d, reverse))
            .collect::<Result<Vec<_>>>()?;
        let turned = self.turned(e)?;
        let steps: Vec<ValueId> = turned.iter().map(|(_, v)| *v).collect();
        let outer = [&decays[..], &s.cols, &s.rows, &steps].concat();
        let (seqs, fixed) = by_time(self.b, &outer, time);
        let kept = [&decays[..], &s.cols].concat();
        let state = state_of(self.b, &kept).without(time);
        let mut body = Builder::new("dual");
        let position = body.input("position", InputKind::Formal, Ty::real(vec![]));
        let old = body.input("S", InputKind::Formal, state.clone());
        let mut inner: HashMap<ValueId, ValueId> = HashMap::new();
        for v in seqs.iter().chain(&fixed) {
            let name = self.b.func().value(*v).name.map_or("x", |n| n.as_str());
            let ty = self.b.ty(*v).without(time);
            inner.insert(*v, body.input(name, InputKind::Formal, ty));
        }
        let given = |all: &[ValueId]| all.iter().map(|v| inner[v]).collect::<Vec<_>>();
        let inside = turned.iter().map(|(p, v)| (*p, inner[v])).collect();
        let transport = e.transports.first();
        let mut faded = match transport {
            Some(t) => t.step(self.func, &mut body, old, position, &inside)?,
            None => old,
        };
        for d in given(&decays) {
            faded = body.mul(faded, d)?;
        }
        let written = body.contract(&[], &given(&s.cols))?;
        let written = body.fill(written, &state.axes)?;
        let next = body.add2(faded, written)?;
        let mut seen = match sees {
            Sees::Earlier { inclusive: false } | Sees::Later { inclusive: false } => faded,
            _ => next,
        };
        if let Some(t) = transport {
            seen = t.outside(&mut body, seen)?;
        }
        let factors = [given(&s.rows), vec![seen]].concat();
        let y = matched(&mut body, e, &factors)?;
        body.result(crate::step::SUM, next);
        body.result("y", y);
        let start = self.b.everywhere(0.0, &state)?;
        let (fills, outs) = (vec![0.0; seqs.len()], vec![Out::Emit(0)]);
        let scan = Scan {
            reverse,
            ..Scan::steps(time, 1, &fills, fixed.len(), body.finish(), outs)
        };
        let args = [vec![start], seqs, fixed].concat();
        Ok(self.b.scan(scan, &args)?[0])
    }

    /// What the step of a state for each column is given: parameters of its scan's body with their values here.
    fn turned(&mut self, e: &Entry) -> Result<Vec<(ValueId, ValueId)>> {
        let [transport] = &e.transports[..] else {
            return Ok(vec![]);
        };
        let Op::Scan(scan) = self.func.op(transport.scan) else {
            return Ok(vec![]);
        };
        let mut all = vec![];
        for (param, v) in transport.needs(self.func) {
            let v = (self.image)(v)
                .ok_or_else(|| DeriveError("what a state is given was lost".into()))?;
            all.push((param, self.renamed(v, scan.axis, self.row)?));
        }
        Ok(all)
    }

    /// What one step multiplies by.
    pub fn step(&mut self, d: &Decay, reverse: bool) -> Result<ValueId> {
        // From the end to the start, what lies between a step and the one before it there is the later one's.
        let mut x = self.increment(d.count, reverse)?;
        let sign = if reverse { -d.scale } else { d.scale };
        let plain = d.rate.is_empty() && sign == 1.0;
        if let (Some(base), Count::Position, true) = (&d.base, d.count, plain) {
            return self.factor(base);
        }
        for f in &d.rate {
            let rate = self.factor(f)?;
            x = self.b.mul(x, rate)?;
        }
        let scale = self.b.num(sign);
        x = self.b.mul(x, scale)?;
        match &d.base {
            None => Ok(self.b.map1(MapFn::Exp, x)?),
            Some(base) => {
                let base = self.factor(base)?;
                Ok(self.b.map2(MapFn::Pow, base, x)?)
            }
        }
    }

    fn increment(&mut self, count: Count, reverse: bool) -> Result<ValueId> {
        let Count::Sum { scan, g, sign } = count else {
            return Ok(self.b.num(1.0));
        };
        let Op::Scan(s) = self.func.op(scan) else {
            return Err(DeriveError("a running sum is a recurrence".into()));
        };
        let lost = || DeriveError("a running sum was lost".into());
        let args = (self.func.args(scan).iter())
            .map(|a| (self.image)(*a).ok_or_else(lost))
            .collect::<Result<Vec<_>>>()?;
        let mut x = Hoist::new(s, &args).value(self.b, g)?;
        if self.b.has(x, s.axis) {
            x = self.renamed(x, s.axis, self.row)?;
            if reverse {
                x = self.b.shift(x, self.row, -1)?;
            }
        }
        match sign {
            1 => Ok(x),
            _ => Ok(self.b.neg(x)?),
        }
    }
}

/// Values once each: those that vary along the time, and the others.
fn by_time(b: &Builder, all: &[ValueId], time: Axis) -> (Vec<ValueId>, Vec<ValueId>) {
    let mut once: Vec<ValueId> = vec![];
    for v in all {
        if !once.contains(v) {
            once.push(*v);
        }
    }
    once.into_iter().partition(|v| b.has(*v, time))
}

/// What a product of these values is, as a state.
fn state_of(b: &Builder, all: &[ValueId]) -> Ty {
    let axes = all.iter().flat_map(|v| b.axes(*v).to_vec()).collect();
    let complex = all.iter().any(|v| b.elem(*v) == Elem::Complex);
    Ty {
        elem: if complex { Elem::Complex } else { Elem::Real },
        axes: crate::class::distinct(axes),
    }
}

/// The product of the factors, summed over those bound axes that they still have.
fn matched(b: &mut Builder, e: &Entry, factors: &[ValueId]) -> Result<ValueId> {
    let left = |a: &Axis| factors.iter().any(|v| b.has(*v, *a));
    let over: Vec<Axis> = e.bound.iter().copied().filter(left).collect();
    Ok(b.contract(&over, factors)?)
}
