//! The certificate: every form of a mixer on every engine against its definition, run by the f64 interpreter.
//!
//! [`subject`] has the definition and what is derived from it; [`lengths`] and [`draw`] say on what it is run;
//! [`cases`] is what the definition makes of it, whose gradient [`reference`] holds to difference quotients and to
//! forward mode; [`steps`] holds prefill, resume and step to the whole, cut by [`cuts`], [`carried`] gradients through states; [`packed`] puts
//! documents in one row; [`exact`] compares over a finite field; [`measure`] says how near is near enough;
//! [`certificate`] is the result.
//!
//! Each form is compiled once and run at all lengths, outputs poisoned with NaN before each run. A failure fails: a
//! form that cannot be derived or compiled is as red as one that is wrong.

mod blame;
mod carried;
mod cases;
mod certificate;
mod cuts;
mod draw;
mod exact;
mod lengths;
mod measure;
mod packed;
mod range;
mod reference;
mod small;
mod steps;
mod subject;

pub use certificate::{Certificate, Row, Worst};
pub use lengths::Extent;
pub use small::small;
pub use subject::{Derived, Part, Subject};

use crate::backend::Backend;
use crate::engine::{Engine, Programs};
use crate::passes::Shapes;
use crate::{Error, Result};
use carried::Carried;
use cases::Case;
use packed::Packed;
use seqc_algebra::Func;
use steps::Steps;

/// How thorough to be, and on what.
#[derive(Clone, Debug)]
pub struct Options {
    pub engines: Vec<Engine>,
    pub shapes: Shapes,
    pub extent: Extent,
    pub threads: usize,
    /// Is told what is being done, for a person who waits.
    pub progress: Option<fn(&str)>,
}

impl Options {
    fn tell(&self, what: &str) {
        if let Some(tell) = self.progress {
            tell(what);
        }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            engines: Engine::all()
                .into_iter()
                .chain([Engine::Narrow(Backend::best())])
                .collect(),
            shapes: Shapes::cpu(),
            extent: Extent::Full,
            threads: 2,
            progress: None,
        }
    }
}

/// Certifies what the compiler derives from a definition.
pub fn verify(subject: &Subject, options: &Options) -> Certificate {
    certify(subject, subject.derive(&options.shapes), options)
}

/// Certifies given programs.
pub fn certify(subject: &Subject, derived: Vec<Derived>, options: &Options) -> Certificate {
    let begun = std::time::Instant::now();
    let s = &options.shapes;
    let mut c = Certificate {
        mixer: subject.name.clone(),
        lengths: lengths::lengths(s, options.extent),
        shapes: [
            ("chunk", s.chunk),
            ("checkpoint", s.checkpoint),
            ("kept", s.tiles.kept),
            ("streamed", s.tiles.streamed),
        ]
        .map(|(n, v)| (n.to_owned(), v))
        .into(),
        ..Certificate::default()
    };
    options.tell(&format!("{}: the definition", subject.name));
    c.rows = reference::rows(subject, &mut c.notes);
    let failed = |form: &str, part: Part, why: Error| {
        let mut row = Row::new(form, Engine::Interp.name(), part);
        row.fail(why);
        row
    };
    let stepped = derived.iter().any(|d| d.part == Part::Step);
    let steps = match stepped.then(|| steps::references(subject, options)) {
        Some(Ok(steps)) => Some(steps),
        Some(Err(why)) => {
            c.rows.push(failed("step", Part::Step, why));
            None
        }
        None => {
            c.notes.push("not causal: no step".into());
            None
        }
    };
    let has = derived.iter().any(|d| d.part == Part::StateGradient);
    let carried = match has.then(|| carried::references(subject, options)) {
        Some(Ok((carried, rows))) => {
            c.rows.extend(rows);
            Some(carried)
        }
        Some(Err(why)) => {
            c.rows.push(carried::failed(why));
            None
        }
        None => None,
    };
    let packed = packed::reference(subject, options);
    if let Ok(None) = packed {
        c.notes
            .push("no two documents that it has meaning for: none packed".into());
    }
    let in_bf16 = (options.engines.iter()).any(|e| matches!(e, Engine::Narrow(_)));
    let narrow = match in_bf16 {
        true => cases::narrow(subject, options),
        false => Ok(vec![]),
    };
    match (cases::cases(subject, options, &mut c.notes), narrow, packed) {
        (Ok(cases), Ok(narrow), Ok(packed)) => {
            let wide = Held {
                cases: &cases,
                steps: steps.as_ref(),
                carried: carried.as_ref(),
                packed: packed.as_ref(),
            };
            let narrow = Held {
                cases: &narrow,
                steps: None,
                carried: None,
                packed: None,
            };
            for engine in &options.engines {
                options.tell(&format!("{}: {}", subject.name, engine.name()));
                let held = match engine {
                    Engine::Narrow(_) => &narrow,
                    _ => &wide,
                };
                let rows = engine_rows(*engine, &derived, held, options);
                c.rows.extend(rows);
            }
        }
        (Err(why), ..) | (_, Err(why), _) | (.., Err(why)) => {
            c.rows.push(failed("definition", Part::Forward, why));
        }
    }
    options.tell(&format!("{}: exactly", subject.name));
    c.rows.extend(exact::rows(subject, &mut c.notes));
    c.seconds = begun.elapsed().as_secs_f64();
    c
}

