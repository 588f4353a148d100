//! `seqc build FILE --emit STAGE,…`: the stages of a compilation, as text.

use super::settings;
use seqc_driver::backend::Backend;
use seqc_driver::passes::{Form, Shapes, forward};
use seqc_driver::{Error, build, frontend};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    file: PathBuf,
    /// Stages: ast, hir, algebra, derived, schedule.
    #[arg(long, value_delimiter = ',', required = true)]
    emit: Vec<String>,
    /// Only this mixer or model.
    #[arg(long)]
    mixer: Option<String>,
    /// A setting of the mixer.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
}

const STAGES: [&str; 5] = ["ast", "hir", "algebra", "derived", "schedule"];

pub fn run(args: &Args) -> Result<bool, Error> {
    if let Some(stage) = args.emit.iter().find(|s| !STAGES.contains(&s.as_str())) {
        return Err(Error::Other(format!(
            "no stage `{stage}`; there are {}",
            STAGES.join(", ")
        )));
    }
    let source = frontend::open(&args.file)?;
    let set = settings(&args.set)?;
    let shapes = Shapes::cpu();
    if args.emit.iter().any(|s| s == "ast")
        && let Some(module) = source.program.modules.first()
    {
        print!("{}", seqc_syntax::dump(&module.ast));
    }
    let items = source.items();
    if let Some(m) = &args.mixer
        && items.iter().all(|(n, _)| n != m)
    {
        return Err(Error::Other(format!("the file has no mixer `{m}`")));
    }
    for (item, _) in items
        .iter()
        .filter(|(n, _)| args.mixer.as_ref().is_none_or(|m| m == n))
    {
        let e = source.elaborate(item, &set)?;
        let derived = || {
            forward(&e.func, Form::Chunked, &shapes, &mut vec![])
                .map_err(|e| Error::Other(format!("{item}: {e}")))
        };
        for stage in &args.emit {
            match stage.as_str() {
                "hir" => print!("{}", seqc_hir::print_hir(&e)),
                "algebra" => println!("{}", e.func),
                "derived" => println!("{}", derived()?),
                "schedule" => {
                    let lowered = build::lowered(&derived()?, Backend::best().lanes())?;
                    for k in &lowered.kernels {
                        println!("{k}");
                    }
                }
                _ => {}
            }
        }
    }
    Ok(true)
}
