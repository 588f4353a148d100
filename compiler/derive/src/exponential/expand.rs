//! A kernel as a sum of modes, whatever way it is written.

use super::lag::linear;
use super::modes::{Mode, Modes};
use super::{Found, Obstacle, moves};
use crate::words::describe;
use seqc_algebra::{Axis, Builder, Elem, MapFn, Op, ReduceOp, ValueId};

/// A kernel that begins later is no recurrence: the inputs before its start would all be kept.
const LATEST: usize = 64;

impl Modes<'_> {
    /// The modes of `v`, which has the axis `lag`. The obstacle is the first operation that leaves the class.
    pub fn of(&mut self, v: ValueId, lag: Axis) -> Found<Vec<Mode>> {
        if !self.b.has(v, lag) {
            return Ok(vec![self.constant(v)]);
        }
        let (op, args) = (self.b.func().op(v).clone(), self.b.func().args(v).to_vec());
        match &op {
            Op::Map(f) => self.pointwise(v, *f, &args, lag),
            Op::Contract(over) => {
                let mut all = self.of(args[0], lag)?;
                for a in &args[1..] {
                    let m = self.of(*a, lag)?;
                    all = self.product(&all, &m)?;
                }
                self.over(all, over, v)
            }
            Op::Reduce(ReduceOp::Sum, over) => {
                let all = self.of(args[0], lag)?;
                self.over(all, over, v)
            }
            Op::Expand(_) => self.of(args[0], lag),
            Op::Rename { from, to } if *to == lag => self.of(args[0], *from),
            Op::Rename { from, to } => {
                let all = self.of(args[0], lag)?;
                self.each_of(all, |s, m| {
                    let m = s.cleared(m, &[*from, *to])?;
                    s.renamed(&m, *from, *to)
                })
            }
            Op::Stack(axis) => {
                let mut all = vec![];
                for (index, a) in args.iter().enumerate() {
                    let place = Op::Place { axis: *axis, index };
                    for m in self.of(*a, lag)? {
                        let m = self.cleared(&m, &[*axis])?;
                        all.push(self.with_coef(&m, |b, c| Ok(b.push(place.clone(), &[c])?))?);
                    }
                }
                self.sum(all)
            }
            other => match moves(other, lag) {
                Some((needs, fresh)) if args[1..].iter().all(|a| !self.b.has(*a, lag)) => {
                    let all = self.of(args[0], lag)?;
                    self.each_of(all, |s, m| s.moved(m, other, &args[1..], (&needs, &fresh)))
                }
                _ => Err(no(v, other)),
            },
        }
    }

    fn each_of(
        &mut self,
        all: Vec<Mode>,
        mut f: impl FnMut(&mut Self, &Mode) -> Found<Mode>,
    ) -> Found<Vec<Mode>> {
        all.iter().map(|m| f(self, m)).collect()
    }

    fn over(&mut self, all: Vec<Mode>, over: &[Axis], at: ValueId) -> Found<Vec<Mode>> {
        let all = self.each_of(all, |s, m| s.bound(m, over).map_err(|o| o.or_at(at)))?;
        self.sum(all)
    }

    fn pointwise(&mut self, v: ValueId, f: MapFn, args: &[ValueId], lag: Axis) -> Found<Vec<Mode>> {
        let free = |s: &Self, n: usize| !s.b.has(args[n], lag);
        match f {
            MapFn::Add | MapFn::Sub => {
                let (mut all, more) = (self.of(args[0], lag)?, self.of(args[1], lag)?);
                all.extend(match f {
                    MapFn::Sub => self.negated(&more)?,
                    _ => more,
                });
                self.sum(all)
            }
            MapFn::Neg => {
                let all = self.of(args[0], lag)?;
                self.negated(&all)
            }
            MapFn::Mul => {
                let (p, q) = (self.of(args[0], lag)?, self.of(args[1], lag)?);
                self.product(&p, &q)
            }
            MapFn::Div => {
                let below = match free(self, 1) {
                    true => {
                        let one = self.b.num(1.0);
                        let over = self.b.div(one, args[1])?;
                        self.constant(over)
                    }
                    false => self.reciprocal(v, args[1], lag)?,
                };
                let all = self.of(args[0], lag)?;
                self.product(&all, &[below])
            }
            MapFn::Exp => self.exponential(args[0], lag),
            MapFn::Cos | MapFn::Sin => Ok(vec![self.wave(v, f, args[0], lag)?]),
            MapFn::Pow => self.power(v, args, lag),
            MapFn::Re | MapFn::Im | MapFn::Conj => {
                let all = self.of(args[0], lag)?;
                self.parts(f, all)
            }
            MapFn::Complex => {
                let (re, im) = (self.of(args[0], lag)?, self.of(args[1], lag)?);
                let unit = self.unit()?;
                let unit = self.constant(unit);
                let mut all = self.product(&im, &[unit])?;
                all.extend(re);
                self.sum(all)
            }
            MapFn::Stop => {
                let all = self.of(args[0], lag)?;
                self.each_of(all, |s, m| s.each(m, |b, v| Ok(b.map1(f, v)?)))
            }
            MapFn::Select if free(self, 0) => self.chosen(args, lag),
            MapFn::Select => self.begun(v, args, lag),
            _ => Err(no(v, &Op::Map(f))),
        }
    }

    /// `exp` of what is linear in the lag. (`expm1` stays out: as a difference of two modes it would lose the digits
    /// that it is written for.)
    fn exponential(&mut self, x: ValueId, lag: Axis) -> Found<Vec<Mode>> {
        let (start, rate) = linear(self.b, x, lag, "the exponent")?;
        let one = self.b.num(1.0);
        Ok(vec![Mode {
            start,
            rate,
            ..self.constant(one)
        }])
    }

    /// `cos x = Re exp(i x)`, `sin x = Re(-i exp(i x))`.
    fn wave(&mut self, v: ValueId, f: MapFn, x: ValueId, lag: Axis) -> Found<Mode> {
        if self.b.elem(x) == Elem::Complex {
            return Err(no(v, &Op::Map(f)));
        }
        let of = format!("the argument of `{}`", f.name());
        let (start, slope) = linear(self.b, x, lag, &of)?;
        let unit = self.unit()?;
        let (zero, one) = (self.b.num(0.0), self.b.num(1.0));
        let coef = match start {
            Some(c) => {
                let (re, im) = (self.b.map1(MapFn::Cos, c)?, self.b.map1(MapFn::Sin, c)?);
                self.b.map2(MapFn::Complex, re, im)?
            }
            None => self.b.map2(MapFn::Complex, one, zero)?,
        };
        let coef = match f {
            MapFn::Sin => {
                let turn = self.b.neg(unit)?;
                self.b.mul(turn, coef)?
            }
            _ => coef,
        };
        let rate = slope.map(|s| self.b.mul(unit, s)).transpose()?;
        Ok(Mode {
            rate,
            real: true,
            ..self.constant(coef)
        })
    }

    /// `base ^ (c + s lag) = base^c (base^s)^lag`; a whole power of a sum is a product.
    fn power(&mut self, v: ValueId, args: &[ValueId], lag: Axis) -> Found<Vec<Mode>> {
        let (base, exponent) = (args[0], args[1]);
        if self.b.has(base, lag) {
            return match self.b.constant(exponent) {
                Some(n) if n.fract() == 0.0 && (2.0..=4.0).contains(&n) => {
                    let one = self.of(base, lag)?;
                    (1..n as usize).try_fold(one.clone(), |all, _| self.product(&all, &one))
                }
                _ => Err(no(v, &Op::Map(MapFn::Pow))),
            };
        }
        let (start, slope) = linear(self.b, exponent, lag, "the exponent")?;
        let one = self.b.num(1.0);
        let power = |b: &mut Builder, e: ValueId| match (b.constant(base), b.constant(e)) {
            (_, Some(1.0)) => Ok(base),
            (Some(x), Some(e)) => Ok(b.num(x.powf(e))),
            _ => b.map2(MapFn::Pow, base, e),
        };
        let coef = start.map_or(Ok(one), |c| power(self.b, c))?;
        Ok(vec![Mode {
            base: slope.map(|s| power(self.b, s)).transpose()?,
            ..self.constant(coef)
        }])
    }

    fn parts(&mut self, f: MapFn, all: Vec<Mode>) -> Found<Vec<Mode>> {
        let unit = self.unit()?;
        let mut out = vec![];
        for m in all {
            let real = m.real || !self.complex(&m);
            match f {
                MapFn::Conj => out.push(self.conjugate(&m)?),
                MapFn::Re => out.push(self.real_part(&m)),
                _ if real => {}
                _ => {
                    let turn = self.b.neg(unit)?;
                    let m = self.with_coef(&m, |b, c| Ok(b.mul(turn, c)?))?;
                    out.push(self.real_part(&m));
                }
            }
        }
        Ok(out)
    }

    /// `1 / (c exp(r lag))`
    fn reciprocal(&mut self, at: ValueId, v: ValueId, lag: Axis) -> Found<Mode> {
        let all = self.of(v, lag)?;
        let [m] = all.as_slice() else {
            return Err(Obstacle::at(
                at,
                "a quotient by a sum of exponentials".into(),
            ));
        };
        if m.real || !m.over.is_empty() || m.from > 0 {
            return Err(Obstacle::at(
                at,
                "a quotient by a sum of exponentials".into(),
            ));
        }
        let one = self.b.num(1.0);
        Ok(Mode {
            coef: self.b.div(one, m.coef)?,
            start: m.start.map(|s| self.b.neg(s)).transpose()?,
            rate: m.rate.map(|r| self.b.neg(r)).transpose()?,
            base: m.base.map(|a| self.b.div(one, a)).transpose()?,
            ..m.clone()
        })
    }

    /// A choice that is the same at every lag.
    fn chosen(&mut self, args: &[ValueId], lag: Axis) -> Found<Vec<Mode>> {
        let (p, q) = (self.of(args[1], lag)?, self.of(args[2], lag)?);
        let (c, zero) = (args[0], self.b.num(0.0));
        // A condition may have axes that are summed in a mode.
        let axes = self.b.axes(c).to_vec();
        let mut all = vec![];
        for (modes, yes) in [(p, true), (q, false)] {
            for m in modes {
                let m = self.cleared(&m, &axes)?;
                all.push(self.with_coef(&m, |b, v| {
                    let (x, y) = if yes { (v, zero) } else { (zero, v) };
                    Ok(b.select(c, x, y)?)
                })?);
            }
        }
        self.sum(all)
    }

    /// A kernel that begins at a lag: `where lag >= n`.
    fn begun(&mut self, v: ValueId, args: &[ValueId], lag: Axis) -> Found<Vec<Mode>> {
        let ends = || Obstacle::at(v, "a condition on the lag that ends its domain".into());
        if self.b.constant(args[2]) != Some(0.0) {
            return Err(ends());
        }
        let from = self.first(args[0], lag).ok_or_else(ends)?;
        if from > LATEST {
            let why =
                format!("it begins at lag {from}, and up to lag {LATEST} inputs are kept for it");
            return Err(Obstacle::at(v, why));
        }
        let all = self.of(args[1], lag)?;
        Ok(all
            .into_iter()
            .map(|m| Mode {
                from: m.from.max(from),
                ..m
            })
            .collect())
    }

    /// The lag from which on a condition holds, if it does for all later lags.
    fn first(&self, c: ValueId, lag: Axis) -> Option<usize> {
        let (Op::Map(f), &[x, y]) = (self.b.func().op(c), self.b.func().args(c)) else {
            return None;
        };
        let is_lag = |v: ValueId| matches!(self.b.func().op(v), Op::Iota(a) if *a == lag);
        let (n, strict) = match f {
            MapFn::And => return Some(self.first(x, lag)?.max(self.first(y, lag)?)),
            MapFn::Ge | MapFn::Gt if is_lag(x) => (self.b.constant(y)?, *f == MapFn::Gt),
            MapFn::Le | MapFn::Lt if is_lag(y) => (self.b.constant(x)?, *f == MapFn::Lt),
            _ => return None,
        };
        let first = if strict { n.floor() + 1.0 } else { n.ceil() };
        Some(first.max(0.0) as usize)
    }
}

fn no(v: ValueId, op: &Op) -> Obstacle {
    Obstacle::at(
        v,
        match op {
            Op::Iota(_) => "a factor that is a polynomial in the lag".into(),
            other => format!("{} of a value that changes with the lag", describe(other)),
        },
    )
}
