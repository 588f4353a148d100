//! `seqc verify FILE`: the certificate of each mixer and model, as a table or as JSON.

use super::{print, settings};
use seqc_driver::verify::{Certificate, Extent, Options, item};
use seqc_driver::{Error, frontend};
use std::io::IsTerminal;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    file: PathBuf,
    /// Only this mixer or model.
    #[arg(long)]
    mixer: Option<String>,
    /// A setting of the mixer.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Fewer lengths.
    #[arg(long)]
    quick: bool,
    /// Threads; as many as there are cores by default.
    #[arg(long, default_value_t = super::cores(), value_parser = super::threads)]
    threads: usize,
}

pub fn run(args: &Args) -> Result<bool, Error> {
    let source = frontend::open(&args.file)?;
    let set = settings(&args.set)?;
    let items: Vec<String> = source.items().into_iter().map(|(n, _)| n).collect();
    let wanted = match &args.mixer {
        // An unknown name is an error of the elaboration, which knows what is near.
        Some(m) => vec![m.clone()],
        None => items,
    };
    let options = Options {
        extent: if args.quick {
            Extent::Quick
        } else {
            Extent::Full
        },
        threads: args.threads,
        progress: std::io::stderr().is_terminal().then_some(tell),
        ..Options::default()
    };
    let mut all: Vec<Certificate> = vec![];
    for name in &wanted {
        let c = item(&source, name, &set, &options);
        if let Some(tell) = options.progress {
            tell("");
        }
        let c = c?;
        if !args.json {
            print(&format!("{c}\n"))?;
        }
        all.push(c);
    }
    if args.json {
        let text = serde_json::to_string_pretty(&all);
        let text = text.map_err(|e| Error::Other(e.to_string()))?;
        print(&format!("{text}\n"))?;
    } else {
        print(&format!("{}\n", summary(&all)))?;
    }
    // One mixer that was asked for by name must be certified; in a file, what is not built yet is only reported.
    let asked = args.mixer.is_some();
    Ok(all
        .iter()
        .all(|c| c.green() || c.unbuilt.is_some() && !asked))
}

/// What is being done, on one line of the terminal that the next one replaces.
fn tell(what: &str) {
    eprint!("\r\x1b[K{what}");
}

fn summary(all: &[Certificate]) -> String {
    let count = |verdict: &str| all.iter().filter(|c| c.verdict() == verdict).count();
    let red: Vec<&str> = (all.iter())
        .filter(|c| c.verdict() == "red")
        .map(|c| c.mixer.as_str())
        .collect();
    let mut text = format!("{} certified", count("certified"));
    if !red.is_empty() {
        text += &format!(", {} red ({})", red.len(), red.join(", "));
    }
    if count("not built") > 0 {
        text += &format!(", {} not built", count("not built"));
    }
    text
}
