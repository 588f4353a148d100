//! Random programs for property tests: every family of operations, broadcasting, repeated operands, complex values,
//! scans with tiles and nested scans. The same seed gives the same program.
#![allow(dead_code)]

use seqc_algebra::*;

pub struct Rng(pub u64);

impl Rng {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    pub fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    fn some<T: Copy>(&mut self, list: &[T]) -> Vec<T> {
        list.iter()
            .copied()
            .filter(|_| self.below(2) == 0)
            .collect()
    }
}

fn ax(name: &str, n: usize) -> Axis {
    Axis::new(name, n)
}

/// A program of about `size` operations over inputs of several types; runs at any `batch` and `t`.
pub fn program(seed: u64, size: usize) -> Func {
    let mut rng = Rng(seed);
    let mut b = Builder::new("random");
    let (n, t, a, c) = (Axis::batch(), Axis::time(), ax("a", 2), ax("c", 3));
    let types = [
        vec![n, t, a],
        vec![a, c],
        vec![t],
        vec![],
        vec![n, t, c],
        vec![c],
        vec![n, a],
    ];
    let mut vals: Vec<ValueId> = vec![];
    for (k, axes) in types.iter().enumerate() {
        vals.push(b.input(&format!("x{k}"), InputKind::Data, Ty::real(axes.clone())));
    }
    let complex = Ty {
        elem: Elem::Complex,
        axes: vec![t, c],
    };
    vals.push(b.input("z", InputKind::Data, complex));
    grow(&mut b, &mut vals, &mut rng, size, 2);
    for k in 0..2 {
        let v = if k == 0 {
            vals[vals.len() - 1]
        } else {
            rng.of(&vals)
        };
        b.result(&format!("y{k}"), v);
    }
    b.finish()
}

fn grow(b: &mut Builder, vals: &mut Vec<ValueId>, rng: &mut Rng, size: usize, depth: usize) {
    let mut tries = 0;
    let start = vals.len();
    while vals.len() < start + size && tries < 6 * size {
        tries += 1;
        if let Some(v) = step(b, vals, rng, depth)
            && b.axes(v).len() <= 5
        {
            vals.push(v);
        }
    }
}

fn is_complex(b: &Builder, v: ValueId) -> bool {
    b.elem(v) == Elem::Complex
}

/// One random operation, or `None` if what was drawn does not fit.
fn step(b: &mut Builder, vals: &[ValueId], rng: &mut Rng, depth: usize) -> Option<ValueId> {
    let x = rng.of(vals);
    let axes = b.axes(x).to_vec();
    let constant: Vec<Axis> = axes.iter().copied().filter(|a| a.is_const()).collect();
    match rng.below(14) {
        0 | 1 => unary(b, x, rng),
        2 | 3 => binary(b, x, rng.of(vals), rng),
        4 | 5 => {
            let args: Vec<ValueId> = (0..1 + rng.below(3)).map(|_| rng.of(vals)).collect();
            let all = shape::union(args.iter().map(|v| b.ty(*v))).ok()?;
            let over = rng.some(&all);
            b.contract(&over, &args).ok()
        }
        6 => {
            let over = rng.some(&axes);
            let op = rng.of(&[ReduceOp::Sum, ReduceOp::Prod, ReduceOp::Max, ReduceOp::Min]);
            if is_complex(b, x) && matches!(op, ReduceOp::Max | ReduceOp::Min) || over.is_empty() {
                return None;
            }
            b.push(Op::Reduce(op, over), &[x]).ok()
        }
        7 if !axes.is_empty() && !is_complex(b, x) => {
            let a = rng.of(&axes);
            let op = if rng.coin() {
                Op::Softmax(a)
            } else {
                Op::LogSumExp(a)
            };
            b.push(op, &[x]).ok()
        }
        8 | 9 if !axes.is_empty() => movement(b, x, &axes, &constant, rng),
        10 => index_or_conv(b, x, rng.of(vals), &constant, rng),
        11 if !constant.is_empty() => solve(b, x, rng.of(vals), rng.of(&constant), rng),
        12 | 13 if depth > 0 => scan(b, vals, rng, depth - 1),
        _ => None,
    }
}

