//! Long causal convolutions one position after the other, in quasilinear time (derivation calculus §2.8).
//!
//! What past inputs add to later outputs is kept beside the plan's buffers, in `ahead`. After input i (counted from 1),
//! with B the largest power of two that divides i, the block of the last B inputs is convolved with the lags below 2B
//! and added to the outputs i..i+B-1: each pair of an input and a later output is met in exactly one block, that of the
//! one index between them that is divided by the highest power of two. Small blocks are summed directly, large ones
//! by a transform of length 2B against a spectrum of the kernel that is computed once. A position costs O(log² T) a
//! channel on average, one that a high power of two divides more.
//!
//! Invariant: if `next` is p, `ahead` holds for each position from p on what the blocks up to p add to it, from the
//! inputs that the state holds. A run at any other position (the first one, or after the state was set) begins anew
//! with the blocks that reach it: the prefixes of p's binary digits. All memory and transforms are made in `new`.

use crate::block::{Block, round_up};
use crate::transform::{LANES, Shared, Transform, lanes};
use crate::{Error, Pool, Result, extent};
use realfft::num_complex::Complex32;
use seqc_abi::Sizes;
use std::cell::Cell;

/// Up to this size a block's sums are taken directly.
const DIRECT: usize = 32;
/// Multiply-adds that are worth a thread.
const GRAIN: usize = 1 << 16;

pub struct Online {
    launch: seqc_abi::Online,
    line: Line,
    next: Cell<Option<usize>>,
    /// A bit for each level whose spectra are there.
    known: Cell<u64>,
}

/// The sums to come, and what forms them.
struct Line {
    batch: usize,
    len: usize,
    channels: usize,
    /// `[batch, len, channels]`
    ahead: Block,
    levels: Vec<Level>,
    /// One workspace a thread, `work_bytes` apart.
    work: Block,
    work_bytes: usize,
}

/// Blocks of one size above [`DIRECT`].
struct Level {
    block: usize,
    transform: Transform,
    /// `[channels, block + 1]`: spectra of the kernel's first 2B lags.
    spectra: Block,
}

/// The inputs of one run.
#[derive(Clone, Copy)]
struct Inputs {
    f: Shared,
    past: Shared,
    x: Shared,
    pos: usize,
}

/// One thread's memory: rows of reals, a spectrum, the transform's own scratch.
struct Work<'a> {
    rows: &'a mut [f32],
    spectrum: &'a mut [Complex32],
    scratch: &'a mut [Complex32],
}

impl Online {
    /// `lens`: elements of each buffer. Errors if a buffer is too short for the sizes.
    pub fn new(
        o: &seqc_abi::Online,
        sizes: &Sizes,
        lens: &[usize],
        threads: usize,
    ) -> Result<Online> {
        let line = extent::Line::new([&o.batch, &o.len, &o.channels], sizes)?;
        let wants = [
            (o.f, line.kernel()),
            (o.past, line.whole()),
            (o.x, line.row()),
            (o.out, line.row()),
            (o.pos, Some(1)),
        ];
        line.fits("a convolution", &wants, lens)?;
        Ok(Online {
            launch: o.clone(),
            line: Line::new(line.batch, line.len, line.channels, threads)?,
            next: Cell::new(None),
            known: Cell::new(0),
        })
    }

    /// The state or the kernel is another one from now on.
    pub fn forget(&self) {
        self.next.set(None);
        self.known.set(0);
    }

    /// # Safety
    /// `ptrs` are the plan's buffers, of the lengths given to `new`, and nobody else uses them meanwhile; the
    /// pool has at most the threads given to `new`; one run at a time.
    pub unsafe fn run(&self, ptrs: &[*mut u8], pool: &Pool) {
        let (o, line) = (&self.launch, &self.line);
        let at = |b: usize| Shared(ptrs[b].cast());
        // SAFETY: a buffer of one number, as `new` has checked.
        let pos = unsafe { *at(o.pos).get() }.round();
        let out = at(o.out);
        if !(0.0..line.len as f32).contains(&pos) {
            // SAFETY: the state has no such position.
            unsafe { std::slice::from_raw_parts_mut(out.get(), line.batch * line.channels) }
                .fill(f32::NAN);
            return self.next.set(None);
        }
        let inputs = Inputs {
            f: at(o.f),
            past: at(o.past),
            x: at(o.x),
            pos: pos as usize,
        };
        // SAFETY: the caller's promise; `pos` is a position of the state.
        unsafe {
            if self.next.get() != Some(inputs.pos) {
                self.begin(inputs, pool);
            }
            line.now(inputs, out.get());
            self.block(inputs, inputs.pos + 1, inputs.pos + 1, pool);
        }
        self.next.set(Some(inputs.pos + 1));
    }

