//! Recurrences of one state: stages of any transition, one after the other, an input, and reads.

use super::{Ax, Gen, MOST, Value};

/// What the axes of a state are for.
pub(super) struct Roles {
    /// Contracted by reads, and moved by what feeds the state back.
    pub k: Vec<Ax>,
    /// Columns.
    pub v: Vec<Ax>,
    /// Copies of the recurrence.
    pub b: Vec<Ax>,
}

impl Roles {
    pub fn all(&self) -> Vec<Ax> {
        [self.b.clone(), self.k.clone(), self.v.clone()].concat()
    }

    pub fn keys(&self) -> Vec<Ax> {
        [self.b.clone(), self.k.clone()].concat()
    }

    pub fn values(&self) -> Vec<Ax> {
        [self.b.clone(), self.v.clone()].concat()
    }
}

impl Gen {
    pub(super) fn roles(&mut self) -> Roles {
        let all = self.shuffled();
        let k = self.rng.pick(&[1, 1, 1, 2]);
        let mut r = Roles {
            k: all[..k].to_vec(),
            v: vec![],
            b: vec![],
        };
        for a in &all[k..] {
            match self.rng.below(4) {
                0 | 1 if r.v.len() < 2 => r.v.push(*a),
                2 if r.b.is_empty() => r.b.push(*a),
                _ => {}
            }
        }
        while self.size(&r.all()) > MOST {
            if r.v.pop().is_none() && r.b.pop().is_none() {
                r.k.pop();
            }
        }
        r
    }

    /// Declares a state; gives its name.
    pub(super) fn state(&mut self, axes: &[Ax]) -> String {
        let name = self.fresh("S");
        let start = match self.rng.below(8) {
            0 => " = 0.5".to_owned(),
            1 => {
                let own = self.rng.some(axes, 60);
                format!(" = {}", self.table(&own, "-1", "1"))
            }
            2 => {
                let own = self.rng.some(axes, 60);
                format!(" = {}[first]", self.free(&own))
            }
            _ => String::new(),
        };
        let braces = self.braces(axes);
        let line = format!("state {name}{braces}{start}");
        self.line(line);
        name
    }

    pub(super) fn recurrence(&mut self) -> Value {
        let r = self.roles();
        let s = self.state(&r.all());
        let before = match self.rng.below(12) {
            0 if !self.causal => format!("{s}[t+1]"),
            1 => format!("{s}[t-2]"),
            _ => format!("{s}[t-1]"),
        };
        let next = self.update(&r, &before);
        self.line(format!("{s}[t] = {next}"));
        self.read(&r, &s, &before)
    }

    /// The next state from the last one.
    pub(super) fn update(&mut self, r: &Roles, before: &str) -> String {
        if self.rng.chance(15) {
            return self.interpolated(r, before);
        }
        let mut p = before.to_owned();
        let stages = self.rng.pick(&[1, 1, 1, 1, 2, 2, 3]);
        let enters = self.rng.below(stages + 1);
        for n in 0..stages {
            if n == enters {
                let input = self.input(r);
                let text = self.plus(&[p, input]);
                p = self.named("P", text);
            }
            let text = self.stage(r, &p);
            p = match n + 1 == stages && enters == stages {
                true => text,
                false => self.named("P", text),
            };
        }
        match enters == stages {
            true => {
                let input = self.input(r);
                self.plus(&[p, input])
            }
            false => p,
        }
    }

    /// Between the last state and an input.
    fn interpolated(&mut self, r: &Roles, before: &str) -> String {
        let all = r.all();
        let own = self.rng.some(&all, 70);
        let g = self.gate(&own);
        let u = self.free(&all);
        match self.rng.below(3) {
            0 => format!("{before} + {g} * ({u} - {before})"),
            1 => {
                let keep = self.rest_of(&g);
                let old = self.times(&[keep, before.to_owned()]);
                let new = self.times(&[g, u]);
                self.plus(&[old, new])
            }
            _ => format!("{before} - {g} * {before} + {g} * {u}"),
        }
    }

