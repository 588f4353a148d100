//! `seqc explain FILE`: the cost report. `seqc explain E07`: a diagnostic's page. `seqc explain --table FILE…`: the
//! table of docs/mixers.md.

use super::{print, settings};
use crate::terminal;
use clap::error::ErrorKind;
use seqc_driver::explain::{Certificates, Report, class_mismatch, entries, render, report, table};
use seqc_driver::frontend::{self, Source};
use seqc_driver::passes::Shapes;
use seqc_driver::{Error, Result};
use seqc_hir::pages;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    /// Specs, or the code of a diagnostic.
    #[arg(required = true, value_name = "FILE|CODE")]
    what: Vec<PathBuf>,
    /// Only this mixer or model.
    #[arg(long)]
    mixer: Option<String>,
    /// A setting of the mixer.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// The report as JSON: a list, one entry a mixer.
    #[arg(long, conflicts_with = "table")]
    json: bool,
    /// One line a mixer, as Markdown.
    #[arg(long, conflicts_with = "mixer")]
    table: bool,
    /// What `seqc verify --json` wrote, once for each run: fills the table's last column.
    #[arg(long, value_name = "FILE", requires = "table")]
    certificates: Vec<PathBuf>,
}

pub fn run(args: &Args) -> Result<bool> {
    if let [one] = args.what.as_slice()
        && let Some(written) = one.to_str()
        && pages::code(written).is_some()
        && !one.exists()
    {
        return page(written);
    }
    if args.table {
        return mixers(args);
    }
    if args.what.len() > 1 {
        // Wrong usage, in the words and with the exit code of the argument parser.
        clap::Error::raw(
            ErrorKind::TooManyValues,
            "one file is explained at a time; `--table` takes several\n",
        )
        .exit();
    }
    explain(args, &args.what[0])
}

fn page(written: &str) -> Result<bool> {
    let Some((_, text)) = pages::find(written) else {
        let known: Vec<&str> = pages::all().map(|(c, _)| c).collect();
        return Err(Error::Other(format!(
            "there is no diagnostic `{written}`; there are {}",
            known.join(" ")
        )));
    };
    print(text)?;
    Ok(true)
}

fn explain(args: &Args, file: &Path) -> Result<bool> {
    let source = frontend::open(file)?;
    let set = settings(&args.set)?;
    let names = chosen(&source, args)?;
    let mut right = true;
    let mut all = Vec::new();
    for name in &names {
        let (r, mismatch) = match one(&source, name, &set) {
            Ok(done) => done,
            // Of a whole file, the mixers that can be explained are; of one that was asked for, it is an error.
            Err(e) if args.mixer.is_none() && names.len() > 1 => {
                terminal::tell(&terminal::error(&e));
                right = false;
                continue;
            }
            Err(e) => return Err(e),
        };
        if let Some(text) = mismatch {
            terminal::tell(&text);
            right = false;
        }
        all.push(r);
    }
    if args.json {
        let text = serde_json::to_string_pretty(&all);
        let text = text.map_err(|e| Error::Other(e.to_string()))?;
        print(&format!("{text}\n"))?;
    } else {
        let texts: Vec<String> = all.iter().map(render).collect();
        print(&texts.join("\n"))?;
    }
    Ok(right)
}

fn chosen(source: &Source, args: &Args) -> Result<Vec<String>> {
    let all: Vec<String> = source.items().into_iter().map(|(n, _)| n).collect();
    match &args.mixer {
        Some(m) if all.contains(m) => Ok(vec![m.clone()]),
        Some(m) => Err(Error::Other(format!(
            "the file has no mixer `{m}`; it has {}",
            all.join(", ")
        ))),
        None => Ok(all),
    }
}

/// The report, and what is to be said of a documented class that is not the derived one.
fn one(source: &Source, name: &str, set: &[(String, String)]) -> Result<(Report, Option<String>)> {
    let e = source.elaborate(name, set)?;
    let r = report(source, &e, &Shapes::cpu())?;
    let mismatch = class_mismatch(&e)?;
    Ok((
        r,
        mismatch.map(|d| terminal::diagnostics(&source.map, &[d])),
    ))
}

fn mixers(args: &Args) -> Result<bool> {
    let mut certificates = Certificates::default();
    for path in &args.certificates {
        let text =
            seqc_files::text(path).map_err(|e| Error::Other(format!("{}: {e}", path.display())))?;
        certificates.extend(Certificates::parse(&text)?);
    }
    let set = settings(&args.set)?;
    let mut rows = Vec::new();
    for file in &args.what {
        rows.extend(entries(&frontend::open(file)?, &set, &Shapes::cpu()));
    }
    print(&table(&rows, &certificates))?;
    Ok(true)
}
