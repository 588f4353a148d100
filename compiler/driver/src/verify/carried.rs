//! Gradients through states. A sequence cut into parts is differentiated part by part, the last one first: each from the
//! states that the one before it left, and from cotangents of its own last states, which are the next one's gradients by
//! them. Together that is the gradient of the whole. And from states that no prompt leaves, the gradient is that of the
//! definition's steps.

mod held;
mod jump;
mod parts;

pub use held::drawn_for;
pub use parts::{Cut, none};

use super::Options;
use super::certificate::Row;
use super::cuts::{self, Parts};
use super::draw::Draw;
use super::reference::stops;
use super::subject::{Derived, Part, Subject};
use crate::engine::{Engine, Programs};
use crate::passes::{self, Begin, Form, STATE_COTANGENT, Shapes, Wanted};
use crate::{Error, Result, other, timeline};
use held::{Reference, of_kind, ran};
use jump::{Jump, past};
use parts::cotangents;
use seqc_algebra::{Axis, Func, InputKind, Tensor};
use seqc_derive::softmax;
use seqc_derive::step::cache;
use std::rc::Rc;

/// The forms that go on from states.
pub const FORMS: [Form; 2] = [Form::Recurrent, Form::Chunked];

/// Sequences in a batch of every comparison here.
const BATCH: usize = 2;
/// Positions before states that no prompt leaves, and those after them that differences are taken over.
const BEFORE: usize = 3;
const SMALL: usize = 5;

const PARTS: [(Part, Begin); 2] = [
    (Part::PromptGradient, Begin::Start),
    (Part::StateGradient, Begin::States),
];

/// The programs of both parts, in each form; none if no state has a gradient.
pub fn derived(subject: &Subject, shapes: &Shapes) -> Vec<Derived> {
    let f = match subject.steppable() {
        Ok(f) => f,
        Err(_) => return vec![],
    };
    let mut all = vec![];
    for form in FORMS {
        for (part, begin) in PARTS {
            let func = with_wanted(subject, &f, begin, |wanted| {
                passes::carried_gradient(&f, form, shapes, wanted, &mut vec![])
            });
            if func.as_ref().is_ok_and(|f| !has_cotangents(f)) {
                return vec![];
            }
            all.push(Derived {
                form: form.name(),
                part,
                func: func.map_err(|e| e.to_string()),
            });
        }
    }
    all
}

/// What `make` makes of the gradients that are wanted of a program from its start or from states.
pub fn with_wanted<T>(subject: &Subject, f: &Func, begin: Begin, make: impl Fn(Wanted) -> T) -> T {
    let (wrt, outs) = (subject.wrt(), results(f));
    make(Wanted {
        begin,
        wrt: &wrt,
        outs: &outs,
    })
}

fn results(f: &Func) -> Vec<&str> {
    f.results.iter().map(|(n, _)| n.as_str()).collect()
}

fn has_cotangents(f: &Func) -> bool {
    let names = f.params.iter().filter_map(|p| f.input(*p));
    names
        .into_iter()
        .any(|i| i.name.as_str().starts_with(STATE_COTANGENT))
}

/// A sequence in parts and what it is held to.
struct Whole {
    cut: Cut,
    reference: Reference,
}

/// What gradients through states are held to.
pub struct Carried {
    wholes: Vec<Whole>,
    jump: Option<Jump>,
}

/// The definition's gradients: of the whole with its last states, and from states.
struct Definition<'a> {
    subject: &'a Subject,
    plain: Func,
    whole: Func,
    rounded: Rc<Func>,
    rest: Func,
    rounded_rest: Rc<Func>,
}

