//! `seqc generate RUN [--prompt S] [-n N] [--temperature T] [--top-k K] [--top-p P] [--seed S]`

use crate::terminal::tell;
use seqc_device::Pool;
use seqc_driver::backend::Backend;
use seqc_driver::{Error, model, run};
use seqc_generate::{Generation, Generator, Model, Sampler, Sampling};
use seqc_hir::Elaborated;
use seqc_syntax::Diagnostic;
use seqc_train::{Checkpoint, tokenizer_of_run};
use std::ffi::OsString;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Args)]
pub struct Args {
    /// The folder that `seqc train` made.
    run: PathBuf,
    /// The text to go on from, byte by byte. It is not printed again. An empty one is taken for a line's end, as if
    /// a new line were to begin.
    #[arg(long, default_value = "")]
    prompt: OsString,
    /// Bytes to write.
    #[arg(short, long, default_value_t = 256)]
    n: usize,
    /// Divides the logits; 0 takes the likeliest byte always.
    #[arg(long, default_value_t = 1.0, value_parser = temperature, allow_negative_numbers = true)]
    temperature: f64,
    /// Draw among so many of the likeliest bytes only; 0 for all.
    #[arg(long, default_value_t = 0)]
    top_k: usize,
    /// Draw among the likeliest bytes that together are this probable, above 0 and at most 1.
    #[arg(long, default_value_t = 1.0, value_parser = share, allow_negative_numbers = true)]
    top_p: f64,
    /// The same seed gives the same text.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// What compiles the model.
    #[arg(long, value_enum, default_value_t)]
    backend: super::Code,
    /// Threads; as many as there are cores by default.
    #[arg(long, default_value_t = super::cores(), value_parser = super::threads)]
    threads: usize,
}

fn temperature(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(t) if t >= 0.0 && t.is_finite() => Ok(t),
        _ => Err("a temperature is a number, at least 0".into()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(p) if p > 0.0 && p <= 1.0 => Ok(p),
        _ => Err("a share is a number above 0 and at most 1".into()),
    }
}

pub fn run(args: &Args) -> Result<bool, Error> {
    let from = run::open(&args.run)?;
    tokenizer_of_run(&args.run).map_err(super::named)?;
    let e = from.elaborate()?;
    let text = model::text(&e)?;
    let in_source = |d: Diagnostic| Error::Source(Box::new(from.source.map.clone()), vec![d]);
    e.require_causal(&text.output).map_err(in_source)?;
    let prompt = tokens(args, text.vocab)?;
    long_enough(&e, prompt.len().saturating_add(args.n))?;
    let weights = args.run.join("model.safetensors");
    if !weights.exists() {
        return Err(Error::Other(format!(
            "{}: not there; the run has saved no weights yet",
            weights.display()
        )));
    }
    if let Some(step) = Checkpoint::of_run(&args.run).newer_than(&weights) {
        tell(&format!(
            "warning: {} is not of the newest checkpoint, that of step {step}; `seqc train … --resume` writes it\n",
            weights.display()
        ));
    }
    let artifact = model::for_generation(&e, Backend::from(args.backend))?;
    let program = |n: &str| artifact.program(n).map_err(super::named);
    let model = Model {
        prefill: program("prefill")?,
        step: program("step")?,
        resume: None,
        input: text.input,
        output: text.output,
    };
    let mut generator = Generator::new(model, Pool::new(args.threads)).map_err(super::named)?;
    generator
        .load(&weights, &|name| e.has_parameter(name))
        .map_err(super::named)?;
    let mut sampler = Sampler::new(Sampling {
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
        seed: args.seed,
    })
    .map_err(super::named)?;
    let start = Instant::now();
    let mut going = generator.start(&prompt, args.n).map_err(super::named)?;
    let prefill = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let written = write(&mut going, &mut sampler, args.n)?;
    let steps = start.elapsed().as_secs_f64();
    let rate = |n: usize, s: f64| n as f64 / s.max(1e-9);
    tell(&format!(
        "prompt: {} tokens, {:.0} tokens/s; generation: {written} tokens, {:.0} tokens/s\n",
        prompt.len(),
        rate(prompt.len(), prefill),
        rate(written, steps)
    ));
    Ok(true)
}

/// The prompt's bytes as tokens. Before a text there is the end of a line.
fn tokens(args: &Args, vocab: usize) -> Result<Vec<i32>, Error> {
    let bytes = args.prompt.as_encoded_bytes();
    if bytes.is_empty() {
        let start = if vocab > usize::from(b'\n') { b'\n' } else { 0 };
        return Ok(vec![i32::from(start)]);
    }
    match bytes.iter().position(|b| usize::from(*b) >= vocab) {
        Some(at) => Err(Error::Other(format!(
            "--prompt: byte {} is {} (0x{:02x}), the model knows the bytes below {vocab} only",
            at + 1,
            bytes[at],
            bytes[at]
        ))),
        None => Ok(bytes.iter().copied().map(i32::from).collect()),
    }
}

/// Refuses texts longer than the model has a meaning for.
fn long_enough(e: &Elaborated, len: usize) -> Result<(), Error> {
    match e.limits.iter().find(|l| l.clock == "t" && l.most < len) {
        Some(l) => Err(Error::Other(format!(
            "prompt and -n make {len} bytes, `{}` reads at most {}",
            e.name, l.most
        ))),
        None => Ok(()),
    }
}

/// Draws `n` bytes and writes each as it comes; gives how many. A reader that has gone away ends it.
fn write(going: &mut Generation, sampler: &mut Sampler, n: usize) -> Result<usize, Error> {
    let mut out = std::io::stdout().lock();
    let mut written = 0;
    while written < n {
        // A token beyond 255 is no byte: models with more tokens draw among the bytes.
        let bytes = going.logits().len().min(256);
        let token = sampler
            .pick(&going.logits()[..bytes], going.len())
            .map_err(super::named)?;
        match out.write_all(&[token as u8]).and_then(|()| out.flush()) {
            Err(e) if e.kind() == ErrorKind::BrokenPipe => return Ok(written),
            done => done.map_err(|e| Error::Other(format!("standard output: {e}")))?,
        }
        written += 1;
        if written < n {
            going.push(token as i32).map_err(super::named)?;
        }
    }
    if out.is_terminal() {
        let _seen_by_a_person = writeln!(out);
    }
    Ok(written)
}
