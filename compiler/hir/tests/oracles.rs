//! Every mixer that the oracles know, elaborated from its spec and run by the interpreter, against their numbers.

use seqc_algebra::{C64, Data, Elem, Sym, Tensor};
use seqc_hir::{BesideImporter, Program, elaborate, load};
use seqc_syntax::{SourceMap, render_human};
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Largest error allowed, relative to the tensor's largest entry.
const TOLERANCE: f64 = 1e-11;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests")
}

fn spec(file: &str) -> Program {
    let mut map = SourceMap::new();
    let id = map
        .read(&root().join("specs").join(file))
        .expect("the spec is there");
    load(&mut map, id, &BesideImporter)
        .unwrap_or_else(|ds| panic!("{}", render_human(&map, &ds, false)))
}

fn numbers(v: &Value) -> Vec<f64> {
    v.as_array()
        .expect("a list")
        .iter()
        .map(|x| x.as_f64().expect("a number"))
        .collect()
}

fn shape(v: &Value) -> Vec<usize> {
    v["shape"]
        .as_array()
        .expect("a shape")
        .iter()
        .map(|x| x.as_u64().expect("a size") as usize)
        .collect()
}

/// Settings as texts; sizes of free axes come from the inputs.
fn settings(f: &Value, clocks: &mut HashMap<Sym, usize>) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = f["settings"]
        .as_object()
        .expect("settings")
        .iter()
        .map(|(k, v)| (k.clone(), v.to_string()))
        .collect();
    for (name, t) in f["inputs"].as_object().expect("inputs") {
        let axes = t["axes"].as_array().expect("axes");
        for (a, n) in axes.iter().zip(shape(t)) {
            match a.as_str().expect("an axis") {
                "batch" => drop(clocks.insert(Sym::new("batch"), n)),
                "time" => drop(clocks.insert(Sym::new(if name == "mem" { "s" } else { "t" }), n)),
                axis => {
                    if !out.iter().any(|(k, _)| k == axis) {
                        out.push((axis.to_owned(), n.to_string()));
                    }
                }
            }
        }
    }
    out
}

fn error(got: &Tensor, want: &Value) -> f64 {
    let want = numbers(&want["data"]);
    let got = got.as_real().expect("a real result");
    assert_eq!(got.len(), want.len(), "sizes differ");
    let top = want.iter().fold(1e-30f64, |m, x| m.max(x.abs()));
    got.iter().zip(&want).fold(0.0f64, |m, (a, b)| {
        if a.is_nan() {
            f64::INFINITY
        } else {
            m.max((a - b).abs())
        }
    }) / top
}

/// Runs one fixture; what is wrong, if anything.
fn compare(f: &Value) -> Result<(), String> {
    let mixer = f["mixer"].as_str().expect("a name");
    let program = spec(f["file"].as_str().expect("a file"));
    let mut clocks = HashMap::new();
    let given = settings(f, &mut clocks);
    // A header knows only some of these names; an oracle lists sizes of axes that are settings elsewhere.
    let e = elaborate(&program, mixer, &given).map_err(|ds| {
        format!(
            "does not elaborate: {:?}",
            ds.iter().map(|d| d.message.clone()).collect::<Vec<_>>()
        )
    })?;
    let mut inputs = HashMap::new();
    for id in &e.func.params {
        let name = e.func.input(*id).expect("an input").name;
        let t = [&f["inputs"][name.as_str()], &f["parameters"][name.as_str()]]
            .into_iter()
            .find(|t| !t.is_null())
            .ok_or(format!("no value for `{name}`"))?;
        let ty = e.func.ty(*id);
        let data = numbers(&t["data"]);
        let data = match ty.elem {
            Elem::Complex => {
                Data::Complex(data.chunks(2).map(|c| C64 { re: c[0], im: c[1] }).collect())
            }
            _ => Data::Real(data),
        };
        inputs.insert(
            name.as_str().to_owned(),
            Tensor::new(ty.axes.clone(), shape(t), data).map_err(|w| format!("`{name}`: {w}"))?,
        );
    }
    let unknown: Vec<&String> = f["parameters"]
        .as_object()
        .expect("parameters")
        .keys()
        .filter(|k| !inputs.contains_key(*k))
        .collect();
    if !unknown.is_empty() {
        return Err(format!("the oracle has parameters {unknown:?}"));
    }
    let results: HashMap<String, Tensor> = seqc_algebra::run(&e.func, &inputs, &clocks)
        .map_err(|w| w.to_string())?
        .into_iter()
        .collect();
    for (name, want) in f["outputs"].as_object().expect("outputs") {
        let got = results.get(name).ok_or(format!("no result `{name}`"))?;
        let declared: Vec<_> = canonical(&e, name, want);
        let got = got
            .ordered(&declared)
            .map_err(|w| format!("`{name}`: {w}"))?;
        let off = error(&got, want);
        if off > TOLERANCE {
            return Err(format!("`{name}` is off by {off:.2e}"));
        }
    }
    for (name, want) in f["objectives"].as_object().expect("objectives") {
        let got = results
            .get(&format!("objective.{name}"))
            .ok_or(format!("no objective `{name}`"))?;
        let all = got.as_real().ok_or("a complex objective")?;
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let want = want.as_f64().ok_or("an objective is a number")?;
        if (mean - want).abs() > TOLERANCE * want.abs().max(1e-3) {
            return Err(format!("objective `{name}`: {mean} instead of {want}"));
        }
    }
    Ok(())
}

/// The result's axes in the fixture's order.
fn canonical(e: &seqc_hir::Elaborated, name: &str, want: &Value) -> Vec<seqc_algebra::Axis> {
    let ty = e.func.ty(e.func.result(name).expect("a result"));
    let order: Vec<&str> = want["axes"]
        .as_array()
        .expect("axes")
        .iter()
        .map(|a| a.as_str().expect("an axis"))
        .collect();
    order
        .iter()
        .map(|n| {
            *ty.axes
                .iter()
                .find(|a| a.name.as_str() == if *n == "time" { "t" } else { n })
                .expect("an axis of the result")
        })
        .collect()
}

#[test]
fn mixers_compute_what_the_oracles_say() {
    // Not built yet, and said so (N01).
    let unbuilt = ["monarch", "ssd_matrix"];
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("oracles/fixtures"))
        .expect("fixtures")
        .map(|e| e.expect("an entry").path())
        .collect();
    files.sort();
    let mut wrong = Vec::new();
    let mut right = 0;
    for path in files {
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let f: Value =
            serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("json");
        if unbuilt.contains(&f["mixer"].as_str().expect("a name")) {
            continue;
        }
        match compare(&f) {
            Ok(()) => right += 1,
            Err(why) => wrong.push(format!("{name}: {why}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{right} right; wrong:\n{}",
        wrong.join("\n")
    );
    assert!(right > 40, "only {right} fixtures were found");
}
