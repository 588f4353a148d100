//! The exact check: every form equals the definition over a finite field, where nothing is rounded.
//!
//! A chunk's code is the same at every place, so lengths up to three chunks and one step, with a small chunk, stand
//! for all lengths: one chunk for every remainder, two for what is carried between them, three for what carries on
//! (derivation calculus §6). Gates, norms and other functions are random ones of their argument, so what is shown is
//! an identity whatever they are. What orders or normalises data (a softmax, a maximum) is not exact, and said so.

mod carried;

use super::certificate::{Row, Worst};
use super::cuts::Parts;
use super::draw::{self, Draw};
use super::subject::{Part, Subject};
use crate::engine::{Named, Sizes};
use crate::passes::{self, Form, Shapes};
use crate::{Error, Result, other, timeline};
use seqc_algebra::exact::INEXACT;
use seqc_algebra::{Axis, Data, Elem, Exact, Func, Kind, Size, Tensor, run_exact};
use seqc_derive::step::cache;
use seqc_derive::stream::Tiles;
use seqc_derive::{difference, dual, exponential, powers};
use std::collections::BTreeSet;

/// Small, so that a few steps are several chunks and tiles.
const SHAPES: Shapes = Shapes {
    chunk: 3,
    checkpoint: 3,
    tiles: Tiles {
        kept: 2,
        streamed: 3,
    },
};
const LENGTHS: std::ops::RangeInclusive<usize> = 1..=10;
/// Ticks of more steps than this are not many enough in any length that is run.
const WIDEST: usize = 40;
const BATCH: usize = 2;

/// Rows of all forms; or a note that says what is not exact. Whatever else there is no comparison for is red.
pub fn rows(subject: &Subject, notes: &mut Vec<String>) -> Vec<Row> {
    let made = kernels(subject).and_then(|subject| {
        let definition = products(&subject)?;
        let outs = subject.outs();
        let reference = passes::plain_gradient(&definition.definition, &subject.wrt(), &outs);
        let reference = reference.map_err(|e| other(&subject.name, e))?;
        let cases = cases(&subject, &reference)?;
        Ok((subject, definition, reference, cases))
    });
    match made {
        Ok((subject, definition, reference, cases)) => {
            compared_with(&subject, &definition, (&reference, &cases), notes)
        }
        Err(why) => {
            let row = Row::new("definition", "exact", Part::Gradient);
            without(row, why, notes).into_iter().collect()
        }
    }
}

/// A comparison that cannot be made: of what is not exact, a note; of a failure, a red row.
fn without(mut row: Row, why: Error, notes: &mut Vec<String>) -> Option<Row> {
    let why = why.to_string();
    if why.ends_with(INEXACT) {
        notes.push(format!("not exact, {} {}: {why}", row.form, row.part));
        return None;
    }
    row.fail(why);
    Some(row)
}

fn compared_with(
    subject: &Subject,
    definition: &Subject,
    (reference, cases): (&Func, &[Case]),
    notes: &mut Vec<String>,
) -> Vec<Row> {
    let mut rows = vec![];
    for form in subject.forms() {
        let mut row = Row::new(form.name(), "exact", Part::Gradient);
        let subject = match form {
            Form::Matrix => definition,
            _ => subject,
        };
        match compared(subject, form, cases, &mut row) {
            Ok(()) => rows.push(row),
            Err(why) => rows.extend(without(row, why, notes)),
        }
    }
    if subject.causal {
        let mut row = Row::new("step", "exact", Part::Resume);
        match continued(subject, cases, &mut row) {
            Ok(()) => rows.push(row),
            Err(why) => rows.extend(without(row, why, notes)),
        }
        rows.extend(carried::rows(subject, reference, cases, notes));
    }
    rows
}

/// The mixer with powers for exponentials of the lag: of an opaque `exp` nothing is known, so that `exp(r lag)` and
/// `exp(r) ^ lag` are the same is not to be shown here, but by the rows of floating point.
fn kernels(subject: &Subject) -> Result<Subject> {
    let kernels = difference::kernels(&subject.definition);
    let definition = kernels.and_then(|f| exponential::kernels_as_powers(&f));
    Ok(Subject {
        definition: definition.map_err(|e| other(&subject.name, e))?,
        ..subject.clone()
    })
}

