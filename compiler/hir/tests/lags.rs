//! Sums over lags: each lag once, whatever the term is, and only those for which everything in it exists.

mod support;

use support::{elaborated, far, outputs};

/// A mixer of `x` and `z`, and its value: the sum over the steps s of the document of `term(t - s, x[s], z[s])`, where
/// the lag is one of those that count.
struct Sum {
    body: &'static str,
    term: fn(f64, f64, f64) -> f64,
    counts: fn(i64) -> bool,
    looks: &'static str,
}

const ALL: fn(i64) -> bool = |_| true;
const PAST: fn(i64) -> bool = |l| l >= 0;

const SUMS: &[Sum] = &[
    Sum {
        body: "y = sum[lag](exp(-abs(lag)) * x[t - lag])",
        term: |l, x, _| (-l.abs()).exp() * x,
        counts: ALL,
        looks: "bidirectional",
    },
    Sum {
        body: "y = sum[lag](x[t - lag] / (1 + lag * lag))",
        term: |l, x, _| x / (1.0 + l * l),
        counts: ALL,
        looks: "bidirectional",
    },
    Sum {
        body: "f[lag] = exp(-abs(lag))\n y = sum[lag]((f[lag] + f[lag] * f[lag]) * x[t - lag])",
        term: |l, x, _| ((-l.abs()).exp() + (-2.0 * l.abs()).exp()) * x,
        counts: ALL,
        looks: "bidirectional",
    },
    Sum {
        body: "f[lag] = exp(-lag)  where lag >= 0\n y = sum[lag](exp(f[lag]) * x[t - lag])",
        term: |l, x, _| (-l).exp().exp() * x,
        counts: PAST,
        looks: "causal",
    },
    Sum {
        body: "f[l] = exp(-l)  where not (l < 0)\n g[l] = cos(f[l])\n y = sum[lag](g[lag] * x[t - lag])",
        term: |l, x, _| (-l).exp().cos() * x,
        counts: PAST,
        looks: "causal",
    },
    Sum {
        body: "f[lag] = 1 / (lag + 1)  where lag >= 0\n y = sum[lag](x[t - lag] / (2 + f[lag]))",
        term: |l, x, _| x / (2.0 + 1.0 / (l + 1.0)),
        counts: PAST,
        looks: "causal",
    },
    Sum {
        body: "f[lag] = exp(-lag)  where lag >= 0 and lag != 1\n y = sum[lag](f[lag] * x[t - lag] + f[lag] * z[t - lag])",
        term: |l, x, z| (-l).exp() * (x + z),
        counts: |l| l >= 0 && l != 1,
        looks: "causal",
    },
    Sum {
        body: "f[lag] = exp(-lag)  where lag == 2 or lag == 1\n y = sum[lag](-f[lag] * x[t - lag])",
        term: |l, x, _| -(-l).exp() * x,
        counts: |l| l == 1 || l == 2,
        looks: "causal",
    },
    Sum {
        body: "f[lag] = exp(-lag / 4)  where lag >= 0\n y = sum[lag](cos(f[lag] * x[t - lag]))",
        term: |l, x, _| ((-l / 4.0).exp() * x).cos(),
        counts: PAST,
        looks: "causal",
    },
    Sum {
        body: "f[lag] = exp(-lag / 4)  where lag >= 0\n y = sum[lag](f[lag] * cos(x[t - lag]))",
        term: |l, x, _| (-l / 4.0).exp() * x.cos(),
        counts: PAST,
        looks: "causal",
    },
    Sum {
        body: "y = sum[lag](exp(-abs(lag)) * cos(x[t - lag]) * z[t - lag])",
        term: |l, x, z| (-l.abs()).exp() * x.cos() * z,
        counts: ALL,
        looks: "bidirectional",
    },
    Sum {
        body: "f[lag] = exp(lag)  where lag < 0\n y = sum[lag](select(f[lag] > 0.1, x[t - lag], 2))",
        term: |l, x, _| if l.exp() > 0.1 { x } else { 2.0 },
        counts: |l| l < 0,
        looks: "bidirectional",
    },
];

#[test]
fn each_lag_counts_once() {
    for sum in SUMS {
        let text = format!(
            "seq 1\nmixer m(x: seq{{}}, z: seq{{}}) -> y: seq{{}} {{\n {}\n}}\n",
            sum.body
        );
        let e = elaborated(&text).unwrap_or_else(|d| panic!("{text}{d:?}"));
        assert_eq!(e.causality[0].own().to_string(), sum.looks, "{text}");
        let x = [0.7, -0.4, 1.1, 0.2, -0.9];
        let z = [0.3, 0.8, -0.6, 0.5, 0.1];
        let at = |t: i64, s: i64| match (sum.counts)(t - s) {
            true => (sum.term)((t - s) as f64, x[s as usize], z[s as usize]),
            false => 0.0,
        };
        let want: Vec<f64> = (0..5).map(|t| (0..5).map(|s| at(t, s)).sum()).collect();
        let got = outputs(&e, &[("x", &x), ("z", &z)]);
        assert!(!far(&got, &want), "{text}{got:?}\n{want:?}");
    }
}
