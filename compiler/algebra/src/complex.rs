//! Complex numbers of the interpreter, and the trait that lets one kernel serve real and complex data.

use crate::tensor::Data;
use std::ops::{Add, AddAssign, Mul, Neg, Sub};

/// A complex number as a pair of f64.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct C64 {
    pub re: f64,
    pub im: f64,
}

impl C64 {
    pub fn new(re: f64, im: f64) -> C64 {
        C64 { re, im }
    }

    pub fn conj(self) -> C64 {
        C64::new(self.re, -self.im)
    }

    pub fn abs(self) -> f64 {
        self.re.hypot(self.im)
    }

    pub fn scale(self, s: f64) -> C64 {
        C64::new(self.re * s, self.im * s)
    }

    pub fn exp(self) -> C64 {
        let (s, c) = self.im.sin_cos();
        let r = self.re.exp();
        // exp(-inf + i y) is 0 whatever y is, and a real argument has a real result.
        if r == 0.0 {
            return C64::default();
        }
        C64::new(r * c, if self.im == 0.0 { 0.0 } else { r * s })
    }

    /// Principal branch.
    pub fn log(self) -> C64 {
        C64::new(self.abs().ln(), self.im.atan2(self.re))
    }

    pub fn sqrt(self) -> C64 {
        let r = self.abs();
        if r == 0.0 {
            return C64::default();
        }
        let re = ((r + self.re.abs()) / 2.0).sqrt();
        let im = self.im.abs() / (2.0 * re);
        let (re, im) = if self.re >= 0.0 { (re, im) } else { (im, re) };
        C64::new(re, im.copysign(self.im))
    }

    pub fn sin(self) -> C64 {
        C64::new(
            self.re.sin() * self.im.cosh(),
            self.re.cos() * self.im.sinh(),
        )
    }

    pub fn cos(self) -> C64 {
        C64::new(
            self.re.cos() * self.im.cosh(),
            -self.re.sin() * self.im.sinh(),
        )
    }

    pub fn over(self, other: C64) -> C64 {
        // Smith's division: no overflow of |other|².
        if other.re.abs() >= other.im.abs() {
            let r = other.im / other.re;
            let d = other.re + other.im * r;
            C64::new((self.re + self.im * r) / d, (self.im - self.re * r) / d)
        } else {
            let r = other.re / other.im;
            let d = other.re * r + other.im;
            C64::new((self.re * r + self.im) / d, (self.im * r - self.re) / d)
        }
    }

    pub fn pow(self, other: C64) -> C64 {
        if other == C64::default() {
            return C64::new(1.0, 0.0);
        }
        if self == C64::default() {
            return C64::default();
        }
        (self.log() * other).exp()
    }
}

impl Add for C64 {
    type Output = C64;
    fn add(self, o: C64) -> C64 {
        C64::new(self.re + o.re, self.im + o.im)
    }
}

impl AddAssign for C64 {
    fn add_assign(&mut self, o: C64) {
        *self = *self + o;
    }
}

impl Sub for C64 {
    type Output = C64;
    fn sub(self, o: C64) -> C64 {
        C64::new(self.re - o.re, self.im - o.im)
    }
}

impl Mul for C64 {
    type Output = C64;
    fn mul(self, o: C64) -> C64 {
        C64::new(
            self.re * o.re - self.im * o.im,
            self.re * o.im + self.im * o.re,
        )
    }
}

impl Neg for C64 {
    type Output = C64;
    fn neg(self) -> C64 {
        C64::new(-self.re, -self.im)
    }
}

/// What the kernels need of a number.
pub trait Scalar:
    Copy
    + Default
    + PartialEq
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
{
    const ZERO: Self;
    const ONE: Self;
    fn of(x: f64) -> Self;
    fn wrap(data: Vec<Self>) -> Data;
    /// The data if they are of this kind.
    fn of_data(data: &Data) -> Option<&[Self]>;
}

impl Scalar for f64 {
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;
    fn of(x: f64) -> f64 {
        x
    }
    fn wrap(data: Vec<f64>) -> Data {
        Data::Real(data)
    }
    fn of_data(data: &Data) -> Option<&[f64]> {
        match data {
            Data::Real(d) => Some(d),
            _ => None,
        }
    }
}

impl Scalar for C64 {
    const ZERO: C64 = C64 { re: 0.0, im: 0.0 };
    const ONE: C64 = C64 { re: 1.0, im: 0.0 };
    fn of(x: f64) -> C64 {
        C64::new(x, 0.0)
    }
    fn wrap(data: Vec<C64>) -> Data {
        Data::Complex(data)
    }
    fn of_data(data: &Data) -> Option<&[C64]> {
        match data {
            Data::Complex(d) => Some(d),
            _ => None,
        }
    }
}
