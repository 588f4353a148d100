//! The transition, read off the monomials of the new state.

use super::product::{gathered, restored, split};
use super::{Product, Transition};
use crate::affine::{Factor, Mono, factor_axes};
use seqc_algebra::{Axis, Func};

/// The transition while its monomials are read.
#[derive(Default)]
pub(super) struct Parts {
    /// The diagonal terms: `a·S - b·S` are two.
    pub diagonal: Vec<Product>,
    pub moved: Vec<Axis>,
    pub rank: Vec<(Product, Product)>,
    /// Some term is multiplied by a sum of its own, which a product of factors does not hold.
    pub summed: bool,
}

impl Parts {
    pub fn transition(&mut self, body: &Func, axes: &[Axis], m: &Mono) -> Result<(), Transition> {
        let Some(moved) = m.moved(axes) else {
            return Ok(());
        };
        if moved.iter().any(|(_, r)| !m.bound.contains(r)) {
            return Err(Transition::Dense(
                "the state is summed together with other values".into(),
            ));
        }
        // Sums that do not reach the state are a number that multiplies the term.
        let beside: Vec<Axis> = (m.bound.iter().copied())
            .filter(|a| moved.iter().all(|(_, r)| r != a))
            .collect();
        let (free, sums) = gathered(body, &m.factors, &beside);
        if moved.is_empty() {
            self.diagonal.push(Product {
                scale: m.scale,
                factors: free,
                sums,
            });
            return Ok(());
        }
        let on_state = |a: &Axis| moved.iter().any(|(w, r)| a == w || a == r);
        self.summed |= sums.iter().any(|s| s.axes(body).iter().any(on_state));
        let (mut left, mut right) = (vec![], vec![]);
        for f in &free {
            let shown = factor_axes(body, f);
            let reads = moved.iter().any(|(_, r)| shown.contains(r));
            let writes = moved.iter().any(|(a, _)| shown.contains(a));
            match (reads, writes) {
                (true, true) => {
                    return Err(Transition::Dense(
                        "one matrix both reads and writes an axis of the state".into(),
                    ));
                }
                (true, false) => right.push(restored(f, &moved)),
                _ => left.push(f.clone()),
            }
        }
        for (a, _) in &moved {
            if !self.moved.contains(a) {
                self.moved.push(*a);
            }
        }
        let write = Product {
            scale: m.scale,
            factors: left,
            sums,
        };
        self.rank.push((write, Product::new(1.0, right)));
        Ok(())
    }

    /// `None`: the state is kept as it is.
    pub fn decay(&self) -> Option<Vec<Product>> {
        match self.diagonal.as_slice() {
            [] => Some(vec![Product::new(0.0, vec![])]),
            [one] if *one == Product::new(1.0, vec![]) => None,
            several => Some(several.to_vec()),
        }
    }

    /// The rank beside the diagonal: terms that write along one vector, or read along one, count once.
    pub fn rank(&self, body: &Func) -> usize {
        let distinct = |side: fn(&(Product, Product)) -> &Product| {
            let mut seen: Vec<Vec<Factor>> = Vec::new();
            for term in &self.rank {
                let vector = self.vector(body, side(term));
                if !seen.contains(&vector) {
                    seen.push(vector);
                }
            }
            seen.len()
        };
        distinct(|t| &t.0).min(distinct(|t| &t.1))
    }

    /// The factors that have a moved axis, products split.
    fn vector(&self, body: &Func, p: &Product) -> Vec<Factor> {
        let mut all: Vec<Factor> = p
            .factors
            .iter()
            .flat_map(|f| split(body, f).factors)
            .filter(|f| factor_axes(body, f).iter().any(|a| self.moved.contains(a)))
            .collect();
        all.sort();
        all
    }
}
