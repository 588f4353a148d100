//! The loop. One step: a batch, the training plan (loss and gradients), clipping, AdamW.
//!
//! Plans' contract: lengths `batch` and `t`; input `tokens` {batch, t} i32; output `loss`, averaged if it has
//! several elements; a gradient buffer for every parameter, of that average. The evaluation plan has `loss` only.

use crate::adamw::grad_norm;
use crate::batch::Group;
use crate::files::write;
use crate::metrics::Metrics;
use crate::progress::{Progress, Shown};
use crate::{AdamW, Batch, Checkpoint, Claim, Corpus, Recipe, Sampler, State, tokenizer_json};
use seqc_device::abi::Sizes;
use seqc_device::{Error, Executor, GradSum, Pool, Program, Result, Store, fail, weights};
use serde_json::{Map, Value, json};
use signal_hook::SigId;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

pub struct TrainOptions {
    pub train: Program,
    /// Without it there is no validation.
    pub eval: Option<Program>,
    pub recipe: Recipe,
    /// The text, and where it came from.
    pub corpus: Corpus,
    pub data: PathBuf,
    /// The run's folder, ours while this lives.
    pub claim: Claim,
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
    /// There was nothing left to do.
    DoneBefore,
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
    /// Of the last step, in nats a token; none before the first.
    pub loss: Option<f64>,
    pub valid_loss: Option<f64>,
    pub seconds: f64,
    pub tokens_per_second: f64,
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
    let tokens_per_second = run.progress.rate(run.shown(0.0));
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
    corpus: &'a Corpus,
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
    loss: Option<f64>,
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
        let corpus = &o.corpus;
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
        if wanted.is_some() {
            enough_to_validate(r, corpus)?;
        }
        let eval = wanted
            .map(|p| Executor::new(p, &sizes, store, &o.pool))
            .transpose()?;
        let mut adam = AdamW::new(store);
        let checkpoint = Checkpoint::of_run(o.claim.folder());
        let state = resume(o, &checkpoint, corpus, store, &mut adam)?;
        let (step, before) = state.as_ref().map_or((0, 0.0), |s| (s.step, s.seconds));
        write_about(o)?;
        let metrics = Metrics::open(&o.claim.folder().join("metrics.jsonl"), step)?;
        let limit = r.seconds.map(|s| s - before);
        let run = Run {
            o,
            corpus,
            train,
            eval,
            adam,
            sampler: Sampler::new(r.seed),
            checkpoint,
            metrics,
            progress: Progress::new(step, r.steps, limit, o.quiet),
            batch: Batch::new(r.batch, r.length, r.packed),
            sum: GradSum::default(),
            step,
            loss: state.as_ref().and_then(|s| s.loss),
            valid_loss: state.as_ref().and_then(|s| s.valid_loss),
            started: Instant::now(),
            before,
            saved: state.as_ref().map(|s| s.step),
        };
        if let Some(state) = &state {
            // Whoever was killed between a checkpoint and these weights left those of an earlier save, or none.
            run.publish(store)?;
            run.tell_steps(state);
        }
        Ok(run)
    }

    /// Another number of steps is another schedule from here on.
    fn tell_steps(&self, then: &State) {
        let (was, is) = (then.recipe.steps, self.o.recipe.steps);
        if was != is {
            self.progress.note(&format!(
                "note: `steps` was {was} and is {is}: from step {} on the learning rate follows the new one",
                self.step
            ));
        }
    }

    fn shown(&self, loss: f64) -> Shown {
        Shown {
            step: self.step,
            loss,
            tokens_per_step: self.batch.tokens.len() as u64,
        }
    }

    fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }

    fn steps(&mut self, store: &mut Store) -> Result<Ending> {
        let r = &self.o.recipe;
        if self.o.claim.resumes() && self.step >= r.steps {
            return Ok(Ending::DoneBefore);
        }
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
            return self.not_finite(
                store,
                &format!("the loss is {loss}, the gradient's norm {norm}"),
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
        self.loss = Some(loss);
        let shown = self.shown(loss);
        self.metrics.line(&json!({
            "step": self.step, "loss": loss, "lr": lr, "grad_norm": norm,
            "tokens": self.step * self.batch.tokens.len() as u64,
            "seconds": self.seconds(), "tokens_per_second": self.progress.rate(shown),
        }))?;
        self.progress.step(shown);
        Ok(())
    }

    /// The error of a step whose numbers are none: says which tensor was the first such.
    fn not_finite(&mut self, store: &mut Store, what: &str) -> Result<()> {
        let kept = self.saved.map_or("nothing is saved yet".to_owned(), |s| {
            format!("the checkpoint of step {s} is kept")
        });
        let mut first = None;
        for (part, g) in self.batch.groups().iter().enumerate() {
            prepare(&mut self.train, g)?;
            for_training(&mut self.train, self.o.recipe.seed, self.step, part)?;
            first = first.or(self.train.first_not_finite(store)?);
        }
        let first = first.map_or(String::new(), |f| format!("; the first of it: {f}"));
        fail!(
            "step {}: {what}{first}; {kept}. A smaller `lr` or a longer `warmup` may help",
            self.step + 1
        )
    }

    /// Leaves the batch's gradients in the store; gives the loss, a mean over the batch's predictions.
    fn gradients(&mut self, store: &mut Store) -> Result<f64> {
        let (seed, step) = (self.o.recipe.seed, self.step);
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
            prepare(&mut self.train, g)?;
            for_training(&mut self.train, seed, step, part)?;
            loss += g.share * run_group(&mut self.train, store)?;
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
                prepare(eval, g)?;
                let loss = run_group(eval, store)?;
                if !loss.is_finite() {
                    let first = eval.first_not_finite(store)?.unwrap_or_default();
                    fail!(
                        "step {}: the validation loss is {loss}; the first of it: {first}",
                        self.step
                    );
                }
                sum += g.share * loss;
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
            loss: self.loss,
            valid_loss: self.valid_loss,
            data,
            recipe: r.clone(),
        };
        self.checkpoint.save(store, &self.adam, &state)?;
        self.publish(store)?;
        self.saved = Some(self.step);
        Ok(())
    }

    /// The weights for others to read: always those of the newest checkpoint.
    fn publish(&self, store: &Store) -> Result<()> {
        let path = self.o.claim.folder().join("model.safetensors");
        write(&path, &weights::of_store(store)?)
    }
}

