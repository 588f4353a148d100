//! Run-time sizes: small closed formulas over the named lengths of a run (`batch`, `t`, …).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A size known when a plan is instantiated.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dim {
    Const(u64),
    /// A named run-time length.
    Len(String),
    /// `ceil(a / b)`: number of tiles.
    CeilDiv(Box<Dim>, u64),
    Mul(Box<Dim>, Box<Dim>),
    Add(Box<Dim>, Box<Dim>),
}

/// The lengths of one run.
pub type Sizes = BTreeMap<String, u64>;

impl Dim {
    /// Evaluates with checked arithmetic; an error names the missing length or says that it overflows.
    pub fn eval(&self, sizes: &Sizes) -> Result<u64, String> {
        let overflow = || format!("size {self:?} overflows");
        match self {
            Dim::Const(n) => Ok(*n),
            Dim::Len(name) => sizes
                .get(name)
                .copied()
                .ok_or_else(|| format!("no length `{name}` given")),
            Dim::CeilDiv(_, 0) => Err(format!("size {self:?} divides by zero")),
            Dim::CeilDiv(a, b) => Ok(a.eval(sizes)?.div_ceil(*b)),
            Dim::Mul(a, b) => a
                .eval(sizes)?
                .checked_mul(b.eval(sizes)?)
                .ok_or_else(overflow),
            Dim::Add(a, b) => a
                .eval(sizes)?
                .checked_add(b.eval(sizes)?)
                .ok_or_else(overflow),
        }
    }

    /// Product of several sizes (1 for none).
    pub fn product(dims: impl IntoIterator<Item = Dim>) -> Dim {
        let mut constant = 1u64;
        let mut rest: Option<Dim> = None;
        for d in dims {
            match d {
                Dim::Const(n) => constant = constant.saturating_mul(n),
                d => rest = Some(rest.map_or(d.clone(), |r| Dim::Mul(Box::new(r), Box::new(d)))),
            }
        }
        match rest {
            None => Dim::Const(constant),
            Some(r) if constant == 1 => r,
            Some(r) => Dim::Mul(Box::new(r), Box::new(Dim::Const(constant))),
        }
    }
}
