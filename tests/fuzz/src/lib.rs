//! Fuzzing of the front end: what must hold of any text, and texts worth trying.
//!
//! Used by the libFuzzer targets beside this file and, through `#[path]`, by `compiler/hir/tests/fuzz.rs`, which
//! needs no fuzzer: the same mutations from fixed seeds.

pub mod mutate;
pub mod places;
pub mod property;
pub mod tokens;
