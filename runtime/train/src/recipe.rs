//! The recipe of a training run: plain settings, checked before anything starts.

use seqc_device::{Result, fail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::f64::consts::PI;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Peak learning rate.
    pub lr: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    /// Decoupled weight decay, on the parameters that want it.
    pub decay: f64,
    /// Steps of linear warm-up.
    pub warmup: u64,
    /// The schedule ends at this fraction of `lr`.
    pub floor: f64,
    /// Rows of a batch, and tokens of a row.
    pub batch: usize,
    pub length: usize,
    /// Each document in a row is a sequence of its own; otherwise a row is one.
    pub packed: bool,
    pub steps: u64,
    /// Largest global norm of the gradient; 0 for no bound.
    pub clip: f64,
    pub seed: u64,
    /// Steps between validations, and their batches; 0 for never.
    pub eval_every: u64,
    pub eval_batches: usize,
    /// Steps between checkpoints; 0 for only at the end.
    pub save_every: u64,
    /// Stop after this much wall-clock time, all resumptions together.
    pub seconds: Option<f64>,
}

/// Tokens of a batch.
const MOST: usize = 1 << 40;

impl Default for Recipe {
    fn default() -> Recipe {
        Recipe {
            lr: 1e-3,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-8,
            decay: 0.1,
            warmup: 100,
            floor: 0.1,
            batch: 16,
            length: 256,
            packed: false,
            steps: 1000,
            clip: 1.0,
            seed: 0,
            eval_every: 100,
            eval_batches: 4,
            save_every: 500,
            seconds: None,
        }
    }
}

impl Recipe {
    /// The error names the setting, its value and what it should be.
    pub fn validate(&self) -> Result<()> {
        let fraction = |x: f64| (0.0..1.0).contains(&x);
        let wants = [
            (
                "lr",
                self.lr,
                self.lr > 0.0 && self.lr.is_finite(),
                "above 0",
            ),
            (
                "beta1",
                self.beta1,
                fraction(self.beta1),
                "at least 0 and below 1",
            ),
            (
                "beta2",
                self.beta2,
                fraction(self.beta2),
                "at least 0 and below 1",
            ),
            (
                "eps",
                self.eps,
                self.eps > 0.0 && self.eps.is_finite(),
                "above 0",
            ),
            (
                "decay",
                self.decay,
                self.decay >= 0.0 && self.decay.is_finite(),
                "at least 0",
            ),
            (
                "floor",
                self.floor,
                (0.0..=1.0).contains(&self.floor),
                "between 0 and 1",
            ),
            ("clip", self.clip, self.clip >= 0.0, "at least 0"),
            ("batch", self.batch as f64, self.batch > 0, "at least 1"),
            ("length", self.length as f64, self.length > 1, "at least 2"),
            (
                "steps",
                self.steps as f64,
                (1..=u64::from(u32::MAX)).contains(&self.steps),
                "from 1 to 4294967295",
            ),
            (
                "seconds",
                self.seconds.unwrap_or(1.0),
                self.seconds.is_none_or(|s| s > 0.0),
                "above 0",
            ),
        ];
        if let Some((name, value, _, want)) = wants.iter().find(|w| !w.2) {
            fail!("recipe: `{name}` is {value}, it must be {want}");
        }
        if !self.rows_fit() {
            fail!(
                "recipe: `batch` is {} and `length` is {}; together they must be at most {MOST} tokens",
                self.batch,
                self.length
            );
        }
        Ok(())
    }

    /// A batch's tokens are counted without overflow, by far.
    fn rows_fit(&self) -> bool {
        let tokens = self.batch.checked_mul(self.length);
        tokens.is_some_and(|n| n <= MOST)
    }

    /// The first setting, with its value now and then, by which a run that goes on would be another run. How long it
    /// goes on, and what is looked at on the way, may change.
    pub fn another(&self, then: &Recipe) -> Option<(String, Value, Value)> {
        const FREE: [&str; 5] = [
            "steps",
            "seconds",
            "eval_every",
            "eval_batches",
            "save_every",
        ];
        let table = |r: &Recipe| match serde_json::to_value(r) {
            Ok(Value::Object(all)) => all,
            _ => serde_json::Map::new(),
        };
        let mut old = table(then);
        let mut pairs = table(self)
            .into_iter()
            .map(|(name, now)| (old.remove(&name).unwrap_or_default(), name, now));
        pairs
            .find(|(then, name, now)| then != now && !FREE.contains(&name.as_str()))
            .map(|(then, name, now)| (name, now, then))
    }

    /// Learning rate of step `step` (from 0): linear to the peak, then half a cosine down to the floor.
    pub fn lr_at(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.lr * (step + 1) as f64 / self.warmup as f64;
        }
        let span = self
            .steps
            .saturating_sub(self.warmup)
            .saturating_sub(1)
            .max(1);
        let done = ((step - self.warmup) as f64 / span as f64).min(1.0);
        self.lr * (self.floor + (1.0 - self.floor) * 0.5 * (1.0 + (PI * done).cos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_rises_peaks_and_ends_at_its_floor() {
        let r = Recipe {
            lr: 2.0,
            warmup: 4,
            floor: 0.25,
            steps: 15,
            ..Recipe::default()
        };
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(r.lr_at(0), 0.5);
        close(r.lr_at(3), 2.0);
        close(r.lr_at(4), 2.0);
        close(r.lr_at(9), 2.0 * (0.25 + 0.75 / 2.0));
        close(r.lr_at(14), 0.5);
        close(r.lr_at(99), 0.5);
        let short = Recipe {
            warmup: 0,
            steps: 1,
            ..r
        };
        close(short.lr_at(0), 2.0);
    }

    #[test]
    fn what_makes_another_run_is_told() {
        let then = Recipe::default();
        let told = |now: Recipe| now.another(&then).map(|(name, ..)| name);
        let more = Recipe {
            steps: 7,
            seconds: Some(3.0),
            eval_every: 1,
            eval_batches: 1,
            save_every: 1,
            ..Recipe::default()
        };
        assert_eq!(told(more), None);
        let d = Recipe::default;
        for (name, now) in [
            ("lr", Recipe { lr: 0.5, ..d() }),
            ("seed", Recipe { seed: 1, ..d() }),
            ("warmup", Recipe { warmup: 1, ..d() }),
            (
                "packed",
                Recipe {
                    packed: true,
                    ..d()
                },
            ),
            ("clip", Recipe { clip: 0.0, ..d() }),
        ] {
            assert_eq!(told(now).as_deref(), Some(name));
        }
    }

    #[test]
    fn nonsense_is_named() {
        let refused =
            |r: Recipe, part: &str| assert!(r.validate().expect_err(part).0.contains(part));
        let d = Recipe::default;
        assert_eq!(d().validate(), Ok(()));
        refused(
            Recipe {
                lr: f64::NAN,
                ..d()
            },
            "`lr` is NaN",
        );
        refused(Recipe { beta2: 1.0, ..d() }, "`beta2` is 1");
        refused(Recipe { batch: 0, ..d() }, "`batch` is 0");
        refused(Recipe { length: 1, ..d() }, "`length`");
        let huge = Recipe {
            batch: usize::MAX / 2,
            ..d()
        };
        refused(huge, "and `length` is 256; together");
        refused(
            Recipe {
                seconds: Some(-1.0),
                ..d()
            },
            "`seconds` is -1",
        );
    }
}
