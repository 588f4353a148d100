//! Matrices over time: softmax and other scores, in domains.

use super::{Ax, Gen, Value};

impl Gen {
    /// A matrix times values.
    pub(super) fn pairs(&mut self) -> Value {
        let r = self.roles();
        let m = self.matrix(&r.b, &r.k);
        let v = self.free(&r.values());
        let product = self.times(&[format!("{m}[t,j]"), format!("{v}[j]")]);
        let text = match self.rng.below(6) {
            0 => {
                let other = self.matrix(&r.b, &r.k);
                format!("sum[j](({m}[t,j] + 0.5 * {other}[t,j]) * {v}[j])")
            }
            1 => {
                let w = self.free(&r.b);
                format!("sum[j]({product} * {w}[j])")
            }
            _ => format!("sum[j]({product})"),
        };
        self.define(text, r.values())
    }

    /// A matrix with heads, from keys.
    fn matrix(&mut self, heads: &[Ax], keys: &[Ax]) -> String {
        let both = [heads, keys].concat();
        let (q, k) = (self.free(&both), self.free(&both));
        let over = self.brackets(keys);
        let product = self.times(&[format!("{q}[i]"), format!("{k}[j]")]);
        let score = format!("sum{over}({product})");
        let domain = self.domain(heads);
        let causal = domain.starts_with("  where j <= i") || domain.starts_with("  where j < i");
        let text = match self.rng.below(13) {
            0..3 => format!("softmax[j]({score} / sqrt({}))", self.size(keys)),
            3 => {
                let slope = self.table(heads, "0", "1");
                format!("softmax[j]({score} - {slope} * (i - j))")
            }
            4 => {
                let bias = self.free(heads);
                format!("softmax[j]({bias}[j] + 0.5 * {score})")
            }
            5 => format!("relu({score} / (i + 1)) ^ 2"),
            6 => format!("sigmoid({score}) / (i + 1)"),
            7 => format!("exp(-sum{over}(({q}[i] - {k}[j]) ^ 2))"),
            8 => {
                let (a, b) = (self.positive(heads), self.positive(heads));
                format!("{score} / ({a}[i] + {b}[j])")
            }
            9 if causal => {
                let g = self.table(heads, "0.5", "1");
                format!("{g} ^ (i - j) * {score}")
            }
            10 if causal => {
                let c = self.running_log(heads);
                format!("exp({c}[i] - {c}[j]) * {score}")
            }
            11 => {
                let p = self.projection(heads);
                let g = self.named("a", format!("sigmoid({p})"));
                format!("{g}[j] * softmax[j](tanh({score}))")
            }
            _ => score,
        };
        let m = self.fresh("M");
        self.line(format!("{m}[i,j] = {text}{domain}"));
        m
    }

    fn positive(&mut self, axes: &[Ax]) -> String {
        let p = self.projection(axes);
        self.named("p", format!("softplus({p}) + 0.5"))
    }

    /// A running sum of logarithms of decays.
    fn running_log(&mut self, axes: &[Ax]) -> String {
        let p = self.projection(axes);
        let (c, braces) = (self.fresh("S"), self.braces(axes));
        self.line(format!("state {c}{braces}"));
        self.line(format!("{c}[t] = {c}[t-1] + logsigmoid({p})"));
        c
    }

    fn domain(&mut self, heads: &[Ax]) -> String {
        let window = self.rng.between(1, 7);
        let text = match self.rng.below(10) {
            0 if !self.causal => return String::new(),
            1 if !self.causal => format!("i - j < {window} and j - i < {window}"),
            2 if !self.causal => "j >= i".into(),
            3 => "j < i".into(),
            4..7 => format!("j <= i and i - j < {window}"),
            7 => {
                let condition = self.condition(heads);
                let (name, rest) = condition.split_once(' ').expect("a comparison");
                format!("j <= i and {name}[j] {rest}")
            }
            8 => format!("j <= i and i - j < {window} or j < 2 and j <= i"),
            _ => "j <= i".into(),
        };
        format!("  where {text}")
    }
}
