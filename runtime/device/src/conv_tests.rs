use super::*;
use crate::draw;
use seqc_abi::{Dim, Init};

fn random(n: usize, key: u64) -> Vec<f32> {
    draw(&Init::Normal { std: 1.0 }, &[n], key, 0).expect("sound")
}

/// Relative RMS distance of a run from the direct sums of the contract, in f64.
fn distance(batch: usize, len: usize, channels: usize, transpose: bool, kernel_grad: bool) -> f64 {
    let whole = batch * len * channels;
    let kernel = len * channels;
    let (nf, no) = if kernel_grad {
        (whole, kernel)
    } else {
        (kernel, whole)
    };
    let (mut f, mut x, mut out) = (random(nf, 1), random(whole, 2), vec![f32::NAN; no]);
    let at = |b: usize, t: usize, c: usize| (b * len + t) * channels + c;
    let mut want = vec![0f64; no];
    for (b, t, lag, c) in (0..batch * len * len * channels).map(|i| {
        (
            i / (len * len * channels),
            i / (len * channels) % len,
            i / channels % len,
            i % channels,
        )
    }) {
        let (f64f, f64x) = (|i: usize| f64::from(f[i]), |i: usize| f64::from(x[i]));
        match (kernel_grad, transpose) {
            (true, _) if t >= lag => {
                want[at(0, lag, c)] += f64f(at(b, t, c)) * f64x(at(b, t - lag, c))
            }
            (false, false) if t >= lag => {
                want[at(b, t, c)] += f64f(at(0, lag, c)) * f64x(at(b, t - lag, c))
            }
            (false, true) if t + lag < len => {
                want[at(b, t, c)] += f64f(at(0, lag, c)) * f64x(at(b, t + lag, c))
            }
            _ => (),
        }
    }
    let lens = [nf, whole, no];
    let [b, l, c] = [batch, len, channels].map(|n| Dim::Const(n as u64));
    let conv = Conv {
        f: 0,
        x: 1,
        out: 2,
        batch: b,
        len: l,
        channels: c,
        transpose,
        kernel_grad,
    };
    let made = Convolution::new(&conv, &Sizes::new(), &lens, 3).expect("in range");
    let ptrs = [
        f.as_mut_ptr().cast(),
        x.as_mut_ptr().cast(),
        out.as_mut_ptr().cast(),
    ];
    // SAFETY: buffers of the lengths given to `new`.
    unsafe { made.run(&ptrs, &Pool::new(3)) };
    let off: f64 = out
        .iter()
        .zip(&want)
        .map(|(&o, w)| (f64::from(o) - w).powi(2))
        .sum();
    (off / want.iter().map(|w| w * w).sum::<f64>().max(1e-300)).sqrt()
}

#[test]
fn all_variants_agree_with_direct_sums() {
    for (batch, len, channels) in [
        (1, 1, 1),
        (2, 2, 3),
        (3, 17, 16),
        (2, 64, 17),
        (1, 127, 5),
        (2, 200, 33),
    ] {
        for (transpose, kernel_grad) in [(false, false), (true, false), (false, true)] {
            let d = distance(batch, len, channels, transpose, kernel_grad);
            assert!(
                d < 1e-6,
                "[{batch}, {len}, {channels}] transpose {transpose}, gradient {kernel_grad}: {d:.1e}"
            );
        }
    }
}

#[test]
fn nothing_to_do_is_fine() {
    for (batch, len, channels) in [(0, 4, 4), (2, 0, 4), (2, 4, 0)] {
        assert_eq!(distance(batch, len, channels, false, false), 0.0);
    }
}

#[test]
fn sizes_are_even_smooth_and_no_shorter() {
    for (least, want) in [
        (1, 2),
        (3, 4),
        (7, 8),
        (13, 16),
        (1999, 2000),
        (2047, 2048),
        (6001, 6075 + 75),
    ] {
        let got = fast_size(least);
        assert!(
            got >= least && got.is_multiple_of(2) && got <= want,
            "{least}: {got}"
        );
    }
}

#[test]
fn short_buffers_are_refused() {
    let [b, l, c] = [2u64, 8, 4].map(Dim::Const);
    let conv = Conv {
        f: 0,
        x: 1,
        out: 2,
        batch: b,
        len: l,
        channels: c,
        transpose: false,
        kernel_grad: false,
    };
    let made =
        |conv: &Conv, lens: [usize; 3]| Convolution::new(conv, &Sizes::new(), &lens, 1).map(drop);
    assert!(made(&conv, [32, 64, 64]).is_ok());
    assert!(made(&conv, [31, 64, 64]).is_err());
    assert!(made(&conv, [32, 63, 64]).is_err());
    assert!(
        made(
            &Conv {
                kernel_grad: true,
                ..conv.clone()
            },
            [64, 64, 32]
        )
        .is_ok()
    );
    assert!(
        made(
            &Conv {
                kernel_grad: true,
                ..conv.clone()
            },
            [32, 64, 32]
        )
        .is_err()
    );
    assert!(
        made(
            &Conv {
                len: Dim::Const(1 << 62),
                ..conv
            },
            [64; 3]
        )
        .is_err()
    );
}
