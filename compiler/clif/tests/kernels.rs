//! Kernels written by hand, against plain loops here: ragged tails, folds, products of odd shapes, scans,
//! gathers, masks, both directions. Each also runs in the interpreter, which checks its accesses.

mod common;

use seqc_schedule::interp::{self, Data, Options};
use seqc_schedule::parse;
use seqc_schedule::verify::verify;

fn ramp(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7) % 23) as f32 * 0.17 - 1.9).collect()
}

/// Runs on both; returns what compiled code leaves.
fn both(text: &str, bufs: Vec<Data>, dims: &[i64], cells: i64) -> Vec<Data> {
    let k = parse::kernel(text).unwrap_or_else(|e| panic!("{e}"));
    verify(&k).unwrap_or_else(|e| panic!("{e:#?}"));
    let mut checked = bufs.clone();
    interp::run(&k, &mut checked, dims, Options::default()).unwrap_or_else(|e| panic!("{e}"));
    let mut bufs = bufs;
    common::run(&k, &mut bufs, dims, cells);
    for (a, b) in bufs.iter().zip(&checked) {
        close(&a.to_f64(), &b.to_f64(), 2e-6);
    }
    bufs
}

fn close(got: &[f64], want: &[f64], bound: f64) {
    assert_eq!(got.len(), want.len());
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let same =
            g == w || (g.is_nan() && w.is_nan()) || (g - w).abs() <= bound * w.abs().max(1.0);
        assert!(same, "element {i} is {g}, not {w}");
    }
}

fn want(values: impl Iterator<Item = f64>) -> Vec<f64> {
    values.collect()
}

#[test]
fn elementwise_with_ragged_tails() {
    for n in [0, 1, 3, 4, 5, 8, 17] {
        for lanes in [1, 2, 4, 8, 16] {
            let text = format!(
                "kernel k(x: read f32, y: write f32; $n) grid() {{
                   for i0 in 0..$n vec({lanes}) {{
                     let %0 = x[i0] * 2.0 + 1.0
                     y[i0] = select([i0 % 3 == 1], %0, neg(%0)) + [i0]
                   }}
                 }}"
            );
            let x = ramp(n);
            let bufs = vec![Data::F32(x.clone()), Data::F32(vec![f32::NAN; n])];
            let got = both(&text, bufs, &[n as i64], 1);
            let expected = want(x.iter().enumerate().map(|(i, x)| {
                let v = f64::from(*x) * 2.0 + 1.0;
                (if i % 3 == 1 { v } else { -v }) + i as f64
            }));
            close(&got[1].to_f64(), &expected, 1e-6);
        }
    }
}

#[test]
fn row_softmax() {
    let text = "
        kernel softmax(x: read f32, y: write f32; $rows, $t) grid(i0 < $rows) {
          let %0 = fold(max, i1 in 0..$t, lanes 8, x[i0 * $t + i1])
          let %1 = fold(sum, i2 in 0..$t, lanes 16, exp(x[i0 * $t + i2] - %0))
          for i3 in 0..$t vec(8) {
            y[i0 * $t + i3] = exp(x[i0 * $t + i3] - %0) / %1
          }
        }";
    for t in [1, 4, 7, 16, 33, 100] {
        let x = ramp(3 * t);
        let bufs = vec![Data::F32(x.clone()), Data::F32(vec![f32::NAN; 3 * t])];
        let got = both(text, bufs, &[3, t as i64], 3)[1].to_f64();
        for row in 0..3 {
            let e: Vec<f64> = x[row * t..][..t]
                .iter()
                .map(|x| f64::from(*x).exp())
                .collect();
            let total: f64 = e.iter().sum();
            let expected = want(e.iter().map(|e| e / total));
            close(&got[row * t..][..t], &expected, 1e-6);
        }
    }
}

