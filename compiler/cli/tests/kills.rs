//! `kill -9` of a training at random moments, again and again: the run can always be resumed, what is on disk is whole at
//! every moment, and in the end every bit is that of the run that was never killed.
//!
//! In full: `SEQC_KILLS=200 cargo test -p seqc --test kills -- --nocapture`; `SEQC_SEED=n` for other moments.

mod common;

use common::{Folder, newest, ok};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// A run whose saves take much of its time, so that many kills fall into them.
const LONG: [&str; 6] = [
    "--set",
    "steps=60",
    "--set",
    "save_every=1",
    "--set",
    "eval_every=7",
];

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// A fraction, by a linear congruential generator (Knuth's MMIX).
fn draw(state: &mut u64) -> f64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1u64 << 53) as f64
}

/// What must hold of a run's folder whenever its process ended.
fn is_whole(run: &Path) {
    let Ok(weights) = fs::read(run.join("model.safetensors")) else {
        return;
    };
    // Those of one of the checkpoints that are there, whole: of the newest, or of the one before it while the newest is new.
    let entries = fs::read_dir(run.join("checkpoint")).expect("checkpoints");
    let of_step = |e: std::io::Result<fs::DirEntry>| {
        let path = e.expect("an entry").path();
        let named = path.file_name()?.to_str()?.starts_with("step-");
        named.then(|| fs::read(path.join("params.safetensors")).expect("whole"))
    };
    assert!(entries.filter_map(of_step).any(|w| w == weights));
}

#[test]
fn a_run_that_is_killed_is_the_run_that_was_not() {
    let kills = number("SEQC_KILLS").unwrap_or(8);
    let mut state = number("SEQC_SEED").unwrap_or(1);
    let folder = Folder::new();
    let whole = folder.at("whole");
    let start = Instant::now();
    ok(&mut folder.train("whole", &LONG));
    let time = start.elapsed();
    let right = |name| newest(&whole, name);
    let (params, moments) = (right("params.safetensors"), right("optimizer.safetensors"));
    let run = folder.at("run");
    let (mut done, mut ends) = (0, 0);
    while done < kills {
        fs::remove_dir_all(&run).ok();
        // One run is killed until it gets to its end.
        loop {
            let resume = fs::read_dir(run.join("checkpoint")).is_ok_and(|d| {
                d.flatten()
                    .any(|e| e.file_name().to_string_lossy().starts_with("step-"))
            });
            let more: &[&str] = if resume { &["--resume"] } else { &[] };
            if done >= kills {
                ok(&mut folder.train("run", &[&LONG, more].concat()));
                break;
            }
            let mut child = folder
                .train("run", &[&LONG, more].concat())
                .spawn()
                .expect("starts");
            let moment = time.mul_f64(draw(&mut state) * 0.9);
            let begun = Instant::now();
            let mut ended = None;
            while begun.elapsed() < moment && ended.is_none() {
                std::thread::sleep(Duration::from_micros(200));
                ended = child.try_wait().expect("looked");
            }
            child.kill().ok();
            let status = child.wait().expect("ends");
            is_whole(&run);
            if ended.is_some() {
                assert!(status.success(), "a run that is resumed ends well");
                break;
            }
            done += 1;
        }
        ends += 1;
        assert!(
            newest(&run, "params.safetensors") == params,
            "parameters differ"
        );
        assert!(
            newest(&run, "optimizer.safetensors") == moments,
            "moments differ"
        );
        let weights = fs::read(run.join("model.safetensors")).expect("weights");
        assert!(weights == params, "the weights are not the last ones");
        let hidden = fs::read_dir(run.join("checkpoint"))
            .expect("checkpoints")
            .count();
        assert_eq!(hidden, 2, "nothing is left of what was begun");
        let lines = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
        let steps = lines.lines().filter(|l| l.contains("grad_norm")).count();
        assert_eq!(steps, 60, "each step is told once");
    }
    eprintln!("{done} kills of {ends} runs, {:?}", start.elapsed());
}
