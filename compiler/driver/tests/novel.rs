//! Twenty mixers that are in no paper (`tests/novel`) are certified: briefly on the interpreter and Cranelift here, in full on
//! every engine with `--ignored`, which is `seqc verify tests/novel/mixers.seq`.

mod support;

use seqc_driver::frontend;
use seqc_driver::verify::{Options, item};
use std::path::Path;
use support::brief;

fn certified(options: &Options) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/novel/mixers.seq");
    let source = frontend::open(&path).unwrap_or_else(|e| panic!("{e}"));
    let items = source.items();
    assert_eq!(items.len(), 20);
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
