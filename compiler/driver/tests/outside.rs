//! Models that others wrote, with their weights: the definition, the compiled forms and the steps give their results.
//!
//! `tests/outside` holds for each model its spec, the table that says where each parameter lies, the weights under
//! their outside names, and results for sequences of several lengths.

use safetensors::{Dtype, SafeTensors};
use seqc_algebra::{Axis, Data, Elem, Tensor};
use seqc_driver::engine::Engine;
use seqc_driver::eval::{Contract, Device, Given, Precision, Request, Table, continued, evaluate};
use seqc_driver::{Error, frontend};
use seqc_hir::{Elaborated, Look};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Largest difference allowed from the outside results, absolute: those are of size 0.5 to 7, gradients up to 18.
const COMPILED: f64 = 1e-4;
/// The same for the definition, in double precision like the outside results, which are kept in single.
const DEFINITION: f64 = 2e-6;
/// Lengths of the sequences: one step, less than a chunk, several chunks.
const LENGTHS: [usize; 3] = [1, 7, 40];

type Tensors = BTreeMap<String, Given>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/outside")
}

fn read(name: &str) -> Tensors {
    let bytes = std::fs::read(folder().join(name)).expect("a fixture");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let tensor = |view: &safetensors::tensor::TensorView| {
        let (elem, data) = match view.dtype() {
            Dtype::F32 => {
                let words = view.data().as_chunks::<4>().0.iter();
                let all = words.map(|w| f64::from(f32::from_le_bytes(*w)));
                (Elem::Real, all.collect())
            }
            Dtype::I64 => {
                let words = view.data().as_chunks::<8>().0.iter();
                (
                    Elem::Int,
                    words.map(|w| i64::from_le_bytes(*w) as f64).collect(),
                )
            }
            other => panic!("{other:?}"),
        };
        Given {
            dtype: format!("{:?}", view.dtype()),
            elem,
            shape: view.shape().to_vec(),
            data: Data::Real(data),
        }
    };
    let all = file.iter().map(|(n, v)| (n.to_owned(), tensor(&v)));
    all.collect()
}

/// A model with its weights.
struct Model {
    name: &'static str,
    e: Elaborated,
    contract: Contract,
    parameters: Tensors,
    cases: Tensors,
}

fn table(name: &str) -> String {
    std::fs::read_to_string(folder().join(format!("{name}.json"))).expect("a table")
}

impl Model {
    fn new(name: &'static str, file: &str, item: &str) -> Model {
        let (e, contract) = spec(file, item);
        let table = Table::parse(&format!("{name}.json"), &table(name)).expect("a table");
        let outside = read(&format!("{name}.safetensors"));
        let parameters = table.apply(&contract.inputs, &outside);
        Model {
            name,
            parameters: parameters.unwrap_or_else(|e| panic!("{e}")),
            cases: read(&format!("{name}.cases.safetensors")),
            e,
            contract,
        }
    }

    /// The parameters and the inputs of a case.
    fn given(&self, length: usize) -> Tensors {
        let mut all = self.parameters.clone();
        for slot in self.contract.inputs.iter() {
            if let Some(t) = self.cases.get(&format!("{length}.{}", slot.name)) {
                all.insert(slot.name.clone(), t.clone());
            }
        }
        all
    }

    /// The same with what has time `t` at some steps only.
    fn given_at(&self, length: usize, steps: &Range<usize>) -> Tensors {
        let mut all = self.given(length);
        for slot in &self.contract.inputs {
            if let Some(t) = all.get_mut(&slot.name)
                && slot.axes.contains(&Axis::time())
            {
                *t = part(t, steps);
            }
        }
        all
    }

    /// The largest difference of results from a case at some steps.
    fn off(&self, got: &[(String, Tensor)], length: usize, steps: &Range<usize>) -> f64 {
        let each = got.iter().filter_map(|(name, got)| {
            let want = self.cases.get(&format!("{length}.{name}"))?;
            let whole = steps.len() == length;
            let want = if whole {
                want.clone()
            } else {
                part(want, steps)
            };
            assert_eq!(got.shape, want.shape, "{}: {name}", self.name);
            Some(difference(&got.data, &want.data))
        });
        each.reduce(f64::max).expect("a result that the case has")
    }
}