#[test]
fn products_of_odd_shapes() {
    let shapes = [
        (1, 1, 1),
        (3, 5, 2),
        (4, 8, 16),
        (5, 13, 7),
        (6, 4, 3),
        (9, 19, 5),
        (16, 16, 16),
        (2, 3, 0),
    ];
    for (m, n, k) in shapes {
        for (layout, assign, part) in [
            ("nnn", "=", ""),
            ("nnn", "+=", " lower"),
            ("nnt", "=", " upper"),
            ("ntn", "+=", ""),
            ("tnn", "=", " lower"),
            ("ttt", "+=", " upper"),
        ] {
            let strides = |way: &str, rows: i64, cols: i64| match way {
                "n" => (cols + 1, 1),
                _ => (1, rows + 2),
            };
            let (or, oc) = strides(&layout[0..1], m, n);
            let (ar, ac) = strides(&layout[1..2], m, k);
            let (br, bc) = strides(&layout[2..3], k, n);
            let text = format!(
                "kernel k(a: read f32, b: read f32, c: readwrite f32) grid() {{
                   matmul({m}, {n}, {k}) c[3; {or}, {oc}] {assign} a[1; {ar}, {ac}] * b[2; {br}, {bc}]{part}
                 }}"
            );
            let (a, b) = (ramp(500), ramp(600));
            let k_ = parse::kernel(&text).expect("parses");
            verify(&k_).unwrap_or_else(|e| panic!("{e:#?}"));
            let mut bufs = [
                Data::F32(a.clone()),
                Data::F32(b.clone()),
                Data::F32(vec![0.5; 700]),
            ];
            common::run(&k_, &mut bufs, &[], 1);
            for r in 0..m {
                for c in 0..n {
                    let wanted = part.is_empty() || r == c || ((c < r) == (part == " lower"));
                    if !wanted {
                        continue;
                    }
                    let dot: f64 = (0..k)
                        .map(|x| {
                            let (a, b) = (
                                a[(1 + r * ar + x * ac) as usize],
                                b[(2 + x * br + c * bc) as usize],
                            );
                            f64::from(a) * f64::from(b)
                        })
                        .sum();
                    let start = if assign == "+=" { 0.5 } else { 0.0 };
                    let got = bufs[2].get((3 + r * or + c * oc) as usize).expect("inside");
                    close(&[got], &[start + dot], 3e-6);
                }
            }
            // Nothing beside the tile is touched.
            let inside = |i: i64| (0..m).any(|r| (0..n).any(|c| 3 + r * or + c * oc == i));
            for i in (0..700).filter(|i| !inside(*i)) {
                assert_eq!(bufs[2].get(i as usize), Some(0.5), "{text}: {i}");
            }
        }
    }
}

#[test]
fn a_scan_with_a_local_state() {
    let text = |way: &str| {
        format!(
            "kernel scan(a: read f32, x: read f32, y: write f32; $t) grid(i0 < 2) {{
               local s: f32[6]
               for i1 in 0..6 vec(4) {{
                 s[i1] = 0.0
               }}
               for i2 in 0..$t seq{way} {{
                 for i3 in 0..6 vec(8) {{
                   s[i3] = s[i3] * tanh(a[i2]) + x[(i0 * $t + i2) * 6 + i3]
                 }}
                 y[i0 * $t + i2] = fold(sum, i4 in 0..6, lanes 4, s[i4] * s[5 - i4])
               }}
             }}"
        )
    };
    let t = 11;
    let (a, x) = (ramp(t), ramp(2 * t * 6));
    for way in ["", " reverse"] {
        let bufs = vec![
            Data::F32(a.clone()),
            Data::F32(x.clone()),
            Data::F32(vec![f32::NAN; 2 * t]),
        ];
        let got = both(&text(way), bufs, &[t as i64], 2)[2].to_f64();
        for cell in 0..2 {
            let mut s = [0.0f64; 6];
            for step in 0..t {
                let i = if way.is_empty() { step } else { t - 1 - step };
                for (j, s) in s.iter_mut().enumerate() {
                    *s = *s * f64::from(a[i]).tanh() + f64::from(x[(cell * t + i) * 6 + j]);
                }
                let dot: f64 = (0..6).map(|j| s[j] * s[5 - j]).sum();
                close(&[got[cell * t + i]], &[dot], 3e-6);
            }
        }
    }
}

