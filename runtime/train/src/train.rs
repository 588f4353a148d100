//! The loop. One step: a batch, the training plan (loss and gradients), clipping, AdamW.
//!
//! Plans' contract: lengths `batch` and `t`; input `tokens` {batch, t} i32; output `loss`, averaged if it has
//! several elements; a gradient buffer for every parameter, of that average. The evaluation plan has `loss` only.

use crate::adamw::grad_norm;
use crate::batch::Group;
use crate::files::{named, write_bytes};
use crate::metrics::Metrics;
use crate::progress::{Progress, Shown};
use crate::{AdamW, Batch, Checkpoint, Corpus, Recipe, Sampler, State, tokenizer_json};
use seqc_device::abi::Sizes;
use seqc_device::{Error, Executor, GradSum, Pool, Program, Result, Store, fail, weights};
use serde_json::{Map, Value, json};
use signal_hook::SigId;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

pub struct TrainOptions {
    pub train: Program,
    /// Without it there is no validation.
    pub eval: Option<Program>,
    pub recipe: Recipe,
    /// A file or a folder of text.
    pub data: PathBuf,
    pub run_dir: PathBuf,
    /// Go on from the newest checkpoint of the run.
    pub resume: bool,
    pub pool: Arc<Pool>,
    /// The model's source, for `model.seq`.
    pub model_seq: String,
    /// What `config.json` says beside what the runtime adds (`model_type`, `recipe`).
    pub config: Map<String, Value>,
    /// The number of tokens that the model knows: larger bytes in the data are refused.
    pub vocab: usize,
    pub quiet: bool,
    /// Ends the run after the present step when it becomes true.
    pub stop: Arc<AtomicBool>,
    /// Make Ctrl-C set `stop` (a second one ends the process at once).
    pub handle_signals: bool,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Done,
    /// `stop` was set.
    Stopped,
    /// The recipe's `seconds` were used up.
    OutOfTime,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub ending: Ending,
    /// Steps done in all.
    pub steps: u64,
    /// Trained values of the model.
    pub parameters: usize,
    /// Of the last step, in nats a token.
    pub loss: f64,
    pub valid_loss: Option<f64>,
    pub seconds: f64,
    pub tokens_per_second: f64,
}

/// Finds before anything is compiled what would keep a run from starting: a recipe without sense, data that is not
/// there, a folder that cannot be a run or already is one (or is none, for one to be resumed).
pub fn can_start(recipe: &Recipe, data: &Path, run_dir: &Path, resume: bool) -> Result<()> {
    recipe.validate()?;
    let found = std::fs::metadata(data).map_err(|e| named(data, &e))?;
    if found.is_file() && found.len() == 0 {
        fail!(
            "{}: there is nothing to train on, it is empty",
            data.display()
        );
    }
    if run_dir.exists() && !run_dir.is_dir() {
        fail!("{}: a file, not a folder for a run", run_dir.display());
    }
    let steps = Checkpoint::of_run(run_dir).steps()?;
    may_go_on(run_dir, &steps, resume)
}

/// A run is neither overwritten nor resumed from nothing.
fn may_go_on(run_dir: &Path, steps: &[u64], resume: bool) -> Result<()> {
    let shown = run_dir.display();
    match (resume, steps.last()) {
        (false, Some(step)) => fail!(
            "{shown} holds a run at step {step}: add --resume to go on, or choose another folder with -o"
        ),
        (true, None) => fail!("{shown} holds no checkpoint to resume from"),
        _ => Ok(()),
    }
}

