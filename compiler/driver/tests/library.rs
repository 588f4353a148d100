//! The whole library is certified: briefly on the interpreter, over the finite field and on Cranelift here; in full on
//! every engine with `--ignored`, which is `seqc verify` of each file. The lists of exceptions are exact.

mod support;

use seqc_driver::verify::{Options, item};
use seqc_driver::{frontend, parallel};
use std::path::{Path, PathBuf};
use support::brief;

/// Blocks that are made of a mixer which the user gives.
const NEED_A_MIXER: &[&str] = &["prenorm", "both", "crnn"];

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stdlib");
    let entries = std::fs::read_dir(folder).expect("the library");
    let mut all: Vec<PathBuf> = entries.map(|e| e.expect("a file").path()).collect();
    all.retain(|p| p.extension().is_some_and(|e| e == "seq"));
    all.sort();
    all
}

/// What is not certified and not in the lists, and what is in the lists and certified.
fn wrong(file: &Path, options: &Options) -> Vec<String> {
    let source = frontend::open(file).unwrap_or_else(|e| panic!("{e}"));
    let mut wrong = vec![];
    for (name, _) in source.items() {
        let listed = NEED_A_MIXER.contains(&name.as_str());
        let (fine, account) = match item(&source, &name, &[], options) {
            Err(e) => (listed, e.to_string()),
            Ok(c) => (!listed && c.unbuilt.is_none() && c.green(), c.to_string()),
        };
        if !fine {
            wrong.push(format!("{}, {name}: {account}", file.display()));
        }
    }
    wrong
}

fn certified(options: &Options) {
    let all = parallel::each(&files(), |f| wrong(f, options)).concat();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn in_brief() {
    certified(&brief());
}

#[test]
#[ignore = "minutes"]
fn in_full() {
    certified(&Options::default());
}
