//! One row written into a state, in place: the two sides of the state are one block.

use crate::{Error, Result, fail};
use seqc_abi::Sizes;

pub struct Append {
    to: usize,
    x: usize,
    pos: usize,
    batch: usize,
    len: usize,
    channels: usize,
}

impl Append {
    /// `lens`: elements of each buffer. Errors if a buffer is too short for the sizes.
    pub fn new(a: &seqc_abi::Append, sizes: &Sizes, lens: &[usize]) -> Result<Append> {
        let eval = |d: &seqc_abi::Dim| -> Result<usize> {
            usize::try_from(d.eval(sizes)?).map_err(|_| Error("a state's size is too large".into()))
        };
        let (batch, len, channels) = (eval(&a.batch)?, eval(&a.len)?, eval(&a.channels)?);
        let row = batch.checked_mul(channels);
        let whole = row.and_then(|n| n.checked_mul(len));
        for (buffer, need) in [(a.from, whole), (a.to, whole), (a.x, row), (a.pos, Some(1))] {
            if need.is_none_or(|n| n > lens[buffer]) {
                fail!(
                    "a state [{batch}, {len}, {channels}] reaches outside buffer {buffer} of {} elements",
                    lens[buffer]
                );
            }
        }
        Ok(Append {
            to: a.to,
            x: a.x,
            pos: a.pos,
            batch,
            len,
            channels,
        })
    }

    /// # Safety
    /// `ptrs` are the plan's buffers, of the lengths given to `new`, and nobody else uses them meanwhile.
    pub unsafe fn run(&self, ptrs: &[*mut u8]) {
        let at = |b: usize| ptrs[b].cast::<f32>();
        let pos = unsafe { *at(self.pos) }.round();
        if !(0.0..self.len as f32).contains(&pos) {
            return;
        }
        for b in 0..self.batch {
            let row = b * self.len + pos as usize;
            unsafe {
                let to = at(self.to).add(row * self.channels);
                let from = at(self.x).add(b * self.channels);
                std::ptr::copy_nonoverlapping(from, to, self.channels);
            }
        }
    }
}
