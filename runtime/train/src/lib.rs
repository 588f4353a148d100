//! The training loop: data, optimizer, schedule, checkpoints.
