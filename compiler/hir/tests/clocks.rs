//! How far outputs look where several clocks meet.

use seqc_hir::{NoImports, elaborate, load};
use seqc_syntax::SourceMap;

/// How the output of `mixer m(x: seq{d}; …) -> y: seq{d} { … }` looks along its own clock.
fn look(settings: &str, body: &str) -> String {
    let text = format!("seq 1\nmixer m(x: seq{{d}}; {settings}) -> y: seq{{d}} {{\n{body}\n}}\n");
    let mut map = SourceMap::new();
    let file = map.add("m.seq", text.clone());
    let program = load(&mut map, file, &NoImports).unwrap_or_else(|d| panic!("{text}{d:?}"));
    let e = elaborate(&program, "m", &[]).unwrap_or_else(|d| panic!("{text}{d:?}"));
    e.causality[0].own().to_string()
}

#[test]
fn a_tick_is_known_when_it_is_over() {
    let up = |read: &str| {
        look(
            "p = 4",
            &format!("c = mean[p](patch[p](x))\ny = unpatch[p](linear({read}, d -> p d))"),
        )
    };
    assert_eq!(up("c"), "lookahead 3");
    assert_eq!(up("c[t-1]"), "causal");
    assert_eq!(up("c[t+1]"), "lookahead 7");
    assert_eq!(up("c[t-2] * c[t-1]"), "causal");
    assert_eq!(up("c + mean[t](c)"), "bidirectional");
    assert_eq!(up("reverse(c)"), "bidirectional");
}

#[test]
fn ticks_of_ticks_add_up() {
    let body = |read: &str| {
        format!(
            "c = mean[p](patch[p](x))\ne = mean[q](patch[q](c))\n\
             u = unpatch[q](linear({read}, d -> q d))\ny = unpatch[p](linear(u, d -> p d))"
        )
    };
    let of = |read: &str| look("p = 2, q = 3", &body(read));
    assert_eq!(of("e"), "lookahead 5");
    assert_eq!(of("e[t-1]"), "causal");
}

#[test]
fn states_and_matrices_run_along_ticks() {
    let state = "c = mean[p](patch[p](x))\nstate S{d}\nS[t] = 0.5 * S[t-1] + c / (t + 1)\n";
    let of = |read: &str| {
        let line = format!("y = unpatch[p](linear({read}, d -> p d))");
        look("p = 4", &format!("{state}{line}"))
    };
    assert_eq!(of("S"), "lookahead 3");
    assert_eq!(of("S[t-1]"), "causal");
    let matrix = |domain: &str, read: &str| {
        look(
            "p = 4",
            &format!(
                "c = mean[p](patch[p](x))\nM[i,j] = sum[d](c[i] * c[j])  where {domain}\n\
                 o = sum[j](M[t,j] * c[j])\ny = unpatch[p](linear({read}, d -> p d))"
            ),
        )
    };
    assert_eq!(matrix("j <= i", "o"), "lookahead 3");
    assert_eq!(matrix("j <= i", "o[t-1]"), "causal");
    assert_eq!(matrix("j <= i + 2", "o[t-1]"), "lookahead 7");
    assert_eq!(matrix("i <= j", "o[t-1]"), "bidirectional");
}

#[test]
fn blocks_that_are_over_are_past() {
    let of = |bound: &str| {
        look(
            "p = 4",
            &format!(
                "c = mean[p](patch[p](x))\nR[i,j] = sum[d](x[i] * c[j])  where {bound}\n\
                 M[i,j] = R[i, block(j, p)]  where j <= i\ny = sum[j](M[t,j] * x[j])"
            ),
        )
    };
    assert_eq!(of("j < block(i, p)"), "causal");
    assert_eq!(of("j <= block(i, p)"), "lookahead 3");
    let read = |read: &str| look("p = 4", &format!("c = mean[p](patch[p](x))\ny = {read}"));
    assert_eq!(read("c[block(t, p)]"), "lookahead 3");
}

#[test]
fn what_happens_along_an_axis_is_there_at_once() {
    let text = "seq 1
mixer f(x: seq{d}) -> y: seq{d} {
    state S{d}
    S[t] = 0.5 * S[t+1] + x[t-1]
    y = S
}
mixer m(x: seq{d}; w = 3) -> y: seq{d} {
    y = mean[w](f(linear(x, d -> w d), along = w))
}
mixer rows(x: seq{d}; w = 3) -> y: seq{d} {
    y = unpatch[w](f(patch[w](x), along = w))
}
";
    let mut map = SourceMap::new();
    let file = map.add("m.seq", text);
    let program = load(&mut map, file, &NoImports).expect("a program");
    let own = |name: &str| {
        let e = elaborate(&program, name, &[]).unwrap_or_else(|d| panic!("{d:?}"));
        e.causality[0].own().to_string()
    };
    assert_eq!(own("m"), "causal");
    assert_eq!(own("rows"), "lookahead 2");
}
