//! The tree of a few sources, as `--emit=ast` prints it.

use seqc_syntax::ast::{BinaryOp, ExprKind, ItemKind, Stmt, UnaryOp};
use seqc_syntax::{SourceMap, dump, parse};

fn tree(text: &str) -> (SourceMap, seqc_syntax::ast::File) {
    let mut map = SourceMap::new();
    let file = map.add("test.seq", text);
    let (tree, errors) = parse(&map, file);
    assert!(
        errors.is_empty(),
        "{}",
        seqc_syntax::render_human(&map, &errors, false)
    );
    (map, tree.expect("a tree when there are no errors"))
}

/// One mixer of the corpus, with the file's head.
fn mixer(file: &str, name: &str) -> String {
    let start = file
        .find(&format!("mixer {name}"))
        .expect("a mixer of this name");
    let end = file[start..].find("\n}\n").expect("its end") + 3;
    format!("seq 1\n{}", &file[start..start + end])
}

#[test]
fn attention() {
    insta::assert_snapshot!(dump(
        &tree(&mixer(include_str!("corpus/tier1.seq"), "attention(")).1
    ));
}

#[test]
fn resonance() {
    insta::assert_snapshot!(dump(
        &tree(&mixer(include_str!("corpus/tier2.seq"), "resonance(")).1
    ));
}

#[test]
fn models() {
    insta::assert_snapshot!(dump(&tree(include_str!("corpus/models.seq")).1));
}

#[test]
fn every_construct() {
    let text = "seq 1\nimport a/b (c, d)\n/// Doc  line. \nmixer f[c](x: seq[s/4]<v>{c, c'}, z: {}; n: int, r: float = 1e-3, b: bool, g: mixer = h) -> (y: seq{c}, w: seq[s/n]) {\n\
        /// inside\nstate K[j]{n} = k[j]\nnoise z\ny, w = f[c, c'](x, a -> b c, -> d, per h g, k = 2i)\n\
        l: repeat 1_0 as i {\nx += range(c') ^ -2 ^ n\n}\nM[i,j] = not a == b and -c % d < 0.5 or e{a = i, b' = t - 1}[lag]{a b' -> }\n\
        objective o = sum[t](-inf)\n}\nrecipe f {\na = g(b = 1)\nc = -1\n}\n";
    insta::assert_snapshot!(dump(&tree(text).1));
}

/// The value of `y = …` in a mixer of one equation.
fn value(text: &str) -> (SourceMap, seqc_syntax::ast::Expr) {
    let (map, file) = tree(&format!(
        "seq 1\nmixer f(x: seq{{d}}) -> y: seq{{d}} {{\ny = {text} // end\n}}\n"
    ));
    let ItemKind::Mixer(mixer) = &file.items[0].kind else {
        panic!("a mixer")
    };
    let Stmt::Equation(equation) = &mixer.body.stmts[0] else {
        panic!("an equation")
    };
    let value = equation.value.clone();
    (map, value)
}

#[test]
fn precedence() {
    let ops = |text: &str| match value(text).1.kind {
        ExprKind::Binary { op, .. } => op.symbol(),
        ExprKind::Unary { op, .. } => op.symbol(),
        _ => "",
    };
    let expected = [
        ("a or b and c", "or"),
        ("not a and b", "and"),
        ("not a == b", "not"),
        ("a + 1 < b", "<"),
        ("a - b - c", "-"),
        ("a * b + c", "+"),
        ("-a * b", "*"),
        ("-a ^ b", "-"),
        ("a ^ -b ^ c", "^"),
        ("(a or b) and c", "and"),
        ("a and not b", "and"),
        ("a ^ -b * c", "*"),
        ("- - a * b", "*"),
        ("-a + b", "+"),
    ];
    for (text, op) in expected {
        assert_eq!(ops(text), op, "{text}");
    }
    // From the left: (a - b) - c. From the right: a ^ (-(b ^ c)).
    let ExprKind::Binary { left, .. } = value("a - b - c").1.kind else {
        panic!()
    };
    assert!(matches!(
        left.kind,
        ExprKind::Binary {
            op: BinaryOp::Sub,
            ..
        }
    ));
    let ExprKind::Binary { right, .. } = value("a ^ -b ^ c").1.kind else {
        panic!()
    };
    let ExprKind::Unary {
        op: UnaryOp::Neg,
        operand,
    } = right.kind
    else {
        panic!()
    };
    assert!(matches!(
        operand.kind,
        ExprKind::Binary {
            op: BinaryOp::Pow,
            ..
        }
    ));
}

/// Every pair of operators, against a second way to bind: the loosest one in the row splits it.
#[test]
fn precedence_of_pairs() {
    let levels: [&[&str]; 6] = [
        &["or"],
        &["and"],
        &["<=", ">=", "==", "!=", "<", ">"],
        &["+", "-"],
        &["*", "/", "%"],
        &["^"],
    ];
    let all: Vec<(usize, &str)> = levels
        .iter()
        .enumerate()
        .flat_map(|(level, ops)| ops.iter().map(move |op| (level, *op)))
        .collect();
    for (level, op) in &all {
        for (next_level, next) in &all {
            if *level == 2 && *next_level == 2 {
                continue;
            }
            let right = next_level > level || (level == next_level && *level == 5);
            let grouped = if right {
                format!("a {op} (b {next} c)")
            } else {
                format!("(a {op} b) {next} c")
            };
            let plain = format!("a {op} b {next} c");
            let text = |row: &str| {
                dump(
                    &tree(&format!(
                        "seq 1\nmixer f(x: {{}}) -> y: {{}} {{\ny = {row}\n}}\n"
                    ))
                    .1,
                )
            };
            assert_eq!(text(&plain), text(&grouped), "{plain}");
        }
    }
}

#[test]
fn spans_are_the_text() {
    for text in [
        "(a + b)",
        "a + b",
        "-a ^ b",
        "x[t-1]{a = 1}",
        "sum[d](a * b)",
        "not a",
        "1e-3i",
    ] {
        let (map, value) = value(text);
        assert_eq!(map.slice(value.span), text);
    }
    let (map, file) = tree(
        "seq 1\n/// d\nmixer f(x: seq ) -> y: seq {\n x += a  // c\n // c\n l: repeat n {\n}\n state s // c\n}  // end\n",
    );
    let ItemKind::Mixer(mixer) = &file.items[0].kind else {
        panic!("a mixer")
    };
    assert_eq!(map.slice(mixer.inputs[0].span), "x: seq");
    let stmts: Vec<&str> = mixer
        .body
        .stmts
        .iter()
        .map(|stmt| map.slice(stmt.span()))
        .collect();
    assert_eq!(stmts, ["x += a", "l: repeat n {\n}", "state s"]);
    assert_eq!(map.slice(file.edition.span), "seq 1");
    assert!(map.slice(mixer.span).ends_with('}'));
}

#[test]
fn numbers() {
    let number = |text: &str| match value(text).1.kind {
        ExprKind::Number(number) => (number.value, number.imaginary, number.as_integer()),
        _ => panic!("{text} is a number"),
    };
    assert_eq!(number("1_000"), (1000.0, false, Some(1000)));
    assert_eq!(number("2.5E1"), (25.0, false, None));
    assert_eq!(number("1e-3i"), (0.001, true, None));
    assert_eq!(number("18446744073709551615").2, Some(u64::MAX));
}
