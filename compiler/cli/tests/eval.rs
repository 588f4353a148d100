//! `seqc eval` through the binary: the oracles' numbers in their declared layouts, states handed on, and every error.

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f64>)>;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests")
}

fn numbers(v: &Value) -> Vec<f64> {
    let list = v.as_array().expect("a list").iter();
    list.map(|x| x.as_f64().expect("a number")).collect()
}

fn tensor(v: &Value) -> (Vec<usize>, Vec<f64>) {
    let shape = numbers(&v["shape"]).into_iter().map(|n| n as usize);
    (shape.collect(), numbers(&v["data"]))
}

fn write(path: &Path, tensors: &Tensors, dtype: Dtype) {
    let bytes = |x: &[f64]| -> Vec<u8> {
        match dtype {
            Dtype::F32 => x.iter().flat_map(|x| (*x as f32).to_le_bytes()).collect(),
            Dtype::F64 => x.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Dtype::I64 => x.iter().flat_map(|x| (*x as i64).to_le_bytes()).collect(),
            other => panic!("{other:?}"),
        }
    };
    // Positions are integers whatever the rest is.
    let counts = |n: &str| n == "pos" || n == "offsets";
    let of = |n: &str| if counts(n) { Dtype::I64 } else { dtype };
    let all: Vec<(String, Vec<usize>, Dtype, Vec<u8>)> = (tensors.iter())
        .map(|(n, (s, x))| {
            let words = match of(n) {
                Dtype::I64 => x.iter().flat_map(|x| (*x as i64).to_le_bytes()).collect(),
                _ => bytes(x),
            };
            (n.clone(), s.clone(), of(n), words)
        })
        .collect();
    let views = all.iter().map(|(n, s, d, b)| {
        (
            n.as_str(),
            TensorView::new(*d, s.clone(), b).expect("a view"),
        )
    });
    std::fs::write(path, safetensors::serialize(views, None).expect("bytes")).expect("written");
}

fn read(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).expect("a file");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let each = |(n, v): (&str, TensorView)| {
        let x = match v.dtype() {
            Dtype::F32 => (v.data().as_chunks::<4>().0.iter())
                .map(|w| f64::from(f32::from_le_bytes(*w)))
                .collect(),
            Dtype::F64 => (v.data().as_chunks::<8>().0.iter())
                .map(|w| f64::from_le_bytes(*w))
                .collect(),
            Dtype::BF16 => (v.data().as_chunks::<2>().0.iter())
                .map(|w| f64::from(f32::from_bits(u32::from(u16::from_le_bytes(*w)) << 16)))
                .collect(),
            Dtype::I64 => (v.data().as_chunks::<8>().0.iter())
                .map(|w| i64::from_le_bytes(*w) as f64)
                .collect(),
            other => panic!("{other:?}"),
        };
        (n.to_owned(), (v.shape().to_vec(), x))
    };
    file.iter().map(each).collect()
}

/// Relative root mean square.
fn off(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let square = |x: f64| x * x;
    let d: f64 = got.iter().zip(want).map(|(a, b)| square(a - b)).sum();
    let n: f64 = want.iter().map(|b| square(*b)).sum();
    (d / n.max(1e-300)).sqrt()
}

/// A fixture in a folder of its own.
struct Case {
    folder: tempfile::TempDir,
    fixture: Value,
    spec: PathBuf,
    given: Tensors,
}

impl Case {
    fn new(name: &str) -> Case {
        let text = std::fs::read_to_string(tests().join(format!("oracles/fixtures/{name}.json")));
        let fixture: Value = serde_json::from_str(&text.expect("a fixture")).expect("JSON");
        let mut given = Tensors::new();
        for part in ["inputs", "parameters"] {
            for (n, t) in fixture[part].as_object().expect("tensors") {
                given.insert(n.clone(), tensor(t));
            }
        }
        Case {
            folder: tempfile::tempdir().expect("a folder"),
            spec: tests()
                .join("specs")
                .join(fixture["file"].as_str().expect("a file")),
            fixture,
            given,
        }
    }

