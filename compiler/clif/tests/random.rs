//! Random valid kernels give what the interpreter gives.

mod common;

use common::run;
use proptest::prelude::*;
use seqc_schedule::testing::{distance, valid_case};

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn compiled_kernels_agree_with_the_interpreter(seed: u64, size in 0usize..10) {
        let case = valid_case(seed, size);
        let (expected, bound) = case.expected().expect("runs");
        let mut bufs = case.bufs.clone();
        let cells = case.kernel.grid.iter().map(|(_, e)| e.known().unwrap_or(case.dims[2])).product();
        run(&case.kernel, &mut bufs, &case.dims, cells);
        for (i, (got, want)) in bufs.iter().zip(&expected).enumerate() {
            let d = distance(got, want);
            prop_assert!(d <= bound, "buffer {} is off by {} (bound {})\n{}", i, d, bound, case.kernel);
        }
    }
}