/// Of it, the definition with quotients of products for the decays of a matrix, for the same reason.
fn products(subject: &Subject) -> Result<Subject> {
    let plain = powers::exponential_powers(&subject.definition);
    let definition = plain.and_then(|f| dual::decays_as_products(&f));
    Ok(Subject {
        definition: definition.map_err(|e| other(&subject.name, e))?,
        ..subject.clone()
    })
}

/// Inputs of one length, and what the definition and its gradient make of them.
struct Case {
    length: usize,
    sizes: Sizes,
    given: Named,
    want: Named,
}

/// The short lengths, and of each coarser clock a chunk, two and a ragged tick, three and a tick.
fn lengths(definition: &Func) -> BTreeSet<usize> {
    let mut all: BTreeSet<usize> = LENGTHS.collect();
    for axis in definition.values.iter().flat_map(|v| &v.ty.axes) {
        if let Size::Tiles(_, n) = axis.size
            && n <= WIDEST
        {
            all.extend([3 * n, 6 * n + 1, 10 * n]);
        }
    }
    all
}

fn cases(subject: &Subject, reference: &Func) -> Result<Vec<Case>> {
    let mut all = vec![];
    for length in lengths(&subject.definition) {
        let sizes = subject.sizes(length, BATCH);
        if !subject.allows(&sizes) {
            continue;
        }
        let given = given(subject, reference, &sizes, length)?;
        let want = ran(reference, &given, &sizes)?;
        all.push(Case {
            length,
            sizes,
            given,
            want,
        });
    }
    Ok(all)
}

/// A random element for each number but indices.
fn given(subject: &Subject, func: &Func, sizes: &Sizes, length: usize) -> Result<Named> {
    let mut all = draw::inputs(&subject.definition, &subject.vocab, sizes, Draw::Plain)?;
    for (seed, p) in (1u64..).zip(&func.params) {
        let ty = func.ty(*p);
        let Some(input) = func.input(*p) else {
            continue;
        };
        let name = input.name.as_str();
        if ty.elem == Elem::Int {
            continue;
        }
        let mut t = draw::unit(name, &ty.axes, sizes)?;
        let seed = seed << 32 | length as u64;
        let one = |k: u64| Exact::random(seed, k, ty.elem == Elem::Complex);
        t.data = Data::Exact((0..t.data.len() as u64).map(one).collect());
        all.insert(name.to_owned(), t);
    }
    Ok(all)
}

fn ran(func: &Func, given: &Named, sizes: &Sizes) -> Result<Named> {
    let made = run_exact(func, given, sizes).map_err(|e| Error::Other(e.message))?;
    Ok(made.into_iter().collect())
}

/// The share of numbers that differ.
fn unequal(a: &Tensor, b: &Tensor) -> Result<f64> {
    let wrong = |e: String| Error::Other(e);
    let b = b.ordered(&a.axes).map_err(wrong)?;
    let (a, b) = (
        a.at_least(Kind::Exact).map_err(wrong)?,
        b.at_least(Kind::Exact).map_err(wrong)?,
    );
    let (Data::Exact(x), Data::Exact(y)) = (&a.data, &b.data) else {
        return Err(Error::Other("no elements of the field".into()));
    };
    let n = x.iter().zip(y).filter(|(x, y)| x != y).count();
    Ok(n as f64 / x.len().max(1) as f64)
}

fn worst(name: &str, error: f64, length: usize) -> Worst {
    Worst {
        error,
        bound: 0.0,
        tensor: name.to_owned(),
        length,
        batch: BATCH,
        inputs: "a finite field".into(),
    }
}

/// Outputs and gradients of a form.
fn compared(subject: &Subject, form: Form, cases: &[Case], row: &mut Row) -> Result<()> {
    let f = passes::exact_gradient(
        &subject.definition,
        form,
        &SHAPES,
        &subject.wrt(),
        &subject.outs(),
    );
    let f = f.map_err(|e| other(&subject.name, e))?;
    for case in cases {
        let got = ran(&f, &case.given, &case.sizes)?;
        for (name, want) in &case.want {
            let got = got.get(name).ok_or_else(|| other(name, "no such result"))?;
            row.add(worst(name, unequal(want, got)?, case.length));
        }
    }
    Ok(())
}

