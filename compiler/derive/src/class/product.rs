//! Vectors and gates of the normal form: products of factors and of sums.

use crate::affine::{Factor, How, Mono, divisors_of, factor_axes, factors_of};
use seqc_algebra::{Axis, Func};

/// A product of factors and of sums, times a scale: a vector or a gate of the recurrence.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    pub scale: f64,
    pub factors: Vec<Factor>,
    pub sums: Vec<Sum>,
}

/// `Σ_over Π factors`
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    pub over: Vec<Axis>,
    pub factors: Vec<Factor>,
}

impl Product {
    pub(super) fn new(scale: f64, factors: Vec<Factor>) -> Product {
        Product {
            scale,
            factors,
            sums: vec![],
        }
    }

    /// Every factor, those inside of sums too.
    pub fn all_factors(&self) -> impl Iterator<Item = &Factor> {
        let inner = self.sums.iter().flat_map(|s| &s.factors);
        self.factors.iter().chain(inner)
    }

    pub(super) fn axes(&self, body: &Func) -> Vec<Axis> {
        let own = self.factors.iter().flat_map(|f| factor_axes(body, f));
        own.chain(self.sums.iter().flat_map(|s| s.axes(body)))
            .collect()
    }
}

impl Sum {
    pub(super) fn axes(&self, body: &Func) -> Vec<Axis> {
        let all = self.factors.iter().flat_map(|f| factor_axes(body, f));
        all.filter(|a| !self.over.contains(a)).collect()
    }
}

/// The factors without an axis of `over`, and the others as sums: factors that share such an axis, in any number
/// of links, are summed together.
pub(super) fn gathered(body: &Func, factors: &[Factor], over: &[Axis]) -> (Vec<Factor>, Vec<Sum>) {
    let (mut free, mut sums): (Vec<Factor>, Vec<Sum>) = (vec![], vec![]);
    for f in factors {
        let mut own: Vec<Axis> = factor_axes(body, f);
        own.retain(|a| over.contains(a));
        if own.is_empty() {
            free.push(f.clone());
            continue;
        }
        let (linked, apart): (Vec<Sum>, Vec<Sum>) = std::mem::take(&mut sums)
            .into_iter()
            .partition(|s| s.over.iter().any(|a| own.contains(a)));
        let mut all = Sum {
            over: own,
            factors: vec![],
        };
        for s in linked {
            all.over.extend(s.over);
            all.factors.extend(s.factors);
        }
        all.over.sort();
        all.over.dedup();
        all.factors.push(f.clone());
        sums = apart;
        sums.push(all);
    }
    (free, sums)
}

/// A factor as the product of its own factors, where it is one.
pub(super) fn split(body: &Func, f: &Factor) -> Mono {
    match f.how {
        How::Times if f.renamed.is_empty() => factors_of(body, f.value),
        How::Over if f.renamed.is_empty() => divisors_of(body, f.value),
        _ => Mono::free(1.0, vec![f.clone()]),
    }
}

/// The factor with bound copies of the state's axes renamed back.
pub(super) fn restored(f: &Factor, moved: &[(Axis, Axis)]) -> Factor {
    let mut f = f.clone();
    for (_, to) in &mut f.renamed {
        if let Some((a, _)) = moved.iter().find(|(_, r)| r == to) {
            *to = *a;
        }
    }
    f.renamed.retain(|(a, b)| a != b);
    f
}
