//! The cost report of a mixer: class and why, forms and what is missing, costs as formulas, state, parameters.
//!
//! Everything is read off the elaborated program and off the derived program of each form: no number here is a
//! table's. The text and the table are in [`render`] and [`table`]; this module is data, which is also the JSON.

mod costs;
mod render;
mod table;

pub use render::render;
pub use table::{Certificates, entries, table};

use crate::build;
use crate::frontend::Source;
use crate::passes::{self, Form, Shapes};
use crate::{Error, Result};
use seqc_algebra::{Func, InputKind};
use seqc_derive::report::{Class, Equation, Kind, equations, time_invariant, whole};
use seqc_derive::words::written;
use seqc_hir::{Elaborated, Look};
use seqc_syntax::{Diagnostic, Span};
use serde::Serialize;
use std::collections::HashSet;

/// A place in the spec: file, line from 1, and the line's text.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    pub file: String,
    pub line: u32,
    pub text: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct Remark {
    pub text: String,
    pub at: Option<Place>,
}

#[derive(Clone, Debug, Serialize)]
pub struct MissingForm {
    pub form: &'static str,
    pub why: String,
    pub at: Option<Place>,
}

#[derive(Clone, Debug, Serialize)]
pub struct TimeEquation {
    pub names: Vec<String>,
    /// How many layers of a `repeat` have it.
    pub layers: usize,
    pub kind: &'static str,
    pub class: &'static str,
    pub backward: bool,
    pub time_invariant: bool,
    pub why: Vec<Remark>,
    pub forms: Vec<&'static str>,
    pub missing: Vec<MissingForm>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Output {
    pub name: String,
    /// `causal`, `lookahead n` or `bidirectional`, by clock.
    pub looks: Vec<(String, String)>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Parameter {
    pub path: String,
    pub shape: Vec<(String, usize)>,
    pub complex: bool,
    pub count: usize,
}

/// Operations and bytes at one length.
#[derive(Clone, Debug, Serialize)]
pub struct AtLength {
    pub length: u64,
    pub flops: f64,
    pub bytes: f64,
    /// Operations a byte.
    pub intensity: f64,
}

/// What one form costs for one sequence. Formulas in lengths (T, one letter for each other clock).
#[derive(Clone, Debug, Serialize)]
pub struct FormCost {
    pub form: &'static str,
    pub products: String,
    pub pointwise: String,
    pub flops: String,
    pub bytes: String,
    pub at: Vec<AtLength>,
}

/// From this length on, `less` takes fewer operations than `more`.
#[derive(Clone, Debug, Serialize)]
pub struct Crossover {
    pub less: &'static str,
    pub more: &'static str,
    pub from: u64,
}

/// One step of generation; formulas in N, the positions that the cache can hold.
#[derive(Clone, Debug, Serialize)]
pub struct Generation {
    pub flops: String,
    /// Before the first step, for all of them.
    pub flops_once: String,
    pub state_bytes: String,
    /// Bytes that every further token adds to the state; 0: the state is of fixed size.
    pub bytes_per_token: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub name: String,
    pub model: bool,
    /// Lines of its definition, header to closing brace.
    pub lines: usize,
    pub at: Option<Place>,
    pub settings: Vec<(String, String)>,
    pub class: &'static str,
    pub qualities: Vec<String>,
    pub documented: Option<String>,
    pub outputs: Vec<Output>,
    pub equations: Vec<TimeEquation>,
    pub parameters: Vec<Parameter>,
    pub parameter_count: usize,
    /// Steps in a chunk, rows and columns of a tile, in the formulas below.
    pub chunk: usize,
    pub tile: [usize; 2],
    pub forms: Vec<FormCost>,
    pub crossovers: Vec<Crossover>,
    pub generation: std::result::Result<Generation, String>,
    pub warnings: Vec<String>,
}

/// The report of one mixer.
pub fn report(source: &Source, e: &Elaborated, shapes: &Shapes) -> Result<Report> {
    let wrong = |why: seqc_derive::DeriveError| Error::Other(format!("{}: {why}", e.name));
    let func = build::outputs(e)?;
    let found = equations(&func).map_err(wrong)?;
    let class = whole(&found);
    let places = Places { source, e };
    let costs = costs::costs(e, &func, &found, shapes);
    let parameters = parameters(e);
    let mut warnings = places.warnings(&found);
    warnings.extend(costs.warnings);
    Ok(Report {
        name: e.name.clone(),
        model: e.model,
        lines: places.lines(),
        at: places.header(),
        settings: e
            .settings
            .iter()
            .map(|(n, v)| (n.clone(), v.to_string()))
            .collect(),
        class: class.word(),
        qualities: qualities(e, &func, &found),
        documented: e.class.as_ref().map(|(c, _)| c.clone()),
        outputs: outputs(e),
        equations: layers(found.iter().map(|q| places.equation(q))),
        parameter_count: parameters.iter().map(|p| p.count).sum(),
        parameters,
        chunk: shapes.chunk,
        tile: [shapes.tiles.kept, shapes.tiles.streamed],
        forms: costs.forms,
        crossovers: costs.crossovers,
        generation: costs.generation,
        warnings,
    })
}

/// The time equations of one mixer, with their reasons: what of [`report`] needs no form.
pub fn reasons(source: &Source, e: &Elaborated) -> Result<Vec<TimeEquation>> {
    let wrong = |why: seqc_derive::DeriveError| Error::Other(format!("{}: {why}", e.name));
    let found = equations(&build::outputs(e)?).map_err(wrong)?;
    let places = Places { source, e };
    Ok(layers(found.iter().map(|q| places.equation(q))))
}

/// What a user pays for forms that do not exist; [`report`] repeats it with the reasons.
pub fn warnings(source: &Source, e: &Elaborated, shapes: &Shapes) -> Result<Vec<String>> {
    let wrong = |why: seqc_derive::DeriveError| Error::Other(format!("{}: {why}", e.name));
    let func = build::outputs(e)?;
    let found = equations(&func).map_err(wrong)?;
    let mut all = Places { source, e }.warnings(&found);
    if found.iter().any(|q| q.forms.contains(&"chunked"))
        && let Ok(f) = passes::forward(&func, Form::Chunked, shapes, &mut vec![])
    {
        all.extend(costs::square_values(&f));
    }
    Ok(all)
}

fn outputs(e: &Elaborated) -> Vec<Output> {
    e.causality
        .iter()
        .map(|c| Output {
            name: c.output.clone(),
            looks: c
                .looks
                .iter()
                .map(|(k, l)| (k.clone(), l.to_string()))
                .collect(),
        })
        .collect()
}

fn parameters(e: &Elaborated) -> Vec<Parameter> {
    let mut all = Vec::new();
    for p in &e.func.params {
        let Some(input) = e.func.input(*p) else {
            continue;
        };
        if !matches!(input.kind, InputKind::Param { .. }) {
            continue;
        }
        let ty = e.func.ty(*p);
        let shape: Vec<(String, usize)> = ty
            .axes
            .iter()
            .filter_map(|a| Some((a.name.as_str().to_owned(), a.size.constant()?)))
            .collect();
        all.push(Parameter {
            path: input.name.as_str().to_owned(),
            complex: ty.elem == seqc_algebra::Elem::Complex,
            count: shape.iter().map(|(_, n)| n).product(),
            shape,
        });
    }
    all
}

/// What a `class:` line may say beside the class.
fn qualities(e: &Elaborated, func: &Func, found: &[Equation]) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(c) = e.causality.first().filter(|c| c.clock.is_some()) {
        all.push(c.own().to_string());
    }
    if time_invariant(func, found) {
        all.push("time-invariant".into());
    }
    all
}

/// E23 if the documented class, or a quality beside it, is not the derived one.
pub fn class_mismatch(e: &Elaborated) -> Result<Option<Diagnostic>> {
    let Some((claimed, _)) = &e.class else {
        return Ok(None);
    };
    let wrong = |why: seqc_derive::DeriveError| Error::Other(format!("{}: {why}", e.name));
    let func = build::outputs(e)?;
    let found = equations(&func).map_err(wrong)?;
    let class = whole(&found);
    let truth = qualities(e, &func, &found);
    let mut words = claimed.split(',').map(str::trim);
    let named = words.next().and_then(Class::by_word);
    let rest_true = words.all(|w| truth.iter().any(|t| t == w));
    if named == Some(class) && rest_true {
        return Ok(None);
    }
    let mut derived = vec![class.word().to_owned()];
    derived.extend(truth);
    let (why, at) = deciding(e, &found, class);
    let d = e.class_mismatch(&derived.join(", "), &why, at);
    let words: Vec<&str> = Class::ALL.iter().map(|(_, w, _)| *w).collect();
    Ok(d.map(|d| match named {
        None => d.help(format!("the first word is one of: {}", words.join(", "))),
        Some(_) => d,
    }))
}

/// E23 for each mixer of the file whose documented class is not the one that it has by itself. What does not elaborate
/// by itself has none.
pub fn documented(source: &Source) -> Vec<Diagnostic> {
    let items = source.items().into_iter().map(|(name, _)| name);
    let wrong = items.filter(|n| source.documents_class(n)).map(|n| {
        let e = source.elaborate(&n, &[]).ok()?;
        class_mismatch(&e).ok()?
    });
    wrong.flatten().collect()
}

/// The same of one mixer, as an error.
pub fn hold_class(source: &Source, item: &str) -> Result<()> {
    if !source.documents_class(item) {
        return Ok(());
    }
    let mismatch = source.elaborate(item, &[]).ok();
    match mismatch.map(|e| class_mismatch(&e)).transpose()?.flatten() {
        Some(d) => Err(Error::Source(Box::new(source.map.clone()), vec![d])),
        None => Ok(()),
    }
}

/// The reason of the equation that makes the class what it is.
fn deciding(e: &Elaborated, found: &[Equation], class: Class) -> (String, Option<Span>) {
    let reason = found
        .iter()
        .filter(|q| q.class == class)
        .chain(found)
        .flat_map(|q| &q.why)
        .next();
    match reason {
        Some(r) => (r.text.clone(), r.at.as_ref().and_then(|n| span_of(e, n))),
        None => ("no equation of it looks at another time".into(), None),
    }
}

/// Where a name of the spec is defined; a state's earlier step (`S.1`) is where the state is.
fn span_of(e: &Elaborated, name: &str) -> Option<Span> {
    let whole = || {
        name.rsplit_once('.')
            .filter(|(_, n)| n.bytes().all(|b| b.is_ascii_digit()))
    };
    let own = e.spans.get(name);
    own.or_else(|| e.spans.get(whole()?.0)).copied()
}

/// Paths with `*` for the index of a layer: `layers.0.mix.M` is `layers.*.mix.M`.
fn layerless(text: &str) -> String {
    let parts: Vec<&str> = text.split('.').collect();
    let index = |k: usize| {
        let inside = k > 0 && k + 1 < parts.len();
        let path = |p: &str, end: bool| {
            let c = if end {
                p.chars().last()
            } else {
                p.chars().next()
            };
            c.is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '*')
        };
        inside
            && !parts[k].is_empty()
            && parts[k].bytes().all(|b| b.is_ascii_digit())
            && path(parts[k - 1], true)
            && path(parts[k + 1], false)
    };
    let shown = |k: usize| if index(k) { "*" } else { parts[k] };
    (0..parts.len()).map(shown).collect::<Vec<_>>().join(".")
}

