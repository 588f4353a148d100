//! The one dense kernel: `C[b,m,n] += Σ_k A[b,m,k] B[b,k,n]`, all contiguous.
//!
//! A tile of 4 by 4 results is kept in registers while a block of `k` passes; that is enough to keep the
//! interpreter within a small factor of the machine without any target-specific code.

use crate::complex::Scalar;

/// Block of `k` that keeps the touched part of B in cache.
const DEPTH: usize = 256;

/// Sizes of a batched product.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub batch: usize,
    pub m: usize,
    pub n: usize,
    pub k: usize,
}

/// Adds the products to `c`, which has `batch * m * n` entries.
pub fn matmul<S: Scalar>(s: Sizes, a: &[S], b: &[S], c: &mut [S]) {
    let Sizes { batch, m, n, k } = s;
    for i in 0..batch {
        let (a, b) = (
            &a[i * m * k..(i + 1) * m * k],
            &b[i * k * n..(i + 1) * k * n],
        );
        let c = &mut c[i * m * n..(i + 1) * m * n];
        match (m, n) {
            (_, 1) => rows_dot(a, b, c, k),
            (1..4, _) => rows_axpy(a, b, c, n, k),
            _ => tiles(m, n, k, a, b, c),
        }
    }
}

fn rows_dot<S: Scalar>(a: &[S], b: &[S], c: &mut [S], k: usize) {
    for (i, c) in c.iter_mut().enumerate() {
        *c += dot(&a[i * k..(i + 1) * k], b);
    }
}

/// Four partial sums: enough independent additions to hide their latency.
fn dot<S: Scalar>(a: &[S], b: &[S]) -> S {
    let mut acc = [S::ZERO; 4];
    let (ac, bc) = (a.chunks_exact(4), b.chunks_exact(4));
    let tail = ac.remainder().iter().zip(bc.remainder());
    for (x, y) in ac.zip(bc) {
        for l in 0..4 {
            acc[l] += x[l] * y[l];
        }
    }
    let mut sum = (acc[0] + acc[1]) + (acc[2] + acc[3]);
    for (x, y) in tail {
        sum += *x * *y;
    }
    sum
}

fn rows_axpy<S: Scalar>(a: &[S], b: &[S], c: &mut [S], n: usize, k: usize) {
    for (i, c) in c.chunks_exact_mut(n).enumerate() {
        for (l, x) in a[i * k..(i + 1) * k].iter().enumerate() {
            for (c, y) in c.iter_mut().zip(&b[l * n..(l + 1) * n]) {
                *c += *x * *y;
            }
        }
    }
}

fn tiles<S: Scalar>(m: usize, n: usize, k: usize, a: &[S], b: &[S], c: &mut [S]) {
    for l0 in (0..k).step_by(DEPTH) {
        let l1 = (l0 + DEPTH).min(k);
        let mut i = 0;
        while i + 4 <= m {
            let rows: [&[S]; 4] = std::array::from_fn(|r| &a[(i + r) * k + l0..(i + r) * k + l1]);
            let mut j = 0;
            while j + 4 <= n {
                tile(rows, &b[l0 * n..l1 * n], &mut c[i * n..(i + 4) * n], n, j);
                j += 4;
            }
            for j in j..n {
                for r in 0..4 {
                    c[(i + r) * n + j] += column(rows[r], &b[l0 * n..l1 * n], n, j);
                }
            }
            i += 4;
        }
        for i in i..m {
            let row = &a[i * k + l0..i * k + l1];
            rows_axpy(
                row,
                &b[l0 * n..l1 * n],
                &mut c[i * n..(i + 1) * n],
                n,
                l1 - l0,
            );
        }
    }
}

#[inline(always)]
fn tile<S: Scalar>(rows: [&[S]; 4], b: &[S], c: &mut [S], n: usize, j: usize) {
    let mut acc = [[S::ZERO; 4]; 4];
    let [r0, r1, r2, r3] = rows;
    for ((((y, x0), x1), x2), x3) in b.chunks_exact(n).zip(r0).zip(r1).zip(r2).zip(r3) {
        let y = &y[j..j + 4];
        for l in 0..4 {
            acc[0][l] += *x0 * y[l];
            acc[1][l] += *x1 * y[l];
            acc[2][l] += *x2 * y[l];
            acc[3][l] += *x3 * y[l];
        }
    }
    for (r, acc) in acc.iter().enumerate() {
        for (c, x) in c[r * n + j..r * n + j + 4].iter_mut().zip(acc) {
            *c += *x;
        }
    }
}

fn column<S: Scalar>(row: &[S], b: &[S], n: usize, j: usize) -> S {
    let mut sum = S::ZERO;
    for (x, y) in row.iter().zip(b.chunks_exact(n)) {
        sum += *x * y[j];
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_three_loops() {
        for (batch, m, n, k) in [
            (2, 1, 1, 5),
            (1, 3, 7, 2),
            (2, 4, 4, 4),
            (1, 9, 6, 300),
            (3, 5, 1, 6),
            (1, 6, 5, 0),
            (2, 0, 3, 2),
        ] {
            let a: Vec<f64> = (0..batch * m * k)
                .map(|i| ((i * 7) % 11) as f64 - 5.0)
                .collect();
            let b: Vec<f64> = (0..batch * k * n)
                .map(|i| ((i * 5) % 13) as f64 - 6.0)
                .collect();
            let mut c = vec![1.0; batch * m * n];
            matmul(Sizes { batch, m, n, k }, &a, &b, &mut c);
            for p in 0..batch {
                for i in 0..m {
                    for j in 0..n {
                        let want: f64 = (0..k)
                            .map(|l| a[(p * m + i) * k + l] * b[(p * k + l) * n + j])
                            .sum();
                        assert_eq!(c[(p * m + i) * n + j], want + 1.0, "{batch} {m} {n} {k}");
                    }
                }
            }
        }
    }
}
