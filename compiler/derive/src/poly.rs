//! Polynomials in run-time lengths and in the logarithms that transforms bring: what a cost report counts with.
//!
//! Invariant: no term has coefficient 0; the variables of a term are in order. Numbers of tiles `ceil(T/C)` are
//! taken as `T/C`: a formula is exact where C divides T, and an estimate from below elsewhere.

use seqc_algebra::{Size, Sym};
use std::collections::BTreeMap;
use std::fmt;

/// What a cost may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Var {
    Length(Sym),
    /// `log2(2 L)` of a length.
    Log(Sym),
}

/// Powers of variables, each at most once, in order.
type Powers = Vec<(Var, u32)>;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Poly(BTreeMap<Powers, f64>);

impl Poly {
    pub fn num(x: f64) -> Poly {
        Poly(BTreeMap::from([(vec![], x)])).tidy()
    }

    pub fn var(v: Var) -> Poly {
        Poly(BTreeMap::from([(vec![(v, 1)], 1.0)]))
    }

    /// The number of positions of an axis, for one sequence of the batch.
    pub fn size(size: Size) -> Poly {
        match (size.constant(), size.length()) {
            (None, Some(s)) => Poly::length(s).scaled(share(size)),
            (n, _) => Poly::num(n.unwrap_or(0) as f64),
        }
    }

    /// `log2(2 N)` of a run-time number of positions.
    pub fn log(size: Size) -> Option<Poly> {
        let log = Poly::var(Var::Log(size.length()?));
        Some(log.plus(&Poly::num(share(size).log2())))
    }

    fn length(s: Sym) -> Poly {
        if s.as_str() == "batch" {
            Poly::num(1.0)
        } else {
            Poly::var(Var::Length(s))
        }
    }

    pub fn plus(&self, other: &Poly) -> Poly {
        let mut out = self.clone();
        for (p, c) in &other.0 {
            *out.0.entry(p.clone()).or_insert(0.0) += c;
        }
        out.tidy()
    }

    pub fn add(&mut self, other: &Poly) {
        *self = self.plus(other);
    }

    pub fn times(&self, other: &Poly) -> Poly {
        let mut out = Poly::default();
        for (p, a) in &self.0 {
            for (q, b) in &other.0 {
                let mut powers = p.clone();
                for (v, n) in q {
                    match powers.iter_mut().find(|(w, _)| w == v) {
                        Some((_, m)) => *m += n,
                        None => powers.push((*v, *n)),
                    }
                }
                powers.sort();
                *out.0.entry(powers).or_insert(0.0) += a * b;
            }
        }
        out.tidy()
    }

    pub fn scaled(&self, by: f64) -> Poly {
        self.times(&Poly::num(by))
    }

    fn tidy(mut self) -> Poly {
        self.0.retain(|_, c| *c != 0.0);
        self
    }

    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    /// The value at a length of each clock.
    pub fn at(&self, length: impl Fn(Sym) -> f64) -> f64 {
        let var = |v: &Var| match v {
            Var::Length(s) => length(*s),
            Var::Log(s) => (2.0 * length(*s)).log2(),
        };
        self.0
            .iter()
            .map(|(p, c)| {
                c * p
                    .iter()
                    .map(|(v, n)| var(v).powi(*n as i32))
                    .product::<f64>()
            })
            .sum()
    }

    /// The coefficient of the term that is this length alone, to the first power.
    pub fn slope(&self, s: Sym) -> f64 {
        let one = vec![(Var::Length(s), 1)];
        self.0.get(&one).copied().unwrap_or(0.0)
    }

    /// The highest power of the length.
    pub fn degree(&self, s: Sym) -> u32 {
        self.0
            .keys()
            .flatten()
            .filter(|(v, _)| *v == Var::Length(s))
            .map(|(_, n)| *n)
            .max()
            .unwrap_or(0)
    }
}

/// Positions for each of the run-time length.
fn share(size: Size) -> f64 {
    let (times, tile) = size.ratio();
    times as f64 / tile.max(1) as f64
}

/// A length as formulas write it: the clock `t` is T.
pub fn symbol(s: Sym) -> String {
    match s.as_str() {
        "cache" => "N".into(),
        name => name.to_uppercase(),
    }
}

/// Whole coefficients as they are, others with four digits.
fn coefficient(c: f64) -> String {
    if (c - c.round()).abs() < 1e-9 * c.abs().max(1.0) {
        format!("{}", c.round())
    } else {
        let digits = (3 - c.abs().log10().floor() as i32).clamp(0, 9) as usize;
        format!("{c:.digits$}")
    }
}

impl fmt::Display for Poly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("0");
        }
        // The highest power first.
        let mut terms: Vec<(&Powers, &f64)> = self.0.iter().collect();
        let weight = |p: &Powers| (p.iter().map(|(_, n)| *n).sum::<u32>(), p.clone());
        terms.sort_by_key(|(p, _)| std::cmp::Reverse(weight(p)));
        for (k, (powers, c)) in terms.iter().enumerate() {
            let sign = if **c < 0.0 { "-" } else { "+" };
            match k {
                0 if **c < 0.0 => f.write_str("-")?,
                0 => {}
                _ => write!(f, " {sign} ")?,
            }
            let size = c.abs();
            if powers.is_empty() || size != 1.0 {
                f.write_str(&coefficient(size))?;
                f.write_str(if powers.is_empty() { "" } else { " " })?;
            }
            let shown: Vec<String> = powers
                .iter()
                .map(|(v, n)| {
                    let v = match v {
                        Var::Length(s) => symbol(*s),
                        Var::Log(s) => format!("log2(2 {})", symbol(*s)),
                    };
                    if *n == 1 { v } else { format!("{v}^{n}") }
                })
                .collect();
            f.write_str(&shown.join(" "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t() -> Poly {
        Poly::size(Size::Len(Sym::new("t")))
    }

    #[test]
    fn terms_collect_and_cancel() {
        let p = t().plus(&Poly::num(3.0)).times(&t());
        assert_eq!(p.to_string(), "T^2 + 3 T");
        assert_eq!(p.plus(&t().scaled(-3.0)).to_string(), "T^2");
        assert!(p.plus(&p.scaled(-1.0)).is_zero());
        assert_eq!(p.at(|_| 10.0), 130.0);
        assert_eq!((p.degree(Sym::new("t")), p.slope(Sym::new("t"))), (2, 3.0));
    }

    #[test]
    fn tiles_are_fractions_and_the_batch_is_one_sequence() {
        let tiles = Poly::size(Size::Tiles(Sym::new("t"), 16));
        assert_eq!(tiles.times(&t()).to_string(), "0.06250 T^2");
        assert_eq!(Poly::size(Size::Len(Sym::new("batch"))), Poly::num(1.0));
    }

    #[test]
    fn logarithms_are_of_twice_the_length() {
        let p = t().times(&Poly::var(Var::Log(Sym::new("t")))).scaled(10.0);
        assert_eq!(p.to_string(), "10 T log2(2 T)");
        assert_eq!(p.at(|_| 4.0), 120.0);
    }
}
