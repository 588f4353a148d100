//! Memory at length 65,536 (one sequence, 4 heads of 64): forward and gradient of every linear class, and of softmax
//! matrices, take less than 12 times their inputs and outputs; and nothing grows with the square of the length.

use seqc_algebra::Elem;
use seqc_device::Memory;
use seqc_device::abi::{Plan, Sizes};
use seqc_driver::build::lowered;
use seqc_driver::frontend;
use seqc_driver::passes::{Form, Shapes, forward, gradient};

const T: u64 = 65_536;

/// Beside `q`, `k`, `v`: the class as `explain` calls it, further sequences, the equations.
const CLASSES: &[(&str, &str, &str)] = &[
    (
        "identity",
        "",
        "state S{h, dk, dv}\nS[t] = S[t-1] + k * v\no = sum[dk](q * S)",
    ),
    (
        "scalar",
        "a: seq{h}",
        "state S{h, dk, dv}\nS[t] = a * S[t-1] + k * v\no = sum[dk](q * S)",
    ),
    (
        "diagonal",
        "a: seq{h, dk}",
        "state S{h, dk, dv}\nS[t] = a * S[t-1] + k * v\no = sum[dk](q * S)",
    ),
    (
        "complex diagonal",
        "w: seq{h, dk}",
        "a = exp(1i * w - softplus(w))\nstate S{h, dk, dv}\nS[t] = a * S[t-1] + k * v\no = re(sum[dk](q * S))",
    ),
    (
        "identity + rank 1",
        "b: seq{h}",
        "state S{h, dk, dv}\nS[t] = S[t-1] + b * k * (v - sum[dk](k * S[t-1]))\no = sum[dk](q * S)",
    ),
    (
        "scalar x (identity + rank 1)",
        "a: seq{h}, b: seq{h}",
        "state S{h, dk, dv}\nP = a * S[t-1]\nS[t] = P + b * k * (v - sum[dk](k * P))\no = sum[dk](q * S)",
    ),
    (
        "diagonal + rank 1",
        "a: seq{h, dk}, z: seq{h, dk}",
        "state S{h, dk, dv}\nS[t] = a * S[t-1] - z * sum[dk](k * S[t-1]) + k * v\no = sum[dk](q * S)",
    ),
    (
        "coupled",
        "a: seq{h}, g: seq{h}, b: seq{h}",
        "state P{h, dk, dv}\nstate S{h, dk, dv}\nP[t] = g * P[t-1] + b * k * (v - sum[dk](k * S[t-1]))\nS[t] = a * S[t-1] + P\no = sum[dk](q * S)",
    ),
    (
        "low rank",
        "",
        "M[i,j] = sum[dk](q[i] * k[j])  where j <= i\no = sum[j](M[t,j] * v[j])",
    ),
    (
        "softmax",
        "",
        "M[i,j] = softmax[j](sum[dk](q[i] * k[j]) / 8)  where j <= i\no = sum[j](M[t,j] * v[j])",
    ),
    (
        "diagonal, on a coarser clock",
        "a: seq{h, dk}",
        "p = 4\nA = mean[p](patch[p](a))\nK = mean[p](patch[p](k))\nV = mean[p](patch[p](v))\nQ = mean[p](patch[p](q))\n\
         state S{h, dk, dv}\nS[t] = A * S[t-1] + K * V\nO = sum[dk](Q * S[t-1])\no = O[block(t, p)]",
    ),
    (
        "softmax, over a coarser clock",
        "",
        "p = 4\nK = mean[p](patch[p](k))\nV = mean[p](patch[p](v))\n\
         M[i,j] = softmax[j](sum[dk](q[i] * K[j]) / 8)  where j < block(i, p)\no = sum[j](M[t,j] * V[j])",
    ),
];

fn text(more: &str, body: &str) -> String {
    let more = if more.is_empty() {
        String::new()
    } else {
        format!(", {more}")
    };
    format!(
        "seq 1\n\nmixer m(q: seq{{h, dk}}, k: seq{{h, dk}}, v: seq{{h, dv}}{more}; h = 4, dk = 64, dv = 64) \
         -> o: seq{{h, dv}} {{\n{body}\n}}\n"
    )
}

/// Bytes of a plan at a length, and of what goes in and out.
fn memory(plan: &Plan, t: u64) -> (usize, usize) {
    let sizes = Sizes::from([("batch".to_owned(), 1), ("t".to_owned(), t)]);
    let m = Memory::at(plan, &sizes).unwrap_or_else(|e| panic!("{e}"));
    (m.arena + m.kept, m.kept)
}

#[test]
fn linear_in_the_length_and_below_twelve_times_what_goes_in_and_out() {
    let mut report = vec![];
    for (class, more, body) in CLASSES {
        let source = frontend::of_text("m.seq", &text(more, body))
            .unwrap_or_else(|e| panic!("{class}: {e}"));
        let e = source
            .elaborate("m", &[])
            .unwrap_or_else(|e| panic!("{class}: {e}"));
        let wrt: Vec<&str> = e
            .func
            .params
            .iter()
            .filter(|p| e.func.ty(**p).elem != Elem::Int)
            .filter_map(|p| e.func.input(*p))
            .map(|i| i.name.as_str())
            .collect();
        let (shapes, form) = (Shapes::cpu(), Form::Chunked);
        let programs = [
            ("forward", forward(&e.func, form, &shapes, &mut vec![])),
            (
                "gradient",
                gradient(&e.func, form, &shapes, &wrt, &["o"], &mut vec![]),
            ),
        ];
        for (part, f) in programs {
            let f = f.unwrap_or_else(|e| panic!("{class}, {part}: {e}"));
            let plan = lowered(&f, 8)
                .unwrap_or_else(|e| panic!("{class}, {part}: {e}"))
                .plan;
            let (all, kept) = memory(&plan, T);
            let (half, _) = memory(&plan, T / 2);
            let ratio = all as f64 / kept as f64;
            println!("{class}, {part}: {ratio:.2} times");
            if ratio >= 12.0 || all as f64 > 2.01 * half as f64 {
                report.push(format!(
                    "{class}, {part}: {ratio:.2} times, half the length takes {half} of {all}"
                ));
            }
        }
    }
    assert!(report.is_empty(), "{}", report.join("\n"));
}
