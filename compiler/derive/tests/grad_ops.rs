//! Each operation's gradient against central differences and against forward mode: broadcasting, repeated
//! arguments, complex numbers, and the places where a careless rule makes NaN.

mod support;
use seqc_algebra::*;
use std::collections::HashMap;
use support::{Rng, Sizes, check, check_at, program};

fn ax(name: &str, n: usize) -> Axis {
    Axis::new(name, n)
}

fn real(axes: &[Axis]) -> Ty {
    Ty::real(axes.to_vec())
}

fn complex(axes: &[Axis]) -> Ty {
    Ty {
        elem: Elem::Complex,
        axes: axes.to_vec(),
    }
}

#[test]
fn functions_of_one_operand() {
    use MapFn::*;
    let a = ax("a", 4);
    for f in [
        Neg, Abs, Sign, Floor, Exp, Expm1, Sin, Cos, Tanh, Sigmoid, LogSigmoid, Softplus, Erf,
    ] {
        check(
            &program(&[real(&[a])], |b, x| b.map1(f, x[0]).unwrap()),
            &[],
            f as u64,
        );
    }
    for f in [Log, Sqrt, Log1p] {
        let func = program(&[real(&[a])], |b, x| {
            let y = b.mul(x[0], x[0]).unwrap();
            b.map1(f, y).unwrap()
        });
        check(&func, &[], f as u64);
    }
}

#[test]
fn functions_of_two_operands_broadcast_and_repeat() {
    use MapFn::*;
    let (a, c) = (ax("a", 3), ax("c", 2));
    for f in [Add, Sub, Mul, Div, Max, Min, Rem, Lt, Ge] {
        check(
            &program(&[real(&[a, c]), real(&[a])], |b, x| {
                b.map2(f, x[0], x[1]).unwrap()
            }),
            &[],
            f as u64,
        );
        check(
            &program(&[real(&[c]), real(&[a])], |b, x| {
                b.map2(f, x[0], x[1]).unwrap()
            }),
            &[],
            77 + f as u64,
        );
    }
    for f in [Add, Sub, Mul, Div] {
        check(
            &program(&[real(&[a])], |b, x| b.map2(f, x[0], x[0]).unwrap()),
            &[],
            f as u64,
        );
    }
    check(
        &program(&[real(&[a])], |b, x| {
            let e = b.map1(Exp, x[0]).unwrap();
            let e2 = b.mul(e, e).unwrap();
            b.map2(Pow, e2, x[0]).unwrap()
        }),
        &[],
        5,
    );
    for p in [2.0, 3.0, 0.5, -1.5] {
        check(
            &program(&[real(&[a])], |b, x| {
                let y = b.mul(x[0], x[0]).unwrap();
                let p = b.num(p);
                b.map2(Pow, y, p).unwrap()
            }),
            &[],
            6,
        );
    }
    check(
        &program(&[real(&[a]), real(&[c])], |b, x| {
            let zero = b.num(0.0);
            let cond = b.map2(Gt, x[0], zero).unwrap();
            let p = b.mul(x[0], x[1]).unwrap();
            b.select(cond, p, x[1]).unwrap()
        }),
        &[],
        7,
    );
}

#[test]
fn stopped_values_have_no_gradient() {
    let a = ax("a", 3);
    let func = program(&[real(&[a])], |b, x| {
        let s = b.map1(MapFn::Stop, x[0]).unwrap();
        b.mul(s, x[0]).unwrap()
    });
    let back = seqc_derive::grad::vjp(&func, &func.params, &["y"]).unwrap();
    let t = |d: &[f64]| Tensor::real(vec![a], vec![3], d.to_vec()).unwrap();
    let given = [
        ("x0".to_owned(), t(&[2., 3., 4.])),
        ("cotangent.y".to_owned(), t(&[1., 1., 1.])),
    ]
    .into();
    let out = support::run_named(&back, &given, &HashMap::new());
    assert_eq!(out["grad.x0"].as_real().unwrap(), [2., 3., 4.]);
}

