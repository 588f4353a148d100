//! Every spec of `tests/specs` and every mixer of the standard library: it checks, and what it elaborates to.

use seqc_hir::{BesideImporter, Program, check, elaborate, load, print_hir, stdlib};
use seqc_syntax::{SourceMap, format_source, render_short};
use std::path::Path;

fn spec(map: &mut SourceMap, file: &str) -> Program {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/specs")
        .join(file);
    let id = map.read(&path).expect("the spec is there");
    load(map, id, &BesideImporter).unwrap_or_else(|ds| panic!("{ds:?}"))
}

/// A small model is enough to see its shape.
fn settings(item: &str) -> Vec<(String, String)> {
    let given: &[(&str, &str)] = match item {
        "byte_lm" => &[("groups", "1"), ("d", "64"), ("vocab", "7")],
        "masked_lm" | "translate" => &[("layers", "1"), ("d", "64"), ("vocab", "7")],
        "forecast" => &[("layers", "1")],
        "prenorm" | "both" | "scan2d" => &[("f", "rope")],
        _ => &[],
    };
    given
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn dump(map: &SourceMap, program: &Program) -> String {
    let mut out = String::new();
    for id in program.own() {
        let name = &program.mixer(id).name.text;
        match elaborate(program, name, &settings(name)) {
            Ok(e) => {
                seqc_algebra::verify(&e.func).unwrap_or_else(|w| panic!("{name}: {w}"));
                out.push_str(&print_hir(&e));
            }
            Err(ds) => out.push_str(&format!(
                "{name} is refused\n{}",
                ds.iter()
                    .map(|d| format!("    {} {}\n", d.code, d.message))
                    .collect::<String>()
            )),
        }
        out.push('\n');
    }
    let _ = map;
    out
}

#[test]
fn specs_check_and_elaborate() {
    let mut count = 0;
    for file in ["tier1.seq", "std.seq", "models.seq", "tier2.seq"] {
        let mut map = SourceMap::new();
        let program = spec(&mut map, file);
        let found = check(&program);
        assert!(
            found.iter().all(|d| d.code == "N01" && !d.is_error()),
            "{}",
            render_short(&map, &found)
        );
        count += program.own().len();
        insta::assert_snapshot!(
            file.trim_end_matches(".seq").to_owned(),
            dump(&map, &program)
        );
    }
    assert_eq!(count, 70);
}

#[test]
fn the_standard_library_checks() {
    for path in stdlib::paths() {
        let text = stdlib::text(path).expect("a text");
        let mut map = SourceMap::new();
        let file = map.add(format!("{path}.seq"), text.as_bytes().to_vec());
        let program =
            load(&mut map, file, &BesideImporter).unwrap_or_else(|ds| panic!("{path}: {ds:?}"));
        let found = check(&program);
        assert!(
            found.iter().all(|d| !d.is_error()),
            "{}",
            render_short(&map, &found)
        );
        for id in program.own() {
            let docs = program.docs(id);
            let name = &program.mixer(id).name.text;
            assert!(
                docs.iter().any(|(t, _)| t.starts_with("class:")),
                "{path}: `{name}` documents no class"
            );
        }
    }
}

/// The library is the specs, split into files and laid out: same header and body, other doc lines.
#[test]
fn the_standard_library_is_the_specs() {
    let laid_out = |text: &str| format_source(text).unwrap_or_else(|d| panic!("{d:?}"));
    let library: String = stdlib::paths()
        .filter_map(stdlib::text)
        .map(laid_out)
        .collect();
    for file in ["tier1.seq", "std.seq", "tier2.seq"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../tests/specs")
            .join(file);
        let text = laid_out(&std::fs::read_to_string(path).expect("a spec"));
        for item in text.split("\nmixer ").skip(1) {
            let item = item.split("\n}").next().expect("a body");
            assert!(
                library.contains(&format!("\nmixer {item}\n}}")),
                "{file}: `{}` differs",
                item.lines().next().unwrap_or("")
            );
        }
    }
}
