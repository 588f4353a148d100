//! Scalar functions that the standard library lacks, in their numerically safe forms.
//!
//! [`hash`] is part of the language's meaning: every backend computes exactly this.

pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// `log(1 + exp(x))` without overflow.
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

pub fn log_sigmoid(x: f64) -> f64 {
    -softplus(-x)
}

pub fn erf(x: f64) -> f64 {
    libm::erf(x)
}

pub fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        x
    }
}

/// The larger; ties give the first, NaN wins.
pub fn max(a: f64, b: f64) -> f64 {
    if a >= b || a.is_nan() { a } else { b }
}

/// The smaller; ties give the first, NaN wins.
pub fn min(a: f64, b: f64) -> f64 {
    if a <= b || a.is_nan() { a } else { b }
}

pub fn rem(x: f64, y: f64) -> f64 {
    x - y * (x / y).floor()
}

/// The nearest non-negative integer.
pub fn integer(x: f64) -> u64 {
    x.round() as u64
}

pub fn bit_len(x: f64) -> f64 {
    f64::from(64 - integer(x).leading_zeros())
}

pub fn xor(a: f64, b: f64) -> f64 {
    (integer(a) ^ integer(b)) as f64
}

/// A fixed pseudo-random number in [0,1) of two integers (taken modulo 2^32): both are multiplied by odd
/// constants, combined, and finished as MurmurHash3 does; the upper 24 bits are the result, so that it is exact
/// in f32.
pub fn hash(a: f64, b: f64) -> f64 {
    let word = |x: f64| (x.round() as i64) as u32;
    let mut x =
        word(a).wrapping_mul(0x9E37_79B1) ^ word(b).wrapping_mul(0x85EB_CA77).rotate_left(16);
    x ^= x >> 16;
    x = x.wrapping_mul(0x85EB_CA6B);
    x ^= x >> 13;
    x = x.wrapping_mul(0xC2B2_AE35);
    x ^= x >> 16;
    f64::from(x >> 8) / f64::from(1u32 << 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(sigmoid(-1000.0), 0.0);
        assert_eq!(sigmoid(1000.0), 1.0);
        assert!((sigmoid(0.5) - 0.622_459_331_201_854_6).abs() < 1e-15);
        assert!((softplus(1.0) - 1.313_261_687_518_222_8).abs() < 1e-15);
        assert_eq!(softplus(800.0), 800.0);
        assert_eq!(log_sigmoid(-800.0), -800.0);
        assert!((erf(0.5) - 0.520_499_877_813_046_5).abs() < 1e-15);
        assert_eq!(rem(-1.0, 3.0), 2.0);
        assert_eq!(
            [0.0, 1.0, 2.0, 3.0, 4.0, 255.0, 256.0].map(bit_len),
            [0.0, 1.0, 2.0, 2.0, 3.0, 8.0, 9.0]
        );
        assert_eq!(xor(12.0, 10.0), 6.0);
    }

    #[test]
    fn nan_and_ties() {
        assert!(max(f64::NAN, 1.0).is_nan() && max(1.0, f64::NAN).is_nan());
        assert!(min(f64::NAN, 1.0).is_nan() && min(1.0, f64::NAN).is_nan());
        assert_eq!(max(-1.0, 2.0), 2.0);
    }

    #[test]
    fn hash_is_spread_evenly() {
        let n = 4096;
        let mean: f64 = (0..n).map(|i| hash(f64::from(i), 7.0)).sum::<f64>() / f64::from(n);
        assert!((mean - 0.5).abs() < 0.02);
        assert_ne!(hash(1.0, 2.0), hash(2.0, 1.0));
        assert!((0..n).all(|i| (0.0..1.0).contains(&hash(3.0, f64::from(i)))));
    }
}
