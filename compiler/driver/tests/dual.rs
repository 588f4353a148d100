//! Matrices whose entries are products of a row's and a column's values, with or without decays between the two, have
//! the forms of recurrences, however they are spelled, and equal their definition; others say what they lack.

mod support;

use seqc_derive::report::equations;
use seqc_driver::passes::generation_step;
use seqc_driver::{build, frontend};
use support::{certificate, shapes, small};

const HEAD: &str = "q: seq{h, dk}, k: seq{h, dk}, v: seq{h, dv}, g: seq{h}; h = 2, dk = 3, dv = 5) -> o: seq{h, dv}";
const SUM: &str = "o = sum[j](M[t,j] * v[j])";

fn certified(text: &str) {
    let c = certificate(text, "m", &small());
    assert!(c.green(), "{text}\n{c}");
}

/// The class and forms of the matrix, and why forms are missing.
fn matrix(text: &str) -> (String, Vec<&'static str>, Vec<String>) {
    let source = frontend::of_text("m.seq", text).unwrap_or_else(|e| panic!("{e}"));
    let e = source
        .elaborate("m", &[])
        .unwrap_or_else(|e| panic!("{text}\n{e}"));
    let func = build::outputs(&e).expect("has outputs");
    let all = equations(&func).unwrap_or_else(|e| panic!("{e}"));
    let found = all.iter().find(|q| q.forms.contains(&"matrix"));
    let q = found.unwrap_or_else(|| panic!("{text}\nhas no matrix: {all:?}"));
    let why = q.missing.iter().map(|m| m.why.clone()).collect();
    (q.class.word().to_owned(), q.forms.clone(), why)
}

/// Whether a step's states grow with the sequence; `None` if there is no step.
fn grows(text: &str) -> Option<bool> {
    let source = frontend::of_text("m.seq", text).unwrap_or_else(|e| panic!("{e}"));
    let e = source.elaborate("m", &[]).unwrap_or_else(|e| panic!("{e}"));
    let func = build::outputs(&e).expect("has outputs");
    let step = generation_step(&func, &shapes(), &mut vec![]).ok()?;
    let state = |p: &&seqc_algebra::ValueId| {
        step.input(**p)
            .is_some_and(|i| i.kind == seqc_algebra::InputKind::State)
    };
    let long = |p: &seqc_algebra::ValueId| {
        step.ty(*p)
            .axes
            .iter()
            .any(|a| !a.is_const() && a.name.as_str() != "batch")
    };
    Some(step.params.iter().filter(state).any(long))
}

fn spec(body: &str) -> String {
    format!("seq 1\n\nmixer m({HEAD} {{\n{body}\n}}\n")
}

/// A class and bodies of it; the first causal, so that its state must be of constant size.
fn recurrent(class: &str, causal: bool, body: &str) {
    let text = spec(body);
    let (word, forms, why) = matrix(&text);
    assert_eq!(word, class, "{text}\n{why:?}");
    assert_eq!(forms, ["matrix", "recurrent", "chunked"], "{text}");
    if causal {
        assert_eq!(grows(&text), Some(false), "{text}");
    }
    certified(&text);
}

#[test]
fn low_rank_matrices_are_recurrences() {
    let m = |m: &str| format!("M[i,j] = {m}\n{SUM}");
    let causal = "where j <= i";
    recurrent(
        "low rank",
        true,
        &m(&format!("sum[dk](q[i] * k[j])  {causal}")),
    );
    recurrent("low rank", true, &m("sum[dk](q[i] * k[j])  where j < i"));
    recurrent("low rank", false, &m("sum[dk](q[i] * k[j])  where i <= j"));
    recurrent("low rank", false, &m("sum[dk](q[i] * k[j])  where j > i"));
    recurrent("low rank", false, &m("sum[dk](q[i] * k[j])"));
    let normalised = format!(
        "M[i,j] = sum[dk](exp(q[i]) * exp(k[j]))  {causal}\no = sum[j](M[t,j] * v[j]) / sum[j](M[t,j])"
    );
    recurrent("low rank", true, &normalised);
    // The exponential to second order; and a factor that data of the column switches.
    let s = "sum[dk](q[i] * k[j])";
    recurrent(
        "low rank",
        true,
        &m(&format!("1 + {s} + {s} * {s} / 2  {causal}")),
    );
    recurrent(
        "low rank",
        true,
        &m(&format!("{s} / 3 - g[j]  where j <= i and g[j] > 0")),
    );
    // Without data: how many there were.
    let mean = format!("M[i,j] = 1 / (i + 1) + 0 * g[i]  {causal}\n{SUM}");
    recurrent("low rank", true, &mean);
}

