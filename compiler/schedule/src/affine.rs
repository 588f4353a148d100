//! Index arithmetic: building it short and folded, and knowing how an index moves with a variable.
//!
//! An index is read as a linear form, `constant + Σ coefficient · atom`, where an atom is whatever is not
//! linear (a variable, a run-time size, a product of two unknowns, a quotient, …). Simplification keeps the
//! value for every assignment for which the original does not overflow.

use crate::ir::{Ix, Var};
use crate::walk::Node;
use std::collections::BTreeSet;
use std::ops::{Add, Mul, Sub};

/// `constant + Σ coefficient · atom`; atoms are distinct, coefficients not zero, order is that of first use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linear {
    pub constant: i64,
    pub terms: Vec<(Ix, i64)>,
}

impl Linear {
    pub fn of(ix: &Ix) -> Linear {
        let mut sum = Linear::default();
        sum.absorb(ix, 1);
        sum.terms.retain(|(_, c)| *c != 0);
        sum
    }

    /// Adds `scale · ix`.
    fn absorb(&mut self, ix: &Ix, scale: i64) {
        match ix {
            Ix::Const(n) => self.constant = self.constant.wrapping_add(n.wrapping_mul(scale)),
            Ix::Add(a, b) => {
                self.absorb(a, scale);
                self.absorb(b, scale);
            }
            Ix::Sub(a, b) => {
                self.absorb(a, scale);
                self.absorb(b, scale.wrapping_neg());
            }
            Ix::Mul(a, b) => match (Linear::of(a), Linear::of(b)) {
                (n, _) if n.is_const() => self.absorb(b, scale.wrapping_mul(n.constant)),
                (_, n) if n.is_const() => self.absorb(a, scale.wrapping_mul(n.constant)),
                (a, b) => self.term(Ix::Mul(a.ix().into(), b.ix().into()), scale),
            },
            Ix::Div(a, b) => self.quotient(a, b, scale),
            Ix::Rem(a, b) => self.remainder(a, b, scale),
            Ix::Min(a, b) => self.atom(a.simplify().min_ix(b.simplify()), scale),
            Ix::Max(a, b) => self.atom(a.simplify().max_ix(b.simplify()), scale),
            Ix::Var(_) | Ix::Dim(_) | Ix::Data(_) => self.term(ix.clone(), scale),
        }
    }

    /// `floor((n·a + b) / n) = a + floor(b / n)`.
    fn quotient(&mut self, a: &Ix, b: &Ix, scale: i64) {
        let (a, d) = (Linear::of(a), Linear::of(b));
        if !d.is_const() || d.constant <= 0 {
            return self.atom(a.ix().floor_div(d.ix()), scale);
        }
        let (whole, rest) = a.split(d.constant);
        for (atom, c) in whole.terms {
            self.term(atom, scale.wrapping_mul(c / d.constant));
        }
        let carried = whole.constant / d.constant;
        self.constant = self.constant.wrapping_add(carried.wrapping_mul(scale));
        self.atom(rest.ix().floor_div(d.constant), scale);
    }

    /// `(n·a + b) mod n = b mod n`.
    fn remainder(&mut self, a: &Ix, b: &Ix, scale: i64) {
        let (a, d) = (Linear::of(a), Linear::of(b));
        if !d.is_const() || d.constant <= 0 {
            return self.atom(a.ix().floor_rem(d.ix()), scale);
        }
        let (_, rest) = a.split(d.constant);
        self.atom(rest.ix().floor_rem(d.constant), scale);
    }

    /// Into the terms that `n` divides and the rest, whose constant is in `0..n`.
    fn split(self, n: i64) -> (Linear, Linear) {
        let low = self.constant.rem_euclid(n);
        let (whole, rest) = self.terms.into_iter().partition(|(_, c)| c % n == 0);
        (
            Linear {
                constant: self.constant.wrapping_sub(low),
                terms: whole,
            },
            Linear {
                constant: low,
                terms: rest,
            },
        )
    }

    /// Something that folding may have made a constant.
    fn atom(&mut self, ix: Ix, scale: i64) {
        match ix {
            Ix::Const(n) => self.constant = self.constant.wrapping_add(n.wrapping_mul(scale)),
            ix => self.term(ix, scale),
        }
    }

    fn term(&mut self, atom: Ix, scale: i64) {
        match self.terms.iter_mut().find(|(a, _)| *a == atom) {
            Some((_, c)) => *c = c.wrapping_add(scale),
            None => self.terms.push((atom, scale)),
        }
    }

