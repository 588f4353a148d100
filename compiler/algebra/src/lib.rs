//! The mixer IR: pure functional programs over named axes.
//!
//! A [`Func`] is a directed acyclic graph of [`Value`]s. A value's type ([`Ty`]) is an element kind and an
//! ordered list of [`Axis`]; time and batch are axes like any other, with run-time lengths. There are no
//! reshapes by position, no in-place updates and no loops except [`Scan`], which carries states along an axis,
//! one step or one tile of steps at a time. All forms of a mixer (matrix, recurrent, chunked, tiled) and all
//! gradients are programs in this one IR, so that one interpreter can run each of them.
//!
//! Deliberately absent: storage, loop order, data types narrower than real numbers, targets; and any mixer's name.

pub mod axis;
mod brackets;
pub mod build;
pub mod complex;
pub mod dce;
pub mod exact;
pub mod func;
pub mod interp;
mod interp_scan;
mod lex;
mod looks;
pub mod op;
pub mod ops;
pub mod parse;
pub mod print;
mod rounding;
pub mod shape;
pub mod tensor;
pub mod verify;

pub use axis::{Axis, Size, Sym};
pub use build::Builder;
pub use complex::C64;
pub use dce::dce;
pub use exact::Exact;
pub use func::{Elem, Func, Ty, Value, ValueId};
pub use interp::{EvalError, run, run_exact};
pub use looks::looks;
pub use op::{Dist, Init, Input, InputKind, MapFn, Num, Op, Out, ReduceOp, Scan, SeqIn};
pub use parse::{ParseError, parse};
pub use shape::ShapeError;
pub use tensor::{Data, Kind, Tensor};
pub use verify::{VerifyError, verify};
