//! A tiny model to train, and the command as a user starts it.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub const MODEL: &str = "\
seq 1
import std (gla, next_token, rmsnorm)

model tiny(tokens: seq<vocab>; vocab = 256, d = 16) -> logits: seq{vocab} {
    param E{vocab, d} = normal(0.02)
    x = E{vocab = tokens}
    x1 = x + gla(rmsnorm(x))
    logits = sum[d](E * x1)
    objective lm = next_token(logits, tokens)
}
recipe tiny {
    schedule = cosine(warmup = 5, floor = 0.05)
    batch = 2
    length = 16
    steps = 6
    save_every = 3
    eval_batches = 1
}
";

/// A folder with a model and a text, and a cache of its own.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Folder {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("tiny.seq"), MODEL).expect("written");
        let line = |n: u32| format!("to be, or not to be, that is the question {n}\n");
        let text: String = (0..200).map(|n| line(n * 7919 % 1009)).collect();
        fs::write(dir.path().join("data.txt"), text).expect("written");
        Folder(dir)
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The command in the folder.
    pub fn seqc(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
        command
            .args(args)
            .current_dir(self.0.path())
            .env("SEQC_CACHE", self.at("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn train(&self, run: &str, more: &[&str]) -> Command {
        let mut command = self.seqc(&["train", "tiny.seq", "--data", "data.txt", "-o", run]);
        command.args(["--backend", "clif", "--threads", "1"]);
        command.args(more);
        command
    }

    pub fn generate(&self, run: &str, more: &[&str]) -> Command {
        let mut command = self.seqc(&["generate", run, "--backend", "clif", "-n", "3"]);
        command.args(more);
        command
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn done(command: &mut Command) -> Output {
    command.output().expect("starts")
}

/// What a command that works says, on both ways out.
pub fn ok(command: &mut Command) -> String {
    let out = done(command);
    let said = text(&out.stderr);
    assert!(out.status.success(), "{command:?}: {said}");
    text(&out.stdout) + &said
}

/// What a refused command says: exit code 1, `error`, no panic.
pub fn refused(command: &mut Command) -> String {
    let out = done(command);
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{command:?}: {said}");
    let last = said.lines().rfind(|l| l.starts_with("error"));
    assert!(last.is_some(), "{command:?}: no `error:` in {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// The newest checkpoint's file.
pub fn newest(run: &Path, name: &str) -> Vec<u8> {
    let entries = fs::read_dir(run.join("checkpoint")).expect("checkpoints");
    let mut steps: Vec<PathBuf> = entries
        .map(|e| e.expect("an entry").path())
        .filter(|p| {
            p.file_name()
                .is_some_and(|n| n.to_string_lossy().starts_with("step-"))
        })
        .collect();
    steps.sort();
    fs::read(steps.last().expect("one").join(name)).expect(name)
}
