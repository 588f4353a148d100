//! A file by itself says what the files it was made from say.

use seqc_algebra::Func;
use seqc_hir::{
    BesideImporter, ImportResolver, Inlined, NoImports, Program, check, elaborate, inline, load,
    stdlib,
};
use seqc_syntax::{SourceMap, format_source, render_short};
use std::path::Path;

type Set = Vec<(String, String)>;

fn set(pairs: &[(&str, &str)]) -> Set {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn func(map: &SourceMap, program: &Program, item: &str, set: &Set) -> Func {
    elaborate(program, item, set)
        .unwrap_or_else(|d| panic!("{item}: {}", render_short(map, &d)))
        .func
}

/// Inlines, and holds the result to what is promised of every one: it reads nothing else, is formatted and checks.
fn alone(
    map: &SourceMap,
    program: &Program,
    item: &str,
    settings: &Set,
) -> (Inlined, SourceMap, Program) {
    let made = inline(map, program, item, settings).unwrap_or_else(|d| panic!("{item}: {d:?}"));
    assert!(!made.text.contains("import "), "{}", made.text);
    assert_eq!(
        format_source(&made.text).as_ref(),
        Ok(&made.text),
        "{item} is formatted"
    );
    let mut own = SourceMap::new();
    let file = own.add("model.seq", made.text.as_bytes().to_vec());
    let alone = load(&mut own, file, &NoImports)
        .unwrap_or_else(|d| panic!("{item}: {}", render_short(&own, &d)));
    let found = check(&alone);
    assert!(found.is_empty(), "{item}: {}", render_short(&own, &found));
    (made, own, alone)
}

/// The program is the same, parameters' names included.
fn same(map: &SourceMap, program: &Program, item: &str, settings: &Set) {
    let (made, own, alone) = alone(map, program, item, settings);
    assert_eq!((made.name.as_str(), &made.settings), (item, settings));
    let (a, b) = (
        func(map, program, item, settings),
        func(&own, &alone, item, settings),
    );
    assert!(a == b, "{item}:\n{}", made.text);
}

fn read(path: &Path) -> (SourceMap, Program) {
    let mut map = SourceMap::new();
    let id = map.read(path).expect("a file");
    let program = load(&mut map, id, &BesideImporter).unwrap_or_else(|d| panic!("{d:?}"));
    (map, program)
}

#[test]
fn every_example_stands_alone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("examples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|x| x != "seq") {
            continue;
        }
        let (map, program) = read(&path);
        let model = program.mixer(program.own()[0]).name.text.clone();
        same(&map, &program, &model, &set(&[("layers", "2")]));
        let made = inline(&map, &program, &model, &[]).expect("inlines");
        assert!(
            made.text.contains(&format!("recipe {model} {{")),
            "the recipe comes along"
        );
        count += 1;
    }
    assert!(count >= 5);
}

#[test]
fn mixers_of_the_library_stand_alone() {
    let small: &[(&str, &str)] = &[("d", "64")];
    for (file, items) in [
        ("std/attention", &["attention", "bigbird", "gau"][..]),
        ("std/delta", &["gated_deltanet", "swa_delta"]),
        ("std/ssm", &["mamba2", "h3"]),
        ("std/conv", &["hyena"]),
        ("std/rnn", &["slstm"]),
        ("std/linear_attention", &["mom"]),
    ] {
        let mut map = SourceMap::new();
        let text = stdlib::text(file).expect("a text");
        let id = map.add(format!("{file}.seq"), text.as_bytes().to_vec());
        let program = load(&mut map, id, &NoImports).expect("loads");
        for item in items {
            same(&map, &program, item, &set(small));
        }
    }
}

