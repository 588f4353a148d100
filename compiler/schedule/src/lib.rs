//! Loops, buffers and launches: the schedule IR, the lowering from algebra, an interpreter.

pub mod ir;
