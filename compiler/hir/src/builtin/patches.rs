//! `patch` and `unpatch`: steps of a clock as ticks of a coarser one with an axis of what lies within a tick, and back.

use crate::clocks::Ticks;
use crate::elab::Elab;
use crate::scope::Scope;
use crate::value::Dyn;
use seqc_algebra::{Axis, Op};
use seqc_syntax::ast::Call;
use seqc_syntax::{Diagnostic, Span};

impl<'p> Elab<'p> {
    /// `patch[p](x)`: step `p c + r` at tick `c`, entry `r`; steps that the last tick lacks are 0.
    pub(super) fn patch(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Option<Dyn> {
        let a = self.args(c, 1, true, "patch[p](x)", span)?;
        let v = self.eval_dyn(s, a[0])?;
        let axes = self.new_axes(s, &c.group)?;
        let axis = self.patched_clock(s, &v, "patch", a[0].span)?;
        let tile = self.volume(&axes, span)?;
        let Ticks { root, steps } = self.ticks_of(axis);
        let Some(steps) = steps.checked_mul(tile) else {
            self.too_large("steps of one tick".into(), span);
            return None;
        };
        let ticks = self.clock_with(s, Ticks { root, steps });
        let within = joint(&axes, tile);
        let op = Op::Patch {
            axis,
            ticks,
            within,
        };
        let mut out = match tile {
            // Ticks of one step are the steps.
            1 => self.expand(&v, &axes, span)?,
            _ => self.emit(op, &[&v], span)?,
        };
        out.reach = v.reach.patched(axis, ticks, tile);
        if tile > 1 && axes.len() > 1 {
            let op = Op::Split {
                axis: within,
                into: axes,
            };
            out = self.emit(op, &[&out], span)?;
        }
        out.index = v.index;
        Some(out)
    }

    /// `unpatch[p](y)`: entry `t mod p` of tick `t / p`.
    pub(super) fn unpatch(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Option<Dyn> {
        let a = self.args(c, 1, true, "unpatch[p](y)", span)?;
        let v = self.eval_dyn(s, a[0])?;
        let mut axes = Vec::new();
        for n in &c.group {
            axes.extend(self.need_axis(s, n, &v, "`unpatch`")?);
        }
        let ticks = self.patched_clock(s, &v, "unpatch", a[0].span)?;
        let tile = self.volume(&axes, span)?;
        let Ticks { root, steps } = self.ticks_of(ticks);
        self.whole_ticks(ticks, tile, span)?;
        let finer = Ticks {
            root,
            steps: steps / tile,
        };
        let axis = self.clock_with(s, finer);
        let (joined, within) = self.merged(&v, &axes, span)?;
        let op = match tile {
            1 => Op::Pick {
                axis: within,
                index: 0,
            },
            _ => Op::Unpatch {
                ticks,
                within,
                axis,
            },
        };
        let mut out = self.emit(op, &[&joined], span)?;
        out.reach = v.reach.renamed(ticks.name, axis.name);
        out.index = v.index;
        Some(out)
    }

    /// The clock along which a value is taken apart or put together.
    fn patched_clock(
        &mut self,
        s: &Scope<'p>,
        v: &Dyn,
        what: &'static str,
        span: Span,
    ) -> Option<Axis> {
        let clock = self.clock_of(s, v);
        if clock.is_none() && v.depth > 0 {
            self.not_built(&format!("`{what}` inside a cycle through a state"), span);
        } else if clock.is_none() {
            let d = Diagnostic::error("E28", format!("`{what}` needs a sequence"), span);
            self.report(d.label("the same at all times"));
        }
        clock
    }

    /// E20 unless a tick is a whole number of times as long as what it is taken apart into.
    fn whole_ticks(&mut self, ticks: Axis, tile: usize, span: Span) -> Option<()> {
        let Ticks { root, steps } = self.ticks_of(ticks);
        if steps % tile == 0 {
            return Some(());
        }
        if steps == 1 {
            let what = format!(
                "a clock finer than `{}` (`unpatch` without `patch`)",
                root.name
            );
            self.not_built(&what, span);
            return None;
        }
        let d = Diagnostic::error(
            "E20",
            format!(
                "one tick of `{}` is {steps} steps of `{}`: it cannot be taken apart into {tile}",
                ticks.name, root.name
            ),
            span,
        );
        self.report(d.help("`unpatch[p]` takes apart what `patch[p]` has put together"));
        None
    }
}

/// The one axis that stands for a group.
fn joint(axes: &[Axis], size: usize) -> Axis {
    match axes {
        [one] => *one,
        _ => {
            let names: Vec<&str> = axes.iter().map(|a| a.name.as_str()).collect();
            Axis::new(&names.join("*"), size)
        }
    }
}
