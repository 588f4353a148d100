//! The frame of a kernel: arguments, sizes and locals, and the loop over its cells.

use super::index::At;
use super::{Emit, Result, flags};
use cranelift::prelude::*;

impl Emit<'_, '_> {
    /// `fn(bufs, dims, lo, hi, scratch)`: runs the cells `lo..hi` of the flattened grid, the last axis fastest.
    pub fn cells(&mut self) -> Result<()> {
        let kernel = self.kernel;
        let entry = self.b.create_block();
        self.b.append_block_params_for_function_params(entry);
        self.b.switch_to_block(entry);
        let params = self.b.block_params(entry).to_vec();
        let [bufs, dims, lo, hi, scratch] = params[..] else {
            return Err("a kernel's function has five parameters".into());
        };
        let still = flags().with_readonly().with_can_move();
        for i in 0..kernel.args.len() {
            let p = self.b.ins().load(types::I64, still, bufs, offset(i, 8)?);
            self.args.push(p);
        }
        for i in 0..kernel.dims.len() {
            let d = self.b.ins().load(types::I64, still, dims, offset(i, 8)?);
            self.dims.push(d);
        }
        let mut at = 0usize;
        for l in &kernel.locals {
            let p = self.b.ins().iadd_imm_s(scratch, at as i64);
            self.locals.push(p);
            let bytes = l
                .len
                .checked_mul(4)
                .and_then(|b| b.checked_next_multiple_of(64));
            at = bytes
                .and_then(|b| b.checked_add(at))
                .filter(|b| *b <= i64::MAX as usize)
                .ok_or("its locals are too long")?;
        }
        let mut extents = vec![];
        for (_, extent) in &kernel.grid {
            let e = self.uniform(extent)?;
            extents.push(e);
        }
        self.for_loop(lo, hi, 1, &[], |e, cell, _| {
            e.cell(cell, &extents)?;
            e.block(&kernel.body)?;
            Ok(vec![])
        })?;
        self.b.ins().return_(&[]);
        Ok(())
    }

    /// Binds the grid's variables for a cell.
    fn cell(&mut self, cell: Value, extents: &[Value]) -> Result<()> {
        let mut rest = cell;
        for ((var, _), extent) in self.kernel.grid.iter().zip(extents).skip(1).rev() {
            // Cells are not negative, and run only if no extent is 0.
            let q = self.b.ins().udiv(rest, *extent);
            let back = self.b.ins().imul(q, *extent);
            let r = self.b.ins().isub(rest, back);
            self.vars.insert(*var, At::value(r));
            rest = q;
        }
        if let Some((var, _)) = self.kernel.grid.first() {
            self.vars.insert(*var, At::value(rest));
        }
        Ok(())
    }
}

fn offset(i: usize, size: usize) -> Result<i32> {
    i.checked_mul(size)
        .and_then(|n| i32::try_from(n).ok())
        .ok_or_else(|| "it has too many arguments".into())
}
