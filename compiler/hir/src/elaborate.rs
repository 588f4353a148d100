//! The entry points: elaborate one mixer with given settings; check all mixers of a file.
//!
//! A mixer by itself has free sizes (`d` of `x: seq{d}`); they are given as settings, or the first size is taken
//! for which every default is whole.

use crate::call::Given;
use crate::elab::{Elab, Limit};
use crate::program::Program;
use crate::reach::{Look, Reach};
use crate::recipe::{self, Recipe};
use crate::scope::Scope;
use crate::stat::Stat;
use crate::tidy::compact;
use crate::value::{Dyn, Home, Instance, Val};
use seqc_algebra::{Axis, Elem, Func, InputKind, Ty};
use seqc_syntax::ast::{Mixer, MixerKind, Port};
use seqc_syntax::{Diagnostic, Span, did_you_mean};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

/// Sizes tried for free axes.
const CANDIDATES: &[usize] = &[64, 128, 96, 192, 256, 384, 512, 768, 60];
/// Stack of the elaborating thread: mixers nest, expressions nest, and both are bounded.
const STACK: usize = 256 << 20;

/// How an output looks along each clock it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Causality {
    pub output: String,
    /// The clock the output runs on, if it is a sequence.
    pub clock: Option<String>,
    /// By clock, in order of name.
    pub looks: BTreeMap<String, Look>,
}

impl Causality {
    /// Along its own clock; an output without one looks at everything.
    pub fn own(&self) -> Look {
        match &self.clock {
            Some(c) => self.looks.get(c).copied().unwrap_or(Look::Causal),
            None => Look::Whole,
        }
    }
}

/// A setting as resolved.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    Number(Stat),
    Mixer(String),
}

/// An input of integers: which axis they count positions of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    pub input: String,
    pub axis: String,
    pub size: usize,
}

/// A mixer as a program.
#[derive(Clone, Debug)]
pub struct Elaborated {
    pub name: String,
    pub model: bool,
    /// Inputs: data by name, parameters by path. Results: outputs by name, `objective.NAME`, and `loss`.
    pub func: Func,
    pub outputs: Vec<String>,
    pub causality: Vec<Causality>,
    pub recipe: Option<Recipe>,
    /// The `///` lines.
    pub docs: Vec<(String, Span)>,
    /// What `class:` in the doc lines claims.
    pub class: Option<(String, Span)>,
    /// Settings and free sizes, in header order.
    pub settings: Vec<(String, Setting)>,
    /// Where each named value and parameter is defined.
    pub spans: HashMap<String, Span>,
    pub vocabularies: Vec<Vocabulary>,
    /// Lengths beyond which the mixer has no meaning.
    pub limits: Vec<Limit>,
    /// Names and types of the body, in order.
    pub types: Vec<(String, String)>,
    pub warnings: Vec<Diagnostic>,
}

/// Elaborates `item` with settings by name (`h` = `4`, `f` = `gla`). Errors: everything that `check` finds for
/// these settings, E24 for settings it does not have, N01 for constructs that are not built yet.
pub fn elaborate(
    program: &Program,
    item: &str,
    settings: &[(String, String)],
) -> Result<Elaborated, Vec<Diagnostic>> {
    deep(|| {
        match program
            .own()
            .into_iter()
            .find(|i| program.mixer(*i).name.text == item)
        {
            Some(id) => run(program, id, settings, false),
            None => Err(vec![no_item(program, item)]),
        }
    })
}

/// Checks every mixer and recipe of the file: errors, and warnings (N01) for what cannot be built yet.
pub fn check(program: &Program) -> Vec<Diagnostic> {
    let mut all: Vec<Diagnostic> = Vec::new();
    let add = |all: &mut Vec<Diagnostic>, d: Diagnostic| {
        if !all.iter().any(|o| o.code == d.code && same_place(o, &d)) {
            all.push(d);
        }
    };
    for id in program.own() {
        for d in check_item(program, id) {
            add(&mut all, d);
        }
    }
    for r in program.recipes() {
        for d in recipe::check(r, program).err().unwrap_or_default() {
            add(&mut all, d);
        }
    }
    all
}

/// The same place, or the same circle entered elsewhere.
fn same_place(a: &Diagnostic, b: &Diagnostic) -> bool {
    let places = |d: &Diagnostic| -> HashSet<Span> {
        let labels = d.secondary.iter().chain([&d.primary]);
        labels.map(|l| l.span).collect()
    };
    a.primary.span == b.primary.span || a.code == "E26" && places(a) == places(b)
}

