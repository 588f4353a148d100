//! Prefill, resume and step against the whole: a prompt in one pass, then the rest in several passes, each from the states
//! that the one before it left, or token by token, gives what one pass over all tokens gives, outputs and, after each part,
//! states; and one step from any states gives what the definition's step gives.

use super::Options;
use super::certificate::{Row, Worst};
use super::cuts::{self, Parts};
use super::draw::{self, Draw};
use super::measure::{self, Movement};
use super::subject::{Part, Subject};
use crate::engine::{Engine, Named, Programs, Sizes};
use crate::{Result, other, timeline};
use seqc_algebra::{Axis, Elem, Func, InputKind, Tensor, run};
use seqc_derive::step::cache;
use std::rc::Rc;

/// What the definition makes of some inputs, and how far each result moves when it is rounded.
struct Reference {
    want: Named,
    /// The same program as all forms compute it, and what it is run on.
    rounded: Rc<Func>,
    given: Named,
    sizes: Sizes,
    moved: Movement,
}

/// Where a comparison is made.
struct At {
    length: usize,
    inputs: String,
}

/// Sequences in a batch of every comparison here.
const BATCH: usize = 2;

impl Reference {
    fn new(func: &Func, rounded: &Rc<Func>, given: &Named, sizes: &Sizes) -> Result<Reference> {
        Ok(Reference {
            want: interpreted(func, given, sizes)?,
            rounded: rounded.clone(),
            given: given.clone(),
            sizes: sizes.clone(),
            moved: Movement::default(),
        })
    }

    /// Compares a result of the same name.
    fn compare(&self, engine: Engine, name: &str, got: &Tensor, at: &At) -> Result<Worst> {
        let want = self.want.get(name);
        let want = want.ok_or_else(|| other(name, "the definition has no such result"))?;
        self.part(engine, name, got, (want, 0.0), at)
    }

    /// Compares a part of a result with what it should be; `largest` is the size of the whole.
    fn part(
        &self,
        engine: Engine,
        name: &str,
        got: &Tensor,
        (want, largest): (&Tensor, f64),
        at: &At,
    ) -> Result<Worst> {
        let error = measure::error(got, want, largest)?;
        let measured = |unit| {
            let (func, given) = (&self.rounded, &self.given);
            measure::moved(func, given, &self.sizes, &self.want, |_| 0.0, unit)
        };
        Ok(Worst {
            error,
            bound: (self.moved).allowed((engine, at.length), (name, error), measured)?,
            tensor: name.to_owned(),
            length: at.length,
            batch: BATCH,
            inputs: at.inputs.clone(),
        })
    }
}

/// A sequence in parts, and what the definition makes of it.
pub struct Split {
    parts: Parts,
    sizes: Sizes,
    given: Named,
    /// The outputs of the whole by the definition itself.
    whole: Named,
    /// Outputs and states after each part, by one pass over all that was read so far.
    after: Vec<Reference>,
}

/// One step from states that no prompt leaves.
pub struct Jump {
    sizes: Sizes,
    given: Named,
    reference: Reference,
}

/// What a program that goes on is run on, beside states.
struct Now<'a> {
    program: &'a str,
    sizes: &'a Sizes,
    from: usize,
    given: Named,
}

/// What steps are held to.
pub struct Steps {
    splits: Vec<Split>,
    jump: Jump,
}

fn interpreted(f: &Func, given: &Named, sizes: &Sizes) -> Result<Named> {
    let made = run(f, given, sizes).map_err(|e| other(&f.name, e))?;
    Ok(made.into_iter().collect())
}

