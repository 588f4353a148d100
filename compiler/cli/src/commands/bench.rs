//! `seqc bench FILE [--json]`: how long training and generation steps take, with the roofline beside them.

use super::settings;
use seqc_abi::Sizes;
use seqc_device::{Pool, Store};
use seqc_driver::backend::{Backend, load};
use seqc_driver::bench::{Roofline, Timed, roofline, time};
use seqc_driver::passes::{Form, Shapes};
use seqc_driver::{Error, build, frontend};
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
    /// Seconds for each figure.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Show the launches that take the most time, this many.
    #[arg(long, default_value_t = 0)]
    launches: usize,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<bool, Error> {
    let named = |e: &dyn std::fmt::Display| Error::Other(e.to_string());
    let source = frontend::open(&args.file)?;
    let model = source.model(args.model.as_deref())?;
    let e = source.elaborate(&model, &settings(&args.set)?)?;
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
    for (plan, batch, t) in [
        ("train", args.batch, args.length),
        ("eval", args.batch, args.length),
        ("prefill", 1, args.length),
        ("step", 1, 1),
    ] {
        let Ok(program) = artifact.program(plan) else {
            continue;
        };
        all.push(time(
            &program,
            &sizes(batch, t),
            &mut store,
            &pool,
            args.seconds,
        )?);
    }
    if args.json {
        let json = serde_json::json!({"model": model, "threads": args.threads, "roofline": roof, "plans": all});
        println!("{json}");
    } else {
        show(&model, &roof, &all, args.launches);
    }
    Ok(true)
}

fn show(model: &str, roof: &Roofline, all: &[Timed], launches: usize) {
    println!(
        "{model}; this machine: {:.0} GFLOP/s in products, {:.1} GB/s written",
        roof.flops / 1e9,
        roof.bytes / 1e9
    );
    for t in all {
        println!(
            "{:8} {:>3} x {:<5} {:>10.3} ms (+-{:.3})  {:>9.0} tokens/s  {:>7.1} MB of temporaries",
            t.plan,
            t.batch,
            t.length,
            t.seconds * 1e3,
            t.spread * 1e3,
            t.tokens_per_second,
            t.arena as f64 / 1e6
        );
        for (name, n, s) in t.launches.iter().take(launches) {
            println!(
                "    {:>9.3} ms {:>5.1} %  {n:>4} x {name}",
                s * 1e3,
                100.0 * s / t.seconds
            );
        }
    }
}
