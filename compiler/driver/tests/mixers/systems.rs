//! Recurrences of several states, nonlinear cells, and complex states.

use super::recurrences::Roles;
use super::{Ax, Gen, Value};

impl Gen {
    pub(super) fn system(&mut self) -> Value {
        match self.rng.below(12) {
            0 | 1 => self.normalised(),
            2 => self.rotation(),
            3 => self.cascade(),
            4 => self.exchange(),
            5 => self.fast_weights(),
            6 | 7 => self.cell(),
            8 => self.stabilised(),
            9 => self.counted(),
            _ => self.complex(),
        }
    }

    fn pair(&mut self, axes: &[Ax]) -> (String, String) {
        (self.state(axes), self.state(axes))
    }

    /// A sum beside the sum of its weights.
    fn normalised(&mut self) -> Value {
        let r = self.roles();
        let (s, z) = (self.state(&r.all()), self.fresh("S"));
        let braces = self.braces(&r.keys());
        self.line(format!("state {z}{braces}"));
        let p = self.projection(&r.keys());
        let positive = self.rng.pick(&["softplus", "sigmoid"]);
        let k = self.named("k", format!("{positive}({p})"));
        let v = self.free(&r.values());
        let a = self.gate(&r.b);
        let q = self.projection(&r.keys());
        let q = self.named("q", format!("sigmoid({q})"));
        let over = self.brackets(&r.k);
        let (kept, entered) = (
            self.times(&[a.clone(), format!("{s}[t-1]")]),
            self.times(&[k.clone(), v]),
        );
        let next = self.plus(&[kept, entered]);
        self.line(format!("{s}[t] = {next}"));
        let kept = self.times(&[a, format!("{z}[t-1]")]);
        let next = self.plus(&[kept, k]);
        self.line(format!("{z}[t] = {next}"));
        let text = match self.rng.below(3) {
            0 => format!("sum{over}({q} * {s}) / (0.1 + sum{over}({q} * {z}))"),
            1 => format!("sum{over}({s} * {q}) / max(sum{over}({z} * {q}), 1)"),
            _ => format!("sum{over}({q} * {s} / (0.1 + {z}))"),
        };
        self.define(text, r.values())
    }

    /// A damped oscillator.
    fn rotation(&mut self) -> Value {
        let r = self.roles();
        let (a, b) = self.pair(&r.all());
        let decay = self.gate(&r.b);
        let phase = self.projection(&r.keys());
        let phase = self.named("p", phase);
        let (u, w) = (self.input(&r), self.free(&r.keys()));
        self.line(format!(
            "{a}[t] = {decay} * (cos({phase}) * {a}[t-1] - sin({phase}) * {b}[t-1]) + {u}"
        ));
        self.line(format!(
            "{b}[t] = {decay} * (sin({phase}) * {a}[t-1] + cos({phase}) * {b}[t-1])"
        ));
        let over = self.brackets(&r.k);
        self.define(format!("sum{over}({a} + {w} * {b})"), r.values())
    }

    /// The first state enters the second, in the same step.
    fn cascade(&mut self) -> Value {
        let r = self.roles();
        let (a, b) = self.pair(&r.all());
        let (f, g) = (self.gate(&r.keys()), self.gate(&r.b));
        let u = self.input(&r);
        let kept = self.times(&[f, format!("{a}[t-1]")]);
        let next = self.plus(&[kept, u]);
        let keep = self.rest_of(&g);
        let seen = match self.rng.below(3) {
            0 => format!("{a}[t-1]"),
            1 => format!("tanh({a})"),
            _ => a.clone(),
        };
        let second = format!("{b}[t] = {keep} * {b}[t-1] + {g} * {seen}");
        let first = format!("{a}[t] = {next}");
        let lines = if self.rng.chance(50) {
            [first, second]
        } else {
            [second, first]
        };
        lines.into_iter().for_each(|l| self.line(l));
        self.read(&r, &b, &format!("{b}[t-1]"))
    }

