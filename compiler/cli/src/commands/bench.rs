//! `seqc bench FILE [--json]`: how long training and generation steps take, with the roofline beside them.

use super::{print, settings};
use seqc_abi::Sizes;
use seqc_device::{Pool, Store};
use seqc_driver::backend::Backend;
use seqc_driver::bench::{Roofline, Timed, roofline, time};
use seqc_driver::passes::Form;
use seqc_driver::{Error, build, frontend, model};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    file: PathBuf,
    /// The model, if the file has several.
    #[arg(long)]
    model: Option<String>,
    /// A setting of the model.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Sequences of a training step.
    #[arg(long, default_value_t = 16)]
    batch: u64,
    /// Tokens of a sequence.
    #[arg(long, default_value_t = 256)]
    length: u64,
    /// The form of the training step.
    #[arg(long, value_parser = super::forms(), default_value = "chunked")]
    form: Form,
    /// Seconds for each figure.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Threads; as many as there are cores by default.
    #[arg(long, default_value_t = super::cores(), value_parser = super::threads)]
    threads: usize,
    /// Show the launches that take the most time, this many.
    #[arg(long, default_value_t = 0)]
    launches: usize,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<bool, Error> {
    let source = frontend::open(&args.file)?;
    let name = source.model(args.model.as_deref())?;
    let e = source.elaborate(&name, &settings(&args.set)?)?;
    let backend = Backend::best();
    let training = match e.func.result("loss") {
        Some(_) => Some(model::for_training(&e, args.form, backend)?),
        None => None,
    };
    let generation = match build::is_causal(&e) {
        true => Some(model::for_generation(&e, backend)?),
        false => None,
    };
    let pool = Pool::new(args.threads);
    let mut store = Store::new(0);
    let roof = roofline(&pool)?;
    let sizes = |batch: u64, t: u64| {
        Sizes::from([
            ("batch".to_owned(), batch),
            ("t".to_owned(), t),
            ("cache".to_owned(), args.length),
        ])
    };
    let mut all = Vec::new();
    for (artifact, plan, batch, t) in [
        (&training, "train", args.batch, args.length),
        (&training, "eval", args.batch, args.length),
        (&generation, "prefill", 1, args.length),
        (&generation, "step", 1, 1),
    ] {
        let Some(artifact) = artifact else {
            continue;
        };
        let program = artifact.program(plan).map_err(super::named)?;
        all.push(time(
            &program,
            &sizes(batch, t),
            &mut store,
            &pool,
            args.seconds,
        )?);
    }
    if args.json {
        let json = serde_json::json!({"model": name, "threads": args.threads, "roofline": roof, "plans": all});
        print(&format!("{json}\n"))?;
    } else {
        print(&table(&name, &roof, &all, args.launches))?;
    }
    Ok(true)
}

fn table(model: &str, roof: &Roofline, all: &[Timed], launches: usize) -> String {
    let mut out = format!(
        "{model}; this machine: {:.0} GFLOP/s in products, {:.1} GB/s written\n",
        roof.flops / 1e9,
        roof.bytes / 1e9
    );
    for t in all {
        out += &format!(
            "{:8} {:>3} x {:<5} {:>10.3} ms (+-{:.3})  {:>9.0} tokens/s  {:>7.1} MB of temporaries\n",
            t.plan,
            t.batch,
            t.length,
            t.seconds * 1e3,
            t.spread * 1e3,
            t.tokens_per_second,
            t.arena as f64 / 1e6
        );
        for (name, n, s) in t.launches.iter().take(launches) {
            out += &format!(
                "    {:>9.3} ms {:>5.1} %  {n:>4} x {name}\n",
                s * 1e3,
                100.0 * s / t.seconds
            );
        }
    }
    out
}
