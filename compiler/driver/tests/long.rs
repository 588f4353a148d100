//! Chunked forms at lengths of 43,000 and 200,000, forward and backward, with decays of exactly 0 and 1 and just below 1,
//! against the recurrences and their adjoints written out in f64.

mod support;

use seqc_algebra::{Axis, Func, Sym, Tensor};
use seqc_driver::backend::Backend;
use seqc_driver::engine::{Engine, Named, Programs, Sizes};
use seqc_driver::passes::{Form, Shapes, gradient};
use seqc_driver::{build, frontend};
use support::draw;

const LENGTHS: [usize; 2] = [43_000, 200_000];
const N: usize = 4;
const P: usize = 3;
/// A tenth of the certificate's bound at any length.
const BOUND: f64 = 1e-5;

type Row = [f64; N];
type Value = [f64; P];
type State = [[f64; P]; N];
/// Of the state before, of k, of v and of the gate.
type Adjoint = (State, Row, Value, Vec<f64>);

/// The gradient of every input in chunks.
fn program(gate: &str, next: &str) -> Func {
    let text = format!(
        "seq 1\n\nmixer m(q: seq{{n}}, k: seq{{n}}, v: seq{{p}}, {gate}; n = {N}, p = {P}) -> y: seq{{p}} {{
    state S{{n, p}}
    S[t] = {next}
    y = sum[n](q * S)
}}\n"
    );
    let source = frontend::of_text("m.seq", &text).unwrap_or_else(|e| panic!("{e}"));
    let e = source.elaborate("m", &[]);
    let func = build::outputs(&e.unwrap_or_else(|e| panic!("{e}"))).expect("has outputs");
    let wrt = ["q", "k", "v", "a"];
    gradient(
        &func,
        Form::Chunked,
        &Shapes::cpu(),
        &wrt,
        &["y"],
        &mut vec![],
    )
    .expect("a gradient")
}

/// Numbers that f32 holds.
fn numbers(name: &str, n: usize, of: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..n)
        .map(|i| f64::from(of(draw(name, i)) as f32))
        .collect()
}

fn rows<const W: usize>(x: &[f64]) -> Vec<[f64; W]> {
    let row = |r: &[f64]| std::array::from_fn(|i| r[i]);
    x.chunks(W).map(row).collect()
}

/// From -1 to 1: forgotten now and then, kept for long, or nearly.
fn decay(x: f64) -> f64 {
    match (x + 1.0) / 2.0 {
        u if u < 0.0005 => 0.0,
        u if u < 0.4 => 1.0,
        u if u < 0.7 => 1.0 - 1e-6,
        u if u < 0.97 => 0.9999,
        _ => 0.5,
    }
}

fn unit_rows(x: Vec<f64>) -> Vec<f64> {
    let norm = |r: &[f64]| r.iter().map(|x| x * x).sum::<f64>().sqrt();
    let unit =
        |r: &[f64]| -> Vec<f64> { r.iter().map(|x| f64::from((x / norm(r)) as f32)).collect() };
    x.chunks(N).flat_map(unit).collect()
}

struct Given {
    q: Vec<Row>,
    k: Vec<Row>,
    v: Vec<Value>,
    /// Of each key, or one for all.
    a: Vec<Vec<f64>>,
    cotangent: Vec<Value>,
}

