//! The reference of all forms: the definition run by the f64 interpreter, case by case.

use super::Options;
use super::certificate::Worst;
use super::draw::Draw;
use super::lengths;
use super::measure::{self, Movement};
use super::subject::Subject;
use crate::engine::{Engine, Named, Sizes};
use crate::{Result, other};
use seqc_algebra::interp::Rounding;
use seqc_algebra::{Axis, Func, Tensor, run};
use std::rc::Rc;

/// One input of all forms, and what the definition makes of it.
pub struct Case {
    pub sizes: Sizes,
    pub length: usize,
    pub batch: usize,
    pub draw: Draw,
    pub given: Named,
    pub want: Named,
    /// Sizes of the largest output and the largest gradient.
    largest: [f64; 2],
    /// The definition as all forms compute it.
    weighed: Rc<Func>,
    /// How far the reference moves if each of its operations is rounded once to f32.
    moved: Movement,
}

impl Case {
    fn largest(&self, name: &str) -> f64 {
        self.largest[usize::from(name.starts_with("grad."))]
    }

    /// The size that a reference counts as.
    pub fn counts_as(&self, name: &str, want: &Tensor) -> f64 {
        measure::counts_as(want, self.largest(name))
    }

    /// The bound of a result that is off by `error`. Where cancellation makes a result ill conditioned, what rounding
    /// does to the definition is more than the plain bound. Then a multiple of that is allowed
    /// ([`measure::allowed`]).
    pub fn allowed(&self, engine: Engine, name: &str, error: f64) -> Result<f64> {
        let measured = |unit| {
            let largest = |n: &str| self.largest(n);
            let (func, given) = (&self.weighed, &self.given);
            measure::moved(func, given, &self.sizes, &self.want, largest, unit)
        };
        (self.moved).allowed((engine, self.length), (name, error), measured)
    }

    /// Is it the one that a comparison was of?
    pub fn is_of(&self, w: &Worst) -> bool {
        (self.length, self.batch, self.draw.name()) == (w.length, w.batch, &w.inputs)
    }

    /// How far a result is off.
    pub fn error(&self, name: &str, got: &Tensor) -> Result<f64> {
        let want = self.want.get(name);
        let want = want.ok_or_else(|| other(name, "the definition has no such result"))?;
        measure::error(got, want, self.largest(name))
    }

    /// How far rounding each of its operations to f32 moves the definition.
    pub fn moves(&self, name: &str) -> Result<f64> {
        let largest = |n: &str| self.largest(n);
        let (func, given) = (&self.weighed, &self.given);
        let unit = Rounding::F32;
        let all = measure::moved(func, given, &self.sizes, &self.want, largest, unit)?;
        Ok(all.get(name).copied().unwrap_or(0.0))
    }

    /// The definition with its gradient, as all forms compute it.
    pub fn definition(&self) -> &Func {
        &self.weighed
    }

    /// Compares one result with the reference.
    pub fn compare(&self, name: &str, got: &Tensor, engine: Engine) -> Result<Worst> {
        let error = self.error(name, got)?;
        Ok(Worst {
            error,
            bound: self.allowed(engine, name, error)?,
            tensor: name.to_owned(),
            length: self.length,
            batch: self.batch,
            inputs: self.draw.name().to_owned(),
        })
    }
}

/// The cases that the definition has finite values for; why others were left out goes to `notes`.
pub fn cases(subject: &Subject, options: &Options, notes: &mut Vec<String>) -> Result<Vec<Case>> {
    let mut plan: Vec<(usize, Draw)> = lengths::lengths(&options.shapes, options.extent)
        .into_iter()
        .map(|t| (t, Draw::Plain))
        .collect();
    for draw in Draw::STRESS {
        let few = lengths::few(&options.shapes, options.extent);
        plan.extend(few.into_iter().map(|t| (t, draw)));
    }
    drawn(subject, plan, notes)
}

