//! How parameters, states and noise start: evaluates an [`Init`] over a shape.
//!
//! Invariant: element i of a tensor is a pure function of (key, step, i), so starts do not depend on the order
//! in which tensors are made, and noise of step n does not depend on the steps before.

use crate::{Philox, Result, fail};
use seqc_abi::Init;
use std::f64::consts::TAU;

/// Values of `init` over a row-major `shape`. Errors: an unknown function or axis, a wrong number of arguments,
/// explicit values that do not fill the shape a whole number of times.
pub fn draw(init: &Init, shape: &[usize], key: u64, step: u32) -> Result<Vec<f32>> {
    let n = shape.iter().product();
    let mut drawing = Drawing {
        shape,
        n,
        philox: Philox::new(key),
        step,
        leaf: 0,
    };
    Ok(drawing.eval(init)?.into_iter().map(|x| x as f32).collect())
}

struct Drawing<'a> {
    shape: &'a [usize],
    n: usize,
    philox: Philox,
    step: u32,
    /// Random leaves met so far: each has its own stream.
    leaf: u32,
}

impl Drawing<'_> {
    fn eval(&mut self, init: &Init) -> Result<Vec<f64>> {
        Ok(match init {
            Init::Zero => vec![0.0; self.n],
            Init::Const(c) => vec![*c; self.n],
            Init::Values(v) if self.n == 0 || (!v.is_empty() && self.n.is_multiple_of(v.len())) => {
                v.iter()
                    .map(|&x| f64::from(x))
                    .cycle()
                    .take(self.n)
                    .collect()
            }
            Init::Values(v) => fail!(
                "{} explicit values for a shape of {} elements",
                v.len(),
                self.n
            ),
            Init::Normal { std } => self.normal(*std),
            Init::Uniform { lo, hi } => self
                .uniform()
                .into_iter()
                .map(|u| lo + (hi - lo) * u)
                .collect(),
            Init::LogUniform { lo, hi } => {
                if !(*lo > 0.0 && hi > lo) {
                    fail!("log_uniform({lo}, {hi}) wants 0 < low < high");
                }
                self.uniform()
                    .into_iter()
                    .map(|u| (lo.ln() + (hi / lo).ln() * u).exp())
                    .collect()
            }
            Init::Bernoulli { p } => self
                .uniform()
                .into_iter()
                .map(|u| f64::from(u < *p))
                .collect(),
            Init::Apply { f, args } => {
                let args = args
                    .iter()
                    .map(|a| self.eval(a))
                    .collect::<Result<Vec<_>>>()?;
                apply(f, &args)?
            }
            Init::Coord { axis } => {
                let Some(&size) = self.shape.get(*axis) else {
                    fail!("axis {axis} of a shape of {} axes", self.shape.len());
                };
                let stride: usize = self.shape[axis + 1..].iter().product();
                (0..self.n).map(|i| ((i / stride) % size) as f64).collect()
            }
        })
    }

    /// Four words serve four elements.
    fn words(&mut self) -> Vec<u32> {
        self.leaf += 1;
        let block = |i: u64| {
            self.philox
                .words([i as u32, (i >> 32) as u32, self.leaf, self.step])
        };
        let mut words: Vec<u32> = (0..self.n.div_ceil(4) as u64).flat_map(block).collect();
        words.resize(words.len().next_multiple_of(4), 0);
        words
    }

    /// In (0, 1), both ends excluded.
    fn uniform(&mut self) -> Vec<f64> {
        self.words().into_iter().take(self.n).map(unit).collect()
    }

    /// Box–Muller on pairs.
    fn normal(&mut self, std: f64) -> Vec<f64> {
        let pair = |w: &[u32]| {
            let (radius, angle) = ((-2.0 * unit(w[0]).ln()).sqrt() * std, TAU * unit(w[1]));
            [radius * angle.cos(), radius * angle.sin()]
        };
        self.words()
            .chunks_exact(2)
            .flat_map(pair)
            .take(self.n)
            .collect()
    }
}

fn unit(word: u32) -> f64 {
    (f64::from(word) + 0.5) / 4_294_967_296.0
}

fn apply(f: &str, args: &[Vec<f64>]) -> Result<Vec<f64>> {
    let unary = |g: fn(f64) -> f64| match args {
        [x] => Ok(x.iter().map(|&x| g(x)).collect()),
        _ => fail!("`{f}` takes one argument, {} are given", args.len()),
    };
    let binary = |g: fn(f64, f64) -> f64| match args {
        [x, y] => Ok(x.iter().zip(y).map(|(&x, &y)| g(x, y)).collect()),
        _ => fail!("`{f}` takes two arguments, {} are given", args.len()),
    };
    match f {
        "log" => unary(f64::ln),
        "exp" => unary(f64::exp),
        "neg" => unary(|x| -x),
        "sqrt" => unary(f64::sqrt),
        "expm1" => unary(f64::exp_m1),
        // log(e^x - 1), exact for small and for large x
        "inverse_softplus" => unary(|x| x + (-(-x).exp_m1()).ln()),
        "abs" => unary(f64::abs),
        "sin" => unary(f64::sin),
        "cos" => unary(f64::cos),
        "add" => binary(|x, y| x + y),
        "sub" => binary(|x, y| x - y),
        "mul" => binary(|x, y| x * y),
        "div" => binary(|x, y| x / y),
        "pow" => binary(f64::powf),
        "select" => select(args),
        _ => fail!("`{f}` is no function of initial values"),
    }
}

