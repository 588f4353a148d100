//! Projections, gates, norms, and blocks that are pointwise in time.

use super::{Ax, Gen, Value};

impl Gen {
    /// Something to read from, with an axis to sum over.
    fn source(&mut self) -> Value {
        let last = self.pool.len() - 1;
        let v = match self.rng.chance(60) {
            true => self.pool[last].clone(),
            false => self.rng.pick(&self.pool),
        };
        if v.axes.is_empty() {
            self.pool[0].clone()
        } else {
            v
        }
    }

    /// A value onto other axes: `linear` or `affine` over all or some of its own.
    pub(super) fn onto(&mut self, v: &Value, axes: &[Ax]) -> String {
        if v.axes.is_empty() {
            let w = self.fresh("w");
            let braces = self.braces(axes);
            self.line(format!("param {w}{braces} = uniform(-1, 1)"));
            return self.times(&[w, v.name.clone()]);
        }
        let shared: Vec<Ax> = v
            .axes
            .iter()
            .copied()
            .filter(|a| axes.contains(a))
            .collect();
        let mut kept = self.rng.some(&shared, 30);
        if kept.len() == v.axes.len() {
            kept.pop();
        }
        let beside =
            |all: &[Ax]| -> Vec<Ax> { all.iter().copied().filter(|a| !kept.contains(a)).collect() };
        let (mut left, mut right) = (beside(&v.axes), beside(axes));
        self.rng.shuffle(&mut left);
        self.rng.shuffle(&mut right);
        let name = if self.rng.chance(50) {
            "linear"
        } else {
            "affine"
        };
        let (left, right) = (self.joined(&left, " "), self.joined(&right, " "));
        let per = self.rng.some(&kept, 50);
        let per = match per.is_empty() {
            true => String::new(),
            false => format!(", per {}", self.joined(&per, " ")),
        };
        format!("{name}({}, {left} -> {right}{per})", v.name)
    }

    /// A projection of something known.
    pub(super) fn projection(&mut self, axes: &[Ax]) -> String {
        let v = self.source();
        self.onto(&v, axes)
    }

    /// A sequence of about unit size, as a name.
    pub(super) fn free(&mut self, axes: &[Ax]) -> String {
        let p = self.projection(axes);
        let text = match self.rng.below(8) {
            0 => format!("silu({p})"),
            1 => format!("tanh({p})"),
            2 => format!("elu({p}) + 1"),
            3 => {
                let u = self.named("v", p);
                self.earlier(&u)
            }
            _ => p,
        };
        self.named("v", text)
    }

    /// A value beside its past.
    fn earlier(&mut self, u: &str) -> String {
        match self.rng.below(4) {
            0 => format!("{u}[t-1]"),
            1 => format!("{u} + 0.5 * {u}[t-2]"),
            2 => format!("{u} - {u}[t-1]"),
            _ if !self.causal => format!("{u}[t+1]"),
            _ => format!("0.5 * ({u}[t-1] + {u}[t-3])"),
        }
    }

    /// A norm of an atom over some of its axes.
    pub(super) fn norm(&mut self, v: &str, axes: &[Ax]) -> String {
        let over = self.normed(axes);
        let (one, over) = (self.size(&over) == 1, self.list(&over));
        // The norm of a single number is its sign.
        match self.rng.below(3) {
            0 if !one => {
                self.imports.insert("rmsnorm");
                format!("rmsnorm[{over}]({v})")
            }
            1 if !one => format!("l2norm[{over}]({v})"),
            _ => self.soft_norm(v, axes),
        }
    }

    /// A norm that is smooth at 0.
    pub(super) fn soft_norm(&mut self, v: &str, axes: &[Ax]) -> String {
        let over = self.normed(axes);
        let over = self.list(&over);
        format!("{v} / sqrt(mean[{over}]({v} ^ 2) + 0.1)")
    }

    fn normed(&mut self, axes: &[Ax]) -> Vec<Ax> {
        let over = self.rng.some(axes, 60);
        if over.is_empty() { vec![axes[0]] } else { over }
    }

