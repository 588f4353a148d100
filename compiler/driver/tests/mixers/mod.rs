//! Random mixers: texts that are well typed by construction, of any structure that the language has.
//!
//! A mixer is a row of *blocks* (pointwise maps, recurrences, matrices over time, kernels, coarser clocks), each of which reads what
//! blocks before it made, and an output that adds what they made last. Everything is bounded, so that f32 can follow:
//! decays are at most 1, keys that feed back are normalised, exponentials are of what has a bound. The same equation
//! is spelt in several ways: operands commuted, products expanded or factored, parts named.

mod kernels;
mod pairs;
mod pointwise;
mod rates;
mod recurrences;
mod rng;
mod several;
mod systems;

use rng::Rng;
use std::collections::BTreeSet;

/// A named axis: its place among the mixer's.
type Ax = usize;

/// A named sequence.
#[derive(Clone)]
struct Value {
    name: String,
    axes: Vec<Ax>,
}

/// A random mixer in parts, so that a failing one can be made smaller.
#[derive(Clone)]
pub struct Mixer {
    imports: BTreeSet<&'static str>,
    head: String,
    /// Statements that belong together.
    pub blocks: Vec<Vec<String>>,
    /// What the output adds.
    pub terms: Vec<String>,
}

impl Mixer {
    pub fn text(&self) -> String {
        let imports: Vec<&str> = self.imports.iter().copied().collect();
        let mut text = String::from("seq 1\n");
        if !imports.is_empty() {
            text += &format!("import std ({})\n", imports.join(", "));
        }
        text += &format!("\nmixer random{} {{\n", self.head);
        for line in self.blocks.iter().flatten() {
            text += &format!("    {line}\n");
        }
        text + &format!("    y = {}\n}}\n", self.terms.join(" + "))
    }

    /// This mixer without one term, block or statement, the largest parts first.
    pub fn smaller(&self) -> Vec<Mixer> {
        let mut all = vec![];
        for n in (0..self.terms.len()).filter(|_| self.terms.len() > 1) {
            let mut m = self.clone();
            m.terms.remove(n);
            all.push(m);
        }
        for n in (0..self.blocks.len()).rev() {
            let mut m = self.clone();
            m.blocks.remove(n);
            all.push(m);
        }
        for (n, block) in self.blocks.iter().enumerate().rev() {
            for k in (0..block.len()).rev() {
                let mut m = self.clone();
                m.blocks[n].remove(k);
                all.push(m);
            }
        }
        all
    }
}

/// What reads later times is one in five.
const LOOKS_AHEAD: usize = 20;
/// Entries of a state, and of any other value, at one step.
const MOST: usize = 48;

/// The random mixer of a seed.
pub fn mixer(seed: u64) -> Mixer {
    let mut g = Gen::new(seed);
    for _ in 0..g.rng.between(1, 3) {
        g.block();
    }
    g.finish()
}

struct Gen {
    rng: Rng,
    axes: Vec<(String, usize)>,
    causal: bool,
    /// Does what is read run on a coarser clock?
    on_ticks: bool,
    /// What later blocks may read.
    pool: Vec<Value>,
    /// What blocks gave.
    made: Vec<Value>,
    blocks: Vec<Vec<String>>,
    imports: BTreeSet<&'static str>,
    names: usize,
}

impl Gen {
    fn new(seed: u64) -> Gen {
        let mut rng = Rng::new(seed);
        let mut letters: Vec<&str> = "a b c d e g h k m n p r".split(' ').collect();
        rng.shuffle(&mut letters);
        let count = rng.between(3, 5);
        let mut axes: Vec<(String, usize)> = vec![];
        for name in letters.into_iter().take(count) {
            axes.push((name.to_owned(), rng.between(1, 5)));
        }
        let x = Value {
            name: "x".into(),
            axes: (0..rng.between(1, 2)).collect(),
        };
        Gen {
            causal: !rng.chance(LOOKS_AHEAD),
            rng,
            axes,
            on_ticks: false,
            pool: vec![x],
            made: vec![],
            blocks: vec![],
            imports: BTreeSet::new(),
            names: 0,
        }
    }

    fn block(&mut self) {
        self.blocks.push(vec![]);
        let made = match self.rng.below(26) {
            0..2 => self.pointwise(),
            2..9 => self.recurrence(),
            9..13 => self.system(),
            13..17 => self.pairs(),
            17..20 => self.kernel(),
            20..22 => self.routed(),
            22..24 if !self.causal => self.directions(),
            22..24 => self.routed(),
            _ => self.rates(),
        };
        let made = self.after(made);
        self.made.push(made.clone());
        let bounded = self.bounded(made);
        self.pool.push(bounded);
    }

    /// What later blocks read: products of products would grow beyond f32. A norm of a norm would be a step.
    fn bounded(&mut self, v: Value) -> Value {
        let text = match v.axes.is_empty() || self.rng.chance(30) {
            true => format!("tanh({})", v.name),
            false => self.soft_norm(&v.name, &v.axes),
        };
        self.define(text, v.axes)
    }

