//! Entries of a matrix: `M[t,j]`, `M[i-1,j]`, `M[j,i]`.

use super::{Base, TimeIndex};
use crate::elab::Elab;
use crate::scope::Scope;
use crate::value::{Dyn, Matrix};
use seqc_syntax::{Diagnostic, Span};

impl<'p> Elab<'p> {
    /// `M[row, col]`
    pub(super) fn entry(
        &mut self,
        s: &Scope<'p>,
        m: &Matrix,
        at: [&TimeIndex; 2],
        span: Span,
    ) -> Option<Dyn> {
        let mut out = m.value.clone();
        let mut targets = Vec::new();
        for (k, ti) in at.iter().enumerate() {
            if let Some(Base::Block(of, size)) = ti.base {
                out = self.entry_at_block(&out, m.index[k], ti, (of, size), span)?;
                continue;
            }
            let to = match ti.base {
                Some(Base::Now(a)) if ti.ranges.is_empty() && ti.lag.is_none() => {
                    self.clock_like(s, m.index[k], a)
                }
                Some(Base::Bound(a)) if ti.ranges.is_empty() && ti.lag.is_none() => a,
                _ => {
                    self.wrong_index(
                        "a matrix is read at `t` or a bound index, plus a constant",
                        span,
                    );
                    return None;
                }
            };
            if to.size != m.index[k].size {
                let d = Diagnostic::error(
                    "E20",
                    format!(
                        "index {} of the matrix runs on clock `{}`, `{}` on `{}`",
                        k + 1,
                        m.index[k].size,
                        to.name,
                        to.size
                    ),
                    span,
                );
                self.report(d);
                return None;
            }
            targets.push((m.index[k], to, ti.c));
        }
        if let [first, second] = targets.as_mut_slice() {
            if first.1 == second.1 {
                self.not_built("reading the diagonal of a matrix", span);
                return None;
            }
            // `M[j,i]`: through a name that nothing else has.
            if first.1 == second.0 && first.0 != first.1 {
                let through = second.0.renamed(&format!("{}~", second.0.name));
                if self.has(&out, second.0) {
                    out = self.rename(&out, second.0, through, span)?;
                }
                second.0 = through;
            }
        }
        for (from, to, c) in targets {
            if self.has(&out, from) {
                out = if from == to {
                    out
                } else {
                    self.rename(&out, from, to, span)?
                };
                out = self.shift(&out, to, -c, None, span)?;
            }
        }
        let masked = m.value.masked;
        out.masked = masked;
        Some(out)
    }
}
