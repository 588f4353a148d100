//! Plans: any bytes in place of one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seqc_fuzz::formats::{Format, named};

thread_local! {
    static FORMAT: Format = named("plan");
}

fuzz_target!(|bytes: &[u8]| {
    FORMAT.with(|f| (f.property)(bytes));
});
