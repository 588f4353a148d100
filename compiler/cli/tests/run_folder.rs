//! What is on disk is what the run is, whoever else writes there; nothing foreign or cut short is used; every number
//! that is printed is one.

mod common;

use common::{Folder, done, newest, ok, refused, text};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The script of the faults that were found, which prints what must be beside what is.
#[test]
#[cfg(feature = "mlir")] // it breaks kernels in the cache
fn the_faults_that_were_found_are_mended() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/faults/run_folder.sh");
    let out = Command::new("bash")
        .arg(script)
        .arg(env!("CARGO_BIN_EXE_seqc"))
        .output()
        .expect("starts");
    assert!(out.status.success(), "{}", text(&out.stdout));
}

/// Weights that a kill left behind: none, those of an earlier save, half a file, another model's.
#[test]
fn resume_writes_the_weights_again() {
    let folder = Folder::new();
    ok(&mut folder.train("run", &[]));
    fs::write(folder.at("run/.writing-half"), "what a kill left").expect("written");
    let weights = folder.at("run/model.safetensors");
    let right = fs::read(&weights).expect("weights");
    assert_eq!(right, newest(&folder.at("run"), "params.safetensors"));
    let older = fs::read(folder.at("run/checkpoint/step-00000003/params.safetensors"));
    for stale in [
        None,
        Some(older.expect("the save before")),
        Some(right[..100].to_vec()),
        Some(b"other".to_vec()),
    ] {
        match stale {
            None => fs::remove_file(&weights).expect("removed"),
            Some(bytes) => {
                fs::write(&weights, bytes).expect("written");
                let said = text(&done(&mut folder.generate("run", &[])).stderr);
                assert!(
                    said.contains("not of the newest checkpoint, that of step 6"),
                    "{said}"
                );
            }
        }
        ok(&mut folder.train("run", &["--resume"]));
        assert!(!folder.at("run/.writing-half").exists());
        assert!(fs::read(&weights).expect("weights") == right);
        let said = ok(&mut folder.generate("run", &[]));
        assert!(!said.contains("warning"), "{said}");
    }
}

/// A run that is done, one whose seconds are used up, and one that was stopped at its last step.
#[test]
fn nothing_to_do_is_said_with_the_last_losses() {
    let folder = Folder::new();
    let first = ok(&mut folder.train("run", &[]));
    let losses = |said: &str| said[said.find("loss").expect("losses")..].trim().to_owned();
    let last = losses(
        first
            .lines()
            .find(|l| l.starts_with("6 steps"))
            .expect("a summary"),
    );
    for more in [&[][..], &["--set", "steps=2"], &["--set", "seconds=0.001"]] {
        let said = ok(&mut folder.train("run", &[&["--resume"][..], more].concat()));
        assert!(said.contains("done before, after 6 steps"), "{said}");
        assert!(said.contains(&last) && !said.contains("NaN"), "{said}");
    }
    let short = ["--set", "steps=900000", "--set", "seconds=0.2"];
    ok(&mut folder.train("short", &short));
    let said = ok(&mut folder.train("short", &[&["--resume"][..], &short].concat()));
    assert!(!said.contains("NaN") && !said.contains("loss -"), "{said}");
}

#[test]
fn a_run_goes_on_by_its_own_recipe_only() {
    let folder = Folder::new();
    ok(&mut folder.train("run", &[]));
    let go_on = |set: &str| folder.train("run", &["--resume", "--set", "steps=8", "--set", set]);
    for (set, part) in [
        ("lr=0.5", "lr = 0.001, now it is 0.5"),
        ("warmup=6", "warmup = 5"),
        ("seed=1", "seed = 0"),
        ("decay=0", "decay = 0.1"),
        ("clip=2", "clip = 1"),
        ("batch=3", "batch = 2"),
        ("packed=true", "packed = false"),
    ] {
        let said = refused(&mut go_on(set));
        assert!(
            said.contains(part) && said.contains("another one"),
            "{said}"
        );
    }
    let said = ok(&mut go_on("eval_every=2"));
    assert!(said.contains("`steps` was 6 and is 8"), "{said}");
}

