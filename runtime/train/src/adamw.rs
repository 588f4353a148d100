//! AdamW: Adam with decoupled weight decay (Loshchilov & Hutter, arXiv:1711.05101), and the gradient's norm.
//!
//! Moments are f32; step sizes and bias corrections are formed in f64. Sums run in fixed chunks, so results do
//! not depend on the number of threads.

use crate::Recipe;
use seqc_device::{Pool, Result, Store, fail};
use std::sync::Mutex;

/// Elements that one task handles.
const CHUNK: usize = 1 << 14;

/// First and second moments, in the order of the store's parameters.
pub struct AdamW {
    pub moments: Vec<Moments>,
}

pub struct Moments {
    pub path: String,
    pub shape: Vec<usize>,
    pub first: Vec<f32>,
    pub second: Vec<f32>,
}

/// The numbers of one step.
struct Rates {
    beta1: f32,
    beta2: f32,
    /// Scales the gradient (clipping).
    scale: f32,
    /// lr / (1 - beta1^n)
    step: f32,
    /// 1 / (1 - beta2^n)
    correct: f32,
    eps: f32,
    /// 1 - lr · decay
    keep: f32,
}

impl AdamW {
    /// Zero moments for every parameter.
    pub fn new(store: &Store) -> AdamW {
        let zero = |(path, p): (&str, &seqc_device::Param)| {
            let n = p.value().len();
            Moments {
                path: path.to_owned(),
                shape: p.shape().to_vec(),
                first: vec![0.0; n],
                second: vec![0.0; n],
            }
        };
        AdamW {
            moments: store.iter().map(zero).collect(),
        }
    }

    /// One step (`step` from 0) with gradients scaled by `scale`. Errors if a parameter has no gradient.
    pub fn update(
        &mut self,
        store: &mut Store,
        recipe: &Recipe,
        step: u64,
        scale: f64,
        pool: &Pool,
    ) -> Result<()> {
        if store.iter().len() != self.moments.len() {
            fail!(
                "the optimizer knows {} parameters, the model has {}",
                self.moments.len(),
                store.iter().len()
            );
        }
        let lr = recipe.lr_at(step);
        let correction = |beta: f64| 1.0 - beta.powi(i32::try_from(step + 1).unwrap_or(i32::MAX));
        for ((path, p), m) in store.iter_mut().zip(&mut self.moments) {
            let decay = if p.decay() { recipe.decay } else { 0.0 };
            let rates = Rates {
                beta1: recipe.beta1 as f32,
                beta2: recipe.beta2 as f32,
                scale: scale as f32,
                step: (lr / correction(recipe.beta1)) as f32,
                correct: (1.0 / correction(recipe.beta2)) as f32,
                eps: recipe.eps as f32,
                keep: (1.0 - lr * decay) as f32,
            };
            let Some((value, grad)) = p.both_mut() else {
                fail!("parameter `{path}` gets no gradient from the training plan");
            };
            in_chunks(value, grad, m, &rates, pool);
        }
        Ok(())
    }
}

fn in_chunks(value: &mut [f32], grad: &[f32], m: &mut Moments, rates: &Rates, pool: &Pool) {
    let parts = value.chunks_mut(CHUNK).zip(grad.chunks(CHUNK));
    let parts = parts.zip(m.first.chunks_mut(CHUNK).zip(m.second.chunks_mut(CHUNK)));
    // Each task takes its own part out of its slot: the lock is never contended.
    let parts: Vec<_> = parts.map(|p| Mutex::new(Some(p))).collect();
    pool.run(parts.len() as u64, 1, |_, lo, hi| {
        for slot in &parts[lo as usize..hi as usize] {
            if let Some(((value, grad), (first, second))) =
                slot.lock().ok().and_then(|mut s| s.take())
            {
                chunk(value, grad, first, second, rates);
            }
        }
    });
}

fn chunk(value: &mut [f32], grad: &[f32], first: &mut [f32], second: &mut [f32], r: &Rates) {
    for (((x, g), m), v) in value.iter_mut().zip(grad).zip(first).zip(second) {
        let g = g * r.scale;
        *m += (1.0 - r.beta1) * (g - *m);
        *v += (1.0 - r.beta2) * (g * g - *v);
        *x = *x * r.keep - r.step * *m / ((*v * r.correct).sqrt() + r.eps);
    }
}

