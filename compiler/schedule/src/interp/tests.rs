//! Kernels written as text, with results computed by plain loops here.

use super::*;
use crate::parse::kernel;

fn run_text(text: &str, bufs: &mut [Data], dims: &[i64], options: Options) -> Result<(), Fault> {
    run(&kernel(text).expect("parses"), bufs, dims, options)
}

fn ramp(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7) % 11) as f32 * 0.25 - 1.0).collect()
}

fn fault(text: &str, bufs: &mut [Data], dims: &[i64]) -> String {
    run_text(text, bufs, dims, Options::default())
        .expect_err("is refused")
        .to_string()
}

#[test]
fn a_row_softmax_over_a_grid() {
    let text = "
        kernel softmax(x: read f32, y: write f32; $rows, $t) grid(i0 < $rows) {
          let %0 = fold(max, i1 in 0..$t, x[i0 * $t + i1])
          let %1 = fold(sum, i2 in 0..$t, lanes 8, exp(x[i0 * $t + i2] - %0))
          for i3 in 0..$t vec(8) {
            y[i0 * $t + i3] = exp(x[i0 * $t + i3] - %0) / %1
          }
        }";
    let x = ramp(21);
    for backwards in [false, true] {
        let mut bufs = [Data::F32(x.clone()), Data::F64(vec![f64::NAN; 21])];
        let options = Options {
            backwards,
            ..Options::default()
        };
        run_text(text, &mut bufs, &[3, 7], options).expect("runs");
        for row in 0..3 {
            let e: Vec<f64> = (0..7).map(|i| f64::from(x[row * 7 + i]).exp()).collect();
            let total: f64 = e.iter().sum();
            for (i, e) in e.iter().enumerate() {
                let got = bufs[1].get(row * 7 + i).expect("inside");
                assert!((got - e / total).abs() < 1e-15, "{got}");
            }
        }
    }
}

#[test]
fn a_state_runs_in_both_directions() {
    let text = |way: &str| {
        format!(
            "kernel scan(x: read f32, y: write f32; $t) grid() {{
               local s: f32[1]
               s[0] = 0.0
               for i0 in 0..$t seq {way} {{
                 s[0] = s[0] * 0.5 + x[i0]
                 y[i0] = s[0]
               }}
             }}"
        )
    };
    let x = ramp(9);
    let mut bufs = [Data::F32(x.clone()), Data::F64(vec![0.0; 9])];
    run_text(&text(""), &mut bufs, &[9], Options::default()).expect("runs");
    let mut s = 0.0;
    for (i, v) in x.iter().enumerate() {
        s = s * 0.5 + f64::from(*v);
        assert_eq!(bufs[1].get(i), Some(s));
    }
    run_text(&text("reverse"), &mut bufs, &[9], Options::default()).expect("runs");
    s = 0.0;
    for (i, v) in x.iter().enumerate().rev() {
        s = s * 0.5 + f64::from(*v);
        assert_eq!(bufs[1].get(i), Some(s));
    }
}

#[test]
fn products_with_strides_and_parts() {
    let text = |part: &str, assign: &str| {
        format!(
            "kernel product(a: read f32, b: read f32, c: readwrite f32) grid() {{
               matmul(3, 3, 2) c[0; 3, 1] {assign} a[1; 1, 4] * b[0; 3, 1]{part}
             }}"
        )
    };
    let (a, b) = (ramp(8), ramp(6));
    for (part, assign) in [("", "="), (" lower", "="), (" upper", "+=")] {
        let mut bufs = [
            Data::F32(a.clone()),
            Data::F32(b.clone()),
            Data::F32(vec![5.0; 9]),
        ];
        run_text(&text(part, assign), &mut bufs, &[], Options::default()).expect("runs");
        for m in 0..3 {
            for n in 0..3 {
                let wanted = part.is_empty() || m == n || ((n < m) == (part == " lower"));
                let start = if assign == "+=" { 5.0 } else { 0.0 };
                let sum = start + a[1 + m] * b[n] + a[5 + m] * b[3 + n];
                let expected = if wanted { f64::from(sum) } else { 5.0 };
                assert_eq!(bufs[2].get(m * 3 + n), Some(expected), "{part} {m} {n}");
            }
        }
    }
}

