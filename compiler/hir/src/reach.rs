//! How far ahead a value looks, per clock: the analysis behind "causal".
//!
//! A value at position p of a time axis depends on inputs up to p + r. A value may hang on several time axes
//! (`M[i,j]`), and on a clock as a whole (`mean[t]`). Reads shift reaches, sums over an index move them to the
//! index that bounds it, and everything that cannot be bounded becomes "the whole clock".
//! Reaches count steps of the finest clock: at tick c of a clock of n steps a tick, a value depends on inputs up to
//! n c + r. A clock that is an axis of constant size has none: an axis of a value is there at once.

use seqc_algebra::{Axis, Sym};
use std::collections::BTreeMap;

/// `small <= big + by` wherever the value is not 0, in steps of the finest clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub small: Sym,
    pub big: Sym,
    pub by: i64,
}

/// Reach by (clock, time axis); no axis: the whole clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach(BTreeMap<(Sym, Option<Sym>), i64>);

/// How an output looks along one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    Causal,
    /// So many steps ahead.
    Ahead(i64),
    /// Without bound.
    Whole,
}

impl std::fmt::Display for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Look::Causal => f.write_str("causal"),
            Look::Ahead(n) => write!(f, "lookahead {n}"),
            Look::Whole => f.write_str("bidirectional"),
        }
    }
}

/// The clock of a time axis.
pub fn clock_of(axis: Axis) -> Option<Sym> {
    axis.size.length()
}

/// Steps of the finest clock in one position of an axis.
fn steps_in(axis: Axis) -> i64 {
    i64::try_from(axis.size.ratio().1).unwrap_or(i64::MAX)
}

impl Reach {
    /// A sequence input: itself at its own position.
    pub fn input(time: Axis) -> Reach {
        Reach::position(time, 0)
    }

    /// Is there a position so many steps ahead?
    pub fn position(time: Axis, ahead: i64) -> Reach {
        let mut map = BTreeMap::new();
        if let Some(c) = clock_of(time) {
            map.insert((c, Some(time.name)), ahead);
        }
        Reach(map)
    }

    pub fn whole(clock: Sym) -> Reach {
        Reach(BTreeMap::from([((clock, None), 0)]))
    }

    pub fn join(&mut self, other: &Reach) {
        for (k, r) in &other.0 {
            let mine = self.0.entry(*k).or_insert(*r);
            *mine = (*mine).max(*r);
        }
    }

    /// Reading `by` positions later along an axis.
    pub fn shifted(&self, axis: Axis, by: i64) -> Reach {
        let by = by.saturating_mul(steps_in(axis));
        self.map(|(c, a), r| {
            (
                (c, a),
                if a == Some(axis.name) {
                    r.saturating_add(by)
                } else {
                    r
                },
            )
        })
    }

    /// `tile` positions of an axis read together, as one tick of a coarser clock.
    pub fn patched(&self, axis: Axis, ticks: Axis, tile: usize) -> Reach {
        let others = i64::try_from(tile).unwrap_or(i64::MAX).saturating_sub(1);
        self.shifted(axis, others).renamed(axis.name, ticks.name)
    }

    pub fn renamed(&self, from: Sym, to: Sym) -> Reach {
        self.map(|(c, a), r| ((c, if a == Some(from) { Some(to) } else { a }), r))
    }

    /// The axis is read a lag earlier: how much is known once the lag is summed.
    pub fn lagging(&self, axis: Sym, lag: Sym) -> Reach {
        self.renamed(axis, Sym::new(&format!("{axis}-{lag}")))
    }

    /// The lag is summed, and at least so much.
    pub fn arrived(&self, lag: Axis, least: i64) -> Reach {
        let by = least.saturating_mul(steps_in(lag));
        self.map(|(c, a), r| {
            let read = a.and_then(|a| a.as_str().split_once('-'));
            match read.filter(|(_, l)| *l == lag.name.as_str()) {
                Some((time, _)) => ((c, Some(Sym::new(time))), r.saturating_sub(by)),
                None => ((c, a), r),
            }
        })
    }

    /// The axis is read from its end: even what no input reaches depends on where that is.
    pub fn with_end(&self, axis: Axis) -> Reach {
        let mut all = self.whole_axis(axis.name);
        if let Some(c) = clock_of(axis) {
            all.join(&Reach::whole(c));
        }
        all
    }

    /// The axis is read from end to end, at a lag or not.
    pub fn whole_axis(&self, axis: Sym) -> Reach {
        let own = |a: Sym| {
            a == axis
                || a.as_str()
                    .split_once('-')
                    .is_some_and(|(t, _)| t == axis.as_str())
        };
        self.map(|(c, a), r| {
            if a.is_some_and(own) {
                ((c, None), 0)
            } else {
                ((c, a), r)
            }
        })
    }