/// Trains until the recipe, the clock or `stop` ends it; always leaves a checkpoint and `model.safetensors`.
/// `store` is filled by the plans. Errors leave the last checkpoint as it was; nothing is written before the
/// recipe, the data and the plans have been found usable.
pub fn train(options: &TrainOptions, store: &mut Store) -> Result<Summary> {
    let _signals = options
        .handle_signals
        .then(|| Signals::new(&options.stop))
        .transpose()?;
    let mut run = Run::start(options, store)?;
    let done = run.steps(store);
    run.progress.finish();
    let ending = done?;
    let (loss, valid_loss, step) = (run.loss, run.valid_loss, run.step);
    let shown = Shown {
        step,
        loss,
        tokens_per_step: run.batch.tokens.len() as u64,
    };
    let tokens_per_second = run.progress.rate(shown);
    Ok(Summary {
        ending,
        steps: step,
        parameters: store.len(),
        loss,
        valid_loss,
        seconds: run.seconds(),
        tokens_per_second,
    })
}

struct Run<'a> {
    o: &'a TrainOptions,
    corpus: Corpus,
    train: Executor,
    eval: Option<Executor>,
    adam: AdamW,
    sampler: Sampler,
    checkpoint: Checkpoint,
    metrics: Metrics,
    progress: Progress,
    batch: Batch,
    sum: GradSum,
    /// Steps done.
    step: u64,
    loss: f64,
    valid_loss: Option<f64>,
    started: Instant,
    /// Seconds of the resumed run.
    before: f64,
    saved: Option<u64>,
}

impl<'a> Run<'a> {
    fn start(o: &'a TrainOptions, store: &mut Store) -> Result<Run<'a>> {
        let r = &o.recipe;
        r.validate()?;
        let corpus = Corpus::load(&o.data, r.length)?;
        if usize::from(corpus.largest()) >= o.vocab {
            fail!(
                "{}: a byte is {}, the model knows {} tokens",
                o.data.display(),
                corpus.largest(),
                o.vocab
            );
        }
        let sizes = sizes(r.batch, r.length);
        let train = Executor::new(&o.train, &sizes, store, &o.pool)?;
        let wanted = o
            .eval
            .as_ref()
            .filter(|_| r.eval_every > 0 && r.eval_batches > 0);
        let eval = wanted
            .map(|p| Executor::new(p, &sizes, store, &o.pool))
            .transpose()?;
        let mut adam = AdamW::new(store);
        let checkpoint = Checkpoint::of_run(&o.run_dir);
        let state = resume(o, &checkpoint, &corpus, store, &mut adam)?;
        let (step, before) = state.map_or((0, 0.0), |s| (s.step, s.seconds));
        std::fs::create_dir_all(&o.run_dir).map_err(|e| named(&o.run_dir, &e))?;
        write_about(o)?;
        let metrics = Metrics::open(&o.run_dir.join("metrics.jsonl"), step)?;
        Ok(Run {
            o,
            corpus,
            train,
            eval,
            adam,
            sampler: Sampler::new(r.seed),
            checkpoint,
            metrics,
            progress: Progress::new(step, r.steps, o.quiet),
            batch: Batch::new(r.batch, r.length, r.packed),
            sum: GradSum::default(),
            step,
            loss: f64::NAN,
            valid_loss: None,
            started: Instant::now(),
            before,
            saved: (step > 0).then_some(step),
        })
    }

    fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }

    fn steps(&mut self, store: &mut Store) -> Result<Ending> {
        let r = &self.o.recipe;
        let ending = loop {
            if self.step >= r.steps {
                break Ending::Done;
            }
            if self.o.stop.load(Ordering::Relaxed) {
                break Ending::Stopped;
            }
            if r.seconds.is_some_and(|s| self.seconds() >= s) {
                break Ending::OutOfTime;
            }
            self.one(store)?;
            if r.eval_every > 0 && (self.step.is_multiple_of(r.eval_every) || self.step == r.steps)
            {
                self.validate(store)?;
            }
            if r.save_every > 0 && self.step.is_multiple_of(r.save_every) {
                self.save(store)?;
            }
        };
        if ending != Ending::Done && self.step > 0 && self.valid_loss.is_none() {
            self.validate(store)?;
        }
        self.save(store)?;
        if ending == Ending::Stopped {
            self.progress.note(&format!(
                "stopped after step {}; --resume goes on from here",
                self.step
            ));
        }
        Ok(ending)
    }