/// A new run and one resumed, beside a new run or one resumed: the second is refused at once, and told by whom.
#[test]
fn one_training_a_folder() {
    let folder = Folder::new();
    let long = ["--set", "steps=900000"];
    ok(&mut folder.train("old", &[]));
    for (run, first) in [("new", &[][..]), ("old", &["--resume"])] {
        let mut child = folder
            .train(run, &[&long[..], first].concat())
            .spawn()
            .expect("starts");
        let holder = || fs::read_to_string(folder.at(run).join(".lock")).unwrap_or_default();
        let start = Instant::now();
        while holder().trim() != child.id().to_string() {
            assert!(start.elapsed() < Duration::from_secs(60), "no lock");
            std::thread::sleep(Duration::from_millis(2));
        }
        let words = format!("{run} is being trained by process {}", child.id());
        for second in [&[][..], &["--resume"], &["--resume", "--set", "lr=1"]] {
            let said = refused(&mut folder.train(run, second));
            assert!(said.contains(&words), "{said}");
        }
        child.kill().expect("killed");
        child.wait().expect("ends");
    }
    // The lock of a process that was killed is nobody's.
    ok(&mut folder.train("old", &["--resume"]));
}

#[test]
fn another_tokenizer_is_refused_by_name() {
    let folder = Folder::new();
    ok(&mut folder.train("run", &[]));
    let path = folder.at("run/tokenizer.json");
    let own = fs::read_to_string(&path).expect("its own");
    for (foreign, part) in [
        (
            r#"{"model": {"type": "WordPiece", "vocab": {}}}"#.to_owned(),
            "WordPiece",
        ),
        (
            own.replace("\"merges\": []", "\"merges\": [\"t o\"]"),
            "merges",
        ),
        (
            own.replace(
                "\"normalizer\": null",
                "\"normalizer\": {\"type\": \"Lowercase\"}",
            ),
            "normalizer",
        ),
        (own.replace("\"a\": 97", "\"a\": 98"), "byte 97"),
        (own[..own.len() / 2].to_owned(), "truncated or damaged"),
    ] {
        assert_ne!(foreign, own);
        fs::write(&path, &foreign).expect("written");
        for said in [
            refused(&mut folder.generate("run", &[])),
            refused(&mut folder.train("run", &["--resume"])),
        ] {
            assert!(
                said.contains("tokenizer.json") && said.contains(part),
                "{said}"
            );
        }
        assert_eq!(
            fs::read_to_string(&path).expect("there"),
            foreign,
            "it is not overwritten"
        );
    }
    fs::write(&path, own.replace(' ', "")).expect("written");
    ok(&mut folder.generate("run", &[]));
    fs::remove_file(&path).expect("removed");
    ok(&mut folder.generate("run", &[]));
}

/// Other people's models are not trained over.
#[test]
fn a_folder_with_something_else_is_left_alone() {
    let folder = Folder::new();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::create_dir(folder.at("other")).expect("made");
        fs::write(folder.at("other").join(file), "{\"model_type\": \"llama\"}").expect("written");
        let said = refused(&mut folder.train("other", &[]));
        assert!(said.contains(file), "{said}");
        fs::remove_dir_all(folder.at("other")).expect("removed");
    }
}