    fn with_cotangents(mut self) -> Case {
        for (n, t) in self.fixture["cotangents"].as_object().expect("cotangents") {
            self.given.insert(format!("cotangent.{n}"), tensor(t));
        }
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, more: &[&str]) -> Output {
        self.run_as(Dtype::F32, more)
    }

    fn run_as(&self, dtype: Dtype, more: &[&str]) -> Output {
        write(&self.path("in"), &self.given, dtype);
        let mut c = Command::new(env!("CARGO_BIN_EXE_seqc"));
        c.arg("eval").arg(&self.spec);
        c.args(["--mixer", self.fixture["mixer"].as_str().expect("a name")]);
        c.arg("--inputs").arg(self.path("in"));
        c.arg("--outputs").arg(self.path("out"));
        for (k, v) in self.fixture["settings"].as_object().expect("settings") {
            c.args(["--set", &format!("{k}={v}")]);
        }
        // The sizes of input axes are settings of the mixer.
        let mut seen: Vec<String> = vec!["batch".into(), "time".into()];
        seen.extend(
            self.fixture["settings"]
                .as_object()
                .expect("settings")
                .keys()
                .cloned(),
        );
        for t in self.fixture["inputs"].as_object().expect("inputs").values() {
            for (a, n) in t["axes"]
                .as_array()
                .expect("axes")
                .iter()
                .zip(numbers(&t["shape"]))
            {
                let a = a.as_str().expect("an axis").to_owned();
                if !seen.contains(&a) {
                    c.args(["--set", &format!("{a}={n}")]);
                    seen.push(a);
                }
            }
        }
        c.args(more).output().expect("it runs")
    }

    fn good(&self, more: &[&str]) -> Tensors {
        let done = self.run(more);
        let text = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{text}");
        read(&self.path("out"))
    }

    /// It fails with exit code 1, says each part, and leaves no file.
    fn bad(&self, more: &[&str], parts: &[&str]) {
        self.bad_as(Dtype::F32, more, parts);
    }

    fn bad_as(&self, dtype: Dtype, more: &[&str], parts: &[&str]) {
        let done = self.run_as(dtype, more);
        let text = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{text}");
        for part in parts {
            assert!(text.contains(part), "no `{part}` in: {text}");
        }
        assert!(!self.path("out").exists(), "a file was left: {text}");
        let left = std::fs::read_dir(self.folder.path())
            .expect("a folder")
            .count();
        assert!(left <= 3, "something was left behind");
    }
}

/// Outputs and gradients of a fixture, by one back end.
fn agrees(name: &str, more: &[&str], bound: f64) {
    let case = Case::new(name).with_cotangents();
    let got = case.good(&[more, &["--grad"]].concat());
    let mut compared = 0;
    for (part, prefix) in [("outputs", ""), ("gradients", "grad.")] {
        for (n, want) in case.fixture[part].as_object().expect("tensors") {
            let (shape, want) = tensor(want);
            let own = format!("{prefix}{n}");
            let (s, x) = got.get(&own).unwrap_or_else(|| panic!("no `{own}`"));
            assert_eq!(*s, shape, "{name}: {own}");
            let e = off(x, &want);
            assert!(e <= bound, "{name} {more:?}: {own} is off by {e:.1e}");
            compared += 1;
        }
    }
    assert!(compared >= 3);
}

#[test]
fn the_interpreter_gives_the_oracles_numbers() {
    for name in ["gla", "cross_attention", "rwkv7", "lstm"] {
        agrees(name, &["--backend", "interp", "--dtype", "f64"], 1e-6);
    }
}

#[test]
fn compiled_forms_give_the_oracles_numbers() {
    for name in ["gla", "cross_attention", "lstm"] {
        for form in ["matrix", "recurrent", "chunked", "parallel"] {
            agrees(name, &["--backend", "clif", "--form", form], 6e-6);
        }
    }
}

