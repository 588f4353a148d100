//! The `seqc` command.
fn main() {}