    /// All that the inputs so far add to the position `pos` and those after it, up to the blocks to come.
    ///
    /// # Safety
    /// As for [`run`](Self::run).
    unsafe fn begin(&self, inputs: Inputs, pool: &Pool) {
        // SAFETY: the caller's promise.
        unsafe { self.line.clear() };
        let mut end = inputs.pos;
        while end > 0 {
            // SAFETY: the caller's promise; blocks end at `pos` or before.
            unsafe { self.block(inputs, end, inputs.pos, pool) };
            end &= end - 1;
        }
    }

    /// The block that ends before `end`, for outputs at `from` or later.
    ///
    /// # Safety
    /// As for [`run`](Self::run).
    unsafe fn block(&self, inputs: Inputs, end: usize, from: usize, pool: &Pool) {
        let size = 1 << end.trailing_zeros();
        if from >= self.line.len.min(end + size) {
            return;
        }
        let level = self.line.levels.iter().position(|l| l.block == size);
        match level {
            // SAFETY: the caller's promise.
            None => unsafe { self.line.direct(inputs, (end, size), from, pool) },
            Some(k) => {
                let level = &self.line.levels[k];
                if self.known.get() & (1 << k) == 0 {
                    // SAFETY: the caller's promise: one run at a time.
                    unsafe { self.line.kernel_spectra(inputs.f, level, pool) };
                    self.known.set(self.known.get() | 1 << k);
                }
                // SAFETY: the caller's promise; the spectra have just been made, or before.
                unsafe { self.line.transformed(inputs, level, end, from, pool) }
            }
        }
    }
}

impl Line {
    fn new(batch: usize, len: usize, channels: usize, threads: usize) -> Result<Line> {
        let too_large = || {
            Error(format!(
                "a convolution of length {len} over {channels} channels is too large"
            ))
        };
        let bytes = |n: Option<usize>| n.and_then(|n| n.checked_mul(4)).ok_or_else(too_large);
        let whole = batch.checked_mul(len).and_then(|n| n.checked_mul(channels));
        let ahead = Block::new(bytes(whole)?)?;
        let mut levels: Vec<Level> = vec![];
        let mut block = 2 * DIRECT;
        // A block ends at a multiple of its size, and only outputs before `len` are wanted.
        while block < len {
            let transform = Transform::new(2 * block);
            let spectra = channels.checked_mul(2 * transform.half());
            levels.push(Level {
                block,
                transform,
                spectra: Block::new(bytes(spectra)?)?,
            });
            block *= 2;
        }
        let work_bytes = match levels.last() {
            None => Some(0),
            Some(l) => {
                let complexes = l.transform.half() + longest_scratch(&levels);
                round_up(4 * LANES * l.transform.size + 8 * complexes)
            }
        };
        let work_bytes = work_bytes.ok_or_else(too_large)?;
        let work = Block::new(work_bytes.checked_mul(threads).ok_or_else(too_large)?)?;
        Ok(Line {
            batch,
            len,
            channels,
            ahead,
            levels,
            work,
            work_bytes,
        })
    }

    /// The sums of one sequence at one position, from a channel on.
    fn sums(&self, batch: usize, position: usize, channel: usize) -> *mut f32 {
        let at = (batch * self.len + position) * self.channels + channel;
        debug_assert!(at < self.ahead.bytes() / 4, "inside of the sums");
        // SAFETY: inside of the block: callers stay within its batch, positions and channels.
        unsafe { self.ahead.ptr().cast::<f32>().add(at) }
    }

