//! The bodies of loops on other axes: what is mapped over the present loses it like everything else, and states for each
//! source position lie along the cache.

use super::{Plan, ahead, clock, moves_along};
use crate::Result;
use crate::rewrite::on_other_axes;
use seqc_algebra::{Axis, Op, Scan, ValueId};

impl Plan<'_> {
    /// The loop on other axes; `id` is named if it does more along the present than being mapped over it.
    pub(super) fn mapped(
        &self,
        id: ValueId,
        scan: &Scan,
        axes: &dyn Fn(&[Axis]) -> Vec<Axis>,
    ) -> Result<Scan> {
        let body = on_other_axes(&scan.body, axes, &|op| {
            if self.moves(op) {
                return Err(ahead(self.func, id));
            }
            self.relabel(id, op.clone(), axes)
        })?;
        Ok(Scan {
            body,
            ..scan.clone()
        })
    }

    /// Does an operation inside of a loop count or move along the present?
    fn moves(&self, op: &Op) -> bool {
        let present = |a: &Axis| self.is_present(a);
        match op {
            Op::Iota(a) => present(a),
            Op::Length(size) => *size == clock().size,
            op => moves_along(op, &present),
        }
    }
}