/// Gradient of `y` in `x0` at given numbers, cotangent 1.
fn gradient_at(x: &[f64], build: impl FnOnce(&mut Builder, ValueId) -> ValueId) -> Vec<f64> {
    let a = ax("a", x.len());
    let func = program(&[real(&[a])], |b, v| build(b, v[0]));
    let back = seqc_derive::grad::vjp(&func, &func.params, &["y"]).unwrap();
    let t = |d: Vec<f64>| Tensor::real(vec![a], vec![d.len()], d).unwrap();
    let given = [
        ("x0".to_owned(), t(x.to_vec())),
        ("cotangent.y".to_owned(), t(vec![1.0; x.len()])),
    ]
    .into();
    support::run_named(&back, &given, &HashMap::new())["grad.x0"]
        .as_real()
        .unwrap()
        .to_vec()
}

#[test]
fn arms_not_taken_give_no_nan() {
    use MapFn::*;
    for f in [Sqrt, Log] {
        let g = gradient_at(&[-1.0, 0.0, 4.0], |b, x| {
            let zero = b.num(0.0);
            let on = b.map2(Gt, x, zero).unwrap();
            let y = b.map1(f, x).unwrap();
            b.select(on, y, x).unwrap()
        });
        assert_eq!(g, [1.0, 1.0, 0.25]);
    }
    let g = gradient_at(&[1000.0, 0.0], |b, x| {
        let (one, zero) = (b.num(1.0), b.num(0.0));
        let low = b.map2(Le, x, zero).unwrap();
        let (e, y) = (b.map1(Exp, x).unwrap(), b.add2(x, one).unwrap());
        b.select(low, e, y).unwrap()
    });
    assert_eq!(g, [1.0, 1.0]);
    let g = gradient_at(&[0.0, 2.0], |b, x| {
        let (one, zero) = (b.num(1.0), b.num(0.0));
        let on = b.map2(Ne, x, zero).unwrap();
        let y = b.div(one, x).unwrap();
        b.select(on, y, zero).unwrap()
    });
    assert_eq!(g, [0.0, -0.25]);
    // A gate that underflows: sigmoid(x)^(1/16).
    let g = gradient_at(&[-800.0, 0.0], |b, x| {
        let s = b.map1(Sigmoid, x).unwrap();
        let p = b.num(1.0 / 16.0);
        b.map2(Pow, s, p).unwrap()
    });
    assert!((g[0] - (-50f64).exp() / 16.0).abs() < 1e-30);
    assert!((g[1] - 0.5f64.powf(1.0 / 16.0) / 32.0).abs() < 1e-15);
    // The norm of nothing, floored.
    let g = gradient_at(&[0.0, 3.0], |b, x| {
        let xx = b.mul(x, x).unwrap();
        let n = b.map1(Sqrt, xx).unwrap();
        let floor = b.num(1.0);
        b.map2(Max, n, floor).unwrap()
    });
    assert_eq!(g, [0.0, 1.0]);
}

#[test]
fn ties_have_equal_shares() {
    let (a, c) = (ax("a", 3), ax("c", 2));
    let max = |over: Vec<Axis>| {
        let func = program(&[real(&[a, c])], |b, x| {
            b.push(Op::Reduce(ReduceOp::Max, over.clone()), x).unwrap()
        });
        let back = seqc_derive::grad::vjp(&func, &func.params, &["y"]).unwrap();
        let y = func.ty(func.results[0].1).clone();
        let n = if y.axes.is_empty() {
            1
        } else {
            y.axes[0].size.constant().unwrap()
        };
        let shape = y.axes.iter().map(|_| n).collect();
        let x = Tensor::real(vec![a, c], vec![3, 2], vec![1.0, 5.0, 5.0, 5.0, 5.0, 0.0]).unwrap();
        let g = Tensor::real(y.axes, shape, vec![6.0; n]).unwrap();
        let given = [("x0".to_owned(), x), ("cotangent.y".to_owned(), g)].into();
        let out = support::run_named(&back, &given, &HashMap::new());
        out["grad.x0"]
            .ordered(&[a, c])
            .unwrap()
            .as_real()
            .unwrap()
            .to_vec()
    };
    assert_eq!(max(vec![a]), [0.0, 3.0, 3.0, 3.0, 3.0, 0.0]);
    assert_eq!(max(vec![c]), [0.0, 6.0, 3.0, 3.0, 6.0, 0.0]);
    // Of both together: four entries, a quarter each, whatever the order of axes.
    assert_eq!(max(vec![a, c]), [0.0, 1.5, 1.5, 1.5, 1.5, 0.0]);
    assert_eq!(max(vec![c, a]), [0.0, 1.5, 1.5, 1.5, 1.5, 0.0]);
    // Of two numbers: half each.
    let g = gradient_at(&[-1.0, 0.0, 1.0], |b, x| {
        let zero = b.num(0.0);
        b.map2(MapFn::Max, x, zero).unwrap()
    });
    assert_eq!(g, [0.0, 0.5, 1.0]);
    let g = gradient_at(&[-1.0, 0.0, 1.0], |b, x| {
        let n = b.neg(x).unwrap();
        b.map2(MapFn::Min, x, n).unwrap()
    });
    assert_eq!(g, [1.0, 0.0, -1.0]);
}