#[test]
fn gathers_and_integers() {
    let text = "
        kernel gather(tokens: read i32, table: read f32, y: write f32, n: write i32, back: write i32; $t) grid() {
          for i0 in 0..$t par {
            for i1 in 0..5 vec(4) {
              y[i0 * 5 + i1] = table[min(max(data(tokens[i0]), 0), 2) * 5 + i1]
            }
          }
          for i2 in 0..$t vec(4) {
            n[i2] = table[min(max(data(tokens[i2]), 0), 2) * 5] * 3.0
            back[$t - 1 - i2] = tokens[i2]
          }
        }";
    let tokens = [2, 0, 16_777_217, -4, 1, 1];
    let table = ramp(15);
    let bufs = vec![
        Data::I32(tokens.to_vec()),
        Data::F32(table.clone()),
        Data::F32(vec![f32::NAN; 30]),
        Data::I32(vec![0; 6]),
        Data::I32(vec![0; 6]),
    ];
    let got = both(text, bufs, &[6], 1);
    for (i, t) in tokens.iter().enumerate() {
        let row = (*t).clamp(0, 2) as usize * 5;
        for j in 0..5 {
            assert_eq!(got[2].get(i * 5 + j), Some(f64::from(table[row + j])));
        }
        assert_eq!(got[3].get(i), Some(f64::from((table[row] * 3.0) as i32)));
        assert_eq!(got[4].get(5 - i), Some(f64::from(*t)));
    }
}

/// Arithmetic of words, in lanes and alone, against u32: exact where f32 holds the result, rounded elsewhere.
#[test]
fn words_of_32_bits() {
    let tokens: Vec<i32> = (0..19i32)
        .map(|i| i.wrapping_mul(0x2545_F491) ^ (i << 3))
        .collect();
    for kind in ["seq", "vec(4)", "vec(16)"] {
        let text = format!(
            "kernel k(tokens: read i32, y: write f32, z: write f32; $n) grid() {{
               for i0 in 0..$n {kind} {{
                 y[i0] = word(shr(xorshr(mul(xor(mul([i0 * 3 - 7], [2654435761]), rotl(mul([data(tokens[i0])], [2246822519]), 16)), [3266489909]), 13), 8))
                 z[i0] = word(xor([data(tokens[i0])], [$n]))
               }}
             }}"
        );
        let bufs = vec![
            Data::I32(tokens.clone()),
            Data::F32(vec![f32::NAN; 19]),
            Data::F32(vec![f32::NAN; 19]),
        ];
        let got = both(&text, bufs, &[19], 1);
        let mixed = (0i32..).zip(&tokens).map(|(i, t)| {
            let a = ((i * 3 - 7) as u32).wrapping_mul(0x9E37_79B1);
            let b = (*t as u32).wrapping_mul(0x85EB_CA77).rotate_left(16);
            let x = (a ^ b).wrapping_mul(0xC2B2_AE35);
            f64::from((x ^ (x >> 13)) >> 8)
        });
        close(&got[1].to_f64(), &want(mixed), 0.0);
        let plain = tokens.iter().map(|t| f64::from((*t as u32 ^ 19) as f32));
        close(&got[2].to_f64(), &want(plain), 0.0);
    }
}

#[test]
fn masks_of_indices_and_numbers() {
    let text = "
        kernel masks(x: read f32, y: write f32; $t) grid(i0 < $t) {
          for i1 in 0..$t vec(4) {
            y[i0 * $t + i1] = select([i1 <= i0] && ([i0 - i1 < 3] || !(x[i1] < 0.0)), x[i1], -inf)
          }
          if [i0 == 2] && x[0] < 0.0 {
            y[i0] = 7.0
          } else {
            if [i0 > 4] {
              y[i0] = 8.0
            }
          }
        }";
    let t = 7;
    let x = ramp(t);
    let bufs = vec![Data::F32(x.clone()), Data::F32(vec![f32::NAN; t * t])];
    // In order, for the cells write the first row too.
    let k = parse::kernel(text).expect("parses");
    let mut bufs_ = bufs.clone();
    interp::run(&k, &mut bufs_, &[t as i64], Options::default()).expect("runs");
    let mut bufs = bufs;
    common::run(&k, &mut bufs, &[t as i64], t as i64);
    for i in 1..t {
        for (j, &at) in x.iter().enumerate() {
            let kept = j <= i && (i - j < 3 || at >= 0.0);
            let expected = if kept {
                f64::from(at)
            } else {
                f64::NEG_INFINITY
            };
            assert_eq!(bufs[1].get(i * t + j), Some(expected), "{i} {j}");
            assert_eq!(bufs_[1].get(i * t + j), Some(expected), "{i} {j}");
        }
    }
    assert_eq!(bufs_[1].get(2), Some(7.0));
    assert_eq!(bufs_[1].get(5), Some(8.0));
}

