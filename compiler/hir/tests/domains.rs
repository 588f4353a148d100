//! What is outside of a domain: values and causality of matrix programs, against loops.
//!
//! The normal run takes one program in `EVERY`; `SEQC_MATRICES=all` takes the grid in full.

mod matrices;

use matrices::{Given, Program};
use seqc_algebra::{Sym, Tensor, run};
use seqc_hir::{Elaborated, NoImports, elaborate, load};
use seqc_syntax::{Diagnostic, SourceMap};
use std::collections::HashMap;

/// One program in so many is run, a prime so that all kinds occur.
const EVERY: usize = 23;
const LENGTH: usize = 9;

fn elaborated(text: &str) -> Result<Elaborated, Vec<Diagnostic>> {
    let mut map = SourceMap::new();
    let file = map.add("m.seq", text.to_owned());
    elaborate(&load(&mut map, file, &NoImports)?, "m", &[])
}

/// The output `y`, on sequences of one number a step.
fn outputs(e: &Elaborated, given: &[(&str, &[f64])]) -> Vec<f64> {
    let len = given[0].1.len();
    let sizes = HashMap::from([(Sym::new("batch"), 1), (Sym::new("t"), len)]);
    let inputs = e.func.params.iter().filter_map(|p| {
        let name = e.func.input(*p)?.name.as_str();
        let (_, data) = given.iter().find(|(n, _)| *n == name)?;
        let axes = e.func.ty(*p).axes.clone();
        let shape = axes
            .iter()
            .map(|a| a.size.length().map_or(1, |l| sizes[&l]));
        let shape: Vec<usize> = shape.collect();
        let tensor = Tensor::real(axes, shape, data.to_vec()).expect("it fits");
        Some((name.to_owned(), tensor))
    });
    let out = run(&e.func, &inputs.collect(), &sizes).expect("it runs");
    let (_, y) = out.iter().find(|(n, _)| n == "y").expect("an output");
    y.as_real().expect("real").to_vec()
}

fn far(got: &[f64], want: &[f64]) -> bool {
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * (1.0 + b.abs());
    got.len() != want.len() || !got.iter().zip(want).all(close)
}

/// What is wrong with a program, if anything.
fn wrong(p: &Program) -> Option<String> {
    let e = match (elaborated(&p.text()), p.refused()) {
        (Err(d), true) if d.iter().any(|d| d.code == "E30") => return None,
        (Ok(_), true) => return Some("is not refused".into()),
        (Err(d), _) => return Some(format!("{} {}", d[0].code, d[0].message)),
        (Ok(e), false) => e,
    };
    for len in [1, 2, 5, LENGTH] {
        let g = Given::of_length(len, 0);
        let got = outputs(&e, &[("q", &g.q), ("k", &g.k), ("x", &g.x)]);
        let want = p.values(&g);
        if far(&got, &want) {
            return Some(format!("gives {got:?}\nfor {want:?}"));
        }
    }
    let called = e.causality[0].own().to_string() == "causal";
    let is = p.is_causal(LENGTH);
    let fits = called == is || !called && !p.shows_all();
    (!fits).then(|| format!("is called {}", e.causality[0].own()))
}

#[test]
fn what_does_not_exist_is_left_out() {
    let all = matrices::all();
    let every = match std::env::var("SEQC_MATRICES").as_deref() {
        Ok("all") => 1,
        _ => EVERY,
    };
    let some: Vec<&Program> = all.iter().step_by(every).collect();
    let mut failed = 0;
    for p in &some {
        if let Some(why) = wrong(p) {
            failed += 1;
            eprintln!("---- {}{why}", p.text());
        }
    }
    assert_eq!(failed, 0, "of {} programs, {failed} are wrong", some.len());
}