/// In bf16 memory, from the fixtures' numbers rounded to it: a few roundings of 2^-9.
#[test]
fn bf16_gives_the_oracles_numbers_to_two_digits() {
    for name in ["gla", "cross_attention", "lstm"] {
        for backend in ["clif", "mlir"] {
            agrees(name, &["--backend", backend, "--dtype", "bf16"], 3e-2);
        }
    }
}

/// The default back end, which is MLIR where it is built in.
#[test]
fn the_default_gives_the_oracles_numbers() {
    agrees("gla", &[], 6e-6);
}

#[test]
fn a_prompt_and_then_the_rest_is_the_whole() {
    for (name, backend, form) in [
        ("gla", "clif", "chunked"),
        ("gla", "clif", "recurrent"),
        ("gla", "interp", "chunked"),
        ("alibi", "clif", "chunked"),
        ("alibi", "clif", "recurrent"),
        ("deltanet", "interp", "recurrent"),
    ] {
        let mut case = Case::new(name);
        let whole = case.good(&["--backend", backend]);
        let (shape, y) = &whole["y"];
        let (t, d) = (shape[1], shape[2]);
        let (_, x) = case.given["x"].clone();
        let part = |x: &[f64], d: usize, lo: usize, hi: usize| -> Vec<f64> {
            let row = |b: usize| x[(b * t + lo) * d..(b * t + hi) * d].to_vec();
            (0..2).flat_map(row).collect()
        };
        let width = x.len() / (2 * t);
        let states = case.path("states");
        let states = states.to_str().expect("text").to_owned();
        let mut given: Vec<&str> = vec!["--backend", backend, "--state-out", &states];
        for (lo, hi) in [(0, 3), (3, 4), (4, t)] {
            case.given.insert(
                "x".into(),
                (vec![2, hi - lo, width], part(&x, width, lo, hi)),
            );
            let got = case.good(&given);
            assert_eq!(got["y"].0, [2, hi - lo, d]);
            let e = off(&got["y"].1, &part(y, d, lo, hi));
            assert!(e <= 6e-6, "{name} {backend} {lo}..{hi}: off by {e:.1e}");
            assert_eq!(read(Path::new(&states))["pos"].1, [hi as f64]);
            if lo == 0 {
                given.extend(["--state-in", &states, "--form", form]);
            }
        }
    }
}

/// Positions `lo..hi` of the row `[1, total, …]`.
fn along(row: &(Vec<usize>, Vec<f64>), lo: usize, hi: usize) -> (Vec<usize>, Vec<f64>) {
    let (shape, x) = row;
    let width = x.len() / shape[1];
    let mut shape = shape.clone();
    shape[1] = hi - lo;
    (shape, x[lo * width..hi * width].to_vec())
}

/// A fixture's first sequence as a row of documents.
fn row(name: &str) -> Case {
    let mut case = Case::new(name).with_cotangents();
    for (n, (shape, x)) in &mut case.given {
        let timed = case.fixture["inputs"].get(n).is_some() || n.starts_with("cotangent.");
        if timed {
            x.truncate(x.len() / shape[0]);
            shape[0] = 1;
        }
    }
    case
}