    /// One step of training.
    fn one(&mut self, store: &mut Store) -> Result<()> {
        let r = &self.o.recipe;
        self.sampler
            .fill(self.step, &self.corpus.train, &mut self.batch);
        let loss = self.gradients(store)?;
        let norm = grad_norm(store, &self.o.pool);
        if !(loss.is_finite() && norm.is_finite()) {
            let kept = self.saved.map_or("nothing is saved yet".to_owned(), |s| {
                format!("the checkpoint of step {s} is kept")
            });
            fail!(
                "step {}: the loss is {loss}, the gradient's norm {norm}; {kept}. A smaller `lr` or a longer `warmup` may help",
                self.step + 1
            );
        }
        let scale = if r.clip > 0.0 && norm > r.clip {
            r.clip / norm
        } else {
            1.0
        };
        let lr = r.lr_at(self.step);
        self.adam.update(store, r, self.step, scale, &self.o.pool)?;
        self.step += 1;
        self.loss = loss;
        let shown = Shown {
            step: self.step,
            loss,
            tokens_per_step: self.batch.tokens.len() as u64,
        };
        self.metrics.line(&json!({
            "step": self.step, "loss": loss, "lr": lr, "grad_norm": norm,
            "tokens": self.step * self.batch.tokens.len() as u64,
            "seconds": self.seconds(), "tokens_per_second": self.progress.rate(shown),
        }))?;
        self.progress.step(shown);
        Ok(())
    }

    /// Leaves the batch's gradients in the store; gives the loss, a mean over the batch's predictions.
    fn gradients(&mut self, store: &mut Store) -> Result<f64> {
        let (seed, step) = (self.o.recipe.seed, self.step as u32);
        let groups = self.batch.groups();
        if groups.is_empty() {
            fail!(
                "step {}: no document of this batch has two tokens; leave out `packed`, or join the documents",
                self.step + 1
            );
        }
        self.sum.clear();
        let mut loss = 0.0;
        for (part, g) in groups.iter().enumerate() {
            // Everywhere else `training` stays 0.
            let ready = |x: &mut Executor| {
                if x.has_input("training") {
                    x.set_input("training", &[1.0f32][..])?;
                }
                x.draw_noise(seed, step, part)
            };
            loss += g.share * run_group(&mut self.train, store, g, ready)?;
            if groups.len() > 1 {
                self.sum.add(store, g.share as f32, &self.o.pool);
            }
        }
        if groups.len() > 1 {
            self.sum.put(store);
        }
        Ok(loss)
    }

    fn validate(&mut self, store: &mut Store) -> Result<()> {
        let Some(eval) = &mut self.eval else {
            return Ok(());
        };
        let r = &self.o.recipe;
        let mut sum = 0.0;
        for i in 0..r.eval_batches {
            Sampler::spread(i, r.eval_batches, &self.corpus.valid, &mut self.batch);
            for g in &self.batch.groups() {
                sum += g.share * run_group(eval, store, g, |_| Ok(()))?;
            }
        }
        let loss = sum / r.eval_batches as f64;
        self.valid_loss = Some(loss);
        self.progress.valid(loss);
        self.metrics.line(&json!({
            "step": self.step, "valid_loss": loss, "valid_bits_per_byte": loss / std::f64::consts::LN_2,
        }))
    }

    fn save(&mut self, store: &Store) -> Result<()> {
        if self.saved == Some(self.step) {
            return Ok(());
        }
        let r = &self.o.recipe;
        let data = format!("{:016x}", self.corpus.fingerprint());
        let state = State {
            step: self.step,
            seed: r.seed,
            seconds: self.seconds(),
            data,
            recipe: r.clone(),
        };
        self.checkpoint.save(store, &self.adam, &state)?;
        write_bytes(
            &self.o.run_dir.join("model.safetensors"),
            &weights::of_store(store)?,
        )?;
        self.saved = Some(self.step);
        Ok(())
    }
}

