//! `seqc fmt [--check] FILE…`: the one way to lay out a file.

use super::write_whole;
use crate::terminal;
use seqc_driver::Error;
use seqc_syntax::{SourceMap, format_source};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Only say which files would change.
    #[arg(long)]
    check: bool,
}

pub fn run(args: &Args) -> Result<bool, Error> {
    let mut right = true;
    for file in &args.files {
        let named = |e: std::io::Error| Error::Other(format!("{}: {e}", file.display()));
        let text = seqc_files::text(file).map_err(named)?;
        match format_source(&text) {
            Ok(new) if new == text => {}
            Ok(_) if args.check => {
                let shown = file.display();
                let why = format!("{shown}: not formatted; run `seqc fmt {shown}`");
                terminal::tell(&terminal::error(&Error::Other(why)));
                right = false;
            }
            Ok(new) => write_whole(file, &new)?,
            Err(diagnostics) => {
                let mut map = SourceMap::new();
                map.add(file.display().to_string(), text.as_str());
                terminal::tell(&terminal::diagnostics(&map, &diagnostics));
                right = false;
            }
        }
    }
    Ok(right)
}