    /// # Safety
    /// Nobody else uses the sums.
    unsafe fn clear(&self) {
        // SAFETY: the whole of the block; zero is a number.
        unsafe { std::ptr::write_bytes(self.ahead.ptr(), 0, self.ahead.bytes()) };
    }

    /// An input of one sequence, from a channel on: the present one, or one of the state's.
    ///
    /// # Safety
    /// `s` is at most the present position.
    unsafe fn input(&self, i: Inputs, batch: usize, s: usize, channel: usize) -> *const f32 {
        let (from, row) = match s == i.pos {
            true => (i.x, batch),
            false => (i.past, batch * self.len + s),
        };
        // SAFETY: inside of the buffer, by the caller's promise.
        unsafe { from.get().add(row * self.channels + channel) }
    }

    /// The outputs of the present position.
    ///
    /// # Safety
    /// The buffers are those of the launch.
    unsafe fn now(&self, i: Inputs, out: *mut f32) {
        for b in 0..self.batch {
            for c in 0..self.channels {
                // SAFETY: inside of the buffers, by the caller's promise.
                unsafe {
                    let own = *i.f.get().add(c) * *i.x.get().add(b * self.channels + c);
                    *out.add(b * self.channels + c) = *self.sums(b, i.pos, c) + own;
                }
            }
        }
    }

    /// Calls `each(thread, batch, block of channels)` for all of them.
    fn over_blocks(&self, work: usize, pool: &Pool, each: impl Fn(usize, usize, usize) + Sync) {
        let blocks = self.channels.div_ceil(LANES);
        let grain = (GRAIN / work.max(1)).max(1);
        pool.run((self.batch * blocks) as u64, grain as u64, |me, lo, hi| {
            (lo as usize..hi as usize).for_each(|k| each(me, k / blocks, k % blocks));
        });
    }

    /// # Safety
    /// The buffers are those of the launch.
    unsafe fn direct(&self, i: Inputs, (end, size): (usize, usize), from: usize, pool: &Pool) {
        let outputs = end.max(from)..(end + size).min(self.len);
        self.over_blocks(size * outputs.len() * LANES, pool, |_, b, block| {
            let (first, own) = (block * LANES, lanes(block, self.channels));
            for p in outputs.clone() {
                let mut sum = [0f32; LANES];
                for s in end - size..end {
                    // SAFETY: a lag below the kernel's length.
                    let f = unsafe { i.f.get().add((p - s) * self.channels + first) };
                    // SAFETY: `s` is before the block's end, at most the present position.
                    let x = unsafe { self.input(i, b, s, first) };
                    for (c, sum) in sum.iter_mut().enumerate().take(own) {
                        // SAFETY: `own` channels begin there.
                        *sum += unsafe { *f.add(c) * *x.add(c) };
                    }
                }
                let to = self.sums(b, p, first);
                for (c, sum) in sum.iter().enumerate().take(own) {
                    // SAFETY: `own` channels begin there; no other task has them.
                    unsafe { *to.add(c) += sum };
                }
            }
        });
    }

    /// # Safety
    /// The buffers are those of the launch; nobody else uses the level's spectra.
    unsafe fn kernel_spectra(&self, f: Shared, level: &Level, pool: &Pool) {
        let (t, blocks) = (&level.transform, self.channels.div_ceil(LANES));
        pool.run(blocks as u64, 1, |me, lo, hi| {
            // SAFETY: the pool runs one task at a time under each of its numbers.
            let work = unsafe { self.work(me, t) };
            for block in lo as usize..hi as usize {
                let (first, own) = (block * LANES, lanes(block, self.channels));
                let lags = t.size.min(self.len);
                // SAFETY: a lag below the kernel's length.
                let lag = |l: usize| unsafe { f.get().add(l * self.channels + first).cast_const() };
                // SAFETY: `own` channels begin at each lag.
                unsafe { gather(lag, lags, own, work.rows, t.size) };
                for (c, row) in work.rows.chunks_exact_mut(t.size).take(own).enumerate() {
                    // SAFETY: no other task has this channel, and nobody reads it yet.
                    let to = unsafe { &mut *spectrum(level, first + c) };
                    t.spectrum_of(row, to, work.scratch);
                }
            }
        });
    }

