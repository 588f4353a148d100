//! Random valid kernels give what the interpreter gives.

mod common;

use common::run;
use proptest::prelude::*;
use seqc_schedule::ir::Elem;
use seqc_schedule::testing::{Case, HALF, distance, valid_case};
use seqc_schedule::verify::verify;

fn agrees(case: &Case) -> Result<(), TestCaseError> {
    let (expected, bound) = case.expected().expect("runs");
    let mut bufs = case.bufs.clone();
    let extent = |e: &seqc_schedule::ir::Ix| e.known().unwrap_or(case.dims[2]);
    let cells = case.kernel.grid.iter().map(|(_, e)| extent(e)).product();
    run(&case.kernel, &mut bufs, &case.dims, cells);
    for (i, (got, want)) in bufs.iter().zip(&expected).enumerate() {
        let half = if case.kernel.args[i].elem == Elem::Bf16 {
            HALF
        } else {
            0.0
        };
        let (d, bound) = (distance(got, want), bound + half);
        prop_assert!(
            d <= bound,
            "buffer {} is off by {} (bound {})\n{}",
            i,
            d,
            bound,
            case.kernel
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn compiled_kernels_agree_with_the_interpreter(seed: u64, size in 0usize..10) {
        agrees(&valid_case(seed, size))?;
    }

    #[test]
    fn so_do_kernels_in_narrow_memory(seed: u64, size in 0usize..10) {
        let case = valid_case(seed, size).narrow(4);
        verify(&case.kernel).expect("well formed");
        agrees(&case)?;
    }
}
