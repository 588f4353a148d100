//! Matrix programs of the grid in `compiler/hir/tests/matrices`, certified in every form. The normal run takes a few;
//! `SEQC_MATRICES=40` takes one in 40.

#[path = "../../hir/tests/matrices/mod.rs"]
mod matrices;
mod support;

use seqc_driver::parallel;
use support::{certificate, small};

/// One program in so many, a prime so that all kinds occur.
const EVERY: usize = 997;

#[test]
fn matrix_programs_are_certified() {
    let every = std::env::var("SEQC_MATRICES").ok();
    let every = every.map_or(EVERY, |n| n.parse().expect("a number"));
    let all = matrices::all();
    let some: Vec<_> = all.iter().step_by(every).filter(|p| !p.refused()).collect();
    let red = parallel::each(&some, |p| {
        let c = certificate(&p.text(), "m", &small());
        (!c.green())
            .then(|| eprintln!("---- {}{c}", p.text()))
            .is_some()
    });
    let red = red.iter().filter(|r| **r).count();
    assert_eq!(red, 0, "of {} programs, {red} are red", some.len());
}
