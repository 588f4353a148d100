//! `seqc eval FILE --mixer M --inputs IN --outputs OUT`: one mixer on given tensors.
//!
//! Tensors are laid out `[batch, time, axes in declared order]`, parameters (by their paths) without batch and time.
//! With `--grad`, `cotangent.NAME` is read for each output and `grad.NAME` written for each input and parameter.
//! `--state-out` leaves `state.NAME` and `pos` after the last position; `--state-in` goes on from such a file. With
//! `--grad`, `cotangent.state.NAME` is then read too, and `grad.state.NAME` written for given states. `--weights` reads
//! parameters from a file of their own, `--map` says where they are if another implementation wrote it.

use super::settings;
use crate::tensors::{self, Made};
use clap::ValueEnum;
use seqc_driver::backend::Backend;
use seqc_driver::engine::Engine;
use seqc_driver::eval::{
    Contract, Device, Given, Precision, Request, Table, continued, evaluate, in_ranges,
};
use seqc_driver::explain::hold_class;
use seqc_driver::passes::Form;
use seqc_driver::{Error, frontend};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    file: PathBuf,
    /// The mixer or model.
    #[arg(long)]
    mixer: String,
    /// Inputs and parameters, by name.
    #[arg(long)]
    inputs: PathBuf,
    /// Where the results go.
    #[arg(long)]
    outputs: PathBuf,
    /// Parameters, if not among the inputs.
    #[arg(long)]
    weights: Option<PathBuf>,
    /// A table that says where in another implementation's weights each parameter is.
    #[arg(long, requires = "weights")]
    map: Option<PathBuf>,
    /// `parallel` and `chunked` are both the training form; by default that, or with `--backend interp` the definition.
    #[arg(long, value_parser = super::forms())]
    form: Option<Form>,
    #[arg(long, value_enum)]
    backend: Option<BackendName>,
    #[arg(long, value_enum, default_value = "f32")]
    dtype: DtypeName,
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceName,
    /// Gradients too.
    #[arg(long)]
    grad: bool,
    /// States to go on from.
    #[arg(long)]
    state_in: Option<PathBuf>,
    /// Where the states after the last position go.
    #[arg(long)]
    state_out: Option<PathBuf>,
    /// A setting of the mixer.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Threads; as many as there are cores by default.
    #[arg(long, default_value_t = super::cores(), value_parser = super::threads)]
    threads: usize,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum BackendName {
    Mlir,
    Clif,
    Interp,
}

#[derive(Clone, Copy, ValueEnum)]
enum DtypeName {
    F32,
    Bf16,
    F64,
}

#[derive(Clone, Copy, ValueEnum)]
enum DeviceName {
    Cpu,
    Cuda,
}

impl From<BackendName> for Engine {
    fn from(name: BackendName) -> Engine {
        match name {
            BackendName::Mlir => Engine::Compiled(Backend::Mlir),
            BackendName::Clif => Engine::Compiled(Backend::Clif),
            BackendName::Interp => Engine::Interp,
        }
    }
}

fn request(args: &Args) -> Request {
    Request {
        engine: args
            .backend
            .map_or(Engine::Compiled(Backend::best()), Engine::from),
        form: args.form,
        precision: match args.dtype {
            DtypeName::F32 => Precision::F32,
            DtypeName::Bf16 => Precision::Bf16,
            DtypeName::F64 => Precision::F64,
        },
        device: match args.device {
            DeviceName::Cpu => Device::Cpu,
            DeviceName::Cuda => Device::Cuda,
        },
        grad: args.grad,
        threads: args.threads,
    }
}

/// Inputs and parameters, each from its file.
fn given(args: &Args, contract: &Contract) -> Result<BTreeMap<String, Given>, Error> {
    let mut given = tensors::read(&args.inputs)?;
    let Some(path) = &args.weights else {
        return Ok(given);
    };
    let mut weights = tensors::read(path)?;
    if let Some(path) = &args.map {
        let name = path.display().to_string();
        let text = seqc_files::text(path).map_err(|e| Error::Other(format!("{name}: {e}")))?;
        weights = Table::parse(&name, &text)?.apply(&contract.inputs, &weights)?;
    }
    match weights.keys().find(|n| given.contains_key(*n)) {
        Some(twice) => Err(Error::Other(format!(
            "tensor `{twice}` is among the inputs and the weights; leave it out of {}",
            args.inputs.display()
        ))),
        None => {
            given.append(&mut weights);
            Ok(given)
        }
    }
}

pub fn run(args: &Args) -> Result<bool, Error> {
    let request = request(args);
    request.supported()?;
    let source = frontend::open(&args.file)?;
    hold_class(&source, &args.mixer)?;
    let e = source.elaborate(&args.mixer, &settings(&args.set)?)?;
    let contract = Contract::new(&e, &source.declared(&args.mixer));
    let given = given(args, &contract)?;
    in_ranges(&source, &e, &given)?;
    let made = |all: &[(String, seqc_algebra::Tensor)], precision| {
        let one = |(n, t): &(String, _)| Made::new(n, t, precision);
        all.iter().map(one).collect::<Result<Vec<Made>, Error>>()
    };
    if args.state_in.is_none() && args.state_out.is_none() {
        let results = evaluate(&e, &contract, &given, &request)?;
        tensors::write(&[(&args.outputs, made(&results, request.precision)?)])?;
        return Ok(true);
    }
    let before = args.state_in.as_deref().map(tensors::read).transpose()?;
    let done = continued(&e, &contract, &given, before.as_ref(), &request)?;
    let mut files = vec![(
        args.outputs.as_path(),
        made(&done.outputs, request.precision)?,
    )];
    if let Some(path) = &args.state_out {
        // States stay in f32 whatever the rest lies in.
        let kept = match request.precision {
            Precision::Bf16 => Precision::F32,
            own => own,
        };
        let mut states = made(&done.states, kept)?;
        states.push(Made::integer("pos", done.position));
        files.push((path, states));
    }
    tensors::write(&files)?;
    Ok(true)
}
