//! `parse` and the formatter are total: no bytes make them panic, loop or contradict each other.

use proptest::prelude::*;
use seqc_syntax::{SourceMap, dump, format_source, parse, render_human, render_json, render_short};

const PIECES: [&str; 72] = [
    "seq",
    "1",
    "import",
    "mixer",
    "model",
    "recipe",
    "param",
    "state",
    "noise",
    "repeat",
    "as",
    "objective",
    "where",
    "and",
    "or",
    "not",
    "per",
    "x",
    "y",
    "k'",
    "A_log",
    "d",
    "sum",
    "inf",
    "0",
    "2i",
    "1e-3",
    "1e999",
    "3x",
    "1.",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    ",",
    ";",
    ":",
    "=",
    "+=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "->",
    "<=",
    ">=",
    "==",
    "!=",
    "// c\n",
    "/// d\n",
    "\n",
    "\n",
    "\n",
    "$",
    "é",
    "\u{feff}",
    "\"",
    "\0",
    "mixer f(x: seq{d}) -> y: seq{d} {\n",
    "}\n",
    "y = x\n",
    "M[i,j] = ",
    "l: repeat 2 {\n",
    "linear(x, d -> h)",
    "state S{d}\n",
    "recipe r {\n",
];

/// What must hold of any source.
fn check(bytes: &[u8]) {
    let mut map = SourceMap::new();
    let file = map.add("soup.seq", bytes);
    let (tree, errors) = parse(&map, file);
    assert_eq!(tree.is_some(), errors.is_empty());
    assert!(errors.len() <= 20);
    render_human(&map, &errors, false);
    assert_eq!(render_short(&map, &errors).lines().count(), errors.len());
    assert_eq!(render_json(&map, &errors).lines().count(), errors.len());
    let text = map.text(file).to_string();
    match format_source(&text) {
        Ok(once) => {
            let again = map.add("again.seq", once.as_str());
            let (second, errors) = parse(&map, again);
            assert!(errors.is_empty(), "{text:?} became {once:?}");
            assert_eq!(
                second.map(|tree| dump(&tree)),
                tree.map(|tree| dump(&tree)),
                "{text:?} became {once:?}"
            );
            assert_eq!(format_source(&once).as_deref(), Ok(once.as_str()));
        }
        // A file of bad bytes has a text without them, which may be refused for another reason.
        Err(errors) => assert!(!errors.is_empty()),
    }
}

/// Pieces and the blanks between them.
fn soup() -> impl Strategy<Value = String> {
    let piece = (
        prop::sample::select(&PIECES[..]),
        prop::sample::select(&["", " ", " ", " ", "\n"][..]),
    );
    prop::collection::vec(piece, 0..60).prop_map(|pieces| {
        pieces
            .iter()
            .map(|(piece, blank)| format!("{piece}{blank}"))
            .collect()
    })
}

/// A spec with some of its bytes cut out, doubled or overwritten.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let base = include_bytes!("corpus/std.seq");
    let change = (
        0..base.len(),
        0usize..30,
        0usize..3,
        prop::sample::select(&PIECES[..]),
    );
    prop::collection::vec(change, 1..4).prop_map(move |changes| {
        let mut bytes = base.to_vec();
        for (at, length, what, piece) in changes {
            let start = at.min(bytes.len());
            let end = (start + length).min(bytes.len());
            let put = match what {
                0 => Vec::new(),
                1 => bytes[start..end].repeat(2),
                _ => piece.as_bytes().to_vec(),
            };
            bytes.splice(start..end, put);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn token_soup(text in soup()) {
        check(text.as_bytes());
    }

    #[test]
    fn token_soup_in_a_mixer(text in soup()) {
        check(format!("seq 1\nmixer f(x: seq{{d}}) -> y: seq{{d}} {{\n{text}\n}}\n").as_bytes());
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes);
    }

    #[test]
    fn mutated_specs(bytes in mutated()) {
        check(&bytes);
    }
}
