//! Specs mutated by tokens, and soups of tokens, through parsing, checking and elaboration: no panic, no hang, and
//! what checks elaborates. The mutations are shared with the libFuzzer targets in `tests/fuzz`.
//!
//! A longer run: `SEQC_FUZZ_SECONDS=600 SEQC_FUZZ_SEED=7 cargo test -p seqc-hir --test fuzz -- --nocapture`.

#[path = "../../../tests/fuzz/src/lib.rs"]
mod fuzz;

use fuzz::mutate::{Corpus, Rng, library};
use fuzz::property;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// A spec of a few lines that takes longer than this hangs. Generous: machines are shared.
const PATIENCE: Duration = Duration::from_secs(20);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Tries specs until `cases` of them, or the seconds asked for, are over; every failure is listed with its text.
fn run(name: &str, cases: u64, property: fn(&[u8]) -> bool) {
    let corpus = Corpus::new(&library());
    let first = number("SEQC_FUZZ_SEED").unwrap_or(1) << 32;
    let seconds = number("SEQC_FUZZ_SECONDS");
    let start = Instant::now();
    let mut failures: Vec<String> = Vec::new();
    let (mut done, mut through) = (0, 0);
    while match seconds {
        Some(s) => start.elapsed() < Duration::from_secs(s),
        None => done < cases,
    } {
        let seed = first + done;
        let mut rng = Rng(seed);
        let mut text = corpus.spec(&mut rng);
        if seed.is_multiple_of(4) {
            text = corpus.mutate(&text, &mut rng);
        }
        let attempt = || {
            let begin = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| property(text.as_bytes())));
            (outcome, begin.elapsed())
        };
        let (mut outcome, mut time) = attempt();
        // A machine that had other things to do is not a hang.
        for _ in 0..3 {
            if time > PATIENCE {
                (outcome, time) = attempt();
            }
        }
        done += 1;
        let wrong = match outcome {
            Err(panic) => panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
                .unwrap_or_default(),
            Ok(_) if time > PATIENCE => format!("took {time:?}"),
            Ok(got) => {
                through += u64::from(got);
                continue;
            }
        };
        let report = format!("seed {seed}: {wrong}\n{text}\n");
        eprintln!("{report}");
        failures.push(report);
    }
    eprintln!(
        "{name}: {done} specs, {through} went through, {} failures, {:?}",
        failures.len(),
        start.elapsed()
    );
    assert!(
        failures.is_empty(),
        "{} of {done} specs:\n{}",
        failures.len(),
        failures[0]
    );
    // Mutations that break everything at once would test the first error only; those that break nothing, nothing.
    assert!(
        through * 20 > done && through * 10 < done * 9,
        "{through} of {done} went through"
    );
}

#[test]
fn mutated_specs_parse() {
    run("parse", 600, property::parses);
}

#[test]
fn mutated_specs_check() {
    run("check", 600, property::checks);
}
