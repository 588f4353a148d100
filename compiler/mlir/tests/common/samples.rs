//! Kernels that use every part of the schedule IR, with their results from plain loops in f64.
//! Each is a kernel, its buffers, its sizes, its number of cells, and what the written buffers must hold.

use crate::common::*;
use seqc_schedule::ir::*;
use seqc_schedule::word::{Shift, Word};

pub struct Sample {
    pub kernel: Kernel,
    pub data: Vec<Data>,
    pub dims: Vec<i64>,
    pub cells: i64,
    /// (argument, values)
    pub want: Vec<(usize, Vec<f64>)>,
}

pub fn all() -> Vec<Sample> {
    vec![
        axpy(9, 3),
        axpy(64, 2),
        axpy(0, 2),
        softmax(37),
        softmax(128),
        scan(21),
        gather(),
        masks(19),
        words(21),
        convolution(23),
        attention(45),
        strides(),
        large_locals(),
    ]
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

/// y[r, i] = exp(x[r, i])·a[i] + r, rows of run-time length.
pub fn axpy(t: usize, rows: usize) -> Sample {
    let at = || add(mul(v(0), d(0)), v(1));
    let product = bin(Binary::Mul, un(Unary::Exp, ld(A(0), at())), ld(A(1), v(1)));
    let kernel = Kernel {
        name: format!("axpy{t}"),
        args: vec![
            arg("x", Access::Read),
            arg("a", Access::Read),
            arg("y", Access::Write),
        ],
        dims: vec!["t".into(), "rows".into()],
        grid: vec![(Var(0), d(1))],
        locals: vec![],
        body: vec![each(
            LoopKind::Vec(8),
            1,
            c(0),
            d(0),
            vec![st(A(2), at(), bin(Binary::Add, product, Expr::Index(v(0))))],
        )],
    };
    let (x, a) = (noise(rows * t, 1), noise(t, 2));
    let want = (0..rows * t)
        .map(|i| f64::from(x[i]).exp() * f64::from(a[i % t]) + (i / t) as f64)
        .collect();
    Sample {
        kernel,
        data: vec![Data::F(x), Data::F(a), Data::F(vec![f32::NAN; rows * t])],
        dims: vec![t as i64, rows as i64],
        cells: rows as i64,
        want: vec![(2, want)],
    }
}

/// Row softmax: vector folds in a scalar context, values bound by `Let`, a local row.
pub fn softmax(n: usize) -> Sample {
    let at = |i: u32| add(mul(v(0), c(n as i64)), v(i));
    let biggest = fold(FoldOp::Max, 1, c(0), c(n as i64), 8, ld(A(0), at(1)));
    let kernel = Kernel {
        name: format!("softmax{n}"),
        args: vec![arg("x", Access::Read), arg("y", Access::Write)],
        dims: vec!["rows".into()],
        grid: vec![(Var(0), d(0))],
        locals: vec![local("e", n)],
        body: vec![
            bind(0, biggest),
            each(
                LoopKind::Vec(8),
                2,
                c(0),
                c(n as i64),
                vec![st(
                    L(0),
                    v(2),
                    un(Unary::Exp, bin(Binary::Sub, ld(A(0), at(2)), val(0))),
                )],
            ),
            bind(
                1,
                fold(FoldOp::Sum, 3, c(0), c(n as i64), 8, ld(L(0), v(3))),
            ),
            each(
                LoopKind::Vec(8),
                4,
                c(0),
                c(n as i64),
                vec![st(A(1), at(4), bin(Binary::Div, ld(L(0), v(4)), val(1)))],
            ),
        ],
    };
    let x: Vec<f32> = noise(3 * n, 5).iter().map(|x| x * 30.0).collect();
    let mut want = vec![];
    for row in wide(&x).chunks(n) {
        let sum: f64 = row.iter().map(|x| x.exp()).sum();
        want.extend(row.iter().map(|x| x.exp() / sum));
    }
    Sample {
        kernel,
        data: vec![Data::F(x), Data::F(vec![f32::NAN; 3 * n])],
        dims: vec![3],
        cells: 3,
        want: vec![(1, want)],
    }
}

/// A linear recurrence over time with a matrix state: sequential, then backwards; `If`, products, locals.
pub fn scan(t: usize) -> Sample {
    let (k, n) = (6i64, 20i64);
    let tile = |buf, base, rows, cols| Tile {
        buf,
        base,
        rows,
        cols,
    };
    let outer = Matmul {
        m: k as usize,
        n: n as usize,
        k: 1,
        out: tile(L(0), c(0), n, 1),
        a: tile(A(0), mul(v(2), c(k)), 1, 1),
        b: tile(A(1), mul(v(2), c(n)), 1, 1),
        accumulate: true,
        part: Part::All,
    };
    let read = Matmul {
        m: 1,
        n: n as usize,
        k: k as usize,
        out: tile(A(2), mul(v(2), c(n)), n, 1),
        a: tile(A(0), mul(v(2), c(k)), 1, 1),
        b: tile(L(0), c(0), n, 1),
        accumulate: false,
        part: Part::All,
    };
    let here = add(mul(v(4), c(n)), v(5));
    let later = add(mul(add(v(4), c(1)), c(n)), v(5));
    let kernel = Kernel {
        name: "scan".into(),
        args: vec![
            arg("k", Access::Read),
            arg("v", Access::Read),
            arg("y", Access::ReadWrite),
        ],
        dims: vec!["t".into()],
        grid: vec![],
        locals: vec![local("state", (k * n) as usize)],
        body: vec![
            each(
                LoopKind::Par,
                0,
                c(0),
                c(k),
                vec![each(
                    LoopKind::Vec(8),
                    1,
                    c(0),
                    c(n),
                    vec![st(L(0), add(mul(v(0), c(n)), v(1)), num(0.0))],
                )],
            ),
            each(
                LoopKind::Seq,
                2,
                c(0),
                d(0),
                vec![
                    each(
                        LoopKind::Vec(8),
                        3,
                        c(0),
                        c(k * n),
                        vec![st(L(0), v(3), bin(Binary::Mul, ld(L(0), v(3)), num(0.5)))],
                    ),
                    Stmt::Matmul(outer),
                    Stmt::Matmul(read),
                ],
            ),
            // y[t] += y[t+1], from the end
            back(
                4,
                c(0),
                sub(d(0), c(1)),
                vec![Stmt::If {
                    cond: Expr::CmpIx(Cmp::Ge, d(0), c(2)),
                    then: vec![each(
                        LoopKind::Vec(8),
                        5,
                        c(0),
                        c(n),
                        vec![st(
                            A(2),
                            here.clone(),
                            bin(Binary::Add, ld(A(2), here), ld(A(2), later)),
                        )],
                    )],
                    els: vec![st(A(2), c(0), num(7.0))],
                }],
            ),
        ],
    };
    let (ks, vs) = (noise(t * 6, 8), noise(t * 20, 9));
    let mut state = vec![0.0; 120];
    let mut y = vec![0.0; t * 20];
    for s in 0..t {
        for i in 0..6 {
            for j in 0..20 {
                state[i * 20 + j] =
                    state[i * 20 + j] * 0.5 + f64::from(ks[s * 6 + i]) * f64::from(vs[s * 20 + j]);
                y[s * 20 + j] += f64::from(ks[s * 6 + i]) * state[i * 20 + j];
            }
        }
    }
    for s in (0..t - 1).rev() {
        for j in 0..20 {
            y[s * 20 + j] += y[(s + 1) * 20 + j];
        }
    }
    Sample {
        kernel,
        data: vec![Data::F(ks), Data::F(vs), Data::F(vec![f32::NAN; t * 20])],
        dims: vec![t as i64],
        cells: 1,
        want: vec![(2, y)],
    }
}

/// Rows of a table by token; also lanes over tokens, so that addresses differ from lane to lane.
pub fn gather() -> Sample {
    let (n, width) = (29usize, 12i64);
    let token = |i: u32| Ix::Data(Box::new(ld(A(0), v(i))));
    let kernel = Kernel {
        name: "gather".into(),
        args: vec![
            tokens("tokens"),
            arg("table", Access::Read),
            arg("y", Access::Write),
            arg("first", Access::Write),
        ],
        dims: vec!["n".into()],
        grid: vec![],
        locals: vec![],
        body: vec![
            each(
                LoopKind::Par,
                0,
                c(0),
                d(0),
                vec![each(
                    LoopKind::Vec(8),
                    1,
                    c(0),
                    c(width),
                    vec![st(
                        A(2),
                        add(mul(v(0), c(width)), v(1)),
                        ld(A(1), add(mul(token(0), c(width)), v(1))),
                    )],
                )],
            ),
            each(
                LoopKind::Vec(8),
                2,
                c(0),
                d(0),
                vec![st(A(3), v(2), ld(A(1), mul(token(2), c(width))))],
            ),
        ],
    };
    let ids: Vec<i32> = noise(n, 4)
        .iter()
        .map(|x| ((x + 1.0) * 3.5) as i32)
        .collect();
    let table = noise(7 * width as usize, 6);
    let y = ids
        .iter()
        .flat_map(|&i| wide(&table[i as usize * 12..i as usize * 12 + 12]))
        .collect();
    let first = ids
        .iter()
        .map(|&i| f64::from(table[i as usize * 12]))
        .collect();
    Sample {
        kernel,
        data: vec![
            Data::I(ids),
            Data::F(table),
            Data::F(vec![0.0; n * 12]),
            Data::F(vec![0.0; n]),
        ],
        dims: vec![n as i64],
        cells: 1,
        want: vec![(2, y), (3, first)],
    }
}

/// A causal mask by index comparison, logic on numbers, a triangular fold whose bound is the lane variable.
pub fn masks(n: usize) -> Sample {
    let at = || add(mul(v(0), d(0)), v(1));
    let causal = Expr::CmpIx(Cmp::Le, v(1), v(0));
    let big = Expr::Cmp(Cmp::Gt, Box::new(ld(A(0), at())), Box::new(num(0.25)));
    let cond = Expr::And(Box::new(causal), Box::new(Expr::Not(Box::new(big))));
    let kernel = Kernel {
        name: "masks".into(),
        args: vec![
            arg("x", Access::Read),
            arg("y", Access::Write),
            arg("prefix", Access::Write),
        ],
        dims: vec!["n".into()],
        grid: vec![(Var(0), d(0))],
        locals: vec![],
        body: vec![
            each(
                LoopKind::Vec(8),
                1,
                c(0),
                d(0),
                vec![st(A(1), at(), select(cond, ld(A(0), at()), num(-1.0)))],
            ),
            each(
                LoopKind::Vec(8),
                2,
                c(0),
                d(0),
                vec![st(
                    A(2),
                    add(mul(v(0), d(0)), v(2)),
                    fold(
                        FoldOp::Sum,
                        3,
                        c(0),
                        add(v(2), c(1)),
                        8,
                        ld(A(0), add(mul(v(0), d(0)), v(3))),
                    ),
                )],
            ),
        ],
    };
    let x = noise(n * n, 12);
    let y = (0..n * n)
        .map(|i| {
            if i % n <= i / n && x[i] <= 0.25 {
                f64::from(x[i])
            } else {
                -1.0
            }
        })
        .collect();
    let mut prefix = vec![];
    for row in wide(&x).chunks(n) {
        let mut sum = 0.0;
        prefix.extend(row.iter().map(|x| {
            sum += x;
            sum
        }));
    }
    Sample {
        kernel,
        data: vec![
            Data::F(x),
            Data::F(vec![0.0; n * n]),
            Data::F(vec![0.0; n * n]),
        ],
        dims: vec![n as i64],
        cells: n as i64,
        want: vec![(1, y), (2, prefix)],
    }
}

/// Arithmetic of 32-bit words, in lanes and in a fold, with values of u32.
pub fn words(n: usize) -> Sample {
    let hashed = |a: Ix, b: Ix| {
        let b = Word::Of(b).times(Word::constant(0x85EB_CA77));
        let a = Word::Of(a).times(Word::constant(0x9E37_79B1));
        let x = a.xor(b.shift(Shift::Turn, 16)).shift(Shift::Fold, 13);
        x.times(Word::constant(0xC2B2_AE35))
    };
    let token = || Ix::Data(Box::new(ld(A(0), v(1))));
    let upper = hashed(sub(v(0), v(1)), token()).shift(Shift::Down, 8);
    // Few enough bits that their sum is exact.
    let few = hashed(v(0), v(2)).shift(Shift::Down, 20);
    let kernel = Kernel {
        name: "words".into(),
        args: vec![
            tokens("tokens"),
            arg("y", Access::Write),
            arg("whole", Access::Write),
            arg("sums", Access::Write),
        ],
        dims: vec!["n".into()],
        grid: vec![(Var(0), d(0))],
        locals: vec![],
        body: vec![
            each(
                LoopKind::Vec(8),
                1,
                c(0),
                d(0),
                vec![
                    st(A(1), add(mul(v(0), d(0)), v(1)), upper.number()),
                    st(
                        A(2),
                        add(mul(v(0), d(0)), v(1)),
                        hashed(v(0), token()).number(),
                    ),
                ],
            ),
            st(
                A(3),
                v(0),
                fold(FoldOp::Sum, 2, c(0), d(0), 8, few.number()),
            ),
        ],
    };
    let ids: Vec<i32> = (0..n as i32).map(|i| i.wrapping_mul(0x2545_F491)).collect();
    let plain = |a: i64, b: i64| {
        let (a, b) = (a as u32, b as u32);
        let x = a.wrapping_mul(0x9E37_79B1) ^ b.wrapping_mul(0x85EB_CA77).rotate_left(16);
        (x ^ (x >> 13)).wrapping_mul(0xC2B2_AE35)
    };
    let all = |f: &dyn Fn(i64, usize) -> f64| -> Vec<f64> {
        let row = |i: usize| (0..n).map(move |j| (i as i64, j));
        (0..n).flat_map(row).map(|(i, j)| f(i, j)).collect()
    };
    let upper = all(&|i, j| f64::from(plain(i - j as i64, i64::from(ids[j])) >> 8));
    let whole = all(&|i, j| f64::from(plain(i, i64::from(ids[j])) as f32));
    let sums = (0..n as i64)
        .map(|i| (0..n as i64).map(|j| f64::from(plain(i, j) >> 20)).sum())
        .collect();
    Sample {
        kernel,
        data: vec![
            Data::I(ids.clone()),
            Data::F(vec![f32::NAN; n * n]),
            Data::F(vec![f32::NAN; n * n]),
            Data::F(vec![f32::NAN; n]),
        ],
        dims: vec![n as i64],
        cells: n as i64,
        want: vec![(1, upper), (2, whole), (3, sums)],
    }
}

/// A short causal convolution: lanes over time with clamped, reversed and divided indices.
pub fn convolution(t: usize) -> Sample {
    let source = max(sub(v(0), v(1)), c(0));
    let tap = bin(Binary::Mul, ld(A(1), v(1)), ld(A(0), source));
    let inside = Expr::CmpIx(Cmp::Le, v(1), v(0));
    let sum = fold(FoldOp::Sum, 1, c(0), c(4), 4, select(inside, tap, num(0.0)));
    let mirrored = ld(A(0), sub(sub(d(0), c(1)), v(2)));
    let blocks = bin(
        Binary::Add,
        Expr::Index(div(v(2), c(8))),
        Expr::Index(rem(v(2), c(5))),
    );
    let kernel = Kernel {
        name: "convolution".into(),
        args: vec![
            arg("x", Access::Read),
            arg("w", Access::Read),
            arg("y", Access::Write),
            arg("z", Access::Write),
        ],
        dims: vec!["t".into()],
        grid: vec![],
        locals: vec![],
        body: vec![
            each(LoopKind::Vec(8), 0, c(0), d(0), vec![st(A(2), v(0), sum)]),
            each(
                LoopKind::Vec(8),
                2,
                c(0),
                d(0),
                vec![st(A(3), v(2), bin(Binary::Add, mirrored, blocks))],
            ),
        ],
    };
    let (x, w) = (noise(t, 13), noise(4, 14));
    let y = (0..t)
        .map(|i| {
            (0..4.min(i + 1))
                .map(|l| f64::from(w[l]) * f64::from(x[i - l]))
                .sum()
        })
        .collect();
    let z = (0..t)
        .map(|i| f64::from(x[t - 1 - i]) + (i / 8) as f64 + (i % 5) as f64)
        .collect();
    Sample {
        kernel,
        data: vec![
            Data::F(x),
            Data::F(w),
            Data::F(vec![0.0; t]),
            Data::F(vec![0.0; t]),
        ],
        dims: vec![t as i64],
        cells: 1,
        want: vec![(2, y), (3, z)],
    }
}

/// Causal attention of one head by blocks of 16 rows: products with masked scores, a grid of two axes, ragged rows.
pub fn attention(t: usize) -> Sample {
    let (w, d_) = (16i64, 8i64);
    let padded = (t as i64 + 15) / 16 * 16;
    let tile = |buf, base, rows, cols| Tile {
        buf,
        base,
        rows,
        cols,
    };
    let head = || mul(v(0), c(padded * d_));
    let block = |i: u32| add(head(), mul(v(i), c(w * d_)));
    let scores = Matmul {
        m: 16,
        n: 16,
        k: 8,
        out: tile(L(0), c(0), w, 1),
        a: tile(A(0), block(1), d_, 1),
        b: tile(A(1), block(2), 1, d_),
        accumulate: false,
        part: Part::All,
    };
    let values = Matmul {
        m: 16,
        n: 8,
        k: 16,
        out: tile(L(1), c(0), d_, 1),
        a: tile(L(0), c(0), w, 1),
        b: tile(A(2), block(2), d_, 1),
        accumulate: true,
        part: Part::All,
    };
    let s = || add(mul(v(3), c(w)), v(4));
    let mask = Expr::CmpIx(
        Cmp::Le,
        add(mul(v(2), c(w)), v(4)),
        add(mul(v(1), c(w)), v(3)),
    );
    let row = || add(mul(v(7), c(d_)), v(8));
    let kernel = Kernel {
        name: "attention".into(),
        args: vec![
            arg("q", Access::Read),
            arg("k", Access::Read),
            arg("v", Access::Read),
            arg("y", Access::Write),
        ],
        dims: vec!["heads".into(), "t".into()],
        grid: vec![(Var(0), d(0)), (Var(1), div(add(d(1), c(15)), c(16)))],
        locals: vec![local("scores", 256), local("sum", 128), local("weight", 16)],
        body: vec![
            each(
                LoopKind::Vec(8),
                5,
                c(0),
                c(128),
                vec![st(L(1), v(5), num(0.0))],
            ),
            each(
                LoopKind::Vec(8),
                6,
                c(0),
                c(16),
                vec![st(L(2), v(6), num(0.0))],
            ),
            each(
                LoopKind::Seq,
                2,
                c(0),
                add(v(1), c(1)),
                vec![
                    Stmt::Matmul(scores),
                    each(
                        LoopKind::Par,
                        3,
                        c(0),
                        c(16),
                        vec![
                            each(
                                LoopKind::Vec(8),
                                4,
                                c(0),
                                c(16),
                                vec![st(
                                    L(0),
                                    s(),
                                    select(mask, un(Unary::Exp, ld(L(0), s())), num(0.0)),
                                )],
                            ),
                            st(
                                L(2),
                                v(3),
                                bin(
                                    Binary::Add,
                                    ld(L(2), v(3)),
                                    fold(
                                        FoldOp::Sum,
                                        9,
                                        c(0),
                                        c(16),
                                        8,
                                        ld(L(0), add(mul(v(3), c(w)), v(9))),
                                    ),
                                ),
                            ),
                        ],
                    ),
                    Stmt::Matmul(values),
                ],
            ),
            each(
                LoopKind::Par,
                7,
                c(0),
                min(c(16), sub(d(1), mul(v(1), c(16)))),
                vec![each(
                    LoopKind::Vec(8),
                    8,
                    c(0),
                    c(8),
                    vec![st(
                        A(3),
                        add(
                            add(mul(v(0), mul(d(1), c(d_))), mul(v(1), c(w * d_))),
                            row(),
                        ),
                        bin(Binary::Div, ld(L(1), row()), ld(L(2), v(7))),
                    )],
                )],
            ),
        ],
    };
    let n = 2 * padded as usize * 8;
    let (q, k, vs) = (noise(n, 15), noise(n, 16), noise(n, 17));
    let mut y = vec![];
    for h in 0..2 {
        let at = |i: usize, j: usize| h * padded as usize * 8 + i * 8 + j;
        for i in 0..t {
            let weights: Vec<f64> = (0..=i)
                .map(|s| {
                    (0..8)
                        .map(|j| f64::from(q[at(i, j)]) * f64::from(k[at(s, j)]))
                        .sum::<f64>()
                        .exp()
                })
                .collect();
            let sum: f64 = weights.iter().sum();
            for j in 0..8 {
                y.push(
                    (0..=i)
                        .map(|s| weights[s] * f64::from(vs[at(s, j)]))
                        .sum::<f64>()
                        / sum,
                );
            }
        }
    }
    Sample {
        kernel,
        data: vec![
            Data::F(q),
            Data::F(k),
            Data::F(vs),
            Data::F(vec![0.0; y.len()]),
        ],
        dims: vec![2, t as i64],
        cells: 2 * ((t as i64 + 15) / 16),
        want: vec![(3, y)],
    }
}

/// Strided stores and loads, a store to integers, folds inside lanes, products and minima.
pub fn strides() -> Sample {
    let n = 20i64;
    let column = fold(
        FoldOp::Min,
        1,
        c(0),
        c(3),
        1,
        ld(A(0), add(mul(v(1), c(n)), v(0))),
    );
    let uniform = fold(
        FoldOp::Prod,
        2,
        c(0),
        c(3),
        2,
        bin(Binary::Add, ld(A(0), v(2)), num(2.0)),
    );
    let whole = bin(Binary::Mul, un(Unary::Floor, ld(A(0), v(3))), num(3.0));
    let mut numbers = arg("numbers", Access::Write);
    numbers.elem = Elem::I32;
    let kernel = Kernel {
        name: "strides".into(),
        args: vec![arg("x", Access::Read), arg("y", Access::Write), numbers],
        dims: vec![],
        grid: vec![],
        locals: vec![],
        body: vec![
            each(
                LoopKind::Vec(8),
                0,
                c(0),
                c(n),
                vec![
                    bind(0, column),
                    st(A(1), mul(v(0), c(2)), bin(Binary::Max, val(0), uniform)),
                ],
            ),
            each(LoopKind::Vec(8), 3, c(0), c(n), vec![st(A(2), v(3), whole)]),
        ],
    };
    let x: Vec<f32> = noise(60, 18).iter().map(|x| 4.0 * x).collect();
    let product: f64 = (0..3).map(|i| f64::from(x[i]) + 2.0).product();
    let mut y = vec![0.0; 40];
    for i in 0..20 {
        let least = (0..3)
            .map(|r| f64::from(x[r * 20 + i]))
            .fold(f64::INFINITY, f64::min);
        y[2 * i] = least.max(product);
    }
    let whole = (0..20).map(|i| f64::from(x[i].floor()) * 3.0).collect();
    Sample {
        kernel,
        data: vec![Data::F(x), Data::F(vec![0.0; 40]), Data::I(vec![0; 20])],
        dims: vec![],
        cells: 1,
        want: vec![(1, y), (2, whole)],
    }
}

/// More locals than shared memory holds: a matrix product through a transposed copy.
pub fn large_locals() -> Sample {
    let n = 120i64;
    let tile = |buf, rows, cols| Tile {
        buf,
        base: c(0),
        rows,
        cols,
    };
    let product = Matmul {
        m: 120,
        n: 120,
        k: 120,
        out: tile(A(1), n, 1),
        a: tile(A(0), n, 1),
        b: tile(L(0), n, 1),
        accumulate: false,
        part: Part::Lower,
    };
    let at = |i, j| add(mul(v(i), c(n)), v(j));
    let copy = each(
        LoopKind::Par,
        0,
        c(0),
        c(n),
        vec![each(
            LoopKind::Vec(8),
            1,
            c(0),
            c(n),
            vec![st(L(0), at(1, 0), ld(A(0), at(0, 1)))],
        )],
    );
    // Clears what is above the diagonal.
    let clear = each(
        LoopKind::Par,
        2,
        c(0),
        c(n),
        vec![each(
            LoopKind::Vec(8),
            3,
            add(v(2), c(1)),
            c(n),
            vec![st(A(1), at(2, 3), num(0.0))],
        )],
    );
    let kernel = Kernel {
        name: "large_locals".into(),
        args: vec![arg("x", Access::Read), arg("y", Access::ReadWrite)],
        dims: vec![],
        grid: vec![],
        locals: vec![local("transposed", (n * n) as usize)],
        body: vec![copy, Stmt::Matmul(product), clear],
    };
    let x = noise(120 * 120, 21);
    let mut y = vec![0.0; 120 * 120];
    for i in 0..120 {
        for j in 0..=i {
            y[i * 120 + j] = (0..120)
                .map(|k| f64::from(x[i * 120 + k]) * f64::from(x[j * 120 + k]))
                .sum();
        }
    }
    Sample {
        kernel,
        data: vec![Data::F(x), Data::F(vec![f32::NAN; 120 * 120])],
        dims: vec![],
        cells: 1,
        want: vec![(1, y)],
    }
}

impl Sample {
    /// Compares the buffers that the kernel wrote.
    pub fn check(&self, data: &[Data]) {
        for (arg, want) in &self.want {
            let got: Vec<f32> = match &data[*arg] {
                Data::F(v) => v.clone(),
                Data::I(v) => v.iter().map(|&i| i as f32).collect(),
                Data::H(v) => v
                    .iter()
                    .map(|&x| f32::from_bits(u32::from(x) << 16))
                    .collect(),
            };
            close(
                &got,
                want,
                2e-6,
                &format!("{} argument {arg}", self.kernel.name),
            );
        }
    }
}
