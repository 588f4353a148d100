//! Long causal convolutions of a plan, by real FFT along time, channels last.
//!
//! Sixteen channels (a cache line) are gathered at a time into rows of length N ≥ 2·len − 1, so that nothing
//! wraps around; spectra of the kernel serve every row of the batch. All three variants are one pattern:
//! forward `F·X`, transpose `conj(F)·X`, kernel gradient `Σ_b G_b·conj(X_b)`.
//! Invariant: all memory and FFT plans are made in `new`; a run allocates nothing.

use crate::block::{Block, round_up};
use crate::extent::Line;
use crate::transform::{LANES, Shared, Transform, lanes};
use crate::{Pool, Result, fail};
use realfft::num_complex::Complex32;
use seqc_abi::{Conv, Sizes};

pub struct Convolution {
    f: usize,
    x: usize,
    out: usize,
    batch: usize,
    len: usize,
    channels: usize,
    transpose: bool,
    kernel_grad: bool,
    /// Of length N.
    transform: Transform,
    /// `[channels, N/2 + 1]`: the kernel's spectra (unused by the kernel gradient).
    spectra: Block,
    /// One workspace a thread, `work_bytes` apart.
    work: Block,
    work_bytes: usize,
}

/// One thread's memory: rows of reals, spectra, the FFT's own scratch.
struct Work<'a> {
    rows: &'a mut [f32],
    other: &'a mut [f32],
    spectrum: &'a mut [Complex32],
    second: &'a mut [Complex32],
    sums: &'a mut [Complex32],
    scratch: &'a mut [Complex32],
}

impl Convolution {
    /// `lens`: elements of each buffer. Errors if a buffer is too short for the sizes.
    pub fn new(c: &Conv, sizes: &Sizes, lens: &[usize], threads: usize) -> Result<Convolution> {
        let line = Line::new([&c.batch, &c.len, &c.channels], sizes)?;
        let (kernel, whole) = (line.kernel(), line.whole());
        let (f, out) = if c.kernel_grad {
            (whole, kernel)
        } else {
            (kernel, whole)
        };
        line.fits(
            "a convolution",
            &[(c.f, f), (c.x, whole), (c.out, out)],
            lens,
        )?;
        let Line {
            batch,
            len,
            channels,
        } = line;
        let size = fast_size(2 * len.max(1) - 1);
        let transform = Transform::new(size);
        let (scratch, half) = (transform.scratch_len(), transform.half());
        let reals = 2 * LANES * size;
        let complexes = (2 + LANES) * half + scratch;
        let work_bytes = round_up(4 * reals + 8 * complexes);
        let total = work_bytes.and_then(|n| n.checked_mul(threads));
        let spectra = if c.kernel_grad {
            Some(0)
        } else {
            channels.checked_mul(8 * half)
        };
        let (Some(work_bytes), Some(total), Some(spectra)) = (work_bytes, total, spectra) else {
            fail!("a convolution of length {len} over {channels} channels is too large");
        };
        let (spectra, work) = (Block::new(spectra)?, Block::new(total)?);
        let Conv {
            f,
            x,
            out,
            transpose,
            kernel_grad,
            ..
        } = *c;
        Ok(Convolution {
            f,
            x,
            out,
            batch,
            len,
            channels,
            transpose,
            kernel_grad,
            transform,
            spectra,
            work,
            work_bytes,
        })
    }