/// A prompt, then the rest in parts, each from the states before it: the prompt is the first step, or the first half.
fn continued(subject: &Subject, cases: &[Case], row: &mut Row) -> Result<()> {
    let split = passes::Stepped::of(&subject.steppable()?, &SHAPES, &mut vec![])
        .and_then(|f| f.exact_split());
    let (prefill, resume) = split.map_err(|e| other(&subject.name, e))?;
    for case in cases.iter().filter(|c| c.length > 1) {
        for prompt in [1, case.length.div_ceil(2)] {
            let parts = Parts::drawn(prompt, case.length - prompt, &subject.name);
            case.in_parts(&parts, (&prefill, &resume), row)?;
        }
    }
    Ok(())
}

impl Case {
    fn in_parts(
        &self,
        parts: &Parts,
        (prefill, resume): (&Func, &Func),
        row: &mut Row,
    ) -> Result<()> {
        let (time, mut states) = (Axis::time(), Named::new());
        for range in parts.ranges() {
            let mut sizes = self.sizes.clone();
            sizes.insert(cache(), self.length + 1);
            sizes.insert(time.name, range.len());
            let mut given = timeline::cut_all(&self.given, time, range.clone())?;
            given.insert("pos".into(), Tensor::scalar(range.start as f64));
            given.extend(std::mem::take(&mut states));
            let f = if range.start == 0 { prefill } else { resume };
            for (name, got) in ran(f, &given, &sizes)? {
                if name.starts_with("state.") {
                    states.insert(name, got);
                    continue;
                }
                let whole = self.want.get(&name);
                let Some(whole) = whole.filter(|w| w.axes.contains(&time)) else {
                    continue;
                };
                let want = timeline::cut(whole, time, range.clone());
                let want = want.map_err(|e| other(&name, e))?;
                row.add(worst(&name, unequal(&want, &got)?, self.length));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend;

    fn subject(body: &str) -> Subject {
        let header = "q: seq{dk}, k: seq{dk}, v: seq{dv}, a: seq{}; dk = 3, dv = 2) -> o: seq{dv}";
        let text = format!("seq 1\n\nmixer m({header} {{\n{body}\n}}\n");
        let source = frontend::of_text("m.seq", &text).expect("parses");
        Subject::new(&source.elaborate("m", &[]).expect("elaborates")).expect("a subject")
    }

    fn held_to(form_of: &Subject, definition: &Subject) -> Row {
        let reference = passes::plain_gradient(
            &definition.definition,
            &definition.wrt(),
            &definition.outs(),
        );
        let cases = cases(definition, &reference.expect("differentiates")).expect("exact");
        let mut row = Row::new("chunked", "exact", Part::Gradient);
        compared(form_of, Form::Chunked, &cases, &mut row).expect("runs");
        row
    }

    /// The same mixer otherwise spelled is equal; one that decays a step late, or writes half a value, is not.
    #[test]
    fn equal_is_green_and_nearly_equal_is_red() {
        let own = subject("state S{dk, dv}\nS[t] = a * S[t-1] + k * v\no = sum[dk](q * S)");
        let respelled =
            "w = v * k\nstate S{dv, dk}\nS[t] = w - (1 - a) * S[t-1] + S[t-1]\no = sum[dk](S * q)";
        assert!(held_to(&subject(respelled), &own).green());
        for wrong in [
            "state S{dk, dv}\nS[t] = a[t-1] * S[t-1] + k * v\no = sum[dk](q * S)",
            "state S{dk, dv}\nS[t] = a * S[t-1] + k * v\no = sum[dk](q * S) + 0.000001 * v",
            "state S{dk, dv}\nS[t] = a * S[t-1] + a * k * v\no = sum[dk](q * S)",
        ] {
            assert!(!held_to(&subject(wrong), &own).green(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_exact_is_said() {
        let text =
            "M[i,j] = softmax[j](sum[dk](q[i] * k[j]))  where j <= i\no = sum[j](M[t,j] * v[j])";
        let mut notes = vec![];
        assert!(rows(&subject(text), &mut notes).is_empty());
        assert!(notes[0].starts_with("not exact"), "{notes:?}");
    }
}