fn dot<const W: usize>(x: &[f64; W], y: &[f64; W]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// A step of a recurrence, and its adjoint: from the state before and the cotangent of the state after, that of the state
/// before, and of k, v and the gate.
trait Recurrence {
    fn step(&self, s: &State, k: &Row, v: &Value, a: &[f64]) -> State;
    fn adjoint(&self, s: &State, g: &State, k: &Row, v: &Value, a: &[f64]) -> Adjoint;
}

/// `S = a S' + k v`, a decay for each key.
struct Diagonal;

impl Recurrence for Diagonal {
    fn step(&self, s: &State, k: &Row, v: &Value, a: &[f64]) -> State {
        std::array::from_fn(|n| std::array::from_fn(|p| a[n] * s[n][p] + k[n] * v[p]))
    }

    fn adjoint(&self, s: &State, g: &State, k: &Row, v: &Value, a: &[f64]) -> Adjoint {
        let back = std::array::from_fn(|n| std::array::from_fn(|p| a[n] * g[n][p]));
        let of_v = std::array::from_fn(|p| (0..N).map(|n| k[n] * g[n][p]).sum());
        let of_a = (0..N).map(|n| dot(&s[n], &g[n])).collect();
        (back, std::array::from_fn(|n| dot(&g[n], v)), of_v, of_a)
    }
}

/// `S = S' + a k (v - kᵀ S')`, one rate a step.
struct Delta;

impl Delta {
    fn error(s: &State, k: &Row, v: &Value) -> Value {
        std::array::from_fn(|p| v[p] - (0..N).map(|n| k[n] * s[n][p]).sum::<f64>())
    }
}

impl Recurrence for Delta {
    fn step(&self, s: &State, k: &Row, v: &Value, a: &[f64]) -> State {
        let e = Delta::error(s, k, v);
        std::array::from_fn(|n| std::array::from_fn(|p| s[n][p] + a[0] * k[n] * e[p]))
    }

    fn adjoint(&self, s: &State, g: &State, k: &Row, v: &Value, a: &[f64]) -> Adjoint {
        let e = Delta::error(s, k, v);
        let of_e: Value =
            std::array::from_fn(|p| a[0] * (0..N).map(|n| k[n] * g[n][p]).sum::<f64>());
        let back = std::array::from_fn(|n| std::array::from_fn(|p| g[n][p] - k[n] * of_e[p]));
        let of_k = std::array::from_fn(|n| a[0] * dot(&g[n], &e) - dot(&s[n], &of_e));
        let of_a = (0..N).map(|n| k[n] * dot(&g[n], &e)).sum();
        (back, of_k, of_e, vec![of_a])
    }
}

/// The output and all gradients, in f64.
fn written_out(r: &dyn Recurrence, x: &Given) -> [Vec<f64>; 5] {
    let len = x.q.len();
    let mut states: Vec<State> = vec![[[0.0; P]; N]];
    for t in 0..len {
        states.push(r.step(&states[t], &x.k[t], &x.v[t], &x.a[t]));
    }
    let read = |t: usize| -> Value {
        std::array::from_fn(|p| (0..N).map(|n| x.q[t][n] * states[t + 1][n][p]).sum())
    };
    let y = (0..len).flat_map(read).collect();
    let mut all = [vec![], vec![], vec![], vec![]];
    let mut g: State = [[0.0; P]; N];
    for t in (0..len).rev() {
        let c = &x.cotangent[t];
        all[0].push(
            (0..N)
                .map(|n| dot(&states[t + 1][n], c))
                .collect::<Vec<f64>>(),
        );
        for (row, q) in g.iter_mut().zip(&x.q[t]) {
            row.iter_mut().zip(c).for_each(|(g, c)| *g += q * c);
        }
        let (back, k, v, a) = r.adjoint(&states[t], &g, &x.k[t], &x.v[t], &x.a[t]);
        all[1].push(k.to_vec());
        all[2].push(v.to_vec());
        all[3].push(a);
        g = back;
    }
    let [q, k, v, a] = all.map(|rows| rows.into_iter().rev().flatten().collect());
    [y, q, k, v, a]
}

fn agrees(name: &str, gate: &str, next: &str, gates: usize, r: &dyn Recurrence, unit: bool) {
    let func = program(gate, next);
    let engine = Engine::Compiled(Backend::best());
    let programs = Programs::new(engine, vec![("m".into(), func)], 2).expect("compiles");
    for len in LENGTHS {
        let of = |name: &str, w: usize| numbers(name, len * w, |x| x);
        let k = if unit {
            unit_rows(of("k", N))
        } else {
            of("k", N)
        };
        let a = match unit {
            true => numbers("a", len, |x| (x.abs() * 1.5 - 0.25).clamp(0.0, 1.0)),
            false => numbers("a", len * gates, decay),
        };
        let (q, v, c) = (of("q", N), of("v", P), of("cotangent", P));
        let x = Given {
            q: rows(&q),
            k: rows(&k),
            v: rows(&v),
            a: a.chunks(gates).map(<[f64]>::to_vec).collect(),
            cotangent: rows(&c),
        };
        let want = written_out(r, &x);
        let (t, batch) = (Axis::time(), Axis::batch());
        let tensor = |x: &[f64], of: Option<Axis>| {
            let axes = [batch, t].into_iter().chain(of).collect();
            let shape = [1, len]
                .into_iter()
                .chain(of.and_then(|a| a.size.constant()))
                .collect();
            Tensor::real(axes, shape, x.to_vec()).expect("a tensor")
        };
        let (n, p) = (Axis::new("n", N), Axis::new("p", P));
        let given: Named = [
            ("q", tensor(&q, Some(n))),
            ("k", tensor(&k, Some(n))),
            ("v", tensor(&v, Some(p))),
            ("a", tensor(&a, (gates > 1).then_some(n))),
            ("cotangent.y", tensor(&c, Some(p))),
        ]
        .map(|(name, x)| (name.to_owned(), x))
        .into();
        let sizes: Sizes = [(Sym::new("t"), len), (Sym::new("batch"), 1)].into();
        let got: Named = programs
            .run("m", &given, &sizes)
            .expect("runs")
            .into_iter()
            .collect();
        for (out, want) in ["y", "grad.q", "grad.k", "grad.v", "grad.a"]
            .iter()
            .zip(want)
        {
            let got = got[*out].as_real().expect("real");
            assert_eq!(got.len(), want.len());
            let off: f64 = got.iter().zip(&want).map(|(a, b)| (a - b) * (a - b)).sum();
            let size: f64 = want.iter().map(|x| x * x).sum();
            let error = (off / size).sqrt();
            assert!(error <= BOUND, "{name} {out} at {len}: {error:.1e}");
        }
    }
}

#[test]
fn a_decay_for_each_key() {
    agrees(
        "diagonal",
        "a: seq{n}",
        "a * S[t-1] + k * v",
        N,
        &Diagonal,
        false,
    );
}

#[test]
fn a_delta_rule() {
    let next = "S[t-1] + a * k * (v - sum[n](k * S[t-1]))";
    agrees("delta", "a: seq{}", next, 1, &Delta, true);
}
