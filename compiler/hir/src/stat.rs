//! Static numbers: what settings, sizes and constants are while a mixer is being elaborated.
//!
//! Why exact: `3 * d / (4 * h)` must be known to be whole or not; floating point cannot tell.
//! Invariant: a `Ratio` is reduced and has a positive denominator. Whatever leaves 128 bits becomes a `Float`.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stat {
    Ratio(i128, i128),
    Float(f64),
    Bool(bool),
}

fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    i128::try_from(a).unwrap_or(1).max(1)
}

/// The reduced ratio, unless the denominator is 0 or a sign cannot be moved.
fn ratio(n: i128, d: i128) -> Option<Stat> {
    if d == 0 {
        return None;
    }
    let g = gcd(n, d);
    let (n, d) = (n / g, d / g);
    if d > 0 {
        Some(Stat::Ratio(n, d))
    } else {
        Some(Stat::Ratio(n.checked_neg()?, d.checked_neg()?))
    }
}

impl Stat {
    pub fn int(n: i128) -> Stat {
        Stat::Ratio(n, 1)
    }

    pub fn as_f64(self) -> f64 {
        match self {
            Stat::Ratio(n, d) => n as f64 / d as f64,
            Stat::Float(x) => x,
            Stat::Bool(b) => f64::from(u8::from(b)),
        }
    }

    /// The exact integer it is, if it is one.
    pub fn as_int(self) -> Option<i128> {
        match self {
            Stat::Ratio(n, 1) => Some(n),
            _ => None,
        }
    }

    pub fn as_size(self) -> Option<usize> {
        self.as_int().and_then(|n| usize::try_from(n).ok())
    }

    pub fn is_whole(self) -> bool {
        !matches!(self, Stat::Ratio(_, d) if d != 1)
    }

    pub fn truth(self) -> bool {
        self.as_f64() != 0.0
    }

    fn exact(
        self,
        other: Stat,
        f: impl Fn(i128, i128, i128, i128) -> Option<Stat>,
    ) -> Option<Stat> {
        match (self, other) {
            (Stat::Ratio(a, b), Stat::Ratio(c, d)) => f(a, b, c, d),
            _ => None,
        }
    }

    pub fn pow(self, o: Stat) -> Stat {
        let whole = self.exact(o, |a, b, c, d| {
            let e = u32::try_from(c.unsigned_abs())
                .ok()
                .filter(|e| d == 1 && *e <= 4096)?;
            let (n, m) = (a.checked_pow(e)?, b.checked_pow(e)?);
            if c < 0 { ratio(m, n) } else { ratio(n, m) }
        });
        whole.unwrap_or_else(|| Stat::Float(self.as_f64().powf(o.as_f64())))
    }

    pub fn floor(self) -> Stat {
        match self {
            Stat::Ratio(n, d) => Stat::Ratio(n.div_euclid(d), 1),
            other => Stat::Float(other.as_f64().floor()),
        }
    }

    pub fn ceil(self) -> Stat {
        -(-self).floor()
    }

    pub fn compare(self, o: Stat) -> Option<Ordering> {
        let d = self.exact(o, |a, b, c, d| {
            Some(Stat::int(a.checked_mul(d)?.checked_sub(c.checked_mul(b)?)?))
        });
        match d {
            Some(Stat::Ratio(n, _)) => Some(n.cmp(&0)),
            _ => self.as_f64().partial_cmp(&o.as_f64()),
        }
    }

    /// Reads what a command line gives: `64`, `0.5`, `1e-3`, `inf`, `true`.
    pub fn parse(text: &str) -> Option<Stat> {
        let text = text.trim();
        match text {
            "true" => return Some(Stat::Bool(true)),
            "false" => return Some(Stat::Bool(false)),
            "inf" => return Some(Stat::Float(f64::INFINITY)),
            "-inf" => return Some(Stat::Float(f64::NEG_INFINITY)),
            _ => {}
        }
        if let Ok(n) = text.replace('_', "").parse::<i128>() {
            return Some(Stat::int(n));
        }
        text.parse::<f64>()
            .ok()
            .filter(|x| x.is_finite())
            .map(Stat::Float)
    }
}

impl Neg for Stat {
    type Output = Stat;

    fn neg(self) -> Stat {
        match self {
            Stat::Ratio(n, d) => n
                .checked_neg()
                .map_or(Stat::Float(-self.as_f64()), |n| Stat::Ratio(n, d)),
            other => Stat::Float(-other.as_f64()),
        }
    }
}

impl Add for Stat {
    type Output = Stat;

    fn add(self, o: Stat) -> Stat {
        self.exact(o, |a, b, c, d| {
            ratio(
                a.checked_mul(d)?.checked_add(c.checked_mul(b)?)?,
                b.checked_mul(d)?,
            )
        })
        .unwrap_or(Stat::Float(self.as_f64() + o.as_f64()))
    }
}

impl Sub for Stat {
    type Output = Stat;

    fn sub(self, o: Stat) -> Stat {
        self.add(-o)
    }
}

impl Mul for Stat {
    type Output = Stat;

    fn mul(self, o: Stat) -> Stat {
        self.exact(o, |a, b, c, d| ratio(a.checked_mul(c)?, b.checked_mul(d)?))
            .unwrap_or(Stat::Float(self.as_f64() * o.as_f64()))
    }
}

impl Div for Stat {
    type Output = Stat;

    fn div(self, o: Stat) -> Stat {
        self.exact(o, |a, b, c, d| ratio(a.checked_mul(d)?, b.checked_mul(c)?))
            .unwrap_or(Stat::Float(self.as_f64() / o.as_f64()))
    }
}

/// `x - y*floor(x/y)`
impl Rem for Stat {
    type Output = Stat;

    fn rem(self, o: Stat) -> Stat {
        self - o * (self / o).floor()
    }
}

impl fmt::Display for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stat::Ratio(n, 1) => write!(f, "{n}"),
            Stat::Ratio(n, d) => write!(f, "{n}/{d}"),
            Stat::Float(x) => write!(f, "{x}"),
            Stat::Bool(b) => write!(f, "{b}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_divide_exactly_or_not() {
        let d = Stat::int(100);
        assert_eq!(d / Stat::int(4), Stat::int(25));
        assert!(!(d / Stat::int(3)).is_whole());
        assert_eq!(d / Stat::int(3) * Stat::int(3), d);
        assert_eq!((Stat::int(64) / Stat::int(24)).ceil(), Stat::int(3));
        assert_eq!((Stat::int(-7) / Stat::int(2)).floor(), Stat::int(-4));
        assert_eq!(Stat::int(-7) % Stat::int(3), Stat::int(2));
        assert_eq!(Stat::int(2).pow(Stat::int(-3)), Stat::Ratio(1, 8));
    }

    #[test]
    fn huge_values_become_floats() {
        let big = Stat::int(i128::MAX);
        assert!(matches!(big * big, Stat::Float(_)));
        assert!(matches!(Stat::int(1) / Stat::int(0), Stat::Float(x) if x.is_infinite()));
        assert!(matches!(-Stat::int(i128::MIN), Stat::Float(_)));
    }

    #[test]
    fn command_line_values() {
        assert_eq!(Stat::parse("64"), Some(Stat::int(64)));
        assert_eq!(Stat::parse("1e-3"), Some(Stat::Float(1e-3)));
        assert_eq!(Stat::parse("inf"), Some(Stat::Float(f64::INFINITY)));
        assert_eq!(Stat::parse("gla"), None);
    }
}
