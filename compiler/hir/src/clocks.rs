//! Clocks: which one a value runs on, and the coarser ones that `patch` makes.
//!
//! A coarser clock is a run-time axis `t/4`, named by its finest clock and its steps of that in one tick: two ways to
//! the same ticks are one clock. It is a clock of the scope in which it was made, under a name that cannot be written.

use crate::elab::Elab;
use crate::scope::Scope;
use crate::value::Dyn;
use seqc_algebra::{Axis, Sym};
use seqc_syntax::Diagnostic;

/// A clock as so many steps of another, which is no coarser clock itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks {
    pub root: Axis,
    pub steps: usize,
}

impl<'p> Elab<'p> {
    /// The clock that a value runs on, the mixer's own before others.
    pub(crate) fn clock_of(&self, s: &Scope<'p>, v: &Dyn) -> Option<Axis> {
        let mut clocks = (self.axes(v).iter().copied())
            .filter(|a| s.is_clock(*a) && !s.extras.contains(a))
            .peekable();
        let first = clocks.peek().copied();
        clocks.find(|a| *a == s.now()).or(first)
    }

    pub(crate) fn ticks_of(&self, clock: Axis) -> Ticks {
        let own = Ticks {
            root: clock,
            steps: 1,
        };
        self.ticks.get(&clock).copied().unwrap_or(own)
    }

    /// The clock that an index by `clock` means for a value: on a coarser clock, `t - 1` is one tick earlier.
    pub(crate) fn meant(&self, s: &Scope<'p>, v: &Dyn, clock: Axis) -> Axis {
        if self.has(v, clock) {
            return clock;
        }
        let root = self.ticks_of(clock).root;
        let own = self.clock_of(s, v);
        own.filter(|a| self.ticks_of(*a).root == root)
            .unwrap_or(clock)
    }

    /// The clock that an index by `clock` means for a matrix whose index runs as `of` does.
    pub(crate) fn clock_like(&self, s: &Scope<'p>, of: Axis, clock: Axis) -> Axis {
        let root = self.ticks_of(clock).root;
        let alike = |a: &Axis| a.size == of.size && self.ticks_of(*a).root == root;
        match of.size == clock.size {
            true => clock,
            false => s.clocks.values().copied().find(alike).unwrap_or(clock),
        }
    }

    /// The axis of ticks, made a clock of the scope.
    pub(crate) fn clock_with(&mut self, s: &mut Scope<'p>, ticks: Ticks) -> Axis {
        let Ticks { root, steps } = ticks;
        let mut axis = root;
        if steps > 1 {
            axis = Axis {
                name: Sym::new(&format!("{}/{steps}", root.name)),
                size: root.size.tiled(steps),
            };
            // Two constant axes of one name may have as many tiles.
            while self.ticks.get(&axis).is_some_and(|t| *t != ticks) {
                axis = axis.renamed(&format!("{}'", axis.name));
            }
            self.ticks.insert(axis, ticks);
            if axis.is_const() {
                self.lines.push(axis);
            }
        }
        if !s.is_clock(axis) {
            s.clocks.insert(axis.name.as_str().to_owned(), axis);
        }
        axis
    }

    /// Says what coarser clocks are, and how one gets from one to another.
    pub(crate) fn about_clocks(&self, mut d: Diagnostic, clocks: &[Axis]) -> Diagnostic {
        let coarser = clocks.iter().filter_map(|c| Some((c, self.ticks.get(c)?)));
        for (clock, Ticks { root, steps }) in coarser {
            d = d.note(format!(
                "one tick of `{}` is {steps} steps of `{}`",
                clock.name, root.name
            ));
        }
        let root = |c: &Axis| self.ticks_of(*c).root;
        match clocks {
            [a, b] if a != b && root(a) == root(b) => {
                d.help("bring both to one clock: `patch[p](…)` or `unpatch[p](…)`")
            }
            _ => d.help("join them through a matrix: `M[i,j] = …`, `sum[j](M[t,j] * v[j])`"),
        }
    }
}