/// Documents in a row give bit for bit what each gives alone, whatever lies beside them; gradients of parameters are
/// the sum of theirs.
#[test]
fn documents_in_a_row_are_as_if_alone() {
    for (name, backend) in [("gla", "clif"), ("alibi", "clif"), ("lstm", "interp")] {
        let mut case = row(name);
        let timed: Vec<String> = (case.given.iter())
            .filter(|(n, _)| case.fixture["parameters"].get(n).is_none())
            .map(|(n, _)| n.clone())
            .collect();
        let total = case.given[&timed[0]].0[1];
        let documents = [(0, 3), (3, 4), (4, total)];
        let whole = case.given.clone();
        let args = ["--backend", backend, "--grad"];
        let alone: Vec<Tensors> = (documents.iter())
            .map(|(lo, hi)| {
                for n in &timed {
                    case.given.insert(n.clone(), along(&whole[n], *lo, *hi));
                }
                case.good(&args)
            })
            .collect();
        let offsets = vec![0.0, 3.0, 4.0, total as f64];
        case.given = whole.clone();
        case.given.insert("offsets".into(), (vec![4], offsets));
        let got = case.good(&args);
        for (n, x) in &got {
            if let Some(p) = n
                .strip_prefix("grad.")
                .filter(|p| !timed.contains(&(*p).to_owned()))
            {
                let want = |i: usize| alone.iter().map(|d| d[n].1[i]).sum::<f64>();
                let want: Vec<f64> = (0..x.1.len()).map(want).collect();
                assert!(off(&x.1, &want) < 1e-6, "{name}: {p}");
                continue;
            }
            for ((lo, hi), d) in documents.iter().zip(&alone) {
                assert_eq!(along(x, *lo, *hi), d[n], "{name}: {n}, {lo}..{hi}");
            }
        }
        // Not a number in the second document stays there.
        for n in timed.iter().filter(|n| !n.starts_with("cotangent.")) {
            let (shape, mut x) = whole[n].clone();
            let width = x.len() / shape[1];
            x[3 * width..4 * width].fill(f64::NAN);
            case.given.insert(n.clone(), (shape, x));
        }
        let poisoned = case.good(&args);
        for (n, x) in &got {
            if n.starts_with("grad.") && !timed.contains(&n["grad.".len()..].to_owned()) {
                continue;
            }
            for (lo, hi) in [documents[0], documents[2]] {
                assert_eq!(along(x, lo, hi), along(&poisoned[n], lo, hi), "{name}: {n}");
            }
            assert!(along(&poisoned[n], 3, 4).1.iter().any(|x| x.is_nan()));
        }
    }
}

#[test]
fn offsets_that_do_not_fit_are_named() {
    let mut case = row("gla");
    let total = case.given["x"].0[1] as f64;
    let mut bad = |offsets: &[f64], more: &[&str], parts: &[&str]| {
        case.given
            .insert("offsets".into(), (vec![offsets.len()], offsets.to_vec()));
        case.bad(&[&["--backend", "interp", "--grad"], more].concat(), parts);
    };
    bad(&[0.0, 2.0], &[], &["`offsets`: the last is 2"]);
    bad(&[0.0, 2.0, 2.0, total], &[], &["document 1 is from 2 to 2"]);
    bad(
        &[0.0, total],
        &["--state-out", "x"],
        &["`offsets` with states"],
    );
    let mut case = Case::new("gla");
    let total = case.given["x"].0[1] as f64;
    case.given
        .insert("offsets".into(), (vec![2], vec![0.0, total]));
    case.bad(&[], &["input `x` has shape", "batch = 1"]);
    case.bad(&["--state-out", "x"], &["`offsets` with states"]);
}

/// Positions `lo..hi` of a tensor of two sequences.
fn positions((shape, x): &(Vec<usize>, Vec<f64>), lo: usize, hi: usize) -> (Vec<usize>, Vec<f64>) {
    let (t, width) = (shape[1], x.len() / (shape[0] * shape[1]));
    let row = |b: usize| x[(b * t + lo) * width..(b * t + hi) * width].to_vec();
    let mut cut = shape.clone();
    cut[1] = hi - lo;
    (cut, (0..shape[0]).flat_map(row).collect())
}

