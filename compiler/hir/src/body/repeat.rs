//! `repeat`: its statements again and again, each time with the names that the last one rebound.

use crate::budget::unfolded;
use crate::elab::{Elab, MAX_REPEAT};
use crate::reads::assigned;
use crate::scope::{Scope, Static};
use crate::stat::Stat;
use seqc_syntax::Diagnostic;
use seqc_syntax::ast::{Count, Repeat};
use std::collections::{BTreeSet, HashSet};

impl<'p> Elab<'p> {
    pub(super) fn repeat(&mut self, s: &mut Scope<'p>, r: &'p Repeat) {
        let (count, span) = match &r.count {
            Count::Literal { value, span } => (usize::try_from(*value).ok(), *span),
            Count::Name(n) => match s.statics.get(&n.text).map(|st| st.value) {
                Some(v) => (v.as_size(), n.span),
                None => {
                    self.unknown(s, n);
                    return;
                }
            },
        };
        let Some(count) = count.filter(|n| *n <= MAX_REPEAT) else {
            let d = Diagnostic::error(
                "E27",
                format!("a `repeat` runs 0 to {MAX_REPEAT} times"),
                span,
            );
            self.report(d);
            return;
        };
        // Refused before it is written out.
        if !self.may_spend(unfolded(s, r, count), span) {
            return;
        }
        let carried: BTreeSet<String> = assigned(&r.body.stmts)
            .into_iter()
            .filter(|n| s.names.contains_key(n))
            .collect();
        let wanted: HashSet<String> = carried.iter().cloned().collect();
        let home = r
            .label
            .as_ref()
            .map_or_else(|| s.home.clone(), |l| s.home.join(&l.text));
        for k in 0..count {
            let mut inner = s.clone();
            inner.home = home.join(&k.to_string());
            inner.outer = s.names.keys().cloned().collect();
            if let Some(c) = &r.counter {
                inner.statics.insert(
                    c.text.clone(),
                    Static {
                        value: Stat::int(k as i128),
                        span: c.span,
                        formula: k.to_string(),
                    },
                );
            }
            let before = self.errors();
            self.body(&mut inner, &r.body.stmts, &wanted);
            s.clocks.extend(inner.clocks.drain());
            for name in &carried {
                if let Some(v) = inner.names.remove(name) {
                    s.names.insert(name.clone(), v);
                }
            }
            if self.errors() > before || self.spent.over {
                break;
            }
        }
    }
}
