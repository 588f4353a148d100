//! Plans, weights, checkpoints, run folders, tables and tokenizers, damaged: used, or refused in words. The mutations
//! and the properties are shared with the libFuzzer targets in `tests/fuzz`.
//!
//! A longer run: `SEQC_FUZZ_SECONDS=600 SEQC_FUZZ_SEED=7 cargo test -p seqc-driver --test fuzz_formats -- --nocapture`
//! (so long for each format).

#[path = "../../../tests/fuzz/src/bytes.rs"]
mod bytes;
#[allow(dead_code)] // the libFuzzer targets pick one by its name
#[path = "../../../tests/fuzz/src/formats.rs"]
mod formats;
#[path = "../../../tests/fuzz/src/rng.rs"]
mod rng;

use formats::Format;
use rng::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn run(format: &Format, cases: u64) {
    for right in &format.right {
        // Tables of other models do not fit; that of this one, and every other right file, does.
        let used = (format.property)(right);
        assert!(used || format.name == "table", "{} is refused", format.name);
    }
    let first = number("SEQC_FUZZ_SEED").unwrap_or(1) << 32;
    let seconds = number("SEQC_FUZZ_SECONDS");
    let (start, mut done, mut used) = (Instant::now(), 0, 0);
    while match seconds {
        Some(s) => start.elapsed() < Duration::from_secs(s),
        None => done < cases,
    } {
        let mut rng = Rng(first + done);
        let right = &format.right[rng.below(format.right.len())];
        let damaged = bytes::mutate(right, &mut rng);
        let outcome = catch_unwind(AssertUnwindSafe(|| (format.property)(&damaged)));
        let Ok(through) = outcome else {
            let text = String::from_utf8_lossy(&damaged);
            panic!("{}, seed {}:\n{text}", format.name, first + done);
        };
        used += u64::from(through);
        done += 1;
    }
    eprintln!(
        "{}: {done} files, {used} used, {:?}",
        format.name,
        start.elapsed()
    );
    assert!(used < done, "{}: nothing was refused", format.name);
}

#[test]
fn damaged_files_are_used_or_refused_in_words() {
    for format in formats::all() {
        run(&format, 400);
    }
}
