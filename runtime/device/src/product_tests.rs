use super::*;
use crate::draw;
use seqc_abi::{Dim, Init};

fn dense(buffer: usize, offset: u64, batch: u64, rows: u64, cols: u64) -> GemmOperand {
    let [batch, rows, cols] = [batch, rows, cols].map(Dim::Const);
    GemmOperand {
        buffer,
        offset,
        batch,
        rows,
        cols,
    }
}

fn gemm(l: u64, m: u64, n: u64, k: u64, [a, b, out]: [GemmOperand; 3], accumulate: bool) -> Gemm {
    let [batch, m, n, k] = [l, m, n, k].map(Dim::Const);
    Gemm {
        batch,
        m,
        n,
        k,
        a,
        b,
        out,
        accumulate,
    }
}

fn random(n: usize, key: u64) -> Vec<f32> {
    draw(&Init::Normal { std: 1.0 }, &[n], key, 0).expect("sound")
}

/// Runs the product and compares each element with a plain f64 sum.
fn agrees(l: u64, m: u64, n: u64, k: u64, transposed: [bool; 3], accumulate: bool) {
    let strides = |buffer, rows: u64, cols: u64, t: bool| {
        if t {
            dense(buffer, 3, rows * cols, 1, rows)
        } else {
            dense(buffer, 3, rows * cols, cols, 1)
        }
    };
    let ops = [
        strides(0, m, k, transposed[0]),
        strides(1, k, n, transposed[1]),
        strides(2, m, n, transposed[2]),
    ];
    let lens = [l * m * k + 3, l * k * n + 3, l * m * n + 3].map(|x| x as usize);
    let mut bufs: Vec<Vec<f32>> = lens
        .iter()
        .enumerate()
        .map(|(i, &n)| random(n, i as u64))
        .collect();
    if !accumulate {
        bufs[2][3..].fill(f32::NAN);
    }
    let before = bufs.clone();
    let ptrs: Vec<*mut u8> = bufs.iter_mut().map(|b| b.as_mut_ptr().cast()).collect();
    let g = gemm(l, m, n, k, ops, accumulate);
    let product = Product::new(&g, &Sizes::new(), &lens, |_| Elem::F32).expect("in range");
    // SAFETY: buffers of the lengths given to `new`.
    unsafe { product.run(&ptrs, &Pool::new(3)) };
    let at = |o: &GemmOperand, [l, r, c]: [u64; 3]| {
        let stride = |d: &Dim| d.eval(&Sizes::new()).expect("constant");
        (o.offset + l * stride(&o.batch) + r * stride(&o.rows) + c * stride(&o.cols)) as usize
    };
    for (l, r, c) in (0..l).flat_map(|l| (0..m).flat_map(move |r| (0..n).map(move |c| (l, r, c)))) {
        let term = |d| {
            f64::from(before[0][at(&g.a, [l, r, d])]) * f64::from(before[1][at(&g.b, [l, d, c])])
        };
        let old = if accumulate {
            f64::from(before[2][at(&g.out, [l, r, c])])
        } else {
            0.0
        };
        let want: f64 = (0..k).map(term).sum::<f64>() + old;
        let got = f64::from(bufs[2][at(&g.out, [l, r, c])]);
        assert!(
            (got - want).abs() < 1e-5 * (1.0 + k as f64),
            "{l} {m}x{n}x{k} at {r},{c}: {got} {want}"
        );
    }
}

#[test]
fn agrees_with_plain_sums() {
    for t in 0..8 {
        let transposed = [t & 1 != 0, t & 2 != 0, t & 4 != 0];
        agrees(2, 5, 7, 9, transposed, t % 3 == 0);
        agrees(1, 130, 65, 33, transposed, t % 3 == 1);
    }
    agrees(1, 1, 700, 100, [false; 3], false);
    agrees(1, 700, 1, 100, [false, true, false], true);
    agrees(7, 1, 1, 1, [false; 3], true);
    agrees(9, 40, 50, 60, [false; 3], false);
    agrees(2, 3, 4, 0, [false; 3], false);
    agrees(2, 3, 4, 0, [false; 3], true);
    agrees(0, 3, 4, 5, [false; 3], true);
}

