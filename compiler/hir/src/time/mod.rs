//! Reads at written times: `x[t-1]`, `x[t - range(taps)]`, `q[i]`, `M[t,j]`, `f[lag]`, `x[first]`.
//!
//! An index is a base (now, an index, the first or last step) plus a constant, ranges of axes and a lag. Whatever
//! lies outside of a document reads 0 (a state: its start); the forms built here are exact at both ends.
//! Here is what an index is and which read it asks for; the reads themselves are a file each.

mod at;
mod blocks;
mod entry;
mod inside;
mod terms;
mod uses;
mod window;

use crate::elab::Elab;
use crate::exists::{Domain, Outside};
use crate::reach::{Bound, Reach};
use crate::scope::{Index, Scope};
use crate::value::{Dyn, Kernel, Val};
use seqc_algebra::Axis;
use seqc_syntax::ast::{Expr, ExprKind};
use seqc_syntax::{Diagnostic, Span};
pub(crate) use uses::{Use, mentions, names_at_own_rate, names_in};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Base {
    Now(Axis),
    Bound(Axis),
    /// The tick of so many positions that an index lies in.
    Block(Axis, usize),
    First,
    Last,
}

/// `base + c ± range(a) … ± lag`
#[derive(Debug, Default)]
struct TimeIndex {
    base: Option<Base>,
    c: i64,
    ranges: Vec<(bool, Vec<Axis>)>,
    lag: Option<(bool, Axis)>,
}

impl<'p> Elab<'p> {
    pub(crate) fn lag_in_scope(&self, s: &Scope<'p>) -> Option<Index> {
        s.indices.values().find(|i| i.lag).copied()
    }

    pub(crate) fn index(
        &mut self,
        s: &mut Scope<'p>,
        base: &'p Expr,
        index: &'p [Expr],
        span: Span,
    ) -> Val {
        let mut at = Vec::new();
        for e in index {
            let mut ti = TimeIndex::default();
            if self.time_index(s, e, true, &mut ti, e).is_none() {
                return Val::Poison;
            }
            at.push(ti);
        }
        if let [one] = at.as_slice()
            && let Some(v) = self.loop_read(s, base, one, span)
        {
            return v;
        }
        if let [step, source] = at.as_slice()
            && let Some(v) = self.family_read(s, base, (step, source), span)
        {
            return v;
        }
        let strict = std::mem::replace(&mut s.strict, false);
        let value = self.loose(s, base);
        s.strict = strict;
        match (value, at.as_slice()) {
            (Val::Poison, _) => Val::Poison,
            (Val::Matrix(m), [row, col]) => self
                .entry(s, &m, [row, col], span)
                .map_or(Val::Poison, Val::Dyn),
            (Val::Kernel(k), [one]) => {
                let plain = one.base.is_none() && one.c == 0 && one.ranges.is_empty();
                match one.lag {
                    Some((true, lag)) if plain => {
                        self.at_lag(s, &k, lag, span).map_or(Val::Poison, Val::Dyn)
                    }
                    Some(_) => {
                        self.not_built("a kernel read at another lag than its sum's index", span);
                        Val::Poison
                    }
                    None => self.wrong_index("a kernel is read at a lag", span),
                }
            }
            (Val::Dyn(v), [one]) => {
                let start = self.start_of(s, base);
                self.at(s, &v, one, start.as_ref(), span)
                    .map_or(Val::Poison, Val::Dyn)
            }
            (Val::Stat(st), [one]) => {
                let v = self.number(st.as_f64());
                self.at(s, &v, one, None, span)
                    .map_or(Val::Poison, Val::Dyn)
            }
            (Val::Matrix(_), _) => self.wrong_index("a matrix takes two indices", span),
            (_, [_]) => self.wrong_index("this has no time to be read at", span),
            _ => self.wrong_index("only a matrix takes two indices", span),
        }
    }

    fn wrong_index(&mut self, why: &str, span: Span) -> Val {
        self.report(Diagnostic::error("E19", why.to_owned(), span));
        Val::Poison
    }

    /// `f[lag]`, on the side of lag that is being summed.
    fn at_lag(&mut self, s: &Scope<'p>, k: &Kernel, lag: Axis, span: Span) -> Option<Dyn> {
        let (side, other) = match s.ahead {
            true => (&k.ahead, &k.causal),
            false => (&k.causal, &k.ahead),
        };
        let mut out = match (side, other) {
            (Some(v), _) => self.rename_if(v, k.lag, lag, span)?,
            (None, other) => self.nowhere(other.as_ref(), lag, span)?,
        };
        if s.everywhere {
            out.domains.clear();
        }
        Some(out)
    }

    /// A value that does not exist, with the features of another.
    pub(crate) fn nowhere(&mut self, like: Option<&Dyn>, over: Axis, span: Span) -> Option<Dyn> {
        let (zero, axes) = (self.number(0.0), like.map(|v| self.features(v)));
        let mut out = self.expand(&zero, &axes.unwrap_or_default(), span)?;
        out.index = like.and_then(|v| v.index.clone());
        out.domains = vec![Domain {
            over: vec![over],
            conditions: [zero].into(),
            outside: Outside::Zero,
        }];
        Some(out)
    }

    /// What a state reads before the first step.
    fn start_of(&self, s: &Scope<'p>, base: &Expr) -> Option<Dyn> {
        match &base.kind {
            ExprKind::Name(n) => s.names.get(&n.text).and_then(|n| n.start.clone()),
            _ => None,
        }
    }

    /// The reach of a value whose axis is summed away.
    pub(crate) fn summed(&self, v: &Dyn, axis: Axis, bounds: &[Bound]) -> Reach {
        if axis.is_const() {
            v.reach.clone()
        } else {
            v.reach.summed(axis, bounds)
        }
    }
}