/// Checks one mixer.
pub fn check_item(program: &Program, id: usize) -> Vec<Diagnostic> {
    deep(|| match run(program, id, &[], true) {
        Ok(done) => done.warnings,
        Err(diags) => diags,
    })
}

pub(crate) fn no_item(program: &Program, item: &str) -> Diagnostic {
    let own = program.own();
    let names: Vec<&str> = own
        .iter()
        .map(|i| program.mixer(*i).name.text.as_str())
        .collect();
    let file = program.modules.first().map(|m| m.file).unwrap_or_default();
    let d = Diagnostic::error(
        "E03",
        format!("this file has no mixer `{item}`"),
        Span::new(file, 0, 0),
    );
    match did_you_mean(item, names.iter().copied()) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d.help(format!("it has {}", names.join(", "))),
    }
}

/// Runs on a stack of its own, so that deep programs do not depend on the caller's.
fn deep<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, f);
        match thread.map(|t| t.join()) {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // Without a thread there is no memory to go on with.
            Err(e) => panic!("no thread to elaborate on: {e}"),
        }
    })
}

fn run(
    program: &Program,
    id: usize,
    settings: &[(String, String)],
    checking: bool,
) -> Result<Elaborated, Vec<Diagnostic>> {
    let mixer = program.mixer(id);
    let free = free_axes(mixer);
    let unset = free.iter().any(|n| !settings.iter().any(|(k, _)| k == n));
    let mut size = CANDIDATES[0];
    if unset {
        size = CANDIDATES
            .iter()
            .copied()
            .find(|k| header_is_whole(program, id, settings, *k))
            .unwrap_or(size);
    }
    let mut el = Elab::new(program, &mixer.name.text, checking);
    el.stack.push((id, mixer.name.span));
    let done = whole(&mut el, id, settings, size);
    let said = std::mem::take(&mut el.diags);
    // An error in a line that no output needs is an error all the same.
    match done {
        Some(done) if !said.iter().any(Diagnostic::is_error) => Ok(Elaborated {
            warnings: said,
            ..done
        }),
        _ => Err(said),
    }
}

/// Header axes that are no settings.
fn free_axes(mixer: &Mixer) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let ranges = mixer
        .inputs
        .iter()
        .filter_map(|p| p.ty.seq.as_ref().and_then(|q| q.range.as_ref()));
    for n in mixer
        .group
        .iter()
        .chain(mixer.inputs.iter().flat_map(|p| &p.ty.axes))
        .chain(ranges)
    {
        let base = n.base().to_owned();
        if !mixer.hypers.iter().any(|h| h.name.text == base) && !out.contains(&base) {
            out.push(base);
        }
    }
    out
}

/// Would the header's defaults be whole at this size?
fn header_is_whole(
    program: &Program,
    id: usize,
    settings: &[(String, String)],
    size: usize,
) -> bool {
    let mut el = Elab::new(program, "probe", true);
    el.stack.push((id, program.mixer(id).name.span));
    header(&mut el, id, settings, size).is_some() && !el.diags.iter().any(Diagnostic::is_error)
}

/// The scope of a mixer that is elaborated by itself.
fn header<'p>(
    el: &mut Elab<'p>,
    id: usize,
    settings: &[(String, String)],
    size: usize,
) -> Option<Scope<'p>> {
    let program = el.program;
    let mixer = program.mixer(id);
    let mut s = Scope::new(program.items[id].module, mixer, Home::default());
    for clock in Elab::header_clocks(mixer) {
        s.clocks.insert(
            clock.as_str().to_owned(),
            Axis::len(clock.as_str(), clock.as_str()),
        );
    }
    s.clocks.entry("t".into()).or_insert(Axis::time());
    s.taken.extend(s.clocks.keys().cloned());
    s.taken.insert("batch".into());
    let free = free_axes(mixer);
    let mut given: Given = Vec::new();
    let mut ok = true;
    for (name, text) in settings {
        let value = Stat::parse(text);
        if let Some(free) = free.iter().find(|n| *n == name) {
            match value.and_then(Stat::as_size).filter(|n| *n > 0) {
                Some(n) => {
                    s.axes.insert(free.clone(), vec![Axis::new(free, n)]);
                }
                None => {
                    el.report(Diagnostic::error(
                        "E28",
                        format!("`{name}` is a size, `{text}` is none"),
                        mixer.name.span,
                    ));
                    ok = false;
                }
            }
        } else if mixer.hypers.iter().any(|h| h.name.text == *name) {
            let v = match (value, program.lookup(s.module, text)) {
                (Some(st), _) => Val::Stat(st),
                (None, Some(item)) => Val::Mixer(Rc::new(Instance {
                    item,
                    given: vec![],
                    home: None,
                })),
                (None, None) => {
                    el.report(
                        Diagnostic::error(
                            "E28",
                            format!("`{text}` is neither a number nor a mixer"),
                            mixer.name.span,
                        )
                        .note(format!("given for the setting `{name}`")),
                    );
                    ok = false;
                    continue;
                }
            };
            given.push((name.clone(), v, mixer.name.span));
        } else {
            el.no_setting(mixer, name, mixer.name.span);
            ok = false;
        }
    }
    for n in free {
        s.axes
            .entry(n.clone())
            .or_insert_with(|| vec![Axis::new(&n, size)]);
    }
    el.settings(&mut s, mixer, given, mixer.name.span)?;
    ok.then_some(s)
}