    /// Two states that feed each other.
    fn exchange(&mut self) -> Value {
        let r = self.roles();
        let (a, b) = self.pair(&r.all());
        let (f, g) = (self.gate(&r.b), self.gate(&r.keys()));
        let (u, v) = (self.input(&r), self.free(&r.all()));
        let (f1, g1) = (self.rest_of(&f), self.rest_of(&g));
        self.line(format!("{a}[t] = {f} * {a}[t-1] + {f1} * {b}[t-1] + {u}"));
        let seen = self.rng.pick(&["tanh", "abs", "sin", ""]);
        self.line(format!(
            "{b}[t] = 0.5 * {g} * {b}[t-1] + 0.5 * {g1} * {seen}({a}[t-1]) + {v}"
        ));
        self.read(&r, &a, &format!("{a}[t-1]"))
    }

    /// A matrix state whose gate or key is another recurrence.
    fn fast_weights(&mut self) -> Value {
        let r = self.roles();
        let s = self.state(&r.all());
        let h = self.state(&r.keys());
        let u = self.free(&r.keys());
        let g = self.gate(&r.b);
        let keep = self.rest_of(&g);
        self.line(format!("{h}[t] = {g} * {h}[t-1] + {keep} * tanh({u})"));
        let over = self.brackets(&r.k);
        let v = self.free(&r.values());
        let at = self.rng.pick(&["", "[t-1]"]);
        match self.rng.below(3) {
            0 => self.line(format!("{s}[t] = sigmoid({h}{at}) * {s}[t-1] + {u} * {v}")),
            1 => {
                let norm = format!("sqrt(0.1 + sum{over}(({h}{at} + {u}) ^ 2))");
                let k = self.named("k", format!("({h}{at} + {u}) / {norm}"));
                self.line(format!(
                    "{s}[t] = {s}[t-1] + 0.5 * {k} * ({v} - sum{over}({k} * {s}[t-1]))"
                ));
            }
            _ => self.line(format!("{s}[t] = 0.9 * {s}[t-1] + {h} * {v}")),
        }
        self.read(&r, &s, &format!("{s}[t-1]"))
    }

    /// A gated cell with weights on its own past.
    fn cell(&mut self) -> Value {
        let axes = self.some_axes(1, 2);
        let (a, heads) = (axes[0], axes[1..].to_vec());
        let name = self.axes[a].0.clone();
        let h = self.state(&axes);
        let per = match heads.is_empty() || self.rng.chance(50) {
            true => String::new(),
            false => format!(", per {}", self.joined(&heads, " ")),
        };
        let r = self.named("r", format!("linear({h}[t-1], {name} -> {name}{per})"));
        let u = self.free(&axes);
        let g = self.gate(&axes);
        let text = match self.rng.below(6) {
            0 => format!("tanh({u} + 0.8 * {r})"),
            1 => format!("{g} * {h}[t-1] + (1 - {g}) * tanh({r} + {u})"),
            2 => {
                let z = self.named("z", format!("sigmoid({r} + {u})"));
                format!("(1 - {z}) * {h}[t-1] + {z} * {u}")
            }
            3 => format!("sin({u} + 0.5 * {r})"),
            4 => format!("relu(0.5 * {r} + {u}) / (1 + abs({u}))"),
            _ => {
                let c = self.state(&axes);
                self.line(format!(
                    "{c}[t] = {g} * {c}[t-1] + sigmoid({r}) * tanh({u} + {r})"
                ));
                format!("sigmoid({u}) * tanh({c})")
            }
        };
        self.line(format!("{h}[t] = {text}"));
        self.define(h, axes)
    }