    /// # Safety
    /// `ptrs` are the plan's buffers, of the lengths given to `new`, and nobody else uses them meanwhile; the
    /// pool has at most the threads given to `new`; one run at a time.
    pub unsafe fn run(&self, ptrs: &[*mut u8], pool: &Pool) {
        let [f, x, out] = [self.f, self.x, self.out].map(|b| Shared(ptrs[b].cast()));
        let blocks = self.channels.div_ceil(LANES);
        if self.len == 0 {
            return;
        }
        if self.kernel_grad {
            pool.run(blocks as u64, 1, |me, lo, hi| {
                // SAFETY: the pool runs one task at a time under each of its numbers.
                let mut work = unsafe { self.work(me) };
                // SAFETY: the caller's promise; tasks are of different channels.
                (lo as usize..hi as usize).for_each(|b| unsafe {
                    self.gradient(f.get(), x.get(), out.get(), b, &mut work)
                });
            });
            return;
        }
        pool.run(blocks as u64, 1, |me, lo, hi| {
            // SAFETY: the pool runs one task at a time under each of its numbers.
            let mut work = unsafe { self.work(me) };
            (lo as usize..hi as usize)
                // SAFETY: the caller's promise; tasks are of different channels.
                .for_each(|b| unsafe { self.kernel_spectra(f.get(), b, &mut work) });
        });
        pool.run((self.batch * blocks) as u64, 1, |me, lo, hi| {
            // SAFETY: the pool runs one task at a time under each of its numbers.
            let mut work = unsafe { self.work(me) };
            for task in lo as usize..hi as usize {
                // SAFETY: the caller's promise; tasks are of different sequences or channels.
                unsafe {
                    self.convolve(x.get(), out.get(), task / blocks, task % blocks, &mut work)
                };
            }
        });
    }

