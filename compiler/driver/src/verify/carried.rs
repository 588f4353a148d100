//! Gradients through states. A sequence cut in two is differentiated part by part: the second from the first one's
//! states, the first from cotangents of its states, which are the second's gradients by them. Together that is the
//! gradient of the whole. And from states that no prompt leaves, the gradient is that of the definition's steps.

use super::Options;
use super::cases::{along, dot, off, stops};
use super::certificate::{Row, Worst};
use super::draw::{self, Draw};
use super::lengths;
use super::measure::{self, Movement};
use super::subject::{Derived, Part, Subject};
use crate::engine::{Engine, Named, Programs, Sizes};
use crate::passes::{self, Begin, Form, Shapes, Wanted};
use crate::{Error, Result, other, timeline};
use seqc_algebra::{Axis, C64, Data, Elem, Func, InputKind, Kind, Size, Tensor, Ty, run};
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

/// What cotangents of states are called.
pub const COTANGENT: &str = "cotangent.state.";

fn has_cotangents(f: &Func) -> bool {
    let names = f.params.iter().filter_map(|p| f.input(*p));
    names
        .into_iter()
        .any(|i| i.name.as_str().starts_with(COTANGENT))
}

/// Results that are known, and how far each moves when it is rounded.
struct Reference {
    want: Named,
    /// Sizes of the largest output or state and of the largest gradient.
    largest: [f64; 2],
    rounded: Rc<Func>,
    given: Named,
    sizes: Sizes,
    moved: Movement,
    length: usize,
    inputs: String,
}

fn of_kind(name: &str) -> usize {
    usize::from(name.starts_with("grad."))
}