fn unary(b: &mut Builder, x: ValueId, rng: &mut Rng) -> Option<ValueId> {
    use MapFn::*;
    let f = if is_complex(b, x) {
        rng.of(&[Neg, Re, Im, Conj, Sin])
    } else {
        rng.of(&[
            Neg, Tanh, Sin, Sigmoid, Softplus, LogSigmoid, Erf, Stop, Abs,
        ])
    };
    b.map1(f, x).ok()
}

fn binary(b: &mut Builder, x: ValueId, y: ValueId, rng: &mut Rng) -> Option<ValueId> {
    use MapFn::*;
    let complex = is_complex(b, x) || is_complex(b, y);
    if !complex && rng.below(4) == 0 {
        let zero = b.num(0.0);
        let c = b.map2(Gt, x, zero).ok()?;
        return b.select(c, y, x).ok();
    }
    let f = if complex {
        rng.of(&[Add, Sub, Mul])
    } else {
        rng.of(&[Add, Sub, Mul, Max, Min, Complex])
    };
    b.map2(f, x, y).ok()
}

fn movement(
    b: &mut Builder,
    x: ValueId,
    axes: &[Axis],
    constant: &[Axis],
    rng: &mut Rng,
) -> Option<ValueId> {
    let a = rng.of(axes);
    let op = match rng.below(10) {
        0 => Op::Flip(a),
        1 => Op::Shift {
            axis: a,
            by: rng.below(5) as i64 - 2,
        },
        2 => Op::Window {
            axis: a,
            lag: ax("l", 2),
            ahead: rng.coin(),
        },
        3 if !constant.is_empty() => Op::Unwindow {
            axis: a,
            lag: rng.of(constant),
            ahead: rng.coin(),
        },
        4 if !constant.is_empty() => Op::Pick {
            axis: rng.of(constant),
            index: rng.below(2),
        },
        5 => Op::Place {
            axis: ax("u", 2),
            index: rng.below(2),
        },
        6 => Op::Expand(vec![ax("v", 2)]),
        7 => Op::Rename {
            from: a,
            to: a.renamed("r"),
        },
        8 if constant.len() > 1 => {
            let n = constant[..2]
                .iter()
                .map(|a| a.size.constant())
                .product::<Option<usize>>()?;
            Op::Merge {
                axes: vec![constant[1], constant[0]],
                into: ax("m", n),
            }
        }
        9 => return b.push(Op::Stack(ax("s", 2)), &[x, x]).ok(),
        _ => return None,
    };
    if let Op::Unwindow { axis, lag, .. } = &op
        && axis == lag
    {
        return None;
    }
    b.push(op, &[x]).ok()
}

fn index_or_conv(
    b: &mut Builder,
    x: ValueId,
    y: ValueId,
    constant: &[Axis],
    rng: &mut Rng,
) -> Option<ValueId> {
    let a = *constant.first()?;
    if rng.coin() {
        if b.has(y, a) && rng.coin() || is_complex(b, y) {
            return None;
        }
        let three = b.num(3.0);
        let i = b.mul(y, three).ok()?;
        return b.push(Op::Gather(a), &[x, i]).ok();
    }
    let along = *b.axes(y).iter().find(|p| p.name != a.name)?;
    if b.has(x, along) || b.has(y, a) {
        return None;
    }
    b.push(
        Op::Conv {
            axis: along,
            lag: a,
            ahead: rng.coin(),
        },
        &[x, y],
    )
    .ok()
}

fn solve(b: &mut Builder, x: ValueId, y: ValueId, row: Axis, rng: &mut Rng) -> Option<ValueId> {
    let col = row.renamed("col");
    let other = b.rename(x, row, col).ok()?;
    let l = b.mul(x, other).ok()?;
    b.push(
        Op::Solve {
            row,
            col,
            transpose: rng.coin(),
        },
        &[l, y],
    )
    .ok()
}

