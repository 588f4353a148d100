use super::*;
use crate::draw;
use seqc_abi::{Dim, Init};

fn random(n: usize, key: u64) -> Vec<f32> {
    draw(&Init::Normal { std: 1.0 }, &[n], key, 0).expect("sound")
}

/// A convolution run position by position, its state written as a plan would.
struct Case {
    batch: usize,
    len: usize,
    channels: usize,
    f: Vec<f32>,
    all: Vec<f32>,
    past: Vec<f32>,
    made: Online,
    pool: std::sync::Arc<Pool>,
}

impl Case {
    fn new(batch: usize, len: usize, channels: usize) -> Case {
        let [b, l, c] = [batch, len, channels].map(|n| Dim::Const(n as u64));
        let launch = seqc_abi::Online {
            f: 0,
            past: 1,
            x: 2,
            pos: 3,
            out: 4,
            batch: b,
            len: l,
            channels: c,
        };
        let (row, whole) = (batch * channels, batch * len * channels);
        let lens = [len * channels, whole, row, 1, row];
        Case {
            batch,
            len,
            channels,
            f: random(len * channels, 1),
            all: random(whole, 2),
            // What lies behind the present must not be read.
            past: vec![f32::NAN; whole],
            made: Online::new(&launch, &Sizes::new(), &lens, 3).expect("in range"),
            pool: Pool::new(3),
        }
    }

    fn row(&self, b: usize, t: usize) -> std::ops::Range<usize> {
        let at = (b * self.len + t) * self.channels;
        at..at + self.channels
    }

    /// Inputs that were read without this launch.
    fn read(&mut self, positions: std::ops::Range<usize>) {
        for (b, t) in (0..self.batch).flat_map(|b| positions.clone().map(move |t| (b, t))) {
            let row = self.row(b, t);
            self.past[row.clone()].copy_from_slice(&self.all[row]);
        }
    }

    /// One position: the relative distance of its outputs from direct sums in f64.
    fn step(&mut self, t: usize) -> f64 {
        let x: Vec<f32> = (0..self.batch)
            .flat_map(|b| self.all[self.row(b, t)].to_vec())
            .collect();
        let (mut x, mut pos) = (x, [t as f32]);
        let mut out = vec![f32::NAN; self.batch * self.channels];
        let ptrs = [
            self.f.as_mut_ptr().cast(),
            self.past.as_mut_ptr().cast(),
            x.as_mut_ptr().cast(),
            pos.as_mut_ptr().cast(),
            out.as_mut_ptr().cast(),
        ];
        // SAFETY: buffers of the lengths given to `new`.
        unsafe { self.made.run(&ptrs, &self.pool) };
        self.read(t..t + 1);
        let (mut off, mut size) = (0.0, 0.0);
        for (b, c) in (0..self.batch).flat_map(|b| (0..self.channels).map(move |c| (b, c))) {
            let term = |s: usize| {
                let f = f64::from(self.f[(t - s) * self.channels + c]);
                f * f64::from(self.all[self.row(b, s).start + c])
            };
            let want: f64 = (0..=t).map(term).sum();
            off += (f64::from(out[b * self.channels + c]) - want).powi(2);
            size += want * want;
        }
        (off / size.max(1e-300)).sqrt()
    }
}

fn close(d: f64, what: &str) {
    // A few channels at one position: sums that cancel have no better relative error.
    assert!(d < 2e-5, "{what}: {d:.1e}");
}

#[test]
fn every_position_is_the_direct_sum() {
    for (batch, len, channels) in [(1, 1, 1), (2, 2, 3), (3, 17, 16), (1, 131, 17), (2, 530, 5)] {
        let mut case = Case::new(batch, len, channels);
        for t in 0..len {
            let d = case.step(t);
            close(d, &format!("[{batch}, {len}, {channels}] at {t}"));
        }
    }
}

/// A prompt of any length that something else has read, and a jump back.
#[test]
fn it_begins_at_any_position() {
    for prompt in [1, 2, 31, 32, 63, 64, 65, 127, 128, 200, 255, 256, 299] {
        let mut case = Case::new(2, 301, 18);
        case.read(0..prompt);
        for t in prompt..301 {
            let d = case.step(t);
            close(d, &format!("prompt {prompt} at {t}"));
        }
        let d = case.step(prompt);
        close(d, &format!("prompt {prompt} again"));
    }
}

#[test]
fn another_kernel_or_state_is_seen_after_forgetting() {
    let mut case = Case::new(1, 200, 4);
    (0..130).for_each(|t| close(case.step(t), "before"));
    case.f = random(200 * 4, 7);
    case.all = random(200 * 4, 8);
    case.read(0..130);
    case.made.forget();
    for t in 130..200 {
        let d = case.step(t);
        close(d, &format!("at {t}"));
    }
}

#[test]
fn no_position_behind_the_state() {
    let mut case = Case::new(1, 8, 2);
    (0..8).for_each(|t| close(case.step(t), "before"));
    let mut pos = [8.0f32];
    let (mut x, mut out) = ([1.0f32; 2], [0.0f32; 2]);
    let ptrs = [
        case.f.as_mut_ptr().cast(),
        case.past.as_mut_ptr().cast(),
        x.as_mut_ptr().cast(),
        pos.as_mut_ptr().cast(),
        out.as_mut_ptr().cast(),
    ];
    // SAFETY: buffers of the lengths given to `new`.
    unsafe { case.made.run(&ptrs, &case.pool) };
    assert!(out.iter().all(|y| y.is_nan()));
}
