//! Where a sequence is cut: into two to six parts, of lengths drawn at random, one of them a single step.

use super::draw::Stream;
use super::lengths;
use crate::passes::Shapes;
use crate::verify::Extent;

/// Lengths of the parts of one sequence, the prompt's the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts(pub Vec<usize>);

/// What follows a prompt in at most so many parts.
const MOST: usize = 5;

impl Parts {
    /// The prompt, and what follows in two to five parts drawn from a seed, if there are positions enough.
    pub fn drawn(prompt: usize, tokens: usize, seed: &str) -> Parts {
        let mut stream = Stream::new(&format!("{seed} {prompt} {tokens}"));
        let mut below = |n: usize| ((stream.uniform() + 1.0) / 2.0 * n as f64) as usize;
        let count = tokens.min(2 + below(MOST - 1));
        let mut parts = vec![1; count];
        let single = below(count);
        let wide: Vec<usize> = (0..count).filter(|k| *k != single || count == 1).collect();
        let mut left = tokens - count;
        for (n, k) in wide.iter().enumerate() {
            let more = match n + 1 == wide.len() {
                true => left,
                false => below(left + 1),
            };
            parts[*k] += more;
            left -= more;
        }
        parts.insert(0, prompt);
        Parts(parts)
    }

    pub fn prompt(&self) -> usize {
        self.0[0]
    }

    pub fn all(&self) -> usize {
        self.0.iter().sum()
    }

    /// Where each part begins and ends.
    pub fn ranges(&self) -> Vec<std::ops::Range<usize>> {
        let mut at = 0;
        let range = |n: &usize| {
            at += n;
            at - n..at
        };
        self.0.iter().map(range).collect()
    }

    /// In words: `17 + 1 + 2 tokens`.
    pub fn words(&self) -> String {
        let all: Vec<String> = self.0.iter().map(usize::to_string).collect();
        format!("{} tokens", all.join(" + "))
    }
}

/// Sequences for outputs and states.
pub fn splits(shapes: &Shapes, extent: Extent, seed: &str) -> Vec<Parts> {
    let all = lengths::splits(shapes, extent);
    all.into_iter()
        .map(|(p, n)| Parts::drawn(p, n, seed))
        .collect()
}

/// Sequences for gradients.
pub fn cuts(shapes: &Shapes, extent: Extent, seed: &str) -> Vec<Parts> {
    let all = lengths::cuts(shapes, extent);
    all.into_iter()
        .map(|(p, n)| Parts::drawn(p, n, seed))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every position is in one part; there are three parts or more where there can be, and one of them is a single step.
    #[test]
    fn parts_are_the_whole() {
        let mut counts = std::collections::BTreeSet::new();
        for seed in 0..40 {
            for (prompt, tokens) in [(1, 1), (1, 2), (3, 2), (4, 9), (17, 35)] {
                let parts = Parts::drawn(prompt, tokens, &format!("mixer {seed}"));
                assert_eq!((parts.prompt(), parts.all()), (prompt, prompt + tokens));
                assert!(parts.0.iter().all(|n| *n > 0), "{parts:?}");
                let least = if tokens == 1 { 2 } else { 3 };
                assert!((least..=6).contains(&parts.0.len()), "{parts:?}");
                assert!(parts.0[1..].contains(&1), "{parts:?}");
                let ranges = parts.ranges();
                assert_eq!(ranges[0], 0..prompt);
                assert!(ranges.windows(2).all(|w| w[0].end == w[1].start));
                counts.insert(parts.0.len());
            }
        }
        assert!(counts.contains(&6), "{counts:?}");
    }
}
