//! `seqc build` as a user meets it: stages, artifacts, the cache, exit codes.
#![cfg(feature = "mlir")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const GLA: [&str; 5] = ["examples/gla.seq", "--set", "layers=1", "--set", "d=16"];
const STAGES: &str = "ast,hir,algebra,derived,schedule,mlir,llvm,asm,ptx";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `seqc build` in the repository's root, with a cache of its own.
fn build(cache: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seqc"))
        .arg("build")
        .args(args)
        .current_dir(root())
        .env("SEQC_CACHE", cache)
        .output()
        .unwrap()
}

fn good(cache: &Path, args: &[&str]) -> String {
    let out = build(cache, args);
    let says = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{args:?}: {says}");
    String::from_utf8(out.stdout).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut all: Vec<String> = fs::read_dir(folder)
        .map(|d| {
            d.map(|e| e.unwrap().file_name().into_string().unwrap())
                .collect()
        })
        .unwrap_or_default();
    all.sort();
    all
}

#[test]
fn every_stage_is_the_same_text_in_every_process() {
    let cache = tempfile::tempdir().unwrap();
    for grad in [&[][..], &["--grad"]] {
        let args = [&GLA[..], &["--emit", STAGES], grad].concat();
        let first = good(cache.path(), &args);
        for stage in STAGES.split(',') {
            assert!(first.contains(&format!(": {stage}\n")), "{stage}");
        }
        assert!(first == good(cache.path(), &args), "another text, {grad:?}");
    }
    assert!(names(cache.path()).is_empty(), "stages leave no artifact");
}

#[test]
fn stages_into_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("a/b");
    let timings = dir.path().join("times");
    let (o, t) = (out.to_str().unwrap(), timings.to_str().unwrap());
    let args = [
        &GLA[..],
        &[
            "--emit",
            "ast,schedule,llvm,asm,ptx",
            "-o",
            o,
            "--timings",
            t,
        ],
    ];
    assert_eq!(good(dir.path(), &args.concat()), "");
    let files = [
        "gla.ast",
        "gla_lm.ll",
        "gla_lm.ptx",
        "gla_lm.s",
        "gla_lm.schedule",
    ];
    assert_eq!(names(&out), files);
    let text = fs::read_to_string(timings).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    for stage in ["ast", "hir", "derived", "schedule", "llvm", "asm", "ptx"] {
        let is = |l: &&serde_json::Value| l["stage"] == stage && l.get("pass").is_none();
        let line = lines.iter().find(is);
        assert!(
            line.is_some_and(|l| l["seconds"].as_f64() >= Some(0.0)),
            "{stage}"
        );
    }
    assert!(lines.iter().any(|l| l["pass"] == "chunk-recurrences"));
    assert!(
        !lines.iter().any(|l| l["stage"] == "mlir"),
        "only what is asked for"
    );
}