/// By hand: d/dx x^p = p x^(p-1), d/dp x^p = x^p log x.
#[test]
fn powers_at_zero() {
    for (p, want) in [
        (0.0, 0.0),
        (0.5, 0.0),
        (1.0, 1.0),
        (1.5, 0.0),
        (2.0, 0.0),
        (3.0, 0.0),
        (-1.0, 0.0),
    ] {
        let known = gradient_at(&[0.0], |b, x| {
            let p = b.num(p);
            b.map2(MapFn::Pow, x, p).unwrap()
        });
        // The same exponent, not known before.
        let unknown = gradient_at(&[0.0], |b, x| {
            let (p, s) = (b.num(p), b.map1(MapFn::Stop, x).unwrap());
            let p = b.add2(s, p).unwrap();
            b.map2(MapFn::Pow, x, p).unwrap()
        });
        assert_eq!([known[0], unknown[0]], [want, want], "0 ^ {p}");
    }
    let g = gradient_at(&[-2.0, 3.0], |b, x| {
        let s = b.map1(MapFn::Stop, x).unwrap();
        let s = b.mul(s, s).unwrap();
        let n = b.num(0.0);
        let p = b.mul(n, s).unwrap();
        b.map2(MapFn::Pow, x, p).unwrap()
    });
    assert_eq!(g, [0.0, 0.0]);
    // By the exponent, from 0 and from 2.
    for (base, want) in [(0.0, 0.0), (2.0, 8.0 * 2f64.ln())] {
        let g = gradient_at(&[3.0], |b, p| {
            let x = b.num(base);
            b.map2(MapFn::Pow, x, p).unwrap()
        });
        assert!((g[0] - want).abs() < 1e-12, "{g:?}");
    }
}

/// By hand, from `sigmoid'(x) = e^-|x| / (1 + e^-|x|)²` and the like.
#[test]
fn saturated_functions_keep_their_slopes() {
    let at = [-710.0, -104.0, -88.0, -20.0, 20.0, 88.0, 104.0, 710.0];
    let tail = |x: f64| (-x.abs()).exp();
    let near = |f: MapFn, want: &dyn Fn(f64) -> f64| {
        let got = gradient_at(&at, |b, x| b.map1(f, x).unwrap());
        for (x, g) in at.iter().zip(got) {
            let w = want(*x);
            if g == w {
                continue;
            }
            assert!(
                (g - w).abs() <= 1e-12 * w.abs() + 1e-310,
                "{f:?}'({x}) = {g}, not {w}"
            );
        }
    };
    near(MapFn::Sigmoid, &|x| tail(x) / (1.0 + tail(x)).powi(2));
    near(MapFn::Tanh, &|x| {
        4.0 * tail(2.0 * x) / (1.0 + tail(2.0 * x)).powi(2)
    });
    near(MapFn::Expm1, &f64::exp);
    near(MapFn::Softplus, &|x| {
        if x > 0.0 {
            1.0 / (1.0 + tail(x))
        } else {
            tail(x) / (1.0 + tail(x))
        }
    });
    near(MapFn::LogSigmoid, &|x| {
        if x < 0.0 {
            1.0 / (1.0 + tail(x))
        } else {
            tail(x) / (1.0 + tail(x))
        }
    });
    let root = gradient_at(&[0.0, 4.0], |b, x| b.map1(MapFn::Sqrt, x).unwrap());
    assert_eq!(root, [0.0, 0.25]);
    let size = gradient_at(&[-1.0, 0.0, 1.0], |b, x| b.map1(MapFn::Abs, x).unwrap());
    assert_eq!(size, [-1.0, 0.0, 1.0]);
}

