//! Memory plan of the temporaries: which bytes of one arena each of them holds.
//!
//! Largest first, each into the tightest gap left by those already placed whose lives overlap its own.
//! Invariant: two buffers that are alive at the same time share no byte; every offset is a multiple of 64.

use crate::block::ALIGN;

/// When a buffer lives, as launch numbers, both ends included; and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    pub first: usize,
    pub last: usize,
    pub bytes: usize,
}

impl Interval {
    fn meets(&self, other: &Interval) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Offsets in the order of the intervals, and the arena's length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    pub offsets: Vec<usize>,
    pub bytes: usize,
}

/// Places all intervals; `None` if a size overflows.
pub fn place(intervals: &[Interval]) -> Option<Placement> {
    let mut order: Vec<usize> = (0..intervals.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(intervals[i].bytes), intervals[i].first, i));
    let mut offsets = vec![0; intervals.len()];
    let mut total = 0usize;
    // Placed so far, by offset: (offset, end, index).
    let mut placed: Vec<(usize, usize, usize)> = Vec::with_capacity(intervals.len());
    for i in order {
        let bytes = intervals[i].bytes.checked_next_multiple_of(ALIGN)?;
        let alive = placed
            .iter()
            .filter(|p| intervals[p.2].meets(&intervals[i]));
        let at = tightest_gap(alive.map(|p| (p.0, p.1)), bytes);
        let end = at.checked_add(bytes)?;
        offsets[i] = at;
        total = total.max(end);
        let slot = placed.partition_point(|p| p.0 < at);
        placed.insert(slot, (at, end, i));
    }
    Some(Placement {
        offsets,
        bytes: total,
    })
}

/// Start of the smallest gap of at least `bytes` between occupied ranges (sorted by start), or their end.
fn tightest_gap(occupied: impl Iterator<Item = (usize, usize)>, bytes: usize) -> usize {
    let mut free = 0;
    let mut best: Option<(usize, usize)> = None;
    for (start, end) in occupied {
        let gap = start.saturating_sub(free);
        if gap >= bytes && best.is_none_or(|(size, _)| gap < size) {
            best = Some((gap, free));
        }
        free = free.max(end);
    }
    best.map_or(free, |(_, at)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn interval() -> impl Strategy<Value = Interval> {
        (0usize..20, 0usize..8, 0usize..5000).prop_map(|(first, long, bytes)| Interval {
            first,
            last: first + long,
            bytes,
        })
    }

    proptest! {
        #[test]
        fn live_buffers_never_overlap(all in prop::collection::vec(interval(), 0..40)) {
            let plan = place(&all).expect("small");
            let end = |i: usize| plan.offsets[i] + all[i].bytes;
            for i in 0..all.len() {
                prop_assert_eq!(plan.offsets[i] % 64, 0);
                prop_assert!(end(i) <= plan.bytes);
                for j in 0..i {
                    let together = all[i].first <= all[j].last && all[j].first <= all[i].last;
                    let apart = end(i) <= plan.offsets[j] || end(j) <= plan.offsets[i];
                    prop_assert!(!together || apart || all[i].bytes == 0 || all[j].bytes == 0);
                }
            }
            // between what is alive at once and the sum of all
            let size = |i: &Interval| i.bytes.next_multiple_of(64);
            let alive = |t| all.iter().filter(|i| i.first <= t && t <= i.last).map(size).sum::<usize>();
            prop_assert!(plan.bytes >= (0..30).map(alive).max().unwrap_or(0));
            prop_assert!(plan.bytes <= all.iter().map(size).sum());
        }
    }

    #[test]
    fn a_chain_needs_two_slots() {
        let chain: Vec<_> = (0..10)
            .map(|i| Interval {
                first: i,
                last: i + 1,
                bytes: 1000,
            })
            .collect();
        assert_eq!(place(&chain).expect("small").bytes, 2 * 1024);
    }

    #[test]
    fn overflow_is_refused() {
        let big = Interval {
            first: 0,
            last: 0,
            bytes: usize::MAX - 200,
        };
        assert_eq!(place(&[big, big]), None);
        assert_eq!(
            place(&[Interval {
                bytes: usize::MAX,
                ..big
            }]),
            None
        );
    }
}
