//! Mixers that are in no paper (`tests/novel`) are certified: briefly on the interpreter and Cranelift here, in full on
//! every engine with `--ignored`, which is `seqc verify` of each file.

mod support;

use seqc_driver::frontend;
use seqc_driver::verify::{Options, item};
use std::path::Path;
use support::brief;

/// The mixers of each file: random ones, those with states for each source position that are no one state's, those of
/// both directions, and those with memories that are picked.
const FILES: [(&str, usize); 4] = [
    ("mixers.seq", 20),
    ("sources.seq", 4),
    ("directions.seq", 4),
    ("routed.seq", 4),
];

fn certified(options: &Options) {
    for (file, count) in FILES {
        certified_file(file, count, options);
    }
}

fn certified_file(file: &str, count: usize, options: &Options) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/novel");
    let source = frontend::open(&path.join(file)).unwrap_or_else(|e| panic!("{e}"));
    let items = source.items();
    assert_eq!(items.len(), count, "{file}");
    let certificates = items.iter().map(|(name, _)| {
        let c = item(&source, name, &[], options);
        c.unwrap_or_else(|e| panic!("{e}"))
    });
    let red: Vec<String> = certificates
        .filter(|c| !c.green())
        .map(|c| c.to_string())
        .collect();
    assert!(red.is_empty(), "{}", red.join("\n"));
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
