//! A step in several parts: a plan overwrites the gradients of its parameters, so what parts of different lengths
//! leave behind is added up beside the store.

use crate::{Pool, Store};
use std::collections::BTreeMap;

/// `Σ weight · gradient` over runs, per parameter.
#[derive(Default)]
pub struct GradSum {
    sums: BTreeMap<String, Vec<f32>>,
    parts: usize,
}

/// Elements that one thread adds at least.
const GRAIN: u64 = 1 << 14;

impl GradSum {
    /// Starts a new sum.
    pub fn clear(&mut self) {
        self.parts = 0;
    }

    /// Adds what the last run left in the store.
    pub fn add(&mut self, store: &Store, weight: f32, pool: &Pool) {
        let first = self.parts == 0;
        self.parts += 1;
        for (path, p) in store.iter() {
            let Some(grad) = p.grad() else { continue };
            let sum = self.sums.entry(path.to_owned()).or_default();
            sum.resize(grad.len(), 0.0);
            let at = sum.as_mut_ptr() as usize;
            pool.run(grad.len() as u64, GRAIN, |_, lo, hi| {
                let (lo, n) = (lo as usize, (hi - lo) as usize);
                // SAFETY: ranges are disjoint and inside of the sum, which has the gradient's length.
                let sum = unsafe { std::slice::from_raw_parts_mut((at as *mut f32).add(lo), n) };
                for (s, g) in sum.iter_mut().zip(&grad[lo..]) {
                    *s = weight * g + if first { 0.0 } else { *s };
                }
            });
        }
    }

    /// Puts the sum where the gradients were.
    pub fn put(&self, store: &mut Store) {
        for (path, p) in store.iter_mut() {
            if let (Some((_, grad)), Some(sum)) = (p.both_mut(), self.sums.get(path)) {
                grad.copy_from_slice(sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqc_abi::Init;

    #[test]
    fn parts_add_up_by_weight() {
        let mut store = Store::new(0);
        let pool = Pool::new(2);
        for path in ["a", "b"] {
            store
                .declare(path, &[40_000], &Init::Zero, false)
                .and_then(|_| store.declare_grad(path, &[40_000]))
                .expect("made");
        }
        let fill = |store: &mut Store, x: f32| {
            for (_, p) in store.iter_mut() {
                let (_, grad) = p.both_mut().expect("there");
                (grad.iter_mut().enumerate()).for_each(|(i, g)| *g = x * (i % 7) as f32);
            }
        };
        let mut sum = GradSum::default();
        for round in [1.0, 10.0] {
            sum.clear();
            for (x, weight) in [(round, 0.5), (2.0 * round, 0.25)] {
                fill(&mut store, x);
                sum.add(&store, weight, &pool);
            }
            sum.put(&mut store);
            for (_, p) in store.iter() {
                let grad = p.grad().expect("there");
                assert!((grad.iter().enumerate()).all(|(i, g)| *g == round * (i % 7) as f32));
            }
        }
    }
}
