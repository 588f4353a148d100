//! Gradients through states, exactly: those of the parts are together those of the whole.

use super::super::carried::{self, Cut, drawn_for, none, with_wanted};
use super::super::cuts::Parts;
use super::{Case, SHAPES, ran, unequal, without, worst};
use crate::passes::{self, Begin, Form, STATE_COTANGENT};
use crate::verify::certificate::Row;
use crate::verify::subject::{Part, Subject};
use crate::{Result, other};
use seqc_algebra::Func;
use seqc_derive::step::cache;

/// A row of each form, or a note.
pub fn rows(
    subject: &Subject,
    reference: &Func,
    cases: &[Case],
    notes: &mut Vec<String>,
) -> Vec<Row> {
    let mut rows = vec![];
    for form in carried::FORMS {
        let mut row = Row::new(form.name(), "exact", Part::StateGradient);
        match compared(subject, form, (reference, cases), &mut row) {
            Ok(true) => rows.push(row),
            Ok(false) => {}
            Err(why) => rows.extend(without(row, why, notes)),
        }
    }
    rows
}

/// The prompt is the first step, or the first half; the rest follows in parts. `false` if no state has a gradient.
fn compared(
    subject: &Subject,
    form: Form,
    (reference, cases): (&Func, &[Case]),
    row: &mut Row,
) -> Result<bool> {
    let f = subject.steppable()?;
    let of = |begin| {
        let exact =
            |wanted: passes::Wanted| passes::exact_carried_gradient(&f, form, &SHAPES, wanted);
        with_wanted(subject, &f, begin, exact).map_err(|e| other(&subject.name, e))
    };
    let programs = [of(Begin::Start)?, of(Begin::States)?];
    for case in cases.iter().filter(|c| c.length > 1) {
        // A loss looks at everything, and is no part of what has states.
        let mut given = case.given.clone();
        let loss: Vec<_> = (given.iter())
            .filter(|(n, _)| {
                n.strip_prefix("cotangent.")
                    .is_some_and(|n| f.result(n).is_none())
            })
            .map(|(n, t)| (n.clone(), t.clone()))
            .collect();
        given.extend(none(&loss.into_iter().collect())?);
        let want = ran(reference, &given, &case.sizes)?;
        for prompt in [1, case.length.div_ceil(2)] {
            let mut sizes = case.sizes.clone();
            sizes.insert(cache(), case.length + 1);
            let after = drawn_for(&programs[0], &sizes, |n, _| n.starts_with(STATE_COTANGENT))?;
            if after.is_empty() {
                return Ok(false);
            }
            let cut = Cut {
                parts: Parts::drawn(prompt, case.length - prompt, &subject.name),
                after: none(&after)?,
                given: given.clone(),
                sizes,
            };
            let got = cut.run(&programs, ran)?;
            for (name, want) in want.iter().filter(|(n, _)| got.contains_key(*n)) {
                row.add(worst(name, unequal(want, &got[name])?, case.length));
            }
        }
    }
    Ok(row.compared > 0)
}
