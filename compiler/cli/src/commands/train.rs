//! `seqc train FILE --data PATH [-o RUN] [--resume] [--set k=v]…`

use super::settings;
use seqc_device::{Pool, Store};
use seqc_driver::backend::{Backend, load};
use seqc_driver::passes::{Form, Shapes};
use seqc_driver::{Error, build, frontend};
use seqc_hir::{Optimizer, Schedule};
use seqc_train::{Recipe, TrainOptions, train};
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
    /// A setting of the model, or of its recipe (batch, length, steps, lr, seed, seconds, …).
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

pub fn run(args: &Args) -> Result<bool, Error> {
    let named = |e: &dyn std::fmt::Display| Error::Other(e.to_string());
    let source = frontend::open(&args.file)?;
    let model = source.model(args.model.as_deref())?;
    let (recipe_set, model_set): (Vec<_>, Vec<_>) = settings(&args.set)?
        .into_iter()
        .partition(|(k, _)| is_recipe(k));
    let e = source.elaborate(&model, &model_set)?;
    let mut recipe = e.recipe.as_ref().map(recipe_of).unwrap_or_default();
    for (k, v) in &recipe_set {
        recipe = with(&recipe, k, v)?;
    }
    let backend = Backend::best();
    let built = build::model(
        &e,
        Form::Chunked,
        &Shapes::cpu(),
        backend.lanes(),
        &mut vec![],
    )?;
    let folder = tempfile::tempdir().map_err(|e| named(&e))?;
    let artifact = load(&built, backend, &folder.path().join("artifact"))?;
    let program = |n: &str| artifact.program(n).map_err(|e| named(&e));
    let mut store = Store::new(recipe.seed);
    let options = TrainOptions {
        train: program("train")?,
        eval: Some(program("eval")?),
        recipe,
        data: args.data.clone(),
        run_dir: args.out.clone(),
        resume: args.resume,
        pool: Pool::new(args.threads),
        model_seq: source
            .texts()
            .into_iter()
            .next()
            .map(|(_, t)| t)
            .unwrap_or_default(),
        config: serde_json::Map::new(),
        vocab: e.vocabularies.first().map_or(256, |v| v.size),
        quiet: false,
        stop: Arc::new(AtomicBool::new(false)),
        handle_signals: true,
    };
    let done = train(&options, &mut store).map_err(|e| named(&e))?;
    let valid = done
        .valid_loss
        .map_or_else(|| "-".into(), |v| format!("{v:.4}"));
    println!(
        "{} steps, {:.0} s, {:.0} tokens/s; loss {:.4}, validation {valid}",
        done.steps, done.seconds, done.tokens_per_second, done.loss
    );
    Ok(true)
}

/// Settings of recipes, by the names that [`with`] takes.
fn is_recipe(key: &str) -> bool {
    let all = serde_json::to_value(Recipe::default()).unwrap_or_default();
    all.as_object().is_some_and(|o| o.contains_key(key))
}

fn with(recipe: &Recipe, key: &str, value: &str) -> Result<Recipe, Error> {
    let bad = |e: serde_json::Error| Error::Other(format!("`--set {key}={value}`: {e}"));
    let mut all = serde_json::to_value(recipe).map_err(bad)?;
    let value: serde_json::Value = serde_json::from_str(value).map_err(bad)?;
    if let Some(o) = all.as_object_mut() {
        o.insert(key.to_owned(), value);
    }
    serde_json::from_value(all).map_err(bad)
}

fn recipe_of(r: &seqc_hir::Recipe) -> Recipe {
    let Optimizer::AdamW {
        lr,
        beta1,
        beta2,
        eps,
        decay,
    } = r.optimizer;
    let (warmup, floor) = match r.schedule {
        Schedule::Cosine { warmup, floor } => (warmup, floor),
        Schedule::Constant => (0, 1.0),
    };
    Recipe {
        lr,
        beta1,
        beta2,
        eps,
        decay,
        warmup,
        floor,
        batch: r.batch as usize,
        length: r.length as usize,
        steps: r.steps,
        clip: r.clip.unwrap_or(0.0),
        seed: r.seed,
        eval_every: r.eval_every,
        eval_batches: r.eval_batches as usize,
        seconds: r.seconds,
        ..Recipe::default()
    }
}
