//! `seqc check FILE…`: every mixer, model and recipe of the files.

use super::print;
use crate::terminal;
use clap::ValueEnum;
use seqc_driver::explain::documented;
use seqc_driver::stepless::stepless;
use seqc_driver::{Error, frontend, parallel};
use seqc_syntax::{Diagnostic, SourceMap, render_json, render_short};
use std::path::{Path, PathBuf};

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

/// What is said of a file, and whether nothing of it is an error.
struct Checked {
    text: String,
    right: bool,
    /// It could not be read, which is no diagnostic of a place.
    unread: bool,
}

/// Files are checked beside each other, and answered for in order.
pub fn run(args: &Args) -> Result<bool, Error> {
    let answers = parallel::each(&args.files, |f| checked(f, args.message_format));
    let mut right = true;
    for answer in answers {
        right &= answer.right;
        match args.message_format {
            Format::Short | Format::Json if !answer.unread => print(&answer.text)?,
            _ => terminal::tell(&answer.text),
        }
    }
    Ok(right)
}

fn checked(file: &Path, format: Format) -> Checked {
    match frontend::open(file) {
        Ok(source) => {
            let mut all = seqc_hir::check(&source.program);
            if !all.iter().any(Diagnostic::is_error) {
                all.extend(documented(&source));
                all.extend(stepless(&source));
                all.extend(documented(&source));
            }
            shown(&source.map, &all, format)
        }
        Err(Error::Source(map, diagnostics)) => shown(&map, &diagnostics, format),
        Err(e) => Checked {
            text: terminal::error(&e),
            right: false,
            unread: true,
        },
    }
}

fn shown(map: &SourceMap, diagnostics: &[Diagnostic], format: Format) -> Checked {
    Checked {
        text: match format {
            Format::Human => terminal::diagnostics(map, diagnostics),
            Format::Short => render_short(map, diagnostics),
            Format::Json => render_json(map, diagnostics),
        },
        right: !diagnostics.iter().any(Diagnostic::is_error),
        unread: false,
    }
}
