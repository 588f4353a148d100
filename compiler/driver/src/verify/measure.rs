//! How far a result is from its reference, and how far it may be.
//!
//! The error is the relative root mean square. A reference that vanishes beside the largest of its run (a gradient
//! that is 0 in exact arithmetic and rounding noise in f64) has no relative error: what is held to the bound then is
//! the difference beside that largest one. One that nearly vanishes is correct to few digits in f64 itself: it counts
//! as no smaller than a millionth of the largest.

use crate::engine::{Engine, Named, Sizes};
use crate::{Result, other, parts};
use seqc_algebra::interp::{Rounding, run_rounded};
use seqc_algebra::{Data, Func, Tensor};
use std::cell::OnceCell;
use std::collections::HashMap;

/// Below this share of the largest reference, a reference is rounding noise.
const NOISE: f64 = 1e-10;
/// What a reference counts as at least, as a share of the largest: f64's 1e-16 over the interpreter's bound, and a
/// digit for the sums in between.
const LEAST: f64 = 1e-6;

/// The bound of the interpreter's forms: f64 against f64.
const DOUBLE: f64 = 1e-9;

/// The largest relative error of a result at length `t` that counts as right.
pub fn bound(engine: Engine, t: usize, name: &str) -> f64 {
    match engine {
        Engine::Interp => DOUBLE,
        Engine::Compiled(_) => (2e-6 * (t as f64).sqrt()).min(1e-4),
        Engine::Narrow(_) if name.starts_with("grad.") => 1e-2,
        Engine::Narrow(_) => 5e-3,
    }
}

/// Choices of roundings for which the definition's movement is measured; the largest counts.
const DRAWS: u64 = 8;
/// Times the movement that a form is allowed: a form has up to a few times as many operations on its longest way as
/// the definition (it recomputes, and multiplies decays in pieces), whose roundings add like a random walk.
const TIMES: f64 = 4.0;

/// By result: how far it moves, by roundings of f64 and of f32. Measured when a result is first beyond the plain bound,
/// as few are.
#[derive(Default)]
pub struct Movement([OnceCell<HashMap<String, f64>>; 2]);

impl Movement {
    /// The bound of a result at length `t` that is off by `error`.
    pub fn allowed(
        &self,
        (engine, t): (Engine, usize),
        (name, error): (&str, f64),
        measured: impl FnOnce(f64) -> Result<HashMap<String, f64>>,
    ) -> Result<f64> {
        let plain = bound(engine, t, name);
        let (cell, unit) = match engine {
            Engine::Interp => (&self.0[0], Rounding::F64),
            // Memory of bf16 is rounded once, before and after everything; between, numbers are f32.
            Engine::Compiled(_) | Engine::Narrow(_) => (&self.0[1], Rounding::F32),
        };
        if error <= plain {
            return Ok(plain);
        }
        let all = match cell.get() {
            Some(known) => known,
            None => {
                let fresh = measured(unit)?;
                cell.get_or_init(|| fresh)
            }
        };
        let moved = all.get(name).copied().unwrap_or(0.0);
        Ok(plain.max(TIMES * moved))
    }
}

/// By result: how far it moves, at most, when each operation of `func` is rounded once, by `unit`.
pub fn moved(
    func: &Func,
    given: &Named,
    sizes: &Sizes,
    want: &Named,
    largest: impl Fn(&str) -> f64,
    unit: f64,
) -> Result<HashMap<String, f64>> {
    let mut all: HashMap<String, f64> = HashMap::new();
    for draw in 0..DRAWS {
        let rounded = run_rounded(func, given, sizes, Rounding { unit, draw });
        for (name, t) in rounded.map_err(|e| other(&func.name, e))? {
            let Some(want) = want.get(&name) else {
                continue;
            };
            let most = all.entry(name.clone()).or_default();
            *most = most.max(error(&t, want, largest(&name))?);
        }
    }
    Ok(all)
}

fn numbers(t: &Tensor) -> Vec<f64> {
    match &t.data {
        Data::Real(d) => d.clone(),
        Data::Complex(d) => d.iter().flat_map(|z| [z.re, z.im]).collect(),
        // Elements of a field have no size.
        Data::Exact(d) => vec![f64::NAN; d.len()],
    }
}

fn mean_square(x: impl Iterator<Item = f64>, n: usize) -> f64 {
    x.map(|x| x * x).sum::<f64>() / n.max(1) as f64
}

