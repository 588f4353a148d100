//! Packed sequences: documents of different lengths in one row, against the definition run on each by itself.

use super::Options;
use super::cases::{Case, case};
use super::certificate::{Row, Worst};
use super::draw::Draw;
use super::lengths;
use super::measure;
use super::subject::{Derived, Part, Subject};
use crate::engine::{Engine, Named, Programs, Sizes};
use crate::packed::Documents;
use crate::{Result, other};
use seqc_algebra::Tensor;
use std::rc::Rc;

/// Documents, each with its reference, and the row that they make.
pub struct Packed {
    documents: Documents,
    alone: Vec<Case>,
    row: Named,
    sizes: Sizes,
}

/// The documents that the mixer has meaning for; `None` if there are no two.
pub fn reference(subject: &Subject, options: &Options) -> Result<Option<Packed>> {
    let mut lengths = lengths::documents(&options.shapes, options.extent);
    lengths.retain(|t| subject.allows(&subject.sizes(*t, 1)));
    let longest = lengths.iter().copied().max().unwrap_or(1);
    let (documents, sizes) = (Documents::of_lengths(&lengths), subject.sizes(longest, 1));
    if documents.count() < 2 || !subject.allows(&sizes) {
        return Ok(None);
    }
    let (gradient, weighed) = (subject.gradient()?, Rc::new(subject.weighed()?));
    let mut alone = vec![];
    for (d, length) in lengths.iter().enumerate() {
        let own = documents.sizes(&sizes, d);
        match case(subject, (&gradient, &weighed), *length, own, Draw::Plain)? {
            Some(c) => alone.push(c),
            // A definition without finite values at some length: nothing to compare with.
            None => return Ok(None),
        }
    }
    let given: Vec<&Named> = alone.iter().map(|c| &c.given).collect();
    Ok(Some(Packed {
        row: documents.packed(&given)?,
        documents,
        alone,
        sizes,
    }))
}

impl Packed {
    /// One form with its gradient on the whole row.
    pub fn row(&self, programs: &Programs, d: &Derived, engine: Engine) -> Row {
        let mut row = Row::new(d.form, engine.name(), Part::Packed);
        if let Err(e) = self.compare(programs, d, engine, &mut row) {
            row.fail(e);
        }
        row
    }

    fn compare(
        &self,
        programs: &Programs,
        d: &Derived,
        engine: Engine,
        row: &mut Row,
    ) -> Result<()> {
        let mut program = programs.open(&d.key())?;
        for (name, got) in self.documents.run(&mut program, &self.row, &self.sizes)? {
            match Documents::shared(&got) {
                true => row.add(self.summed(&name, &got, engine)?),
                false => {
                    for (i, c) in self.alone.iter().enumerate() {
                        let part = self.documents.part(&name, &got, i)?;
                        row.add(Worst {
                            inputs: format!("one of {} documents", self.alone.len()),
                            ..c.compare(&name, &part, engine)?
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// A gradient of what all documents share is the sum of theirs; it may be off by what each of them may.
    fn summed(&self, name: &str, got: &Tensor, engine: Engine) -> Result<Worst> {
        let own = |c: &Case| {
            let own = c.want.get(name).cloned();
            own.ok_or_else(|| other(name, "the definition has no such result"))
        };
        let each = self
            .alone
            .iter()
            .map(own)
            .collect::<Result<Vec<Tensor>>>()?;
        let want = self.documents.joined(&each).map_err(|e| other(name, e))?;
        let sizes = self
            .alone
            .iter()
            .zip(&each)
            .map(|(c, t)| c.counts_as(name, t));
        let error = measure::relative(measure::difference(got, &want)?, sizes.sum());
        let bounds = self.alone.iter().map(|c| c.allowed(engine, name, error));
        let bound = bounds.collect::<Result<Vec<f64>>>()?;
        Ok(Worst {
            error,
            bound: bound.into_iter().fold(0.0, f64::max),
            tensor: name.to_owned(),
            length: self.documents.total(),
            batch: 1,
            inputs: format!("the sum of {} documents", self.alone.len()),
        })
    }
}