/// Reads the newest checkpoint if the run is to be resumed; refuses to overwrite one otherwise.
fn resume(
    o: &TrainOptions,
    all: &Checkpoint,
    corpus: &Corpus,
    store: &mut Store,
    adam: &mut AdamW,
) -> Result<Option<State>> {
    let shown = o.run_dir.display();
    may_go_on(&o.run_dir, &all.steps()?, o.resume)?;
    if !o.resume {
        return Ok(None);
    }
    let Some(state) = all.load(store, adam)? else {
        return Ok(None);
    };
    let r = &o.recipe;
    let told = |r: &Recipe| {
        [
            ("seed", r.seed.to_string()),
            ("batch", r.batch.to_string()),
            ("length", r.length.to_string()),
            ("packed", r.packed.to_string()),
        ]
    };
    let changed = told(r).into_iter().zip(told(&state.recipe));
    if let Some(((name, now), (_, then))) = changed.into_iter().find(|(a, b)| a != b) {
        fail!(
            "{shown} was trained with {name} = {then}, now it is {now}: the resumed run would be another one"
        );
    }
    if format!("{:016x}", corpus.fingerprint()) != state.data {
        fail!(
            "{}: the data is not what {shown} was trained on",
            o.data.display()
        );
    }
    Ok(Some(state))
}

/// The files that say what the run is.
fn write_about(o: &TrainOptions) -> Result<()> {
    let mut config = o.config.clone();
    config.entry("model_type").or_insert(json!("seqc"));
    config.entry("vocab_size").or_insert(json!(o.vocab));
    let recipe = serde_json::to_value(&o.recipe).map_err(|e| Error(format!("config.json: {e}")))?;
    config.insert("recipe".to_owned(), recipe);
    write_bytes(
        &o.run_dir.join("config.json"),
        format!("{:#}\n", Value::Object(config)).as_bytes(),
    )?;
    write_bytes(
        &o.run_dir.join("tokenizer.json"),
        tokenizer_json().as_bytes(),
    )?;
    write_bytes(&o.run_dir.join("model.seq"), o.model_seq.as_bytes())
}

/// Runs a plan on the sequences of one length; gives their loss.
fn run_group(
    plan: &mut Executor,
    store: &mut Store,
    g: &Group,
    ready: impl FnOnce(&mut Executor) -> Result<()>,
) -> Result<f64> {
    plan.set_lengths(&sizes(g.count(), g.length))?;
    plan.set_input("tokens", &g.tokens[..])?;
    ready(plan)?;
    plan.run(store)?;
    Ok(mean(&plan.output("loss")?))
}

fn sizes(batch: usize, length: usize) -> Sizes {
    Sizes::from([
        ("batch".to_owned(), batch as u64),
        ("t".to_owned(), length as u64),
    ])
}

fn mean(x: &[f32]) -> f64 {
    x.iter().map(|&x| f64::from(x)).sum::<f64>() / x.len() as f64
}

/// Ctrl-C sets a flag while this lives; when the flag is already set, it ends the process.
struct Signals(Vec<SigId>);

impl Signals {
    fn new(stop: &Arc<AtomicBool>) -> Result<Signals> {
        use signal_hook::{consts, flag};
        let failed = |e: std::io::Error| Error(format!("handling signals: {e}"));
        let mut ids = Signals(Vec::new());
        for signal in [consts::SIGINT, consts::SIGTERM] {
            // First look whether it is the second time, then set the flag: handlers run in this order.
            ids.0.push(
                flag::register_conditional_shutdown(signal, 130, stop.clone()).map_err(failed)?,
            );
            ids.0
                .push(flag::register(signal, stop.clone()).map_err(failed)?);
        }
        Ok(ids)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.0.drain(..).for_each(|id| {
            signal_hook::low_level::unregister(id);
        });
    }
}