fn difference(got: &Data, want: &Data) -> f64 {
    let (Data::Real(got), Data::Real(want)) = (got, want) else {
        panic!("complex results");
    };
    let each = got.iter().zip(want).map(|(a, b)| (a - b).abs());
    each.fold(
        0.0,
        |m, d| if d.is_nan() { f64::INFINITY } else { m.max(d) },
    )
}

fn spec(file: &str, item: &str) -> (Elaborated, Contract) {
    let shown = |e: Error| -> ! { panic!("{e}") };
    let source = frontend::open(&folder().join(format!("{file}.seq")));
    let source = source.unwrap_or_else(|e| shown(e));
    let e = source.elaborate(item, &[]).unwrap_or_else(|e| shown(e));
    let contract = Contract::new(&e, &source.declared(item));
    (e, contract)
}

/// Steps of a tensor `[batch, time, …]`.
fn part(t: &Given, steps: &Range<usize>) -> Given {
    let Data::Real(data) = &t.data else {
        panic!("a complex tensor");
    };
    let (batch, time) = (t.shape[0], t.shape[1]);
    let inner: usize = t.shape[2..].iter().product();
    let row = |b: usize| &data[(b * time + steps.start) * inner..(b * time + steps.end) * inner];
    let mut shape = t.shape.clone();
    shape[1] = steps.len();
    Given {
        shape,
        data: Data::Real((0..batch).flat_map(row).copied().collect()),
        ..t.clone()
    }
}

fn request(engine: Engine, grad: bool) -> Request {
    Request {
        engine,
        form: None,
        precision: match engine {
            Engine::Interp => Precision::F64,
            Engine::Compiled(_) | Engine::Narrow(_) => Precision::F32,
        },
        device: Device::Cpu,
        grad,
        threads: 1,
    }
}

fn states(all: &[(String, Tensor)], position: usize) -> Tensors {
    let given = |t: &Tensor| Given {
        dtype: "F64".into(),
        elem: if t.is_complex() {
            Elem::Complex
        } else {
            Elem::Real
        },
        shape: t.shape.clone(),
        data: t.data.clone(),
    };
    let mut states: Tensors = all.iter().map(|(n, t)| (n.clone(), given(t))).collect();
    let pos = Given {
        dtype: "I64".into(),
        elem: Elem::Int,
        shape: vec![],
        data: Data::Real(vec![position as f64]),
    };
    states.insert("pos".into(), pos);
    states
}

/// A model by every engine: whole sequences, gradients of inputs where the case has them, and if it is causal a prompt
/// of 7 steps with single steps after it.
fn check(name: &'static str, file: &str, item: &str) {
    let m = Model::new(name, file, item);
    let causal = m.e.causality.iter().all(|c| c.own() == Look::Causal);
    for engine in Engine::all() {
        let bound = match engine {
            Engine::Interp => DEFINITION,
            Engine::Compiled(_) | Engine::Narrow(_) => COMPILED,
        };
        let held = |what: &str, off: f64| {
            println!("{name} {} {what}: {off:.1e}", engine.name());
            assert!(
                off < bound,
                "{name}, {}, {what}: off by {off:.1e}",
                engine.name()
            );
        };
        for length in LENGTHS {
            let (whole, mut given) = (0..length, m.given(length));
            let got = evaluate(&m.e, &m.contract, &given, &request(engine, false));
            let got = got.unwrap_or_else(|e| panic!("{name}: {e}"));
            held(&format!("{length} steps"), m.off(&got, length, &whole));
            for slot in &m.contract.outputs {
                let cotangent = format!("cotangent.{}", slot.name);
                let Some(t) = m.cases.get(&format!("{length}.{cotangent}")) else {
                    continue;
                };
                given.insert(cotangent, t.clone());
                let got = evaluate(&m.e, &m.contract, &given, &request(engine, true));
                let mut got = got.unwrap_or_else(|e| panic!("{name}: {e}"));
                got.retain(|(n, _)| n.starts_with("grad."));
                held(&format!("{length} gradient"), m.off(&got, length, &whole));
            }
        }
        if !causal {
            continue;
        }
        let (prompt, length) = (7, 40);
        let run = |steps: Range<usize>, from: Option<&Tensors>| {
            let given = m.given_at(length, &steps);
            let done = continued(&m.e, &m.contract, &given, from, &request(engine, false));
            let done = done.unwrap_or_else(|e| panic!("{name}: {e}"));
            let what = if from.is_none() {
                "prompt"
            } else {
                "step by step"
            };
            held(what, m.off(&done.outputs, length, &steps));
            states(&done.states, done.position)
        };
        let before = run(0..prompt, None);
        run(prompt..length, Some(&before));
    }
}