/// Ends a command that waits for what never comes.
fn in_time(command: &mut Command) -> String {
    let mut child = command.spawn().expect("starts");
    let start = Instant::now();
    while child.try_wait().expect("looked").is_none() {
        if start.elapsed() > Duration::from_secs(60) {
            child.kill().expect("killed");
            panic!("it waits: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let out = child.wait_with_output().expect("ended");
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{command:?}: {said}");
    assert!(
        said.contains("error") && !said.contains("panicked"),
        "{said}"
    );
    said
}

/// Pipes, devices and what claims to be endless, wherever a file is read.
#[test]
fn what_is_no_regular_file_is_an_error() {
    let folder = Folder::new();
    ok(&mut folder.train("run", &[]));
    let pipe = folder.at("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let link = |name: &str, to: &Path| {
        let at = folder.at(name);
        fs::remove_file(&at).ok();
        std::os::unix::fs::symlink(to, at).expect("linked");
    };
    for to in [pipe.as_path(), Path::new("/dev/zero")] {
        link("odd.seq", to);
        fs::create_dir_all(folder.at("texts")).expect("made");
        link("texts/a.txt", to);
        fs::write(folder.at("uses.seq"), "seq 1\nimport odd (a)\n").expect("written");
        for args in [
            &["check", "odd.seq"][..],
            &["explain", "odd.seq"],
            &["fmt", "odd.seq"],
            &["verify", "odd.seq"],
            &["build", "odd.seq"],
            &["check", "uses.seq"],
            &["train", "tiny.seq", "--data", "texts", "-o", "x"],
            &["train", "tiny.seq", "--data", "texts/a.txt", "-o", "x"],
            &[
                "eval",
                "tiny.seq",
                "--mixer",
                "tiny",
                "--inputs",
                "odd.seq",
                "--outputs",
                "o",
            ],
            &[
                "explain",
                "--table",
                "tiny.seq",
                "--certificates",
                "odd.seq",
            ],
        ] {
            let said = in_time(&mut folder.seqc(args));
            assert!(said.contains("not a regular file"), "{args:?}: {said}");
        }
        for name in [
            "model.safetensors",
            "config.json",
            "model.seq",
            "tokenizer.json",
        ] {
            let kept = fs::read(folder.at("run").join(name)).expect(name);
            link(&format!("run/{name}"), to);
            let said = in_time(&mut folder.generate("run", &[]));
            assert!(
                said.contains("not a regular file") && said.contains(name),
                "{said}"
            );
            fs::remove_file(folder.at("run").join(name)).expect("removed");
            fs::write(folder.at("run").join(name), kept).expect("written");
        }
    }
    let huge = fs::File::create(folder.at("huge.seq")).expect("made");
    if huge.set_len(1 << 42).is_ok() {
        let said = in_time(&mut folder.seqc(&["check", "huge.seq"]));
        assert!(said.contains("E01"), "{said}");
        let said =
            in_time(&mut folder.seqc(&["train", "tiny.seq", "--data", "huge.seq", "-o", "x"]));
        assert!(said.contains("more than there is memory for"), "{said}");
    }
    assert!(
        !folder.at("x").exists(),
        "nothing is left of runs that did not begin"
    );
}

/// Numbers far too large, in every setting: a named error or a run, in time and without a panic.
#[test]
fn huge_numbers_are_errors() {
    let folder = Folder::new();
    for name in [
        "batch",
        "length",
        "steps",
        "warmup",
        "seed",
        "eval_every",
        "eval_batches",
        "save_every",
    ] {
        for value in ["4294967296", "9223372036854775808", "18446744073709551615"] {
            fs::remove_dir_all(folder.at("run")).ok();
            let set = format!("{name}={value}");
            let out = done(&mut folder.train("run", &["--set", &set]));
            let said = text(&out.stderr);
            assert!(matches!(out.status.code(), Some(0 | 1)), "{set}: {said}");
            assert!(!said.contains("panicked"), "{set}: {said}");
            let harmless = ["warmup", "seed", "eval_every", "save_every"].contains(&name);
            assert_eq!(out.status.success(), harmless, "{set}: {said}");
            let told = said.contains(name) || said.contains("rows of");
            assert!(harmless || told, "{set}: {said}");
        }
    }
    for (set, part) in [
        ("eval_batches=8000", "more than there is"),
        ("vocab=99999999999", ""),
        ("d=99999999999", ""),
        ("lr=1e400", "finite"),
    ] {
        fs::remove_dir_all(folder.at("run")).ok();
        let said = refused(&mut folder.train("run", &["--set", set, "--set", "eval_every=1"]));
        assert!(said.contains(part), "{said}");
    }
    ok(&mut folder.train("good", &[]));
    for n in ["99999999", "18446744073709551615"] {
        let said = refused(&mut folder.seqc(&["generate", "good", "-n", n]));
        assert!(said.contains("too many"), "{said}");
    }
}

/// Nobody reads what is said: the pipe is closed, or the disk is full.
#[test]
fn a_closed_way_out_is_no_panic() {
    let folder = Folder::new();
    fs::write(
        folder.at("bad.seq"),
        "seq 1\nmixer f(x: seq{d}) -> y: seq{d} { y = z }\n",
    )
    .expect("written");
    let sh = |line: &str| {
        let mut command = Command::new("sh");
        command
            .args(["-c", &line.replace("seqc", env!("CARGO_BIN_EXE_seqc"))])
            .current_dir(folder.at(""))
            .env("SEQC_CACHE", folder.at("cache"))
            .stdin(Stdio::null());
        done(&mut command).status.code()
    };
    let train = "seqc train tiny.seq --data data.txt --backend clif -o";
    assert_eq!(sh(&format!("{train} a 2>&-")), Some(0));
    assert_eq!(sh(&format!("{train} b 2>/dev/full")), Some(0));
    assert_eq!(sh(&format!("{train} c >&- 2>&-")), Some(0));
    assert_eq!(
        sh("seqc generate a --backend clif -n 3 2>/dev/full"),
        Some(0)
    );
    assert_eq!(
        sh("seqc generate a --backend clif -n 3 >/dev/full"),
        Some(1)
    );
    assert_eq!(sh("seqc check bad.seq 2>/dev/full"), Some(1));
    assert_eq!(sh("seqc explain bad.seq 2>/dev/full"), Some(1));
    assert_eq!(sh("seqc fmt --check tiny.seq bad.seq 2>/dev/full"), Some(1));
    assert_eq!(sh("seqc explain E07 >/dev/full 2>/dev/full"), Some(1));
    assert_eq!(sh("seqc nonsense 2>/dev/full"), Some(2));
    // A reader that goes away.
    let broken = "{ seqc check bad.seq bad.seq; echo $? >code; } 2>&1 | true; sleep 0.1";
    sh(broken);
    let code = fs::read_to_string(folder.at("code")).unwrap_or_default();
    assert_ne!(code.trim(), "101");
}

/// A state that overflows on its way.
const GROWS: &str = "
mixer cumulative(x: seq{d}) -> y: seq{d} {
    state S{d}
    S[t] = 1e12 * S[t-1] + exp(x)
    y = S
}
";

/// The first tensor that is not finite is told by its name in the spec, and the step.
#[test]
fn a_run_that_is_not_finite_says_where_it_began() {
    let folder = Folder::new();
    // What is stored first after `odd`, which is computed inside of it.
    for (line, what) in [
        ("odd = log(x - 1)", "`x1` holds NaN"),
        ("odd = exp(1e3 + x)", "`x1` holds inf"),
        ("odd = 1 / (0 * x)", "`x1` holds"),
        ("odd = cumulative(x)", "`odd.cumulative.S` holds inf"),
    ] {
        let model = common::MODEL.replace(
            "    x1 = x +",
            &format!("    {line}\n    x1 = x + 1e-9 * odd +"),
        );
        fs::write(folder.at("tiny.seq"), model + GROWS).expect("written");
        fs::remove_dir_all(folder.at("run")).ok();
        let said = refused(&mut folder.train("run", &[]));
        assert!(said.contains("step 1: the loss is"), "{said}");
        assert!(said.contains(&format!("the first of it: {what}")), "{said}");
    }
    // It begins fine, and the parameters run away.
    fs::write(folder.at("tiny.seq"), common::MODEL).expect("written");
    fs::remove_dir_all(folder.at("run")).ok();
    let away = [
        "--set",
        "lr=1e30",
        "--set",
        "steps=60",
        "--set",
        "clip=0",
        "--set",
        "eval_every=0",
    ];
    let said = refused(&mut folder.train("run", &away));
    assert!(
        said.contains("step 2: ") && said.contains("saved"),
        "{said}"
    );
    assert!(
        said.contains("the first of it: a value that makes `"),
        "{said}"
    );
}

#[test]
fn unknown_settings_say_what_was_meant() {
    let folder = Folder::new();
    for (set, near) in [
        ("stepz=3", "did you mean the recipe's `steps`?"),
        ("lenght=3", "did you mean the recipe's `length`?"),
        ("evalevery=3", "did you mean the recipe's `eval_every`?"),
        ("vocabb=3", "did you mean `vocab`?"),
        ("recipe.bacth=3", "did you mean `batch`?"),
    ] {
        let said = refused(&mut folder.train("run", &["--set", set]));
        assert!(said.contains(near), "{set}: {said}");
    }
}

/// `error:` before every error, whatever it is about, and colours only where they were not refused.
#[test]
fn every_error_says_that_it_is_one() {
    let folder = Folder::new();
    fs::write(
        folder.at("bad.seq"),
        "seq 1\nmixer f(x: seq{d}) -> y: seq{d} { y = z }\n",
    )
    .expect("written");
    for args in [
        &["check", "none.seq"][..],
        &["check", "bad.seq"],
        &["explain", "E99"],
        &["explain", "none.seq"],
        &["fmt", "--check", "bad.seq"],
        &["fmt", "none.seq"],
        &["build", "bad.seq"],
        &["generate", "none"],
        &["train", "tiny.seq", "--data", "none", "-o", "x"],
        &["verify", "none.seq"],
        &["bench", "none.seq"],
    ] {
        let said = refused(folder.seqc(args).env_remove("NO_COLOR"));
        assert!(said.starts_with("error"), "{args:?}: {said}");
        assert!(!said.contains('\x1b'), "no terminal, no colours: {said}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = ok(&mut folder.seqc(&["completions", shell]));
        assert!(
            script.contains("generate") && script.contains("temperature"),
            "{shell}"
        );
    }
}
