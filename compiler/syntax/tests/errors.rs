//! Every file of `tests/bad/syntax` is refused, with the diagnostics kept next to it.

use seqc_syntax::{MAX_BYTES, SourceMap, parse, render_human, render_json, render_short};
use std::path::{Path, PathBuf};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bad/syntax")
}

/// The rendered errors of a source; it must have some, and give no tree.
fn errors(name: &str, bytes: &[u8]) -> (SourceMap, Vec<seqc_syntax::Diagnostic>) {
    let mut map = SourceMap::new();
    let file = map.add(name, bytes);
    let (tree, errors) = parse(&map, file);
    assert!(tree.is_none(), "{name} gave a tree");
    assert!(!errors.is_empty(), "{name} gave no error");
    assert!(
        errors
            .iter()
            .all(|error| matches!(error.code, "E01" | "E02")),
        "{name}"
    );
    (map, errors)
}

#[test]
fn bad_files_are_refused() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpus())
        .expect("tests/bad/syntax")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "seq"))
        .collect();
    files.sort();
    assert!(files.len() >= 25, "{} files", files.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(corpus());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for path in files {
            let stem = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .expect("a name");
            let bytes = std::fs::read(&path).expect("a file");
            let (map, errors) = errors(&format!("{stem}.seq"), &bytes);
            insta::assert_snapshot!(stem, render_human(&map, &errors, false));
        }
    });
}

#[test]
fn not_utf8() {
    let (map, errors) = errors("bad.seq", b"seq 1\n// caf\xe9\nmixer");
    insta::assert_snapshot!(render_human(&map, &errors, false));
}

#[test]
fn too_large() {
    let (map, errors) = errors("big.seq", &vec![b' '; MAX_BYTES + 1]);
    insta::assert_snapshot!(render_human(&map, &errors, false));
}

#[test]
fn short_and_json() {
    let text = "seq 1\nmixer f(x: seq{d}) -> y: seq{d} {\n    é = 1\n    y = x x\n}\n";
    let (map, errors) = errors("bad.seq", text.as_bytes());
    let colored = render_human(&map, &errors, true);
    assert!(colored.contains("\u{1b}["), "no colour in {colored:?}");
    insta::assert_snapshot!(render_short(&map, &errors) + &render_json(&map, &errors));
}

/// What is deeper than any stack is refused, not followed.
#[test]
fn depth_is_bounded() {
    let deep = 10_000;
    for body in [
        format!("y = {}x{}", "(".repeat(deep), ")".repeat(deep)),
        format!("y = {}x", "-".repeat(deep)),
        format!("y = {}x", "not ".repeat(deep)),
        format!("y = {}x", "x ^ ".repeat(deep)),
        format!("y = {}x", "x ^ -".repeat(deep)),
        format!("y = {}x", "x + ".repeat(deep)),
        format!("y = {}x", "x and ".repeat(deep)),
        format!("y = x{}", "[t]".repeat(deep)),
        format!("y = x{}", "{a -> a}".repeat(deep)),
        format!("y = {}x{}", "f(".repeat(deep), ")".repeat(deep)),
        format!("y = {}", "x[".repeat(deep)),
        "repeat 2 {".repeat(deep),
    ] {
        errors(
            "deep.seq",
            format!("seq 1\nmixer f(x: seq{{d}}) -> y: seq{{d}} {{\n{body}\n}}\n").as_bytes(),
        );
    }
}