    /// A sum of exponentials with its running maximum.
    fn stabilised(&mut self) -> Value {
        let axes = self.some_axes(1, 2);
        let braces = self.braces(&axes);
        let [c, n, m] = ["c", "n", "m"].map(|p| self.fresh(&format!("S{p}")));
        self.line(format!("state {c}{braces}"));
        self.line(format!("state {n}{braces}"));
        self.line(format!("state {m}{braces} = -inf"));
        let (i, f) = (self.projection(&axes), self.projection(&axes));
        let i = self.named("v", i);
        let f = self.named("v", format!("logsigmoid({f})"));
        let u = self.free(&axes);
        self.line(format!("{m}[t] = max({f} + {m}[t-1], {i})"));
        self.line(format!(
            "{c}[t] = exp({f} + {m}[t-1] - {m}) * {c}[t-1] + exp({i} - {m}) * {u}"
        ));
        self.line(format!(
            "{n}[t] = exp({i} - {m}) + {n}[t-1] * exp({f} + {m}[t-1] - {m})"
        ));
        self.define(format!("{c} / {n}"), axes)
    }

    /// Running means, maxima and counts.
    fn counted(&mut self) -> Value {
        let axes = self.some_axes(1, 2);
        let (a, b) = self.pair(&axes);
        let u = self.free(&axes);
        let condition = self.condition(&axes);
        self.line(format!("{a}[t] = {a}[t-1] + ({condition})"));
        let text = match self.rng.below(3) {
            0 => format!("{b}[t-1] + ({u} - {b}[t-1]) / max(abs({a}), 1)"),
            1 => format!("max({b}[t-1], {u}) * 0.9"),
            _ => format!("select({u} > 0.3, {u}, {b}[t-1])"),
        };
        self.line(format!("{b}[t] = {text}"));
        self.define(format!("{b} / (1 + 0.1 * abs({a}))"), axes)
    }

    /// A complex state: rotating decays, real input and read.
    fn complex(&mut self) -> Value {
        let r = self.roles();
        let keys = r.keys();
        let fixed = self.rng.some(&keys, 80);
        let (rate, turn) = (self.table(&fixed, "0", "1"), self.table(&fixed, "-2", "2"));
        let a = match self.rng.below(3) {
            0 => format!("exp(-exp({rate}) + 1i * {turn})"),
            1 => {
                let p = self.projection(&r.b);
                format!("exp(softplus({p}) * (-exp({rate}) + 1i * {turn}))")
            }
            _ => {
                let g = self.gate(&r.b);
                format!("{g} * exp(1i * {turn})")
            }
        };
        let a = self.named("a", a);
        let s = self.fresh("S");
        let braces = self.braces(&r.all());
        self.line(format!("state {s}{braces}"));
        let input = self.input(&r);
        let input = match self.rng.chance(40) {
            true => {
                let b = self.fresh("w");
                let braces = self.braces(&keys);
                self.line(format!(
                    "param {b}{braces} = normal(0.5) + 1i * normal(0.5)"
                ));
                format!("{b} * ({input})")
            }
            false => input,
        };
        let kept = self.times(&[a, format!("{s}[t-1]")]);
        let next = self.plus(&[kept, input]);
        self.line(format!("{s}[t] = {next}"));
        let text = self.complex_read(&r, &s);
        self.define(text, r.values())
    }

    fn complex_read(&mut self, r: &Roles, s: &str) -> String {
        let over = self.brackets(&r.k);
        let c = self.fresh("w");
        let braces = self.braces(&r.keys());
        self.line(format!(
            "param {c}{braces} = normal(0.5) + 1i * normal(0.5)"
        ));
        let q = self.free(&r.keys());
        match self.rng.below(5) {
            0 => format!("sum{over}(re({s}) + {q} * im({s}))"),
            1 => format!("re(sum{over}({q} * {c} * {s}))"),
            2 => format!("sum{over}(abs({s}) ^ 2) / (1 + sum{over}(abs({c})))"),
            3 => format!("im(sum{over}(conj({c}) * {s}))"),
            _ => format!("2 * re(sum{over}({s} * {c}))"),
        }
    }
}
