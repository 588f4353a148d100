//! One row written into a state, in place: the two sides of the state are one block.

use crate::Result;
use crate::extent::Line;
use seqc_abi::Sizes;

pub struct Append {
    to: usize,
    x: usize,
    pos: usize,
    line: Line,
}

impl Append {
    /// `lens`: elements of each buffer. Errors if a buffer is too short for the sizes.
    pub fn new(a: &seqc_abi::Append, sizes: &Sizes, lens: &[usize]) -> Result<Append> {
        let line = Line::new([&a.batch, &a.len, &a.channels], sizes)?;
        let (whole, row) = (line.whole(), line.row());
        let wants = [(a.from, whole), (a.to, whole), (a.x, row), (a.pos, Some(1))];
        line.fits("a state", &wants, lens)?;
        Ok(Append {
            to: a.to,
            x: a.x,
            pos: a.pos,
            line,
        })
    }

    /// # Safety
    /// `ptrs` are the plan's buffers, of the lengths given to `new`, and nobody else uses them meanwhile.
    pub unsafe fn run(&self, ptrs: &[*mut u8]) {
        let at = |b: usize| ptrs[b].cast::<f32>();
        let Line {
            batch,
            len,
            channels,
        } = self.line;
        // SAFETY: a buffer of one number, as `new` has checked.
        let pos = unsafe { *at(self.pos) }.round();
        if !(0.0..len as f32).contains(&pos) {
            return;
        }
        for b in 0..batch {
            let row = b * len + pos as usize;
            // SAFETY: `pos` is below `len`, so both rows lie in their buffers, which are apart.
            unsafe {
                let to = at(self.to).add(row * channels);
                let from = at(self.x).add(b * channels);
                std::ptr::copy_nonoverlapping(from, to, channels);
            }
        }
    }
}