/// Each of the operands in bf16 in turn: the product of the rounded factors, rounded once, and nothing beside it.
#[test]
fn operands_in_bf16() {
    let (l, m, n, k) = (2u64, 5u64, 7u64, 60u64);
    let half = |x: &[f32]| -> Vec<u16> {
        let mut to = vec![0; x.len()];
        bf16::narrow(x, &mut to);
        to
    };
    let wide = |x: &[u16]| -> Vec<f32> {
        let mut to = vec![0.0; x.len()];
        bf16::widen(x, &mut to);
        to
    };
    // The result's rows are 8 apart: one element of each is not its own.
    let ops = [
        dense(0, 3, m * k, k, 1),
        dense(1, 3, k * n, 1, k),
        dense(2, 3, m * 8, 8, 1),
    ];
    let lens = [l * m * k + 3, l * k * n + 3, l * m * 8 + 3].map(|x| x as usize);
    for narrow in 1..8u32 {
        let is = |b: usize| narrow >> b & 1 == 1;
        let mut f: Vec<Vec<f32>> = (0..3).map(|i| random(lens[i], i as u64)).collect();
        f[2].fill(9.0);
        let mut h: Vec<Vec<u16>> = f.iter().map(|x| half(x)).collect();
        let ptrs: Vec<*mut u8> = (0..3)
            .map(|i| match is(i) {
                true => h[i].as_mut_ptr().cast(),
                false => f[i].as_mut_ptr().cast(),
            })
            .collect();
        let elem = |b: usize| if is(b) { Elem::Bf16 } else { Elem::F32 };
        let g = gemm(l, m, n, k, ops.clone(), false);
        let product = Product::new(&g, &Sizes::new(), &lens, elem).expect("in range");
        // SAFETY: buffers of the lengths given to `new`.
        unsafe { product.run(&ptrs, &Pool::new(2)) };
        let seen = |i: usize| if is(i) { wide(&h[i]) } else { f[i].clone() };
        let (a, b, out) = (seen(0), seen(1), seen(2));
        for (l, r, c) in
            (0..2).flat_map(|l| (0..5).flat_map(move |r| (0..7).map(move |c| (l, r, c))))
        {
            let term = |d: usize| {
                f64::from(a[3 + l * 300 + r * 60 + d]) * f64::from(b[3 + l * 420 + c * 60 + d])
            };
            let want: f64 = (0..60).map(term).sum();
            let got = f64::from(out[3 + l * 40 + r * 8 + c]);
            let bound = 1e-4 + if is(2) { want.abs() / 256.0 } else { 0.0 };
            assert!((got - want).abs() <= bound, "{narrow}: {got} {want}");
        }
        let beside = (0..10)
            .map(|row| out[3 + row * 8 + 7])
            .chain(out[..3].to_vec());
        assert!(beside.into_iter().all(|x| x == 9.0), "{narrow}");
    }
}

#[test]
fn out_of_range_is_refused() {
    let ops = |offset| {
        [
            dense(0, offset, 0, 4, 1),
            dense(1, 0, 0, 4, 1),
            dense(2, 0, 0, 4, 1),
        ]
    };
    let made = |g: Gemm, lens: [usize; 3]| Product::new(&g, &Sizes::new(), &lens, |_| Elem::F32);
    assert!(made(gemm(1, 4, 4, 4, ops(0), false), [16; 3]).is_ok());
    assert!(made(gemm(1, 4, 4, 4, ops(1), false), [16; 3]).is_err());
    assert!(made(gemm(1, 4, 4, 4, ops(0), false), [16, 16, 15]).is_err());
    assert!(
        made(gemm(2, 4, 4, 4, ops(0), false), [16; 3]).is_err(),
        "two products into one place"
    );
    assert!(made(gemm(1, 4, 4, u64::MAX, ops(0), false), [16; 3]).is_err());
    assert!(made(gemm(1, 4, 4, 4, ops(u64::MAX), false), [16; 3]).is_err());
}

/// Seconds that this thread has computed: on a busy machine the wall clock says nothing.
fn computed() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ')
        .next()
        .and_then(|n| n.parse::<f64>().ok())
        .unwrap_or(f64::NAN)
        / 1e9
}

/// `cargo test -p seqc-device speed -- --ignored --nocapture`: (m, n, k), layout, GFLOP/s of one thread.
#[test]
#[ignore = "a measurement"]
fn speed() {
    let pool = Pool::new(1);
    let cases = [
        (4096, 512, 128, "forward"),
        (4096, 128, 512, "input gradient"),
        (128, 512, 4096, "weight gradient"),
        (1, 1024, 512, "decode"),
        (1, 512, 1024, "decode, transposed"),
    ];
    for (m, n, k, what) in cases {
        let (a, b) = match what {
            "weight gradient" => (dense(0, 0, 0, 1, m), dense(1, 0, 0, n, 1)),
            "forward" | "decode" => (dense(0, 0, 0, k, 1), dense(1, 0, 0, n, 1)),
            _ => (dense(0, 0, 0, k, 1), dense(1, 0, 0, 1, k)),
        };
        let lens = [m * k, k * n, m * n].map(|x| x as usize);
        let mut bufs: Vec<Vec<f32>> = lens
            .iter()
            .enumerate()
            .map(|(i, &n)| random(n, i as u64))
            .collect();
        let ptrs: Vec<*mut u8> = bufs.iter_mut().map(|b| b.as_mut_ptr().cast()).collect();
        let g = gemm(1, m, n, k, [a, b, dense(2, 0, 0, n, 1)], false);
        let product = Product::new(&g, &Sizes::new(), &lens, |_| Elem::F32).expect("in range");
        let repeats = (2e8 / product.work() as f64).ceil().max(5.0);
        let start = computed();
        // SAFETY: buffers of the lengths given to `new`.
        (0..repeats as usize).for_each(|_| unsafe { product.run(&ptrs, &pool) });
        let rate = 2.0 * product.work() as f64 * repeats / (computed() - start) / 1e9;
        println!("{what} {m}x{n}x{k}: {rate:.1} GFLOP/s a thread");
    }
}
