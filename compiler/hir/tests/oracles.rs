//! Every mixer that the oracles know, elaborated from its spec and run by the interpreter, against their numbers.

use seqc_algebra::{C64, Data, Elem, InputKind, Sym, Tensor};
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
    let file = f["file"].as_str().expect("a file");
    let program = spec(file);
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

/// Every mixer of the first tier has an oracle, and runs.
fn tier1() -> (Program, Vec<String>) {
    let program = spec("tier1.seq");
    let own = program.own();
    let names = own.iter().map(|i| program.mixer(*i).name.text.clone());
    let names: Vec<String> = names.collect();
    (program, names)
}

#[test]
fn every_mixer_of_the_first_tier_has_an_oracle() {
    let folder = root().join("oracles/fixtures");
    let (_, names) = tier1();
    let without: Vec<&String> = names
        .iter()
        .filter(|n| !folder.join(format!("{n}.json")).exists())
        .collect();
    assert!(names.len() > 35 && without.is_empty(), "{without:?}");
}

/// Numbers between -1 and 1 that differ for each tensor and entry.
fn drawn(seed: usize, n: usize) -> Vec<f64> {
    (0..n)
        .map(|k| {
            ((k + 1) as f64 * 0.618_033_988_75 + seed as f64 * 0.414_213_562_37).fract() * 2.0 - 1.0
        })
        .collect()
}

/// A value for each input and parameter.
fn anything(e: &seqc_hir::Elaborated, clocks: &HashMap<Sym, usize>) -> HashMap<String, Tensor> {
    let mut inputs = HashMap::new();
    for (k, id) in e.func.params.iter().enumerate() {
        let (input, ty) = (e.func.input(*id).expect("an input"), e.func.ty(*id));
        let length = |a: &seqc_algebra::Axis| {
            a.size
                .constant()
                .unwrap_or_else(|| clocks[&Sym::new(clock(a))])
        };
        let shape: Vec<usize> = ty.axes.iter().map(length).collect();
        let n = shape.iter().product();
        let data = match (ty.elem, &input.kind) {
            (Elem::Complex, _) => Data::Complex(
                drawn(k, 2 * n)
                    .chunks(2)
                    .map(|c| C64 { re: c[0], im: c[1] })
                    .collect(),
            ),
            (Elem::Int, _) => Data::Real((0..n).map(|x| (x % 2) as f64).collect()),
            (_, InputKind::Param { .. }) => {
                Data::Real(drawn(k, n).iter().map(|x| 0.3 * x).collect())
            }
            _ => Data::Real(drawn(k, n)),
        };
        let t = Tensor::new(ty.axes.clone(), shape, data).expect("a tensor");
        inputs.insert(input.name.as_str().to_owned(), t);
    }
    inputs
}

/// The name of the run-time length of an axis.
fn clock(a: &seqc_algebra::Axis) -> &str {
    match a.size {
        seqc_algebra::Size::Len(c) => c.as_str(),
        _ => panic!("`{}` has a size", a.name),
    }
}

/// With its own sizes (only tables over time made smaller), at several lengths: numbers, of the shape declared.
#[test]
fn the_interpreter_runs_every_mixer_of_the_first_tier() {
    let (program, names) = tier1();
    let mut ran = 0;
    for name in names {
        let small = [
            ("dense_mixer", "n"),
            ("toeplitz_mixer", "n"),
            ("longconv", "n"),
        ];
        let given: Vec<(String, String)> = small
            .iter()
            .filter(|(m, _)| *m == name)
            .map(|(_, s)| ((*s).to_owned(), "16".to_owned()))
            .collect();
        let e = elaborate(&program, &name, &given).unwrap_or_else(|ds| panic!("{name}: {ds:?}"));
        for length in [1, 2, 7] {
            let clocks = HashMap::from([
                (Sym::new("batch"), 2),
                (Sym::new("t"), length),
                (Sym::new("s"), length + 1),
            ]);
            let results = seqc_algebra::run(&e.func, &anything(&e, &clocks), &clocks)
                .unwrap_or_else(|w| panic!("{name}: {w}"));
            for (output, t) in &results {
                let all = t.as_real().expect("a real result");
                assert!(
                    all.iter().all(|x| x.is_finite()),
                    "{name}: `{output}` is no number"
                );
                // An output that is 0 everywhere would be a mixer that does nothing.
                assert!(
                    length == 1 || all.iter().any(|x| *x != 0.0),
                    "{name}: `{output}` is 0"
                );
            }
            for output in &e.outputs {
                let (_, t) = results
                    .iter()
                    .find(|(n, _)| n == output)
                    .expect("the output");
                assert_eq!(t.shape[..2], [2, length], "{name}: `{output}`");
            }
        }
        ran += 1;
    }
    assert_eq!(ran, 41);
}
