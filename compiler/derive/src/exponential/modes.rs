//! Modes: the terms of a sum of exponentials, and their arithmetic.

use super::{Found, Obstacle};
use seqc_algebra::{Axis, Builder, Elem, MapFn, Op, Size, ValueId};

/// `Σ_over coef · exp(start + rate · lag) · base^lag` from lag `from` on and 0 before; of `real`, the real part.
///
/// The exponent's constant stays by itself: where the kernel begins late, `exp(start)` alone may overflow.
/// Invariant: every axis of `over` is one of `rate` or `base`; a sum over any other axis is taken in `coef`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mode {
    pub coef: ValueId,
    /// `None`: 0.
    pub start: Option<ValueId>,
    /// `None`: 0.
    pub rate: Option<ValueId>,
    /// A number whose powers are taken and whose logarithm the spec does not say; `None`: 1.
    pub base: Option<ValueId>,
    pub over: Vec<Axis>,
    pub real: bool,
    pub from: usize,
}

/// More terms than this are a sign that the normal form is not the way to see the kernel.
const MOST_MODES: usize = 16;

/// Pieces of modes are values of `b`; axes that are summed get names that meet no others.
pub struct Modes<'a> {
    pub b: &'a mut Builder,
}

impl<'a> Modes<'a> {
    pub fn new(b: &'a mut Builder) -> Modes<'a> {
        Modes { b }
    }

    /// What does not depend on the lag: the power of 1.
    pub fn constant(&self, coef: ValueId) -> Mode {
        Mode {
            coef,
            start: None,
            rate: None,
            base: None,
            over: vec![],
            real: false,
            from: 0,
        }
    }

    fn pieces(m: &Mode) -> impl Iterator<Item = ValueId> + use<> {
        [Some(m.coef), m.start, m.rate, m.base]
            .into_iter()
            .flatten()
    }

    /// What the powers are taken of.
    fn powers(m: &Mode) -> impl Iterator<Item = ValueId> + use<> {
        [m.rate, m.base].into_iter().flatten()
    }

    /// Is some piece complex?
    pub fn complex(&self, m: &Mode) -> bool {
        Modes::pieces(m).any(|v| self.b.elem(v) == Elem::Complex)
    }

    /// Every axis of a mode, summed or not.
    fn axes(&self, m: &Mode) -> Vec<Axis> {
        let own = Modes::pieces(m).flat_map(|v| self.b.axes(v)).copied();
        own.chain(m.over.iter().copied()).collect()
    }

    /// Each piece of a mode under a map that is linear in the coefficient and changes no power.
    pub fn each(
        &mut self,
        m: &Mode,
        mut f: impl FnMut(&mut Builder, ValueId) -> Found<ValueId>,
    ) -> Found<Mode> {
        Ok(Mode {
            coef: f(self.b, m.coef)?,
            start: m.start.map(|v| f(self.b, v)).transpose()?,
            rate: m.rate.map(|v| f(self.b, v)).transpose()?,
            base: m.base.map(|v| f(self.b, v)).transpose()?,
            ..m.clone()
        })
    }

    pub fn with_coef(
        &mut self,
        m: &Mode,
        f: impl FnOnce(&mut Builder, ValueId) -> Found<ValueId>,
    ) -> Found<Mode> {
        Ok(Mode {
            coef: f(self.b, m.coef)?,
            ..m.clone()
        })
    }

    pub fn negated(&mut self, modes: &[Mode]) -> Found<Vec<Mode>> {
        let neg = |m| self.with_coef(m, |b, c| Ok(b.neg(c)?));
        modes.iter().map(neg).collect()
    }

    pub fn conjugate(&mut self, m: &Mode) -> Found<Mode> {
        let conj = |b: &mut Builder, v: ValueId| match b.elem(v) {
            Elem::Complex => Ok(b.map1(MapFn::Conj, v)?),
            _ => Ok(v),
        };
        match m.real {
            true => Ok(m.clone()),
            false => self.each(m, conj),
        }
    }

    /// A real part as half of a number and its conjugate.
    pub fn whole(&mut self, m: &Mode) -> Found<Vec<Mode>> {
        if !m.real {
            return Ok(vec![m.clone()]);
        }
        let half = self.b.num(0.5);
        let mut one = self.with_coef(m, |b, c| Ok(b.mul(half, c)?))?;
        one.real = false;
        Ok(vec![one.clone(), self.conjugate(&one)?])
    }

    /// The real part of a number that is complex by type.
    pub fn real_part(&mut self, m: &Mode) -> Mode {
        Mode {
            real: m.real || self.complex(m),
            ..m.clone()
        }
    }

    /// `1i` as a value.
    pub fn unit(&mut self) -> Found<ValueId> {
        let (zero, one) = (self.b.num(0.0), self.b.num(1.0));
        Ok(self.b.map2(MapFn::Complex, zero, one)?)
    }

    /// The mode with `exp(start)` in its coefficient.
    pub fn folded(&mut self, m: &Mode) -> Found<Mode> {
        let Some(start) = m.start else {
            return Ok(m.clone());
        };
        let factor = self.b.map1(MapFn::Exp, start)?;
        Ok(Mode {
            coef: self.b.mul(m.coef, factor)?,
            start: None,
            ..m.clone()
        })
    }

    /// Adds up what has the same powers.
    pub fn sum(&mut self, modes: Vec<Mode>) -> Found<Vec<Mode>> {
        let mut out: Vec<Mode> = Vec::new();
        for m in modes {
            if self.b.constant(m.coef) == Some(0.0) {
                continue;
            }
            let alike = |o: &Mode| {
                Mode {
                    coef: m.coef,
                    start: m.start,
                    ..o.clone()
                } == m
            };
            let Some(k) = out.iter().position(alike) else {
                out.push(m);
                continue;
            };
            let (mut o, mut m) = (out[k].clone(), m);
            if o.start != m.start {
                (o, m) = (self.folded(&o)?, self.folded(&m)?);
            }
            o.coef = self.b.add2(o.coef, m.coef)?;
            out[k] = o;
        }
        match out.len() <= MOST_MODES {
            true => Ok(out),
            false => Err(Obstacle::new(format!(
                "as a sum of exponentials it has more than {MOST_MODES} terms"
            ))),
        }
    }

    pub fn product(&mut self, a: &[Mode], b: &[Mode]) -> Found<Vec<Mode>> {
        let mut all = vec![];
        for x in a {
            for y in b {
                all.extend(self.times(x, y)?);
            }
        }
        self.sum(all)
    }

    /// `Re u · Re v = Re(u v + u conj v) / 2`; a complex number times a real part is taken with both halves.
    fn times(&mut self, x: &Mode, y: &Mode) -> Found<Vec<Mode>> {
        if x.real && y.real {
            let half = self.b.num(0.5);
            let x = self.with_coef(x, |b, c| Ok(b.mul(half, c)?))?;
            let mut turned = y.clone();
            turned.real = false;
            let turned = self.conjugate(&turned)?;
            return Ok(vec![self.joined(&x, y)?, self.joined(&x, &turned)?]);
        }
        let (xs, ys) = match (x.real, y.real) {
            (true, false) if self.complex(y) => (self.whole(x)?, vec![y.clone()]),
            (false, true) if self.complex(x) => (vec![x.clone()], self.whole(y)?),
            _ => (vec![x.clone()], vec![y.clone()]),
        };
        let mut all = vec![];
        for x in &xs {
            for y in &ys {
                all.push(self.joined(x, y)?);
            }
        }
        Ok(all)
    }

    fn joined(&mut self, x: &Mode, y: &Mode) -> Found<Mode> {
        let x = self.cleared(x, &self.axes(y))?;
        let y = self.cleared(y, &self.axes(&x))?;
        let either = |p: Option<ValueId>, q: Option<ValueId>, b: &mut Builder, f| match (p, q) {
            (Some(p), Some(q)) => b.map2(f, p, q).map(Some),
            (p, q) => Ok(p.or(q)),
        };
        Ok(Mode {
            coef: self.b.mul(x.coef, y.coef)?,
            start: either(x.start, y.start, self.b, MapFn::Add)?,
            rate: either(x.rate, y.rate, self.b, MapFn::Add)?,
            base: either(x.base, y.base, self.b, MapFn::Mul)?,
            over: [x.over.clone(), y.over.clone()].concat(),
            real: x.real || y.real,
            from: x.from.max(y.from),
        })
    }

    /// The mode with those summed axes renamed that are among `axes`, to names that are not.
    pub fn cleared(&mut self, m: &Mode, axes: &[Axis]) -> Found<Mode> {
        let mut m = m.clone();
        for k in 0..m.over.len() {
            let from = m.over[k];
            if !axes.contains(&from) {
                continue;
            }
            let known = [self.axes(&m).as_slice(), axes].concat();
            let named = |n: usize| from.renamed(&format!("{}%{n}", from.name));
            let free = |a: &Axis| known.iter().all(|o| o.name != a.name);
            let Some(to) = (1..).map(named).find(free) else {
                continue;
            };
            m = self.renamed(&m, from, to)?;
            m.over[k] = to;
        }
        Ok(m)
    }

    pub fn renamed(&mut self, m: &Mode, from: Axis, to: Axis) -> Found<Mode> {
        self.each(m, |b, v| match b.has(v, from) {
            true => Ok(b.rename(v, from, to)?),
            false => Ok(v),
        })
    }

    /// The sum of a mode over axes.
    pub fn bound(&mut self, m: &Mode, axes: &[Axis]) -> Found<Mode> {
        let mut m = m.clone();
        for a in axes {
            if !matches!(a.size, Size::Const(_)) {
                return Err(Obstacle::new(format!(
                    "it sums over `{}`, whose length is not known before the run",
                    crate::words::axis(*a)
                )));
            }
            if Modes::powers(&m).any(|v| self.b.has(v, *a)) {
                m.over.push(*a);
            } else {
                if m.start.is_some_and(|v| self.b.has(v, *a)) {
                    m = self.folded(&m)?;
                }
                let coef = match self.b.has(m.coef, *a) {
                    true => m.coef,
                    false => self.b.expand(m.coef, &[*a])?,
                };
                m.coef = self.b.contract(&[*a], &[coef])?;
            }
        }
        Ok(m)
    }

    /// An operation that moves entries along other axes than the lag's, on each piece; `needs`: the axes that it
    /// works on, `fresh`: those that it makes.
    pub fn moved(
        &mut self,
        m: &Mode,
        op: &Op,
        rest: &[ValueId],
        (needs, fresh): (&[Axis], &[Axis]),
    ) -> Found<Mode> {
        let m = self.cleared(m, &[needs, fresh].concat())?;
        self.each(&m, |b, v| moved(b, v, op, rest, needs))
    }
}

/// The operation on a value, which first gets the axes that it lacks.
pub fn moved(
    b: &mut Builder,
    v: ValueId,
    op: &Op,
    rest: &[ValueId],
    needs: &[Axis],
) -> Found<ValueId> {
    let v = b.fill(v, needs)?;
    Ok(b.push(op.clone(), &[&[v], rest].concat())?)
}
