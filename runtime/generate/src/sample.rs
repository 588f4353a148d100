//! From logits to a token: temperature, then the k likeliest, then the likeliest that make up p, then a draw.
//!
//! The draw inverts the distribution function in the order of the tokens at one uniform number, which is a function
//! of the seed and the token's position only. Equal logits rank in the order of their tokens.

use seqc_device::{Philox, Result, fail, key_of};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits; 0 takes the likeliest token always.
    pub temperature: f64,
    /// Only so many of the likeliest tokens; 0 for all.
    pub top_k: usize,
    /// Of those, only the likeliest whose probabilities reach this sum; above 0, at most 1 (all).
    pub top_p: f64,
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Sampling {
        Sampling {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            seed: 0,
        }
    }
}

/// Draws tokens; keeps its buffers from draw to draw.
pub struct Sampler {
    how: Sampling,
    philox: Philox,
    weights: Vec<f64>,
    order: Vec<usize>,
}

impl Sampler {
    /// The error names the number that makes no sense.
    pub fn new(how: Sampling) -> Result<Sampler> {
        if !(how.temperature >= 0.0 && how.temperature.is_finite()) {
            fail!("a temperature is at least 0, not {}", how.temperature);
        }
        if !(how.top_p > 0.0 && how.top_p <= 1.0) {
            fail!("top-p is above 0 and at most 1, not {}", how.top_p);
        }
        Ok(Sampler {
            how,
            philox: Philox::new(key_of(how.seed, "sample")),
            weights: Vec::new(),
            order: Vec::new(),
        })
    }

    /// The token at a position. Errors: a logit that is no number or +inf, or nothing but -inf.
    pub fn pick(&mut self, logits: &[f32], position: usize) -> Result<usize> {
        let Some((best, top)) = likeliest(logits)? else {
            fail!("there is nothing to draw from: every logit is -inf");
        };
        if self.how.temperature == 0.0 {
            return Ok(best);
        }
        self.weights.clear();
        let weight = |l: &f32| ((f64::from(*l) - f64::from(top)) / self.how.temperature).exp();
        self.weights.extend(logits.iter().map(weight));
        self.truncate();
        let at = position as u64;
        let u = self.philox.unit([at as u32, (at >> 32) as u32, 0, 0]);
        let mut left = u * self.weights.iter().sum::<f64>();
        for (token, w) in self.weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            left -= w;
            if left < 0.0 {
                return Ok(token);
            }
        }
        // Only rounding leads here: the draw was at the very end.
        Ok(self.weights.iter().rposition(|w| *w > 0.0).unwrap_or(best))
    }

    /// Sets the weights of all tokens that top-k and top-p leave out to 0.
    fn truncate(&mut self) {
        let Sampling { top_k, top_p, .. } = self.how;
        let n = self.weights.len();
        let k = if top_k == 0 { n } else { top_k.min(n) };
        if k == n && top_p == 1.0 {
            return;
        }
        let weights = &mut self.weights;
        self.order.clear();
        self.order.extend(0..n);
        self.order
            .sort_unstable_by(|&a, &b| weights[b].total_cmp(&weights[a]).then(a.cmp(&b)));
        let total: f64 = self.order[..k].iter().map(|&t| weights[t]).sum();
        let (mut sum, mut kept) = (0.0, 0);
        while kept < k && (kept == 0 || sum < top_p * total) {
            sum += weights[self.order[kept]];
            kept += 1;
        }
        self.order[kept..].iter().for_each(|&t| weights[t] = 0.0);
    }
}

/// The first of the largest logits; `None` if all are -inf.
fn likeliest(logits: &[f32]) -> Result<Option<(usize, f32)>> {
    let mut best: Option<(usize, f32)> = None;
    for (token, &l) in logits.iter().enumerate() {
        if l.is_nan() || l == f32::INFINITY {
            fail!("the logit of token {token} is {l}: the weights do not make a working model");
        }
        if l > best.map_or(f32::NEG_INFINITY, |b| b.1) {
            best = Some((token, l));
        }
    }
    Ok(best)
}

#[cfg(test)]
#[path = "sample_tests.rs"]
mod tests;
