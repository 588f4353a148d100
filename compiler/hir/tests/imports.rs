//! Files that import each other, well and badly, and texts that are no specs.

use seqc_hir::{BesideImporter, ImportResolver, NoImports, check, elaborate, load};
use seqc_syntax::{SourceMap, render_short};
use std::io::{Error, ErrorKind};

/// Files by name; `locked` cannot be read.
struct Files(Vec<(&'static str, &'static str)>);

impl ImportResolver for Files {
    fn resolve(&self, path: &[&str], _: &str) -> std::io::Result<Option<(String, Vec<u8>)>> {
        let name = path.join("/");
        if name == "locked" {
            return Err(Error::new(ErrorKind::PermissionDenied, "permission denied"));
        }
        let found = self.0.iter().find(|(n, _)| *n == name);
        Ok(found.map(|(n, text)| (format!("{n}.seq"), text.as_bytes().to_vec())))
    }
}

/// The diagnostics, one a line; that the mixers elaborate if there are none.
fn told(name: &str, text: impl Into<Vec<u8>>, resolver: &dyn ImportResolver) -> String {
    let mut map = SourceMap::new();
    let file = map.add(name, text);
    let program = match load(&mut map, file, resolver) {
        Ok(program) => program,
        Err(diags) => return render_short(&map, &diags),
    };
    let found = check(&program);
    if found.is_empty() {
        for id in program.own() {
            let name = &program.mixer(id).name.text;
            elaborate(&program, name, &[]).unwrap_or_else(|d| panic!("{name}: {d:?}"));
        }
    }
    render_short(&map, &found)
}

const A: &str = "seq 1\nimport b (g)\nmixer f(x: seq{d}) -> y: seq{d} { y = g(x) }\n";

#[test]
fn files_may_import_each_other() {
    let b = "seq 1\nimport a (f)\nmixer g(x: seq{d}) -> y: seq{d} { y = 2 * x }\n";
    assert_eq!(told("a.seq", A, &Files(vec![("a", A), ("b", b)])), "");
}

#[test]
fn a_circle_that_defines_nothing_is_an_error() {
    let b = "seq 1\nimport a (g)\n";
    let a = "seq 1\nimport b (g)\nmixer f(x: seq{d}) -> y: seq{d} { y = g(x) }\n";
    let told = told(
        "a.seq",
        a,
        &Files(vec![("a", "seq 1\nimport b (g)\n"), ("b", b)]),
    );
    assert!(
        told.contains("E29") && told.contains("has no mixer `g`"),
        "{told}"
    );
}

#[test]
fn mixers_that_call_each_other_across_files_are_refused() {
    let b = "seq 1\nimport a (f)\nmixer g(x: seq{d}) -> y: seq{d} { y = f(x) }\n";
    let told = told("a.seq", A, &Files(vec![("a", A), ("b", b)]));
    assert!(told.contains("E26") && told.contains("f → g → f"), "{told}");
}

#[test]
fn an_import_that_cannot_be_read_says_why() {
    let text = "seq 1\nimport locked (g)\nimport gone (h)\n";
    let told = told("a.seq", text, &Files(vec![]));
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert!(
        lines[0].contains("a.seq:2")
            && lines[0].contains("E29")
            && lines[0].contains("permission denied"),
        "{told}"
    );
    assert!(
        lines[1].contains("a.seq:3") && lines[1].contains("E29") && lines[1].contains("gone.seq"),
        "{told}"
    );
}

#[test]
fn errors_in_an_import_are_told_where_they_are() {
    let told = told(
        "a.seq",
        A,
        &Files(vec![(
            "b",
            "seq 1\nmixer g(x: seq{d}) -> y: seq{d} { y = }\n",
        )]),
    );
    assert!(
        told.starts_with("b.seq:2:") && told.contains("E01"),
        "{told}"
    );
}

#[test]
fn a_folder_is_no_file() {
    let folder = std::env::temp_dir().join(format!("seqc-imports-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("b.seq")).expect("a folder");
    let name = folder.join("a.seq").display().to_string();
    let told = told(&name, A, &BesideImporter);
    std::fs::remove_dir_all(&folder).expect("removed");
    assert!(
        told.contains("E29") && told.contains("cannot be read"),
        "{told}"
    );
}

#[test]
fn text_from_other_systems() {
    let spec = "seq 1\nmixer f(x: seq{d}) -> y: seq{d} {\n    y = 2 * x\n}\n";
    assert_eq!(told("crlf.seq", spec.replace('\n', "\r\n"), &NoImports), "");
    let marked = told("bom.seq", format!("\u{feff}{spec}"), &NoImports);
    assert!(marked.is_empty() || marked.contains("E01"), "{marked}");
    for (what, bytes) in [
        ("zero", spec.replace("2", "\0").into_bytes()),
        (
            "latin",
            spec.as_bytes()
                .iter()
                .map(|b| if *b == b'2' { 0xe9 } else { *b })
                .collect(),
        ),
        (
            "utf16",
            spec.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        ("blank", b" \n\n".to_vec()),
        ("empty", vec![]),
    ] {
        let told = told(&format!("{what}.seq"), bytes, &NoImports);
        assert!(told.contains("E01"), "{what}: {told}");
        assert!(told.lines().count() <= 3, "{what}: {told}");
    }
}
