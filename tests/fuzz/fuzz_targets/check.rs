//! Specs, mutated by tokens, through checking and elaboration to the algebra and its verifier.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use seqc_fuzz::mutate::{Corpus, Rng};
use std::sync::LazyLock;

static CORPUS: LazyLock<Corpus> = LazyLock::new(|| Corpus::new(&seqc_fuzz::mutate::library()));

fuzz_target!(|bytes: &[u8]| {
    seqc_fuzz::property::checks(bytes);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut rng = Rng(u64::from(seed));
    let text = match std::str::from_utf8(&data[..size]) {
        Ok(text) if rng.below(8) > 0 && size > 8 => CORPUS.mutate(text, &mut rng),
        _ => CORPUS.spec(&mut rng),
    };
    let mut end = text.len().min(max_size);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    data[..end].copy_from_slice(&text.as_bytes()[..end]);
    end
});
