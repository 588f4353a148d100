//! The first ten losses of training are those of the f64 interpreter: the same start and the same batches, the
//! model as its definition says, gradients of the definition, clipping and AdamW written out plainly. With packed
//! documents, the interpreter runs on each document by itself.
//!
//! Small sizes by default. `SEQC_FULL=1` takes the examples as they are (minutes a model; with `--release` and `--nocapture` it shows its way).

use seqc_algebra::interp::run;
use seqc_algebra::{Elem, Sym, Tensor};
use seqc_device::{Pool, Store, abi::Sizes};
use seqc_driver::backend::{Backend, load};
use seqc_driver::passes::{Form, Shapes, training};
use seqc_driver::{build, frontend};
use seqc_hir::Elaborated;
use seqc_train::{Batch, Claim, Corpus, Recipe, Sampler, TrainOptions, train};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const STEPS: u64 = 10;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn shakespeare() -> PathBuf {
    root().join("examples/data/shakespeare.txt")
}

/// Ends each document where they are packed.
const END: u8 = 1;

/// Paragraphs of a few words to a few lines as documents.
fn paragraphs(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(shakespeare()).expect("reads");
    let line = |p: &str| {
        let text = p
            .chars()
            .take(23)
            .chain([char::from(END)])
            .collect::<String>();
        serde_json::json!({ "text": text }).to_string()
    };
    let lines: Vec<String> = text.split("\n\n").take(2000).map(line).collect();
    let path = folder.join("paragraphs.jsonl");
    std::fs::write(&path, lines.join("\n")).expect("written");
    path
}

/// The sequences of a batch: its rows, or the documents in them.
fn sequences(tokens: &[i32], r: &Recipe) -> Vec<Vec<i32>> {
    let rows = tokens.chunks(r.length);
    let cut = |row: &[i32]| -> Vec<Vec<i32>> {
        let parts = row.split_inclusive(|t| r.packed && *t == i32::from(END));
        parts.filter(|d| d.len() > 1).map(<[i32]>::to_vec).collect()
    };
    rows.flat_map(cut).collect()
}

/// A parameter in f64 with its moments.
#[derive(Clone)]
struct Param {
    path: String,
    decay: bool,
    shape: Vec<usize>,
    value: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
}

fn sizes_of(example: &str) -> (Elaborated, Recipe) {
    let full = std::env::var_os("SEQC_FULL").is_some();
    let source = frontend::open(&root().join(format!("examples/{example}.seq"))).expect("opens");
    let model = source.model(None).expect("one model");
    let small: &[(&str, &str)] = match example {
        "hybrid" => &[("d", "32"), ("layers", "2")],
        _ => &[("d", "32"), ("layers", "1")],
    };
    let set: Vec<(String, String)> = match full {
        true => vec![],
        false => small
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect(),
    };
    let (batch, length) = if full { (4, 256) } else { (2, 40) };
    let recipe = Recipe {
        lr: 3e-3,
        warmup: 5,
        steps: STEPS,
        batch,
        length,
        eval_every: 0,
        clip: 0.5,
        ..Recipe::default()
    };
    (source.elaborate(&model, &set).expect("elaborates"), recipe)
}

/// The losses that `seqc train` reports, and the parameters that it started from.
fn trained(
    e: &Elaborated,
    recipe: &Recipe,
    data: &Path,
    backend: Backend,
) -> (Vec<f64>, Vec<Param>) {
    let built = build::model(
        e,
        Form::Chunked,
        &Shapes::cpu(),
        backend.lanes(),
        &mut vec![],
    )
    .expect("builds");
    let folder = tempfile::tempdir().expect("temporary folder");
    let artifact = load(&built, backend).expect("compiles");
    let pool = Pool::new(2);
    let program = artifact.program("train").expect("there");

    let mut start = Store::new(recipe.seed);
    let sizes = Sizes::from([
        ("batch".to_owned(), recipe.batch as u64),
        ("t".to_owned(), recipe.length as u64),
    ]);
    seqc_device::Executor::new(&program, &sizes, &mut start, &pool).expect("instantiates");
    let params = start
        .iter()
        .map(|(path, p)| Param {
            path: path.to_owned(),
            decay: p.decay(),
            shape: p.shape().to_vec(),
            value: p.value().iter().map(|x| f64::from(*x)).collect(),
            first: vec![0.0; p.value().len()],
            second: vec![0.0; p.value().len()],
        })
        .collect();

    let options = TrainOptions {
        train: program,
        eval: None,
        recipe: recipe.clone(),
        corpus: Corpus::load(data, recipe.length).expect("a text"),
        data: data.to_owned(),
        claim: Claim::take(recipe, data, &folder.path().join("run"), false).expect("a folder"),
        pool,
        model_seq: String::new(),
        config: serde_json::Map::new(),
        vocab: 256,
        quiet: true,
        stop: Arc::new(AtomicBool::new(false)),
        handle_signals: false,
    };
    train(&options, &mut Store::new(recipe.seed)).expect("trains");
    let text = std::fs::read_to_string(folder.path().join("run/metrics.jsonl")).expect("metrics");
    let losses: Vec<f64> = text
        .lines()
        .filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok()?["loss"].as_f64())
        .collect();
    assert_eq!(losses.len(), STEPS as usize);
    (losses, params)
}

fn check(example: &str) {
    let (e, recipe) = sizes_of(example);
    agree(example, &e, &recipe, &shakespeare());
}

