//! A sequence in any number of parts, through states that files hold: outputs and states are those of the whole, and those of
//! loops over the formulas, written out in f64. States have the names of the spec and can be written by hand.

mod support;

use seqc_algebra::{Data, Elem, Tensor};
use seqc_driver::backend::Backend;
use seqc_driver::engine::Engine;
use seqc_driver::eval::{
    Continued, Contract, Device, Given, Precision, Request, continued, evaluate,
};
use seqc_driver::frontend;
use seqc_driver::passes::Form;
use std::collections::BTreeMap;
use support::draw;

type Files = BTreeMap<String, Given>;

/// A mixer without parameters of the input `x: seq{d}`, one sequence of it, and how it is run.
#[derive(Clone, Copy)]
struct Case<'a> {
    text: &'a str,
    mixer: &'a str,
    d: usize,
    request: Request,
}

const CLIF: Engine = Engine::Compiled(Backend::Clif);

fn request(engine: Engine, form: Option<Form>) -> Request {
    Request {
        engine,
        form,
        precision: match engine {
            Engine::Interp => Precision::F64,
            _ => Precision::F32,
        },
        device: Device::Cpu,
        grad: false,
        threads: 1,
    }
}

fn file(shape: Vec<usize>, data: Vec<f64>) -> Given {
    Given {
        dtype: "F64".into(),
        elem: Elem::Real,
        shape,
        data: Data::Real(data),
    }
}

/// A tensor as a file holds it: what the next run reads.
fn written(t: &Tensor) -> Given {
    file(t.shape.clone(), numbers(t).to_vec())
}

fn numbers(t: &Tensor) -> &[f64] {
    t.as_real().expect("real numbers")
}

fn states_of(done: &Continued) -> Files {
    let mut all: Files = (done.states.iter())
        .map(|(n, t)| (n.clone(), written(t)))
        .collect();
    let mut pos = file(vec![], vec![done.position as f64]);
    pos.elem = Elem::Int;
    all.insert("pos".into(), pos);
    all
}

impl Case<'_> {
    /// `rows`: the values at each of some positions.
    fn go_on(&self, rows: &[Vec<f64>], states: Option<&Files>) -> seqc_driver::Result<Continued> {
        self.with(rows, Files::new(), states)
    }

    /// With further tensors.
    fn with(
        &self,
        rows: &[Vec<f64>],
        mut given: Files,
        states: Option<&Files>,
    ) -> seqc_driver::Result<Continued> {
        let source = frontend::of_text("m.seq", self.text).unwrap_or_else(|e| panic!("{e}"));
        let set = [("d".to_owned(), self.d.to_string())];
        let e = source.elaborate(self.mixer, &set);
        let e = e.unwrap_or_else(|e| panic!("{}: {e}", self.mixer));
        let contract = Contract::new(&e, &source.declared(self.mixer));
        let x = file(vec![1, rows.len(), self.d], rows.concat());
        given.insert("x".to_owned(), x);
        continued(&e, &contract, &given, states, &self.request)
    }

    /// Outputs of all parts, and what the last one leaves.
    fn in_parts(&self, x: &[Vec<f64>], cuts: &[usize]) -> (Vec<f64>, Continued) {
        let (mut all, mut at, mut states, mut last) = (vec![], 0, None, None);
        for n in cuts {
            let done = self.go_on(&x[at..at + n], states.as_ref());
            let done = done.unwrap_or_else(|e| panic!("{} at {at}: {e}", self.mixer));
            all.extend_from_slice(numbers(&done.outputs[0].1));
            at += n;
            assert_eq!(done.position, at, "{}", self.mixer);
            states = Some(states_of(&done));
            last = Some(done);
        }
        (all, last.expect("a part"))
    }
}

fn close(what: &str, got: &[f64], want: &[f64], bound: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(1e-30f64, |m, w| m.max(w.abs()));
    let off = got.iter().zip(want).map(|(g, w)| (g - w).abs());
    let off = off.fold(0.0, f64::max) / largest;
    assert!(off <= bound, "{what} is off by {off:.1e}");
}

fn sequence(d: usize, t: usize) -> Vec<Vec<f64>> {
    let row = |t| (0..d).map(|k| draw("x", t * d + k)).collect();
    (0..t).map(row).collect()
}

const LENGTH: usize = 12;
const CUTS: [&[usize]; 5] = [
    &[12],
    &[7, 5],
    &[4, 1, 1, 1, 5],
    &[1, 1, 2, 8],
    &[3, 5, 1, 2, 1],
];

