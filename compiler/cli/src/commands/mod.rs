//! One file a command. Each returns whether the input was right; an error is shown as it is.

pub mod bench;
pub mod build;
pub mod check;
pub mod completions;
pub mod eval;
pub mod explain;
pub mod fmt;
pub mod generate;
pub mod train;
pub mod verify;

use crate::terminal::tell;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use seqc_driver::Error;
use seqc_driver::backend::Backend;
use seqc_driver::explain::warnings;
use seqc_driver::frontend::Source;
use seqc_driver::passes::{Form, Shapes};
use seqc_hir::Elaborated;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// `--backend`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Code {
    Mlir,
    Clif,
}

impl Default for Code {
    fn default() -> Code {
        match Backend::best() {
            Backend::Mlir => Code::Mlir,
            Backend::Clif => Code::Clif,
        }
    }
}

impl From<Code> for Backend {
    fn from(code: Code) -> Backend {
        match code {
            Code::Mlir => Backend::Mlir,
            Code::Clif => Backend::Clif,
        }
    }
}

/// `--form`.
pub fn forms() -> impl TypedValueParser<Value = Form> {
    PossibleValuesParser::new(Form::NAMED.map(|f| f.0))
        .try_map(|name| Form::named(&name).ok_or("no such form"))
}

/// What the user pays for forms that do not exist, on stderr.
pub fn warn(source: &Source, e: &Elaborated) -> Result<(), Error> {
    let all = warnings(source, e, &Shapes::cpu())?;
    for w in &all {
        tell(&format!("warning: {w}\n"));
    }
    if !all.is_empty() {
        tell("  = help: `seqc explain` says why\n");
    }
    Ok(())
}

/// As many threads as the machine has cores for us.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// `--threads`.
pub fn threads(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(n) if (1..=1024).contains(&n) => Ok(n),
        _ => Err("a number of threads is from 1 to 1024".into()),
    }
}

/// The runtime's errors are told as they are.
pub fn named(e: seqc_device::Error) -> Error {
    Error::Other(e.to_string())
}

/// `--set key=value`, split.
pub fn settings(set: &[String]) -> Result<Vec<(String, String)>, Error> {
    let one =
        |text: &String| setting(text).map_err(|why| Error::Other(format!("`--set {text}`: {why}")));
    let all = set.iter().map(one).collect::<Result<_, _>>()?;
    Ok(last_of_each(all))
}

/// One setting, as clap reads it: a malformed one is wrong usage.
pub fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((k, v)) if !k.is_empty() => Ok((k.to_owned(), v.to_owned())),
        _ => Err("write `--set name=value`".into()),
    }
}

/// The last of several settings of one name counts.
pub fn last_of_each(given: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for one in given {
        all.retain(|(k, _)| *k != one.0);
        all.push(one);
    }
    all
}

/// To standard output. A reader that has gone away (`| head`) is no error.
pub fn print(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Error::Other(format!("standard output: {e}")))
        }
        _ => Ok(()),
    }
}

/// Writes a file whole or not at all; one that is there keeps its permissions.
pub fn write_whole(file: &Path, text: &str) -> Result<(), Error> {
    seqc_files::write(file, text.as_bytes())
        .map_err(|e| Error::Other(format!("{}: {e}", file.display())))
}