/// Both back ends' losses beside the interpreter's.
fn agree(example: &str, e: &Elaborated, recipe: &Recipe, data: &Path) {
    let runs: Vec<_> = backends()
        .iter()
        .map(|b| (format!("{b:?}"), trained(e, recipe, data, *b)))
        .collect();
    let mut params = runs[0].1.1.clone();
    let plain =
        training(&e.func, Form::Matrix, &Shapes::cpu(), &mut vec![]).expect("differentiates");
    let corpus = Corpus::load(data, recipe.length).expect("loads");
    for step in 0..STEPS {
        let mut batch = Batch::new(recipe.batch, recipe.length, recipe.packed);
        Sampler::new(recipe.seed).fill(step, &corpus.train, &mut batch);
        let all = sequences(&batch.tokens, recipe);
        let loss = interpreted_step(&plain, &mut params, &all, recipe, step);
        for (backend, (losses, _)) in &runs {
            let got = losses[step as usize];
            println!("{example} step {step}: {backend} {got:.6}, interpreter {loss:.6}");
            assert!(
                (got / loss - 1.0).abs() < 1e-3,
                "{example}, step {step}: loss {got} on {backend}, the interpreter says {loss}"
            );
        }
    }
}

/// One step in f64; the loss before it. Each sequence counts by the tokens that it predicts, all but the first.
fn interpreted_step(
    plain: &seqc_algebra::Func,
    params: &mut [Param],
    sequences: &[Vec<i32>],
    r: &Recipe,
    step: u64,
) -> f64 {
    let predicted: usize = sequences.iter().map(|s| s.len() - 1).sum();
    let mut loss = 0.0;
    let mut grads: Vec<Vec<f64>> = params.iter().map(|p| vec![0.0; p.value.len()]).collect();
    for s in sequences {
        let share = (s.len() - 1) as f64 / predicted as f64;
        let (own, own_grads) = interpreted(plain, params, s);
        loss += share * own;
        for (sum, g) in grads.iter_mut().flatten().zip(own_grads.iter().flatten()) {
            *sum += share * g;
        }
    }
    let norm = grads.iter().flatten().map(|g| g * g).sum::<f64>().sqrt();
    let scale = if norm > r.clip { r.clip / norm } else { 1.0 };
    // Linear warm-up over `warmup` steps, then half a cosine from the peak to floor · peak at the last step.
    let lr = if step < r.warmup {
        r.lr * (step + 1) as f64 / r.warmup as f64
    } else {
        let done = (step - r.warmup) as f64 / (STEPS - r.warmup - 1) as f64;
        r.lr * (r.floor + (1.0 - r.floor) * (1.0 + (std::f64::consts::PI * done).cos()) / 2.0)
    };
    let n = step as i32 + 1;
    for (p, grad) in params.iter_mut().zip(grads) {
        let decay = if p.decay { r.decay } else { 0.0 };
        for (k, g) in grad.iter().enumerate() {
            let g = g * scale;
            p.first[k] = r.beta1 * p.first[k] + (1.0 - r.beta1) * g;
            p.second[k] = r.beta2 * p.second[k] + (1.0 - r.beta2) * g * g;
            let m = p.first[k] / (1.0 - r.beta1.powi(n));
            let v = p.second[k] / (1.0 - r.beta2.powi(n));
            p.value[k] -= lr * (m / (v.sqrt() + r.eps) + decay * p.value[k]);
        }
    }
    loss
}

/// Loss and gradients of one sequence.
fn interpreted(
    plain: &seqc_algebra::Func,
    params: &[Param],
    tokens: &[i32],
) -> (f64, Vec<Vec<f64>>) {
    let sizes = HashMap::from([(Sym::new("batch"), 1), (Sym::new("t"), tokens.len())]);
    let mut given = HashMap::new();
    for p in &plain.params {
        let (input, ty) = (plain.input(*p).expect("an input"), plain.ty(*p));
        let name = input.name.as_str();
        let t = match (ty.elem, params.iter().find(|p| p.path == name)) {
            (Elem::Int, _) => Tensor::real(
                ty.axes.clone(),
                vec![1, tokens.len()],
                tokens.iter().map(|t| f64::from(*t)).collect(),
            ),
            (_, Some(p)) => Tensor::real(ty.axes.clone(), p.shape.clone(), p.value.clone()),
            (_, None) => panic!("no parameter {name}"),
        };
        given.insert(name.to_owned(), t.expect("fits"));
    }
    let results = run(plain, &given, &sizes).expect("runs");
    let of = |name: &str| results.iter().find(|(n, _)| n == name).map(|(_, t)| t);
    let loss = of("loss").and_then(Tensor::as_real).expect("a loss");
    let loss = loss.iter().sum::<f64>() / loss.len() as f64;
    let grad = |p: &Param| {
        let g = of(&format!("grad.{}", p.path)).expect("a gradient");
        let g = g.ordered(&given[&p.path].axes).expect("the same axes");
        g.as_real().expect("real").to_vec()
    };
    (loss, params.iter().map(grad).collect())
}

fn backends() -> Vec<Backend> {
    let all = [Backend::Clif, Backend::best()];
    all[..if all[0] == all[1] { 1 } else { 2 }].to_vec()
}

#[test]
fn attention() {
    check("attention");
}

#[test]
fn gla() {
    check("gla");
}

#[test]
fn mamba2() {
    check("mamba2");
}

#[test]
fn hyena() {
    check("hyena");
}

#[test]
fn lstm() {
    check("lstm");
}

#[test]
fn hybrid() {
    check("hybrid");
}

/// Documents of 2 to 24 tokens in rows of 40: attention that looks back no further than its document, states that
/// start anew, and a loss that counts predictions.
#[test]
fn packed_documents() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let data = paragraphs(folder.path());
    for example in ["gla", "attention"] {
        let (e, recipe) = sizes_of(example);
        let recipe = Recipe {
            packed: true,
            ..recipe
        };
        agree(example, &e, &recipe, &data);
    }
}