#[test]
fn artifacts_come_from_the_cache() {
    let cache = tempfile::tempdir().unwrap();
    let out = cache.path().join("out");
    let place = good(cache.path(), &GLA);
    let folder = PathBuf::from(place.trim());
    assert_eq!(
        names(&folder),
        ["SHA256SUMS", "config.json", "kernels.so", "plans"]
    );
    let plans = [
        "eval.json",
        "prefill.json",
        "resume.json",
        "step.json",
        "train.json",
    ];
    assert_eq!(names(&folder.join("plans")), plans);
    let made = fs::metadata(folder.join("kernels.so"))
        .unwrap()
        .modified()
        .unwrap();
    let again = [&GLA[..], &["-o", out.to_str().unwrap()]].concat();
    good(cache.path(), &again);
    let now = fs::metadata(folder.join("kernels.so"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(made, now, "it is not built again");
    assert_eq!(names(&out), names(&folder));
    seqc_device::Artifact::load(&out).unwrap_or_else(|e| panic!("{e}"));
    // Another setting is another artifact; the order of settings is not.
    let mut swapped = GLA;
    swapped.swap(2, 4);
    assert_eq!(good(cache.path(), &swapped), place);
    let other = [&GLA[..], &["--form", "recurrent"]].concat();
    assert_ne!(good(cache.path(), &other), place);
}

#[test]
fn artifacts_for_gpus() {
    let cache = tempfile::tempdir().unwrap();
    let args = [&GLA[..], &["--target", "cuda=sm_80"]].concat();
    let folder = PathBuf::from(good(cache.path(), &args).trim());
    assert_eq!(
        names(&folder),
        ["SHA256SUMS", "config.json", "kernels.ptx", "plans"]
    );
    let ptx = fs::read_to_string(folder.join("kernels.ptx")).unwrap();
    assert!(ptx.contains(".target sm_80"));
}

#[test]
fn a_mixer_by_itself() {
    let cache = tempfile::tempdir().unwrap();
    let args = ["stdlib/rnn.seq", "--mixer", "gru", "--set", "d=8", "--grad"];
    let folder = PathBuf::from(good(cache.path(), &args).trim());
    let plans = [
        "forward.json",
        "gradient.json",
        "prefill.json",
        "resume.json",
        "step.json",
    ];
    assert_eq!(names(&folder.join("plans")), plans);
    seqc_device::Artifact::load(&folder).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn wrong_usage_is_2_and_lists_what_there_is() {
    let cache = tempfile::tempdir().unwrap();
    for (args, known) in [
        (&["--emit", "tokens"][..], "algebra"),
        (&["--target", "cuda=sm_1"], "sm_90a"),
        (&["--target", "tpu"], "cpu=ARCH"),
        (&["--form", "diagonal"], "recurrent"),
        (&["--emit", "ptx", "--target", "cpu"], "cuda=sm_90a"),
        (&["--emit", "asm", "--target", "cuda=sm_80"], "ptx"),
        (&["--mixer", "nothing"], "gla_lm"),
        (&["--set", "layers"], "name=value"),
    ] {
        let out = build(cache.path(), &[&GLA[..], args].concat());
        let says = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {says}");
        assert!(says.contains(known), "{args:?}: {says}");
        assert!(out.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn wrong_input_is_1_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let o = out.to_str().unwrap();
    for args in [
        &["examples/no.seq"][..],
        &["examples/gla.seq", "--set", "layers=x"],
        &[
            "examples/gla.seq",
            "--set",
            "nothing=1",
            "--emit",
            "hir,ptx",
        ],
    ] {
        let result = build(dir.path(), &[args, &["-o", o]].concat());
        let says = String::from_utf8_lossy(&result.stderr);
        assert_eq!(result.status.code(), Some(1), "{args:?}: {says}");
        assert!(!says.is_empty() && !says.contains("panicked"), "{says}");
        assert!(
            names(dir.path()).is_empty(),
            "{args:?}: {:?}",
            names(dir.path())
        );
    }
}

/// A reader that goes away, as `| head` does, is no error.
#[test]
fn a_closed_pipe_is_no_panic() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_seqc"))
        .args(["build", "--emit", "schedule"])
        .args(GLA)
        .current_dir(root())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// The stock tool parses and verifies what `--emit mlir` prints, with no flags.
#[test]
fn mlir_opt_accepts_the_mlir() {
    let prefix = std::env::var("MLIR_SYS_220_PREFIX").unwrap_or("/usr/lib/llvm-22".into());
    let tool = Path::new(&prefix).join("bin/mlir-opt");
    if !tool.exists() {
        eprintln!("SKIPPED: no {}", tool.display());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let examples = ["attention", "gla", "mamba2", "hyena", "lstm", "hybrid"];
    for name in examples {
        let file = format!("examples/{name}.seq");
        for target in ["cpu=x86-64-v3", "cpu=x86-64-v4", "cuda=sm_90a"] {
            let out = dir.path().join(target);
            let mut args = vec![
                file.as_str(),
                "--emit",
                "mlir",
                "--grad",
                "--target",
                target,
                "--set",
                "d=16",
            ];
            args.extend(["--set", "layers=2", "-o", out.to_str().unwrap()]);
            good(dir.path(), &args);
            let checked = Command::new(&tool)
                .arg(out.join(format!("{name}_lm.mlir")))
                .stdout(Stdio::null())
                .output()
                .unwrap();
            let says = String::from_utf8_lossy(&checked.stderr);
            assert!(checked.status.success(), "{name}, {target}: {says}");
        }
    }
}
