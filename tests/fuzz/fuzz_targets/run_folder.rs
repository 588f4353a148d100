//! Run folders: any bytes in place of one of their files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seqc_fuzz::formats::{Format, named};

const FILES: [&str; 2] = ["config.json", "model.seq"];

thread_local! {
    static FORMATS: Vec<Format> = FILES.iter().map(|f| named(f)).collect();
}

fuzz_target!(|bytes: &[u8]| {
    // The first byte says which file, the rest is in its place.
    if let [which, bytes @ ..] = bytes {
        FORMATS.with(|f| (f[usize::from(*which) % FILES.len()].property)(bytes));
    }
});