struct Files(&'static [(&'static str, &'static str)]);

impl ImportResolver for Files {
    fn resolve(&self, path: &[&str], _: &str) -> std::io::Result<Option<(String, Vec<u8>)>> {
        let key = path.join("/");
        let found = self.0.iter().find(|(n, _)| *n == key);
        Ok(found.map(|(n, t)| (format!("{n}.seq"), t.as_bytes().to_vec())))
    }
}

fn program(main: &str, files: &'static [(&'static str, &'static str)]) -> (SourceMap, Program) {
    let mut map = SourceMap::new();
    let id = map.add("main.seq", main.as_bytes().to_vec());
    let program = load(&mut map, id, &Files(files)).unwrap_or_else(|d| panic!("{d:?}"));
    (map, program)
}

/// Three mixers `scale` and one that is called as a function of the language: each call keeps its meaning.
#[test]
fn helpers_that_share_a_name_are_told_apart() {
    let (map, program) = program(
        "seq 1
import lib/a (twice)
import lib/b (thrice)
mixer scale(x: seq{d}) -> y: seq{d} { y = 5 * x }
// what the whole is about
mixer top(x: seq{d}) -> y: seq{d} { y = scale(twice(x)) + thrice(x) // at the end
}",
        &[
            (
                "lib/a",
                "seq 1
mixer scale(x: seq{d}) -> y: seq{d} { y = 2 * x }
mixer twice(x: seq{d}) -> y: seq{d} {
scale = scale(x)
y = scale * relu(x)
}",
            ),
            (
                "lib/b",
                "seq 1
mixer scale(x: seq{d}) -> y: seq{d} { y = 3 * x }
mixer relu(x: seq{d}) -> y: seq{d} { y = x + 1 }
mixer thrice(x: seq{d}) -> y: seq{d} { y = scale(x) * relu(x) }",
            ),
        ],
    );
    let none = vec![];
    let (made, own, alone) = alone(&map, &program, "top", &none);
    for name in ["scale", "scale_a", "scale_b", "relu_b", "twice", "thrice"] {
        assert!(
            made.text.contains(&format!("mixer {name}(")),
            "{name} in\n{}",
            made.text
        );
    }
    assert!(
        made.text
            .contains("scale = scale_a(x)\n    y = scale * relu(x)")
    );
    assert!(made.text.contains("// at the end"));
    // No parameters: the programs are equal but for the names of their values.
    assert_eq!(
        unnamed(func(&map, &program, "top", &none)),
        unnamed(func(&own, &alone, "top", &none))
    );
}

/// The program without the names that it gives to values for its readers.
fn unnamed(mut f: Func) -> Func {
    for v in &mut f.values {
        v.name = None;
    }
    f
}

/// The prelude's names stay the prelude's when the file has a mixer of the same name; a renamed mixer's parameters
/// are the same up to its name.
#[test]
fn the_prelude_and_settings_come_along() {
    let (map, program) = program(
        "seq 1
import lib (unit)
import std (gla, retnet)
mixer l2norm[c](x: seq{c}) -> y: seq{c} { y = linear(x, c -> c'){c' -> c} }
model lm(x: seq{d}; d = 16, f: mixer = gla) -> y: seq{d} {
a: y0 = unit(l2norm(x))
y = f(y0)
}",
        &[(
            "lib",
            "seq 1\nmixer unit(x: seq{d}) -> y: seq{d} { y = l2norm(x) }",
        )],
    );
    let given = set(&[("f", "retnet"), ("d", "32")]);
    let (made, own, alone) = alone(&map, &program, "lm", &given);
    assert!(
        made.text.contains("mixer l2norm_prelude[c]("),
        "{}",
        made.text
    );
    assert!(made.text.contains("mixer retnet(") && made.text.contains("mixer gla("));
    assert_eq!(made.settings, given);
    assert_eq!(
        unnamed(func(&map, &program, "lm", &given)),
        unnamed(func(&own, &alone, "lm", &given))
    );
}

#[test]
fn what_is_not_there_is_refused() {
    let (map, program) = program("seq 1\nmixer a(x: seq{d}) -> y: seq{d} { y = x }", &[]);
    let error = inline(&map, &program, "b", &[]).expect_err("refused");
    assert_eq!(error[0].code, "E03");
}
