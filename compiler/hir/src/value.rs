//! What an expression stands for while a mixer is being elaborated.
//!
//! Invariant: a `Dyn` belongs to the builder of its `depth`: 0 is the program, deeper ones are bodies of scans
//! that are being built. Its axes are those of the algebra value: sizes for features, run-time lengths for time.

use crate::exists::Domain;
use crate::reach::{Bound, Reach};
use crate::stat::Stat;
use seqc_algebra::{Axis, ValueId};
use seqc_syntax::Span;
use std::rc::Rc;

/// A value of the program.
#[derive(Clone, Debug)]
pub struct Dyn {
    pub depth: usize,
    pub id: ValueId,
    pub reach: Reach,
    /// The axis that the integers index (`tokens: seq<vocab>`); several when the axis stands for a group.
    pub index: Option<Vec<Axis>>,
    /// Outside of all these bounds the value is 0.
    pub zero: Vec<Bound>,
    /// Where its entries exist.
    pub domains: Vec<Domain>,
}

/// `M[i,j]`: a value over its index axes, in the order of the left side.
#[derive(Clone, Debug)]
pub struct Matrix {
    pub value: Dyn,
    pub index: Vec<Axis>,
}

/// `f[lag]`: its values at lag = +l (`causal`) and at lag = -l (`ahead`, whose entry l = 0 is 0).
#[derive(Clone, Debug)]
pub struct Kernel {
    pub lag: Axis,
    pub causal: Option<Dyn>,
    pub ahead: Option<Dyn>,
}

/// A mixer as a value: which one, with which settings, and whose parameters.
#[derive(Debug)]
pub struct Instance {
    pub item: usize,
    pub given: Vec<(String, Val, Span)>,
    /// Where its parameters live; none for a mixer that was only named (each call then has its own).
    pub home: Option<Home>,
}

/// A place in the tree of parameters: the path as text, and the calls that led there (two calls that
/// give one path are two sites, which is an error unless they share an instance).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Home {
    pub path: String,
    pub site: Vec<Span>,
}

impl Home {
    pub fn join(&self, part: &str) -> Home {
        let path = if self.path.is_empty() {
            part.to_owned()
        } else {
            format!("{}.{part}", self.path)
        };
        Home {
            path,
            site: self.site.clone(),
        }
    }

    pub fn at(mut self, span: Span) -> Home {
        self.site.push(span);
        self
    }
}

#[derive(Clone, Debug)]
pub enum Val {
    /// Something was wrong and has been said; silences whatever reads it.
    Poison,
    Stat(Stat),
    Dyn(Dyn),
    Matrix(Matrix),
    Kernel(Kernel),
    Mixer(Rc<Instance>),
    /// A built-in function that stands for a mixer: `act: mixer = silu`.
    Function(&'static str),
    /// The outputs of a call with several.
    Tuple(Vec<Val>),
}

impl Val {
    pub fn stat(&self) -> Option<Stat> {
        match self {
            Val::Stat(s) => Some(*s),
            _ => None,
        }
    }

    pub fn is_poison(&self) -> bool {
        matches!(self, Val::Poison)
    }
}
