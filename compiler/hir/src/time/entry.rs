//! Entries of a matrix: `M[t,j]`, `M[i-1,j]`, `M[j,i]`.

use super::{Base, TimeIndex};
use crate::elab::Elab;
use crate::reread::{Moves, To};
use crate::scope::Scope;
use crate::value::{Dyn, Matrix};
use seqc_algebra::Axis;
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
        if let [first, second] = targets.as_slice()
            && first.1 == second.1
        {
            let moves = [first, second].map(|(from, to, by)| (*from, To::At(*to, *by)));
            out = self.diagonal(&out, &moves, span)?;
            targets.clear();
        }
        if let [first, second] = targets.as_mut_slice() {
            // `M[j,i]`: through a name that nothing else has.
            if first.1 == second.0 && first.0 != first.1 {
                let through = second.0.renamed(&format!("{}~", second.0.name));
                if self.has(&out, second.0) {
                    out = self.rename(&out, second.0, through, span)?;
                }
                second.0 = through;
            }
        }
        for (from, to, by) in targets {
            if self.has(&out, from) || out.domains.iter().any(|d| d.touches(&[from])) {
                out = self.moved_entry(&out, from, (to, by), span)?;
            }
        }
        if s.everywhere {
            out.domains.clear();
        }
        Some(out)
    }

    /// A matrix with one of its indices at another, so many steps further.
    fn moved_entry(
        &mut self,
        v: &Dyn,
        from: Axis,
        (to, by): (Axis, i64),
        span: Span,
    ) -> Option<Dyn> {
        let mut plain = v.clone();
        plain.domains.clear();
        let mut out = match self.has(v, from) {
            true => {
                let out = self.rename_if(&plain, from, to, span)?;
                self.shift(&out, to, -by, None, span)?
            }
            false => plain,
        };
        out.domains = self.domains_at(&v.domains, &[(from, To::At(to, by))], span)?;
        if by != 0 {
            out.zero = self.zero_of(&out.domains);
        }
        out.index = v.index.clone();
        Some(out)
    }

    /// `M[t,t]`, `M[i,i-1]`: both indices at one.
    fn diagonal(&mut self, v: &Dyn, moves: &Moves, span: Span) -> Option<Dyn> {
        let mut out = self.reread(v, moves, span)?;
        let domains = self.domains_at(&v.domains, moves, span)?;
        // Entries beyond the ends are 0, whatever a function makes of reads there.
        let mut inside = Vec::new();
        for (_, to) in moves.iter() {
            inside.extend(self.within(*to, span)?);
        }
        out = self.only_where(&out, inside, span)?;
        out.zero = self.zero_of(&domains);
        (out.domains, out.index) = (domains, v.index.clone());
        Some(out)
    }
}
