//! Angles that positions enter, at a million steps: within 3e-6 of f64, by both back ends.

use seqc_algebra::{Axis, Sym, Tensor};
use seqc_driver::backend::Backend;
use seqc_driver::engine::{Engine, Named, Programs};
use seqc_driver::frontend::open;
use seqc_driver::passes::{Form, Shapes, forward};
use std::collections::HashMap;
use std::path::Path;

const BOUND: f64 = 3e-6;
const LONG: usize = 1_000_000;

fn engines() -> Vec<Engine> {
    let mut all = vec![Engine::Compiled(Backend::Clif)];
    if Backend::best() != Backend::Clif {
        all.push(Engine::Compiled(Backend::best()));
    }
    all
}

/// Numbers of f32 between -1 and 1.
fn drawn(n: usize) -> Vec<f64> {
    (0..n)
        .map(|k| f64::from(((k * 7919 + 13) as f32 * 0.618).sin()))
        .collect()
}

/// Runs a mixer of `tests/faults/angles.seq`; `x` is `[1, t, width]`.
fn run(
    item: &str,
    set: &[(&str, &str)],
    t: usize,
    params: &[(&str, Vec<f64>)],
    engine: Engine,
) -> (Vec<f64>, Vec<f64>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/faults/angles.seq");
    let source = open(&file).unwrap_or_else(|e| panic!("{e}"));
    let set: Vec<_> = set
        .iter()
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
    let e = source
        .elaborate(item, &set)
        .unwrap_or_else(|e| panic!("{e}"));
    let f = forward(&e.func, Form::Chunked, &Shapes::cpu(), &mut vec![]).expect("derives");
    let mut given = Named::new();
    let mut x = vec![];
    for p in &f.params {
        let (name, ty) = (f.input(*p).unwrap().name.as_str(), f.ty(*p));
        let shape: Vec<usize> = (ty.axes.iter())
            .map(|a: &Axis| {
                a.size
                    .constant()
                    .unwrap_or(if a.name.as_str() == "t" { t } else { 1 })
            })
            .collect();
        let own = params.iter().find(|(n, _)| *n == name);
        let data = own.map_or_else(|| drawn(shape.iter().product()), |(_, d)| d.clone());
        if name == "x" {
            x = data.clone();
        }
        given.insert(
            name.to_owned(),
            Tensor::real(ty.axes.clone(), shape, data).unwrap(),
        );
    }
    let sizes = HashMap::from([(Sym::new("batch"), 1), (Sym::new("t"), t)]);
    let programs = Programs::new(engine, vec![("p".into(), f.clone())], 2).expect("compiles");
    let made = programs.run("p", &given, &sizes).expect("runs");
    let mut axes = made[0].1.axes.clone();
    axes.sort_by_key(|a| match a.name.as_str() {
        "batch" => 0,
        "t" => 1,
        _ => 2,
    });
    let y = made[0]
        .1
        .ordered(&axes)
        .unwrap()
        .as_real()
        .unwrap()
        .to_vec();
    (x, y)
}

fn held(what: &str, got: &[f64], want: impl Fn(usize) -> f64) {
    let (mut square, mut size, mut most) = (0.0, 0.0, 0.0f64);
    for (k, y) in got.iter().enumerate() {
        let w = want(k);
        square += (y - w) * (y - w);
        size += w * w;
        most = most.max((y - w).abs());
    }
    let e = (square / size).sqrt();
    assert!(
        e < BOUND && most < 2.0 * BOUND,
        "{what}: off by {e:.1e}, at most {most:.1e}"
    );
}

#[test]
fn phases_are_right_after_a_million_steps() {
    for engine in engines() {
        let (x, y) = run("constant", &[], LONG, &[], engine);
        held("constant", &y, |t| x[t] * (0.7310585786 * t as f64).cos());
        let (x, y) = run("setting", &[("w", "0.3")], LONG, &[], engine);
        held("setting", &y, |t| x[t] * (0.3 * t as f64).sin());
        let w: Vec<f64> = [0.1f32, 0.7, 1.9, 2.9].map(f64::from).to_vec();
        let (x, y) = run("parameter", &[], LONG, &[("w", w.clone())], engine);
        held("parameter", &y, |k| {
            x[k] * (w[k % 4] * (k / 4) as f64 + 1.0).cos()
        });
    }
}

#[test]
fn frequencies_that_constants_make_have_all_their_digits() {
    let at = |k: usize| (k / 8) as f64 * 1e4f64.powf(-((k % 8) as f64) / 8.0);
    for engine in engines() {
        let (x, y) = run("table", &[], LONG, &[], engine);
        held("table", &y, |k| x[k] * (at(k).cos() + at(k).sin()));
        let (x, y) = run("turned", &[], LONG, &[], engine);
        held("turned", &y, |k| x[k] * (at(k).cos() - at(k).sin()));
    }
}

/// Of a computed frequency, the phase of its f32 value: neighbours of it in f32 are allowed for.
#[test]
fn a_computed_frequency_is_taken_as_it_is() {
    for engine in engines() {
        let t = 1000;
        let (x, y) = run("computed", &[], t, &[], engine);
        for m in 0..8 {
            let w = (1.0 / (1.0 + (-x[m]).exp())) as f32;
            let near = |n: i32| {
                let w = f64::from(f32::from_bits(w.to_bits().wrapping_add_signed(n)));
                (0..t).all(|s| ((s as f64 * w).cos() - y[s * 8 + m]).abs() < 2.0 * BOUND)
            };
            assert!((-8..=8).any(near), "frequency {m}");
        }
    }
}

/// The definition as loops in f64: the sum of cos(2 pi (i j mod T) / T) x_j.
#[test]
fn the_transform_is_right_at_every_length() {
    for engine in engines() {
        for t in [130usize, 1000, 2048] {
            let (x, y) = run("dft", &[("d", "4")], t, &[], engine);
            let cos: Vec<f64> = (0..t)
                .map(|n| (std::f64::consts::TAU * n as f64 / t as f64).cos())
                .collect();
            let want = |i: usize| -> f64 { (0..t).map(|j| cos[i * j % t] * x[4 * j]).sum() };
            let want: Vec<f64> = (0..t).map(want).collect();
            let (mut square, mut size) = (0.0, 0.0);
            for (y, w) in y.iter().step_by(4).zip(&want) {
                square += (y - w) * (y - w);
                size += w * w;
            }
            let e = f64::sqrt(square / size);
            assert!(e < BOUND, "T = {t}: off by {e:.1e}");
        }
    }
}