/// The references. Lengths that the mixer has no meaning for are left out.
pub fn references(subject: &Subject, options: &Options) -> Result<Steps> {
    let (prefill, step) = (subject.plain_prefill()?, subject.plain_step()?);
    let weighed = seqc_derive::softmax::with_one_normaliser(&prefill);
    let weighed = Rc::new(weighed.map_err(|e| other(&subject.name, e))?);
    let mut splits = vec![];
    for parts in cuts::splits(&options.shapes, options.extent, &subject.name) {
        let all = parts.all();
        let mut sizes = subject.sizes(all, BATCH);
        if !subject.allows(&sizes) {
            continue;
        }
        // Room to spare: what lies behind the present must not be read.
        sizes.insert(cache(), all + 2);
        let given = subject.given(&sizes, Draw::Plain)?;
        let after = parts.ranges().into_iter().map(|part| {
            let mut short = sizes.clone();
            short.insert(Axis::time().name, part.end);
            let head = timeline::cut_all(&given, Axis::time(), 0..part.end)?;
            Reference::new(&prefill, &weighed, &head, &short)
        });
        splits.push(Split {
            after: after.collect::<Result<_>>()?,
            whole: interpreted(&subject.definition, &given, &sizes)?,
            parts,
            sizes,
            given,
        });
    }
    Ok(Steps {
        splits,
        jump: jump(subject, &Rc::new(step))?,
    })
}

fn jump(subject: &Subject, step: &Rc<Func>) -> Result<Jump> {
    let mut sizes = subject.sizes(4, BATCH);
    sizes.insert(cache(), 6);
    let mut given = timeline::all_at(&subject.given(&sizes, Draw::Plain)?, Axis::time(), 3)?;
    given.insert("pos".into(), Tensor::scalar(3.0));
    for p in &step.params {
        let Some(input) = step.input(*p).filter(|i| i.kind == InputKind::State) else {
            continue;
        };
        let name = input.name.as_str();
        let mut t = draw::unit(name, &step.ty(*p).axes, &sizes)?;
        if step.ty(*p).elem == Elem::Complex {
            t = t.to_complex().into_owned();
        }
        given.insert(name.into(), t);
    }
    Ok(Jump {
        reference: Reference::new(step, step, &given, &sizes)?,
        sizes,
        given,
    })
}

impl Steps {
    /// The rows of one engine, from programs `step.prefill`, `step.resume` and `step.step`.
    pub fn rows(&self, programs: &Programs, engine: Engine) -> Vec<Row> {
        let mut prefill = Row::new("step", engine.name(), Part::Prefill);
        let mut resume = Row::new("step", engine.name(), Part::Resume);
        let mut step = Row::new("step", engine.name(), Part::Step);
        for s in &self.splits {
            match s.prefill(programs, engine, &mut prefill) {
                Err(e) => prefill.fail(e),
                Ok(states) => {
                    if let Err(e) = s.resume(programs, engine, states.clone(), &mut resume) {
                        resume.fail(e);
                    }
                    if let Err(e) = s.steps(programs, engine, states, &mut step) {
                        step.fail(e);
                    }
                }
            }
        }
        if let Err(e) = self.jump.rows(programs, engine, &mut step) {
            step.fail(e);
        }
        vec![prefill, resume, step]
    }
}

impl Split {
    fn at(&self, length: usize) -> At {
        At {
            length,
            inputs: self.parts.words(),
        }
    }

    /// Compares outputs and states of the prompt; gives the states.
    fn prefill(&self, programs: &Programs, engine: Engine, row: &mut Row) -> Result<Named> {
        let prompt = self.parts.prompt();
        let mut sizes = self.sizes.clone();
        sizes.insert(Axis::time().name, prompt);
        let given = timeline::cut_all(&self.given, Axis::time(), 0..prompt)?;
        let at = self.at(prompt);
        let made = programs.run("step.prefill", &given, &sizes)?;
        let (states, outputs) = apart(made);
        for (name, got) in &outputs {
            row.add(self.of_prompt(engine, name, got, &at)?);
        }
        self.ends(engine, 0, &states, row)?;
        Ok(states)
    }

    /// Compares an output of the prompt: with the start of the definition's, where it has a time.
    fn of_prompt(&self, engine: Engine, name: &str, got: &Tensor, at: &At) -> Result<Worst> {
        let whole = self.whole.get(name);
        let Some(whole) = whole.filter(|w| w.axes.contains(&Axis::time())) else {
            return self.after[0].compare(engine, name, got, at);
        };
        let want = timeline::cut(whole, Axis::time(), 0..self.parts.prompt());
        let want = want.map_err(|e| other(name, e))?;
        (self.after[0]).part(engine, name, got, (&want, 0.0), at)
    }

