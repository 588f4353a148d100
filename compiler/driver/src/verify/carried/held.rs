//! Results that are known, how far others may be from them, and the numbers that programs are run on.

use super::super::certificate::{Row, Worst};
use super::super::draw;
use super::super::measure::{self, Movement};
use super::BATCH;
use crate::engine::{Engine, Named, Sizes};
use crate::{Result, other};
use seqc_algebra::{C64, Data, Elem, Func, InputKind, Tensor, Ty, run};
use std::rc::Rc;

/// Results that are known, and how far each moves when it is rounded.
pub(super) struct Reference {
    pub want: Named,
    /// Sizes of the largest output or state and of the largest gradient.
    largest: [f64; 2],
    rounded: Rc<Func>,
    given: Named,
    sizes: Sizes,
    moved: Movement,
    length: usize,
    pub inputs: String,
}

pub(super) fn of_kind(name: &str) -> usize {
    usize::from(name.starts_with("grad."))
}

impl Reference {
    pub fn new(
        want: Named,
        rounded: &Rc<Func>,
        (given, sizes): (Named, Sizes),
        (length, inputs): (usize, String),
    ) -> Reference {
        let mut largest = [0.0f64; 2];
        for (name, t) in &want {
            let l = &mut largest[of_kind(name)];
            *l = l.max(measure::size(t));
        }
        Reference {
            want,
            largest,
            rounded: rounded.clone(),
            given,
            sizes,
            moved: Movement::default(),
            length,
            inputs,
        }
    }

    /// Compares all results that have a finite reference.
    pub fn compare(&self, engine: Engine, got: &Named, row: &mut Row) -> Result<()> {
        let largest = |n: &str| self.largest[of_kind(n)];
        for (name, want) in self.want.iter().filter(|(_, t)| measure::finite(t)) {
            let got = got.get(name);
            let got = got.ok_or_else(|| other(name, "there is no such result"))?;
            let error = measure::error(got, want, largest(name))?;
            let measured = |unit| {
                measure::moved(
                    &self.rounded,
                    &self.given,
                    &self.sizes,
                    &self.want,
                    largest,
                    unit,
                )
            };
            row.add(Worst {
                error,
                bound: (self.moved).allowed((engine, self.length), (name, error), measured)?,
                tensor: name.clone(),
                length: self.length,
                batch: BATCH,
                inputs: self.inputs.clone(),
            });
        }
        Ok(())
    }
}

pub(super) fn ran(f: &Func, given: &Named, sizes: &Sizes) -> Result<Named> {
    let made = run(f, given, sizes).map_err(|e| other(&f.name, e))?;
    Ok(made.into_iter().collect())
}

/// Numbers of unit size, in both parts of complex ones.
pub(super) fn drawn(name: &str, ty: &Ty, sizes: &Sizes) -> Result<Tensor> {
    let re = draw::unit(name, &ty.axes, sizes)?;
    if ty.elem != Elem::Complex {
        return Ok(re);
    }
    let im = draw::unit(&format!("{name}.im"), &ty.axes, sizes)?;
    let (Some(x), Some(y)) = (re.as_real(), im.as_real()) else {
        return Err(other(name, "it is not real"));
    };
    let data = x.iter().zip(y).map(|(x, y)| C64::new(*x, *y)).collect();
    Tensor::new(re.axes.clone(), re.shape.clone(), Data::Complex(data)).map_err(|e| other(name, e))
}

/// Drawn tensors for the program's inputs of these names.
pub fn drawn_for(
    f: &Func,
    sizes: &Sizes,
    which: impl Fn(&str, &InputKind) -> bool,
) -> Result<Named> {
    let mut all = Named::new();
    for p in &f.params {
        let Some(input) = f.input(*p) else { continue };
        let name = input.name.as_str();
        if which(name, &input.kind) {
            all.insert(name.to_owned(), drawn(name, f.ty(*p), sizes)?);
        }
    }
    Ok(all)
}