    /// What follows a mixing block: a gate, a norm, a residual; or nothing.
    fn after(&mut self, v: Value) -> Value {
        let axes = v.axes.clone();
        match self.rng.below(6) {
            0 => {
                let gate = self.gate(&axes);
                let text = self.times(&[gate, v.name]);
                self.define(text, axes)
            }
            1 if !axes.is_empty() => {
                let text = self.norm(&v.name, &axes);
                self.define(text, axes)
            }
            2 => {
                let u = self.free(&axes);
                let text = self.plus(&[v.name, u]);
                self.define(text, axes)
            }
            _ => v,
        }
    }

    fn finish(mut self) -> Mixer {
        let mut all: Vec<Ax> = (0..self.axes.len()).collect();
        self.rng.shuffle(&mut all);
        let out = all[..self.rng.between(1, 2)].to_vec();
        let mut terms = vec![];
        let count = self.made.len();
        for (n, v) in self.made.clone().into_iter().enumerate() {
            if n + 1 < count && self.rng.chance(40) {
                continue;
            }
            self.blocks.push(vec![]);
            let term = self.onto(&v, &out);
            terms.push(self.named("o", term));
        }
        let mut x = self.pool[0].axes.clone();
        x.sort_unstable();
        let mut sorted = out.clone();
        sorted.sort_unstable();
        if x == sorted && self.rng.chance(30) {
            terms.push("x".into());
        }
        let settings: Vec<String> = (self.axes.iter())
            .map(|(n, size)| format!("{n} = {size}"))
            .collect();
        let (from, to) = (self.list(&self.pool[0].axes), self.list(&out));
        Mixer {
            head: format!(
                "(x: seq{{{from}}}; {}) -> y: seq{{{to}}}",
                settings.join(", ")
            ),
            imports: self.imports,
            blocks: self.blocks,
            terms,
        }
    }

    // ---- names and axes ------------------------------------------------------------------------------------

    fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn line(&mut self, text: String) {
        self.blocks.last_mut().expect("a block").push(text);
    }

    /// A line of its own for an expression.
    fn named(&mut self, prefix: &str, text: String) -> String {
        let name = self.fresh(prefix);
        self.line(format!("{name} = {text}"));
        name
    }

    fn define(&mut self, text: String, axes: Vec<Ax>) -> Value {
        let name = self.named("u", text);
        Value { name, axes }
    }

    fn size(&self, axes: &[Ax]) -> usize {
        axes.iter().map(|a| self.axes[*a].1).product()
    }

    fn joined(&self, axes: &[Ax], between: &str) -> String {
        let names: Vec<&str> = axes.iter().map(|a| self.axes[*a].0.as_str()).collect();
        names.join(between)
    }

    fn list(&self, axes: &[Ax]) -> String {
        self.joined(axes, ", ")
    }

    /// The axes in brackets, in any order.
    fn brackets(&mut self, axes: &[Ax]) -> String {
        let mut axes = axes.to_vec();
        self.rng.shuffle(&mut axes);
        format!("[{}]", self.list(&axes))
    }

    /// The axes in braces, in any order.
    fn braces(&mut self, axes: &[Ax]) -> String {
        let mut axes = axes.to_vec();
        self.rng.shuffle(&mut axes);
        format!("{{{}}}", self.list(&axes))
    }

    fn shuffled(&mut self) -> Vec<Ax> {
        let mut all: Vec<Ax> = (0..self.axes.len()).collect();
        self.rng.shuffle(&mut all);
        all
    }

    /// Random axes whose positions are few enough.
    fn some_axes(&mut self, low: usize, high: usize) -> Vec<Ax> {
        let all = self.shuffled();
        let count = self.rng.between(low, high.min(all.len()));
        let mut axes = all[..count].to_vec();
        while self.size(&axes) > MOST {
            axes.pop();
        }
        axes
    }

    // ---- spelling ------------------------------------------------------------------------------------------

    /// A product of atoms.
    fn times(&mut self, factors: &[String]) -> String {
        let mut all = factors.to_vec();
        self.rng.shuffle(&mut all);
        if all.len() > 2 && self.rng.chance(20) {
            let last = all.pop().expect("a factor");
            return format!("{last} * ({})", all.join(" * "));
        }
        all.join(" * ")
    }

    /// A sum of products, of which the first has all axes.
    fn plus(&mut self, terms: &[String]) -> String {
        let mut rest = terms[1..].to_vec();
        self.rng.shuffle(&mut rest);
        // After two terms, what has been added has all axes.
        let at = self.rng.below(2).min(rest.len());
        rest.insert(at, terms[0].clone());
        rest.join(" + ")
    }

    /// `1 - g`, of an atom.
    fn rest_of(&mut self, g: &str) -> String {
        match self.rng.below(3) {
            0 => format!("(1 - {g})"),
            1 => format!("(-{g} + 1)"),
            _ => self.named("r", format!("1 - {g}")),
        }
    }
}
