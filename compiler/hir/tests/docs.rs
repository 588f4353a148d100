//! The documents' examples are whole files, and are what the text says: right and formatted, or wrong with its code.
//!
//! ` ```seq ` checks without a diagnostic; ` ```seq,E11 ` gives that code and no other (E22: the model is not causal,
//! which `generate` would refuse). The table of built-in functions and the list of the library are complete.

use seqc_hir::{NoImports, check, elaborate, load};
use seqc_syntax::{Diagnostic, SourceMap, format_source, render_human};
use std::collections::BTreeSet;
use std::path::PathBuf;

fn docs(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(docs(name)).unwrap_or_else(|e| panic!("docs/{name}: {e}"))
}

struct Block {
    line: usize,
    /// What follows ` ```seq `.
    code: Option<String>,
    text: String,
}

/// The blocks of specs in a document.
fn blocks(text: &str) -> Vec<Block> {
    let mut out = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((k, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let body: Vec<&str> = lines
            .by_ref()
            .map(|(_, l)| l)
            .take_while(|l| *l != "```")
            .collect();
        let mut tags = info.split(',');
        if tags.next() == Some("seq") {
            out.push(Block {
                line: k + 1,
                code: tags.next().map(str::to_owned),
                text: body.join("\n") + "\n",
            });
        }
    }
    out
}

fn diagnostics(map: &mut SourceMap, b: &Block) -> Vec<Diagnostic> {
    let file = map.add("example.seq", b.text.as_str());
    let program = match load(map, file, &NoImports) {
        Ok(program) => program,
        Err(diags) => return diags,
    };
    let mut found = check(&program);
    if b.code.as_deref() == Some("E22") {
        for id in program.own() {
            let mixer = program.mixer(id);
            let e = elaborate(&program, &mixer.name.text, &[]).expect("a model that elaborates");
            found.extend(e.require_causal(&mixer.outputs[0].name.text).err());
        }
    }
    found
}

fn wrong(b: &Block) -> Option<String> {
    let mut map = SourceMap::new();
    let found = diagnostics(&mut map, b);
    let codes: BTreeSet<&str> = found.iter().map(|d| d.code).collect();
    let want: BTreeSet<&str> = b.code.iter().map(String::as_str).collect();
    if codes != want {
        return Some(format!(
            "gives {codes:?} instead of {want:?}\n{}",
            render_human(&map, &found, false)
        ));
    }
    match format_source(&b.text) {
        Ok(text) if b.code.is_none() && text != b.text => Some(format!("is formatted as\n{text}")),
        _ => None,
    }
}

#[test]
fn examples_are_what_the_text_says() {
    for (name, least) in [("language.md", 20), ("tutorial.md", 3)] {
        let blocks = blocks(&read(name));
        let bad: Vec<String> = blocks
            .iter()
            .filter_map(|b| Some(format!("docs/{name}:{}: {}", b.line, wrong(b)?)))
            .collect();
        assert!(bad.is_empty(), "{}", bad.join("\n"));
        assert!(blocks.len() >= least, "{name}: {} examples", blocks.len());
    }
}

/// Names in the first column of the tables below a heading.
fn tabled(text: &str, heading: &str) -> BTreeSet<String> {
    let section = text
        .split_once(heading)
        .unwrap_or_else(|| panic!("no {heading}"))
        .1;
    let section = section.split("\n## ").next().unwrap_or("");
    let rows = section.lines().filter_map(|l| l.strip_prefix("| "));
    let mut out = BTreeSet::new();
    for cell in rows.filter_map(|r| r.split(" | ").next()) {
        for code in cell.split('`').skip(1).step_by(2) {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            out.insert(code.split(|c| !word(c)).next().unwrap_or("").to_owned());
        }
    }
    out
}

#[test]
fn every_built_in_function_is_in_the_reference() {
    let told = tabled(&read("language.md"), "\n## Built-in functions\n");
    let known: BTreeSet<String> = seqc_hir::builtins().map(str::to_owned).collect();
    let missing: Vec<_> = known.difference(&told).collect();
    let invented: Vec<_> = told.difference(&known).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "not told: {missing:?}; do not exist: {invented:?}"
    );
}

#[test]
fn every_code_is_in_the_reference() {
    let text = read("language.md");
    let told = tabled(&text, "\n## Errors\n");
    let known: BTreeSet<String> = (1..=30)
        .map(|k| format!("E{k:02}"))
        .chain(["N01".into()])
        .collect();
    assert_eq!(told, known);
}

/// One line for each mixer of a file of the library: call, what it is, formula, paper, class.
fn listed(path: &str) -> String {
    let mut map = SourceMap::new();
    let text = seqc_hir::stdlib::text(path).expect("a file of the library");
    let file = map.add(format!("{path}.seq"), text);
    let program = load(&mut map, file, &NoImports).expect("a file that loads");
    let mut out = format!("\n## {path}\n\n");
    for id in program.own() {
        let mixer = program.mixer(id);
        let inputs = mixer.inputs.iter().map(|p| p.name.text.as_str());
        let settings = mixer.hypers.iter().map(|h| h.name.text.as_str());
        let (inputs, settings): (Vec<_>, Vec<_>) = (inputs.collect(), settings.collect());
        let settings = match settings.as_slice() {
            [] => String::new(),
            s => format!("; {}", s.join(", ")),
        };
        let group: Vec<&str> = mixer.group.iter().map(|n| n.text.as_str()).collect();
        let group = match group.as_slice() {
            [] => String::new(),
            g => format!("[{}]", g.join(", ")),
        };
        let (mut what, mut formula, mut paper, mut class) = (String::new(), vec![], None, None);
        for (line, _) in program.docs(id) {
            let (line, cited) = match line.split_once("paper:") {
                Some((before, cited)) => (before.trim().to_owned(), Some(cited.trim().to_owned())),
                None => (line.trim().to_owned(), None),
            };
            paper = paper.or(cited);
            match line.strip_prefix("class:") {
                Some(c) => class = Some(c.trim().to_owned()),
                None if line.is_empty() => {}
                None if what.is_empty() => what = line,
                None => formula.push(line),
            }
        }
        out.push_str(&format!(
            "- **`{}{group}({}{settings})`** {what}",
            mixer.name.text,
            inputs.join(", ")
        ));
        if !formula.is_empty() {
            out.push_str(&format!(" `{}`", formula.join(" ")));
        }
        out.push_str(&format!(" *{}*", class.expect("a class")));
        out.push_str(&paper.map_or(String::new(), |p| format!(" ({p})")));
        out.push('\n');
    }
    out
}

/// `SEQC_BLESS=1 cargo test -p seqc-hir --test docs` writes it anew.
#[test]
fn the_list_of_the_library_is_up_to_date() {
    let mut want = String::from(
        "# The standard library\n\nMade from the doc lines in `stdlib/` by `compiler/hir/tests/docs.rs`: what each mixer is, its formula, \
         its class and its paper. `import std (…)` finds every one of them; `'` is the previous step, `(x)` the outer product.\n",
    );
    for path in seqc_hir::stdlib::paths().filter(|p| *p != "std") {
        want.push_str(&listed(path));
    }
    if std::env::var_os("SEQC_BLESS").is_some() {
        std::fs::write(docs("stdlib.md"), &want).expect("written");
    }
    assert!(
        read("stdlib.md") == want,
        "docs/stdlib.md is not what the library's doc lines say; write it anew: SEQC_BLESS=1 cargo test -p seqc-hir --test docs"
    );
}
