//! Each operation's evaluation against values worked out by hand or by plain loops.

use seqc_algebra::*;
use std::collections::HashMap;

fn ax(name: &str, n: usize) -> Axis {
    Axis::new(name, n)
}

/// A real tensor over constant axes.
fn tensor(axes: &[Axis], data: &[f64]) -> Tensor {
    let shape = axes.iter().map(|a| a.size.constant().unwrap()).collect();
    Tensor::real(axes.to_vec(), shape, data.to_vec()).unwrap()
}

/// Builds a program over data inputs `x0, x1, …`, runs it, gives its result in the order of its type.
fn eval(inputs: &[Tensor], build: impl Fn(&mut Builder, &[ValueId]) -> ValueId) -> Tensor {
    try_eval(inputs, &[], build).unwrap()
}

fn try_eval(
    inputs: &[Tensor],
    sizes: &[(&str, usize)],
    build: impl Fn(&mut Builder, &[ValueId]) -> ValueId,
) -> Result<Tensor, EvalError> {
    let mut b = Builder::new("test");
    let mut given = HashMap::new();
    let mut ids = vec![];
    for (k, t) in inputs.iter().enumerate() {
        let elem = if t.is_complex() {
            Elem::Complex
        } else {
            Elem::Real
        };
        ids.push(b.input(
            &format!("x{k}"),
            InputKind::Data,
            Ty {
                elem,
                axes: t.axes.clone(),
            },
        ));
        given.insert(format!("x{k}"), t.clone());
    }
    let y = build(&mut b, &ids);
    b.result("y", y);
    let func = b.finish();
    let sizes = sizes.iter().map(|(n, s)| (Sym::new(n), *s)).collect();
    run(&func, &given, &sizes).map(|mut r| r.remove(0).1)
}

fn reals(t: &Tensor) -> &[f64] {
    t.as_real().unwrap()
}

fn close(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (g, w) in got.iter().zip(want) {
        assert!(
            (g - w).abs() <= 1e-12 * (1.0 + w.abs()),
            "{got:?} is not {want:?}"
        );
    }
}

#[test]
fn pointwise_functions() {
    use MapFn::*;
    let a = ax("a", 3);
    let x = tensor(&[a], &[-1.5, 0.0, 2.0]);
    let cases: [(MapFn, [f64; 3]); 8] = [
        (Neg, [1.5, 0.0, -2.0]),
        (Abs, [1.5, 0.0, 2.0]),
        (Sign, [-1.0, 0.0, 1.0]),
        (Floor, [-2.0, 0.0, 2.0]),
        (Not, [0.0, 1.0, 0.0]),
        (
            Tanh,
            [-0.905_148_253_644_866_4, 0.0, 0.964_027_580_075_816_9],
        ),
        (Expm1, [-0.776_869_839_851_570_2, 0.0, 6.389_056_098_930_65]),
        (Stop, [-1.5, 0.0, 2.0]),
    ];
    for (f, want) in cases {
        close(
            reals(&eval(std::slice::from_ref(&x), |b, v| {
                b.map1(f, v[0]).unwrap()
            })),
            &want,
        );
    }
}