#[test]
fn decays_between_two_times_are_the_recurrences_decays() {
    let s = "sum[dk](q[i] * k[j])";
    let causal = "where j <= i";
    let sum = "state c{h}\nc[t] = c[t-1] + logsigmoid(g)";
    let m = |before: &str, m: &str| format!("{before}\nM[i,j] = {m}\n{SUM}");
    let same = |m: &str| recurrent("semiseparable", true, m);
    same(&m(sum, &format!("exp(c[i] - c[j]) * {s}  {causal}")));
    same(&m(sum, &format!("{s} * exp(-(c[j] - c[i]))  where j < i")));
    same(&m(
        "state c{h}\nc[t] = c[t-1] - softplus(g)",
        &format!("exp((c[i] - c[j]) / 2) * {s}  {causal}"),
    ));
    same(&m(
        "param w{h} = uniform(0.5, 1)",
        &format!("w ^ (i - j) * {s}  {causal}"),
    ));
    same(&m(
        "param w{h} = normal(1)",
        &format!("sigmoid(w) ^ (i - j) * {s}  {causal}"),
    ));
    same(&m(
        "param w{h} = normal(1)",
        &format!("{s} * exp((j - i) * softplus(w))  {causal}"),
    ));
    // A decay for each key, and one for each value.
    same(
        "state c{h, dk}\nc[t] = c[t-1] + logsigmoid(k)\nM[i,j] = sum[dk](q[i] * k[j] * exp(c[i] - c[j]))  where j <= i\no = sum[j](M[t,j] * v[j])",
    );
    same(
        "state c{h, dv}\nc[t] = c[t-1] + logsigmoid(v)\nM[i,j] = exp(c[i] - c[j])  where j <= i\no = sum[j](M[t,j] * v[j])",
    );
    // The other way.
    let later = m(sum, &format!("exp(c[j] - c[i]) * {s}  where i <= j"));
    recurrent("semiseparable", false, &later);
    let after = m(sum, &format!("exp(c[j] - c[i]) * {s}  where i < j"));
    recurrent("semiseparable", false, &after);
}

/// What each step does to a state for each source is done to their sum.
#[test]
fn states_for_each_source_are_one_state() {
    let family = |state: &str, m: &str| format!("{state}\nM[i,j] = {m}\n{SUM}");
    let same = |body: &str| recurrent("semiseparable", true, body);
    let decay = "state L[j]{h} = 1\nL[t,j] = sigmoid(g) * L[t-1,j]";
    let s = "sum[dk](q[i] * k[j])";
    same(&family(decay, &format!("{s} * L[i,j]  where j <= i")));
    same(&family(decay, &format!("L[i,j] * {s} / 2  where j < i")));
    // Keys that later steps turn: the delta rule.
    let keys = "e = k / (1 + sum[dk](k * k))\nstate K[j]{h, dk} = e[j]\nK[t,j] = K[t-1,j] - e * sum[dk](e * K[t-1,j])";
    same(&family(keys, "sum[dk](q[i] * K[i,j])  where j <= i"));
    // What is added to each, and what depends on the source, is no one state's: a step has them all.
    for (state, m) in [
        (
            "state R[j]{h}\nR[t,j] = 0.9 * R[t-1,j] + tanh(sum[dk](q * k[j]))",
            "R[i,j]  where j <= i",
        ),
        (
            "state R[j]{h} = 1\nR[t,j] = sigmoid(g[j]) * R[t-1,j]",
            "R[i,j]  where j <= i",
        ),
    ] {
        let text = spec(&family(state, m));
        let (_, forms, _) = matrix(&text);
        assert_eq!(forms, ["matrix"], "{text}");
        assert_eq!(grows(&text), Some(true), "{text}");
    }
}

/// A window would need subtraction, a function of a sum of products is no product.
#[test]
fn other_matrices_say_why_they_have_none() {
    let s = "sum[dk](q[i] * k[j])";
    for (m, why) in [
        (
            format!("{s}  where j <= i and i - j < 3"),
            "a window has no state",
        ),
        (format!("tanh({s})  where j <= i"), "not sums of products"),
        (
            format!("softmax[j]({s})  where j <= i"),
            "a softmax needs all earlier entries",
        ),
        (
            format!("exp(g[i] - g[j]) * {s}  where j <= i"),
            "not sums of products",
        ),
        (
            format!("{s}  where j <= i + 2"),
            "its condition on the two positions",
        ),
        (
            format!("{s} * {s} * {s} * {s} * {s} * {s} * {s}  where j <= i"),
            "by 2187 numbers",
        ),
        (
            "0.9 ^ (i - j) + 0 * g[i]".to_owned(),
            "not bounded to one side",
        ),
    ] {
        let text = spec(&format!("M[i,j] = {m}\n{SUM}"));
        let (_, forms, missing) = matrix(&text);
        assert!(!forms.contains(&"recurrent"), "{text}");
        assert!(
            missing.iter().any(|w| w.contains(why)),
            "{text}\n{missing:?}"
        );
    }
}

/// What every position of another sequence gives is one sum over it.
#[test]
fn columns_of_another_clock_are_summed_once() {
    let text = "seq 1\n\nmixer m(q: seq{dk}, k: seq[s]{dk}, v: seq[s]{dv}; dk = 3, dv = 5) -> o: seq{dv} {\n\
                M[i,j] = sum[dk](q[i] * k[j])\no = sum[j](M[t,j] * v[j])\n}\n";
    let (word, forms, _) = matrix(text);
    assert_eq!(word, "low rank");
    assert_eq!(forms, ["matrix", "recurrent", "chunked"]);
    certified(text);
}
