//! From algebra to kernels and a plan, by pulling: each stored value is a loop nest whose body is its definition
//! with index substitution, matrix products are atoms or launches of the runtime's routine, and a scan is one
//! kernel whose grid is made of the axes on which its body acts pointwise.
//!
//! Composite operations are taken apart first ([`desugar`]); [`choose`] decides what is stored; [`top`] cuts the
//! program into launches; [`cell`], [`elem`], [`nest`], [`root`], [`contract`], [`scan`] build one kernel.
//! No rule looks at what a program is for: only at operations, axes and sizes.

mod angles;
mod buffers;
mod cell;
mod choose;
mod contract;
mod desugar;
mod elem;
mod gemm;
mod grid;
mod hash;
mod layout;
mod long;
mod nest;
mod online;
mod place;
mod queue;
mod root;
mod rows;
mod scan;
mod scatter;
mod scratch;
mod top;
mod view;

use crate::ir::Kernel;
use seqc_abi::Plan;
use seqc_algebra::{Axis, Elem, Func, Op, ShapeError};
use std::fmt;

/// What the lowering is to aim at.
#[derive(Clone, Debug)]
pub struct Options {
    /// Floats in a vector: 8 for AVX2, 16 for AVX-512, 4 for the instant tier.
    pub lanes: u32,
    /// The simplest correct lowering, as a second opinion: each operation its own kernel, no atoms, no lanes.
    pub reference: bool,
    /// Results that another program reads, by name, with the order in which their axes lie in memory.
    pub orders: Vec<(String, Vec<Axis>)>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            lanes: 8,
            reference: false,
            orders: vec![],
        }
    }
}

/// Kernels in the order of `plan.kernels`, and the plan that launches them.
#[derive(Clone, Debug)]
pub struct Lowered {
    pub kernels: Vec<Kernel>,
    pub plan: Plan,
}

/// What could not be lowered, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LowerError(pub String);

impl LowerError {
    pub(crate) fn new(text: &str) -> LowerError {
        LowerError(text.to_owned())
    }
}

impl fmt::Display for LowerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LowerError {}

impl From<ShapeError> for LowerError {
    fn from(e: ShapeError) -> LowerError {
        LowerError(e.to_string())
    }
}

/// Lowers a real-valued program. Errors: complex values, values with run-time axes inside a scan's body that would
/// have to be stored, and operations without a lowering; each says which.
pub fn lower(func: &Func, options: &Options) -> Result<Lowered, LowerError> {
    refuse_complex(func)?;
    let func = desugar::desugar(func)?;
    let lens = buffers::lengths(&func);
    top::Top::new(&func, options, &lens)?.lower()
}

fn refuse_complex(func: &Func) -> Result<(), LowerError> {
    for v in &func.values {
        if v.ty.elem == Elem::Complex {
            return Err(LowerError(format!(
                "`{}` has complex values; they are split into real ones first",
                func.name
            )));
        }
        if let Op::Scan(s) = &v.op {
            refuse_complex(&s.body)?;
        }
    }
    Ok(())
}