    /// Goes on token by token, comparing outputs, and states where a part ends.
    fn steps(
        &self,
        programs: &Programs,
        engine: Engine,
        mut states: Named,
        row: &mut Row,
    ) -> Result<()> {
        for (k, part) in self.parts.ranges().into_iter().enumerate().skip(1) {
            for t in part {
                let part = |x: &Tensor| timeline::at(x, Axis::time(), t);
                let now = Now {
                    program: "step.step",
                    sizes: &self.sizes,
                    from: t,
                    given: timeline::all_at(&self.given, Axis::time(), t)?,
                };
                states = self.go_on(programs, engine, now, states, &part, row)?;
            }
            self.ends(engine, k, &states, row)?;
        }
        Ok(())
    }

    /// Goes on in one pass a part, comparing outputs and states.
    fn resume(
        &self,
        programs: &Programs,
        engine: Engine,
        mut states: Named,
        row: &mut Row,
    ) -> Result<()> {
        for (k, range) in self.parts.ranges().into_iter().enumerate().skip(1) {
            let mut sizes = self.sizes.clone();
            sizes.insert(Axis::time().name, range.len());
            let now = Now {
                program: "step.resume",
                sizes: &sizes,
                from: range.start,
                given: timeline::cut_all(&self.given, Axis::time(), range.clone())?,
            };
            let part = |x: &Tensor| timeline::cut(x, Axis::time(), range.clone());
            states = self.go_on(programs, engine, now, states, &part, row)?;
            self.ends(engine, k, &states, row)?;
        }
        Ok(())
    }

    /// One run of a program that goes on from states: compares its outputs with `part` of the whole's, gives the
    /// states after it.
    fn go_on(
        &self,
        programs: &Programs,
        engine: Engine,
        now: Now,
        states: Named,
        part: &dyn Fn(&Tensor) -> std::result::Result<Tensor, String>,
        row: &mut Row,
    ) -> Result<Named> {
        let mut given = now.given;
        given.extend(states);
        given.insert("pos".into(), Tensor::scalar(now.from as f64));
        let at = self.at(self.parts.all());
        let (after, outputs) = apart(programs.run(now.program, &given, now.sizes)?);
        for (name, got) in outputs {
            let whole = &self.whole[&name];
            if !whole.axes.contains(&Axis::time()) {
                continue;
            }
            let want = part(whole).map_err(|e| other(&name, e))?;
            let want = (&want, measure::size(whole));
            row.add(self.last().part(engine, &name, &got, want, &at)?);
        }
        Ok(after)
    }

    fn last(&self) -> &Reference {
        &self.after[self.after.len() - 1]
    }

    /// Compares the states after part `k`: those that one pass over all of it leaves, by name, shape and value.
    fn ends(&self, engine: Engine, k: usize, states: &Named, row: &mut Row) -> Result<()> {
        let (reference, at) = (&self.after[k], self.at(self.parts.ranges()[k].end));
        let wanted = reference.want.keys().filter(|n| n.starts_with("state."));
        for name in wanted {
            let got = states.get(name);
            let got =
                got.ok_or_else(|| other(name, format!("part {} leaves no such state", k + 1)))?;
            row.add(reference.compare(engine, name, got, &at)?);
        }
        match states.keys().find(|n| !reference.want.contains_key(*n)) {
            Some(extra) => Err(other(
                extra,
                format!("only part {} leaves this state", k + 1),
            )),
            None => Ok(()),
        }
    }
}

/// States, and all other results.
fn apart(made: Vec<(String, Tensor)>) -> (Named, Vec<(String, Tensor)>) {
    let (states, outputs): (Vec<_>, Vec<_>) =
        made.into_iter().partition(|(n, _)| n.starts_with("state."));
    (states.into_iter().collect(), outputs)
}

impl Jump {
    fn rows(&self, programs: &Programs, engine: Engine, row: &mut Row) -> Result<()> {
        let at = At {
            length: 4,
            inputs: "any states".into(),
        };
        for (name, got) in programs.run("step.step", &self.given, &self.sizes)? {
            if (self.reference.want.get(&name)).is_none_or(measure::finite) {
                row.add(self.reference.compare(engine, &name, &got, &at)?);
            }
        }
        Ok(())
    }
}
