//! Prefill, resume and step against the whole: a prompt in one pass, then the rest in two passes from the states, or
//! token by token, gives what one pass over all tokens gives; and one step from any states gives what the
//! definition's step gives.

use super::Options;
use super::certificate::{Row, Worst};
use super::draw::{self, Draw};
use super::lengths;
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

/// A prompt and its continuation, and what the definition makes of them.
pub struct Split {
    prompt: usize,
    tokens: usize,
    sizes: Sizes,
    given: Named,
    /// The outputs of the whole by the definition itself.
    whole: Named,
    /// Outputs and states after the prompt and after all.
    after_prompt: Reference,
    after_all: Reference,
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
    for (prompt, tokens) in lengths::splits(&options.shapes, options.extent) {
        let all = prompt + tokens;
        let mut sizes = subject.sizes(all, BATCH);
        if !subject.allows(&sizes) {
            continue;
        }
        // Room to spare: what lies behind the present must not be read.
        sizes.insert(cache(), all + 2);
        let given = subject.given(&sizes, Draw::Plain)?;
        let mut short = sizes.clone();
        short.insert(Axis::time().name, prompt);
        let head = timeline::cut_all(&given, Axis::time(), 0..prompt)?;
        splits.push(Split {
            after_prompt: Reference::new(&prefill, &weighed, &head, &short)?,
            after_all: Reference::new(&prefill, &weighed, &given, &sizes)?,
            whole: interpreted(&subject.definition, &given, &sizes)?,
            prompt,
            tokens,
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
            inputs: format!("{} + {} tokens", self.prompt, self.tokens),
        }
    }

    /// Compares outputs and states of the prompt; gives the states.
    fn prefill(&self, programs: &Programs, engine: Engine, row: &mut Row) -> Result<Named> {
        let mut sizes = self.sizes.clone();
        sizes.insert(Axis::time().name, self.prompt);
        let given = timeline::cut_all(&self.given, Axis::time(), 0..self.prompt)?;
        let at = self.at(self.prompt);
        let mut states = Named::new();
        for (name, got) in programs.run("step.prefill", &given, &sizes)? {
            if let Some(own) = name.strip_prefix("state.") {
                row.add(self.after_prompt.compare(engine, &name, &got, &at)?);
                states.insert(own.to_owned(), got);
                continue;
            }
            row.add(self.of_prompt(engine, &name, &got, &at)?);
        }
        Ok(states)
    }

    /// Compares an output of the prompt: with the start of the definition's, where it has a time.
    fn of_prompt(&self, engine: Engine, name: &str, got: &Tensor, at: &At) -> Result<Worst> {
        let whole = self.whole.get(name);
        let Some(whole) = whole.filter(|w| w.axes.contains(&Axis::time())) else {
            return self.after_prompt.compare(engine, name, got, at);
        };
        let want = timeline::cut(whole, Axis::time(), 0..self.prompt);
        let want = want.map_err(|e| other(name, e))?;
        (self.after_prompt).part(engine, name, got, (&want, 0.0), at)
    }

    /// Goes on token by token, comparing outputs; then the states.
    fn steps(
        &self,
        programs: &Programs,
        engine: Engine,
        mut states: Named,
        row: &mut Row,
    ) -> Result<()> {
        for t in self.prompt..self.prompt + self.tokens {
            let part = |x: &Tensor| timeline::at(x, Axis::time(), t);
            let now = Now {
                program: "step.step",
                sizes: &self.sizes,
                from: t,
                given: timeline::all_at(&self.given, Axis::time(), t)?,
            };
            states = self.go_on(programs, engine, now, states, &part, row)?;
        }
        self.ends(engine, &states, row)
    }

    /// Goes on in two passes, comparing outputs; then the states.
    fn resume(
        &self,
        programs: &Programs,
        engine: Engine,
        mut states: Named,
        row: &mut Row,
    ) -> Result<()> {
        let (from, to) = (self.prompt, self.prompt + self.tokens);
        let middle = from + self.tokens.div_ceil(2);
        for (from, to) in [(from, middle), (middle, to)] {
            if from == to {
                continue;
            }
            let mut sizes = self.sizes.clone();
            sizes.insert(Axis::time().name, to - from);
            let now = Now {
                program: "step.resume",
                sizes: &sizes,
                from,
                given: timeline::cut_all(&self.given, Axis::time(), from..to)?,
            };
            let part = |x: &Tensor| timeline::cut(x, Axis::time(), from..to);
            states = self.go_on(programs, engine, now, states, &part, row)?;
        }
        self.ends(engine, &states, row)
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
        let at = self.at(self.prompt + self.tokens);
        let mut after = Named::new();
        for (name, got) in programs.run(now.program, &given, now.sizes)? {
            if let Some(own) = name.strip_prefix("state.") {
                after.insert(own.to_owned(), got);
                continue;
            }
            let whole = &self.whole[&name];
            if !whole.axes.contains(&Axis::time()) {
                continue;
            }
            let want = part(whole).map_err(|e| other(&name, e))?;
            let want = (&want, measure::size(whole));
            row.add(self.after_all.part(engine, &name, &got, want, &at)?);
        }
        Ok(after)
    }

    /// Compares the states after everything.
    fn ends(&self, engine: Engine, states: &Named, row: &mut Row) -> Result<()> {
        let at = self.at(self.prompt + self.tokens);
        for (own, got) in states {
            let name = format!("state.{own}");
            row.add(self.after_all.compare(engine, &name, got, &at)?);
        }
        Ok(())
    }
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
