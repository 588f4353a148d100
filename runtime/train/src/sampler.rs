//! Batches: which rows step n trains on is a function of (seed, n) alone.

use seqc_device::{Philox, key_of};

pub struct Sampler {
    philox: Philox,
}

impl Sampler {
    pub fn new(seed: u64) -> Sampler {
        Sampler {
            philox: Philox::new(key_of(seed, "batches")),
        }
    }

    /// Fills `tokens` ({batch, length}) with windows of the text at uniform places. The text must hold
    /// `length` bytes at least.
    pub fn fill(&self, step: u64, text: &[u8], length: usize, tokens: &mut [i32]) {
        let places = (text.len() - length + 1) as u64;
        for (row, to) in tokens.chunks_exact_mut(length).enumerate() {
            let counter = [step as u32, (step >> 32) as u32, row as u32, 0];
            let at = self.philox.below(counter, places) as usize;
            copy(&text[at..at + length], to);
        }
    }

    /// Fills `tokens` with the `index`-th of `count` validation batches: the same windows every time, evenly
    /// spread over the text.
    pub fn spread(index: usize, count: usize, text: &[u8], length: usize, tokens: &mut [i32]) {
        let rows = tokens.len() / length;
        let span = (text.len() - length) as u128;
        let last = (rows * count).saturating_sub(1).max(1) as u128;
        for (row, to) in tokens.chunks_exact_mut(length).enumerate() {
            let at = (span * (index * rows + row) as u128 / last) as usize;
            copy(&text[at..at + length], to);
        }
    }
}

fn copy(text: &[u8], to: &mut [i32]) {
    to.iter_mut()
        .zip(text)
        .for_each(|(to, &byte)| *to = i32::from(byte));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows of one byte over 50 places, 20,000 draws: Pearson's statistic below the 99.99th percentile for
    /// 49 degrees of freedom (97).
    #[test]
    fn places_are_even_and_reach_both_ends() {
        let text: Vec<u8> = (0..50).collect();
        let mut counts = [0f64; 50];
        let mut tokens = [0; 20];
        for step in 0..1000 {
            Sampler::new(3).fill(step, &text, 1, &mut tokens);
            tokens.iter().for_each(|&t| counts[t as usize] += 1.0);
        }
        let chi: f64 = counts.iter().map(|c| (c - 400.0).powi(2) / 400.0).sum();
        assert!(chi < 97.0, "{chi}");
    }

    #[test]
    fn a_batch_depends_on_seed_and_step_only() {
        let text: Vec<u8> = (0..=255).collect();
        let batch = |seed, step| {
            let mut tokens = [0; 12];
            Sampler::new(seed).fill(step, &text, 4, &mut tokens);
            tokens
        };
        assert_eq!(batch(1, 7), batch(1, 7));
        assert_ne!(batch(1, 7), batch(1, 8));
        assert_ne!(batch(1, 7), batch(2, 7));
        assert!(
            batch(1, 7)
                .chunks(4)
                .all(|r| r.windows(2).all(|w| w[1] == w[0] + 1)),
            "rows are contiguous"
        );
    }

    #[test]
    fn validation_covers_the_text() {
        let text: Vec<u8> = (0..101).collect();
        let mut all = Vec::new();
        for i in 0..2 {
            let mut tokens = [0; 6];
            Sampler::spread(i, 2, &text, 2, &mut tokens);
            all.extend(tokens.chunks(2).map(|r| r[0]));
        }
        assert_eq!(all, [0, 19, 39, 59, 79, 99]);
    }
}
