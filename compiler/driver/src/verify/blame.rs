//! Why a result is red: its form and the definition are run side by side by the interpreters, in f64 and with every
//! operation rounded to f32, to find where the first number goes wrong.
//!
//! A form that is off in f64 is derived wrongly, and the first named value that differs is told. One that is off in f32 only has
//! lost numbers to f32's range (the operation where the first one is lost is told) or digits to rounding (the operation
//! whose result is the first beyond the bound though its operands are not). What neither shows is the back end's.
//! Whether the definition itself is ill-conditioned there is said beside it.

use super::cases::Case;
use super::certificate::Worst;
use super::measure;
use crate::engine::{Engine, Named, Programs};
use crate::{Result, parts};
use seqc_algebra::interp::run_single;
use seqc_algebra::{EvalError, Func, InputKind, Op, Tensor, ValueId};
use seqc_derive::report::equation_of;
use seqc_derive::words::{expression, written};
use std::collections::HashSet;

/// The reason in words; none if the interpreters cannot run the form.
pub fn reason(form: &Func, case: &Case, worst: &Worst, engine: Engine) -> Option<String> {
    let blame = Blame {
        form,
        case,
        name: &worst.tensor,
        bound: worst.bound,
    };
    let found = match blame.in_f64().ok()? {
        Some(text) => text,
        None if engine == Engine::Interp => return None,
        None => format!("{}; {}", blame.in_f32().ok()?, blame.condition().ok()?),
    };
    Some(found)
}

struct Blame<'a> {
    form: &'a Func,
    case: &'a Case,
    name: &'a str,
    bound: f64,
}

impl Blame<'_> {
    fn off(&self, got: &[(String, Tensor)]) -> Result<f64> {
        let Some((_, got)) = got.iter().find(|(n, _)| n == self.name) else {
            return Ok(f64::NAN);
        };
        self.case.error(self.name, got)
    }

    /// The derivation, if the form is off in f64 too.
    fn in_f64(&self) -> Result<Option<String>> {
        let e = self.off(&run(self.form, self.case)?)?;
        if e <= self.case.allowed(Engine::Interp, self.name, e)? {
            return Ok(None);
        }
        let first = match self.first_named()? {
            Some(name) => format!("; the first value that differs is `{}`", written(&name)),
            None => String::new(),
        };
        Ok(Some(format!(
            "the derived program itself differs from the definition, by {e:.1e} in f64{first}"
        )))
    }

    /// The first value of the form that the definition has under the same name, and that differs.
    fn first_named(&self) -> Result<Option<String>> {
        let of = |f: &Func| -> Result<Vec<(String, Tensor)>> { run(&traced(f), self.case) };
        let (form, definition) = (of(self.form)?, of(self.case.definition())?);
        let definition: Named = definition.into_iter().collect();
        let differs = |(name, got): &&(String, Tensor)| {
            let want = definition.get(name);
            let off = want.map(|want| measure::error(got, want, measure::size(want)));
            name.starts_with(TRACE) && matches!(off, Some(Ok(e)) if e.is_nan() || e > 1e-9)
        };
        let first = form.iter().find(differs);
        Ok(first.map(|(n, _)| n[TRACE.len()..].to_owned()))
    }

    /// What is lost where every operation is rounded to f32.
    fn in_f32(&self) -> Result<String> {
        let e = self.off(&single(self.form, self.case, false)?.unwrap_or_default())?;
        if e <= self.bound {
            return Ok("both interpreters, in f64 and in f32, agree with the definition: the back end differs".into());
        }
        match single(self.form, self.case, true)? {
            Err(lost) if !e.is_finite() => Ok(self.lost(&lost)),
            _ => Ok(match self.first_rounded()? {
                Some(v) => format!("digits are lost to rounding in {}", shown(self.form, v)),
                None => "digits are lost to rounding, in a loop".into(),
            }),
        }
    }

    fn lost(&self, e: &EvalError) -> String {
        let what = if e.is_overflow() {
            "f32 overflow"
        } else {
            "in f32 there is no finite result"
        };
        let (f, v) = inside(self.form, &e.at);
        format!("{what} in {}", shown(f, v))
    }

    /// The first value that rounding moves beyond the bound, though none that it is made of is.
    fn first_rounded(&self) -> Result<Option<ValueId>> {
        let all = every(self.form);
        let exact = run(&all, self.case)?;
        let Ok(rounded) = single(&all, self.case, false)? else {
            return Ok(None);
        };
        let mut beyond = vec![false; all.values.len()];
        for ((name, want), (_, got)) in exact.iter().zip(&rounded) {
            let Some(n) = name.strip_prefix(TRACE).and_then(|n| n.parse::<u32>().ok()) else {
                continue;
            };
            let e = measure::error(got, want, measure::size(want))?;
            beyond[n as usize] = e.is_nan() || e > self.bound;
        }
        let first =
            |v: &ValueId| beyond[v.index()] && all.args(*v).iter().all(|a| !beyond[a.index()]);
        Ok(all.ids().find(first))
    }

    /// Is the definition itself ill-conditioned, or beyond f32?
    fn condition(&self) -> Result<String> {
        let alone = single(self.case.definition(), self.case, false)?;
        let lost = |all: &Vec<(String, Tensor)>| {
            let own = all.iter().find(|(n, _)| n == self.name);
            own.is_some_and(|(_, t)| !t.is_finite())
        };
        if alone.as_ref().is_ok_and(lost) {
            return Ok("so does the definition itself where it is computed in f32".into());
        }
        let moved = self.case.moves(self.name)?;
        Ok(match moved > self.bound / 2.0 {
            true => {
                format!("the definition is ill-conditioned there: rounding moves it by {moved:.1e}")
            }
            false => format!(
                "the definition is not ill-conditioned there: rounding moves it by {moved:.1e}"
            ),
        })
    }
}