/// Equations that differ in their layer only, once.
fn layers(all: impl Iterator<Item = TimeEquation>) -> Vec<TimeEquation> {
    let mut out: Vec<TimeEquation> = Vec::new();
    for q in all {
        let same = |o: &&mut TimeEquation| {
            let why = |q: &TimeEquation| q.why.iter().map(|w| w.text.clone()).collect::<Vec<_>>();
            o.names == q.names && o.class == q.class && o.forms == q.forms && why(o) == why(&q)
        };
        match out.iter_mut().find(same) {
            Some(o) => o.layers += 1,
            None => out.push(q),
        }
    }
    out
}

struct Places<'a> {
    source: &'a Source,
    e: &'a Elaborated,
}

impl Places<'_> {
    fn place(&self, span: Span) -> Place {
        let map = &self.source.map;
        let line = map.line(span.file, span.start);
        let text = map.text(span.file).lines().nth(line as usize - 1);
        Place {
            file: map.name(span.file).to_owned(),
            line,
            text: text.unwrap_or_default().trim().to_owned(),
        }
    }

    fn of(&self, name: &Option<String>) -> Option<Place> {
        let name = name.as_ref()?;
        span_of(self.e, name).map(|s| self.place(s))
    }

    fn item(&self) -> Option<Span> {
        let program = &self.source.program;
        let id = program
            .own()
            .into_iter()
            .find(|i| program.mixer(*i).name.text == self.e.name)?;
        Some(program.mixer(id).span)
    }

    fn header(&self) -> Option<Place> {
        self.item().map(|s| self.place(s))
    }

    fn lines(&self) -> usize {
        self.item()
            .map_or(0, |s| self.source.map.slice(s).trim().lines().count())
    }

    fn equation(&self, q: &Equation) -> TimeEquation {
        TimeEquation {
            names: q.names.iter().map(|n| layerless(n)).collect(),
            layers: 1,
            kind: q.kind.word(),
            class: q.class.word(),
            backward: q.backward,
            time_invariant: q.fixed,
            why: q
                .why
                .iter()
                .map(|r| Remark {
                    text: r.text.clone(),
                    at: self.of(&r.at),
                })
                .collect(),
            forms: q.forms.clone(),
            missing: q
                .missing
                .iter()
                .map(|m| MissingForm {
                    form: m.form,
                    why: m.why.clone(),
                    at: self.of(&m.at),
                })
                .collect(),
        }
    }

    /// What a user pays for a form that does not exist.
    fn warnings(&self, found: &[Equation]) -> Vec<String> {
        let mut all = Vec::new();
        let slow = |q: &&Equation| !q.forms.contains(&"chunked") && !q.convolved;
        for q in found.iter().filter(slow) {
            let names: Vec<&str> = q.names.iter().map(|n| written(n)).collect();
            let name = names.join(", ");
            match q.kind {
                Kind::Recurrence => all.push(format!(
                    "`{name}` trains in a sequential loop over time: it has no chunked form"
                )),
                Kind::Matrix => all.push(format!(
                    "`{name}` is stored whole, T×T: it has no tiled form"
                )),
                Kind::Kernel if q.forms.contains(&"matrix") => all.push(format!(
                    "`{name}` is summed over all pairs of times, T×T: no transform applies"
                )),
                Kind::Kernel | Kind::Window | Kind::Reduction | Kind::Read => {}
            }
        }
        if let Look::Whole | Look::Ahead(_) = self
            .e
            .causality
            .first()
            .filter(|c| c.clock.is_some())
            .map_or(Look::Causal, |c| c.own())
        {
            all.push("it looks ahead: it can be trained, and cannot generate".into());
        }
        let mut seen = HashSet::new();
        all.retain(|w| seen.insert(w.clone()));
        all
    }
}
