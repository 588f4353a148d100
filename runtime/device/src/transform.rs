//! Real transforms of one length, and the layout that feeds them: channels last, a cache line of them at a time.

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// Channels that one task handles together.
pub const LANES: usize = 16;

/// Addresses of an f32 buffer, handed to threads that touch disjoint parts of it.
#[derive(Clone, Copy)]
pub struct Shared(pub *mut f32);
// SAFETY: an address by itself is harmless; who uses it says why that is sound.
unsafe impl Sync for Shared {}

impl Shared {
    pub fn get(&self) -> *mut f32 {
        self.0
    }
}

/// Channels of a block of them.
pub fn lanes(block: usize, channels: usize) -> usize {
    LANES.min(channels - block * LANES)
}

#[derive(Clone)]
pub struct Transform {
    pub size: usize,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
}

impl Transform {
    pub fn new(size: usize) -> Transform {
        let mut planner = RealFftPlanner::new();
        Transform {
            size,
            forward: planner.plan_fft_forward(size),
            inverse: planner.plan_fft_inverse(size),
        }
    }

    /// Numbers of a spectrum.
    pub fn half(&self) -> usize {
        self.size / 2 + 1
    }

    pub fn scratch_len(&self) -> usize {
        let (f, i) = (&self.forward, &self.inverse);
        f.get_scratch_len().max(i.get_scratch_len())
    }

    pub fn spectrum_of(&self, row: &mut [f32], to: &mut [Complex32], scratch: &mut [Complex32]) {
        let done = self.forward.process_with_scratch(row, to, scratch);
        debug_assert!(done.is_ok(), "lengths are the plan's own");
    }

    /// Inverse transform, not scaled; the imaginary parts that a real signal does not have are dropped.
    pub fn signal_of(&self, spectrum: &mut [Complex32], to: &mut [f32], scratch: &mut [Complex32]) {
        spectrum[0].im = 0.0;
        if self.size.is_multiple_of(2) {
            spectrum[self.size / 2].im = 0.0;
        }
        let done = self.inverse.process_with_scratch(spectrum, to, scratch);
        debug_assert!(done.is_ok(), "lengths are the plan's own");
    }

    /// What [`signal_of`](Self::signal_of) leaves to be multiplied with.
    pub fn scale(&self) -> f32 {
        1.0 / self.size as f32
    }
}
