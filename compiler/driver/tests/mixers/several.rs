//! Several recurrences that go together: memories that a router picks from, and both directions at once.

use super::recurrences::Roles;
use super::{Ax, Gen, MOST, Value};

impl Gen {
    /// States of which each step changes a few.
    pub(super) fn routed(&mut self) -> Value {
        let several = |a: &Ax| self.axes[*a].1 > 1;
        let Some(m) = (0..self.axes.len()).rev().find(several) else {
            return self.recurrence();
        };
        let mut r = self.roles();
        for role in [&mut r.k, &mut r.v, &mut r.b] {
            role.retain(|a| *a != m);
        }
        while self.size(&[r.all(), vec![m]].concat()) > MOST && r.v.pop().is_some() {}
        r.k.extend(r.v.pop().filter(|_| r.k.is_empty()));
        if r.k.is_empty() {
            return self.recurrence();
        }
        let name = self.axes[m].0.clone();
        let own = match self.rng.chance(40) {
            true => [r.b.clone(), vec![m]].concat(),
            false => vec![m],
        };
        let most = (self.axes[m].1 / 2).max(1);
        let picks = self.rng.between(1, most);
        let score = self.projection(&own);
        // Memories differ whatever the score: where it underflows, none of f32's picks is f64's.
        let score = format!("{score} + 0.3 * range({name})");
        let pick = self.named("pick", format!("top[{name}]({score}, {picks})"));
        let each = Roles {
            k: r.k.clone(),
            v: r.v.clone(),
            b: [r.b.clone(), vec![m]].concat(),
        };
        let s = match self.rng.chance(20) {
            true => self.state(&each.all()),
            false => self.empty_state(&each.all()),
        };
        let before = match self.causal {
            false if self.rng.chance(30) => format!("{s}[t+1]"),
            _ => format!("{s}[t-1]"),
        };
        let next = self.update(&each, &before);
        let next = self.named("N", next);
        let line = match self.rng.below(3) {
            0 => format!("{before} + {pick} * ({next} - {before})"),
            1 => format!("{pick} * {next} + (1 - {pick}) * {before}"),
            _ => format!("select({pick} > 0, {next}, {before})"),
        };
        self.line(format!("{s}[t] = {line}"));
        let text = self.read_of_picked(&r, m, &s, &pick);
        self.define(text, r.values())
    }

    /// A read of the memories that were picked; sometimes of all.
    fn read_of_picked(&mut self, r: &Roles, m: Ax, s: &str, pick: &str) -> String {
        let of = self.rng.some(&[r.b.clone(), vec![m]].concat(), 70);
        let (gate, q) = (self.gate(&of), self.free(&r.keys()));
        let w = match self.rng.below(8) {
            0 => gate,
            1 => pick.to_owned(),
            2..5 => format!("select({pick} > 0, {gate}, 0)"),
            _ => self.times(&[pick.to_owned(), gate]),
        };
        let (over, memories) = (self.brackets(&r.k), self.brackets(&[m]));
        let both = self.brackets(&[r.k.clone(), vec![m]].concat());
        match self.rng.below(3) {
            0 => format!("sum{memories}({w} * sum{over}({q} * {s}))"),
            1 => format!("sum{over}({q} * sum{memories}({w} * {s}))"),
            _ => format!("sum{both}({q} * {w} * {s})"),
        }
    }

    /// One recurrence from each end; what enters them is alike, more or less.
    pub(super) fn directions(&mut self) -> Value {
        let r = self.roles();
        let (f, g) = (self.empty_state(&r.all()), self.empty_state(&r.all()));
        let keys = self.free(&r.keys());
        let (k, v) = (self.named("k", keys), self.free(&r.values()));
        let l = match self.rng.chance(50) {
            true => k.clone(),
            false => self.free(&r.keys()),
        };
        for (s, back, key) in [(&f, "t-1", k), (&g, "t+1", l)] {
            let stage = self.stage(&r, &format!("{s}[{back}]"));
            let scale = self.gate(&r.b);
            let entered = match self.rng.chance(50) {
                true => self.times(&[key, v.clone()]),
                false => self.times(&[key, v.clone(), scale]),
            };
            let next = self.plus(&[stage, entered]);
            self.line(format!("{s}[t] = {next}"));
        }
        let over = self.brackets(&r.k);
        let q = self.free(&r.keys());
        let p = match self.rng.chance(60) {
            true => q.clone(),
            false => self.free(&r.keys()),
        };
        let f = self.named("f", format!("sum{over}({q} * {f})"));
        let g = self.named("g", format!("sum{over}({p} * {g})"));
        let u = self.free(&r.values());
        let text = match self.rng.below(6) {
            0 => format!("{f}[t-1] + {g}[t+1]"),
            1 => format!("{f} + {g}[t+1]"),
            2 => format!("{f} - {g}"),
            3 => format!("{g} + {u} + {f}[t-1]"),
            _ => format!("{f} + {g}"),
        };
        self.define(text, r.values())
    }

    /// Declares a state that begins at 0.
    fn empty_state(&mut self, axes: &[Ax]) -> String {
        let name = self.fresh("S");
        let braces = self.braces(axes);
        self.line(format!("state {name}{braces}"));
        name
    }
}
