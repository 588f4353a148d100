//! What a short text may unfold to is bounded, and found in little time: E27 once, where the user can mend it; of very many
//! errors some are told and the others counted.

use seqc_hir::{NoImports, check, load};
use seqc_syntax::{Diagnostic, SourceMap};
use std::time::{Duration, Instant};

/// The diagnostics of a text and what each underlines; in debug builds and on a busy machine within this.
const LONG: Duration = Duration::from_secs(60);

fn told(text: &str) -> Vec<(Diagnostic, String)> {
    let start = Instant::now();
    let mut map = SourceMap::new();
    let file = map.add("deep.seq", text.as_bytes());
    let diags = match load(&mut map, file, &NoImports) {
        Ok(program) => check(&program),
        Err(diags) => diags,
    };
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    let shown = |d: &Diagnostic| {
        let span = d.span();
        text[span.start as usize..span.end as usize].to_owned()
    };
    diags
        .into_iter()
        .map(|d| (shown(&d), d))
        .map(|(at, d)| (d, at))
        .collect()
}

/// One error, E27, that says so much, at such a place.
fn too_large(text: &str, says: &str, at: &str) {
    let all = told(text);
    let [(d, place)] = all.as_slice() else {
        panic!("{all:?}");
    };
    assert_eq!(d.code, "E27", "{d:?}");
    assert!(d.message.contains(says), "{}", d.message);
    assert!(d.help.is_some());
    assert_eq!(place, at);
}

/// Mixers `m0` to `m{n}`, each of which calls the one before as `call` says.
fn callers(n: usize, call: &str) -> String {
    let mut text = "seq 1\nmixer m0(x: seq{d}) -> y: seq{d} { y = x * 2 }\n".to_owned();
    for k in 1..=n {
        let body = call.replace("$", &format!("m{}", k - 1));
        text += &format!("mixer m{k}(x: seq{{d}}) -> y: seq{{d}} {{\n    {body}\n}}\n");
    }
    text
}

#[test]
fn calls_that_double_are_refused_at_the_first_call() {
    too_large(
        &callers(60, "y = $(x) + $(x)"),
        "100000 statements",
        "m15(x)",
    );
    too_large(
        &callers(40, "a = $(x)\n    b = $(a)\n    y = $(b)"),
        "100000 statements",
        "m9(b)",
    );
    too_large(
        &callers(20, "repeat 10 { x = $(x) }\n    y = x"),
        "100000 statements",
        "m4(x)",
    );
}

#[test]
fn the_largest_first_is_refused_as_well() {
    let text = callers(60, "y = $(x) + $(x)");
    let mut lines: Vec<&str> = text.split_inclusive("}\n").collect();
    lines[0] = lines[0].trim_start_matches("seq 1\n");
    lines.reverse();
    too_large(
        &format!("seq 1\n{}", lines.concat()),
        "100000 statements",
        "m59(x)",
    );
}

#[test]
fn repeats_are_refused_before_they_are_written_out() {
    let body = |b: &str| {
        format!("seq 1\nmixer m(x: seq{{d}}; n = 4000) -> y: seq{{d}} {{\n{b}\n    y = x\n}}\n")
    };
    too_large(
        &body("repeat 65536 { repeat 65536 { x = x * 2 } }"),
        "100000 statements",
        "65536",
    );
    too_large(
        &body("repeat n { repeat 30 { x = x * 2 } }"),
        "100000 statements",
        "n",
    );
    too_large(
        &body("repeat 60 { repeat 60 { repeat 60 { x = x * 2 } } }"),
        "100000 statements",
        "60",
    );
}

#[test]
fn many_errors_are_counted() {
    let line = |k: usize| format!("    a{k} = b{k}\n");
    let lines: String = (0..8000).map(line).collect();
    let text = format!("seq 1\nmixer m(x: seq{{d}}) -> y: seq{{d}} {{\n{lines}    y = x\n}}\n");
    let all = told(&text);
    assert_eq!(all.len(), 200);
    assert!(all.iter().all(|(d, _)| d.code == "E03"));
    let last = &all[199].0;
    assert_eq!(last.notes, ["7800 more errors follow, which are not shown"]);
}

#[test]
fn many_mixers_with_errors_are_counted() {
    let one = |k: usize| format!("mixer m{k}(x: seq{{d}}) -> y: seq{{d}} {{ y = m{k}(x) }}\n");
    let text: String = (0..5000).map(one).collect();
    let all = told(&format!("seq 1\n{text}"));
    assert_eq!(all.len(), 200);
    assert_eq!(
        all[199].0.notes.last().unwrap(),
        "4800 more mixers were not checked"
    );
}

#[test]
fn long_texts_are_no_deep_texts() {
    let chain = |k: usize| format!("    a{} = a{k} + 1\n", k + 1);
    let chain: String = (0..8000).map(chain).collect();
    let text = format!(
        "seq 1\nmixer m(x: seq{{d}}) -> y: seq{{d}} {{\n    a0 = x\n{chain}    y = a8000\n}}\n"
    );
    assert!(told(&text).is_empty());
    let state = |k: usize| format!("    state s{k}{{d}}\n    s{k}[t] = s{k}[t-1] + x\n");
    let states: String = (0..1000).map(state).collect();
    let text = format!("seq 1\nmixer m(x: seq{{d}}) -> y: seq{{d}} {{\n{states}    y = s999\n}}\n");
    assert!(told(&text).is_empty());
}
