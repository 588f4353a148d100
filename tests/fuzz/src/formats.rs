//! What must hold of any bytes where a file of ours is expected: they are used, or refused in words; nothing panics, and
//! what is refused has changed nothing.
//!
//! Used by the libFuzzer targets and, through `#[path]`, by `compiler/driver/tests/fuzz_formats.rs`.

use seqc_device::abi::{Init, Plan, Sizes};
use seqc_device::{Memory, Store, weights};
use seqc_driver::eval::{Contract, Given, Table};
use seqc_driver::{frontend, run};
use seqc_train::{AdamW, Checkpoint, Recipe, State, tokenizer_json, tokenizer_of_run};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Holds of any bytes; were they used?
pub type Property = Box<dyn Fn(&[u8]) -> bool>;

/// A kind of file: right ones, and what is done with any bytes in their place. The property says whether they were used.
pub struct Format {
    pub name: &'static str,
    pub right: Vec<Vec<u8>>,
    pub property: Property,
}

pub fn all() -> Vec<Format> {
    let files = ["params.safetensors", "optimizer.safetensors", "state.json"];
    let mut all = vec![plans(), safetensors(), tables(), tokenizers()];
    all.extend(files.map(checkpoints));
    all.extend(["config.json", "model.seq"].map(run_folders));
    all
}

pub fn named(name: &str) -> Format {
    let found = all().into_iter().find(|f| f.name == name);
    found.expect("a format of that name")
}

fn in_words(why: &str) -> bool {
    assert!(!why.trim().is_empty(), "refused without a word");
    false
}

/// What validates can be sized: an executor indexes what it says without fear.
fn plans() -> Format {
    let source = frontend::of_text("m.seq", MIXER).unwrap_or_else(|e| panic!("{e}"));
    let e = source.elaborate("m", &[]).unwrap_or_else(|e| panic!("{e}"));
    let lowered = seqc_driver::build::lowered(&e.func, 4).unwrap_or_else(|e| panic!("{e}"));
    let plan = serde_json::to_vec_pretty(&lowered.plan).expect("a plan");
    let property = |bytes: &[u8]| match Plan::from_json(&String::from_utf8_lossy(bytes)) {
        Err(why) => in_words(&why),
        Ok(plan) => {
            for n in [0, 1, 3, 1 << 40, u64::MAX] {
                let sizes: Sizes = plan.lens.iter().map(|l| (l.clone(), n)).collect();
                if let Err(why) = Memory::at(&plan, &sizes) {
                    in_words(&why.0);
                }
            }
            true
        }
    };
    Format {
        name: "plan",
        right: vec![plan],
        property: Box::new(property),
    }
}

const MIXER: &str = "\
seq 1
mixer m(x: seq{d}; d = 4) -> y: seq{d} {
    state S{d}
    S[t] = 0.5 * S[t-1] + linear(x, d -> d)
    y = softmax[d](S)
}
";

fn store() -> Store {
    let mut store = Store::new(1);
    for path in ["a.weight", "b"] {
        let made = store.declare(path, &[2, 3], &Init::Normal { std: 1.0 }, true);
        made.expect("declared");
    }
    store
}

fn values(store: &Store) -> Vec<u32> {
    let bits = |p: &seqc_device::Param| p.value().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    store.iter().flat_map(|(_, p)| bits(p)).collect()
}

fn safetensors() -> Format {
    let right = weights::of_store(&store()).expect("serialises");
    let dir = tempfile::tempdir().expect("a folder");
    let property = move |bytes: &[u8]| {
        let path = dir.path().join("w.safetensors");
        fs::write(&path, bytes).expect("written");
        let mut to = store();
        let before = values(&to);
        match weights::load(&path, &mut to) {
            Ok(()) => true,
            Err(why) => {
                assert!(why.0.contains("w.safetensors"), "{why}");
                assert_eq!(values(&to), before);
                in_words(&why.0)
            }
        }
    };
    Format {
        name: "safetensors",
        right: vec![right],
        property: Box::new(property),
    }
}