#[test]
fn reductions() {
    use ReduceOp::*;
    let (a, c, d) = (ax("a", 3), ax("c", 2), ax("d", 4));
    for (s, op) in [Sum, Prod, Max, Min].into_iter().enumerate() {
        for over in [vec![c], vec![a, d], vec![d, c, a]] {
            let func = program(&[real(&[a, c, d])], |b, x| {
                b.push(Op::Reduce(op, over.clone()), x).unwrap()
            });
            check(&func, &[], s as u64);
        }
    }
    for op in [Op::Softmax(d), Op::LogSumExp(a)] {
        check(
            &program(&[real(&[a, d])], |b, x| b.push(op.clone(), x).unwrap()),
            &[],
            3,
        );
    }
    check(
        &program(&[real(&[a, d])], |b, x| {
            let m = b.push(Op::TopMask(d, 2), x).unwrap();
            b.mul(m, x[0]).unwrap()
        }),
        &[],
        4,
    );
}

/// Zeros among the factors: the gradient has no division.
#[test]
fn products_with_zeros() {
    let a = ax("a", 3);
    let func = program(&[real(&[a])], |b, x| {
        b.push(Op::Reduce(ReduceOp::Prod, vec![a]), x).unwrap()
    });
    let inputs = [(
        "x0".to_owned(),
        Tensor::real(vec![a], vec![3], vec![2.0, 0.0, 3.0]).unwrap(),
    )]
    .into();
    check_at(&func, &inputs, &Sizes::new(), &mut Rng(1));
}

#[test]
fn contractions() {
    let (p, m, k, n) = (ax("p", 2), ax("m", 3), ax("k", 4), ax("n", 2));
    check(
        &program(&[real(&[p, m, k]), real(&[k, n])], |b, x| {
            b.contract(&[k], x).unwrap()
        }),
        &[],
        1,
    );
    check(
        &program(&[real(&[p, m, k]), real(&[k, n]), real(&[p, n])], |b, x| {
            b.contract(&[k, p], x).unwrap()
        }),
        &[],
        2,
    );
    check(
        &program(&[real(&[m, k])], |b, x| {
            b.contract(&[k], &[x[0], x[0], x[0]]).unwrap()
        }),
        &[],
        3,
    );
    check(
        &program(&[real(&[m, k]), real(&[n])], |b, x| {
            b.contract(&[k, n], x).unwrap()
        }),
        &[],
        4,
    );
    check(
        &program(&[complex(&[m, k]), real(&[k, n]), complex(&[n])], |b, x| {
            b.contract(&[k], x).unwrap()
        }),
        &[],
        5,
    );
}

#[test]
fn movements() {
    let (a, c) = (ax("a", 3), ax("c", 4));
    let ops = [
        Op::Expand(vec![ax("e", 2)]),
        Op::Rename {
            from: c,
            to: ax("d", 4),
        },
        Op::Split {
            axis: c,
            into: vec![ax("u", 2), ax("v", 2)],
        },
        Op::Merge {
            axes: vec![c, a],
            into: ax("m", 12),
        },
        Op::Flip(c),
        Op::Shift { axis: c, by: 1 },
        Op::Shift { axis: c, by: -2 },
        Op::Window {
            axis: c,
            lag: ax("l", 3),
            ahead: false,
        },
        Op::Window {
            axis: c,
            lag: ax("l", 5),
            ahead: true,
        },
        Op::Unwindow {
            axis: c,
            lag: a,
            ahead: false,
        },
        Op::Unwindow {
            axis: c,
            lag: a,
            ahead: true,
        },
        Op::Pick { axis: c, index: 2 },
        Op::Place {
            axis: ax("e", 3),
            index: 1,
        },
    ];
    for op in ops {
        let func = program(&[real(&[a, c])], |b, x| {
            let y = b.push(op.clone(), x).unwrap();
            b.mul(y, y).unwrap()
        });
        check(&func, &[], 9);
    }
    check(
        &program(&[real(&[a, c]), real(&[c])], |b, x| {
            b.push(Op::Stack(ax("s", 3)), &[x[0], x[1], x[0]]).unwrap()
        }),
        &[],
        1,
    );
}

