//! A value at a time: now, at an index, at an end; what does not change in time is the same at all of them.

use super::{Base, TimeIndex};
use crate::elab::Elab;
use crate::scope::Scope;
use crate::value::Dyn;
use seqc_algebra::{Axis, Op};
use seqc_syntax::{Diagnostic, Span};

impl<'p> Elab<'p> {
    /// `v` at a time.
    pub(super) fn at(
        &mut self,
        s: &Scope<'p>,
        v: &Dyn,
        at: &TimeIndex,
        start: Option<&Dyn>,
        span: Span,
    ) -> Option<Dyn> {
        if let Some(Base::Block(of, size)) = at.base {
            let ticks = self.clock_of(s, v);
            return match ticks {
                Some(ticks) => self.at_block(v, ticks, at, (of, size), span),
                None => Some(v.clone()),
            };
        }
        let (time, rename) = match at.base {
            Some(Base::Now(clock)) => (self.meant(s, v, clock), None),
            Some(Base::Bound(index)) => (self.runs_on(s, v, index)?, Some(index)),
            Some(Base::First | Base::Last | Base::Block(..)) | None => {
                let own = self.clock_of(s, v);
                (own.unwrap_or_else(|| s.now()), None)
            }
        };
        if !self.has(v, time) {
            return self.timeless(s, v, at, time, span);
        }
        match at.base {
            Some(Base::First | Base::Last) => self.at_end(s, v, at, time, span),
            None if at.lag.is_some() || !at.ranges.is_empty() => {
                self.wrong_index(
                    "the index names no time: write `t - …` or `first + …`",
                    span,
                );
                None
            }
            None => {
                self.no_index(
                    "the index names no time: write `t - …` or `first + …`",
                    span,
                );
                None
            }
            _ => {
                let out = self.displaced(v, time, at, start, s.ahead, span)?;
                match rename {
                    Some(index) => self.rename(&out, time, index, span),
                    None => Some(out),
                }
            }
        }
    }

    /// The clock axis of a value that an index over the same clock reads.
    fn runs_on(&mut self, s: &Scope<'p>, v: &Dyn, index: Axis) -> Option<Axis> {
        let own = self
            .times(v)
            .into_iter()
            .find(|a| s.is_clock(*a) && a.size == index.size);
        Some(own.unwrap_or_else(|| {
            s.clocks
                .values()
                .copied()
                .find(|c| c.size == index.size)
                .unwrap_or(s.now())
        }))
    }

    /// A value that does not change in time, or runs on another clock, or is another step inside a cycle.
    fn timeless(
        &mut self,
        s: &Scope<'p>,
        v: &Dyn,
        at: &TimeIndex,
        time: Axis,
        span: Span,
    ) -> Option<Dyn> {
        let inner = v.depth > 0
            && self.frames[v.depth]
                .body
                .as_ref()
                .is_some_and(|l| l.time == time);
        let still = at.c == 0 && at.ranges.is_empty() && at.lag.is_none();
        if inner && !still {
            self.not_built(
                "reading another step of a value inside a cycle through a state",
                span,
            );
            return None;
        }
        if let Some(other) = self.times(v).into_iter().find(|a| s.is_clock(*a)) {
            let d = Diagnostic::error(
                "E20",
                format!(
                    "this runs on clock `{}`, the index on `{}`",
                    other.name, time.name
                ),
                span,
            );
            self.report(self.about_clocks(d, &[other, time]));
            return None;
        }
        if still {
            return Some(v.clone());
        }
        let wide = self.expand(v, &[time], span)?;
        let at = TimeIndex {
            base: at.base,
            c: at.c,
            ranges: at.ranges.clone(),
            lag: at.lag,
        };
        self.at(s, &wide, &at, None, span)
    }

    /// `x[first + …]`, `x[last - …]`
    fn at_end(
        &mut self,
        s: &Scope<'p>,
        v: &Dyn,
        at: &TimeIndex,
        time: Axis,
        span: Span,
    ) -> Option<Dyn> {
        if !at.ranges.is_empty() {
            self.not_built("a range from the first or last step", span);
            return None;
        }
        if let Some((plus, lag)) = at.lag {
            if at.base != Some(Base::First) || !plus || at.c != 0 {
                self.not_built("this mixture of an end and a lag", span);
                return None;
            }
            self.lags_fit(lag, time, span)?;
            if s.ahead {
                // Before the first step there is nothing.
                return self.nowhere(Some(v), lag, span);
            }
            return self.rename(v, time, lag, span);
        }
        let moved = self.shift(v, time, at.c.saturating_neg(), None, span)?;
        let place = if at.base == Some(Base::First) {
            self.number(0.0)
        } else {
            let len = self.length(time, span);
            let len = self.dynamic(len, span)?;
            let one = self.number(1.0);
            self.map2(seqc_algebra::MapFn::Sub, &len, &one, span)?
        };
        let mut out = self.emit(Op::Gather(time), &[&moved, &place], span)?;
        if at.base == Some(Base::Last) {
            out.reach = out.reach.with_end(time);
        }
        Some(out)
    }

    /// E20: lags of one clock say nothing about another.
    fn lags_fit(&mut self, lag: Axis, time: Axis, span: Span) -> Option<()> {
        if lag.size == time.size {
            return Some(());
        }
        let d = Diagnostic::error(
            "E20",
            format!(
                "the lags are steps of clock `{}`, this runs on `{}`",
                lag.size, time.name
            ),
            span,
        );
        self.report(d.help("a kernel counts steps of its mixer's clock: put it into a mixer of its own, and call that on this"));
        None
    }

    #[allow(clippy::too_many_arguments)]
    fn displaced(
        &mut self,
        v: &Dyn,
        time: Axis,
        at: &TimeIndex,
        start: Option<&Dyn>,
        other_side: bool,
        span: Span,
    ) -> Option<Dyn> {
        let mut out = v.clone();
        let mut c = at.c;
        for (plus, axes) in &at.ranges {
            let (taps, size) = self.joint_taps(axes, span)?;
            out = self.window(&out, time, c, *plus, taps, size, span)?;
            if let [_, _, ..] = axes.as_slice() {
                out = self.emit(
                    Op::Split {
                        axis: taps,
                        into: axes.clone(),
                    },
                    &[&out],
                    span,
                )?;
            }
            c = 0;
        }
        if c != 0 {
            out = self.shift(&out, time, c.checked_neg()?, start, span)?;
        }
        if let Some((plus, lag)) = at.lag {
            self.lags_fit(lag, time, span)?;
            out = self.read_at_lag(&out, (time, lag), plus != other_side, span)?;
        }
        Some(out)
    }
}