#[test]
fn llama() {
    check("llama", "llama", "llama");
}

#[test]
fn mamba() {
    check("mamba", "mamba", "lm");
}

#[test]
fn mamba2() {
    check("mamba2", "mamba2", "lm");
}

#[test]
fn qwen3_next() {
    check("qwen3_next", "qwen3_next", "qwen3_next");
}

#[test]
fn kimi_linear() {
    check("kimi_linear", "kimi_linear", "kimi_linear");
}

#[test]
fn recurrent_gemma() {
    check("recurrent_gemma", "recurrent_gemma", "recurrent_gemma");
}

#[test]
fn xlstm() {
    check("xlstm", "xlstm", "xlstm");
}

#[test]
fn lstm() {
    check("lstm", "lstm", "stack");
}

#[test]
fn gru() {
    check("gru", "gru", "stack");
}

#[test]
fn library_s6() {
    check("library_s6", "library", "s6");
}

#[test]
fn library_ssd() {
    check("library_ssd", "library", "ssd");
}

#[test]
fn library_delta() {
    check("library_delta", "library", "delta");
}

#[test]
fn library_lru() {
    check("library_lru", "library", "lru");
}

#[test]
fn library_unit() {
    check("library_unit", "library", "unit");
}

#[test]
fn library_ways() {
    check("library_ways", "library", "ways");
}

#[test]
fn library_cross() {
    check("library_cross", "library", "cross");
}

/// Every table in the folder is one of the tests above.
#[test]
fn every_model_has_a_test() {
    let tested = include_str!("outside.rs");
    let mut all = 0;
    for entry in std::fs::read_dir(folder()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|e| e == "json") {
            let name = path.file_stem().expect("a name").to_string_lossy();
            let call = format!("check(\"{name}\", ");
            assert!(tested.contains(&call), "{name} has no test");
            all += 1;
        }
    }
    assert!(all >= 16, "only {all} tables");
}

/// What a table of `llama` says in which some words are others: the table fits no more.
fn refused(from: &str, to: &str, parts: &[&str]) {
    let (_, contract) = spec("llama", "llama");
    let text = table("llama");
    assert!(text.contains(from), "the table has no {from}");
    let table = Table::parse("llama.json", &text.replacen(from, to, 1));
    let done = table.and_then(|t| t.apply(&contract.inputs, &read("llama.safetensors")));
    let why = done.expect_err("refused").to_string();
    for part in parts {
        assert!(why.contains(part), "no `{part}` in: {why}");
    }
}

/// The line of the last norm in that table, and what it is found at.
const LINE: &str = "    \"logits.rmsnorm.scale\": \"model.norm.weight\",\n";
const NORM: &str = "\"model.norm.weight\"";

#[test]
fn a_table_gives_each_parameter_once() {
    let bare = "llama.json: no line gives `logits.rmsnorm.scale` [d = 32]; add a line for each";
    refused(LINE, "", &[bare]);
    refused(
        LINE,
        &format!("{LINE}{LINE}"),
        &["llama.json:14:", "`logits.rmsnorm.scale` is there twice"],
    );
    let both = format!("    \"*.rmsnorm.scale\": {NORM},\n{LINE}");
    refused(
        LINE,
        &both,
        &[
            "llama.json:14: parameter `logits.rmsnorm.scale`",
            "here and in line 13",
        ],
    );
    let other = "llama.json:13: the mixer has no parameter `logits.rsmnorm.scale`; is it `logits.rmsnorm.scale`?";
    refused("\"logits.rms", "\"logits.rsm", &[other]);
}

