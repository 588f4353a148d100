//! The formatter keeps the tree, changes nothing twice, and keeps every comment.

use proptest::prelude::*;
use seqc_syntax::{SourceMap, dump, format_source, parse};

const CORPUS: [(&str, &str); 4] = [
    ("models", include_str!("corpus/models.seq")),
    ("std", include_str!("corpus/std.seq")),
    ("tier1", include_str!("corpus/tier1.seq")),
    ("tier2", include_str!("corpus/tier2.seq")),
];

/// The tree without spans; a failure shows the errors.
fn tree(text: &str) -> String {
    let mut map = SourceMap::new();
    let file = map.add("test.seq", text);
    let (tree, errors) = parse(&map, file);
    assert!(
        errors.is_empty(),
        "{}",
        seqc_syntax::render_human(&map, &errors, false)
    );
    dump(&tree.expect("a tree when there are no errors"))
}

fn formatted(text: &str) -> String {
    match format_source(text) {
        Ok(text) => text,
        Err(errors) => panic!("{errors:?}\n{text}"),
    }
}

#[track_caller]
fn assert_stable(text: &str) -> String {
    let once = formatted(text);
    assert_eq!(tree(&once), tree(text));
    assert_eq!(formatted(&once), once);
    once
}

#[test]
fn specs_survive() {
    for (name, text) in CORPUS {
        let once = assert_stable(text);
        assert!(
            once.lines()
                .all(|line| line.chars().count() <= 120 && line.trim_end() == line),
            "{name}"
        );
    }
}

/// The specs are written by hand in the style that the formatter writes: nearly nothing may change.
#[test]
fn specs_are_in_style() {
    for (name, text) in CORPUS {
        let once = formatted(text);
        let changed: Vec<&str> = once
            .lines()
            .filter(|line| !text.lines().any(|known| known == *line))
            .collect();
        assert!(
            changed.len() * 50 <= text.lines().count(),
            "{name}: {changed:#?}"
        );
    }
}

#[test]
fn layout() {
    let text = "seq 1 // edition\r\nimport lib/std(a,b)\n// head\nmixer f [ c,d ](x:seq [ s / 4 ]< v >{ c },\n z : { c };h=4,g : mixer=rope)->(y:seq{d},w:{ }){ // open\n\n\
        param w{c ,n' }=- 1 // one\n\n\n// own\ny=sum [c] (w*x[ t - 1,j ]){n'=0 ,c = 2}{c n'->d} // tail\n  + x [t -lag]\n// mid\n*2^-1\n\
        M[i ,j]=(a+b)where not j<=i\nl:repeat 2 as k{x+=f(x,->a,per h g,h=8)}\n\n// last\n}\n\n\n\n/// Recipe.\nrecipe f{a=1\nb=g( )}";
    insta::assert_snapshot!(assert_stable(text));
}

#[test]
fn long_lines_break() {
    let long = "alpha_beta_gamma(delta, epsilon = 1) + ".repeat(5);
    let names: Vec<String> = (0..20)
        .map(|index| format!("setting_{index} = {index}"))
        .collect();
    let text = format!(
        "seq 1\nmixer f(x: seq{{d}}; {}) -> y: seq{{d}} {{\n    M[i,j] = {long}1  where j <= i\n    y = softmax[j]({long}0)  where j <= i and ({}j > 0)\n}}\n",
        names.join(", "),
        "aaaaaaaa < bbbbbbbbb and ".repeat(8),
    );
    insta::assert_snapshot!(assert_stable(&text));
}

#[test]
fn errors_are_returned() {
    let errors =
        format_source("seq 1\nmixer f(x: seq{d}) -> y: seq{d} { y = a b }").expect_err("E02");
    assert_eq!(
        errors.iter().map(|error| error.code).collect::<Vec<_>>(),
        ["E02"]
    );
}

/// Puts blanks, newlines and comments between the tokens of a text that parses.
fn scattered(text: &str, choices: &[u8]) -> String {
    let mut out = String::new();
    let mut choices = choices.iter().cycle();
    for (index, line) in text.lines().enumerate() {
        // Within a line, more room only at the blanks: the text is known to be cut well there.
        let doc = line.trim_start().starts_with("///");
        for (piece, word) in line.split(' ').enumerate() {
            if piece > 0 {
                out.push_str(match choices.next() {
                    Some(0) if !doc => "\n",
                    Some(1) if !doc => " // c\n",
                    Some(2) if !doc => "\n  // own\n\n ",
                    Some(3) if !doc => "\t  ",
                    _ => " ",
                });
            }
            out.push_str(word);
        }
        out.push_str(match choices.next() {
            Some(0) if !doc => " // end\n",
            Some(1) => "\n\n\n",
            Some(2) if index > 0 => "\n// between\n",
            _ => "\n",
        });
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_breaks_and_comments(pick in 0usize..4, choices in prop::collection::vec(0u8..12, 64..200)) {
        let text = scattered(CORPUS[pick].1, &choices);
        let once = assert_stable(&text);
        let comments = |text: &str| text.matches("// c").count() + text.matches("// own").count()
            + text.matches("// end").count() + text.matches("// between").count();
        prop_assert_eq!(comments(&once), comments(&text));
        prop_assert_eq!(tree(&once), tree(CORPUS[pick].1));
    }
}
