//! Sizes and strides of global buffers: a constant times run-time lengths, exact enough to compare.

use seqc_abi::Dim;
use seqc_algebra::{Axis, Size};

/// `constant · Π lens`. Lengths are kept sorted, so that equal products are equal values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Extent {
    pub constant: u64,
    lens: Vec<Size>,
}

impl Extent {
    pub fn one() -> Extent {
        Extent { constant: 1, lens: vec![] }
    }

    pub fn of(axis: Axis) -> Extent {
        match axis.size {
            Size::Const(n) => Extent { constant: n as u64, lens: vec![] },
            other => Extent { constant: 1, lens: vec![other] },
        }
    }

    pub fn times(&self, other: &Extent) -> Extent {
        let mut lens = [self.lens.clone(), other.lens.clone()].concat();
        lens.sort();
        Extent { constant: self.constant.saturating_mul(other.constant), lens }
    }

    pub fn scaled(&self, by: u64) -> Extent {
        Extent { constant: self.constant.saturating_mul(by), lens: self.lens.clone() }
    }

    pub fn known(&self) -> Option<u64> {
        self.lens.is_empty().then_some(self.constant)
    }

    /// Run-time lengths that occur.
    pub fn lens(&self) -> &[Size] {
        &self.lens
    }

    pub fn dim(&self) -> Dim {
        Dim::product(self.lens.iter().map(|s| dim_of(*s)).chain([Dim::Const(self.constant)]))
    }
}

/// The size of an axis in a plan.
pub fn dim_of(size: Size) -> Dim {
    match size {
        Size::Const(n) => Dim::Const(n as u64),
        Size::Len(name) => Dim::Len(name.to_string()),
        Size::Tiles(name, n) => Dim::CeilDiv(Box::new(Dim::Len(name.to_string())), n as u64),
    }
}

/// Row-major strides of the axes, in elements.
pub fn row_major(axes: &[Axis]) -> Vec<(Axis, Extent)> {
    let mut stride = Extent::one();
    let mut out: Vec<(Axis, Extent)> = Vec::new();
    for a in axes.iter().rev() {
        out.push((*a, stride.clone()));
        stride = stride.times(&Extent::of(*a));
    }
    out.reverse();
    out
}

/// A part of a global buffer: `element(position) = buffer[offset + Σ stride · position]`.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub buffer: usize,
    pub offset: u64,
    pub strides: Vec<(Axis, Extent)>,
}

impl View {
    pub fn whole(buffer: usize, axes: &[Axis]) -> View {
        View { buffer, offset: 0, strides: row_major(axes) }
    }

    pub fn stride(&self, axis: Axis) -> Option<&Extent> {
        self.strides.iter().find(|(a, _)| *a == axis).map(|(_, s)| s)
    }

    /// The axes as one, in the given order, if they lie like nested loops: the stride of the innermost.
    pub fn collapse(&self, axes: &[Axis]) -> Option<Extent> {
        let mut inner: Option<(Axis, Extent)> = None;
        for a in axes.iter().rev() {
            let s = self.stride(*a)?.clone();
            if let Some((b, t)) = &inner
                && s != t.times(&Extent::of(*b))
            {
                return None;
            }
            inner = Some((*a, s));
        }
        let last = axes.last().copied();
        match last {
            None => Some(Extent::one()),
            Some(a) => self.stride(a).cloned(),
        }
    }
}
