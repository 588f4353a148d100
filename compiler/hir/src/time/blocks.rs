//! Reads at the block of a time: `c[block(t, b)]`, `R[i, block(j, b)]`, where what is read has a position for each block.

use super::{Base, TimeIndex};
use crate::elab::Elab;
use crate::reread::To;
use crate::scope::Scope;
use crate::value::Dyn;
use seqc_algebra::{Axis, Op, Sym};
use seqc_syntax::ast::Call;
use seqc_syntax::{Diagnostic, Span};

impl<'p> Elab<'p> {
    /// The time that `block(i, b)` counts, and the steps of a block.
    pub(super) fn block_of(
        &mut self,
        s: &mut Scope<'p>,
        c: &'p Call,
        span: Span,
    ) -> Option<(Axis, usize)> {
        let a = self.args(c, 2, false, "block(i, b)", span)?;
        let mut at = TimeIndex::default();
        self.time_index(s, a[0], true, &mut at, a[0])?;
        let plain = at.c == 0 && at.ranges.is_empty() && at.lag.is_none();
        let (Some(Base::Now(of) | Base::Bound(of)), true) = (at.base, plain) else {
            self.not_built("the block of anything but `t` or an index", a[0].span);
            return None;
        };
        let size = self.eval_static(s, a[1])?;
        match size.as_size().filter(|n| *n > 0) {
            Some(n) => Some((of, n)),
            None => {
                let d = Diagnostic::error("E28", format!("a block of {size} steps"), a[1].span);
                self.report(d.help("a block has a whole number of steps, at least 1"));
                None
            }
        }
    }

    /// A value with ticks at the block of each position of `of`.
    pub(super) fn at_block(
        &mut self,
        v: &Dyn,
        ticks: Axis,
        at: &TimeIndex,
        (of, size): (Axis, usize),
        span: Span,
    ) -> Option<Dyn> {
        if at.c != 0 || !at.ranges.is_empty() || at.lag.is_some() {
            self.not_built("a block plus something", span);
            return None;
        }
        if ticks.size != of.size.tiled(size) {
            let d = Diagnostic::error(
                "E20",
                format!(
                    "a block of {size} steps of `{}` is no position of clock `{}`",
                    of.name, ticks.name
                ),
                span,
            );
            self.report(d.help("what is read at `block(i, b)` comes from `patch[b]`"));
            return None;
        }
        if !self.has(v, ticks) {
            return Some(v.clone());
        }
        let within = Axis {
            name: Sym::new("block%"),
            size: seqc_algebra::Size::Const(size),
        };
        let wide = self.expand(v, &[within], span)?;
        let op = Op::Unpatch {
            ticks,
            within,
            axis: of,
        };
        let mut out = self.emit(op, &[&wide], span)?;
        out.reach = v.reach.renamed(ticks.name, of.name);
        out.index = v.index.clone();
        Some(out)
    }

    /// A matrix with an index over ticks, at blocks. Entries outside of the matrix's domain are 0 whatever its columns
    /// hold: what a column hangs on counts as seen from the index that bounds it.
    pub(super) fn entry_at_block(
        &mut self,
        v: &Dyn,
        index: Axis,
        at: &TimeIndex,
        block: (Axis, usize),
        span: Span,
    ) -> Option<Dyn> {
        let mut bounded = v.clone();
        if v.zero.iter().any(|b| b.small == index.name) {
            bounded.reach = v.reach.summed(index, &v.zero);
        }
        let settled = self.settled(&bounded, span)?;
        let mut out = self.at_block(&settled, index, at, block, span)?;
        out.domains = self.domains_at(
            &settled.domains,
            &[(index, To::Block(block.0, block.1))],
            span,
        )?;
        out.zero = self.zero_of(&out.domains);
        Some(out)
    }
}
