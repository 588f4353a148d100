//! Where parameters are, which arms are there, what a name stands for after `+=`: spellings that others tried first.

use seqc_hir::{BesideImporter, Elaborated, elaborate, load};
use seqc_syntax::{SourceMap, render_short};

fn elaborated(text: &str, item: &str, settings: &[(&str, &str)]) -> Result<Elaborated, String> {
    let mut map = SourceMap::new();
    let file = map.add("m.seq".to_owned(), text.as_bytes().to_vec());
    let program = load(&mut map, file, &BesideImporter).map_err(|d| render_short(&map, &d))?;
    let settings: Vec<(String, String)> = settings
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    elaborate(&program, item, &settings).map_err(|d| render_short(&map, &d))
}

/// The paths of a mixer's parameters, sorted.
fn paths(body: &str, settings: &[(&str, &str)]) -> Vec<String> {
    let text = format!(
        "seq 1\nimport std (gla)\n\nmixer act[c](x: seq{{c}}; f: mixer = silu) -> y: seq{{c}} {{\n    y = f(x)\n}}\n\nmixer m(x: seq{{d}}, z: seq{{d}}; d = 8, layer: int = 0) -> y: seq{{d}} {{\n{body}\n}}\n"
    );
    let e = elaborated(&text, "m", settings).unwrap_or_else(|why| panic!("{body}\n{why}"));
    let mut out: Vec<String> = (e.func.params.iter())
        .filter_map(|p| e.func.input(*p))
        .filter(|i| matches!(i.kind, seqc_algebra::InputKind::Param { .. }))
        .map(|i| i.name.to_string())
        .collect();
    out.sort();
    out
}

#[test]
fn calls_of_one_line_are_told_apart_by_their_arguments() {
    let cases: &[(&str, &[&str])] = &[
        ("y = linear(x, d -> d)", &["y.weight"]),
        (
            "y = linear(x, d -> d) + linear(z, d -> d)",
            &["y.x.weight", "y.z.weight"],
        ),
        (
            "y = affine(x[t-1], d -> d) * linear(z, d -> d)",
            &["y.x.bias", "y.x.weight", "y.z.weight"],
        ),
        (
            "mix: y = silu(linear(x, d -> d)) + linear(z, d -> d)",
            &["mix.x.weight", "mix.z.weight"],
        ),
        // One call of each callee: as ever.
        ("y = linear(x, d -> d) + act(z)", &["y.weight"]),
    ];
    for (body, want) in cases {
        assert_eq!(paths(body, &[]), *want, "{body}");
    }
    let both = paths("y = gla(x, h = 2) + gla(z, h = 2)", &[]);
    assert!(both.contains(&"y.x.gla.q.weight".to_owned()), "{both:?}");
    assert!(both.contains(&"y.z.gla.q.weight".to_owned()), "{both:?}");
}

#[test]
fn an_arm_that_is_never_taken_has_no_parameters() {
    let body = "y = select(layer == 0, affine(x, d -> d), linear(z, d -> d) + linear(x, d -> d))";
    assert_eq!(paths(body, &[]), ["y.bias", "y.weight"]);
    assert_eq!(paths(body, &[("layer", "1")]), ["y.x.weight", "y.z.weight"]);
}

#[test]
fn a_sum_may_grow_anywhere() {
    let grown = "a = 2 * x\n    a += z\n    b = a * a\n    a += b\n    y = a - x";
    let plain = "a = 2 * x\n    a1 = a + z\n    b = a1 * a1\n    a2 = a1 + b\n    y = a2 - x";
    let func = |body: &str| {
        let text = format!(
            "seq 1\n\nmixer m(x: seq{{d}}, z: seq{{d}}; d = 8) -> y: seq{{d}} {{\n    {body}\n}}\n"
        );
        elaborated(&text, "m", &[]).unwrap_or_else(|why| panic!("{why}"))
    };
    let ops = |e: &Elaborated| -> Vec<_> {
        let f = &e.func;
        f.ids()
            .map(|v| (f.op(v).clone(), f.args(v).to_vec()))
            .collect()
    };
    assert_eq!(ops(&func(grown)), ops(&func(plain)));
    // An input, an output, and what a state reads.
    let state = "state s{d}\n    x += z\n    s[t] = 0.5 * s[t-1] + x\n    y = s\n    y += x";
    func(state);
}

#[test]
fn functions_are_settings() {
    assert!(paths("y = act(x) + act(z, f = gelu)", &[]).is_empty());
    let text = "seq 1\n\nmixer soft(x: seq{d}; d = 4, norm: mixer = softmax, act: mixer = silu) -> y: seq{d} {\n    M[i,j] = norm[j](sum[d](x[i] * x[j]))  where j <= i\n    y = act(sum[j](M[t,j] * x[j]))\n}\n";
    for settings in [&[][..], &[("act", "gelu")], &[("act", "tanh")]] {
        elaborated(text, "soft", settings).unwrap_or_else(|why| panic!("{why}"));
    }
    let refused = elaborated(text, "soft", &[("act", "glu")]);
    assert!(refused.is_err_and(|why| why.contains("neither a number nor a mixer")));
}
