//! The training loop: data, optimizer, schedule, checkpoints.
//!
//! Everything that step n does is a function of the parameters, the optimizer's state, the seed and n, so that
//! a run that was stopped and resumed is the run that was never stopped, bit for bit.

mod adamw;
mod batch;
mod checkpoint;
mod claim;
mod corpus;
mod files;
mod metrics;
mod progress;
mod recipe;
mod sampler;
mod tokenizer;
mod train;

pub use adamw::AdamW;
pub use batch::{Batch, Group};
pub use checkpoint::{Checkpoint, State};
pub use claim::Claim;
pub use corpus::{Corpus, Text};
pub use recipe::Recipe;
pub use sampler::Sampler;
pub use seqc_device::{Error, Result};
pub use tokenizer::{of_run as tokenizer_of_run, tokenizer_json};
pub use train::{Ending, Summary, TrainOptions, train};
