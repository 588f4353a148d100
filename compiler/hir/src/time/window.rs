//! Ranges in an index: the positions around each position, along an axis of their own.

use crate::elab::Elab;
use crate::value::Dyn;
use seqc_algebra::{Axis, Op};
use seqc_syntax::Span;

/// Steps of a ragged edge that are built one by one.
const MAX_EDGE: i64 = 4096;

impl<'p> Elab<'p> {
    /// The one axis that a range runs over; a group is taken as its merger.
    pub(super) fn joint_taps(&mut self, axes: &[Axis], span: Span) -> Option<(Axis, i64)> {
        let size = i64::try_from(self.volume(axes, span)?).ok()?;
        let taps = match axes {
            [one] => *one,
            _ => Axis::new(
                &axes
                    .iter()
                    .map(|a| a.name.as_str())
                    .collect::<Vec<_>>()
                    .join("*"),
                usize::try_from(size).ok()?,
            ),
        };
        Some((taps, size))
    }

    /// `y[p, l] = x[p + c ± l]` along any axis, 0 outside. Exact at both ends: where the constant moves against the
    /// range, the first `|c|` taps are shifts of their own.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn window(
        &mut self,
        v: &Dyn,
        axis: Axis,
        c: i64,
        plus: bool,
        taps: Axis,
        size: i64,
        span: Span,
    ) -> Option<Dyn> {
        let along = if plus { c } else { c.checked_neg()? };
        let index = v.index.clone();
        let farthest = if plus { c.saturating_add(size - 1) } else { c };
        let reach = v.reach.shifted(axis, farthest);
        let whole = self.emit(
            Op::Window {
                axis,
                lag: taps,
                ahead: plus,
            },
            &[v],
            span,
        )?;
        let mut out = if along >= 0 {
            self.shift(&whole, axis, c.checked_neg()?, None, span)?
        } else {
            let edge = (-along).min(size);
            if edge > MAX_EDGE {
                self.too_large(
                    "a range that starts thousands of steps to its other side".into(),
                    span,
                );
                return None;
            }
            let mut sum = self.emit(
                Op::Shift {
                    axis: taps,
                    by: -along,
                },
                &[&whole],
                span,
            )?;
            for l in 0..edge {
                let here = c + if plus { l } else { -l };
                let tap = self.shift(v, axis, -here, None, span)?;
                let placed = self.emit(
                    Op::Place {
                        axis: taps,
                        index: usize::try_from(l).ok()?,
                    },
                    &[&tap],
                    span,
                )?;
                sum = self.map2(seqc_algebra::MapFn::Add, &sum, &placed, span)?;
            }
            sum
        };
        (out.reach, out.index) = (reach, index);
        Some(out)
    }
}