/// A sequence in three parts, differentiated part by part, the last one first: the oracle's gradients.
#[test]
fn gradients_of_parts_are_those_of_the_whole() {
    for (name, more, bound) in [
        ("gla", ["--backend", "clif", "--form", "chunked"], 6e-6),
        ("gla", ["--backend", "clif", "--form", "recurrent"], 6e-6),
        ("gla", ["--form", "chunked", "--threads", "1"], 6e-6),
        ("alibi", ["--backend", "clif", "--form", "chunked"], 6e-6),
        ("lstm", ["--backend", "interp", "--dtype", "f64"], 1e-6),
        ("deltanet", ["--backend", "interp", "--dtype", "f64"], 1e-6),
    ] {
        let mut case = Case::new(name).with_cotangents();
        let whole = case.given.clone();
        let t = whole["x"].0[1];
        let paths = [case.path("first"), case.path("second"), case.path("third")];
        let paths = paths.map(|p| p.to_str().expect("text").to_owned());
        let cuts = [(0, 3), (3, 4), (4, t)];
        let mut after = Tensors::new();
        let mut sums = Tensors::new();
        let mut by_input = vec![];
        for backward in [false, true] {
            for n in if backward { [2, 1, 0] } else { [0, 1, 2] } {
                let (lo, hi) = cuts[n];
                case.given.clone_from(&whole);
                for own in ["x", "cotangent.y"] {
                    case.given
                        .insert(own.into(), positions(&whole[own], lo, hi));
                }
                case.given.extend(std::mem::take(&mut after));
                let mut args = [&more[..], &["--grad", "--state-out", &paths[n]]].concat();
                if n > 0 {
                    args.extend(["--state-in", &paths[n - 1]]);
                }
                let got = case.good(&args);
                if !backward {
                    continue;
                }
                for (own, g) in got {
                    match own.strip_prefix("grad.") {
                        Some("x") => by_input.push(((lo, hi), g)),
                        Some(state) if state.starts_with("state.") => {
                            after.insert(format!("cotangent.{state}"), g);
                        }
                        Some(_) => {
                            let sum = sums
                                .entry(own)
                                .or_insert((g.0.clone(), vec![0.0; g.1.len()]));
                            sum.1.iter_mut().zip(&g.1).for_each(|(s, g)| *s += g);
                        }
                        None => {}
                    }
                }
                assert_eq!(after.is_empty(), n == 0, "{name}: {:?}", after.keys());
            }
        }
        let want = &case.fixture["gradients"];
        for ((lo, hi), got) in by_input {
            let want = positions(&tensor(&want["x"]), lo, hi);
            let e = off(&got.1, &want.1);
            assert!(
                e <= bound,
                "{name} {more:?}: x at {lo}..{hi} is off by {e:.1e}"
            );
        }
        for (own, (_, got)) in &sums {
            let own = own.trim_start_matches("grad.");
            let e = off(got, &tensor(&want[own]).1);
            assert!(e <= bound, "{name} {more:?}: {own} is off by {e:.1e}");
        }
        assert!(sums.len() > 2, "{name}");
    }
}

#[test]
fn states_that_do_not_fit_are_named() {
    let mut case = Case::new("gla");
    let states = case.path("states");
    let text = states.to_str().expect("text").to_owned();
    case.good(&["--backend", "clif", "--state-out", &text]);
    std::fs::remove_file(case.path("out")).expect("removed");
    let before = read(&states);
    let go_on = ["--backend", "clif", "--state-in", &text];
    let (state, _) = before.iter().find(|(n, _)| *n != "pos").expect("a state");
    let mut less = before.clone();
    less.remove(state);
    write(&states, &less, Dtype::F32);
    case.bad(&go_on, &[&format!("state `{state}` is missing")]);
    less.clone_from(&before);
    less.remove("pos");
    write(&states, &less, Dtype::F32);
    case.bad(&go_on, &["state `pos` is missing"]);
    write(&states, &before, Dtype::F32);
    let x = case.given.get_mut("x").expect("x");
    x.0[0] = 1;
    x.1.truncate(7 * 6);
    case.bad(&go_on, &["state `state.", "[2, ", "batch = 1"]);
    case.bad(
        &[&go_on[..], &["--form", "matrix"]].concat(),
        &["recurrent"],
    );
    let wrong = (vec![1], vec![0.0]);
    let grad = [&go_on[..], &["--grad"]].concat();
    let mut case = Case::new("gla").with_cotangents();
    let states = case.path("states");
    write(&states, &before, Dtype::F32);
    let grad: Vec<&str> = grad
        .iter()
        .map(|a| {
            if *a == text {
                states.to_str().expect("text")
            } else {
                a
            }
        })
        .collect();
    let nope = "cotangent.state.nope".to_owned();
    case.given.insert(nope.clone(), wrong.clone());
    case.bad(
        &grad,
        &[
            &format!("tensor `{nope}` is superfluous"),
            &format!("cotangent.{state}"),
        ],
    );
    case.given.remove(&nope);
    case.given.insert(format!("cotangent.{state}"), wrong);
    case.bad(
        &grad,
        &[&format!("`cotangent.{state}` has shape [1]"), "is wanted"],
    );
    case.given.remove(&format!("cotangent.{state}"));
    case.bad(
        &[&grad[..], &["--form", "matrix"]].concat(),
        &["form matrix with states"],
    );
    let out = [
        "--grad",
        "--state-out",
        "/nowhere/states",
        "--form",
        "matrix",
    ];
    case.bad(&out, &["gradients through states", "--form recurrent"]);
}