#[test]
fn a_table_uses_each_entry() {
    let spare =
        "llama.json: no line uses `model.norm.weight`; add lines, or name the tensors in `unused`";
    refused(NORM, "{\"value\": 1}", &[spare]);
    let weight = "    \"logits.weight\": {\"from\": \"lm_head.weight\", \"layout\": \"vocab d\"}";
    let some = "\"logits.rmsnorm.scale\": {\"from\": \"lm_head.weight\", \"reshape\": [1600], \"slice\": {\"0\": [0, 32]}}";
    let rest = "no line uses 1568 of the 1600 entries of `lm_head.weight`, `model.norm.weight`;";
    refused(
        &format!("{LINE}{weight}"),
        &format!("{some}, \"logits.weight\": {{\"value\": 0}}"),
        &[rest],
    );
    let unused = |name: &str| format!("\"unused\": [\"{name}\"],\n  \"weights\"");
    refused(
        "\"weights\"",
        &unused("model.norm.*"),
        &["llama.json:2: `unused` names `model.norm.*`, but a line uses `model.norm.weight`"],
    );
    refused(
        "\"weights\"",
        &unused("model.x"),
        &["llama.json:2: `unused` names `model.x`, but there is no such tensor"],
    );
}

#[test]
fn a_line_that_does_not_fit_says_why() {
    let at = "llama.json:13: `logits.rmsnorm.scale`: ";
    let norm = |words: &str| format!("{{\"from\": {NORM}, {words}}}");
    refused(
        NORM,
        "\"model.nrom.weight\"",
        &[
            at,
            "no tensor `model.nrom.weight`; is it `model.norm.weight`?",
        ],
    );
    refused(
        NORM,
        "\"lm_head.weight\"",
        &[
            at,
            "tensor `lm_head.weight` of shape [50, 32]: `layout` \"d\" is [32] with [d = 32], the entries are in [50, 32]",
        ],
    );
    refused(NORM, "{}", &[at, "give `from` or `value`"]);
    refused(NORM, &norm("\"reshape\": [31]"), &[at, "`reshape` to [31]"]);
    refused(
        NORM,
        &norm("\"slice\": {\"0\": [0, 33]}"),
        &[at, "[0, 33] of dimension 0, which has 32 entries"],
    );
    refused(
        NORM,
        &norm("\"slice\": {\"1\": [0, 1]}"),
        &[at, "`slice` of dimension 1: there are 1"],
    );
    refused(
        NORM,
        &norm("\"layout\": \"(d\""),
        &[at, "brackets do not match"],
    );
    refused(
        NORM,
        &norm("\"layout\": \"d e\""),
        &[at, "no axis `e`; it has [d = 32]"],
    );
    refused(NORM, &norm("\"layout\": \"d d\""), &[at, "names `d` twice"]);
    refused(NORM, &norm("\"layout\": \"1\""), &[at, "lacks `d`"]);
    refused(
        NORM,
        &norm("\"order\": {\"d\": [0]}"),
        &[at, "each of the 32 positions once"],
    );
    refused(
        NORM,
        &norm("\"scale\": {\"d\": [1, 2]}"),
        &[at, "2 numbers for the 32 of `d`"],
    );
    // A projection that is not turned, and heads that are split the wrong way.
    refused(
        "layers.*.mlp.up_proj.weight\", \"layout\": \"m d\"",
        "layers.*.mlp.up_proj.weight\", \"layout\": \"d m\"",
        &[
            "llama.json:10: `layers.0.ffn.swiglu.up.weight`: tensor `model.layers.0.mlp.up_proj.weight` of shape [48, 32]",
            "[32, 48]",
        ],
    );
}

#[test]
fn a_table_that_cannot_be_read_says_where() {
    refused(
        "\"E\": ",
        "\"E\": 1, \"F\": ",
        &["llama.json:3:", "a tensor's name, or an object"],
    );
    refused(
        NORM,
        &format!("{{\"from\": {NORM}, \"fold\": 1}}"),
        &["llama.json:13:", "unknown field `fold`", "`layout`"],
    );
    refused(
        NORM,
        &format!("{{\"from\": {NORM}, \"add\": \"x\"}}"),
        &["llama.json:13:", "a number, or an object from an axis"],
    );
    refused(
        LINE,
        &LINE.replace(',', ""),
        &["llama.json:14:", "expected `,`"],
    );
    refused(
        "\"weights\"",
        "\"wieghts\"",
        &["llama.json:2:", "unknown field `wieghts`"],
    );
}