#[test]
fn data_addresses_and_masks() {
    let text = "
        kernel gather(tokens: read i32, table: read f32, y: write f32, n: write i32; $t) grid() {
          for i0 in 0..$t vec(4) {
            y[i0] = select([data(tokens[i0]) < 3] && [i0 != 1], table[min(max(data(tokens[i0]), 0), 2)], -1.0)
            n[i0] = table[0] * [i0] - 0.75
          }
        }";
    let mut bufs = [
        Data::I32(vec![2, 0, 7, -4]),
        Data::F32(vec![1.5, 2.5, 3.5]),
        Data::F32(vec![0.0; 4]),
        Data::I32(vec![0; 4]),
    ];
    run_text(text, &mut bufs, &[4], Options::default()).expect("runs");
    assert_eq!(bufs[2], Data::F32(vec![3.5, -1.0, -1.0, 1.5]));
    // -0.75, 0.75, 2.25, 3.75 towards zero.
    assert_eq!(bufs[3], Data::I32(vec![0, 0, 2, 3]));
}

#[test]
fn rounding_is_where_it_is_asked_for() {
    let text = "
        kernel tenths(y: write f32, z: write f32) grid() {
          local s: f32[1]
          s[0] = 0.1
          y[0] = s[0]
          z[0] = 0.1 + 0.2
        }";
    let both = |precision| {
        let mut bufs = [Data::F64(vec![0.0]), Data::F64(vec![0.0])];
        let options = Options {
            precision,
            ..Options::default()
        };
        run_text(text, &mut bufs, &[], options).expect("runs");
        [bufs[0].get(0), bufs[1].get(0)].map(|x| x.expect("inside"))
    };
    assert_eq!(both(Precision::Exact), [0.1, 0.1 + 0.2]);
    let f = |x: f32| f64::from(x);
    assert_eq!(both(Precision::Stores), [f(0.1), f((0.1f64 + 0.2) as f32)]);
    assert_eq!(both(Precision::Single), [f(0.1), f(0.1 + 0.2)]);
}

#[test]
fn elementary_functions() {
    let cases: [(&str, f64); 9] = [
        ("expm1(1e-10)", 1.00000000005e-10),
        ("log1p(1e-10)", 9.9999999995e-11),
        ("erf(1.0)", 0.842_700_792_949_714_9),
        ("sign(-3.0) + sign(0.0) + sign(2.0) * 4.0", 3.0),
        ("rem(-1.0, 3.0) + rem(7.5, 2.0) * 10.0", 17.0),
        ("pow(2.0, -2.0)", 0.25),
        ("floor(-0.5)", -1.0),
        ("max(1.0, min(3.0, 2.0))", 2.0),
        ("fold(prod, i9 in 1..6, [i9])", 120.0),
    ];
    for (e, expected) in cases {
        let text = format!("kernel f(y: write f32) grid() {{ y[0] = {e} }}");
        let mut bufs = [Data::F64(vec![0.0])];
        run_text(&text, &mut bufs, &[], Options::default()).expect("runs");
        let got = bufs[0].get(0).expect("inside");
        assert!(
            (got - expected).abs() <= 1e-15 * expected.abs(),
            "{e} is {got}"
        );
    }
    for e in ["max(nan, 1.0)", "min(1.0, nan)"] {
        let text = format!("kernel f(y: write f32) grid() {{ y[0] = {e} }}");
        let mut bufs = [Data::F64(vec![0.0])];
        run_text(&text, &mut bufs, &[], Options::default()).expect("runs");
        assert!(bufs[0].get(0).expect("inside").is_nan(), "{e}");
    }
}

