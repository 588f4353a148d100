//! Owned memory for tensors: 64-byte aligned, zeroed, its pages touched, with a line of slack behind it.
//!
//! Invariant: the address never changes while the block lives, so a pointer taken from it stays good.

use crate::{Result, fail};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// Alignment of every buffer: a cache line, and the widest vector.
pub const ALIGN: usize = 64;

/// `bytes` rounded up to [`ALIGN`]; `None` if that overflows.
pub fn round_up(bytes: usize) -> Option<usize> {
    bytes.checked_next_multiple_of(ALIGN)
}

pub struct Block {
    at: NonNull<u8>,
    layout: Layout,
    bytes: usize,
}

// SAFETY: a block is plain owned memory; access to it is governed by borrows of its owner.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    /// Zeroed memory. The error says how much was asked for.
    pub fn new(bytes: usize) -> Result<Block> {
        let padded = round_up(bytes).and_then(|n| n.checked_add(ALIGN));
        let Some(layout) = padded.and_then(|n| Layout::from_size_align(n, ALIGN).ok()) else {
            fail!("{bytes} bytes are more than any machine has");
        };
        // SAFETY: the layout's size is at least ALIGN, never zero.
        match NonNull::new(unsafe { alloc_zeroed(layout) }) {
            Some(at) => Ok(Block { at, layout, bytes }),
            None => fail!("out of memory: {bytes} bytes were asked for"),
        }
    }

    pub fn ptr(&self) -> *mut u8 {
        self.at.as_ptr()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn f32(&self) -> &[f32] {
        // SAFETY: aligned, initialised (zeroed) and of this length; any bits are an f32.
        unsafe { std::slice::from_raw_parts(self.ptr().cast(), self.bytes / 4) }
    }

    pub fn f32_mut(&mut self) -> &mut [f32] {
        // SAFETY: as for `f32`, and `&mut self` keeps others away.
        unsafe { std::slice::from_raw_parts_mut(self.ptr().cast(), self.bytes / 4) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout by `new`.
        unsafe { dealloc(self.ptr(), self.layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_and_zeroed() {
        for bytes in [0, 1, 63, 64, 65, 4096] {
            let block = Block::new(bytes).expect("small");
            assert_eq!(block.ptr() as usize % ALIGN, 0);
            assert!(block.f32().iter().all(|&x| x == 0.0));
            assert_eq!(block.f32().len(), bytes / 4);
        }
    }

    #[test]
    fn absurd_sizes_are_errors() {
        assert!(Block::new(usize::MAX).is_err());
        assert!(Block::new(usize::MAX / 2).is_err());
    }
}