    /// What enters a state: an outer product, mostly.
    pub(super) fn input(&mut self, r: &Roles) -> String {
        let v = match self.rng.chance(80) || r.v.is_empty() {
            true => self.free(&r.values()),
            false => self.free(&r.b),
        };
        let k = self.free(&r.keys());
        match self.rng.below(10) {
            0 => self.free(&r.all()),
            1 => {
                let g = self.gate(&r.b);
                self.times(&[g, k, v])
            }
            2 => {
                let g = self.gate(&r.keys());
                let rest = self.rest_of(&g);
                self.times(&[rest, v])
            }
            3 => {
                let (k2, v2) = (self.free(&r.keys()), self.free(&r.values()));
                let (one, two) = (self.times(&[k, v]), self.times(&[k2, v2]));
                format!("{one} + {two}")
            }
            4 => {
                let w = self.free(&r.values());
                format!("{k} * ({v} - 0.5 * {w})")
            }
            5 => {
                // The same at every step, or from one side.
                let w = self.table(&r.keys(), "-1", "1");
                // What reads nothing would not say that it steps with the ticks.
                match (self.rng.below(4), self.on_ticks) {
                    (0, _) | (1 | 2, true) => self.times(&[w, v]),
                    (1, false) => self.times(&[w, "0.5".into()]),
                    (2, false) => {
                        let columns = self.table(&r.values(), "-1", "1");
                        self.times(&[w, columns])
                    }
                    _ => format!("{k} / (1 + {v} ^ 2)"),
                }
            }
            6 => {
                let condition = self.condition(&r.b);
                format!("select({condition}, 0, {k})")
            }
            _ => self.times(&[k, v]),
        }
    }

    /// A row for each key: data, or the same at every step.
    fn row(&mut self, r: &Roles) -> String {
        if self.rng.chance(80) {
            return self.unit_key(&r.keys(), &r.k);
        }
        let w = self.table(&r.keys(), "-1", "1");
        let over = self.brackets(&r.k);
        self.named("k", format!("{w} / sqrt(0.1 + sum{over}({w} ^ 2))"))
    }

    /// One map of the state that does not let it grow.
    pub(super) fn stage(&mut self, r: &Roles, p: &str) -> String {
        match self.rng.below(22) {
            0..2 => p.to_owned(),
            2..9 => self.decay(r, p),
            9..13 => self.delta(r, p),
            13..15 => self.diagonal_and_rank_one(r, p),
            15 => self.rank_one(r, p),
            16 => self.dense(r, p),
            17 => self.nonlinear(r, p),
            18 => {
                let a = self.rng.pick(&r.k);
                format!("shift[{}]({p}, 1)", self.axes[a].0)
            }
            19 => {
                let condition = self.condition(&r.b);
                let changed = self.decay(r, p);
                match self.rng.chance(50) {
                    true => format!("select({condition}, {changed}, {p})"),
                    false => format!("select({condition}, {p}, {changed})"),
                }
            }
            20 => {
                let over = self.brackets(&r.k);
                let g = self.gate(&r.b);
                format!("{p} - {g} * mean{over}({p})")
            }
            _ => {
                let (g, h) = (self.gate(&r.b), self.gate(&r.keys()));
                format!("{g} * ({h} * {p})")
            }
        }
    }

    fn decay(&mut self, r: &Roles, p: &str) -> String {
        let own = match self.rng.below(5) {
            0 => vec![],
            1 => r.b.clone(),
            2 | 3 => r.keys(),
            _ => self.rng.some(&r.all(), 50),
        };
        let a = self.signed_gate(&own);
        match self.rng.below(6) {
            0 => format!("{p} - {a} * {p}"),
            1 => {
                let rate = self.free(&own);
                format!("{p} / (1 + {rate} ^ 2)")
            }
            2 => {
                let b = self.gate(&r.b);
                self.times(&[a, b, p.to_owned()])
            }
            _ => self.times(&[a, p.to_owned()]),
        }
    }