/// Every cut gives what `right` says, on the interpreter in one pass a part, and compiled in one pass and step by step; and
/// leaves the states of the whole, in the same order of names and axes.
fn right(text: &str, mixer: &str, sizes: &[usize], right: impl Fn(&[Vec<f64>]) -> Vec<Vec<f64>>) {
    for &d in sizes {
        let x = sequence(d, LENGTH);
        let want = right(&x).concat();
        for (engine, form, bound) in [
            (Engine::Interp, None, 1e-9),
            (CLIF, None, 1e-5),
            (CLIF, Some(Form::Recurrent), 1e-5),
        ] {
            let of_form = |form| Case {
                text,
                mixer,
                d,
                request: request(engine, form),
            };
            let (_, whole) = of_form(None).in_parts(&x, &[LENGTH]);
            for cuts in CUTS {
                let what = format!("{mixer}, d = {d}, {cuts:?}, {}, {form:?}", engine.name());
                // The first part has one form only.
                let first = of_form(None).in_parts(&x, &cuts[..1]);
                let (mut got, mut last) = first;
                let mut at = cuts[0];
                for n in &cuts[1..] {
                    let states = states_of(&last);
                    last = (of_form(form).go_on(&x[at..at + n], Some(&states)))
                        .unwrap_or_else(|e| panic!("{what}: {e}"));
                    got.extend_from_slice(numbers(&last.outputs[0].1));
                    at += n;
                }
                close(&what, &got, &want, bound);
                assert_eq!(last.states.len(), whole.states.len(), "{what}");
                for ((name, s), (other, w)) in last.states.iter().zip(&whole.states) {
                    assert_eq!(
                        (name, &s.axes, &s.shape),
                        (other, &w.axes, &w.shape),
                        "{what}"
                    );
                    close(&format!("{what}, {name}"), numbers(s), numbers(w), bound);
                }
            }
        }
    }
}

