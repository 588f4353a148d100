//! Loops, buffers and launches: the schedule IR, the lowering from algebra, an interpreter.

pub mod affine;
pub mod build;
pub mod ir;
pub mod lower;
pub mod walk;
pub mod parse;
pub mod print;
pub mod testing;
pub mod fault;
pub mod interp;
pub mod run_plan;
pub mod verify;