impl Reference {
    fn new(
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
    fn compare(&self, engine: Engine, got: &Named, row: &mut Row) -> Result<()> {
        let largest = |n: &str| self.largest[of_kind(n)];
        for (name, want) in self.want.iter().filter(|(_, t)| measure::finite(t)) {
            let got = got.get(name);
            let got = got.ok_or_else(|| other(name, "there is no such result"))?;
            let error = measure::error(got, want, largest(name))?;
            let measured =
                || measure::moved(&self.rounded, &self.given, &self.sizes, &self.want, largest);
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

fn ran(f: &Func, given: &Named, sizes: &Sizes) -> Result<Named> {
    let made = run(f, given, sizes).map_err(|e| other(&f.name, e))?;
    Ok(made.into_iter().collect())
}

/// Numbers of unit size, in both parts of complex ones.
fn drawn(name: &str, ty: &Ty, sizes: &Sizes) -> Result<Tensor> {
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

/// The same tensors, all 0.
pub fn none(of: &Named) -> Result<Named> {
    let zero = |(n, t): (&String, &Tensor)| {
        let elem = if t.is_complex() {
            Elem::Complex
        } else {
            Elem::Real
        };
        let t = Tensor::zeros(&t.axes, &t.shape, elem).map_err(|e| other(n, e))?;
        Ok((n.clone(), t))
    };
    of.iter().map(zero).collect()
}

/// `a + b`
fn sum(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let failed = |e: String| other("a sum", e);
    let b = b.ordered(&a.axes).map_err(failed)?;
    if !matches!(
        (&a.data, &b.data),
        (Data::Exact(_), _) | (_, Data::Exact(_))
    ) {
        return along(a, 1.0, &b);
    }
    let exact = |t: &Tensor| match t.at_least(Kind::Exact).map_err(failed)?.data.clone() {
        Data::Exact(d) => Ok(d),
        _ => Err(other("a sum", "of no elements of the field")),
    };
    let data = exact(a)?.into_iter().zip(exact(&b)?).map(|(x, y)| x + y);
    Tensor::new(a.axes.clone(), a.shape.clone(), Data::Exact(data.collect())).map_err(failed)
}

/// A sequence that is cut behind `prompt`.
pub struct Halves {
    pub prompt: usize,
    /// Cotangents of the states after everything, and all other tensors.
    pub after: Named,
    pub given: Named,
    pub sizes: Sizes,
}

/// Such a sequence and what it is held to.
struct Cut {
    halves: Halves,
    reference: Reference,
}

/// Runs from states that no prompt leaves.
struct Jump {
    sizes: Sizes,
    given: Named,
    reference: Reference,
}

/// What gradients through states are held to.
pub struct Carried {
    cuts: Vec<Cut>,
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
        let rounded = |f: &Func| softmax::expand_softmax(f).map(Rc::new).map_err(failed);
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
    fn cut(&self, prompt: usize, tokens: usize) -> Result<Option<Cut>> {
        let all = prompt + tokens;
        let mut sizes = self.subject.sizes(all, BATCH);
        if !self.subject.allows(&sizes) {
            return Ok(None);
        }
        // Room to spare: what lies behind the present must not be read.
        sizes.insert(cache(), all + 2);
        let given = self.subject.given(&sizes, Draw::Plain)?;
        let after = drawn_for(&self.whole, &sizes, |n, _| n.starts_with(COTANGENT))?;
        let mut want = ran(&self.plain, &given, &sizes)?;
        let mut silent = given.clone();
        silent.extend(none(&cotangents(&given))?);
        silent.extend(after.clone());
        for (name, t) in ran(&self.whole, &silent, &sizes)? {
            match want.get(&name) {
                Some(own) if of_kind(&name) == 1 => {
                    let t = sum(own, &t)?;
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
        let what = (all, format!("{prompt} + {tokens} tokens"));
        Ok(Some(Cut {
            reference: Reference::new(want, &self.rounded, held, what),
            halves: Halves {
                prompt,
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
            n.starts_with(COTANGENT)
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

/// A state after [`BEFORE`] positions: its caches hold nothing else.
fn past(state: &Tensor) -> std::result::Result<Tensor, String> {
    let mut t = state.clone();
    let caches = state.axes.iter().zip(&state.shape);
    for (a, n) in caches.filter(|(a, _)| a.size == Size::Len(cache())) {
        t = timeline::pad(&timeline::cut(&t, *a, 0..BEFORE)?, *a, *n)?;
    }
    Ok(t)
}

/// Cotangents among some tensors.
fn cotangents(given: &Named) -> Named {
    let all = given.iter().filter(|(n, _)| n.starts_with("cotangent."));
    all.map(|(n, t)| (n.clone(), t.clone())).collect()
}

/// The references, and the row that holds them to difference quotients.
pub fn references(subject: &Subject, options: &Options) -> Result<(Carried, Vec<Row>)> {
    let definition = Definition::new(subject)?;
    let mut cuts = vec![];
    for (prompt, tokens) in lengths::cuts(&options.shapes, options.extent) {
        cuts.extend(definition.cut(prompt, tokens)?);
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
    Ok((Carried { cuts, jump }, rows))
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
        for c in &self.cuts {
            let got = c.halves.parts(keys, |key, given, sizes| {
                Ok(programs.run(key, given, sizes)?.into_iter().collect())
            })?;
            c.reference.compare(engine, &got, row)?;
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

impl Halves {
    /// Both parts, one after the other forward, then backward; their results as those of the whole.
    pub fn parts<P>(
        &self,
        [prompt, rest]: &[P; 2],
        run: impl Fn(&P, &Named, &Sizes) -> Result<Named>,
    ) -> Result<Named> {
        let (time, all) = (Axis::time(), self.sizes[&Axis::time().name]);
        let mut sizes = self.sizes.clone();
        sizes.insert(time.name, self.prompt);
        let mut head = timeline::cut_all(&self.given, time, 0..self.prompt)?;
        head.extend(none(&self.after)?);
        let states = states(run(prompt, &head, &sizes)?);
        let mut tail = self.tail(self.prompt..all)?;
        tail.extend(states);
        sizes.insert(time.name, all - self.prompt);
        let second = run(rest, &tail, &sizes)?;
        for (name, g) in &second {
            if let Some(own) = name.strip_prefix("grad.state.") {
                head.insert(format!("{COTANGENT}{own}"), g.clone());
            }
        }
        sizes.insert(time.name, self.prompt);
        joined(run(prompt, &head, &sizes)?, second)
    }

    fn tail(&self, range: std::ops::Range<usize>) -> Result<Named> {
        let mut tail = timeline::cut_all(&self.given, Axis::time(), range)?;
        tail.insert("pos".into(), Tensor::scalar(self.prompt as f64));
        // An output without time is the same in both parts, and counts once.
        let timeless = cotangents(&self.given).into_iter();
        let timeless = timeless.filter(|(_, t)| !t.axes.contains(&Axis::time()));
        tail.extend(none(&timeless.collect())?);
        tail.extend(self.after.clone());
        Ok(tail)
    }
}

/// The states among some results, by the names that programs read them under.
fn states(made: Named) -> Named {
    let own = |(n, t): (String, Tensor)| Some((n.strip_prefix("state.")?.to_owned(), t));
    made.into_iter().filter_map(own).collect()
}

/// Results of two parts as those of the whole: joined along time; gradients of what both read, added.
fn joined(first: Named, second: Named) -> Result<Named> {
    let mut all = Named::new();
    for (name, b) in second {
        let joined = match first.get(&name) {
            Some(a) if a.axes.contains(&Axis::time()) => {
                timeline::join(&[a.clone(), b], Axis::time()).map_err(|e| other(&name, e))?
            }
            Some(a) if of_kind(&name) == 1 => sum(a, &b)?,
            _ => b,
        };
        all.insert(name, joined);
    }
    Ok(all)
}

impl Jump {
    /// Slopes along a direction of each state against differences of what the definition's steps make.
    fn differences(&self, step: &Func, row: &mut Row) -> Result<()> {
        let gradients: Vec<(String, &Tensor)> = (self.reference.want.iter())
            .filter_map(|(n, g)| Some((n.strip_prefix("grad.state.")?.to_owned(), g)))
            .collect();
        let norms = gradients.iter().map(|(_, g)| Ok(dot(g, g)?.sqrt()));
        let largest = norms.collect::<Result<Vec<f64>>>()?;
        let largest = largest.into_iter().fold(0.0, f64::max);
        for (name, g) in gradients.iter().filter(|(_, g)| measure::finite(g)) {
            let given = &self.given[name];
            let ty = Ty {
                elem: if given.is_complex() {
                    Elem::Complex
                } else {
                    Elem::Real
                },
                axes: given.axes.clone(),
            };
            let direction = drawn(&format!("direction.{name}"), &ty, &self.sizes)?;
            let direction = past(&direction).map_err(|e| other(name, e))?;
            let at = |h: f64| {
                let mut from = self.given.clone();
                from.insert(name.clone(), along(given, h, &direction)?);
                self.stepped(step, from)
            };
            let off = off(dot(g, &direction)?, 1.0, at)?;
            let norm = dot(g, g)?.sqrt();
            let beside = if norm < 1e-10 * largest {
                largest
            } else {
                norm
            };
            row.add(Worst {
                error: if off == 0.0 { 0.0 } else { off.abs() / beside },
                bound: 1e-6,
                tensor: format!("grad.state.{name}"),
                length: SMALL,
                batch: BATCH,
                inputs: self.reference.inputs.clone(),
            });
        }
        Ok(())
    }

    /// The cotangents' product with what the definition's steps make, one after the other.
    fn stepped(&self, step: &Func, mut given: Named) -> Result<f64> {
        let time = Axis::time();
        let tokens = self.sizes[&time.name];
        let mut total = 0.0;
        for t in 0..tokens {
            let mut now = timeline::all_at(&given, time, t)?;
            now.insert("pos".into(), Tensor::scalar((BEFORE + t) as f64));
            for (name, y) in ran(step, &now, &self.sizes)? {
                if let Some(own) = name.strip_prefix("state.") {
                    given.insert(own.to_owned(), y);
                    continue;
                }
                let cotangent = &self.given[&format!("cotangent.{name}")];
                if cotangent.axes.contains(&time) || t + 1 == tokens {
                    let cotangent = timeline::at(cotangent, time, t);
                    total += dot(&cotangent.map_err(|e| other(&name, e))?, &y)?;
                }
            }
        }
        for (name, cotangent) in &self.given {
            if let Some(own) = name.strip_prefix(COTANGENT) {
                total += dot(cotangent, &given[own])?;
            }
        }
        Ok(total)
    }
}

/// A failure before anything could be compared.
pub fn failed(why: Error) -> Row {
    let mut row = Row::new("definition", Engine::Interp.name(), Part::StateGradient);
    row.fail(why);
    row
}
