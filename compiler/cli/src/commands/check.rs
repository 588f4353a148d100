//! `seqc check FILE…`: every mixer, model and recipe of the files.

use super::print;
use clap::ValueEnum;
use seqc_driver::{Error, frontend};
use seqc_syntax::{Diagnostic, SourceMap, render_human, render_json, render_short};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[arg(long, value_enum, default_value = "human")]
    message_format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Human,
    Short,
    Json,
}

pub fn run(args: &Args) -> Result<bool, Error> {
    let mut right = true;
    for file in &args.files {
        match frontend::open(file) {
            Ok(source) => {
                right &= show(
                    &source.map,
                    &seqc_hir::check(&source.program),
                    args.message_format,
                )?
            }
            Err(Error::Source(map, diagnostics)) => {
                right &= show(&map, &diagnostics, args.message_format)?
            }
            Err(e) => {
                eprintln!("{e}");
                right = false;
            }
        }
    }
    Ok(right)
}

/// Prints the diagnostics; true if none is an error.
fn show(map: &SourceMap, diagnostics: &[Diagnostic], format: Format) -> Result<bool, Error> {
    match format {
        Format::Human => eprint!("{}", render_human(map, diagnostics, false)),
        Format::Short => print(&render_short(map, diagnostics))?,
        Format::Json => print(&render_json(map, diagnostics))?,
    }
    Ok(!diagnostics.iter().any(Diagnostic::is_error))
}
