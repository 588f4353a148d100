//! Loops, buffers and launches: the schedule IR, the lowering from algebra, narrower memory, an interpreter.

pub mod affine;
pub mod angle;
pub mod build;
pub mod fault;
pub mod interp;
pub mod ir;
pub mod lower;
pub mod narrow;
pub mod parse;
pub mod print;
pub mod run_plan;
pub mod testing;
pub mod verify;
pub mod walk;
pub mod word;