/// The second argument where the first is not 0, else the third.
fn select(args: &[Vec<f64>]) -> Result<Vec<f64>> {
    let [chosen, yes, no] = args else {
        fail!("`select` takes three arguments, {} are given", args.len());
    };
    let arms = yes.iter().zip(no);
    Ok(chosen
        .iter()
        .zip(arms)
        .map(|(&c, (&y, &n))| if c == 0.0 { n } else { y })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(x: &[f32]) -> (f64, f64) {
        let n = x.len() as f64;
        let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        (
            mean,
            x.iter()
                .map(|&x| (f64::from(x) - mean).powi(2))
                .sum::<f64>()
                / n,
        )
    }

    /// Mean and variance within five standard errors of their known values, n = 40,000.
    #[test]
    fn distributions_have_their_moments() {
        let of = |init| moments(&draw(&init, &[200, 200], 3, 0).expect("sound"));
        let (mean, var) = of(Init::Normal { std: 2.0 });
        assert!(
            mean.abs() < 0.05 && (var - 4.0).abs() < 0.15,
            "{mean} {var}"
        );
        let (mean, var) = of(Init::Uniform { lo: -1.0, hi: 3.0 });
        assert!(
            (mean - 1.0).abs() < 0.03 && (var - 4.0 / 3.0).abs() < 0.04,
            "{mean} {var}"
        );
        let (mean, var) = of(Init::Bernoulli { p: 0.3 });
        assert!(
            (mean - 0.3).abs() < 0.012 && (var - 0.21).abs() < 0.01,
            "{mean} {var}"
        );
        let log = Init::Apply {
            f: "log".into(),
            args: vec![Init::LogUniform { lo: 1e-3, hi: 1e-1 }],
        };
        let (mean, _) = of(log);
        assert!((mean - 1e-2f64.ln()).abs() < 0.04, "{mean}");
    }

    #[test]
    fn draws_depend_on_key_step_and_place_only() {
        let init = Init::Normal { std: 1.0 };
        let long = draw(&init, &[64], 5, 2).expect("sound");
        assert_eq!(draw(&init, &[7], 5, 2).expect("sound")[..], long[..7]);
        assert_ne!(draw(&init, &[64], 6, 2).expect("sound"), long);
        assert_ne!(draw(&init, &[64], 5, 3).expect("sound"), long);
        let twice = Init::Apply {
            f: "sub".into(),
            args: vec![init.clone(), init],
        };
        assert!(
            draw(&twice, &[64], 5, 2)
                .expect("sound")
                .iter()
                .all(|&x| x != 0.0),
            "leaves are independent"
        );
    }

    /// A complex parameter: real and imaginary parts along its last axis, each with its own distribution.
    #[test]
    fn parts_of_complex_numbers() {
        let init = Init::Apply {
            f: "select".into(),
            args: vec![
                Init::Coord { axis: 1 },
                Init::Uniform { lo: 2.0, hi: 4.0 },
                Init::Normal { std: 0.5 },
            ],
        };
        let x = draw(&init, &[20_000, 2], 7, 0).expect("sound");
        let (re, im): (Vec<f32>, Vec<f32>) = x.chunks(2).map(|z| (z[0], z[1])).unzip();
        let ((m, v), (n, w)) = (moments(&re), moments(&im));
        assert!(m.abs() < 0.02 && (v - 0.25).abs() < 0.02, "{m} {v}");
        assert!(
            (n - 3.0).abs() < 0.02 && (w - 1.0 / 3.0).abs() < 0.02,
            "{n} {w}"
        );
        let product = re
            .iter()
            .zip(&im)
            .map(|(a, b)| f64::from(a * b))
            .sum::<f64>();
        assert!((product / 20_000.0).abs() < 0.06, "parts are independent");
        let two = Init::Apply {
            f: "select".into(),
            args: vec![Init::Zero, Init::Zero],
        };
        assert!(draw(&two, &[1], 0, 0).is_err());
    }

    #[test]
    fn functions_and_coordinates() {
        let coord = |axis| draw(&Init::Coord { axis }, &[2, 3], 0, 0);
        assert_eq!(coord(0).expect("sound"), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        assert_eq!(coord(1).expect("sound"), [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
        assert!(coord(2).is_err());
        let call = |f: &str, args| draw(&Init::Apply { f: f.into(), args }, &[1], 0, 0);
        // softplus of each result gives the argument back
        for x in [1e-3, 1.0, 50.0] {
            let y = f64::from(call("inverse_softplus", vec![Init::Const(x)]).expect("sound")[0]);
            assert!((y.exp().ln_1p() / x - 1.0).abs() < 1e-5, "{x} {y}");
        }
        assert_eq!(
            call("pow", vec![Init::Const(2.0), Init::Const(10.0)]).expect("sound"),
            [1024.0]
        );
        assert!(call("pow", vec![Init::Zero]).is_err());
        assert!(call("sinh", vec![Init::Zero]).is_err());
        assert_eq!(
            draw(&Init::Values(vec![1.0, 2.0]), &[2, 2], 0, 0).expect("sound"),
            [1.0, 2.0, 1.0, 2.0]
        );
        assert!(draw(&Init::Values(vec![1.0, 2.0]), &[3], 0, 0).is_err());
        assert!(draw(&Init::Values(vec![]), &[3], 0, 0).is_err());
    }
}