fn whole<'p>(
    el: &mut Elab<'p>,
    id: usize,
    settings: &[(String, String)],
    size: usize,
) -> Option<Elaborated> {
    let program = el.program;
    let mixer = program.mixer(id);
    let mut s = header(el, id, settings, size)?;
    let mut vocabularies = Vec::new();
    for port in &mixer.inputs {
        let v = data(el, &mut s, port)?;
        if let Some([axis]) = v.index.as_deref()
            && let Some(size) = axis.size.constant()
        {
            vocabularies.push(Vocabulary {
                input: port.name.text.clone(),
                axis: axis.name.as_str().to_owned(),
                size,
            });
        }
        el.types.push((port.name.text.clone(), el.shown(&v)));
        s.bind(&port.name.text, Val::Dyn(v), port.name.span);
    }
    let wanted: HashSet<String> = mixer.outputs.iter().map(|p| p.name.text.clone()).collect();
    el.body(&mut s, &mixer.body.stmts, &wanted);
    let mut causality = Vec::new();
    let mut missing = false;
    for port in &mixer.outputs {
        match result(el, &mut s, port) {
            Some(c) => causality.push(c),
            None => missing = true,
        }
    }
    objectives(el)?;
    if missing && !el.checking {
        return None;
    }
    let frame = el.frames.truncate_to_first();
    let func = compact(&frame);
    let recipe = match program.recipe(&mixer.name.text) {
        Some(r) if mixer.kind == MixerKind::Model => match recipe::check(r, program) {
            Ok(r) => Some(r),
            Err(diags) => {
                diags.into_iter().for_each(|d| el.report(d));
                return None;
            }
        },
        _ => None,
    };
    let docs = program.docs(id);
    let class = docs.iter().find_map(|(text, span)| {
        text.split_once("class:")
            .map(|(_, c)| (c.trim().to_owned(), *span))
    });
    Some(Elaborated {
        name: mixer.name.text.clone(),
        model: mixer.kind == MixerKind::Model,
        func,
        outputs: mixer.outputs.iter().map(|p| p.name.text.clone()).collect(),
        causality,
        recipe,
        docs,
        class,
        settings: resolved(mixer, &s, program),
        spans: std::mem::take(&mut el.spans),
        vocabularies,
        limits: std::mem::take(&mut el.limits),
        types: std::mem::take(&mut el.types),
        warnings: vec![],
    })
}

/// One input: `{batch, clock, axes}`; integers for `seq<vocab>`.
fn data<'p>(el: &mut Elab<'p>, s: &mut Scope<'p>, port: &'p Port) -> Option<Dyn> {
    let mut axes = vec![Axis::batch()];
    let mut reach = Reach::default();
    if let Some(q) = &port.ty.seq {
        if let Some(k) = q.clock.as_ref().filter(|k| k.divisor.is_some()) {
            el.not_built("an input at a coarser clock", k.span);
            return None;
        }
        let clock = s
            .clocks
            .get(q.clock.as_ref().map_or("t", |k| k.name.text.as_str()))
            .copied()?;
        axes.push(clock);
        reach = Reach::input(clock);
    }
    axes.extend(el.new_axes(s, &port.ty.axes)?);
    let range = port.ty.seq.as_ref().and_then(|q| q.range.as_ref());
    let elem = if range.is_some() {
        Elem::Int
    } else {
        Elem::Real
    };
    let mut v = el.input(&port.name.text, InputKind::Data, Ty { elem, axes }, reach);
    if let Some(n) = range {
        v.index = Some(el.new_axis(s, n)?);
    }
    Some(v)
}

