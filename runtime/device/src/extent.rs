//! Sizes of a launch, and whether its buffers hold what it reads and writes: checked once, when a plan is instantiated.

use crate::{Error, Result, fail};
use seqc_abi::{Dim, Sizes};

/// One size.
pub fn extent(dim: &Dim, sizes: &Sizes) -> Result<usize> {
    let n = dim.eval(sizes)?;
    usize::try_from(n).map_err(|_| Error(format!("size {n} is too large")))
}

/// `[batch, len, channels]` of a launch along time.
pub struct Line {
    pub batch: usize,
    pub len: usize,
    pub channels: usize,
}

impl Line {
    pub fn new([batch, len, channels]: [&Dim; 3], sizes: &Sizes) -> Result<Line> {
        Ok(Line {
            batch: extent(batch, sizes)?,
            len: extent(len, sizes)?,
            channels: extent(channels, sizes)?,
        })
    }

    /// Elements of `[batch, len, channels]`; `None` if they overflow.
    pub fn whole(&self) -> Option<usize> {
        self.kernel()?.checked_mul(self.batch)
    }

    /// Elements of `[len, channels]`.
    pub fn kernel(&self) -> Option<usize> {
        self.len.checked_mul(self.channels)
    }

    /// Elements of `[batch, channels]`.
    pub fn row(&self) -> Option<usize> {
        self.batch.checked_mul(self.channels)
    }

    /// Errors if a buffer is shorter than what is needed of it. `lens`: elements of each buffer.
    pub fn fits(&self, what: &str, wants: &[(usize, Option<usize>)], lens: &[usize]) -> Result<()> {
        let short = |w: &&(usize, Option<usize>)| w.1.is_none_or(|n| n > lens[w.0]);
        if let Some((buffer, _)) = wants.iter().find(short) {
            let Line {
                batch,
                len,
                channels,
            } = self;
            fail!(
                "{what} [{batch}, {len}, {channels}] reaches outside buffer {buffer} of {} elements",
                lens[*buffer]
            );
        }
        Ok(())
    }
}