/// The cases for bf16 memory: what it holds without loss, so that the reference starts from the same numbers.
pub fn narrow(subject: &Subject, options: &Options) -> Result<Vec<Case>> {
    let lengths = lengths::narrow(&options.shapes, options.extent).into_iter();
    let plan = lengths.map(|t| (t, Draw::Narrow)).collect();
    // The same lengths are left out as above.
    drawn(subject, plan, &mut vec![])
}

fn drawn(
    subject: &Subject,
    plan: Vec<(usize, Draw)>,
    notes: &mut Vec<String>,
) -> Result<Vec<Case>> {
    let reference = subject.gradient()?;
    let weighed = Rc::new(subject.weighed()?);
    let (mut all, mut beyond, mut undefined) = (vec![], vec![], vec![]);
    for (t, draw) in plan {
        let sizes = subject.sizes(t, lengths::batch(t));
        if !subject.allows(&sizes) {
            beyond.push(t);
            continue;
        }
        match case(subject, (&reference, &weighed), t, sizes, draw)? {
            Some(c) => all.push(c),
            None => undefined.push(format!("T={t} ({})", draw.name())),
        }
    }
    if !beyond.is_empty() {
        beyond.dedup();
        notes.push(format!(
            "lengths beyond what the mixer has meaning for: {beyond:?}"
        ));
    }
    if !undefined.is_empty() {
        notes.push(format!(
            "left out, since the definition itself gives no finite numbers: {}",
            undefined.join(", ")
        ));
    }
    Ok(all)
}

/// One case; `None` if the definition has no finite values there. A gradient that is no number where all outputs are finite is
/// an error: nothing could be held to it.
pub fn case(
    subject: &Subject,
    (reference, weighed): (&Func, &Rc<Func>),
    length: usize,
    sizes: Sizes,
    draw: Draw,
) -> Result<Option<Case>> {
    let given = subject.given(&sizes, draw)?;
    let want = run(reference, &given, &sizes).map_err(|e| other(&subject.name, e))?;
    let want: Named = want.into_iter().collect();
    if !want.values().all(measure::finite) {
        return match undefined(&want) {
            Some(name) => Err(other(
                &subject.name,
                format!(
                    "the definition's outputs are finite, its {name} is not a number (T={length}, {})",
                    draw.name()
                ),
            )),
            None => Ok(None),
        };
    }
    let largest = |grad: bool| {
        let same = want.iter().filter(|(n, _)| n.starts_with("grad.") == grad);
        measure::largest(same.map(|(_, t)| t), &given)
    };
    Ok(Some(Case {
        batch: sizes[&Axis::batch().name],
        length,
        draw,
        largest: measure::beside(largest(false), largest(true)),
        weighed: weighed.clone(),
        moved: Movement::default(),
        given,
        want,
        sizes,
    }))
}

/// A gradient that is no number though all outputs are finite.
fn undefined(want: &Named) -> Option<&str> {
    let grad = |n: &str| n.starts_with("grad.");
    let mut outputs = want.iter().filter(|(n, _)| !grad(n));
    if !outputs.all(|(_, t)| measure::finite(t)) {
        return None;
    }
    let mut names: Vec<&str> = (want.iter())
        .filter(|(n, t)| grad(n) && measure::undefined(t))
        .map(|(n, _)| n.as_str())
        .collect();
    names.sort_unstable();
    names.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gradient_that_is_no_number_beside_finite_outputs_is_named() {
        let of = |all: &[(&str, f64)]| -> Named {
            let one = |(n, x): &(&str, f64)| ((*n).to_owned(), Tensor::scalar(*x));
            all.iter().map(one).collect()
        };
        let bad = of(&[("y", 1.0), ("grad.b", f64::NAN), ("grad.a", f64::NAN)]);
        assert_eq!(undefined(&bad), Some("grad.a"));
        let beyond = of(&[("y", f64::INFINITY), ("grad.a", f64::NAN)]);
        assert_eq!(undefined(&beyond), None);
        let steep = of(&[("y", 0.0), ("grad.a", f64::INFINITY)]);
        assert_eq!(undefined(&steep), None);
    }
}