#[test]
fn what_looks_ahead_has_no_states() {
    let case = Case::new("bigla");
    case.bad(
        &["--backend", "clif", "--state-out", "/nowhere/states"],
        &["`bigla` has no states", "bidirectional"],
    );
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let clif = ["--backend", "clif"];
    let mut case = Case::new("cross_attention");
    let whole = case.given.clone();
    case.given.remove("k.weight");
    case.bad(
        &clif,
        &["parameter `k.weight` is missing", "[d = 6, h = 2, dk = 3]"],
    );
    case.given.clone_from(&whole);
    case.given.insert("k.wieght".into(), (vec![1], vec![0.0]));
    case.bad(&clif, &["tensor `k.wieght` is superfluous", "`k.weight`?"]);
    case.given.clone_from(&whole);
    case.given.get_mut("k.weight").expect("there").0 = vec![6, 3, 2];
    case.bad(
        &clif,
        &[
            "`k.weight` has shape [6, 3, 2]",
            "[d = 6, h = 2, dk = 3] is wanted",
        ],
    );
    case.given.clone_from(&whole);
    case.given.get_mut("x").expect("there").0 = vec![2, 42];
    case.bad(
        &clif,
        &["input `x` has shape [2, 42]", "[batch, t, d = 6] is wanted"],
    );
    // Another batch than that of `x`.
    case.given.clone_from(&whole);
    let mem = case.given.get_mut("mem").expect("there");
    mem.0[0] = 1;
    mem.1.truncate(5 * 6);
    case.bad(
        &clif,
        &[
            "input `mem` has shape [1, 5, 6]",
            "batch = 2",
            "that of `x`",
        ],
    );
    case.given.clone_from(&whole);
    case.given.insert("x".into(), (vec![2, 0, 6], vec![]));
    case.bad(
        &clif,
        &["input `x` has shape [2, 0, 6]", "nothing along `t`"],
    );
    case.given.clone_from(&whole);
    case.bad(
        &[&clif[..], &["--grad"]].concat(),
        &["`cotangent.y` is missing", "[batch = 2, t = 7, d = 6]"],
    );
    case.bad_as(Dtype::I64, &clif, &["holds I64: real numbers"]);
}

#[test]
fn integers_are_integers_and_in_range() {
    let mut case = Case::new("gla");
    let text = "seq 1\n\nmixer m(tokens: seq<v>; v = 5, d = 4) -> y: seq{d} {\n    param w{v, d}\n    y = w{v = tokens}\n}\n";
    case.spec = case.path("m.seq");
    std::fs::write(&case.spec, text).expect("written");
    case.fixture["mixer"] = "m".into();
    case.fixture["settings"] = serde_json::json!({});
    case.fixture["inputs"] = serde_json::json!({});
    let weight = (vec![5, 4], vec![0.5; 20]);
    case.given = Tensors::from([
        ("tokens".into(), (vec![1, 2], vec![1.0, 2.0])),
        ("w".into(), weight),
    ]);
    case.bad(
        &[],
        &["input `tokens` holds F32: integers (I32 or I64) are wanted"],
    );
}

