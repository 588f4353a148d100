//! Random programs, scans and complex values included: reverse mode is the transpose of forward mode.

#[path = "../../algebra/tests/support/random.rs"]
mod random;
mod support;

use proptest::prelude::*;
use seqc_algebra::Sym;
use support::{Rng, Sizes, check_duals, draw};

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reverse_is_the_transpose_of_forward(seed in any::<u64>(), size in 1usize..20, t in 1usize..6) {
        let func = random::program(seed, size);
        let sizes: Sizes = [(Sym::new("batch"), 2), (Sym::new("t"), t)].into();
        let mut rng = Rng(seed);
        let inputs = draw(&func, &sizes, &mut rng);
        check_duals(&func, &inputs, &sizes, &mut rng);
    }
}
