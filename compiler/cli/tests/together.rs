//! Four builds at a time into one cache: whatever they find there, each ends well and leaves whole artifacts.
//!
//! In full: `SEQC_ROUNDS=500 cargo test -p seqc --test together -- --nocapture`.
#![cfg(feature = "mlir")]

mod common;

use common::{Folder, text};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MIXER: &str = "seq 1\nmixer f(x: seq{d}) -> y: seq{d} {\n    y = x * 2\n}\n";

fn rounds() -> u64 {
    let all = std::env::var("SEQC_ROUNDS")
        .ok()
        .and_then(|n| n.parse().ok());
    all.unwrap_or(6)
}

/// `sha256sum` says so, and no other file is there.
fn is_whole(artifact: &Path) {
    let check = Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet", "SHA256SUMS"])
        .current_dir(artifact)
        .output()
        .expect("sha256sum");
    assert!(check.status.success(), "{}", text(&check.stderr));
    let sums = fs::read_to_string(artifact.join("SHA256SUMS")).expect("sums");
    let plans = fs::read_dir(artifact.join("plans")).expect("plans").count();
    let files = fs::read_dir(artifact).expect("files").count();
    // `plans` and the sums themselves have no line.
    assert_eq!(sums.lines().count(), plans + files - 2);
}

/// The entries of a cache.
fn entries(cache: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(cache).expect("a cache");
    all.map(|e| e.expect("an entry").path()).collect()
}

/// What a round finds in the cache.
fn prepare(round: u64, folder: &Folder) {
    let cache = folder.at("cache");
    let Some(entry) = entries(&cache).pop() else {
        return;
    };
    let kernels = entry.join("kernels.so");
    match round % 6 {
        0 => fs::remove_dir_all(&entry).expect("removed"),
        1 => fs::write(&kernels, "cut short").expect("written"),
        2 => fs::remove_file(entry.join("SHA256SUMS")).expect("removed"),
        3 => fs::write(entry.join("plans/more.json"), "{}").expect("written"),
        4 => fs::remove_dir_all(folder.at("out")).expect("removed"),
        _ => {} // all is there
    }
}

#[test]
fn four_builds_at_a_time() {
    let folder = Folder::new();
    fs::write(folder.at("f.seq"), MIXER).expect("written");
    fs::create_dir(folder.at("cache")).expect("made");
    for round in 0..rounds() {
        prepare(round, &folder);
        let children: Vec<_> = (0..4)
            .map(|n| {
                let mut command = folder.seqc(&["build", "f.seq", "--set", "d=4"]);
                // Two into one folder, two into the cache alone.
                if n < 2 {
                    command.args(["-o", "out"]);
                }
                command.spawn().expect("starts")
            })
            .collect();
        for child in children {
            let out = child.wait_with_output().expect("ends");
            assert!(out.status.success(), "round {round}: {}", text(&out.stderr));
        }
        is_whole(&folder.at("out"));
        let all = entries(&folder.at("cache"));
        assert_eq!(all.len(), 1, "round {round}: {all:?}");
        is_whole(&all[0]);
        let beside = entries(&folder.at(""));
        assert!(
            !beside
                .iter()
                .any(|p| p.to_string_lossy().contains(".building-"))
        );
    }
}

/// The same compiler finds its artifacts again, whatever its file is called and whenever it was copied.
#[test]
fn a_copy_of_the_command_finds_the_same_artifacts() {
    let folder = Folder::new();
    fs::write(folder.at("f.seq"), MIXER).expect("written");
    let first = common::ok(&mut folder.seqc(&["build", "f.seq", "--set", "d=4"]));
    let copy = folder.at("another-name");
    fs::copy(env!("CARGO_BIN_EXE_seqc"), &copy).expect("copied");
    let mut command = Command::new(copy);
    command
        .args(["build", "f.seq", "--set", "d=4"])
        .current_dir(folder.at(""))
        .env("SEQC_CACHE", folder.at("cache"));
    assert_eq!(common::ok(&mut command), first);
    assert_eq!(entries(&folder.at("cache")).len(), 1);
}