#[test]
fn what_is_not_built_is_refused() {
    let case = Case::new("gla");
    case.bad(
        &["--backend", "clif", "--dtype", "f64"],
        &["--backend interp"],
    );
    case.bad(
        &["--dtype", "bf16", "--backend", "interp"],
        &["the interpreter computes in f64"],
    );
    case.bad(&["--device", "cuda"], &["CUDA device is not built yet"]);
    case.bad(
        &["--backend", "interp", "--device", "cuda"],
        &["interpreter"],
    );
}

#[test]
fn damaged_files_and_unknown_mixers() {
    let mut case = Case::new("gla");
    let states = case.path("states");
    std::fs::write(&states, "nothing of the kind").expect("written");
    let text = states.to_str().expect("text").to_owned();
    case.bad(&["--state-in", &text], &["states: no safetensors file"]);
    std::fs::remove_file(&states).expect("removed");
    case.bad(&["--state-in", &text], &["states: "]);
    case.fixture["mixer"] = "glaa".into();
    case.bad(&[], &["no mixer `glaa`", "`gla`"]);
}

/// `seqc eval` of the outside LSTM: its input beside its weights. Results, or what was said and the exit code.
fn outside(
    folder: &Path,
    given: &Tensors,
    more: &[&str],
) -> Result<Tensors, (Option<i32>, String)> {
    write(&folder.join("in"), given, Dtype::F32);
    let mut c = Command::new(env!("CARGO_BIN_EXE_seqc"));
    c.arg("eval").arg(tests().join("outside/lstm.seq"));
    c.args(["--mixer", "stack", "--backend", "clif"]).args(more);
    c.arg("--inputs").arg(folder.join("in"));
    c.arg("--outputs").arg(folder.join("out"));
    let done = c.output().expect("it runs");
    match done.status.success() {
        true => Ok(read(&folder.join("out"))),
        false => Err((
            done.status.code(),
            String::from_utf8_lossy(&done.stderr).into_owned(),
        )),
    }
}

#[test]
fn weights_come_from_a_file_of_their_own_and_by_a_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| {
        let path = tests().join("outside").join(name);
        path.to_str().expect("text").to_owned()
    };
    let cases = read(&tests().join("outside/lstm.cases.safetensors"));
    let mut given = Tensors::from([("x".into(), cases["7.x"].clone())]);
    let (weights, map) = (path("lstm.safetensors"), path("lstm.json"));
    let by_table = ["--weights", &weights, "--map", &map];
    let got = outside(folder.path(), &given, &by_table).expect("results");
    assert!(off(&got["y"].1, &cases["7.y"].1) < 1e-5);

    // Without a table the names are the parameters' own.
    let (_, why) = outside(folder.path(), &given, &by_table[..2]).expect_err("other names");
    assert!(why.contains("tensor `bias_hh_l0` is superfluous"), "{why}");
    let (code, why) = outside(folder.path(), &given, &by_table[2..]).expect_err("no weights");
    assert!(code == Some(2) && why.contains("--weights"), "{why}");
    let missing = ["--weights", &weights, "--map", "/nowhere/map"];
    let (_, why) = outside(folder.path(), &given, &missing).expect_err("no table");
    assert!(why.contains("/nowhere/map: "), "{why}");

    // The parameters, once made, are as good in a file or among the inputs, but not in both.
    let own = folder.path().join("own");
    let parameters = Tensors::from([("low.lstm.u.bias".into(), (vec![4, 1, 12], vec![0.5; 48]))]);
    write(&own, &parameters, Dtype::F32);
    given.extend(parameters);
    let own = own.to_str().expect("text").to_owned();
    let (_, why) = outside(folder.path(), &given, &["--weights", &own]).expect_err("twice");
    let twice = "tensor `low.lstm.u.bias` is among the inputs and the weights";
    assert!(why.contains(twice), "{why}");
}
