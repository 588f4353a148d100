//! The `seqc` command: arguments in, one command's function called, its outcome as an exit code.
//!
//! Exit codes: 0 done; 1 the input is wrong (a diagnostic says where); 2 wrong usage.

mod commands;
mod tensors;
mod terminal;

use clap::{CommandFactory, Parser, Subcommand};
use seqc_driver::Error;
use std::process::ExitCode;

#[derive(Parser)]
#[command(
    name = "seqc",
    version,
    about = "Compiles, checks and trains sequence mixers written as equations over time."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Parse and check files.
    Check(commands::check::Args),
    /// Say what a mixer is and costs, or what a diagnostic's code means.
    Explain(commands::explain::Args),
    /// Format files in place.
    Fmt(commands::fmt::Args),
    /// Compile, or show the stages of the compilation.
    Build(commands::build::Args),
    /// Run one mixer on given tensors.
    Eval(commands::eval::Args),
    /// Hold every form of each mixer to its definition.
    Verify(commands::verify::Args),
    /// Train a model on text.
    Train(commands::train::Args),
    /// Time training and generation steps.
    Bench(commands::bench::Args),
    /// Write text with a trained model.
    Generate(commands::generate::Args),
    /// Print a shell's completions of this command.
    Completions(commands::completions::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Check(a) => commands::check::run(&a),
        Command::Explain(a) => commands::explain::run(&a),
        Command::Fmt(a) => commands::fmt::run(&a),
        Command::Build(a) => commands::build::run(&a),
        Command::Eval(a) => commands::eval::run(&a),
        Command::Verify(a) => commands::verify::run(&a),
        Command::Train(a) => commands::train::run(&a),
        Command::Bench(a) => commands::bench::run(&a),
        Command::Generate(a) => commands::generate::run(&a),
        Command::Completions(a) => commands::completions::run(&a, Cli::command()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(e) => {
            terminal::tell(&terminal::error(&e));
            ExitCode::from(if matches!(e, Error::Usage(_)) { 2 } else { 1 })
        }
    }
}
