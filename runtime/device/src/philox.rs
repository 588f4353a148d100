//! Philox4x32-10: a counter-based generator (Salmon et al., SC 2011). A draw is a pure function of key and
//! counter, so that any step's numbers can be had without the steps before it, on any device, in any order.

const MUL: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// A key; draws are indexed by 128-bit counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Philox {
    key: [u32; 2],
}

impl Philox {
    pub fn new(key: u64) -> Philox {
        Philox {
            key: [key as u32, (key >> 32) as u32],
        }
    }

    /// Four uniform words at a counter.
    pub fn words(&self, counter: [u32; 4]) -> [u32; 4] {
        let (mut c, mut k) = (counter, self.key);
        for round in 0..10 {
            if round > 0 {
                k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
            }
            let p0 = u64::from(MUL[0]) * u64::from(c[0]);
            let p1 = u64::from(MUL[1]) * u64::from(c[2]);
            c = [
                (p1 >> 32) as u32 ^ c[1] ^ k[0],
                p1 as u32,
                (p0 >> 32) as u32 ^ c[3] ^ k[1],
                p0 as u32,
            ];
        }
        c
    }

    /// An integer in `0..n`, from 64 random bits: its bias is below n / 2^64. Zero for `n == 0`.
    pub fn below(&self, counter: [u32; 4], n: u64) -> u64 {
        let w = self.words(counter);
        let bits = u64::from(w[0]) | u64::from(w[1]) << 32;
        ((u128::from(bits) * u128::from(n)) >> 64) as u64
    }

    /// A number in [0, 1) with 53 random bits.
    pub fn unit(&self, counter: [u32; 4]) -> f64 {
        let w = self.words(counter);
        let bits = u64::from(w[0]) | u64::from(w[1]) << 32;
        (bits >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The key of a named stream: depends on every byte of the name and every bit of the seed (FNV-1a, then the
/// finaliser of SplitMix64).
pub fn key_of(seed: u64, name: &str) -> u64 {
    let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325, |h: u64, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3)
    });
    mix(hash ^ mix(seed))
}

fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known-answer tests published with the generator (Random123, `kat_vectors`, philox 4x32 10).
    #[test]
    fn published_vectors() {
        let ones = u32::MAX;
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let cases = [
            (
                [0; 4],
                [0; 2],
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                [ones; 4],
                [ones; 2],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                pi,
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, want) in cases {
            assert_eq!(Philox { key }.words(counter), want);
        }
    }

    #[test]
    fn streams_differ_by_seed_and_name() {
        let keys = [
            key_of(0, "a"),
            key_of(1, "a"),
            key_of(0, "b"),
            key_of(0, ""),
        ];
        for (i, a) in keys.iter().enumerate() {
            assert!(keys[i + 1..].iter().all(|b| a != b));
        }
    }

    /// Pearson's statistic over 16 cells, 16,000 draws: below the 99.99th percentile for 15 degrees (44.3).
    #[test]
    fn draws_below_n_are_even() {
        let p = Philox::new(7);
        let mut cells = [0u32; 16];
        (0..16_000).for_each(|i| cells[p.below([i, 0, 0, 0], 16) as usize] += 1);
        let chi: f64 = cells
            .iter()
            .map(|&c| (f64::from(c) - 1000.0).powi(2) / 1000.0)
            .sum();
        assert!(chi < 44.3, "{chi}");
        assert_eq!(p.below([0; 4], 0), 0);
        assert!((0..1000).all(|i| (0.0..1.0).contains(&p.unit([i, 1, 0, 0]))));
    }
}