#[test]
fn gathers_and_scatters() {
    let (v, d, t) = (ax("v", 3), ax("d", 2), Axis::time());
    let gather = program(&[real(&[v, d]), real(&[t])], |b, x| {
        let three = b.num(3.0);
        let i = b.mul(x[1], three).unwrap();
        b.push(Op::Gather(v), &[x[0], i]).unwrap()
    });
    check(&gather, &[("t", 5)], 1);
    // The index walks an axis of the table, and one of the looked-up axis's name.
    check(
        &program(&[real(&[t, v]), real(&[t])], |b, x| {
            b.push(Op::Gather(v), x).unwrap()
        }),
        &[("t", 4)],
        2,
    );
    check(
        &program(&[real(&[t, v]), real(&[t])], |b, x| {
            let three = b.num(3.0);
            let i = b.mul(x[1], three).unwrap();
            b.push(Op::Gather(t), &[x[0], i]).unwrap()
        }),
        &[("t", 4)],
        3,
    );
    for over in [vec![t], vec![t, d]] {
        check(
            &program(&[real(&[t, d]), real(&[t])], |b, x| {
                let two = b.num(2.0);
                let i = b.mul(x[1], two).unwrap();
                b.push(
                    Op::ScatterAdd {
                        axis: v,
                        over: over.clone(),
                    },
                    &[x[0], i],
                )
                .unwrap()
            }),
            &[("t", 5)],
            4,
        );
    }
}

#[test]
fn triangular_solves() {
    let (p, i, j, c) = (ax("p", 2), ax("i", 4), ax("j", 4), ax("c", 3));
    for transpose in [false, true] {
        let solve = Op::Solve {
            row: i,
            col: j,
            transpose,
        };
        check(
            &program(&[real(&[p, i, j]), real(&[p, i, c])], |b, x| {
                b.push(solve.clone(), x).unwrap()
            }),
            &[],
            1,
        );
        // Broadcast either way, and a right side with an axis of the columns' name.
        check(
            &program(&[real(&[i, j]), real(&[p, i])], |b, x| {
                b.push(solve.clone(), x).unwrap()
            }),
            &[],
            2,
        );
        check(
            &program(&[real(&[p, i, j]), real(&[i])], |b, x| {
                b.push(solve.clone(), x).unwrap()
            }),
            &[],
            3,
        );
        check(
            &program(&[real(&[i, j])], |b, x| {
                b.push(solve.clone(), &[x[0], x[0]]).unwrap()
            }),
            &[],
            4,
        );
        check(
            &program(&[complex(&[i, j]), real(&[i, c])], |b, x| {
                b.push(solve.clone(), x).unwrap()
            }),
            &[],
            5,
        );
    }
}

