//! Which axes of the clock's length stand for the present, and which for earlier positions.

use super::{clock, is_clocklike};
use seqc_algebra::{Axis, Func, Op};
use std::collections::HashSet;

/// The axes that a program sums (or normalises) over somewhere, in a loop or outside, or reads by position: they stand for
/// earlier positions.
pub(crate) struct Clocks {
    earlier: HashSet<Axis>,
}

impl Clocks {
    pub fn of(func: &Func) -> Clocks {
        let mut earlier = HashSet::new();
        collect(func, &mut earlier);
        Clocks { earlier }
    }

    pub fn is_earlier(&self, axis: &Axis) -> bool {
        self.earlier.contains(axis)
    }

    /// Does the axis stand for the present: the clock, or a renaming of it that is never summed over?
    pub fn is_present(&self, axis: &Axis) -> bool {
        *axis == clock() || (is_clocklike(axis) && !self.is_earlier(axis))
    }
}

fn collect(func: &Func, earlier: &mut HashSet<Axis>) {
    for v in &func.values {
        match &v.op {
            Op::Scan(scan) => collect(&scan.body, earlier),
            Op::Contract(axes) | Op::Reduce(_, axes) => earlier.extend(axes),
            Op::Softmax(a) | Op::LogSumExp(a) | Op::TopMask(a, _) | Op::Gather(a) => {
                earlier.insert(*a);
            }
            Op::Conv { lag, .. } | Op::Window { lag, .. } => {
                earlier.insert(*lag);
            }
            _ => {}
        }
    }
}
