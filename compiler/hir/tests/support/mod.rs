//! Mixers of sequences of numbers, elaborated and run by the interpreter.
#![allow(dead_code)]

use seqc_algebra::{Sym, Tensor, run};
use seqc_hir::{Elaborated, NoImports, elaborate, load};
use seqc_syntax::{Diagnostic, SourceMap};
use std::collections::HashMap;

/// The mixer `m` of a text.
pub fn elaborated(text: &str) -> Result<Elaborated, Vec<Diagnostic>> {
    let mut map = SourceMap::new();
    let file = map.add("m.seq", text.to_owned());
    elaborate(&load(&mut map, file, &NoImports)?, "m", &[])
}

/// The output `y`, on sequences of one number a step.
pub fn outputs(e: &Elaborated, given: &[(&str, &[f64])]) -> Vec<f64> {
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

pub fn far(got: &[f64], want: &[f64]) -> bool {
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * (1.0 + b.abs());
    got.len() != want.len() || !got.iter().zip(want).all(close)
}