/// Reads the newest checkpoint if the run is to be resumed. Errors: what it was trained by or on is not what is given.
fn resume(
    o: &TrainOptions,
    all: &Checkpoint,
    corpus: &Corpus,
    store: &mut Store,
    adam: &mut AdamW,
) -> Result<Option<State>> {
    let shown = o.claim.folder().display();
    if !o.claim.resumes() {
        return Ok(None);
    }
    let Some(state) = all.load(store, adam)? else {
        return Ok(None);
    };
    if let Some((name, now, then)) = o.recipe.another(&state.recipe) {
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
    let folder = o.claim.folder();
    let mut config = o.config.clone();
    config.entry("model_type").or_insert(json!("seqc"));
    config.entry("vocab_size").or_insert(json!(o.vocab));
    let recipe = serde_json::to_value(&o.recipe).map_err(|e| Error(format!("config.json: {e}")))?;
    config.insert("recipe".to_owned(), recipe);
    write(
        &folder.join("config.json"),
        format!("{:#}\n", Value::Object(config)).as_bytes(),
    )?;
    write(&folder.join("tokenizer.json"), tokenizer_json().as_bytes())?;
    write(&folder.join("model.seq"), o.model_seq.as_bytes())
}

/// Gives a plan the sequences of one length.
fn prepare(plan: &mut Executor, g: &Group) -> Result<()> {
    plan.set_lengths(&sizes(g.count(), g.length))?;
    plan.set_input("tokens", &g.tokens[..])
}

/// What only a step of training has; everywhere else `training` stays 0.
fn for_training(plan: &mut Executor, seed: u64, step: u64, part: usize) -> Result<()> {
    if plan.has_input("training") {
        plan.set_input("training", &[1.0f32][..])?;
    }
    plan.draw_noise(seed, step as u32, part)
}

/// Runs a plan on what it was given; gives the loss.
fn run_group(plan: &mut Executor, store: &mut Store) -> Result<f64> {
    plan.run(store)?;
    Ok(mean(&plan.output("loss")?))
}

/// Are there as many rows held out as a validation looks at? A single batch is always fine.
fn enough_to_validate(r: &Recipe, corpus: &Corpus) -> Result<()> {
    let places = (corpus.valid.bytes.len() + 1).saturating_sub(r.length);
    let most = places.div_ceil(r.batch);
    if r.eval_batches > most {
        fail!(
            "recipe: `eval_batches` is {}, of `batch` = {} rows each: that is more than there is. \
             The text that is held out has {places} places for a row, so `eval_batches` is at most {most}",
            r.eval_batches,
            r.batch
        );
    }
    Ok(())
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
