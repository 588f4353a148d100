//! Crates depend one way: each Cargo.toml names no other crate of the workspace than ARCHITECTURE.md lets it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The block under "Who may use whom": a crate and what it may name, in an order in which each line names only crates
/// of earlier lines.
fn allowed() -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, after) = text
        .split_once("## Who may use whom")
        .expect("the section is there");
    let block = after.split("```").nth(1).expect("its block is there");
    let line = |l: &str| {
        let mut words = l.split_whitespace().map(String::from);
        Some((words.next()?, words.collect()))
    };
    block.lines().filter_map(line).collect()
}

/// The workspace's crates that a manifest names as its dependencies.
fn named(manifest: &str) -> Vec<String> {
    let mut section = "";
    let mut found = vec![];
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line.trim();
        } else if section == "[dependencies]"
            && let Some(rest) = line.strip_prefix("seqc-")
        {
            let end = rest.find(|c: char| !c.is_ascii_lowercase());
            found.push(rest[..end.unwrap_or(rest.len())].to_owned());
        }
    }
    found
}

/// `compiler/hir` -> what its manifest names.
fn actual() -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for half in ["compiler", "runtime"] {
        for entry in fs::read_dir(root().join(half)).unwrap() {
            let folder = entry.unwrap().path();
            if let Ok(text) = fs::read_to_string(folder.join("Cargo.toml")) {
                let name = folder.file_name().unwrap().to_string_lossy();
                all.insert(format!("{half}/{name}"), named(&text));
            }
        }
    }
    all
}

#[test]
fn the_list_goes_one_way() {
    let mut seen: Vec<String> = vec![];
    for (name, uses) in allowed() {
        let (half, short) = name.split_once('/').expect("compiler/… or runtime/…");
        for u in &uses {
            let at = seen.iter().find(|s| s.rsplit('/').next() == Some(u));
            let at = at.unwrap_or_else(|| panic!("{name} uses {u}, which is not above it"));
            assert!(
                half != "runtime" || at.starts_with("runtime/"),
                "{name} uses {at}: the runtime knows no compiler"
            );
        }
        assert!(!short.is_empty());
        seen.push(name);
    }
}

#[test]
fn manifests_keep_to_the_list() {
    let allowed: BTreeMap<_, _> = allowed().into_iter().collect();
    let actual = actual();
    let names: Vec<_> = actual.keys().collect();
    assert_eq!(
        names,
        allowed.keys().collect::<Vec<_>>(),
        "crates and the list"
    );
    for (name, uses) in &actual {
        for u in uses {
            assert!(
                allowed[name].contains(u),
                "{name} uses {u}, which ARCHITECTURE.md does not let it"
            );
        }
    }
}

#[test]
fn names_are_read_from_dependencies_only() {
    let text = "[package]\nname = \"seqc-a\"\n[dependencies]\nseqc-b.workspace = true\nseqc-c = { workspace = true }\n\
                libc = \"1\"\n[dev-dependencies]\nseqc-d.workspace = true\n";
    assert_eq!(named(text), ["b", "c"]);
}
