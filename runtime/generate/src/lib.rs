//! The generation loop: prefill, step, sampling.
//!
//! A [`Generator`] is a model's programs `prefill` and `step` with its weights. [`Generator::start`] reads a prompt
//! in one pass and hands its states to the step; from there each token costs one step of constant work. A
//! [`Sampler`] turns logits into tokens; what it draws is a function of its seed and the token's position only, so
//! that a generation can be repeated, and cut anywhere, without another outcome.

mod generator;
mod sample;

pub use generator::{Generation, Generator, MAX_LENGTH, Model};
pub use sample::{Sampler, Sampling};
pub use seqc_device::{Error, Result};
