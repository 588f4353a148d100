//! Fuzzing of the front end: what must hold of any text, and texts worth trying.
//!
//! Used by the libFuzzer targets beside this file and, through `#[path]`, by `compiler/hir/tests/fuzz.rs`, which
//! needs no fuzzer: the same mutations from fixed seeds. `bytes` and `formats`, for files of other kinds, are used in
//! the same way by `compiler/driver/tests/fuzz_formats.rs`.

#[cfg(not(test))] // the test of specs needs no driver
pub mod bytes;
#[cfg(not(test))]
pub mod formats;
pub mod mutate;
pub mod places;
pub mod property;
pub mod rng;
pub mod tokens;