#[test]
fn functions_in_lanes_and_alone() {
    let points = [
        0.0,
        -0.0,
        1e-8,
        -1e-4,
        0.3,
        -0.62,
        0.63,
        1.0,
        -2.5,
        9.0,
        -20.0,
        88.0,
        -87.5,
        89.5,
        -103.0,
        -110.0,
        200.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
    ];
    type F = fn(f64) -> f64;
    let functions: [(&str, F); 9] = [
        ("exp", f64::exp),
        ("tanh", f64::tanh),
        ("expm1", f64::exp_m1),
        ("sin", f64::sin),
        ("cos", f64::cos),
        ("abs", f64::abs),
        ("floor", f64::floor),
        ("neg", |x| -x),
        ("sign", |x| {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                x
            }
        }),
    ];
    for (name, f) in functions {
        for lanes in [1, 4] {
            let text = format!(
                "kernel f(x: read f32, y: write f32; $n) grid() {{
                   for i0 in 0..$n vec({lanes}) {{ y[i0] = {name}(x[i0]) }}
                 }}"
            );
            let k = parse::kernel(&text).expect("parses");
            let n = points.len();
            let mut bufs = [Data::F32(points.to_vec()), Data::F32(vec![0.5; n])];
            common::run(&k, &mut bufs, &[n as i64], 1);
            for (i, x) in points.iter().enumerate() {
                let (got, want) = (bufs[1].get(i).expect("inside"), f(f64::from(*x)));
                let want32 = f64::from(want as f32);
                // A relative error, down to the denormals.
                let bound = 2.5e-7 * want.abs() + 2e-45;
                let same =
                    got == want32 || (got.is_nan() && want.is_nan()) || (got - want).abs() <= bound;
                assert!(same, "{name}({x}) is {got}, not {want}");
            }
        }
    }
}

#[test]
fn extremes_carry_nan() {
    let text = "
        kernel m(x: read f32, y: write f32; $n) grid() {
          y[0] = fold(max, i0 in 0..$n, lanes 4, x[i0])
          y[1] = fold(min, i1 in 0..$n, x[i1])
          y[2] = fold(prod, i2 in 0..0, lanes 8, x[i2])
        }";
    let mut x = ramp(9);
    let largest = x.iter().copied().fold(f32::MIN, f32::max);
    let run =
        |x: Vec<f32>| both(text, vec![Data::F32(x), Data::F32(vec![0.0; 3])], &[9], 1)[1].to_f64();
    let got = run(x.clone());
    assert_eq!((got[0], got[2]), (f64::from(largest), 1.0));
    x[1] = f32::NAN;
    let got = run(x);
    assert!(got[0].is_nan() && got[1].is_nan());
}

#[test]
fn wrong_kernels_are_errors() {
    for body in [
        "x[i7] = 1.0",
        "x[0] = %3",
        "x[0] = [1 < 2]",
        "if x[0] { }",
        "x[$#4] = 1.0",
        "#9[0] = 1.0",
    ] {
        let text = format!("kernel k(x: readwrite f32) grid() {{ {body} }}");
        let k = parse::kernel(&text).expect("parses");
        let e = seqc_clif::compile(&[k])
            .err()
            .expect("is refused")
            .to_string();
        assert!(e.starts_with("kernel `k`: "), "{e}");
    }
}

#[test]
fn the_listing_is_cranelift_text() {
    let k = parse::kernel(
        "kernel k(x: read f32, y: write f32; $n) grid() { for i0 in 0..$n vec(4) { y[i0] = x[i0] * 2.0 } }",
    )
    .expect("parses");
    let text = seqc_clif::emit(&k).expect("emits");
    for part in ["function u0:0", "fmul", "f32x4", "load", "store", "brif"] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
}