    /// # Safety
    /// The buffers are those of the launch; the level's spectra are there.
    unsafe fn transformed(&self, i: Inputs, l: &Level, end: usize, from: usize, pool: &Pool) {
        let t = &l.transform;
        let outputs = end.max(from)..(end + l.block).min(self.len);
        self.over_blocks(GRAIN, pool, |me, b, block| {
            // SAFETY: the pool runs one task at a time under each of its numbers.
            let work = unsafe { self.work(me, t) };
            let (first, own) = (block * LANES, lanes(block, self.channels));
            // SAFETY: the block ends at the present position or before.
            let input = |k: usize| unsafe { self.input(i, b, end - l.block + k, first) };
            // SAFETY: `own` channels begin at each position.
            unsafe { gather(input, l.block, own, work.rows, t.size) };
            for (c, row) in work.rows.chunks_exact_mut(t.size).take(own).enumerate() {
                t.spectrum_of(row, work.spectrum, work.scratch);
                // SAFETY: it is there, and nobody writes it any more.
                let f = unsafe { &*spectrum(l, first + c) };
                (work.spectrum.iter_mut().zip(f)).for_each(|(x, f)| *x *= f);
                t.signal_of(work.spectrum, row, work.scratch);
            }
            for p in outputs.clone() {
                let to = self.sums(b, p, first);
                for c in 0..own {
                    // Entries B..2B-1 are free of what wraps around.
                    let y = work.rows[c * t.size + l.block + p - end];
                    // SAFETY: `own` channels begin there; no other task has them.
                    unsafe { *to.add(c) += y * t.scale() };
                }
            }
        });
    }

    /// Thread `me`'s workspace.
    ///
    /// # Safety
    /// Each thread number is used by one thread at a time.
    #[allow(clippy::mut_from_ref)]
    unsafe fn work(&self, me: usize, t: &Transform) -> Work<'_> {
        assert!(
            (me + 1) * self.work_bytes <= self.work.bytes(),
            "more threads than were planned for"
        );
        let half = t.half();
        // SAFETY: inside the block by the assertion and by `new`: no level is larger than the last. The rows' bytes keep the
        // complex numbers aligned.
        unsafe {
            let base = self.work.ptr().add(me * self.work_bytes);
            let complexes = base.cast::<f32>().add(LANES * t.size).cast::<Complex32>();
            Work {
                rows: std::slice::from_raw_parts_mut(base.cast(), LANES * t.size),
                spectrum: std::slice::from_raw_parts_mut(complexes, half),
                scratch: std::slice::from_raw_parts_mut(complexes.add(half), t.scratch_len()),
            }
        }
    }
}

fn longest_scratch(levels: &[Level]) -> usize {
    let each = levels.iter().map(|l| l.transform.scratch_len());
    each.max().unwrap_or(0)
}

/// Where a channel's spectrum is. It is written by one thread, and read only after.
fn spectrum(level: &Level, channel: usize) -> *mut [Complex32] {
    let half = level.transform.half();
    debug_assert!((channel + 1) * half * 8 <= level.spectra.bytes());
    // SAFETY: inside the block, which has this many numbers for each channel.
    let at = unsafe { level.spectra.ptr().cast::<Complex32>().add(channel * half) };
    std::ptr::slice_from_raw_parts_mut(at, half)
}

/// Copies `n` rows of `own` channels into rows of channels, each `size` long, zeros behind.
///
/// # Safety
/// `from` gives the addresses of that many channels.
unsafe fn gather(
    from: impl Fn(usize) -> *const f32,
    n: usize,
    own: usize,
    rows: &mut [f32],
    size: usize,
) {
    for k in 0..n {
        let x = from(k);
        for c in 0..own {
            // SAFETY: the caller's promise.
            rows[c * size + k] = unsafe { *x.add(c) };
        }
    }
    rows.chunks_exact_mut(size)
        .for_each(|row| row[n..].fill(0.0));
}

#[cfg(test)]
#[path = "online_tests.rs"]
mod tests;
