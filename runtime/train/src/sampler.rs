//! Batches: which rows step n trains on is a function of (seed, n) alone.

use crate::batch::Batch;
use crate::corpus::Text;
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

    /// Fills a batch with windows of the text at uniform places. The text must hold one row at least.
    pub fn fill(&self, step: u64, text: &Text, batch: &mut Batch) {
        let places = (text.bytes.len() - batch.length() + 1) as u64;
        for row in 0..batch.rows() {
            let counter = [step as u32, (step >> 32) as u32, row as u32, 0];
            batch.set_row(row, text, self.philox.below(counter, places) as usize);
        }
    }

    /// Fills a batch with the `index`-th of `count` for validation: the same windows every time, evenly
    /// spread over the text.
    pub fn spread(index: usize, count: usize, text: &Text, batch: &mut Batch) {
        let rows = batch.rows();
        let span = (text.bytes.len() - batch.length()) as u128;
        let last = (rows * count).saturating_sub(1).max(1) as u128;
        for row in 0..rows {
            let at = (span * (index * rows + row) as u128 / last) as usize;
            batch.set_row(row, text, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: impl Iterator<Item = u8>) -> Text {
        Text {
            bytes: bytes.collect(),
            borders: vec![],
        }
    }

    /// Windows of one byte over 50 places, 20,000 draws: Pearson's statistic below the 99.99th percentile for
    /// 49 degrees of freedom (97).
    #[test]
    fn places_are_even_and_reach_both_ends() {
        let text = text(0..50);
        let mut counts = [0f64; 50];
        let mut batch = Batch::new(20, 1, false);
        for step in 0..1000 {
            Sampler::new(3).fill(step, &text, &mut batch);
            batch.tokens.iter().for_each(|&t| counts[t as usize] += 1.0);
        }
        let chi: f64 = counts.iter().map(|c| (c - 400.0).powi(2) / 400.0).sum();
        assert!(chi < 97.0, "{chi}");
    }

    #[test]
    fn a_batch_depends_on_seed_and_step_only() {
        let text = text(0..=255);
        let batch = |seed, step| {
            let mut batch = Batch::new(3, 4, false);
            Sampler::new(seed).fill(step, &text, &mut batch);
            batch.tokens
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
        let text = text(0..101);
        let mut all = Vec::new();
        for i in 0..2 {
            let mut batch = Batch::new(3, 2, false);
            Sampler::spread(i, 2, &text, &mut batch);
            all.extend(batch.tokens.chunks(2).map(|r| r[0]));
        }
        assert_eq!(all, [0, 19, 39, 59, 79, 99]);
    }
}
