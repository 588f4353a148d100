//! Any bytes through the parser and the formatter.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    seqc_fuzz::property::parses(bytes);
});