    /// The axis is summed: its positions are bounded by another axis if some bound says so. A position counts only if
    /// there is one, however early its entry is known, and even if nothing is read there.
    pub fn summed(&self, axis: Axis, bounds: &[Bound]) -> Reach {
        let by = bounds
            .iter()
            .filter(|b| b.small == axis.name)
            .min_by_key(|b| b.by);
        match by {
            Some(b) => {
                let own = |a: Option<Sym>| a == Some(axis.name);
                let mut there = self.map(|(c, a), r| ((c, a), if own(a) { r.max(0) } else { r }));
                there.join(&Reach::position(axis, 0));
                let there = there
                    .map(|(c, a), r| ((c, a), if own(a) { r.saturating_add(b.by) } else { r }));
                there.renamed(axis.name, b.big)
            }
            None => self.with_end(axis),
        }
    }

    fn map(&self, f: impl Fn((Sym, Option<Sym>), i64) -> ((Sym, Option<Sym>), i64)) -> Reach {
        let mut out = Reach::default();
        for (k, r) in &self.0 {
            let (k, r) = f(*k, *r);
            let old = out.0.entry(k).or_insert(r);
            *old = (*old).max(r);
        }
        out
    }

    /// Every clock it hangs on, and how far it looks along it from its own position `time`.
    pub fn looks(&self, time: Option<Axis>) -> BTreeMap<Sym, Look> {
        let mut out = BTreeMap::new();
        for ((c, a), r) in &self.0 {
            let look = match (a, time) {
                (Some(a), Some(t)) if *a == t.name => {
                    if *r <= 0 {
                        Look::Causal
                    } else {
                        Look::Ahead(*r)
                    }
                }
                _ => Look::Whole,
            };
            let old = out.entry(*c).or_insert(look);
            *old = (*old).max(look);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_sum_is_causal_and_an_unmasked_one_is_not() {
        let t = Axis::time();
        let x = Reach::input(t);
        let (i, j) = (t.renamed("i"), t.renamed("j"));
        let mut m = x.renamed(t.name, i.name);
        m.join(&x.renamed(t.name, j.name));
        let bound = Bound {
            small: j.name,
            big: i.name,
            by: 0,
        };
        let causal = m.summed(j, &[bound]).renamed(i.name, t.name);
        assert_eq!(causal.looks(Some(t))[&Sym::new("t")], Look::Causal);
        let whole = m.summed(j, &[]).renamed(i.name, t.name);
        assert_eq!(whole.looks(Some(t))[&Sym::new("t")], Look::Whole);
    }

    #[test]
    fn what_no_input_reaches_has_an_end() {
        let t = Axis::time();
        let looks = Reach::default().with_end(t).looks(Some(t));
        assert_eq!(looks[&Sym::new("t")], Look::Whole);
    }

    #[test]
    fn reading_later_looks_ahead() {
        let t = Axis::time();
        let mut x = Reach::input(t).shifted(t, 2);
        x.join(&Reach::input(t).shifted(t, -3));
        assert_eq!(x.looks(Some(t))[&Sym::new("t")], Look::Ahead(2));
        assert_eq!(
            Reach::input(t).shifted(t, -1).looks(Some(t))[&Sym::new("t")],
            Look::Causal
        );
    }

    #[test]
    fn a_tick_before_the_tick_of_now_is_past() {
        let t = Axis::time();
        let ticks = Axis {
            name: Sym::new("t/4"),
            size: t.size.tiled(4),
        };
        let own = |r: &Reach| r.renamed(ticks.name, t.name).looks(Some(t))[&Sym::new("t")];
        let x = Reach::input(t).patched(t, ticks, 4);
        assert_eq!(own(&x), Look::Ahead(3));
        assert_eq!(own(&x.shifted(ticks, -1)), Look::Causal);
        let wider = Axis {
            name: Sym::new("t/12"),
            size: t.size.tiled(12),
        };
        let twice = x.patched(ticks, wider, 3).renamed(wider.name, t.name);
        assert_eq!(twice.looks(Some(t))[&Sym::new("t")], Look::Ahead(11));
    }

    #[test]
    fn a_position_counts_only_if_there_is_one() {
        let t = Axis::time();
        let early = Reach::input(t).shifted(t, -1);
        let bound = Bound {
            small: Sym::new("j"),
            big: t.name,
            by: 1,
        };
        let seen = early.renamed(t.name, Sym::new("j"));
        let j = t.renamed("j");
        let seen = seen.summed(j, &[bound]);
        assert_eq!(seen.looks(Some(t))[&Sym::new("t")], Look::Ahead(1));
        let mut constant = Reach::default();
        constant.join(&Reach::position(t, 1));
        assert_eq!(constant.looks(Some(t))[&Sym::new("t")], Look::Ahead(1));
    }
}
