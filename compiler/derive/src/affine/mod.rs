//! The normal form of a value as an affine function of states (derivation calculus, recognition steps 2–4).
//!
//! A value is expanded into monomials: a rational scale, factors that do not depend on a state (kept opaque,
//! never distributed), and at most one occurrence of a state whose axes may have been renamed or summed. The
//! normal form serves to recognise a class; programs are emitted from the factors, which stay as written.
//! [`expand`] makes it, [`open`] distributes the sums of a value that is free of states.

mod chosen;
mod expand;
mod open;

pub use chosen::left_out;
pub use expand::Affine;
pub use open::{divisors_of, factors_of, opened};

use seqc_algebra::{Axis, Func, ValueId};

/// A factor: a value of the body that is free of the state, some of its axes renamed to a bound copy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Factor {
    pub value: ValueId,
    pub renamed: Vec<(Axis, Axis)>,
    pub how: How,
}

/// How the value enters the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum How {
    Times,
    /// 1/value
    Over,
    /// 1 where the value is nonzero, else 0
    Where,
    /// 0 where the value is nonzero, else 1
    Unless,
}

/// `scale · Π factors · state[axes]`, summed over `bound`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mono {
    pub scale: f64,
    pub factors: Vec<Factor>,
    /// `None`: free of the states.
    pub state: Option<Occurrence>,
    pub bound: Vec<Axis>,
}

/// One of the states, as it occurs in a monomial.
#[derive(Clone, Debug, PartialEq)]
pub struct Occurrence {
    /// Which of the variables of the expansion.
    pub var: usize,
    /// For each axis of the state, the name it is read under.
    pub axes: Vec<(Axis, Axis)>,
}

impl Occurrence {
    /// The axes that are read under another name, with that name.
    pub fn moved(&self) -> Vec<(Axis, Axis)> {
        self.axes.iter().filter(|(a, r)| a != r).copied().collect()
    }
}

impl Factor {
    /// The value itself.
    pub fn of(value: ValueId, how: How) -> Factor {
        Factor {
            value,
            renamed: vec![],
            how,
        }
    }
}

impl Mono {
    /// A product that is free of the state.
    pub fn free(scale: f64, factors: Vec<Factor>) -> Mono {
        Mono {
            scale,
            factors,
            state: None,
            bound: vec![],
        }
    }
}

/// Why a value is not affine in the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAffine {
    pub at: ValueId,
    pub why: String,
}

/// The axes a factor shows after its renamings.
pub fn factor_axes(func: &Func, f: &Factor) -> Vec<Axis> {
    let rename = |a: &Axis| {
        f.renamed
            .iter()
            .find(|(from, _)| from == a)
            .map_or(*a, |(_, to)| *to)
    };
    func.ty(f.value).axes.iter().map(rename).collect()
}

fn rename(func: &Func, m: &mut Mono, from: Axis, to: Axis) {
    for f in &mut m.factors {
        if !factor_axes(func, f).contains(&from) {
            continue;
        }
        match f.renamed.iter_mut().find(|(_, t)| *t == from) {
            Some(r) => r.1 = to,
            None => f.renamed.push((from, to)),
        }
        f.renamed.retain(|(a, b)| a != b);
        f.renamed.sort();
    }
    for (_, read) in m.state.iter_mut().flat_map(|s| &mut s.axes) {
        if *read == from {
            *read = to;
        }
    }
    for a in &mut m.bound {
        if *a == from {
            *a = to;
        }
    }
    m.factors.sort();
}

fn scaled(mut monos: Vec<Mono>, by: f64) -> Vec<Mono> {
    for m in &mut monos {
        m.scale *= by;
    }
    monos
}

/// Adds up monomials that differ only in scale; drops those that cancel.
fn merged(monos: Vec<Mono>) -> Vec<Mono> {
    let mut out: Vec<Mono> = Vec::new();
    for m in monos {
        match out
            .iter_mut()
            .find(|o| o.factors == m.factors && o.state == m.state && o.bound == m.bound)
        {
            Some(o) => o.scale += m.scale,
            None => out.push(m),
        }
    }
    out.retain(|m| m.scale != 0.0);
    out
}