#[test]
fn convolutions() {
    let (t, l, d, p) = (Axis::time(), ax("lag", 3), ax("d", 2), ax("p", 2));
    for ahead in [false, true] {
        let conv = Op::Conv {
            axis: t,
            lag: l,
            ahead,
        };
        for n in [1, 2, 5] {
            check(
                &program(&[real(&[l, d]), real(&[p, t, d])], |b, x| {
                    b.push(conv.clone(), x).unwrap()
                }),
                &[("t", n)],
                1,
            );
        }
        check(
            &program(&[real(&[l, d]), real(&[t])], |b, x| {
                b.push(conv.clone(), x).unwrap()
            }),
            &[("t", 5)],
            2,
        );
        check(
            &program(&[complex(&[l]), real(&[t, d])], |b, x| {
                b.push(conv.clone(), x).unwrap()
            }),
            &[("t", 4)],
            3,
        );
        for over in [vec![], vec![p], vec![d, p]] {
            let op = Op::ConvKernel {
                axis: t,
                lag: l,
                ahead,
                over,
            };
            check(
                &program(&[real(&[t, d, p]), real(&[t, p])], |b, x| {
                    b.push(op.clone(), x).unwrap()
                }),
                &[("t", 4)],
                4,
            );
        }
        let full = Op::Conv {
            axis: t,
            lag: Axis::len("lag", "t"),
            ahead,
        };
        check(
            &program(
                &[real(&[Axis::len("lag", "t"), d]), real(&[t, d])],
                |b, x| b.push(full.clone(), x).unwrap(),
            ),
            &[("t", 6)],
            5,
        );
    }
}

#[test]
fn complex_functions() {
    use MapFn::*;
    let a = ax("a", 3);
    for f in [Neg, Exp, Log, Sqrt, Sin, Cos, Re, Im, Conj, Abs] {
        check(
            &program(&[complex(&[a])], |b, x| b.map1(f, x[0]).unwrap()),
            &[],
            f as u64,
        );
    }
    for f in [Add, Sub, Mul, Div, Pow] {
        check(
            &program(&[complex(&[a]), complex(&[])], |b, x| {
                b.map2(f, x[0], x[1]).unwrap()
            }),
            &[],
            f as u64,
        );
        check(
            &program(&[complex(&[a]), real(&[a])], |b, x| {
                b.map2(f, x[0], x[1]).unwrap()
            }),
            &[],
            50 + f as u64,
        );
    }
    for f in [Div, Sub] {
        check(
            &program(&[real(&[a]), complex(&[])], |b, x| {
                b.map2(f, x[0], x[1]).unwrap()
            }),
            &[],
            f as u64,
        );
    }
    check(
        &program(&[real(&[a]), real(&[])], |b, x| {
            let z = b.map2(Complex, x[0], x[1]).unwrap();
            b.mul(z, z).unwrap()
        }),
        &[],
        3,
    );
    check(
        &program(&[complex(&[a]), real(&[a])], |b, x| {
            let zero = b.num(0.0);
            let on = b.map2(Gt, x[1], zero).unwrap();
            b.select(on, x[0], x[1]).unwrap()
        }),
        &[],
        4,
    );
    check(
        &program(&[complex(&[a])], |b, x| {
            b.push(Op::Reduce(ReduceOp::Prod, vec![a]), x).unwrap()
        }),
        &[],
        5,
    );
}

#[test]
fn mean_loss_over_the_batch() {
    let (n, d) = (Axis::batch(), ax("d", 2));
    let mut b = Builder::new("f");
    let x = b.input("x", InputKind::Data, real(&[n, d]));
    let w = b.input("w", InputKind::Data, real(&[d]));
    let y = b.contract(&[d], &[x, w]).unwrap();
    b.result("loss", y);
    b.result("other", x);
    let func = b.finish();
    let g = seqc_derive::grad::value_and_grad(&func, "loss", &[w]).unwrap();
    support::well_formed(&g);
    let x = Tensor::real(vec![n, d], vec![3, 2], vec![1., 2., 3., 4., 5., 9.]).unwrap();
    let w = Tensor::real(vec![d], vec![2], vec![10., 1.]).unwrap();
    let given = [("x".to_owned(), x), ("w".to_owned(), w)].into();
    let out = support::run_named(&g, &given, &[(Sym::new("batch"), 3)].into());
    assert_eq!(out["loss"].as_real().unwrap(), [35.0]);
    assert_eq!(out["grad.w"].as_real().unwrap(), [3.0, 5.0]);
    assert_eq!(out.len(), 2);
    assert!(seqc_derive::grad::value_and_grad(&func, "other", &[]).is_err());
    assert!(seqc_derive::grad::value_and_grad(&func, "none", &[]).is_err());
    assert!(seqc_derive::grad::vjp(&func, &[y], &["loss"]).is_err());
}