/// `x` at step `t`, 0 before the first.
fn at(x: &[Vec<f64>], t: isize) -> Vec<f64> {
    match usize::try_from(t) {
        Ok(t) => x[t].clone(),
        Err(_) => vec![0.0; x[0].len()],
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The sum of vectors, each times a number.
fn combined(d: usize, all: impl Iterator<Item = (f64, Vec<f64>)>) -> Vec<f64> {
    all.fold(vec![0.0; d], |sum, (w, v)| {
        sum.iter().zip(&v).map(|(s, v)| s + w * v).collect()
    })
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let most = scores.iter().copied().fold(f64::MIN, f64::max);
    let all: Vec<f64> = scores.iter().map(|s| (s - most).exp()).collect();
    let sum: f64 = all.iter().sum();
    all.iter().map(|e| e / sum).collect()
}

/// What `f` gives at each step.
fn steps(x: &[Vec<f64>], f: impl Fn(isize) -> Vec<f64>) -> Vec<Vec<f64>> {
    (0..x.len() as isize).map(f).collect()
}

const FAULTS: &str = include_str!("../../../tests/faults/resume_in_parts.seq");

/// z[t] = Σ_k k x[t-1-k]
#[test]
fn windows_read_late() {
    right(FAULTS, "late_window", &[3, 4], |x| {
        let one = |t| combined(x[0].len(), (0..3).map(|k| (k as f64, at(x, t - 1 - k))));
        steps(x, one)
    });
}

/// z[t] = Σ_k k s_k x[t-1-k], s = softmax_k x[t-1-k] · x[t-1]
#[test]
fn weights_of_a_window_read_late() {
    right(FAULTS, "late_weights", &[3, 4], |x| {
        let one = |t: isize| {
            let scores: Vec<f64> = (0..3).map(|k| dot(&at(x, t - k), &at(x, t))).collect();
            let s = softmax(&scores);
            combined(
                x[0].len(),
                (0..3).map(|k| (k as f64 * s[k as usize], at(x, t - k))),
            )
        };
        steps(x, |t| {
            if t == 0 {
                vec![0.0; x[0].len()]
            } else {
                one(t - 1)
            }
        })
    });
}

fn spec(body: &str) -> String {
    format!("seq 1\n\nmixer m(x: seq{{d}}; d = 3, taps = 3) -> y: seq{{d}} {{\n{body}\n}}\n")
}

/// Rows of attention, a window of them read two steps late, each with weights of its position in the window.
#[test]
fn rows_of_a_matrix_read_late() {
    let text = spec(
        "M[i,j] = softmax[j](sum[d](x[i] * x[j]))  where j <= i
r = sum[j](M[t,j] * x[j])
w = r[t - range(taps)]
y = sum[taps](w[t-2] * range(taps))",
    );
    right(&text, "m", &[3], |x| {
        let row = |t: isize| {
            let scores: Vec<f64> = (0..=t).map(|j| dot(&at(x, t), &at(x, j))).collect();
            let s = softmax(&scores);
            combined(x[0].len(), (0..=t).map(|j| (s[j as usize], at(x, j))))
        };
        let of = |t: isize| if t < 0 { vec![0.0; x[0].len()] } else { row(t) };
        steps(x, |t| {
            combined(x[0].len(), (0..3).map(|k| (k as f64, of(t - 2 - k))))
        })
    });
}

/// Means of ticks of two steps, a window of them read one tick late.
#[test]
fn windows_of_a_coarser_clock_read_late() {
    let text = "seq 1

mixer m(x: seq{d}; d = 2, p = 2, taps = 2) -> y: seq{d} {
    c = mean[p](patch[p](x))
    w = c[t - range(taps)]
    u = w[t-1]
    s = sum[taps](u * (1 + range(taps)))
    y = unpatch[p](stack[p](s, 2 * s))
}
";
    right(text, "m", &[2, 3], |x| {
        let tick = |c: isize| match c {
            c if c < 0 => vec![0.0; x[0].len()],
            c => combined(x[0].len(), (0..2).map(|r| (0.5, at(x, 2 * c + r)))),
        };
        let one = |t: isize| {
            let c = t.div_euclid(2) - 1;
            let own = 1.0 + t.rem_euclid(2) as f64;
            combined(
                x[0].len(),
                (0..2).map(|k| (own * (1.0 + k as f64), tick(c - k))),
            )
        };
        steps(x, one)
    });
}

/// Rows less their mean, over the steps so far: what counts them is a state.
#[test]
fn rows_less_their_means() {
    let text = spec(
        "M[i,j] = 0.5 * sum[d](x[i] * x[j]) - mean[j](0.5 * sum[d](x[i] * x[j]))  where j <= i
y = sum[j](M[t,j] * x[j])",
    );
    right(&text, "m", &[3], |x| {
        let one = |t: isize| {
            let s: Vec<f64> = (0..=t).map(|j| 0.5 * dot(&at(x, t), &at(x, j))).collect();
            let mean = s.iter().sum::<f64>() / s.len() as f64;
            combined(
                x[0].len(),
                (0..=t).map(|j| (s[j as usize] - mean, at(x, j))),
            )
        };
        steps(x, one)
    });
}

/// One name for rows here and for what is summed there: a transposed matrix is read beside another.
#[test]
fn rows_and_columns_of_one_name() {
    let text = spec(
        "M[i,j] = sum[d](x[i] * x[j])  where j <= i
N[i,j] = softmax[i](sum[d](x[i] * tanh(x[j])))  where i <= j
y = sum[j](M[t,j] * x[j]) + sum[j](N[j,t] * x[j])",
    );
    right(&text, "m", &[3], |x| {
        let one = |t: isize| {
            let m = (0..=t).map(|j| (dot(&at(x, t), &at(x, j)), at(x, j)));
            let late: Vec<f64> = at(x, t).iter().map(|v| v.tanh()).collect();
            let scores: Vec<f64> = (0..=t).map(|j| dot(&at(x, j), &late)).collect();
            let s = softmax(&scores);
            let n = (0..=t).map(|j| (s[j as usize], at(x, j)));
            combined(x[0].len(), m.chain(n))
        };
        steps(x, one)
    });
}

/// Rows divided by their sums, and by how many entries there are, among the last three steps only.
#[test]
fn rows_over_their_sums_and_counts() {
    let text = spec(
        "N[i,j] = exp(sum[d](x[j])) / sum[j](exp(sum[d](x[j])))  where j <= i
C[i,j] = 1 / (1 + sum[j](exp(0 * sum[d](x[j]))))  where j <= i and i - j < taps
y = sum[j](N[t,j] * x[j]) + sum[j](C[t,j] * x[j])",
    );
    right(&text, "m", &[2, 3], |x| {
        let one = |t: isize| {
            let e: Vec<f64> = (0..=t)
                .map(|j| at(x, j).iter().sum::<f64>().exp())
                .collect();
            let sum: f64 = e.iter().sum();
            let all = (0..=t).map(|j| (e[j as usize] / sum, at(x, j)));
            let first = (t - 2).max(0);
            let count = (t - first + 1) as f64;
            let few = (first..=t).map(|j| (1.0 / (1.0 + count), at(x, j)));
            combined(x[0].len(), all.chain(few))
        };
        steps(x, one)
    });
}

fn names(text: &str, mixer: &str, d: usize) -> Vec<String> {
    let case = Case {
        text,
        mixer,
        d,
        request: request(Engine::Interp, None),
    };
    let (_, last) = case.in_parts(&sequence(d, 4), &[4]);
    let shown = |(n, t): &(String, Tensor)| format!("{n} {:?}", t.shape);
    let mut all: Vec<String> = last.states.iter().map(shown).collect();
    all.sort();
    all
}

const NESTED: &str = "seq 1

mixer m(x: seq{d}; d = 2, n = 3) -> y: seq{d} {
    state S{d, n}
    S[t] = 0.5 * S[t-1] + 0.25 * S[t-2] + x * (1 + range(n))
    one = inner(sum[n](S))
    two = inner(one)
    y = two + x[t-2]
}

mixer inner(x: seq{d}) -> y: seq{d} {
    state S{d} = 1
    S[t] = 0.5 * S[t-1] + x
    y = tanh(S)
}
";

/// States have the names and paths of the spec; what else is kept, of the value that it is kept of.
#[test]
fn states_are_called_as_in_the_spec() {
    assert_eq!(
        names(NESTED, "m", 2),
        [
            "state.S [1, 2, 3]",
            "state.S.1 [1, 2, 3]",
            "state.one.inner.S [1, 2]",
            "state.two.inner.S [1, 2]",
            "state.x.recent [1, 2, 3]",
        ]
    );
    let pairs = "M[i,j] = sum[d](x[i] * x[j])  where j <= i
N[i,j] = softmax[j](sum[d](x[i] * x[j]))  where j <= i
a = sum[j](M[t,j] * x[j])
b = sum[j](N[t,j] * x[j])
y = a + b + x[first]";
    assert_eq!(
        names(&spec(pairs), "m", 2),
        [
            "state.a.sum [1, 2, 2]",
            "state.x.all [1, 4, 2]",
            "state.x.first [1, 2]"
        ]
    );
}

/// Written by hand: what the formulas make of any numbers.
#[test]
fn states_written_by_hand() {
    let case = Case {
        text: NESTED,
        mixer: "m",
        d: 1,
        request: request(Engine::Interp, None),
    };
    let mut pos = file(vec![], vec![5.0]);
    pos.elem = Elem::Int;
    let states = Files::from([
        ("pos".into(), pos),
        ("state.S".into(), file(vec![1, 1, 3], vec![1.0, 2.0, 3.0])),
        (
            "state.S.1".into(),
            file(vec![1, 1, 3], vec![4.0, 8.0, 12.0]),
        ),
        ("state.one.inner.S".into(), file(vec![1, 1], vec![2.0])),
        ("state.two.inner.S".into(), file(vec![1, 1], vec![-2.0])),
        (
            "state.x.recent".into(),
            file(vec![1, 1, 3], vec![7.0, 9.0, 11.0]),
        ),
    ]);
    let done = case.go_on(&[vec![0.5], vec![0.25]], Some(&states));
    let done = done.unwrap_or_else(|e| panic!("{e}"));
    // x[t-2] of the first step is the value one before the newest, of the second the newest.
    let (mut s, mut older) = (vec![1.0, 2.0, 3.0], vec![4.0, 8.0, 12.0]);
    let (mut first, mut second, mut want) = (2.0f64, -2.0f64, vec![]);
    for (x, late) in [(0.5, 9.0), (0.25, 7.0)] {
        let next: Vec<f64> = (0..3)
            .map(|n| 0.5 * s[n] + 0.25 * older[n] + x * (1.0 + n as f64))
            .collect();
        older = std::mem::replace(&mut s, next);
        first = 0.5 * first + s.iter().sum::<f64>();
        second = 0.5 * second + first.tanh();
        want.push(second.tanh() + late);
    }
    close("y", numbers(&done.outputs[0].1), &want, 1e-12);
    let of = |name: &str| {
        let (_, t) = (done.states.iter().find(|(n, _)| n == name)).expect("a state");
        numbers(t).to_vec()
    };
    close("S", &of("state.S"), &s, 1e-12);
    close("S.1", &of("state.S.1"), &older, 1e-12);
    close("x", &of("state.x.recent"), &[0.25, 0.5, 7.0], 0.0);
    let wrong = |change: &dyn Fn(&mut Files), says: &[&str]| {
        let mut states = states.clone();
        change(&mut states);
        let e = case.go_on(&[vec![0.5]], Some(&states));
        let Err(e) = e else { panic!("not refused") };
        let text = e.to_string();
        assert!(says.iter().all(|s| text.contains(s)), "{text}");
    };
    let missing = "state `state.one.inner.S` is missing: [batch = 1, d = 1] is wanted";
    wrong(&|s| drop(s.remove("state.one.inner.S")), &[missing]);
    let extra = |s: &mut Files| drop(s.insert("state.T".into(), file(vec![1], vec![0.0])));
    wrong(&extra, &["tensor `state.T` is superfluous", "state.S"]);
    let shape = |s: &mut Files| drop(s.insert("state.S".into(), file(vec![1, 3, 1], vec![0.0; 3])));
    wrong(
        &shape,
        &[
            "state `state.S` has shape [1, 3, 1]",
            "[batch = 1, d = 1, n = 3]",
        ],
    );
}

/// Differentiated part by part, the last one first: grad x[s] = Σ_k k c[s+1+k], of cotangents c.
#[test]
fn gradients_of_parts() {
    let (d, cuts) = (3, [3, 1, 2, 1, 5]);
    let (x, c) = (
        sequence(d, LENGTH),
        sequence(d, 2 * LENGTH)[LENGTH..].to_vec(),
    );
    let want: Vec<f64> = (0..LENGTH)
        .flat_map(|s| {
            let later = (0..3).filter(|k| s + 1 + k < LENGTH);
            combined(d, later.map(|k| (k as f64, c[s + 1 + k].clone())))
        })
        .collect();
    for engine in [Engine::Interp, CLIF] {
        let case = Case {
            text: FAULTS,
            mixer: "late_window",
            d,
            request: request(engine, None),
        };
        let mut before: Vec<Option<Files>> = vec![None];
        let mut at = 0;
        for n in cuts {
            let states = before.last().and_then(Option::as_ref);
            let done = case.go_on(&x[at..at + n], states);
            before.push(Some(states_of(&done.unwrap_or_else(|e| panic!("{e}")))));
            at += n;
        }
        let (mut after, mut got) = (Files::new(), vec![]);
        for (k, n) in cuts.iter().enumerate().rev() {
            let rows = at - n..at;
            let mut more = after;
            more.insert(
                "cotangent.z".into(),
                file(vec![1, *n, d], c[rows.clone()].concat()),
            );
            let with_grad = Request {
                grad: true,
                ..case.request
            };
            let own = Case {
                request: with_grad,
                ..case
            };
            let done = own.with(&x[rows], more, before[k].as_ref());
            let done = done.unwrap_or_else(|e| panic!("{} part {k}: {e}", engine.name()));
            let of = |n: &str| done.outputs.iter().find(|(o, _)| o == n).map(|(_, t)| t);
            got = [numbers(of("grad.x").expect("a gradient")), &got].concat();
            after = (done.outputs.iter())
                .filter(|(n, _)| n.starts_with("grad.state."))
                .map(|(n, t)| (n.replacen("grad.", "cotangent.", 1), written(t)))
                .collect();
            at -= n;
        }
        close(engine.name(), &got, &want, 1e-5);
    }
}

/// The outputs of parts are those of the definition, run by itself.
#[test]
fn the_definition_gives_the_same() {
    let x = sequence(3, LENGTH);
    let source = frontend::of_text("m.seq", FAULTS).unwrap_or_else(|e| panic!("{e}"));
    for mixer in ["late_window", "late_weights"] {
        let e = source
            .elaborate(mixer, &[])
            .unwrap_or_else(|e| panic!("{e}"));
        let contract = Contract::new(&e, &source.declared(mixer));
        let given = Files::from([("x".to_owned(), file(vec![1, LENGTH, 3], x.concat()))]);
        let whole = evaluate(&e, &contract, &given, &request(Engine::Interp, None));
        let whole = whole.unwrap_or_else(|e| panic!("{e}"));
        let case = Case {
            text: FAULTS,
            mixer,
            d: 3,
            request: request(Engine::Interp, None),
        };
        let (got, _) = case.in_parts(&x, &[2, 1, 4, 5]);
        close(mixer, &got, numbers(&whole[0].1), 1e-9);
    }
}
