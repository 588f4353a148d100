//! Files that are none, as the command meets them: one line that says which and why, exit code 1, nothing changed.

use std::path::PathBuf;
use std::process::{Command, Output};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("seqc-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("a file");
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn seqc(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
    command.args(args).output().expect("seqc runs")
}

/// What `check` and `fmt` say about a path that they must refuse.
fn refused(path: &str) -> [String; 2] {
    ["check", "fmt"].map(|what| {
        let out = seqc(&[what, path]);
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(1), "{what} {path}: {text}");
        assert!(!text.contains("panicked"), "{what}: {text}");
        text
    })
}

#[test]
fn paths_that_are_no_files() {
    let folder = Folder::new("paths");
    let missing = folder.0.join("missing.seq").display().to_string();
    for text in refused(&missing) {
        assert!(
            text.contains("missing.seq") && text.contains("No such file"),
            "{text}"
        );
    }
    for text in refused(&folder.0.display().to_string()) {
        assert!(text.contains("directory"), "{text}");
    }
}

#[test]
fn bytes_that_are_no_text() {
    let folder = Folder::new("bytes");
    let bytes = b"seq 1\nmixer f(x: seq{d}) -> y: seq{d} {\n    y = \xff\xfe\n}\n";
    let path = folder.file("bytes.seq", bytes);
    let [checked, _] = refused(&path);
    assert!(
        checked.contains("E01") && checked.contains("bytes.seq:3"),
        "{checked}"
    );
    assert_eq!(
        std::fs::read(&path).expect("the file"),
        bytes,
        "fmt changed what it refused"
    );
}

#[test]
fn every_file_is_checked_after_a_bad_one() {
    let folder = Folder::new("several");
    let good = folder.file(
        "good.seq",
        b"seq 1\nmixer f(x: seq{d}) -> y: seq{d} {\n    y = x\n}\n",
    );
    let bad = folder.file(
        "bad.seq",
        b"seq 1\nmixer f(x: seq{d}) -> y: seq{d} {\n    y = z\n}\n",
    );
    let missing = folder.0.join("missing.seq").display().to_string();
    let out = seqc(&["check", &missing, &good, &bad]);
    let text = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1));
    assert!(
        text.contains("missing.seq") && text.contains("E03"),
        "{text}"
    );
    assert!(seqc(&["check", &good]).status.success());
    assert_eq!(
        seqc(&["check"]).status.code(),
        Some(2),
        "no file is wrong usage"
    );
}
