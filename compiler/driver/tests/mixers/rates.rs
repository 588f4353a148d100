//! Coarser clocks, and mixers along an axis of what they read.

use super::{Ax, Gen, Value};

impl Gen {
    pub(super) fn rates(&mut self) -> Value {
        match self.rng.chance(25) {
            true => self.along(),
            false => self.coarser(),
        }
    }

    /// A block on a coarser clock, and back.
    fn coarser(&mut self) -> Value {
        let axes = self.some_axes(1, 2);
        let beside: Vec<Ax> = (0..self.axes.len()).filter(|a| !axes.contains(a)).collect();
        let p = self.rng.pick(&beside);
        let name = self.axes[p].0.clone();
        let (u, own) = (self.free(&axes), self.joined(&axes, " "));
        let text = match self.rng.below(4) {
            0 => format!("mean[{name}](patch[{name}]({u}))"),
            1 => format!("patch[{name}]({u}){{{name} = 0}}"),
            _ => format!("linear(patch[{name}]({u}), {name} {own} -> {own})"),
        };
        let coarse = self.define(text, axes);
        let kept = std::mem::replace(&mut self.pool, vec![coarse]);
        self.on_ticks = true;
        let made = match self.rng.below(8) {
            0 => self.pointwise(),
            1..4 => self.recurrence(),
            4..6 => self.pairs(),
            _ => self.system(),
        };
        self.on_ticks = false;
        self.pool = kept;
        let out: Vec<Ax> = match made.axes.iter().copied().filter(|a| *a != p).collect() {
            none if made.axes.is_empty() || Vec::is_empty(&none) => {
                beside.into_iter().filter(|a| *a != p).take(1).collect()
            }
            all => all,
        };
        if out.is_empty() {
            return self.pointwise();
        }
        let read = match self.causal {
            true => format!("{}[t-1]", made.name),
            false => made.name.clone(),
        };
        let m = Value {
            name: read,
            axes: made.axes,
        };
        let text = self.onto(&m, &[&[p], out.as_slice()].concat());
        let fine = self.named("c", text);
        self.define(format!("unpatch[{name}]({fine})"), out)
    }

    /// A mixer whose time is an axis.
    fn along(&mut self) -> Value {
        let axes = self.some_axes(2, 3);
        let [line, own, ..] = axes[..] else {
            return self.pointwise();
        };
        let (line, own) = (self.axes[line].0.clone(), self.axes[own].0.clone());
        let u = self.free(&axes);
        let (mixer, settings) = match self.rng.below(3) {
            0 => ("conv", "taps = 3"),
            1 => ("lru", "n = 2"),
            _ => ("longconv", "n = 8"),
        };
        self.imports.insert(mixer);
        self.define(
            format!("{mixer}[{own}]({u}, along = {line}, {settings})"),
            axes,
        )
    }
}