/// A value and the equation that it is part of.
fn shown(f: &Func, v: ValueId) -> String {
    let text = expression(f, v, &|_| None);
    match equation_of(f, v) {
        Some(name) => format!("`{text}`, in the equation of `{}`", written(&name)),
        None => format!("`{text}`"),
    }
}

/// Where a place leads: into loops.
fn inside<'a>(mut f: &'a Func, at: &[ValueId]) -> (&'a Func, ValueId) {
    let mut v = ValueId(0);
    for (k, id) in at.iter().enumerate() {
        v = *id;
        if let (Op::Scan(scan), true) = (f.op(v), k + 1 < at.len()) {
            f = &scan.body;
        }
    }
    (f, v)
}

fn run(f: &Func, case: &Case) -> Result<Vec<(String, Tensor)>> {
    let programs = Programs::new(Engine::Interp, vec![("traced".into(), f.clone())], 1)?;
    programs.run("traced", &case.given, &case.sizes)
}

/// With every operation rounded to f32; with `stop`, up to the first number that is lost.
fn single(
    f: &Func,
    case: &Case,
    stop: bool,
) -> Result<std::result::Result<Vec<(String, Tensor)>, EvalError>> {
    let mut given = Named::new();
    for p in &f.params {
        let Some(input) = f.input(*p) else { continue };
        if let Some(t) = case.given.get(input.name.as_str())
            && input.kind != InputKind::Formal
        {
            let t = parts::fitted(t, f.ty(*p)).map_err(|e| crate::other(&f.name, e))?;
            given.insert(input.name.as_str().to_owned(), t.into_owned());
        }
    }
    Ok(run_single(f, &given, &case.sizes, stop))
}

const TRACE: &str = "trace.";

/// The program with its named values as results.
fn traced(f: &Func) -> Func {
    let live = f.live();
    let mut seen = HashSet::new();
    let mut out = f.clone();
    for v in f.ids().filter(|v| live[v.index()] && is_one(f, *v)) {
        if let Some(name) = f.value(v).name
            && seen.insert(name)
        {
            out.results.push((format!("{TRACE}{name}"), v));
        }
    }
    out
}

/// The program with all of its values as results, by number.
fn every(f: &Func) -> Func {
    let live = f.live();
    let mut out = f.clone();
    for v in f.ids().filter(|v| live[v.index()] && is_one(f, *v)) {
        out.results.push((format!("{TRACE}{}", v.0), v));
    }
    out
}

/// Is it one value, and made by an operation?
fn is_one(f: &Func, v: ValueId) -> bool {
    !matches!(f.op(v), Op::Scan(_) | Op::Input(_))
}