fn checkpoints(file: &'static str) -> Format {
    let dir = tempfile::tempdir().expect("a folder");
    let state = State {
        step: 3,
        seed: 1,
        seconds: 0.5,
        loss: Some(2.5),
        valid_loss: None,
        data: "00".into(),
        recipe: Recipe::default(),
    };
    let from = store();
    let all = Checkpoint::of_run(dir.path());
    all.save(&from, &AdamW::new(&from), &state).expect("saved");
    let path = dir.path().join("checkpoint/step-00000003").join(file);
    let right = fs::read(&path).expect("written");
    let property = move |bytes: &[u8]| {
        let _kept: &TempDir = &dir;
        fs::write(&path, bytes).expect("written");
        let mut to = store();
        let mut adam = AdamW::new(&to);
        let before = values(&to);
        match all.load(&mut to, &mut adam) {
            Ok(state) => state.is_some(),
            Err(why) => {
                assert!(why.0.contains(file), "{why}");
                assert_eq!(values(&to), before);
                in_words(&why.0)
            }
        }
    };
    Format {
        name: file,
        right: vec![right],
        property: Box::new(property),
    }
}

const MODEL: &str = "\
seq 1
import std (gla, next_token, rmsnorm)

model tiny(tokens: seq<vocab>; vocab = 256, d = 8) -> logits: seq{vocab} {
    param E{vocab, d} = normal(0.02)
    x = E{vocab = tokens}
    x1 = x + gla(rmsnorm(x))
    logits = sum[d](E * x1)
    objective lm = next_token(logits, tokens)
}
";

/// A run's folder as it is read: the model of `model.seq` that `config.json` says.
fn run_folders(file: &'static str) -> Format {
    let dir = tempfile::tempdir().expect("a folder");
    let source = frontend::of_text("model.seq", MODEL).unwrap_or_else(|e| panic!("{e}"));
    let made = source.inline("tiny", &[]).unwrap_or_else(|e| panic!("{e}"));
    let config = serde_json::Value::Object(run::config(&made)).to_string();
    fs::write(dir.path().join("model.seq"), &made.text).expect("written");
    fs::write(dir.path().join("config.json"), &config).expect("written");
    let property = move |bytes: &[u8]| {
        fs::write(dir.path().join(file), bytes).expect("written");
        match run::open(dir.path()).and_then(|run| run.elaborate()) {
            Ok(_) => true,
            Err(why) => in_words(&why.to_string()),
        }
    };
    let right = match file {
        "config.json" => config,
        _ => made.text,
    };
    Format {
        name: file,
        right: vec![right.into_bytes()],
        property: Box::new(property),
    }
}

/// A table of weights: read, and applied to tensors as it wants them.
fn tables() -> Format {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|up| up.join("tests/outside"))
        .find(|f| f.is_dir())
        .expect("tests/outside");
    let source = frontend::open(&folder.join("gru.seq")).unwrap_or_else(|e| panic!("{e}"));
    let name = source.items()[0].0.clone();
    let e = source
        .elaborate(&name, &[])
        .unwrap_or_else(|e| panic!("{e}"));
    let contract = Contract::new(&e, &source.declared(&name));
    let outside: BTreeMap<String, Given> = weights::read(&folder.join("gru.safetensors"))
        .expect("weights")
        .into_iter()
        .map(|(name, (shape, values))| (name, given(shape, &values)))
        .collect();
    let right = ["gru.json", "llama.json", "kimi_linear.json"];
    let property = move |bytes: &[u8]| {
        let table = Table::parse("t.json", &String::from_utf8_lossy(bytes));
        match table.and_then(|t| t.apply(&contract.inputs, &outside)) {
            Ok(_) => true,
            Err(why) => in_words(&why.to_string()),
        }
    };
    Format {
        name: "table",
        right: right.map(|f| fs::read(folder.join(f)).expect(f)).into(),
        property: Box::new(property),
    }
}

fn given(shape: Vec<usize>, values: &[f32]) -> Given {
    Given {
        dtype: "F32".into(),
        elem: seqc_algebra::Elem::Real,
        shape,
        data: seqc_algebra::Data::Real(values.iter().map(|x| f64::from(*x)).collect()),
    }
}

fn tokenizers() -> Format {
    let dir = tempfile::tempdir().expect("a folder");
    let property = move |bytes: &[u8]| {
        fs::write(dir.path().join("tokenizer.json"), bytes).expect("written");
        match tokenizer_of_run(dir.path()) {
            Ok(()) => true,
            Err(why) => {
                assert!(why.0.contains("tokenizer.json"), "{why}");
                in_words(&why.0)
            }
        }
    };
    Format {
        name: "tokenizer",
        right: vec![tokenizer_json().into_bytes()],
        property: Box::new(property),
    }
}