/// A value with exactly the axes and kind of `ty`.
fn fit(b: &mut Builder, v: ValueId, ty: &Ty) -> Option<ValueId> {
    let extra: Vec<Axis> = b.axes(v).iter().copied().filter(|a| !ty.has(*a)).collect();
    let mut v = b.sum(&extra, v).ok()?;
    if is_complex(b, v) && ty.elem != Elem::Complex {
        v = b.map1(MapFn::Re, v).ok()?;
    }
    if !is_complex(b, v) && ty.elem == Elem::Complex {
        v = b.map2(MapFn::Complex, v, v).ok()?;
    }
    let missing: Vec<Axis> = ty.axes.iter().copied().filter(|a| !b.has(v, *a)).collect();
    b.expand(v, &missing).ok()
}

fn scan(b: &mut Builder, vals: &[ValueId], rng: &mut Rng, depth: usize) -> Option<ValueId> {
    let axis = Axis::time();
    let tile = if rng.coin() {
        Some(ax(if depth == 0 { "k" } else { "j" }, 2))
    } else {
        None
    };
    let along = vals
        .iter()
        .copied()
        .filter(|v| b.has(*v, axis))
        .collect::<Vec<_>>();
    let across = vals
        .iter()
        .copied()
        .filter(|v| !b.axes(*v).iter().any(|a| a.name.as_str().starts_with('t')))
        .collect::<Vec<_>>();
    if along.is_empty() || across.is_empty() {
        return None;
    }
    let states: Vec<ValueId> = (0..rng.below(3)).map(|_| rng.of(&across)).collect();
    let seqs: Vec<ValueId> = (0..1 + rng.below(2)).map(|_| rng.of(&along)).collect();
    let pools = [vals, &across];
    let mut fixed = vec![];
    for _ in 0..rng.below(3) {
        let pool = rng.of(&pools);
        fixed.push(rng.of(pool));
    }
    let mut inner = Builder::new("body");
    let p = inner.input("p", InputKind::Formal, Ty::real(vec![]));
    let mut pool = vec![];
    for (k, v) in states.iter().chain(&seqs).chain(&fixed).enumerate() {
        let mut ty = b.ty(*v).clone();
        if k >= states.len() && k < states.len() + seqs.len() {
            ty.axes = match tile {
                Some(c) => ty
                    .axes
                    .iter()
                    .map(|a| if *a == axis { c } else { *a })
                    .collect(),
                None => ty.axes.iter().copied().filter(|a| *a != axis).collect(),
            };
        }
        pool.push(inner.input(&format!("f{k}"), InputKind::Formal, ty));
    }
    if rng.below(4) == 0 {
        let s = inner.map1(MapFn::Sin, p).ok()?;
        pool.push(s);
    }
    grow(&mut inner, &mut pool, rng, 5, depth);
    for (k, _) in states.iter().enumerate() {
        let ty = inner.ty(inner.func().params[k + 1]).clone();
        let v = rng.of(&pool);
        let v = fit(&mut inner, v, &ty)?;
        let half = inner.num(0.5);
        let v = inner.mul(v, half).ok()?;
        let v = if is_complex(&inner, v) {
            v
        } else {
            inner.map1(MapFn::Tanh, v).ok()?
        };
        inner.result(&format!("s{k}"), v);
    }
    let emitted: Vec<ValueId> = pool
        .iter()
        .copied()
        .filter(|v| !inner.axes(*v).iter().any(|a| a.name == axis.name))
        .collect();
    let y = rng.of(&emitted);
    inner.result("y", y);
    let mut outs = vec![Out::Emit(0)];
    for k in 0..states.len() {
        outs.push(if rng.coin() {
            Out::Final(k)
        } else {
            Out::Enter(k)
        });
    }
    let scan = Scan {
        axis,
        tile,
        reverse: rng.coin(),
        states: states.len(),
        seqs: vec![SeqIn { fill: Num(0.0) }; seqs.len()],
        fixed: fixed.len(),
        lo: false,
        hi: false,
        body: inner.finish(),
        outs,
    };
    let args: Vec<ValueId> = states.iter().chain(&seqs).chain(&fixed).copied().collect();
    let n = scan.outs.len();
    let id = b.push(Op::Scan(Box::new(scan)), &args).ok()?;
    b.push(Op::Proj(rng.below(n)), &[id]).ok()
}