/// Root mean square, of what is no infinity: a state may start from one.
pub fn size(t: &Tensor) -> f64 {
    let mut x = numbers(t);
    x.retain(|x| !x.is_infinite());
    mean_square(x.iter().copied(), x.len()).sqrt()
}

pub fn finite(t: &Tensor) -> bool {
    numbers(t).iter().all(|x| x.is_finite())
}

/// Is an entry not a number?
pub fn undefined(t: &Tensor) -> bool {
    numbers(t).iter().any(|x| x.is_nan())
}

/// Root mean square of the difference; NaN if a number is missing or is none.
pub fn difference(got: &Tensor, want: &Tensor) -> Result<f64> {
    let got = parts::whole(got, &want.axes).map_err(|e| other("a result", e))?;
    let (x, y) = (numbers(&got), numbers(want));
    if x.len() != y.len() {
        return Err(other(
            "a result",
            format!("it has shape {:?}, not {:?}", got.shape, want.shape),
        ));
    }
    // An infinity is as far from itself as any number.
    let apart = |(x, y): (&f64, &f64)| if x == y { 0.0 } else { x - y };
    let differences = x.iter().zip(&y).map(apart);
    Ok(mean_square(differences, x.len()).sqrt())
}

/// What a reference counts as, beside the largest one of the same kind in the same run.
pub fn counts_as(want: &Tensor, largest: f64) -> f64 {
    let own = size(want);
    if own < NOISE * largest {
        largest
    } else {
        own.max(LEAST * largest)
    }
}

/// The size of the largest of some references. Where all of them are exactly 0, what is left of cancelling is measured
/// beside what they are made of.
pub fn largest<'a>(of: impl Iterator<Item = &'a Tensor>, given: &'a Named) -> f64 {
    let most = |all: &mut dyn Iterator<Item = &'a Tensor>| all.map(size).fold(0.0, f64::max);
    let mut of = of;
    match most(&mut of) {
        0.0 => most(&mut given.values()),
        most => most,
    }
}

/// The sizes that outputs and gradients are measured beside, of the largest ones. Gradients that vanish beside the outputs are
/// noise, all of them: of what does not depend on its inputs.
pub fn beside(output: f64, gradient: f64) -> [f64; 2] {
    match gradient < NOISE * output {
        true => [output, output],
        false => [output, gradient],
    }
}

/// The relative error of `got`; NaN if a number is missing or is none. `largest` is the largest size of a reference
/// of the same kind in the same run.
pub fn error(got: &Tensor, want: &Tensor, largest: f64) -> Result<f64> {
    Ok(relative(difference(got, want)?, counts_as(want, largest)))
}

/// A difference beside a size; none is none beside nothing too.
pub fn relative(difference: f64, size: f64) -> f64 {
    match (difference, size) {
        (0.0, _) => 0.0,
        (d, 0.0) if !d.is_nan() => f64::INFINITY,
        (d, b) => d / b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seqc_algebra::Axis;

    fn t(x: &[f64]) -> Tensor {
        let a = Axis::new("a", x.len());
        Tensor::real(vec![a], vec![x.len()], x.to_vec()).unwrap()
    }

    #[test]
    fn relative_errors() {
        let e = |x: &[f64], y: &[f64], l| error(&t(x), &t(y), l).unwrap();
        assert!((e(&[3.0, 4.4], &[3.0, 4.0], 4.0) - 0.08).abs() < 1e-12);
        assert_eq!(e(&[0.0], &[0.0], 0.0), 0.0);
        assert_eq!(e(&[1.0], &[0.0], 0.0), f64::INFINITY);
        assert!(e(&[f64::NAN], &[1.0], 1.0).is_nan());
        let least = f64::NEG_INFINITY;
        assert_eq!(e(&[least, 1.0], &[least, 1.0], 1.0), 0.0);
        assert!((e(&[least, 1.5], &[least, 1.0], 1.0) - 0.125f64.sqrt()).abs() < 1e-12);
        assert_eq!(e(&[0.0, 1.0], &[least, 1.0], 1.0), f64::INFINITY);
        // Noise beside 2.0, not beside itself.
        assert!((e(&[2e-7], &[1e-17], 2.0) - 1e-7).abs() < 1e-12);
    }

    #[test]
    fn bounds_grow_and_stop() {
        let f = Engine::Compiled(crate::backend::Backend::Clif);
        assert_eq!(bound(f, 1, "y"), 2e-6);
        assert!((bound(f, 100, "y") / 2e-5 - 1.0).abs() < 1e-12);
        assert_eq!(bound(f, 10_000, "y"), 1e-4);
    }
}