impl Definition<'_> {
    fn new(subject: &Subject) -> Result<Definition<'_>> {
        let failed = |e: seqc_derive::DeriveError| other(&subject.name, e);
        let f = subject.steppable()?;
        let (wrt, outs) = (subject.wrt(), results(&f));
        let ids = passes::inputs_named(&f, &wrt);
        let of = |begin| {
            let plain = |wanted: Wanted| passes::plain_carried_gradient(&f, wanted);
            with_wanted(subject, &f, begin, plain).map_err(failed)
        };
        let rounded = |f: &Func| softmax::with_one_normaliser(f).map(Rc::new).map_err(failed);
        let (whole, rest) = (of(Begin::Start)?, of(Begin::States)?);
        Ok(Definition {
            plain: seqc_derive::grad::vjp(&f, &ids, &outs).map_err(failed)?,
            rounded: rounded(&whole)?,
            rounded_rest: rounded(&rest)?,
            whole,
            rest,
            subject,
        })
    }

    /// The gradients of a whole: those of its outputs are the definition's own, those of its last states are added.
    fn cut(&self, parts: Parts) -> Result<Option<Whole>> {
        let all = parts.all();
        let mut sizes = self.subject.sizes(all, BATCH);
        if !self.subject.allows(&sizes) {
            return Ok(None);
        }
        // Room to spare: what lies behind the present must not be read.
        sizes.insert(cache(), all + 2);
        let given = self.subject.given(&sizes, Draw::Plain)?;
        let after = drawn_for(&self.whole, &sizes, |n, _| n.starts_with(STATE_COTANGENT))?;
        let mut want = ran(&self.plain, &given, &sizes)?;
        let mut silent = given.clone();
        silent.extend(none(&cotangents(&given))?);
        silent.extend(after.clone());
        for (name, t) in ran(&self.whole, &silent, &sizes)? {
            match want.get(&name) {
                Some(own) if of_kind(&name) == 1 => {
                    let t = timeline::sum(own, &t).map_err(|e| other(&name, e))?;
                    want.insert(name, t);
                }
                Some(_) => {}
                None => {
                    want.insert(name, t);
                }
            }
        }
        let mut everything = given.clone();
        everything.extend(after.clone());
        let held = (everything, sizes.clone());
        let what = (all, parts.words());
        Ok(Some(Whole {
            reference: Reference::new(want, &self.rounded, held, what),
            cut: Cut {
                parts,
                after,
                given,
                sizes,
            },
        }))
    }

    /// From random states after [`BEFORE`] positions.
    fn jump(&self, tokens: usize) -> Result<Option<Jump>> {
        let all = BEFORE + tokens;
        let mut sizes = self.subject.sizes(all, BATCH);
        if !self.subject.allows(&sizes) {
            return Ok(None);
        }
        sizes.insert(cache(), all + 1);
        let whole = self.subject.given(&sizes, Draw::Plain)?;
        let mut given = timeline::cut_all(&whole, Axis::time(), BEFORE..all)?;
        sizes.insert(Axis::time().name, tokens);
        given.insert("pos".into(), Tensor::scalar(BEFORE as f64));
        given.extend(drawn_for(&self.rest, &sizes, |n, _| {
            n.starts_with(STATE_COTANGENT)
        })?);
        let states = drawn_for(&self.rest, &sizes, |_, kind| *kind == InputKind::State)?;
        for (name, t) in states {
            let t = past(&t).map_err(|e| other(&name, e))?;
            given.insert(name, t);
        }
        let want = ran(&self.rest, &given, &sizes)?;
        let held = (given.clone(), sizes.clone());
        let what = (tokens, "any states".to_owned());
        Ok(Some(Jump {
            reference: Reference::new(want, &self.rounded_rest, held, what),
            sizes,
            given,
        }))
    }
}

/// The references, and the row that holds them to difference quotients.
pub fn references(subject: &Subject, options: &Options) -> Result<(Carried, Vec<Row>)> {
    let definition = Definition::new(subject)?;
    let mut wholes = vec![];
    for parts in cuts::cuts(&options.shapes, options.extent, &subject.name) {
        wholes.extend(definition.cut(parts)?);
    }
    let jump = definition.jump(options.shapes.chunk + 2)?;
    let mut row = Row::new("definition", "differ.", Part::StateGradient);
    let mut rows = vec![];
    if !stops(&subject.definition)
        && let Some(small) = definition.jump(SMALL)?
    {
        match small.differences(&subject.plain_step()?, &mut row) {
            Ok(()) => {}
            Err(e) => row.fail(e),
        }
        rows.push(row);
    }
    Ok((Carried { wholes, jump }, rows))
}

impl Carried {
    /// The rows of one engine, of the forms whose programs there are.
    pub fn rows(&self, programs: &Programs, engine: Engine) -> Vec<Row> {
        let mut rows = vec![];
        for form in FORMS {
            let keys = [Part::PromptGradient, Part::StateGradient].map(|p| key(form, p));
            if keys.iter().any(|k| programs.func(k).is_err()) {
                continue;
            }
            let mut row = Row::new(form.name(), engine.name(), Part::StateGradient);
            if let Err(e) = self.compare(programs, &keys, engine, &mut row) {
                row.fail(e);
            }
            rows.push(row);
        }
        rows
    }

    fn compare(
        &self,
        programs: &Programs,
        keys: &[String; 2],
        engine: Engine,
        row: &mut Row,
    ) -> Result<()> {
        for w in &self.wholes {
            let got = w.cut.run(keys, |key, given, sizes| {
                Ok(programs.run(key, given, sizes)?.into_iter().collect())
            })?;
            w.reference.compare(engine, &got, row)?;
        }
        if let Some(j) = &self.jump {
            let got = programs.run(&keys[1], &j.given, &j.sizes)?;
            (j.reference).compare(engine, &got.into_iter().collect(), row)?;
        }
        Ok(())
    }
}

fn key(form: Form, part: Part) -> String {
    format!("{}.{}", form.name(), part.name())
}

/// A failure before anything could be compared.
pub fn failed(why: Error) -> Row {
    let mut row = Row::new("definition", Engine::Interp.name(), Part::StateGradient);
    row.fail(why);
    row
}