/// What programs are held to.
struct Held<'a> {
    cases: &'a [Case],
    steps: Option<&'a Steps>,
    carried: Option<&'a Carried>,
    packed: Option<&'a Packed>,
}

/// All rows of one engine.
fn engine_rows(engine: Engine, derived: &[Derived], held: &Held, options: &Options) -> Vec<Row> {
    let mut rows = vec![];
    let mut funcs: Vec<(String, Func)> = vec![];
    let stepped = |part: Part| !matches!(part, Part::Forward | Part::Gradient);
    let narrow = matches!(engine, Engine::Narrow(_));
    for d in derived.iter().filter(|d| !narrow || !stepped(d.part)) {
        match &d.func {
            Ok(f) => funcs.push((d.key(), f.clone())),
            Err(why) => {
                let mut row = Row::new(d.form, engine.name(), d.part);
                row.fail(why);
                rows.push(row);
            }
        }
    }
    let (programs, failed) = Programs::some(engine, funcs, options.threads);
    for d in derived.iter().filter(|d| d.func.is_ok()) {
        let why = match (&programs, failed.iter().find(|(n, _)| *n == d.key())) {
            (_, Some((_, why))) => Some(why.to_string()),
            (Err(why), None) => Some(why.to_string()),
            (Ok(_), None) => None,
        };
        let mut row = Row::new(d.form, engine.name(), d.part);
        match (&programs, why) {
            (_, Some(why)) => row.fail(why),
            (Ok(programs), None) if !stepped(d.part) => {
                compare(programs, d, held.cases, engine, &mut row)
            }
            _ => continue,
        }
        rows.push(row);
        // The interpreter runs a document as it runs a sequence: there is nothing to see.
        if let (Ok(programs), Part::Gradient, Engine::Compiled(_), Some(packed)) =
            (&programs, d.part, engine, held.packed)
            && failed.iter().all(|(n, _)| *n != d.key())
        {
            rows.push(packed.row(programs, d, engine));
        }
    }
    let whole = |part: Part| {
        let has = |d: &&Derived| d.part == part && d.func.is_ok();
        let d = derived.iter().find(has);
        d.is_some_and(|d| failed.iter().all(|(n, _)| *n != d.key()))
    };
    if let (Ok(programs), Some(steps)) = (&programs, held.steps)
        && whole(Part::Prefill)
        && whole(Part::Step)
    {
        rows.extend(steps.rows(programs, engine));
    }
    if let (Ok(programs), Some(carried)) = (&programs, held.carried) {
        rows.extend(carried.rows(programs, engine));
    }
    rows
}

/// One program on every case.
fn compare(programs: &Programs, d: &Derived, cases: &[Case], engine: Engine, row: &mut Row) {
    for case in cases.iter().filter(|c| c.draw.suits(engine)) {
        let results = match programs.run(&d.key(), &case.given, &case.sizes) {
            Ok(results) => results,
            Err(e) => return row.fail(format!("at T={}: {e}", case.length)),
        };
        let wanted = |name: &str| d.part == Part::Gradient || !name.starts_with("grad.");
        if let Some(lost) =
            (case.want.keys()).find(|n| wanted(n.as_str()) && results.iter().all(|(r, _)| r != *n))
        {
            return row.fail(format!("it has no result `{lost}`"));
        }
        for (name, got) in &results {
            match case.compare(name, got, engine) {
                Ok(w) => row.add(w),
                Err(e) => return row.fail(e),
            }
        }
    }
    if !row.green()
        && let (Some(w), Ok(form)) = (&row.worst, &d.func)
        && let Some(case) = cases.iter().find(|c| c.is_of(w))
    {
        row.why = blame::reason(form, case, w, engine);
    }
}

/// The certificate of one item of a file, or of why there is none.
pub fn item(
    source: &crate::frontend::Source,
    item: &str,
    set: &[(String, String)],
    options: &Options,
) -> Result<Certificate> {
    let unbuilt = |why: String| Certificate {
        mixer: item.to_owned(),
        unbuilt: Some(why),
        ..Certificate::default()
    };
    crate::explain::hold_class(source, item)?;
    match small(source, item, set) {
        Ok((e, settings)) => {
            let mut c = verify(&Subject::new(&e)?, options);
            c.settings = settings;
            Ok(c)
        }
        Err(Error::Source(map, diagnostics))
            if diagnostics.iter().all(|d| !d.is_error() || d.code == "N01") =>
        {
            Ok(unbuilt(Error::Source(map, diagnostics).to_string()))
        }
        Err(e) => Err(e),
    }
}
