//! Kernels built by hand, compiled for this CPU, against plain loops in f64.

mod common;
use common::*;
use seqc_schedule::ir::*;

fn axpy() -> Kernel {
    // y[r, i] = exp(x[r, i])·a[i] + r, rows of run-time length
    let at = || add(mul(v(0), d(0)), v(1));
    Kernel {
        name: "axpy".into(),
        args: vec![arg("x", Access::Read), arg("a", Access::Read), arg("y", Access::Write)],
        dims: vec!["t".into(), "rows".into()],
        grid: vec![(Var(0), d(1))],
        locals: vec![],
        body: vec![each(
            LoopKind::Vec(8),
            1,
            c(0),
            d(0),
            vec![st(
                A(2),
                at(),
                bin(
                    Binary::Add,
                    bin(Binary::Mul, un(Unary::Exp, ld(A(0), at())), ld(A(1), v(1))),
                    Expr::Index(v(0)),
                ),
            )],
        )],
    }
}

#[test]
fn elementwise_with_ragged_tails() {
    let kernel = axpy();
    let loaded = load(std::slice::from_ref(&kernel));
    for t in [0usize, 1, 7, 8, 9, 31, 64] {
        let rows = 3;
        let (x, a) = (noise(rows * t, 1), noise(t, 2));
        let mut data = [Data::F(x.clone()), Data::F(a.clone()), Data::F(vec![f32::NAN; rows * t])];
        loaded.run(&kernel, &mut data, &[t as i64, rows as i64], 0, rows as i64);
        let want: Vec<f64> = (0..rows * t)
            .map(|i| f64::from(x[i]).exp() * f64::from(a[i % t]) + (i / t) as f64)
            .collect();
        close(data[2].f(), &want, 3e-7, "axpy");
    }
}
