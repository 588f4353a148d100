//! What is read late may be read ahead before: mixers that are causal by way of such values have steps, which are held to
//! the definition, and the law alone is held to it at every short length.

mod support;

use seqc_algebra::{Func, Sym};
use seqc_driver::frontend;
use seqc_driver::passes;
use seqc_driver::verify::item;
use std::collections::HashMap;

/// A mixer of `x: seq{d}`, and whether it must be changed to have a step.
const MIXERS: &[(&str, &str)] = &[
    (
        "a recurrence over the next input, read before its step",
        "u = sigmoid(x)
         state S{d} = 0.5
         S[t] = 0.9 * S[t-1] + u[t+1] * x
         y = S[t-1] * x",
    ),
    (
        "a softmax over keys one ahead, of earlier positions",
        "q = linear(x, d -> d)
         k = sigmoid(linear(x, d -> d))
         M[i,j] = softmax[j](sum[d](q[i] * k[j+1]))  where j < i
         y = sum[j](M[t,j] * k[j+1])",
    ),
    (
        "a window of lags from two on",
        "u = sigmoid(x)
         f[lag] = exp(0 - lag * lag / 7) where lag >= 2
         y = sum[lag](f[lag] * u[t + 2 - lag])",
    ),
    (
        "a short kernel of a value two ahead",
        "u = sigmoid(x)
         w = u[t+2]
         param f{m}
         y = sum[m](f * w[t - 2 - range(m)])",
    ),
    (
        "a kernel of lags from two on, of a value two ahead",
        "u = sigmoid(x)
         w = u[t+2]
         f[lag] = exp(0 - lag * lag / 7) where lag >= 2
         y = sum[lag](f[lag] * w[t - lag])",
    ),
    (
        "a sum over earlier states, and a state before its step",
        "u = sigmoid(x)
         state w{d}
         w[t] = w[t-1] + u[t+1]
         M[i,j] = 1 where j <= i
         y = w[t-1] + sum[j](M[t,j] * w[j-1])",
    ),
    (
        "a kernel that is a recurrence",
        "u = sigmoid(x)
         f[lag] = exp(0 - lag / 7) where lag >= 2
         w = u[t+2]
         y = sum[lag](f[lag] * w[t - lag])",
    ),
    (
        "two recurrences that look one and two ahead",
        "u = sigmoid(x)
         state S{d} = 0.5
         S[t] = 0.9 * S[t-1] + u[t+1] * x
         state R{d} = x[first]
         R[t] = 0.8 * R[t-1] + S[t+2]
         y = R[t-3] + S[t-1]",
    ),
    (
        "a second recurrence fed by the first",
        "u = linear(x, d -> d)
         state S{d}
         S[t] = sigmoid(x) * S[t-1] + u[t+1]
         state R{d}
         R[t] = tanh(R[t-1] + S[t-1] * u[t+1])
         y = R[t-1] * x",
    ),
    (
        "the position as a number, a start from the sequence",
        "u = linear(x, d -> d)
         state S{d} = 2 * x[first]
         S[t] = 0.5 * S[t-1] + u[t+1] * sqrt(t) + cos(t)
         y = S[t-1] * x",
    ),
    (
        "the delta rule",
        "q = l2norm[p](linear(x, d -> p))
         v = linear(x, d -> d)
         b = sigmoid(linear(x, d -> ))
         w = v[t+1]
         state S{p, d}
         P = S[t-1] * 0.9
         S[t] = P + b * q * (w - sum[p](q * P))
         y = sum[p](q * S[t-1])",
    ),
    (
        "complex numbers",
        "u = linear(x, d -> d)
         param w{d} = uniform(0, 1)
         state S{d}
         S[t] = exp(0 - w + 2i * w) * S[t-1] + u[t+2]
         y = re(S[t-2])",
    ),
    (
        "a softmax that is read late as a whole, with distances",
        "q = linear(x, d -> d)
         k = sigmoid(linear(x, d -> d))
         M[i,j] = softmax[j](sum[d](q[i] * k[j+1]) - 0.1 * (i - j))  where j <= i
         o = sum[j](M[t,j] * k[j+1])
         y = o[t-1]",
    ),
    (
        "a matrix below its diagonal",
        "u = sigmoid(x)
         w = u[t+1]
         M[i,j] = x[i] * exp(0 - (i - j) * (i - j) / 9)  where j <= i - 1
         y = sum[j](M[t,j] * w[j])",
    ),
    (
        "several reads of one state, each of another step",
        "u = sigmoid(x)
         state S{d} = 0.5
         P = 0.9 * S[t-1]
         S[t] = P + u[t+3] * x
         R = S[t-2] + P[t-2]
         state Z{d} = 0.25
         Z[t] = tanh(Z[t-1] * R + S[t-1])
         y = Z[t-2] + R[t-1] + S[t-5]",
    ),
    (
        "what is singular at 0",
        "u = 1 / x
         v = log(x * x) * u[t+1] / (x + x[t+1] * x)
         state S{d} = 0.5
         S[t] = 0.9 * S[t-1] + v / x
         y = S[t-1] * x",
    ),
    (
        "a mask that sees one ahead",
        "q = linear(x, d -> d)
         k = sigmoid(linear(x, d -> d))
         M[i,j] = softmax[j](sum[d](q[i] * k[j]))  where j <= i + 1
         o = sum[j](M[t,j] * k[j])
         y = o[t-1]",
    ),
    (
        "products and their sum, in a window",
        "q = linear(x, d -> d)
         k = sigmoid(linear(x, d -> d))
         M[i,j] = exp(sum[d](q[i] * k[j+2]))  where j < i - 1 and i - j < 5
         y = sum[j](M[t,j] * k[j+2] * x[j+1]) / (1 + sum[j](M[t,j]))",
    ),
    (
        "short windows to both sides",
        "u = sigmoid(x)
         param f{m}
         w = sum[m](f * u[t + 1 - range(m)]) + sum[m](f * u[t + range(m)])
         y = w[t-3] * x",
    ),
    (
        "a sum of products",
        "k = linear(x, d -> d)
         M[i,j] = x[i] * k[j+1] where j < i
         y = sum[j](M[t,j])",
    ),
    (
        "a kernel read off the sequence one ahead",
        "u = sigmoid(x)
         w = u[t+1]
         f[lag] = w[first + lag]  where lag >= 0
         o = sum[lag](f[lag] * x[t - lag])
         y = o[t-1]",
    ),
    (
        "a kernel read off the sequence, of lags from one on",
        "u = sigmoid(x)
         f[lag] = x[first + lag] * exp(0 - lag / 9) where lag >= 1
         y = sum[lag](f[lag] * u[t + 1 - lag])",
    ),
    (
        "a convolution into a recurrence",
        "u = sigmoid(x)
         v = x * u[t+1]
         f[lag] = exp(0 - lag * lag / 3) where lag >= 0 and lag < 6
         w = sum[lag](f[lag] * v[t - lag])
         state S{d} = 0.3
         S[t] = 0.9 * S[t-1] + w
         y = S[t-1] + w[t-1]",
    ),
    (
        "choices, positions and the first of a sequence",
        "u = sigmoid(x)
         v = x * u[t+1]
         w = select(v > 0.1, t, 0 - t) + v[t-1]
         y = w[t-2] + x[first] * x[t-1]",
    ),
];

