//! Frequencies of many draws against probabilities written plainly.

use super::*;

const LOGITS: [f32; 6] = [0.3, -1.2, 2.0, 0.3, 1.1, f32::NEG_INFINITY];

fn sampler(temperature: f64, top_k: usize, top_p: f64, seed: u64) -> Sampler {
    Sampler::new(Sampling {
        temperature,
        top_k,
        top_p,
        seed,
    })
    .expect("sensible")
}

/// Probabilities of the tokens `kept`, by the formula p_i = exp(l_i / T) / Σ exp(l_j / T).
fn plain(temperature: f64, kept: &[usize]) -> Vec<f64> {
    let e = |t: usize| (f64::from(LOGITS[t]) / temperature).exp();
    let sum: f64 = kept.iter().map(|&t| e(t)).sum();
    (0..LOGITS.len())
        .map(|t| if kept.contains(&t) { e(t) / sum } else { 0.0 })
        .collect()
}

/// Pearson's statistic over 20,000 positions stays below the 99.99th percentile for 5 degrees (25.7), and a token
/// of probability 0 is never drawn.
fn agrees(mut sampler: Sampler, want: &[f64]) {
    let n = 20_000;
    let mut count = vec![0u32; LOGITS.len()];
    for at in 0..n {
        count[sampler.pick(&LOGITS, at).expect("draws")] += 1;
    }
    let mut chi = 0.0;
    for (c, p) in count.iter().zip(want) {
        if *p == 0.0 {
            assert_eq!(*c, 0, "{count:?}");
        } else {
            let e = p * n as f64;
            chi += (f64::from(*c) - e).powi(2) / e;
        }
    }
    assert!(chi < 25.7, "{chi}: {count:?} for {want:?}");
}

#[test]
fn temperature_is_a_softmax() {
    for t in [0.5, 1.0, 3.0] {
        agrees(sampler(t, 0, 1.0, 1), &plain(t, &[0, 1, 2, 3, 4]));
    }
}

#[test]
fn zero_temperature_takes_the_first_of_the_best() {
    let mut greedy = sampler(0.0, 3, 0.1, 9);
    assert_eq!(greedy.pick(&LOGITS, 0).expect("draws"), 2);
    assert_eq!(greedy.pick(&[1.0, 4.0, 4.0], 7).expect("draws"), 1);
}

#[test]
fn top_k_keeps_the_k_best() {
    agrees(sampler(1.0, 1, 1.0, 2), &plain(1.0, &[2]));
    agrees(sampler(1.0, 2, 1.0, 2), &plain(1.0, &[2, 4]));
    // Tokens 0 and 3 are equally likely; the first comes first.
    agrees(sampler(2.0, 3, 1.0, 2), &plain(2.0, &[0, 2, 4]));
    agrees(sampler(1.0, 99, 1.0, 2), &plain(1.0, &[0, 1, 2, 3, 4]));
}

/// Probabilities at temperature 1: token 2 0.541, 4 0.220, 0 and 3 0.0988, 1 0.0220 (they sum to 0.98…1).
#[test]
fn top_p_keeps_the_least_number_that_reaches_p() {
    let p = plain(1.0, &[0, 1, 2, 3, 4]);
    agrees(sampler(1.0, 0, 1e-9, 3), &plain(1.0, &[2]));
    agrees(sampler(1.0, 0, p[2] - 1e-6, 3), &plain(1.0, &[2]));
    agrees(sampler(1.0, 0, p[2] + 1e-6, 3), &plain(1.0, &[2, 4]));
    agrees(
        sampler(1.0, 0, p[2] + p[4] + 1e-6, 3),
        &plain(1.0, &[0, 2, 4]),
    );
    // After top-k, shares are of what top-k left.
    let two = plain(1.0, &[2, 4]);
    agrees(sampler(1.0, 2, two[2] - 1e-6, 3), &plain(1.0, &[2]));
    agrees(sampler(1.0, 2, two[2] + 1e-6, 3), &plain(1.0, &[2, 4]));
}

#[test]
fn a_draw_depends_on_seed_and_position_only() {
    let row = |s: &mut Sampler, at: &[usize]| -> Vec<usize> {
        at.iter()
            .map(|&p| s.pick(&LOGITS, p).expect("draws"))
            .collect()
    };
    let (forth, back): (Vec<usize>, Vec<usize>) = ((0..64).collect(), (0..64).rev().collect());
    let a = row(&mut sampler(1.0, 0, 1.0, 4), &forth);
    let mut b = row(&mut sampler(1.0, 0, 1.0, 4), &back);
    b.reverse();
    assert_eq!(a, b);
    assert_ne!(a, row(&mut sampler(1.0, 0, 1.0, 5), &forth));
}

#[test]
fn nonsense_is_refused() {
    let new = |temperature, top_p| {
        Sampler::new(Sampling {
            temperature,
            top_p,
            ..Sampling::default()
        })
    };
    for (t, p) in [
        (-1.0, 1.0),
        (f64::NAN, 1.0),
        (f64::INFINITY, 1.0),
        (1.0, 0.0),
        (1.0, 1.5),
        (1.0, f64::NAN),
    ] {
        assert!(new(t, p).is_err(), "{t} {p}");
    }
    let mut s = sampler(1.0, 0, 1.0, 0);
    assert!(
        s.pick(&[0.0, f32::NAN], 0)
            .expect_err("NaN")
            .0
            .contains("token 1")
    );
    assert!(s.pick(&[f32::INFINITY], 0).is_err());
    assert!(s.pick(&[f32::NEG_INFINITY; 3], 0).is_err());
    assert!(s.pick(&[], 0).is_err());
}
