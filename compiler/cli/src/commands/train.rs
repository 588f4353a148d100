//! `seqc train FILE --data PATH [-o RUN] [--resume] [--set k=v]…`
//!
//! What is trained is the run's own `model.seq`: the file with everything that it reaches, and nothing beside.

mod recipe;

use super::settings;
use seqc_device::{Pool, Store};
use seqc_driver::backend::Backend;
use seqc_driver::explain::hold_class;
use seqc_driver::passes::Form;
use seqc_driver::{Error, frontend, model, run};
use seqc_hir::{Elaborated, Inlined};
use seqc_train::{Claim, Corpus, Ending, Recipe, Summary, TrainOptions, train};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

#[derive(clap::Args)]
pub struct Args {
    file: PathBuf,
    /// A file or a folder of text.
    #[arg(long)]
    data: PathBuf,
    /// Where the run goes.
    #[arg(short, long, default_value = "runs/latest")]
    out: PathBuf,
    /// The model, if the file has several.
    #[arg(long)]
    model: Option<String>,
    /// Go on from the newest checkpoint.
    #[arg(long)]
    resume: bool,
    /// A setting of the model, or of its recipe (batch, length, steps, lr, seed, seconds, …); `model.NAME` and
    /// `recipe.NAME` where both have one.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// What compiles the model.
    #[arg(long, value_enum, default_value_t)]
    backend: super::Code,
    /// Threads; as many as there are cores by default.
    #[arg(long, default_value_t = super::cores(), value_parser = super::threads)]
    threads: usize,
}

pub fn run(args: &Args) -> Result<bool, Error> {
    let (made, e, recipe) = prepared(args)?;
    let claim = Claim::take(&recipe, &args.data, &args.out, args.resume).map_err(super::named)?;
    if args.resume {
        same_model(args, &e)?;
    }
    let corpus = Corpus::load(&args.data, recipe.length).map_err(super::named)?;
    let artifact = model::for_training(&e, Form::Chunked, Backend::from(args.backend))?;
    let program = |n: &str| artifact.program(n).map_err(super::named);
    let mut store = Store::new(recipe.seed);
    let options = TrainOptions {
        train: program("train")?,
        eval: Some(program("eval")?),
        recipe,
        corpus,
        data: args.data.clone(),
        claim,
        pool: Pool::new(args.threads),
        config: run::config(&made),
        model_seq: made.text,
        vocab: e.vocabularies.first().map_or(256, |v| v.size),
        quiet: false,
        stop: Arc::new(AtomicBool::new(false)),
        handle_signals: true,
    };
    let done = train(&options, &mut store).map_err(super::named)?;
    super::print(&told(args, &done))?;
    Ok(true)
}

/// How a run ended, in a line.
fn told(args: &Args, done: &Summary) -> String {
    let number = |n: Option<f64>| n.map_or_else(|| "-".into(), |n| format!("{n:.4}"));
    let (loss, valid) = (number(done.loss), number(done.valid_loss));
    match done.ending {
        Ending::DoneBefore => format!(
            "{} was done before, after {} steps; loss {loss}, validation {valid}\n",
            args.out.display(),
            done.steps
        ),
        _ => format!(
            "{} steps, {:.0} s, {:.0} tokens/s; loss {loss}, validation {valid}\n",
            done.steps, done.seconds, done.tokens_per_second
        ),
    }
}

/// The model as a file by itself, elaborated from that file, and its recipe with the settings given.
fn prepared(args: &Args) -> Result<(Inlined, Elaborated, Recipe), Error> {
    let source = frontend::open(&args.file)?;
    let name = source.model(args.model.as_deref())?;
    let known = source.settings_of(&name);
    hold_class(&source, &name)?;
    let (of_recipe, of_model) = recipe::sorted(settings(&args.set)?, &known)?;
    // First as the user wrote it, so that diagnostics point there.
    let written = source
        .elaborate(&name, &of_model)
        .map_err(|e| recipe::or_of_recipe(e, &of_model))?;
    let recipe = recipe::of(written.recipe.as_ref(), &of_recipe)?;
    let text = model::text(&written)?;
    if text.input != "tokens" {
        return Err(Error::Other(format!(
            "`{name}` calls its text `{}`; a model that is trained calls it `tokens`",
            text.input
        )));
    }
    let short = |l: &&seqc_hir::Limit| l.clock == "t" && l.most < recipe.length;
    if let Some(l) = written.limits.iter().find(short) {
        return Err(Error::Other(format!(
            "recipe: `length` is {}, `{name}` reads at most {}",
            recipe.length, l.most
        )));
    }
    super::warn(&source, &written)?;
    let made = source.inline(&name, &of_model)?;
    let e = frontend::of_text("model.seq", &made.text)?.elaborate(&made.name, &made.settings)?;
    Ok((made, e, recipe))
}

/// Refuses to go on with another model than the run's.
fn same_model(args: &Args, e: &Elaborated) -> Result<(), Error> {
    let then = run::open(&args.out)?.elaborate()?;
    if then.func == e.func {
        return Ok(());
    }
    Err(Error::Other(format!(
        "{} is a run of another model than {} with these settings: compare its model.seq and config.json",
        args.out.display(),
        args.file.display()
    )))
}