#[test]
fn operands_broadcast_by_name() {
    let (a, c) = (ax("a", 2), ax("c", 3));
    let x = tensor(&[a], &[10.0, 20.0]);
    let y = tensor(&[c, a], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let z = eval(&[x, y], |b, v| b.sub(v[0], v[1]).unwrap());
    assert_eq!(z.axes, [c, a]);
    assert_eq!(reals(&z), [9.0, 18.0, 7.0, 16.0, 5.0, 14.0]);
}

#[test]
fn select_ignores_the_other_arm() {
    let a = ax("a", 2);
    let x = tensor(&[a], &[-1.0, 4.0]);
    let y = eval(&[x], |b, v| {
        let zero = b.num(0.0);
        let c = b.map2(MapFn::Gt, v[0], zero).unwrap();
        let s = b.map1(MapFn::Sqrt, v[0]).unwrap();
        b.select(c, s, zero).unwrap()
    });
    assert_eq!(reals(&y), [0.0, 2.0]);
}

#[test]
fn reductions() {
    let (a, c) = (ax("a", 2), ax("c", 3));
    let x = tensor(&[a, c], &[3.0, -1.0, 3.0, 0.5, 2.0, 2.0]);
    let red = |op, axes: &[Axis]| {
        let axes = axes.to_vec();
        reals(&eval(std::slice::from_ref(&x), |b, v| {
            b.push(Op::Reduce(op, axes.clone()), v).unwrap()
        }))
        .to_vec()
    };
    close(&red(ReduceOp::Sum, &[c]), &[5.0, 4.5]);
    close(&red(ReduceOp::Sum, &[a]), &[3.5, 1.0, 5.0]);
    close(&red(ReduceOp::Sum, &[a, c]), &[9.5]);
    close(&red(ReduceOp::Prod, &[c]), &[-9.0, 2.0]);
    close(&red(ReduceOp::Max, &[c]), &[3.0, 2.0]);
    close(&red(ReduceOp::Min, &[a]), &[0.5, -1.0, 2.0]);
    close(&red(ReduceOp::ArgMax, &[c]), &[0.0, 1.0]);
    close(&red(ReduceOp::ArgMin, &[c]), &[1.0, 0.0]);
}

#[test]
fn softmax_and_log_sum_exp() {
    let (a, c) = (ax("a", 3), ax("c", 2));
    let inf = f64::NEG_INFINITY;
    let x = tensor(&[a, c], &[0.0, 3f64.ln(), 1000.0, inf, inf, inf]);
    let p = eval(std::slice::from_ref(&x), |b, v| {
        b.push(Op::Softmax(c), v).unwrap()
    });
    close(reals(&p), &[0.25, 0.75, 1.0, 0.0, 0.0, 0.0]);
    let l = eval(&[x], |b, v| b.push(Op::LogSumExp(c), v).unwrap());
    assert_eq!(reals(&l)[2], inf);
    close(&reals(&l)[..2], &[4f64.ln(), 1000.0]);
}

#[test]
fn top_mask_breaks_ties_downward() {
    let a = ax("a", 5);
    let x = tensor(&[a], &[1.0, 3.0, 2.0, 3.0, 2.0]);
    let m = eval(&[x], |b, v| b.push(Op::TopMask(a, 3), v).unwrap());
    assert_eq!(reals(&m), [0.0, 1.0, 1.0, 1.0, 0.0]);
}

/// Contractions against loops over all indices, with batch, kept, summed and lonely axes and three operands.
#[test]
fn contractions() {
    let (p, m, k, n, w) = (ax("p", 2), ax("m", 5), ax("k", 6), ax("n", 7), ax("w", 3));
    let fill = |len: usize, s: usize| {
        (0..len)
            .map(|i| ((i * s + 3) % 17) as f64 - 8.0)
            .collect::<Vec<_>>()
    };
    let (x, y, z) = (fill(2 * 5 * 6 * 3, 5), fill(6 * 7 * 2, 7), fill(7 * 5, 11));
    let got = eval(
        &[
            tensor(&[m, p, w, k], &x),
            tensor(&[k, n, p], &y),
            tensor(&[n, m], &z),
        ],
        |b, v| b.contract(&[k, w], v).unwrap(),
    );
    assert_eq!(got.axes, [m, p, n]);
    let mut want = vec![];
    for im in 0..5 {
        for ip in 0..2 {
            for i_n in 0..7 {
                let mut sum = 0.0;
                for ik in 0..6 {
                    for iw in 0..3 {
                        sum += x[((im * 2 + ip) * 3 + iw) * 6 + ik]
                            * y[(ik * 7 + i_n) * 2 + ip]
                            * z[i_n * 5 + im];
                    }
                }
                want.push(sum);
            }
        }
    }
    close(reals(&got), &want);
    // No kept axis, one operand twice.
    let sq = eval(&[tensor(&[k], &[1., 2., 3., 4., 5., 6.])], |b, v| {
        b.contract(&[k], &[v[0], v[0]]).unwrap()
    });
    assert_eq!(reals(&sq), [91.0]);
}

#[test]
fn moving_numbers() {
    let (a, c) = (ax("a", 2), ax("c", 3));
    let x = tensor(&[a, c], &[1., 2., 3., 4., 5., 6.]);
    let ops: Vec<(Op, Vec<f64>)> = vec![
        (Op::Flip(c), vec![3., 2., 1., 6., 5., 4.]),
        (Op::Flip(a), vec![4., 5., 6., 1., 2., 3.]),
        (Op::Shift { axis: c, by: 1 }, vec![0., 1., 2., 0., 4., 5.]),
        (Op::Shift { axis: c, by: -2 }, vec![3., 0., 0., 6., 0., 0.]),
        (Op::Shift { axis: c, by: 9 }, vec![0.; 6]),
        (Op::Pick { axis: c, index: 1 }, vec![2., 5.]),
        (
            Op::Merge {
                axes: vec![a, c],
                into: ax("m", 6),
            },
            vec![1., 2., 3., 4., 5., 6.],
        ),
        (
            Op::Merge {
                axes: vec![c, a],
                into: ax("m", 6),
            },
            vec![1., 4., 2., 5., 3., 6.],
        ),
        (
            Op::Expand(vec![ax("e", 2)]),
            vec![1., 1., 2., 2., 3., 3., 4., 4., 5., 5., 6., 6.],
        ),
        (
            Op::Place {
                axis: ax("e", 2),
                index: 1,
            },
            vec![0., 1., 0., 2., 0., 3., 0., 4., 0., 5., 0., 6.],
        ),
        (
            Op::Rename {
                from: c,
                to: ax("d", 3),
            },
            vec![1., 2., 3., 4., 5., 6.],
        ),
    ];
    for (op, want) in ops {
        assert_eq!(
            reals(&eval(std::slice::from_ref(&x), |b, v| b
                .push(op.clone(), v)
                .unwrap())),
            want,
            "{op:?}"
        );
    }
    let flat = tensor(&[ax("m", 6)], &[1., 2., 3., 4., 5., 6.]);
    let split = eval(&[flat], |b, v| {
        b.push(
            Op::Split {
                axis: ax("m", 6),
                into: vec![a, c],
            },
            v,
        )
        .unwrap()
    });
    assert_eq!(
        (split.axes.as_slice(), reals(&split)),
        ([a, c].as_slice(), [1., 2., 3., 4., 5., 6.].as_slice())
    );
    let stacked = eval(&[tensor(&[a], &[1., 2.]), tensor(&[], &[9.0])], |b, v| {
        b.push(Op::Stack(ax("s", 2)), v).unwrap()
    });
    assert_eq!(reals(&stacked), [1., 9., 2., 9.]);
}

#[test]
fn windows_and_their_transpose() {
    let (t, l) = (ax("t", 4), ax("l", 3));
    let x = tensor(&[t], &[1., 2., 3., 4.]);
    let win = |ahead| {
        reals(&eval(std::slice::from_ref(&x), |b, v| {
            b.push(
                Op::Window {
                    axis: t,
                    lag: l,
                    ahead,
                },
                v,
            )
            .unwrap()
        }))
        .to_vec()
    };
    assert_eq!(win(false), [1., 0., 0., 2., 1., 0., 3., 2., 1., 4., 3., 2.]);
    assert_eq!(win(true), [1., 2., 3., 2., 3., 4., 3., 4., 0., 4., 0., 0.]);
    let y = tensor(&[t, l], &(1..=12).map(f64::from).collect::<Vec<_>>());
    let un = |ahead| {
        reals(&eval(std::slice::from_ref(&y), |b, v| {
            b.push(
                Op::Unwindow {
                    axis: t,
                    lag: l,
                    ahead,
                },
                v,
            )
            .unwrap()
        }))
        .to_vec()
    };
    // y[p] = x[p,0] + x[p+1,1] + x[p+2,2]; rows are (1 2 3) (4 5 6) (7 8 9) (10 11 12)
    assert_eq!(un(false), [1. + 5. + 9., 4. + 8. + 12., 7. + 11., 10.]);
    assert_eq!(un(true), [1., 4. + 2., 7. + 5. + 3., 10. + 8. + 6.]);
}

#[test]
fn gather_and_scatter() {
    let (v, d, t) = (ax("v", 3), ax("d", 2), ax("t", 4));
    let table = tensor(&[v, d], &[1., 2., 3., 4., 5., 6.]);
    let index = tensor(&[t], &[2.0, 0.4, -5.0, 99.0]);
    let g = eval(&[table, index.clone()], |b, a| {
        b.push(Op::Gather(v), a).unwrap()
    });
    assert_eq!(
        (g.axes.as_slice(), reals(&g)),
        (
            [t, d].as_slice(),
            [5., 6., 1., 2., 1., 2., 5., 6.].as_slice()
        )
    );
    let back = eval(&[g, index], |b, a| {
        b.push(
            Op::ScatterAdd {
                axis: v,
                over: vec![t],
            },
            a,
        )
        .unwrap()
    });
    assert_eq!(
        (back.axes.as_slice(), reals(&back)),
        ([v, d].as_slice(), [2., 4., 0., 0., 10., 12.].as_slice())
    );
    // Shared axes are walked together, and the index may carry the looked-up axis's name.
    let square = tensor(&[t, v], &(0..12).map(f64::from).collect::<Vec<_>>());
    let rows = tensor(&[t], &[3., 2., 1., 0.]);
    let flipped = eval(&[square.clone(), rows.clone()], |b, a| {
        b.push(Op::Gather(t), a).unwrap()
    });
    assert_eq!(
        reals(&flipped),
        [9., 10., 11., 6., 7., 8., 3., 4., 5., 0., 1., 2.]
    );
    let cols = tensor(&[t], &[0., 1., 2., 0.]);
    let diagonal = eval(&[square, cols], |b, a| b.push(Op::Gather(v), a).unwrap());
    assert_eq!(reals(&diagonal), [0., 4., 8., 9.]);
}

#[test]
fn triangular_solve() {
    let (i, j, c) = (ax("i", 3), ax("j", 3), ax("c", 2));
    // Entries on and above the diagonal are junk and must not be read.
    let nan = f64::NAN;
    let l = tensor(&[i, j], &[nan, nan, nan, 2.0, nan, nan, -1.0, 3.0, nan]);
    let r = tensor(&[i, c], &[1., 2., 3., 4., 5., 6.]);
    let solve = |transpose| {
        reals(&eval(&[l.clone(), r.clone()], |b, v| {
            b.push(
                Op::Solve {
                    row: i,
                    col: j,
                    transpose,
                },
                v,
            )
            .unwrap()
        }))
        .to_vec()
    };
    // u0 = r0, u1 = r1 - 2 u0, u2 = r2 + u0 - 3 u1
    assert_eq!(solve(false), [1., 2., 1., 0., 3., 8.]);
    // u2 = r2, u1 = r1 - 3 u2, u0 = r0 - 2 u1 + u2
    assert_eq!(
        solve(true),
        [1. + 24. + 5., 2. + 28. + 6., -12., -14., 5., 6.]
    );
}

#[test]
fn convolution_and_kernel_gradient() {
    let (t, l, d) = (ax("t", 4), ax("lag", 3), ax("d", 2));
    let f = tensor(&[l], &[1., 10., 100.]);
    let x = tensor(&[t, d], &[1., 5., 2., 6., 3., 7., 4., 8.]);
    let conv = |ahead| {
        reals(&eval(&[f.clone(), x.clone()], |b, v| {
            b.push(
                Op::Conv {
                    axis: t,
                    lag: l,
                    ahead,
                },
                v,
            )
            .unwrap()
        }))
        .to_vec()
    };
    assert_eq!(conv(false), [1., 5., 12., 56., 123., 567., 234., 678.]);
    assert_eq!(conv(true), [321., 765., 432., 876., 43., 87., 4., 8.]);
    let g = tensor(&[t], &[1., 0., 0., 2.]);
    let ker = |ahead, over: Vec<Axis>| {
        let op = Op::ConvKernel {
            axis: t,
            lag: l,
            ahead,
            over,
        };
        reals(&eval(&[g.clone(), x.clone()], |b, v| {
            b.push(op.clone(), v).unwrap()
        }))
        .to_vec()
    };
    // lag 0: g0 x0 + g3 x3; lag 1: g3 x2; lag 2: g3 x1
    assert_eq!(ker(false, vec![]), [9., 21., 6., 14., 4., 12.]);
    assert_eq!(ker(false, vec![d]), [30., 20., 16.]);
    // ahead: lag 0: g0 x0 + g3 x3; lag 1: g0 x1; lag 2: g0 x2
    assert_eq!(ker(true, vec![d]), [30., 8., 10.]);
}

#[test]
fn complex_numbers() {
    let a = ax("a", 2);
    let z = Tensor::new(
        vec![a],
        vec![2],
        Data::Complex(vec![C64::new(1.0, 2.0), C64::new(0.0, -1.0)]),
    )
    .unwrap();
    let sq = eval(std::slice::from_ref(&z), |b, v| b.mul(v[0], v[0]).unwrap());
    assert_eq!(
        sq.data,
        Data::Complex(vec![C64::new(-3.0, 4.0), C64::new(-1.0, 0.0)])
    );
    let norm = eval(std::slice::from_ref(&z), |b, v| {
        let c = b.map1(MapFn::Conj, v[0]).unwrap();
        let s = b.contract(&[a], &[v[0], c]).unwrap();
        b.map1(MapFn::Re, s).unwrap()
    });
    assert_eq!(norm.data, Data::Real(vec![6.0]));
    let one = eval(&[z], |b, v| b.div(v[0], v[0]).unwrap());
    assert_eq!(one.data, Data::Complex(vec![C64::new(1.0, 0.0); 2]));
}

#[test]
fn lengths_are_checked() {
    let t = Axis::time();
    let x = Tensor::real(vec![t], vec![2], vec![1.0, 2.0]).unwrap();
    let sum = |b: &mut Builder, v: &[ValueId]| b.sum(&[t], v[0]).unwrap();
    assert!(
        try_eval(std::slice::from_ref(&x), &[], sum)
            .unwrap_err()
            .to_string()
            .contains("`t`")
    );
    assert!(
        try_eval(std::slice::from_ref(&x), &[("t", 3)], sum)
            .unwrap_err()
            .to_string()
            .contains("x0")
    );
    assert_eq!(reals(&try_eval(&[x], &[("t", 2)], sum).unwrap()), [3.0]);
    let huge = try_eval(&[], &[("t", usize::MAX / 2)], |b, _| {
        let i = b.iota(t).unwrap();
        b.sum(&[t], i).unwrap()
    });
    assert!(huge.is_err());
}

#[test]
fn inputs_that_nothing_needs_may_be_absent() {
    let mut b = Builder::new("f");
    b.input(
        "unused",
        InputKind::Data,
        Ty::real(vec![Axis::len("i", "unknown")]),
    );
    let x = b.input("x", InputKind::Data, Ty::real(vec![]));
    b.result("y", x);
    let func = b.finish();
    let given = HashMap::from([("x".to_owned(), Tensor::scalar(2.0))]);
    assert_eq!(
        reals(&run(&func, &given, &HashMap::new()).unwrap()[0].1),
        [2.0]
    );
    assert!(
        run(&func, &HashMap::new(), &HashMap::new())
            .unwrap_err()
            .to_string()
            .contains("`x`")
    );
}

/// Seven steps in tiles of three: the last tile lacks two, which read 0; and back, what lies past the end is dropped.
#[test]
fn steps_in_tiles() {
    let t = Axis::time();
    let (ticks, p) = (
        Axis {
            name: Sym::new("t/3"),
            size: t.size.tiled(3),
        },
        ax("p", 3),
    );
    let x: Vec<f64> = (1..=14).map(f64::from).collect();
    let x = Tensor::real(vec![t, ax("d", 2)], vec![7, 2], x).unwrap();
    let patch = Op::Patch {
        axis: t,
        ticks,
        within: p,
    };
    let y = try_eval(std::slice::from_ref(&x), &[("t", 7)], |b, x| {
        b.push(patch.clone(), x).unwrap()
    })
    .unwrap();
    let y = y.ordered(&[ticks, p, ax("d", 2)]).unwrap();
    assert_eq!(y.shape, [3, 3, 2]);
    let mut want: Vec<f64> = (1..=14).map(f64::from).collect();
    want.extend([0.0; 4]);
    assert_eq!(y.as_real().unwrap(), want);
    let back = try_eval(std::slice::from_ref(&x), &[("t", 7)], |b, x| {
        let y = b.push(patch.clone(), x).unwrap();
        let y = b.map2(MapFn::Add, y, y).unwrap();
        let op = Op::Unpatch {
            ticks,
            within: p,
            axis: t,
        };
        let n = b.push(Op::Length(ticks.size), &[]).unwrap();
        let y = b.push(op, &[y]).unwrap();
        b.mul(y, n).unwrap()
    })
    .unwrap();
    let six: Vec<f64> = (1..=14).map(|k| f64::from(6 * k)).collect();
    assert_eq!(back.as_real().unwrap(), six);
    let wrong = Op::Patch {
        axis: t,
        ticks,
        within: ax("p", 2),
    };
    let mut b = Builder::new("wrong");
    let v = b.input("x", InputKind::Data, Ty::real(vec![t]));
    assert!(b.push(wrong, &[v]).is_err());
}