#[test]
fn faults_name_the_statement() {
    let text = "
        kernel copy(x: read f32, y: write f32; $t) grid(i0 < 2) {
          for i1 in 0..$t seq {
            y[i1] = x[i1 + i0]
          }
        }";
    let mut bufs = [Data::F32(vec![0.0; 4]), Data::F32(vec![0.0; 4])];
    assert_eq!(
        fault(text, &mut bufs, &[4]),
        "kernel `copy`, statement 0.0 `y[i1] = x[i1 + i0]`: \
         reads element 4 of `x`, which has 4 (in cell i0 = 1)"
    );
    let unwritten = "
        kernel k(y: write f32) grid(i0 < 2) {
          local s: f32[2]
          if [i0 == 0] {
            s[0] = 1.0
          } else {
            y[0] = s[0]
          }
        }";
    let mut bufs = [Data::F32(vec![0.0; 4])];
    assert_eq!(
        fault(unwritten, &mut bufs, &[]),
        "kernel `k`, statement 0.else.0 `y[0] = s[0]`: \
         reads element 0 of a local, which is not written yet (in cell i0 = 1)"
    );
    let outside = "kernel k(y: write f32) grid() { y[-1] = 1.0 }";
    assert!(fault(outside, &mut bufs, &[]).contains("writes element -1 of `y`, which has 4"));
    let read_only = "kernel k(y: read f32) grid() { y[0] = 1.0 }";
    assert!(fault(read_only, &mut bufs, &[]).contains("only read"));
    let write_only = "kernel k(y: write f32) grid() { y[0] = y[1] }";
    assert!(fault(write_only, &mut bufs, &[]).contains("only written"));
}

#[test]
fn an_arm_that_is_not_taken_may_be_unwritten_but_not_outside() {
    let text = |at: i64| {
        format!(
            "kernel k(y: write f32) grid() {{
               local s: f32[2]
               y[0] = select([1 < 0], s[{at}], 2.0)
             }}"
        )
    };
    let mut bufs = [Data::F32(vec![0.0])];
    run_text(&text(1), &mut bufs, &[], Options::default()).expect("runs");
    assert_eq!(bufs[0], Data::F32(vec![2.0]));
    assert!(fault(&text(2), &mut bufs, &[]).contains("reads element 2"));
}

#[test]
fn words_are_u32() {
    let text = "
        kernel mix(tokens: read i32, y: write f32; $t) grid() {
          for i0 in 0..$t vec(4) {
            y[i0] = word(shr(mul(xorshr(xor(mul([i0 - 2], [2654435761]), rotl([data(tokens[i0])], 7)), 15), [2246822507]), 3))
          }
        }";
    let tokens = vec![3, -1, i32::MAX, 0, 70_000];
    let mut bufs = [Data::I32(tokens.clone()), Data::F64(vec![f64::NAN; 5])];
    run_text(text, &mut bufs, &[5], Options::default()).expect("runs");
    for (i, t) in (0u32..).zip(tokens) {
        let w = i.wrapping_sub(2).wrapping_mul(2_654_435_761) ^ (t as u32).rotate_left(7);
        let w = (w ^ (w >> 15)).wrapping_mul(2_246_822_507) >> 3;
        assert_eq!(bufs[1].get(i as usize), Some(f64::from(w)));
    }
}

#[test]
fn one_buffer_may_be_bound_twice() {
    let text = "
        kernel add(a: read f32, b: read f32, y: write f32) grid() { y[0] = a[0] + b[1] }";
    let k = kernel(text).expect("parses");
    let mut pool = [Data::F32(vec![0.0]), Data::F32(vec![1.0, 2.0])];
    let program = Program::new(&k).expect("resolves");
    let options = Options::default();
    program
        .run(&mut pool, &[1, 1, 0], &[], options)
        .expect("runs");
    assert_eq!(pool[0], Data::F32(vec![3.0]));
    assert!(program.run(&mut pool, &[1, 1], &[], options).is_err());
    assert!(program.run(&mut pool, &[1, 1, 9], &[], options).is_err());
}
