//! `seqc train` and `seqc generate` as a user runs them: whole runs of a tiny model, and what misuse is told.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn seqc(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seqc"));
    command.args(args).stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A tiny model's training, into `out`.
fn train(out: &Path, more: &[&str]) -> Command {
    let mut command = seqc(&["train"]);
    command.arg(root("examples/gla.seq"));
    command
        .arg("--data")
        .arg(root("examples/data/shakespeare.txt"));
    command.arg("-o").arg(out).args(["--backend", "clif"]);
    for set in [
        "d=16",
        "layers=1",
        "batch=2",
        "length=16",
        "eval_batches=1",
        "warmup=2",
    ] {
        command.args(["--set", set]);
    }
    command.args(more);
    command
}

fn generate(run: &Path, more: &[&str]) -> Output {
    let mut command = seqc(&["generate"]);
    command.arg(run).args(["--backend", "clif"]).args(more);
    command.output().expect("starts")
}

fn ok(output: Output) -> Vec<u8> {
    assert!(output.status.success(), "{}", text(&output.stderr));
    output.stdout
}

/// Exit code and message of a refusal.
fn refused(output: &Output, code: i32, part: &str) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(part), "`{part}` in: {said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_model_is_trained_and_writes() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = dir.path().join("run");
    ok(train(&run, &["--set", "steps=3"]).output().expect("starts"));
    ok(
        seqc(&["check", &run.join("model.seq").display().to_string()])
            .output()
            .expect("starts"),
    );
    let greedy = ["--prompt", "To be", "-n", "12", "--temperature", "0"];
    let first = ok(generate(&run, &greedy));
    assert_eq!(first.len(), 12);
    assert_eq!(first, ok(generate(&run, &greedy)));
    let drawn = |seed| ok(generate(&run, &["-n", "24", "--seed", seed]));
    assert_eq!(drawn("1"), drawn("1"));
    assert_ne!(drawn("1"), drawn("2"));
    assert!(ok(generate(&run, &["-n", "0"])).is_empty());
    let output = generate(&run, &["-n", "3"]);
    assert!(text(&output.stderr).ends_with("tokens/s\n"));
    for (args, part) in [
        (&["--temperature", "-1"][..], "at least 0"),
        (&["--temperature", "nan"], "at least 0"),
        (&["--top-p", "0"], "above 0"),
        (&["--top-p", "1.5"], "at most 1"),
        (&["--top-k", "-3"], "-3"),
        (&["--threads", "0"], "1 to 1024"),
        (&["--nonsense"], "--nonsense"),
    ] {
        refused(&generate(&run, args), 2, part);
    }
    refused(&generate(&run, &["-n", "99999999"]), 1, "too many");
    // The run is not trained over, nor resumed as another.
    let again = |more: &[&str]| train(&run, more).output().expect("starts");
    refused(&again(&["--set", "steps=3"]), 1, "--resume");
    refused(
        &again(&["--set", "steps=4", "--resume", "--set", "d=32"]),
        1,
        "another model",
    );
    // Damage.
    let file = |name: &str| run.join(name);
    let weights = std::fs::read(file("model.safetensors")).expect("weights");
    std::fs::write(file("model.safetensors"), &weights[..weights.len() / 2]).expect("written");
    refused(&generate(&run, &["-n", "1"]), 1, "truncated or damaged");
    std::fs::remove_file(file("model.safetensors")).expect("removed");
    refused(&generate(&run, &["-n", "1"]), 1, "no weights yet");
    let config = std::fs::read_to_string(file("config.json")).expect("a config");
    let wide = config.replace("\"d\": 16", "\"d\": 32");
    assert_ne!(wide, config);
    std::fs::write(file("config.json"), wide).expect("written");
    std::fs::write(file("model.safetensors"), &weights).expect("written");
    refused(&generate(&run, &["-n", "1"]), 1, "has shape");
    std::fs::write(
        file("config.json"),
        config.replace("\"layers\"", "\"layer\""),
    )
    .expect("written");
    refused(&generate(&run, &["-n", "1"]), 1, "E24");
    std::fs::write(file("config.json"), &config[..config.len() / 2]).expect("written");
    refused(&generate(&run, &["-n", "1"]), 1, "damaged");
    std::fs::remove_file(file("config.json")).expect("removed");
    refused(&generate(&run, &["-n", "1"]), 1, "not a run");
    refused(
        &generate(&dir.path().join("none"), &[]),
        1,
        "no such folder",
    );
}

#[test]
fn training_refuses_before_it_writes() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = dir.path().join("run");
    for (args, part) in [
        (&["--set", "stepz=3"][..], "E24"),
        (&["--set", "steps=x"], "whole number"),
        (&["--set", "recipe.stepz=1"], "a recipe has"),
        (&["--set", "lr=-1"], "`lr` is -1"),
        (&["--set", "steps"], "name=value"),
        (&["--resume"], "no checkpoint"),
        (&["--model", "other"], "no model `other`"),
    ] {
        refused(&train(&run, args).output().expect("starts"), 1, part);
        assert!(!run.exists(), "{args:?} left something behind");
    }
    let mut other = seqc(&["train"]);
    other.arg(root("examples/gla.seq")).arg("-o").arg(&run);
    other.arg("--data").arg(dir.path().join("none"));
    refused(&other.output().expect("starts"), 1, "none: No such file");
    assert!(!run.exists());
    std::fs::write(&run, "a file").expect("written");
    refused(
        &train(&run, &[]).output().expect("starts"),
        1,
        "not a folder",
    );
}

/// The newest checkpoint's tensors.
fn tensors(run: &Path) -> (Vec<u8>, Vec<u8>) {
    let mut steps: Vec<PathBuf> = std::fs::read_dir(run.join("checkpoint"))
        .expect("checkpoints")
        .map(|e| e.expect("an entry").path())
        .collect();
    steps.sort();
    let at = steps.last().expect("one");
    let read = |name: &str| std::fs::read(at.join(name)).expect(name);
    (read("params.safetensors"), read("optimizer.safetensors"))
}

/// Ctrl-C saves, and the run resumed from there is the run never stopped, bit for bit.
#[test]
#[cfg(unix)]
fn a_run_stopped_and_resumed_is_the_run_never_stopped() {
    let dir = tempfile::tempdir().expect("a folder");
    let (whole, cut) = (dir.path().join("whole"), dir.path().join("cut"));
    let steps = ["--set", "steps=200", "--set", "eval_every=0"];
    ok(train(&whole, &steps).output().expect("starts"));
    let mut child = train(&cut, &steps)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let start = Instant::now();
    let lines =
        || std::fs::read_to_string(cut.join("metrics.jsonl")).map_or(0, |t| t.lines().count());
    while lines() < 3 && start.elapsed() < Duration::from_secs(300) {
        std::thread::sleep(Duration::from_millis(2));
    }
    // The shell's own: a minimal machine has no command of that name.
    let signal = Command::new("sh")
        .args(["-c", &format!("kill -INT {}", child.id())])
        .status();
    assert!(signal.expect("sent").success());
    assert!(child.wait().expect("ends").success());
    let stopped = std::fs::read_to_string(cut.join("metrics.jsonl")).expect("metrics");
    assert!(stopped.lines().count() < 200, "it was stopped");
    assert_ne!(tensors(&whole), tensors(&cut));
    ok(train(&cut, &steps)
        .arg("--resume")
        .output()
        .expect("starts"));
    assert!(tensors(&whole) == tensors(&cut), "every bit is the same");
}