/// Global norm of all gradients, summed in f64.
pub fn grad_norm(store: &Store, pool: &Pool) -> f64 {
    let parts: Vec<&[f32]> = store
        .iter()
        .filter_map(|(_, p)| p.grad())
        .flat_map(|g| g.chunks(CHUNK))
        .collect();
    let sums: Vec<Mutex<f64>> = parts.iter().map(|_| Mutex::new(0.0)).collect();
    pool.run(parts.len() as u64, 1, |_, lo, hi| {
        for i in lo as usize..hi as usize {
            let sum: f64 = parts[i].iter().map(|&g| f64::from(g) * f64::from(g)).sum();
            if let Ok(mut to) = sums[i].lock() {
                *to = sum;
            }
        }
    });
    sums.into_iter()
        .map(|s| s.into_inner().unwrap_or(f64::NAN))
        .sum::<f64>()
        .sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqc_device::abi::Init;

    /// Ten steps against the published algorithm written plainly in f64.
    #[test]
    fn agrees_with_the_published_algorithm() {
        let recipe = Recipe {
            lr: 0.1,
            beta1: 0.8,
            beta2: 0.9,
            decay: 0.5,
            warmup: 3,
            steps: 10,
            ..Recipe::default()
        };
        let n = CHUNK + 37;
        let mut store = Store::new(0);
        for (path, decay) in [("a", true), ("b", false)] {
            store
                .declare(path, &[n], &Init::Normal { std: 1.0 }, decay)
                .expect("declared");
            store.declare_grad(path, &[n]).expect("declared");
        }
        let mut adam = AdamW::new(&store);
        let mut want: Vec<[f64; 3]> = store
            .iter()
            .flat_map(|(_, p)| p.value())
            .map(|&x| [f64::from(x), 0.0, 0.0])
            .collect();
        let pool = Pool::new(3);
        for step in 0..10u64 {
            let grad = |i: usize| ((i as f64 * 0.37 + step as f64).sin() * 2.0) as f32;
            for (k, (_, p)) in store.iter_mut().enumerate() {
                let (_, g) = p.both_mut().expect("has one");
                g.iter_mut()
                    .enumerate()
                    .for_each(|(i, g)| *g = grad(k * n + i));
            }
            let norm = grad_norm(&store, &pool);
            let plain = (0..2 * n)
                .map(|i| f64::from(grad(i)).powi(2))
                .sum::<f64>()
                .sqrt();
            assert!((norm / plain - 1.0).abs() < 1e-12);
            adam.update(&mut store, &recipe, step, 0.5, &pool)
                .expect("updates");
            let (lr, t) = (recipe.lr_at(step), step as i32 + 1);
            for (i, [x, m, v]) in want.iter_mut().enumerate() {
                let g = f64::from(grad(i)) * 0.5;
                *m = 0.8 * *m + 0.2 * g;
                *v = 0.9 * *v + 0.1 * g * g;
                let (mh, vh) = (*m / (1.0 - 0.8f64.powi(t)), *v / (1.0 - 0.9f64.powi(t)));
                let decay = if i < n { 0.5 } else { 0.0 };
                *x -= lr * (mh / (vh.sqrt() + 1e-8) + decay * *x);
            }
        }
        let got = store.iter().flat_map(|(_, p)| p.value());
        let worst = got
            .zip(&want)
            .map(|(x, w)| (f64::from(*x) - w[0]).abs())
            .fold(0.0, f64::max);
        assert!(worst < 3e-6, "{worst}");
    }

    #[test]
    fn a_parameter_without_gradient_is_named() {
        let mut store = Store::new(0);
        store
            .declare("lonely", &[2], &Init::Zero, true)
            .expect("declared");
        let mut adam = AdamW::new(&store);
        let error = adam
            .update(&mut store, &Recipe::default(), 0, 1.0, &Pool::new(1))
            .expect_err("refused");
        assert!(error.0.contains("`lonely`"));
    }
}
