//! Where a value lives: a strided view of a buffer, indexed by named axes; and environments that say at which
//! index of each axis an element is wanted.
//!
//! Invariant: the element of a place at `env` is at `base + Σ env[axis] · stride`, for indices that are inside
//! the axes. Views (renaming, splitting, merging of adjacent axes, picking) change the strides and move nothing.

use crate::ir::Ix;
use seqc_algebra::{Axis, Size, Sym};

/// A buffer of the plan, scratch of the kernel, or a buffer that the kernel has for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mem {
    Global(usize),
    Local(u32),
    Wide(usize),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub mem: Mem,
    pub base: Ix,
    pub strides: Vec<(Axis, Ix)>,
    /// Elements are whole numbers in memory.
    pub int: bool,
}

impl Place {
    /// Row-major over `axes` with these extents.
    pub fn row_major(mem: Mem, axes: &[(Axis, Ix)]) -> Place {
        let mut stride = Ix::Const(1);
        let mut strides = Vec::new();
        for (axis, n) in axes.iter().rev() {
            strides.push((*axis, stride.clone()));
            stride = (stride * n.clone()).simplify();
        }
        strides.reverse();
        Place {
            mem,
            base: Ix::Const(0),
            strides,
            int: false,
        }
    }

    pub fn stride(&self, axis: Axis) -> Option<&Ix> {
        self.strides
            .iter()
            .find(|(a, _)| *a == axis)
            .map(|(_, s)| s)
    }

    pub fn has(&self, axis: Axis) -> bool {
        self.stride(axis).is_some()
    }

    /// Constant stride of an axis; 0 if the place lacks it.
    pub fn step(&self, axis: Axis) -> Option<i64> {
        match self.stride(axis) {
            None => Some(0),
            Some(s) => s.known(),
        }
    }

    /// The place with one axis fixed.
    pub fn at(mut self, axis: Axis, ix: Ix) -> Place {
        if let Some(k) = self.strides.iter().position(|(a, _)| *a == axis) {
            let (_, s) = self.strides.remove(k);
            self.base = self.base + ix * s;
        }
        self
    }

    /// The place seen from `by` on along an axis.
    pub fn from(mut self, axis: Axis, by: Ix) -> Place {
        if let Some(s) = self.stride(axis).cloned() {
            self.base = self.base + by * s;
        }
        self
    }

    pub fn renamed(mut self, from: Axis, to: Axis) -> Place {
        for (a, _) in &mut self.strides {
            if *a == from {
                *a = to;
            }
        }
        self
    }

    pub fn split(mut self, axis: Axis, into: &[Axis]) -> Option<Place> {
        let k = self.strides.iter().position(|(a, _)| *a == axis)?;
        let (_, s) = self.strides.remove(k);
        let mut stride = s;
        for a in into.iter().rev() {
            self.strides.insert(k, (*a, stride.clone()));
            stride = (stride * a.size.constant()? as i64).simplify();
        }
        Some(self)
    }

    /// Axes as one, if they are adjacent in memory in that order.
    pub fn merged(mut self, axes: &[Axis], into: Axis) -> Option<Place> {
        let mut stride = self.stride(*axes.last()?)?.clone();
        let least = stride.clone();
        for pair in axes.windows(2).rev() {
            stride = (stride * pair[1].size.constant()? as i64).simplify();
            if self.stride(pair[0])?.simplify() != stride {
                return None;
            }
        }
        self.strides.retain(|(a, _)| !axes.contains(a));
        self.strides.push((into, least));
        Some(self)
    }
}

/// An index for each axis.
#[derive(Clone, Debug, Default)]
pub(crate) struct Env(pub Vec<(Axis, Ix)>);

impl Env {
    pub fn get(&self, axis: Axis) -> Option<&Ix> {
        self.0
            .iter()
            .rev()
            .find(|(a, _)| *a == axis)
            .map(|(_, i)| i)
    }

    pub fn set(&mut self, axis: Axis, ix: Ix) {
        self.0.retain(|(a, _)| *a != axis);
        self.0.push((axis, ix));
    }

    pub fn with(&self, axis: Axis, ix: Ix) -> Env {
        let mut e = self.clone();
        e.set(axis, ix);
        e
    }
}

/// The number of positions as an index; `lens` are the names of the run-time sizes in order.
pub(crate) fn size_ix(size: Size, lens: &[Sym]) -> Option<Ix> {
    let whole = |n: usize| i64::try_from(n).ok();
    if let Some(n) = size.constant() {
        return Some(Ix::Const(whole(n)?));
    }
    let (len, (times, tile)) = (size.length()?, size.ratio());
    let dim = Ix::Dim(lens.iter().position(|l| *l == len)? as u32);
    let all = match times {
        1 => dim,
        n => dim * whole(n)?,
    };
    match tile {
        1 => Some(all),
        n => Some(all.ceil_div(whole(n)?)),
    }
}

/// The same for the plan.
pub(crate) fn size_dim(size: Size) -> seqc_abi::Dim {
    use seqc_abi::Dim;
    let Some(len) = size.length() else {
        return Dim::Const(size.constant().unwrap_or(0) as u64);
    };
    let (times, tile) = size.ratio();
    let len = Dim::Len(len.as_str().to_owned());
    match (Dim::product([len, Dim::Const(times as u64)]), tile) {
        (all, 1) => all,
        (all, n) => Dim::CeilDiv(Box::new(all), n as u64),
    }
}

/// An index over run-time sizes as a plan's size.
pub(crate) fn ix_dim(ix: &Ix, lens: &[Sym]) -> Option<seqc_abi::Dim> {
    use seqc_abi::Dim;
    Some(match ix {
        Ix::Const(n) => Dim::Const(u64::try_from(*n).ok()?),
        Ix::Dim(d) => Dim::Len(lens.get(*d as usize)?.as_str().to_owned()),
        Ix::Mul(a, b) => Dim::product([ix_dim(a, lens)?, ix_dim(b, lens)?]),
        Ix::Add(a, b) => Dim::Add(Box::new(ix_dim(a, lens)?), Box::new(ix_dim(b, lens)?)),
        Ix::Div(a, b) => {
            let n = b.known().filter(|n| *n > 0)?;
            // ceil(x / n) is written (x + n - 1) / n.
            let x = (a.as_ref().clone() - (n - 1)).simplify();
            Dim::CeilDiv(Box::new(ix_dim(&x, lens)?), n as u64)
        }
        _ => return None,
    })
}

/// Positions of an axis for cost estimates; run-time lengths count as a thousand.
pub(crate) fn weight(axis: Axis) -> f64 {
    match axis.size {
        Size::Const(n) => n as f64,
        Size::Len(s) if s.as_str() == "batch" => 16.0,
        size => {
            let (times, tile) = size.ratio();
            (1000.0 * times as f64 / tile.max(1) as f64).max(1.0)
        }
    }
}

pub(crate) fn space(axes: &[Axis]) -> f64 {
    axes.iter().map(|a| weight(*a)).product()
}