    /// A sequence of rows of at most unit length along `over`.
    pub(super) fn unit_key(&mut self, axes: &[Ax], over: &[Ax]) -> String {
        let p = self.projection(axes);
        let one = self.size(over) == 1;
        let over = self.brackets(over);
        let text = match self.rng.below(3) {
            _ if one => format!("tanh({p})"),
            0 => format!("l2norm{over}({p})"),
            1 => format!("l2norm{over}(silu({p}))"),
            _ => {
                let u = self.named("v", p);
                format!("{u} / sqrt(sum{over}({u} * {u}) + 0.01)")
            }
        };
        self.named("k", text)
    }

    /// A table with numbers from `low` to `high`.
    pub(super) fn table(&mut self, axes: &[Ax], low: &str, high: &str) -> String {
        let name = self.fresh("w");
        let braces = self.braces(axes);
        self.line(format!("param {name}{braces} = uniform({low}, {high})"));
        name
    }

    /// Something in [0, 1] on these axes, as an atom: data, parameters or constants.
    pub(super) fn gate(&mut self, axes: &[Ax]) -> String {
        let text = match self.rng.below(11) {
            0 => return self.rng.pick(&["0.9", "0.5", "1", "0.99"]).into(),
            1 => format!("sigmoid({})", self.table(axes, "-1", "3")),
            2 if !axes.is_empty() => {
                let a = self.rng.pick(axes);
                format!("1 - 2 ^ (-1 - range({}))", self.axes[a].0)
            }
            3 => format!("exp(-softplus({}))", self.projection(axes)),
            4 => {
                let rate = self.table(axes, "-1", "1");
                let p = self.projection(axes);
                let product = self.times(&[format!("softplus({p})"), format!("exp({rate})")]);
                format!("exp(-({product}))")
            }
            5 => format!("sigmoid({}) ^ (1 / 8)", self.projection(axes)),
            6 => format!("1 / (1 + softplus({}))", self.projection(axes)),
            7 => format!("min(max({}, 0), 1)", self.projection(axes)),
            8 => format!("1 - 0.5 * sigmoid({})", self.projection(axes)),
            _ => format!("sigmoid({})", self.projection(axes)),
        };
        self.named("a", text)
    }

    /// Something in [-1, 1].
    pub(super) fn signed_gate(&mut self, axes: &[Ax]) -> String {
        if self.rng.chance(75) {
            return self.gate(axes);
        }
        let p = self.projection(axes);
        let f = self.rng.pick(&["tanh", "sin", "cos"]);
        self.named("a", format!("{f}({p})"))
    }

    /// A condition on data, constant nearly everywhere.
    pub(super) fn condition(&mut self, axes: &[Ax]) -> String {
        let p = self.projection(axes);
        let u = self.named("c", p);
        format!("{u} > 0.3")
    }

    /// A block without time.
    pub(super) fn pointwise(&mut self) -> Value {
        let axes = self.some_axes(1, 3);
        let u = self.free(&axes);
        let (a, rest) = (axes[0], axes[1..].to_vec());
        let name = self.axes[a].0.clone();
        let (text, axes) = match self.rng.below(12) {
            0 => (format!("sum[{name}]({u} * {u}) / {name}"), rest),
            1 => (format!("mean[{name}]({u}) + max[{name}]({u})"), rest),
            2 => (format!("softmax[{name}]({u}) * {u}"), axes),
            3 => (format!("logsumexp[{name}]({u}) * {u}"), axes),
            4 => (format!("shift[{name}]({u}, 1) + {u}"), axes),
            5 => (format!("{u}{{{name} = 0}} * {u}"), axes),
            6 => (format!("{u}{{{name} = {name} - 1 - range({name})}}"), axes),
            7 => {
                let condition = self.condition(&axes);
                let v = self.free(&axes);
                (format!("select({condition}, {u}, {v})"), axes)
            }
            8 => {
                let v = self.free(&axes);
                (format!("max({u}, {v}) - min({u}, 0.5 * {v})"), axes)
            }
            9 if !self.on_ticks => (format!("{u} * cos(0.3 * t) / sqrt(t + 1)"), axes),
            10 if !self.causal => (format!("reverse({u}) + mean[t]({u})"), axes),
            _ => {
                let picked = format!("top[{name}]({u}, 1)");
                (format!("{u} * {picked} + erf({u})"), axes)
            }
        };
        self.define(text, axes)
    }
}