/// One output, with the batch and its clock even if it does not change along them.
fn result<'p>(el: &mut Elab<'p>, s: &mut Scope<'p>, port: &'p Port) -> Option<Causality> {
    let v = el.output(s, port)?;
    let mut all = vec![Axis::batch()];
    let clock = port.ty.seq.as_ref().map(|q| {
        q.clock
            .as_ref()
            .map_or("t", |k| k.name.text.as_str())
            .to_owned()
    });
    let time = clock.as_ref().and_then(|k| s.clocks.get(k)).copied();
    all.extend(time);
    let reach = v.reach.clone();
    let v = el.expand(&v, &all, port.span)?;
    el.frames[0].b.result(&port.name.text, v.id);
    let looks = reach
        .looks(time)
        .into_iter()
        .map(|(c, l)| (c.as_str().to_owned(), l))
        .collect();
    Some(Causality {
        output: port.name.text.clone(),
        clock,
        looks,
    })
}

/// `objective.NAME` each, and their sum.
fn objectives(el: &mut Elab) -> Option<()> {
    let list = std::mem::take(&mut el.objectives);
    let mut total: Option<Dyn> = None;
    for (name, v) in list {
        el.frames[0].b.result(&format!("objective.{name}"), v.id);
        let span = Span::default();
        total = Some(match total {
            None => v,
            Some(t) => el.map2(seqc_algebra::MapFn::Add, &t, &v, span)?,
        });
    }
    if let Some(t) = total {
        el.frames[0].b.result("loss", t.id);
    }
    Some(())
}

/// Free sizes, then settings in header order.
fn resolved(mixer: &Mixer, s: &Scope, program: &Program) -> Vec<(String, Setting)> {
    let mut out = Vec::new();
    for n in free_axes(mixer) {
        if let Some([axis]) = s.axes.get(&n).map(Vec::as_slice)
            && let Some(size) = axis.size.constant()
        {
            out.push((n, Setting::Number(Stat::int(size as i128))));
        }
    }
    for h in &mixer.hypers {
        let name = h.name.text.clone();
        if let Some(st) = s.statics.get(&name) {
            out.push((name, Setting::Number(st.value)));
        } else if let Some(crate::scope::Binding::Val(Val::Mixer(m))) =
            s.names.get(&name).map(|n| &n.binding)
            && m.item != crate::call::ANY_MIXER
        {
            out.push((
                name,
                Setting::Mixer(program.mixer(m.item).name.text.clone()),
            ));
        }
    }
    out
}

/// Takes the program out of the frames.
trait First {
    fn truncate_to_first(&mut self) -> Func;
}

impl First for Vec<crate::elab::Frame> {
    fn truncate_to_first(&mut self) -> Func {
        self.truncate(1);
        self.pop().map(|f| f.b.finish()).unwrap_or_default()
    }
}

/// As `--set` takes it.
impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Setting::Number(n) => n.fmt(f),
            Setting::Mixer(m) => f.write_str(m),
        }
    }
}

impl Elaborated {
    /// Is it the path of a parameter, or below one (a part of a complex parameter)?
    pub fn has_parameter(&self, path: &str) -> bool {
        let inputs = self.func.params.iter().filter_map(|p| self.func.input(*p));
        inputs
            .filter(|i| matches!(i.kind, InputKind::Param { .. }))
            .any(|i| {
                let rest = path.strip_prefix(i.name.as_str());
                rest.is_some_and(|r| r.is_empty() || r.starts_with('.'))
            })
    }

    /// E22 unless `output` reads nothing later than now: what `generate` needs.
    pub fn require_causal(&self, output: &str) -> Result<(), Diagnostic> {
        let span = self.spans.get(output).copied().unwrap_or_default();
        let Some(c) = self.causality.iter().find(|c| c.output == output) else {
            return Err(Diagnostic::error(
                "E22",
                format!("`generate` needs a causal output, there is no `{output}`"),
                span,
            ));
        };
        let how = match c.own() {
            Look::Causal => return Ok(()),
            Look::Ahead(n) => format!("looks {n} step{} ahead", if n == 1 { "" } else { "s" }),
            Look::Whole => "looks ahead without bound".to_owned(),
        };
        let d = Diagnostic::error(
            "E22",
            format!("`generate` needs causal {output}; `{output}` {how}"),
            span,
        );
        Err(d.help("bound every sum over time by `j <= i`, and read no later step"))
    }

    /// E23: the documented class is not the derived one; `why` is the equation that decides.
    pub fn class_mismatch(&self, derived: &str, why: &str, at: Option<Span>) -> Option<Diagnostic> {
        let (claimed, span) = self.class.as_ref()?;
        let d = Diagnostic::error(
            "E23",
            format!("documented class `{claimed}`, derived `{derived}`"),
            *span,
        )
        .note(why);
        Some(match at {
            Some(at) => d.secondary(at, "because of this"),
            None => d,
        })
    }
}
