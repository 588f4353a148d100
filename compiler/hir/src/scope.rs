//! What the names of a mixer mean at one place of one elaboration of it.
//!
//! One namespace: a name is an axis, a static number (which is an axis when used as one), a value, an index or a
//! clock. Invariant: `axes` maps a name to the algebra axes it stands for: one, or several when the caller gave a
//! group (`conv[h, p](…)`); these may be called differently in the caller.

use crate::stat::Stat;
use crate::told::Told;
use crate::value::{Dyn, Home, Val};
use seqc_algebra::Axis;
use seqc_syntax::Span;
use seqc_syntax::ast::{Call, Expr, Mixer};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// A static number and where it came from.
#[derive(Clone, Debug)]
pub struct Static {
    pub value: Stat,
    pub span: Span,
    /// `d / h / 2`, for messages.
    pub formula: String,
}

/// What a value's name is bound to.
#[derive(Clone, Debug)]
pub enum Binding {
    Val(Val),
    /// A state inside the loop that computes it: values of earlier steps (nearest first), the value of this step
    /// once known, and whether "earlier" means `t+1`.
    Loop {
        before: Vec<Dyn>,
        now: Option<Val>,
        backward: bool,
    },
    /// Declared, not yet computed.
    Pending,
}

#[derive(Clone, Debug)]
pub struct Named {
    pub binding: Binding,
    pub span: Span,
    /// The value before the sequence's first step, if it is not 0.
    pub start: Option<Dyn>,
}

/// An index in scope: `i`, `j`, `lag`.
#[derive(Clone, Copy, Debug)]
pub struct Index {
    pub axis: Axis,
    pub lag: bool,
}

#[derive(Clone)]
pub struct Scope<'p> {
    pub module: usize,
    pub mixer: &'p Mixer,
    /// Where parameters declared here live, and those of the line being read.
    pub home: Home,
    pub line: Home,
    /// What tells the calls of that line apart.
    pub told: Rc<Told>,
    pub statics: HashMap<String, Static>,
    pub axes: HashMap<String, Vec<Axis>>,
    pub clocks: HashMap<String, Axis>,
    /// Axes of the arguments that the mixer does not name: it is mapped over them.
    pub extras: Vec<Axis>,
    /// Names of algebra axes that must not be taken for new ones.
    pub taken: HashSet<String>,
    pub names: HashMap<String, Named>,
    pub indices: HashMap<String, Index>,
    /// The equation's `where`.
    pub domain: Option<&'p Expr>,
    /// In a `where`: entries outside of their matrix's domain are read as 0, and restrict nothing.
    pub everywhere: bool,
    /// In an equation over indices: bare sequences are errors.
    pub strict: bool,
    /// Which half of a kernel is being computed: lag = -l?
    pub ahead: bool,
    /// Outer products go into the loop of this depth instead of being stored for all time.
    pub sink: Option<usize>,
    /// Where the body defines each name, and the names of the line being read.
    pub defined: HashMap<String, Span>,
    pub current: Vec<String>,
    /// Names of enclosing bodies: may be rebound here.
    pub outer: HashSet<String>,
}

impl<'p> Scope<'p> {
    pub fn new(module: usize, mixer: &'p Mixer, home: Home) -> Scope<'p> {
        Scope {
            module,
            mixer,
            line: home.clone(),
            told: Rc::default(),
            home,
            statics: HashMap::new(),
            axes: HashMap::new(),
            clocks: HashMap::new(),
            extras: vec![],
            taken: HashSet::new(),
            names: HashMap::new(),
            indices: HashMap::new(),
            domain: None,
            everywhere: false,
            strict: false,
            ahead: false,
            sink: None,
            defined: HashMap::new(),
            current: vec![],
            outer: HashSet::new(),
        }
    }

    /// Where the parameters of a call live.
    pub fn home_of(&self, c: &Call) -> Home {
        match self.told.get(&c.name.span) {
            Some(name) => self.line.join(name),
            None => self.line.clone(),
        }
    }

    /// On the side of negative lags, lags are counted from 1: 0 is the other side's.
    pub fn first_lag(&self) -> Option<(Axis, f64)> {
        let lag = self.indices.values().find(|i| i.lag)?;
        self.ahead.then_some((lag.axis, 1.0))
    }

    /// The time axis of *now*.
    pub fn now(&self) -> Axis {
        self.clocks.get("t").copied().unwrap_or_else(Axis::time)
    }

    /// A name for an algebra axis that nothing else here uses.
    pub fn fresh(&self, name: &str) -> String {
        if !self.taken.contains(name) {
            return name.to_owned();
        }
        let mut k = 1usize;
        loop {
            let candidate = format!("{name}.{k}");
            if !self.taken.contains(&candidate) {
                return candidate;
            }
            k += 1;
        }
    }

    /// The axes a name stands for: bound ones, a static as an axis, or a further copy (`k'`).
    pub fn axis(&mut self, name: &str) -> Option<Vec<Axis>> {
        if let Some(axes) = self.axes.get(name) {
            return Some(axes.clone());
        }
        let base = name.trim_end_matches('\'');
        let axes = if base.len() < name.len() {
            let primes = &name[base.len()..];
            let copies = self.axis(base)?;
            copies
                .iter()
                .map(|a| a.renamed(&self.fresh(&format!("{}{primes}", a.name))))
                .collect()
        } else {
            let size = self.statics.get(name)?.value.as_size().filter(|n| *n > 0)?;
            vec![Axis::new(&self.fresh(name), size)]
        };
        self.axes.insert(name.to_owned(), axes.clone());
        Some(axes)
    }

    pub fn bind(&mut self, name: &str, value: Val, span: Span) {
        self.names.insert(
            name.to_owned(),
            Named {
                binding: Binding::Val(value),
                span,
                start: None,
            },
        );
    }

    /// Every name that an expression could mean, for suggestions.
    pub fn known(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .names
            .keys()
            .chain(self.statics.keys())
            .chain(self.axes.keys())
            .chain(self.indices.keys())
            .cloned()
            .collect();
        all.sort();
        all.dedup();
        all
    }

    /// The axes that are time here: `t`, `s`, indices.
    pub fn is_clock(&self, axis: Axis) -> bool {
        self.clocks.values().any(|c| *c == axis)
    }
}
