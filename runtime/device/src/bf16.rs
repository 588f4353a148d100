//! bf16 is the upper half of an f32: widened without loss, rounded to nearest, ties to even.

use half::bf16;

/// Slices of the same length.
pub fn widen(from: &[u16], to: &mut [f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = f32::from_bits(u32::from(*from) << 16);
    }
}

/// Slices of the same length.
pub fn narrow(from: &[f32], to: &mut [u16]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = bf16::from_f32(*from).to_bits();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_even_and_nan_stays() {
        let from = [
            1.0,
            1.0 + 1.0 / 256.0,
            1.0 + 3.0 / 256.0,
            -0.0,
            f32::INFINITY,
            f32::NAN,
            3.4e38,
        ];
        let (mut half, mut back) = ([0; 7], [0.0; 7]);
        narrow(&from, &mut half);
        widen(&half, &mut back);
        // 1 + 1/256 lies between 1 and 1 + 1/128, 1 + 3/256 between 1 + 1/128 and 1 + 2/128.
        assert_eq!(back[..5], [1.0, 1.0, 1.015625, -0.0, f32::INFINITY]);
        assert!(back[3].is_sign_negative() && back[5].is_nan());
        assert_eq!(back[6], f32::INFINITY);
    }
}
