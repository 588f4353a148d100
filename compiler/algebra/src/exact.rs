//! Numbers of the exact check: the field of p² elements with p = 2⁶¹ - 1, as `re + i·im` with i² = -1 (p is 3 modulo
//! 4, so -1 has no root modulo p).
//!
//! Sums, products and quotients are exact; whole numbers are ordered as they are. Any other function is a fixed random one of its argument: it knows nothing
//! but that equal arguments have equal results. Two programs that agree on random elements are then the same
//! polynomials in their inputs and in the values of such functions, up to a chance of about degree / 2⁶¹
//! (Schwartz–Zippel; derivation calculus §6). A number of f64 stands for the simple fraction that it is rounded from, so
//! that 0.6 times 0.9 is 0.54; where there is none, for what it exactly is, a multiple of a power of two.

use crate::complex::Scalar;
use crate::op::{MapFn, Op};
use crate::ops::special;
use crate::tensor::{Data, Tensor};
use std::ops::{Add, AddAssign, Mul, Neg, Sub};
use std::rc::Rc;

/// What a message ends with that says which operation orders or normalises numbers, which elements of a field are not.
/// Anything else that keeps a program from running is a fault.
pub const INEXACT: &str = "is not exact";

const P: u64 = (1 << 61) - 1;

/// Whole powers up to this are products; kernels of the lengths that are compared have lags as exponents.
const MOST_POWER: f64 = 512.0;

/// An element of the field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exact {
    re: u64,
    im: u64,
}

fn add(a: u64, b: u64) -> u64 {
    let s = a + b;
    if s >= P { s - P } else { s }
}

fn sub(a: u64, b: u64) -> u64 {
    add(a, P - b)
}

fn mul(a: u64, b: u64) -> u64 {
    let x = u128::from(a) * u128::from(b);
    let (low, high) = ((x as u64) & P, (x >> 61) as u64);
    add(if low == P { 0 } else { low }, high)
}

fn pow(mut a: u64, mut n: u64) -> u64 {
    let mut all = 1;
    while n > 0 {
        if n & 1 == 1 {
            all = mul(all, a);
        }
        a = mul(a, a);
        n >>= 1;
    }
    all
}

