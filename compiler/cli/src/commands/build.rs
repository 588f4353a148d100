//! `seqc build FILE`: compile to an artifact folder; with `--emit`, show the stages of the compilation.
//!
//! Everything is computed before anything is written, so that a failure leaves nothing partial.

use super::{last_of_each, print, setting, write_whole};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use seqc_driver::Error;
use seqc_driver::emit::{self, Job};
use seqc_driver::explain::hold_class;
use seqc_driver::frontend::{self, Source};
use seqc_driver::package::package;
use seqc_driver::passes::Form;
use seqc_driver::stage::Stage;
use seqc_driver::target::Target;
use seqc_driver::timings::Record;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    file: PathBuf,
    /// The artifact's folder (its place in the cache is printed without one); with --emit, where the texts go.
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What to compile for: `cpu` (this machine's), `cpu=ARCH`, `cuda=ARCH`.
    #[arg(long, value_parser = Target::named)]
    target: Option<Target>,
    /// Show these stages instead of making an artifact.
    #[arg(long, value_name = "STAGE", value_delimiter = ',', value_parser = stages())]
    emit: Vec<Stage>,
    /// Only this mixer or model of the file.
    #[arg(long)]
    mixer: Option<String>,
    /// How the mixers are computed.
    #[arg(long, default_value = "chunked", value_parser = super::forms())]
    form: Form,
    /// The gradient too: of a model its training program, of a mixer its gradient from cotangents of its outputs.
    #[arg(long)]
    grad: bool,
    /// A setting of the mixer.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    /// Write how long each stage took: one JSON object a line.
    #[arg(long, value_name = "FILE")]
    timings: Option<PathBuf>,
}

fn stages() -> impl TypedValueParser<Value = Stage> {
    PossibleValuesParser::new(Stage::all().map(Stage::name))
        .try_map(|name| Stage::named(&name).ok_or("no such stage"))
}

pub fn run(args: &Args) -> Result<bool, Error> {
    for stage in &args.emit {
        emit::suits(*stage, args.target).map_err(Error::Usage)?;
    }
    let mut record = Record::default();
    let name = args.file.display().to_string();
    let source = record.time(&name, Stage::Ast, || frontend::open(&args.file))?;
    if args.emit.is_empty() {
        artifact(args, &source, &mut record)?;
    } else {
        show(args, &source, &mut record)?;
    }
    if let Some(file) = &args.timings {
        write_whole(file, &record.to_json_lines())?;
    }
    Ok(true)
}

fn job(args: &Args, item: &str) -> Job {
    Job {
        item: item.to_owned(),
        set: last_of_each(args.set.clone()),
        form: args.form,
        grad: args.grad,
        target: args.target,
    }
}

fn artifact(args: &Args, source: &Source, record: &mut Record) -> Result<(), Error> {
    let item = source.one(args.mixer.as_deref())?;
    let job = job(args, &item);
    hold_class(source, &item)?;
    let e = record.time_passes(&item, "hir", |_| source.elaborate(&item, &job.set))?;
    super::warn(source, &e)?;
    let made = package(source, &e, &job, record, args.out.as_deref())?;
    match &args.out {
        Some(_) => Ok(()),
        None => print(&format!("{}\n", made.display())),
    }
}

/// A stage's text, and whose it is.
struct Shown {
    name: String,
    stage: Stage,
    text: String,
}

fn show(args: &Args, source: &Source, record: &mut Record) -> Result<(), Error> {
    let mut all = vec![];
    if args.emit.contains(&Stage::Ast) {
        let stem = args.file.file_stem().unwrap_or_default();
        all.push(Shown {
            name: stem.to_string_lossy().into_owned(),
            stage: Stage::Ast,
            text: emit::ast(source),
        });
    }
    if args.emit.iter().any(|s| !s.is_of_file()) {
        for item in source.chosen(args.mixer.as_deref())? {
            hold_class(source, &item)?;
            let texts = emit::texts(source, &job(args, &item), &args.emit, record)?;
            all.extend(texts.into_iter().map(|(stage, text)| Shown {
                name: item.clone(),
                stage,
                text,
            }));
        }
    }
    match &args.out {
        Some(folder) => save(&all, folder),
        None => print(&joined(&all)),
    }
}

/// One text as it is; several with a comment line before each.
fn joined(all: &[Shown]) -> String {
    if let [one] = all {
        return one.text.clone();
    }
    let with_title = |s: &Shown| {
        let (comment, stage) = (s.stage.comment(), s.stage.name());
        format!("{comment} {}: {stage}\n{}\n", s.name, s.text.trim_end())
    };
    all.iter().map(with_title).collect::<Vec<_>>().join("\n")
}

fn save(all: &[Shown], folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder)
        .map_err(|e| Error::Other(format!("{}: {e}", folder.display())))?;
    all.iter().try_for_each(|s| {
        let file = folder.join(format!("{}.{}", s.name, s.stage.extension()));
        write_whole(&file, &s.text)
    })
}
