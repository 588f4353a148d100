//! `seqc completions SHELL`: what a shell reads to complete this command's arguments.

use super::print;
use clap_complete::{Shell, generate};
use seqc_driver::Error;

#[derive(clap::Args)]
pub struct Args {
    shell: Shell,
}

pub fn run(args: &Args, mut command: clap::Command) -> Result<bool, Error> {
    let mut script = Vec::new();
    generate(args.shell, &mut command, "seqc", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(true)
}