    /// Thread `me`'s workspace.
    ///
    /// # Safety
    /// Each thread number is used by one thread at a time.
    #[allow(clippy::mut_from_ref)]
    unsafe fn work(&self, me: usize) -> Work<'_> {
        let (size, half) = (self.transform.size, self.transform.half());
        assert!(
            (me + 1) * self.work_bytes <= self.work.bytes(),
            "more threads than were planned for"
        );
        // SAFETY: inside the block by the assertion and by `new`, which computed `work_bytes` from these lengths; the
        // 4·2·LANES·N bytes of reals keep the complex numbers aligned.
        unsafe {
            let base = self.work.ptr().add(me * self.work_bytes);
            let reals = base.cast::<f32>();
            let complexes = reals.add(2 * LANES * size).cast::<Complex32>();
            let scratch = self.transform.scratch_len();
            Work {
                rows: std::slice::from_raw_parts_mut(reals, LANES * size),
                other: std::slice::from_raw_parts_mut(reals.add(LANES * size), LANES * size),
                spectrum: std::slice::from_raw_parts_mut(complexes, half),
                second: std::slice::from_raw_parts_mut(complexes.add(half), half),
                sums: std::slice::from_raw_parts_mut(complexes.add(2 * half), LANES * half),
                scratch: std::slice::from_raw_parts_mut(complexes.add((2 + LANES) * half), scratch),
            }
        }
    }

    /// Copies `[len, lanes]` into rows of length N, zeros behind.
    unsafe fn gather(&self, from: *const f32, block: usize, rows: &mut [f32]) {
        let own = lanes(block, self.channels);
        for t in 0..self.len {
            for c in 0..own {
                rows[c * self.transform.size + t] =
                    // SAFETY: `t` and the channel are inside of the buffer, by the caller's promise.
                    unsafe { *from.add(t * self.channels + block * LANES + c) };
            }
        }
        rows.chunks_exact_mut(self.transform.size)
            .for_each(|row| row[self.len..].fill(0.0));
    }

    unsafe fn scatter(&self, rows: &[f32], block: usize, to: *mut f32) {
        let own = lanes(block, self.channels);
        for t in 0..self.len {
            for c in 0..own {
                // SAFETY: `t` and the channel are inside of the buffer; no other task has these channels.
                unsafe {
                    *to.add(t * self.channels + block * LANES + c) =
                        rows[c * self.transform.size + t]
                };
            }
        }
    }

    fn spectrum_of(&self, row: &mut [f32], to: &mut [Complex32], scratch: &mut [Complex32]) {
        self.transform.spectrum_of(row, to, scratch);
    }

    fn signal_of(&self, spectrum: &mut [Complex32], to: &mut [f32], scratch: &mut [Complex32]) {
        self.transform.signal_of(spectrum, to, scratch);
        let scale = self.transform.scale();
        to[..self.len].iter_mut().for_each(|v| *v *= scale);
    }

    /// # Safety
    /// Each channel's spectrum is written by one thread, and read only after.
    unsafe fn spectrum_at(&self, channel: usize) -> *mut Complex32 {
        // SAFETY: the block holds a spectrum for each channel.
        unsafe {
            self.spectra
                .ptr()
                .cast::<Complex32>()
                .add(channel * (self.transform.half()))
        }
    }

    unsafe fn kernel_spectra(&self, f: *const f32, block: usize, work: &mut Work) {
        // SAFETY: the caller's promise.
        unsafe { self.gather(f, block, work.rows) };
        for (c, row) in work
            .rows
            .chunks_exact_mut(self.transform.size)
            .take(lanes(block, self.channels))
            .enumerate()
        {
            // SAFETY: a channel's spectrum has this length, and this task alone writes it.
            let to = unsafe {
                std::slice::from_raw_parts_mut(
                    self.spectrum_at(block * LANES + c),
                    self.transform.half(),
                )
            };
            self.spectrum_of(row, to, work.scratch);
        }
    }

    unsafe fn convolve(
        &self,
        x: *const f32,
        out: *mut f32,
        batch: usize,
        block: usize,
        work: &mut Work,
    ) {
        let start = batch * self.len * self.channels;
        // SAFETY: `start` is where the sequence begins in its buffer.
        unsafe { self.gather(x.add(start), block, work.rows) };
        for (c, row) in work
            .rows
            .chunks_exact_mut(self.transform.size)
            .take(lanes(block, self.channels))
            .enumerate()
        {
            // SAFETY: a channel's spectrum has this length; all were written before.
            let f = unsafe {
                std::slice::from_raw_parts(
                    self.spectrum_at(block * LANES + c),
                    self.transform.half(),
                )
            };
            self.spectrum_of(row, work.spectrum, work.scratch);
            if self.transpose {
                work.spectrum
                    .iter_mut()
                    .zip(f)
                    .for_each(|(x, f)| *x *= f.conj());
            } else {
                work.spectrum.iter_mut().zip(f).for_each(|(x, f)| *x *= f);
            }
            self.signal_of(work.spectrum, row, work.scratch);
        }
        // SAFETY: `start` is where the sequence begins in its buffer.
        unsafe { self.scatter(work.rows, block, out.add(start)) };
    }

    unsafe fn gradient(
        &self,
        g: *const f32,
        x: *const f32,
        out: *mut f32,
        block: usize,
        work: &mut Work,
    ) {
        let half = self.transform.half();
        work.sums.fill(Complex32::default());
        for batch in 0..self.batch {
            let start = batch * self.len * self.channels;
            // SAFETY: `start` is where the sequence begins in both buffers.
            unsafe {
                self.gather(g.add(start), block, work.rows);
                self.gather(x.add(start), block, work.other);
            }
            for c in 0..lanes(block, self.channels) {
                let span = c * self.transform.size..(c + 1) * self.transform.size;
                self.spectrum_of(&mut work.rows[span.clone()], work.spectrum, work.scratch);
                self.spectrum_of(&mut work.other[span], work.second, work.scratch);
                let sums = &mut work.sums[c * half..(c + 1) * half];
                let pairs = work.spectrum.iter().zip(work.second.iter());
                sums.iter_mut()
                    .zip(pairs)
                    .for_each(|(s, (g, x))| *s += g * x.conj());
            }
        }
        for c in 0..lanes(block, self.channels) {
            let sums = &mut work.sums[c * half..(c + 1) * half];
            self.signal_of(
                sums,
                &mut work.rows[c * self.transform.size..(c + 1) * self.transform.size],
                work.scratch,
            );
        }
        // SAFETY: the caller's promise.
        unsafe { self.scatter(work.rows, block, out) };
    }
}

/// The smallest even number at least `least` that has no prime factor above 5: fast to transform.
fn fast_size(least: usize) -> usize {
    let smooth = |mut n: usize| {
        for p in [2, 3, 5] {
            while n.is_multiple_of(p) {
                n /= p;
            }
        }
        n == 1
    };
    let mut n = least.max(2).next_multiple_of(2);
    while !smooth(n) {
        n += 2;
    }
    n
}

#[cfg(test)]
#[path = "conv_tests.rs"]
mod tests;