/// The first convergent of a positive number that a few roundings cannot tell from it, if its denominator is small.
fn fraction(x: f64) -> Option<(u64, u64)> {
    const MOST: f64 = (1u64 << 20) as f64;
    let near = x * 2f64.powi(-50);
    let (mut rest, mut last, mut now) = (x, (0.0, 1.0), (1.0, 0.0));
    loop {
        let whole = rest.floor();
        (last, now) = (now, (whole * now.0 + last.0, whole * now.1 + last.1));
        let (n, d) = now;
        if d > MOST || n > 2f64.powi(52) {
            return None;
        }
        if (x - n / d).abs() <= near {
            return Some((n as u64, d as u64));
        }
        rest = (rest - whole).recip();
    }
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Makes elements of operands that counted numbers must not stand for: a function of 0 is the same whether the 0 was
/// counted or drawn, and a quotient is no whole number.
pub(crate) fn operands(op: &Op, args: &mut [Rc<Tensor>]) -> Result<(), String> {
    let drawn = |f: &MapFn| *f == MapFn::Div || opaque(*f);
    if matches!(op, Op::Map(f) if drawn(f)) {
        for a in args {
            *a = Rc::new(a.to_exact()?.into_owned());
        }
    }
    Ok(())
}

/// Makes elements of numbers that are neither whole nor what masks are made of.
pub(crate) fn result(t: &mut Tensor) -> Result<(), String> {
    let whole = |x: &f64| x.fract() == 0.0 || !x.is_finite();
    match &t.data {
        Data::Real(d) if d.iter().all(whole) => {}
        _ => *t = t.to_exact()?.into_owned(),
    }
    Ok(())
}

/// Is the function a random one of its argument, whatever that is?
fn opaque(f: MapFn) -> bool {
    use MapFn::*;
    matches!(
        f,
        Exp | Expm1 | Log | Log1p | Sqrt | Sin | Cos | Tanh | Sigmoid | LogSigmoid | Softplus | Erf
    )
}

impl Exact {
    const I: Exact = Exact { re: 0, im: 1 };

    /// A random element that two numbers name; with an imaginary part or without.
    pub fn random(a: u64, b: u64, complex: bool) -> Exact {
        let x = mix(mix(a) ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Exact {
            re: x % P,
            im: if complex { mix(x ^ 1) % P } else { 0 },
        }
    }

    /// The element that a finite number stands for.
    pub fn of_f64(x: f64) -> Option<Exact> {
        if !x.is_finite() {
            return None;
        }
        if let Some((n, d)) = fraction(x.abs()) {
            let re = mul(n % P, pow(d, P - 2));
            return Some(Exact {
                re: if x < 0.0 { sub(0, re) } else { re },
                im: 0,
            });
        }
        let bits = x.to_bits();
        let (exponent, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
        let (m, e) = match exponent {
            0 => (fraction, -1074i64),
            e => (fraction | (1 << 52), e as i64 - 1075),
        };
        // 2 has order 61 modulo 2⁶¹ - 1.
        let re = mul(m, pow(2, e.rem_euclid(61) as u64));
        Some(Exact {
            re: if x < 0.0 { sub(0, re) } else { re },
            im: 0,
        })
    }

    fn inverse(self) -> Option<Exact> {
        let norm = add(mul(self.re, self.re), mul(self.im, self.im));
        let by = pow(norm, P - 2);
        (norm != 0).then(|| Exact {
            re: mul(self.re, by),
            im: mul(sub(0, self.im), by),
        })
    }

    /// A number that stands for a row.
    pub fn number_of(row: &[Exact]) -> u64 {
        row.iter()
            .fold(0, |h, x| mix(h ^ x.number().rotate_left(23)))
    }

    fn number(self) -> u64 {
        mix(self.re).wrapping_add(self.im)
    }

    /// The whole number that this is, if it is a small one: what orders numbers means it then.
    pub(crate) fn whole(self) -> Option<f64> {
        const MOST: u64 = 1 << 40;
        match (self.re, self.im) {
            (n, 0) if n < MOST => Some(n as f64),
            (n, 0) if P - n < MOST => Some(-((P - n) as f64)),
            _ => None,
        }
    }

    /// A function of one number.
    pub fn map(f: MapFn, x: Exact) -> Result<Exact, String> {
        Ok(match f {
            MapFn::Neg => -x,
            MapFn::Stop => x,
            MapFn::Re => Exact { re: x.re, im: 0 },
            MapFn::Im => Exact { re: x.im, im: 0 },
            MapFn::Conj => Exact {
                re: x.re,
                im: sub(0, x.im),
            },
            MapFn::Abs => match x.whole() {
                Some(n) => Exact::of(n.abs()),
                None => Exact::random(f as u64, x.number(), x.im != 0),
            },
            MapFn::Sign => match x.whole() {
                Some(n) => Exact::of(special::sign(n)),
                None => Exact::random(f as u64, x.number(), x.im != 0),
            },
            MapFn::Floor if x.whole().is_some() => x,
            MapFn::Not | MapFn::BitLen => return Err(format!("{f:?} of data is not exact")),
            _ => Exact::random(f as u64, x.number(), x.im != 0),
        })
    }

    /// A function of two numbers.
    pub fn map2(f: MapFn, x: Exact, y: Exact) -> Result<Exact, String> {
        Ok(match f {
            MapFn::Add => x + y,
            MapFn::Sub => x - y,
            MapFn::Mul => x * y,
            MapFn::Div => x * y.inverse().ok_or("a quotient by 0 is not exact")?,
            MapFn::Complex => x + Exact::I * y,
            MapFn::Pow => match y.whole().filter(|n| (0.0..=MOST_POWER).contains(n)) {
                Some(n) => (0..n as u32).fold(Exact::ONE, |all, _| all * x),
                None => Exact::both(f, x, y),
            },
            MapFn::Max | MapFn::Min | MapFn::Rem => match (x.whole(), y.whole(), f) {
                (Some(a), Some(b), MapFn::Max) => Exact::of(a.max(b)),
                (Some(a), Some(b), MapFn::Min) => Exact::of(a.min(b)),
                (Some(a), Some(b), MapFn::Rem) if b > 0.0 => Exact::of(a.rem_euclid(b)),
                _ => Exact::both(f, x, y),
            },
            _ => return Err(format!("{f:?} of data is not exact")),
        })
    }

    fn both(f: MapFn, x: Exact, y: Exact) -> Exact {
        let a = mix(f as u64 ^ x.number().rotate_left(17));
        Exact::random(a, y.number(), x.im != 0 || y.im != 0)
    }

    /// A comparison: the same for the same numbers, else as it falls.
    pub fn compare(f: MapFn, x: Exact, y: Exact) -> bool {
        if let (Some(a), Some(b)) = (x.whole(), y.whole()) {
            return match f {
                MapFn::Eq => a == b,
                MapFn::Ne => a != b,
                MapFn::Lt => a < b,
                MapFn::Le => a <= b,
                MapFn::Gt => a > b,
                _ => a >= b,
            };
        }
        match f {
            MapFn::Eq => x == y,
            MapFn::Ne => x != y,
            MapFn::Lt | MapFn::Gt if x == y => false,
            MapFn::Le | MapFn::Ge if x == y => true,
            // One order of all numbers, in both directions.
            MapFn::Lt | MapFn::Le => x.number() < y.number(),
            _ => x.number() > y.number(),
        }
    }
}

impl Add for Exact {
    type Output = Exact;
    fn add(self, o: Exact) -> Exact {
        Exact {
            re: add(self.re, o.re),
            im: add(self.im, o.im),
        }
    }
}

impl AddAssign for Exact {
    fn add_assign(&mut self, o: Exact) {
        *self = *self + o;
    }
}

impl Sub for Exact {
    type Output = Exact;
    fn sub(self, o: Exact) -> Exact {
        self + -o
    }
}

impl Neg for Exact {
    type Output = Exact;
    fn neg(self) -> Exact {
        Exact {
            re: sub(0, self.re),
            im: sub(0, self.im),
        }
    }
}

impl Mul for Exact {
    type Output = Exact;
    fn mul(self, o: Exact) -> Exact {
        Exact {
            re: sub(mul(self.re, o.re), mul(self.im, o.im)),
            im: add(mul(self.re, o.im), mul(self.im, o.re)),
        }
    }
}

impl Scalar for Exact {
    const ZERO: Exact = Exact { re: 0, im: 0 };
    const ONE: Exact = Exact { re: 1, im: 0 };
    /// Numbers that a kernel fills with, which are finite.
    fn of(x: f64) -> Exact {
        Exact::of_f64(x).unwrap_or(Exact::ZERO)
    }
    fn wrap(data: Vec<Exact>) -> Data {
        Data::Exact(data)
    }
    fn of_data(data: &Data) -> Option<&[Exact]> {
        match data {
            Data::Exact(d) => Some(d),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field() {
        for k in 0..50 {
            let (x, y) = (Exact::random(1, k, true), Exact::random(2, k, true));
            let z = Exact::random(3, k, true);
            assert_eq!(x * (y + z), x * y + x * z);
            assert_eq!(x * x.inverse().unwrap(), Exact::ONE);
            assert_eq!(x - y + y, x);
        }
        assert_eq!(Exact::I * Exact::I, -Exact::ONE);
        assert_eq!(Exact::ZERO.inverse(), None);
    }

    #[test]
    fn numbers_are_what_they_are() {
        let of = |x: f64| Exact::of_f64(x).unwrap();
        assert_eq!(of(0.5) + of(0.5), Exact::ONE);
        assert_eq!(of(-3.0) * of(0.125), of(-0.375));
        // 0.1 of f64 stands for a tenth, and what is rounded from it too.
        assert_eq!(of(0.1) * of(10.0), Exact::ONE);
        assert_eq!(of(0.6) * of(0.9), of(0.6 * 0.9));
        assert_eq!(of(0.1) + of(0.2), of(0.1 + 0.2));
        assert_ne!(of(0.1 + 1e-14), of(0.1));
        // No simple fraction: what it is.
        let root = of(2f64.sqrt());
        assert_eq!(root * of(2f64.powi(-30)), of(2f64.sqrt() * 2f64.powi(-30)));
        assert_eq!(of(1e-300) * of(2f64.powi(996)), of(1e-300 * 2f64.powi(996)));
        assert_eq!(Exact::of_f64(f64::INFINITY), None);
    }
}
