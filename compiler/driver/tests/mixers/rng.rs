//! Repeatable choices.

use seqc_schedule::testing;

pub struct Rng(testing::Rng);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(testing::Rng::new(seed ^ 0x5EED_0F5E_9C00_0001))
    }

    /// 0 .. n-1
    pub fn below(&mut self, n: usize) -> usize {
        self.0.below(n)
    }

    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high + 1 - low)
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for n in (1..all.len()).rev() {
            all.swap(n, self.below(n + 1));
        }
    }

    /// Each of them with the given chance, in random order.
    pub fn some<T: Clone>(&mut self, all: &[T], percent: usize) -> Vec<T> {
        let mut kept: Vec<T> = all.to_vec();
        kept.retain(|_| self.chance(percent));
        self.shuffle(&mut kept);
        kept
    }
}