    pub fn is_const(&self) -> bool {
        self.terms.is_empty()
    }

    /// The number that it always is, if there is one.
    pub fn known(&self) -> Option<i64> {
        self.is_const().then_some(self.constant)
    }

    /// How much one step of `v` adds; `None` if that is not a constant.
    pub fn coefficient(&self, v: Var) -> Option<i64> {
        let mut sum = 0;
        for (atom, c) in &self.terms {
            match atom {
                Ix::Var(w) if *w == v => sum = *c,
                Ix::Var(_) | Ix::Dim(_) => {}
                other if other.mentions(v) => return None,
                _ => {}
            }
        }
        Some(sum)
    }

    /// Back to an index: positive terms first, so that no negation is needed where a difference will do.
    pub fn ix(&self) -> Ix {
        let mut sum: Option<Ix> = None;
        let (plus, minus): (Vec<_>, Vec<_>) = self.terms.iter().partition(|(_, c)| *c > 0);
        for (atom, c) in plus {
            let t = atom.clone() * *c;
            sum = Some(sum.map_or(t.clone(), |s| s + t));
        }
        let first = self.constant > 0 || (self.constant != 0 && sum.is_none());
        if first {
            sum = Some(sum.unwrap_or(Ix::Const(0)) + self.constant);
        }
        for (atom, c) in minus {
            let t = atom.clone();
            sum = Some(match sum {
                Some(s) => s - t * c.wrapping_neg(),
                None => t * *c,
            });
        }
        match sum {
            Some(s) if self.constant < 0 && !first => s - self.constant.wrapping_neg(),
            Some(s) => s,
            None => Ix::Const(0),
        }
    }
}

impl Ix {
    /// What one step of `v` adds to the index: `Some(0)` if it does not depend on `v`, `None` if the step
    /// is not a constant.
    pub fn stride(&self, v: Var) -> Option<i64> {
        Linear::of(self).coefficient(v)
    }

    /// The same index, folded and with like terms collected.
    pub fn simplify(&self) -> Ix {
        Linear::of(self).ix()
    }

    /// The constant that the index always is, if it is one.
    pub fn known(&self) -> Option<i64> {
        Linear::of(self).known()
    }

    pub fn free_vars(&self) -> BTreeSet<Var> {
        Node::Ix(self).free_vars()
    }

    pub fn mentions(&self, v: Var) -> bool {
        match self {
            Ix::Const(_) | Ix::Dim(_) => false,
            Ix::Var(w) => *w == v,
            other => other.free_vars().contains(&v),
        }
    }

    /// Floor division by a positive divisor.
    pub fn floor_div(self, by: impl Into<Ix>) -> Ix {
        match (self, by.into()) {
            (a, Ix::Const(1)) => a,
            (Ix::Const(a), Ix::Const(b)) if b > 0 => Ix::Const(a.div_euclid(b)),
            (a, b) => Ix::Div(a.into(), b.into()),
        }
    }

    /// Remainder of floor division by a positive divisor.
    pub fn floor_rem(self, by: impl Into<Ix>) -> Ix {
        match (self, by.into()) {
            (_, Ix::Const(1)) => Ix::Const(0),
            (Ix::Const(a), Ix::Const(b)) if b > 0 => Ix::Const(a.rem_euclid(b)),
            (a, b) => Ix::Rem(a.into(), b.into()),
        }
    }

    /// `ceil(self / by)` for a positive divisor.
    pub fn ceil_div(self, by: i64) -> Ix {
        (self + by.wrapping_sub(1)).floor_div(by)
    }

    pub fn min_ix(self, other: impl Into<Ix>) -> Ix {
        match (self, other.into()) {
            (Ix::Const(a), Ix::Const(b)) => Ix::Const(a.min(b)),
            (a, b) if a == b => a,
            (a, b) => Ix::Min(a.into(), b.into()),
        }
    }

    pub fn max_ix(self, other: impl Into<Ix>) -> Ix {
        match (self, other.into()) {
            (Ix::Const(a), Ix::Const(b)) => Ix::Const(a.max(b)),
            (a, b) if a == b => a,
            (a, b) => Ix::Max(a.into(), b.into()),
        }
    }

