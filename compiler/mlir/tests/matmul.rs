//! Matrix-multiply atoms of many shapes and layouts, against plain loops in f64.

mod common;
use common::*;
use seqc_mlir::CpuTarget;
use seqc_schedule::ir::*;

fn tile(buf: Buf, rows: i64, cols: i64) -> Tile {
    Tile {
        buf,
        base: c(3),
        rows,
        cols,
    }
}

/// Which of two strides an operand has: rows contiguous or columns contiguous, with a gap.
fn strides(rows: usize, cols: usize, transposed: bool) -> (i64, i64) {
    if transposed {
        (1, rows as i64 + 2)
    } else {
        (cols as i64 + 1, 1)
    }
}

fn kernel(i: usize, m: Matmul) -> Kernel {
    Kernel {
        name: format!("product{i}"),
        args: vec![
            arg("a", Access::Read),
            arg("b", Access::Read),
            arg("out", Access::ReadWrite),
        ],
        dims: vec![],
        grid: vec![],
        locals: vec![],
        body: vec![Stmt::Matmul(m)],
    }
}

fn atoms() -> Vec<Matmul> {
    let shapes = [
        (1, 1, 1),
        (4, 16, 8),
        (64, 64, 64),
        (16, 64, 64),
        (7, 13, 5),
        (3, 40, 9),
        (1, 33, 17),
        (33, 1, 17),
        (12, 3, 31),
        (5, 8, 1),
        (65, 2, 64),
        (13, 21, 70),
    ];
    let mut all = vec![];
    for (i, (m, n, k)) in shapes.into_iter().enumerate() {
        for layout in 0..8 {
            if layout > 3 && i % 2 == 1 {
                continue;
            }
            let (out, a, b) = (
                strides(m, n, layout & 4 != 0),
                strides(m, k, layout & 2 != 0),
                strides(k, n, layout & 1 != 0),
            );
            all.push(Matmul {
                m,
                n,
                k,
                out: tile(A(2), out.0, out.1),
                a: tile(A(0), a.0, a.1),
                b: tile(A(1), b.0, b.1),
                accumulate: (i + layout) % 3 == 0,
                part: [Part::All, Part::Lower, Part::Upper][(i + layout / 2) % 3],
            });
        }
    }
    // Strides that make nothing contiguous.
    for part in [Part::All, Part::Lower] {
        let (out, a, b) = (tile(A(2), 40, 2), tile(A(0), 3, 50), tile(A(1), 60, 3));
        all.push(Matmul {
            m: 11,
            n: 19,
            k: 13,
            out,
            a,
            b,
            accumulate: true,
            part,
        });
    }
    all
}

#[test]
fn products_of_many_shapes() {
    let atoms = atoms();
    let kernels: Vec<Kernel> = atoms
        .iter()
        .enumerate()
        .map(|(i, m)| kernel(i, m.clone()))
        .collect();
    for target in [CpuTarget::host().unwrap(), sixteen_lanes()] {
        let loaded = load_for(&kernels, &target);
        for (kernel, m) in kernels.iter().zip(&atoms) {
            let (a, b, out) = (noise(6000, 1), noise(6000, 2), noise(6000, 3));
            let mut data = [Data::F(a.clone()), Data::F(b.clone()), Data::F(out.clone())];
            loaded.run(kernel, &mut data, &[], 0, 1);
            check(m, &a, &b, &out, data[2].f());
        }
    }
}

fn check(m: &Matmul, a: &[f32], b: &[f32], before: &[f32], after: &[f32]) {
    let at = |t: &Tile, r: usize, c: usize| (3 + r as i64 * t.rows + c as i64 * t.cols) as usize;
    let mut touched = vec![false; after.len()];
    for i in 0..m.m {
        for j in 0..m.n {
            let o = at(&m.out, i, j);
            touched[o] = true;
            let mut sum = if m.accumulate {
                f64::from(before[o])
            } else {
                0.0
            };
            for k in 0..m.k {
                sum += f64::from(a[at(&m.a, i, k)]) * f64::from(b[at(&m.b, k, j)]);
            }
            let wanted = match m.part {
                Part::All => true,
                Part::Lower => j <= i,
                Part::Upper => j >= i,
            };
            let right = (f64::from(after[o]) - sum).abs() < 1e-5;
            let untouched = after[o].to_bits() == before[o].to_bits();
            assert!(
                right || (!wanted && untouched),
                "{m:?}\n[{i}, {j}]: {} instead of {sum}",
                after[o]
            );
        }
    }
    for i in 0..after.len() {
        assert!(
            touched[i] || after[i].to_bits() == before[i].to_bits(),
            "{m:?}: wrote outside, at {i}"
        );
    }
}

/// Not a test of speed: prints GFLOP/s of two atoms with `--nocapture`, and asks for a tenth of what is usual.
#[test]
fn speed_of_atoms() {
    let atom = |m: usize, n: usize, k: usize, bt: bool| {
        let b = if bt { (1, k as i64) } else { (n as i64, 1) };
        Matmul {
            m,
            n,
            k,
            out: tile(A(2), n as i64, 1),
            a: tile(A(0), k as i64, 1),
            b: tile(A(1), b.0, b.1),
            accumulate: true,
            part: Part::All,
        }
    };
    let cases = [
        atom(64, 64, 64, false),
        atom(16, 64, 64, false),
        atom(64, 64, 64, true),
        atom(16, 16, 64, true),
    ];
    let kernels: Vec<Kernel> = cases
        .iter()
        .enumerate()
        .map(|(i, m)| {
            let mut k = kernel(i, m.clone());
            k.grid = vec![(Var(9), c(1000))];
            k
        })
        .collect();
    let loaded = load(&kernels);
    for (kernel, m) in kernels.iter().zip(&cases) {
        let mut data = [
            Data::F(noise(4200, 1)),
            Data::F(noise(4200, 2)),
            Data::F(noise(4200, 3)),
        ];
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let start = std::time::Instant::now();
            loaded.run(kernel, &mut data, &[], 0, 1000);
            best = best.min(start.elapsed().as_secs_f64());
        }
        let rate = 2e-6 * (m.m * m.n * m.k) as f64 / best;
        println!(
            "{}x{}x{} (b rows {}): {rate:.1} GFLOP/s",
            m.m, m.n, m.k, m.b.rows
        );
        assert!(rate > 2.0);
    }
}