    /// `(I - beta k kᵀ) S`, with or without the value that it writes.
    fn delta(&mut self, r: &Roles, p: &str) -> String {
        let k = self.row(r);
        let beta = self.gate(&r.b);
        let over = self.brackets(&r.k);
        let product = self.times(&[k.clone(), p.to_owned()]);
        let along = format!("sum{over}({product})");
        match self.rng.below(6) {
            0 => {
                let v = self.free(&r.values());
                format!("{p} + {beta} * {k} * ({v} - {along})")
            }
            1 => {
                let v = self.free(&r.values());
                let e = self.named("e", format!("{v} - {along}"));
                let written = self.times(&[beta, k, e]);
                self.plus(&[p.to_owned(), written])
            }
            2 => {
                let v = self.free(&r.values());
                format!("{p} - {beta} * {k} * {along} + {beta} * {k} * {v}")
            }
            3 => {
                let g = self.gate(&r.b);
                format!("{g} * ({p} - {beta} * {k} * {along})")
            }
            4 => {
                let read = self.named("e", along);
                let removed = self.times(&[beta, k, read]);
                format!("{p} - {removed}")
            }
            _ => {
                let removed = self.times(&[beta, k, along]);
                format!("{p} - {removed}")
            }
        }
    }

    fn diagonal_and_rank_one(&mut self, r: &Roles, p: &str) -> String {
        let (k, c) = (self.row(r), self.gate(&r.keys()));
        let w = self.gate(&r.keys());
        let over = self.brackets(&r.k);
        let product = self.times(&[c, k.clone(), p.to_owned()]);
        let kept = self.times(&[w, p.to_owned()]);
        format!("{kept} - {k} * sum{over}({product})")
    }

    /// A decay beside a rank-one map between different vectors.
    fn rank_one(&mut self, r: &Roles, p: &str) -> String {
        let (to, from) = (self.row(r), self.row(r));
        let own = if self.rng.chance(50) {
            r.b.clone()
        } else {
            r.keys()
        };
        let w = self.gate(&own);
        let over = self.brackets(&r.k);
        let read = self.times(&[from, p.to_owned()]);
        let moved = self.times(&["0.3".into(), to, format!("sum{over}({read})")]);
        let kept = self.times(&["0.6".into(), w, p.to_owned()]);
        self.plus(&[kept, moved])
    }

    fn dense(&mut self, r: &Roles, p: &str) -> String {
        let a = self.axes[self.rng.pick(&r.k)].0.clone();
        let mapped = self.named("P", format!("linear({p}, {a} -> {a})"));
        format!("0.5 * {p} + 0.2 * {mapped}")
    }

    fn nonlinear(&mut self, r: &Roles, p: &str) -> String {
        let over = self.brackets(&r.k);
        match self.rng.below(3) {
            0 => format!("tanh({p})"),
            1 => format!("{p} / sqrt(1 + mean{over}({p} ^ 2))"),
            _ => {
                let g = self.gate(&r.b);
                format!("{p} - {g} * sigmoid({p}) * {p}")
            }
        }
    }

    /// A read of a state, by any of its axes.
    pub(super) fn read(&mut self, r: &Roles, s: &str, before: &str) -> Value {
        let over = self.brackets(&r.k);
        let q = self.free(&r.keys());
        let now = self.times(&[q.clone(), s.to_owned()]);
        let text = match self.rng.below(12) {
            0 => format!("sum{over}({q} * {before})"),
            1 => {
                let (v, w) = (self.free(&r.values()), self.gate(&r.b));
                format!("sum{over}({now}) + {w} * {v}")
            }
            2 => {
                let bonus = self.input(r);
                format!("sum{over}({q} * ({before} + {bonus}))")
            }
            3 => return self.define(s.to_owned(), r.all()),
            4 => format!("sum{over}({s} ^ 2) / (1 + sum{over}(abs({s})))"),
            5 => format!("sum{over}({now}) + sum{over}({s}[t-1])"),
            6 => format!("max{over}({s}) + mean{over}({s})"),
            7 => format!("tanh(sum{over}({now}))"),
            8 => {
                let other = self.free(&r.keys());
                format!("sum{over}({now}) * sum{over}({other} * {s})")
            }
            _ => format!("sum{over}({now})"),
        };
        self.define(text, r.values())
    }
}