    /// The least and greatest value, given those of the variables and sizes; `None` where unknown.
    pub fn range(&self, of: &dyn Fn(&Ix) -> Option<(i64, i64)>) -> Option<(i64, i64)> {
        let both = |a: &Ix, b: &Ix| Some((a.range(of)?, b.range(of)?));
        match self {
            Ix::Const(n) => Some((*n, *n)),
            Ix::Var(_) | Ix::Dim(_) | Ix::Data(_) => of(self),
            Ix::Add(a, b) => {
                let ((al, ah), (bl, bh)) = both(a, b)?;
                Some((al.checked_add(bl)?, ah.checked_add(bh)?))
            }
            Ix::Sub(a, b) => {
                let ((al, ah), (bl, bh)) = both(a, b)?;
                Some((al.checked_sub(bh)?, ah.checked_sub(bl)?))
            }
            Ix::Mul(a, b) => {
                let ((al, ah), (bl, bh)) = both(a, b)?;
                let p = [
                    al.checked_mul(bl)?,
                    al.checked_mul(bh)?,
                    ah.checked_mul(bl)?,
                    ah.checked_mul(bh)?,
                ];
                Some((*p.iter().min()?, *p.iter().max()?))
            }
            Ix::Div(a, b) => {
                let ((al, ah), (bl, bh)) = both(a, b)?;
                let q = |n: i64, d: i64| n.div_euclid(d);
                (bl > 0).then(|| (q(al, bl).min(q(al, bh)), q(ah, bl).max(q(ah, bh))))
            }
            Ix::Rem(a, b) => {
                let (bl, bh) = b.range(of)?;
                let full = (0, bh.checked_sub(1)?);
                match a.range(of) {
                    Some((al, ah)) if al >= 0 && ah < bl => Some((al, ah)),
                    _ => (bl > 0).then_some(full),
                }
            }
            Ix::Min(a, b) => {
                let ((al, ah), (bl, bh)) = both(a, b)?;
                Some((al.min(bl), ah.min(bh)))
            }
            Ix::Max(a, b) => {
                let ((al, ah), (bl, bh)) = both(a, b)?;
                Some((al.max(bl), ah.max(bh)))
            }
        }
    }
}

impl From<i64> for Ix {
    fn from(n: i64) -> Ix {
        Ix::Const(n)
    }
}

impl From<Var> for Ix {
    fn from(v: Var) -> Ix {
        Ix::Var(v)
    }
}

impl From<&Ix> for Ix {
    fn from(ix: &Ix) -> Ix {
        ix.clone()
    }
}

impl<T: Into<Ix>> Add<T> for Ix {
    type Output = Ix;
    fn add(self, other: T) -> Ix {
        match (self, other.into()) {
            (a, Ix::Const(0)) | (Ix::Const(0), a) => a,
            (Ix::Const(a), Ix::Const(b)) => Ix::Const(a.wrapping_add(b)),
            (Ix::Add(a, c), Ix::Const(n)) if matches!(*c, Ix::Const(_)) => *a + (*c + n),
            (a, b) => Ix::Add(a.into(), b.into()),
        }
    }
}

impl<T: Into<Ix>> Sub<T> for Ix {
    type Output = Ix;
    fn sub(self, other: T) -> Ix {
        match (self, other.into()) {
            (a, Ix::Const(0)) => a,
            (Ix::Const(a), Ix::Const(b)) => Ix::Const(a.wrapping_sub(b)),
            (a, b) if a == b && !matches!(a, Ix::Data(_)) => Ix::Const(0),
            (a, b) => Ix::Sub(a.into(), b.into()),
        }
    }
}

impl<T: Into<Ix>> Mul<T> for Ix {
    type Output = Ix;
    fn mul(self, other: T) -> Ix {
        match (self, other.into()) {
            (a, Ix::Const(1)) | (Ix::Const(1), a) => a,
            (_, Ix::Const(0)) | (Ix::Const(0), _) => Ix::Const(0),
            (Ix::Const(a), Ix::Const(b)) => Ix::Const(a.wrapping_mul(b)),
            (Ix::Mul(a, c), Ix::Const(n)) if matches!(*c, Ix::Const(_)) => *a * (*c * n),
            (a, b) => Ix::Mul(a.into(), b.into()),
        }
    }
}

impl<T: Into<Ix>> Add<T> for Var {
    type Output = Ix;
    fn add(self, other: T) -> Ix {
        Ix::Var(self) + other
    }
}

impl<T: Into<Ix>> Sub<T> for Var {
    type Output = Ix;
    fn sub(self, other: T) -> Ix {
        Ix::Var(self) - other
    }
}

impl<T: Into<Ix>> Mul<T> for Var {
    type Output = Ix;
    fn mul(self, other: T) -> Ix {
        Ix::Var(self) * other
    }
}

#[cfg(test)]
mod tests;