/// What no delay makes a step of, and what is said.
const REFUSED: &[(&str, &str)] = &[(
    "u = sigmoid(x)
     v = u[t+1]
     y = v[first] * x[t-2]",
    "a selection by an index takes what reads later times and cannot be computed late",
)];

fn source(body: &str) -> frontend::Source {
    let text = format!(
        "seq 1\n\nmixer late(x: seq{{d}}; d = 3, p = 2, m = 4) -> y: seq{{d}} {{\n{body}\n}}\n"
    );
    frontend::of_text("late.seq", &text).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn late_reads_are_certified() {
    let options = support::small();
    for (what, body) in MIXERS {
        let c =
            item(&source(body), "late", &[], &options).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(c.green(), "{what}\n{c}");
        assert!(!c.to_string().contains("not causal"), "{what}\n{c}");
    }
}

fn definition(body: &str) -> Func {
    let e = source(body).elaborate("late", &[]);
    e.unwrap_or_else(|e| panic!("{e}")).func
}

/// The law by itself, from the shortest sequences on: they are all boundary.
#[test]
fn the_law_holds_at_every_length() {
    for (what, body) in MIXERS {
        let func = definition(body);
        let late = passes::readable(&func).unwrap_or_else(|e| panic!("{what}: {e}"));
        for length in 1..=9 {
            let sizes = HashMap::from([(Sym::new("t"), length), (Sym::new("batch"), 2)]);
            let given = support::inputs(&func, &sizes);
            let run = |f: &Func| {
                seqc_algebra::run(f, &given, &sizes).unwrap_or_else(|e| panic!("{what}: {e}"))
            };
            let (want, got) = (run(&func), run(&late));
            support::close(&format!("{what} at T={length}"), &got[0].1, &want[0].1);
        }
    }
}

/// Nothing in the program reads ahead any more.
#[test]
fn nothing_reads_ahead() {
    for (what, body) in MIXERS {
        let late = passes::readable(&definition(body)).unwrap();
        assert!(!late.to_string().contains("shift[t, -"), "{what}\n{late}");
    }
}

#[test]
fn what_cannot_be_late_is_named() {
    for (body, why) in REFUSED {
        let e = passes::readable(&definition(body)).expect_err("no step");
        assert!(e.to_string().contains(why), "{e}");
    }
}
