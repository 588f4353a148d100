//! Random mixers are certified like written ones.
//!
//! The normal run takes `PROGRAMS` of them; `SEQC_RANDOM=1000` takes more, `SEQC_RANDOM_SEED=7` begins elsewhere,
//! `SEQC_RANDOM_SHOW=1` prints every text.
//! Every program is checked and each of its forms is held to the definition on the interpreter, every few programs on
//! Cranelift too. All failures are counted and shown, made smaller where that is possible, before the test fails.

mod mixers;

use mixers::Mixer;
use seqc_derive::stream::Tiles;
use seqc_driver::backend::Backend;
use seqc_driver::engine::Engine;
use seqc_driver::passes::Shapes;
use seqc_driver::verify::{Certificate, Extent, Options, item};
use seqc_driver::{frontend, parallel};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Programs of the normal run.
const PROGRAMS: u64 = 100;
/// One program in so many is compiled too.
const COMPILED: u64 = 4;
/// Of a hundred programs, how many may use what is documented as not built.
const REFUSED: u64 = 5;
/// Programs tried to make one failure smaller.
const SHRINKS: usize = 150;

fn number(variable: &str, otherwise: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(otherwise, |n| n.parse().expect("a number"))
}

/// What became of a program.
enum Outcome {
    Certified,
    /// It uses a construct that is not built.
    Refused,
    Failed(String),
}

/// Chunks and tiles of a few steps, none of one size.
fn options(seed: u64) -> Options {
    let engines = match seed % COMPILED {
        0 => vec![Engine::Interp, Engine::Compiled(Backend::Clif)],
        _ => vec![Engine::Interp],
    };
    let of = |n: u64| 2 + (seed / n % 4) as usize;
    Options {
        engines,
        shapes: Shapes {
            chunk: of(4),
            checkpoint: of(5),
            tiles: Tiles {
                kept: of(7),
                streamed: of(3),
            },
        },
        extent: Extent::Brief,
        threads: 1,
        progress: None,
    }
}

fn outcome(text: &str, options: &Options) -> Outcome {
    let certified = || {
        let source = frontend::of_text("random.seq", text)?;
        item(&source, "random", &[], options)
    };
    match catch_unwind(AssertUnwindSafe(certified)) {
        Ok(Ok(c)) => judged(&c),
        Ok(Err(why)) => Outcome::Failed(why.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            Outcome::Failed(format!("a panic: {}", text.unwrap_or_default()))
        }
    }
}

fn judged(c: &Certificate) -> Outcome {
    match c.verdict() {
        "certified" => Outcome::Certified,
        "not built" => Outcome::Refused,
        _ => Outcome::Failed(c.to_string()),
    }
}

/// The smallest mixer found that fails still, and how.
fn shrunk(mixer: &Mixer, options: &Options, why: String) -> (Mixer, String) {
    let (mut best, mut best_why) = (mixer.clone(), why);
    let mut left = SHRINKS;
    loop {
        let mut smaller = best.smaller().into_iter().take(left);
        let found = smaller.find_map(|m| {
            left -= 1;
            // What no longer checks says nothing.
            frontend::of_text("random.seq", &m.text())
                .ok()?
                .elaborate("random", &[])
                .ok()?;
            match outcome(&m.text(), options) {
                Outcome::Failed(why) => Some((m, why)),
                _ => None,
            }
        });
        match found {
            Some((m, why)) => (best, best_why) = (m, why),
            None => return (best, best_why),
        }
    }
}

/// Certifies one program; gives the account of its failure.
fn report(seed: u64) -> Result<Outcome, String> {
    let (mixer, options) = (mixers::mixer(seed), options(seed));
    if number("SEQC_RANDOM_SHOW", 0) > 0 {
        eprintln!("// seed {seed}\n{}", mixer.text());
    }
    match outcome(&mixer.text(), &options) {
        Outcome::Failed(why) => {
            let (small, why) = shrunk(&mixer, &options, why);
            let s = &options.shapes;
            Err(format!(
                "seed {seed}, {s:?}:\n{}\nsmaller:\n{}\n{why}",
                mixer.text(),
                small.text()
            ))
        }
        fine => Ok(fine),
    }
}

#[test]
fn random_mixers_are_certified() {
    let (count, first) = (
        number("SEQC_RANDOM", PROGRAMS),
        number("SEQC_RANDOM_SEED", 0),
    );
    let seeds: Vec<u64> = (first..first + count).collect();
    let outcomes = parallel::each(&seeds, |seed| {
        report(*seed).map_err(|account| eprintln!("---- {account}"))
    });
    let failed = outcomes.iter().filter(|o| o.is_err()).count();
    let refused = |o: &&Result<Outcome, ()>| matches!(o, Ok(Outcome::Refused));
    let refused = outcomes.iter().filter(refused).count() as u64;
    eprintln!("{count} programs: {failed} failed, {refused} not built");
    assert_eq!(failed, 0, "of {count} programs, {failed} failed");
    assert!(
        refused * 100 <= REFUSED * count.max(20),
        "of {count} programs, {refused} use what is not built"
    );
}
