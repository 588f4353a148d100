//! Sums over lags: `sum[lag](f[lag] * x[t - lag])`.
//!
//! A sum has two sides, lag = +l with l >= 0 and lag = -l with l >= 1. A side on which no term exists is left out, so
//! that a kernel with a domain gives its sum the same sides, however deep in the term it is read.

use crate::elab::Elab;
use crate::exists::{Domain, Outside};
use crate::product::Product;
use crate::reach::Reach;
use crate::reduce::Kind;
use crate::scope::Scope;
use crate::value::Dyn;
use seqc_algebra::{Axis, MapFn, Op};
use seqc_syntax::Span;
use seqc_syntax::ast::{Call, Expr};

impl<'p> Elab<'p> {
    pub(crate) fn over_lags(
        &mut self,
        s: &mut Scope<'p>,
        kind: Kind,
        c: &'p Call,
        operand: &'p Expr,
        span: Span,
    ) -> Option<Dyn> {
        if kind != Kind::Sum {
            self.not_built("a reduction other than `sum` over lags", span);
            return None;
        }
        let side = s.ahead;
        let mut total: Option<Dyn> = None;
        for ahead in [false, true] {
            s.ahead = ahead;
            let part = self.reduce(s, kind, c, operand, span);
            s.ahead = side;
            let part = part?;
            total = Some(match total {
                None => part,
                Some(t) => self.map2(MapFn::Add, &t, &part, span)?,
            });
        }
        total
    }

    /// The factors of a sum over a lag: a function of what is read at the lag is made before it is read there.
    pub(crate) fn before_lags(&mut self, s: &Scope<'p>, product: &mut Product, axes: &[Axis]) {
        let lags = s.indices.values().filter(|i| i.lag).map(|i| i.axis);
        let lags: Vec<Axis> = lags.filter(|a| axes.contains(a)).collect();
        for lag in lags {
            for (f, at) in &mut product.factors {
                if let Some(early) = self.before_lag(f, lag, *at) {
                    *f = early;
                }
            }
        }
    }

    /// The factor as a read at the lag, if it exists only where what it reads there does.
    fn before_lag(&mut self, f: &Dyn, lag: Axis, span: Span) -> Option<Dyn> {
        let [d] = f.domains.as_slice() else {
            return None;
        };
        let [time] = d.over.iter().filter(|a| **a != lag).collect::<Vec<_>>()[..] else {
            return None;
        };
        if matches!(d.outside, Outside::Number(_)) || !d.over.contains(&lag) {
            return None;
        }
        let mut out = self.unwindowed(f, *time, lag, span)?;
        out.zero = self.bounds(&d.conditions);
        out.domains = vec![Domain {
            outside: Outside::Zero,
            ..d.clone()
        }];
        Some(out)
    }

    /// What is read at `t - lag` has a domain: the lags that reach a step of the document.
    pub(crate) fn read_at_lag(
        &mut self,
        v: &Dyn,
        (time, lag): (Axis, Axis),
        ahead: bool,
        span: Span,
    ) -> Option<Dyn> {
        let axis = time;
        let mut out = self.emit(Op::Window { axis, lag, ahead }, &[v], span)?;
        out.index = v.index.clone();
        out.reach = if ahead {
            v.reach.whole_axis(time.name)
        } else {
            v.reach.lagging(time.name, lag.name)
        };
        let (by, now) = (self.iota(lag, span)?, self.iota(time, span)?);
        let inside = if ahead {
            let (there, len) = (
                self.map2(MapFn::Add, &now, &by, span)?,
                self.length(time, span),
            );
            let len = self.dynamic(len, span)?;
            self.map2(MapFn::Lt, &there, &len, span)?
        } else {
            self.map2(MapFn::Le, &by, &now, span)?
        };
        out.zero.extend(self.bounds(std::slice::from_ref(&inside)));
        out.domains.push(Domain {
            over: vec![lag, time],
            conditions: [inside].into(),
            outside: Outside::Zero,
        });
        Some(out)
    }

    /// The reach of a sum over a lag: what was read at the lag lies at least the least lag back.
    pub(crate) fn arrived(&self, reach: &Reach, lag: Axis, exist: &[Dyn]) -> Reach {
        let least = self.facts(exist).unwrap_or_default().least;
        let least = least.get(&lag.name).copied().unwrap_or(0);
        reach.arrived(lag, least)
    }
}
