//! The terms of a reduction: which exist, and which a sum has to leave out.

use crate::elab::Elab;
use crate::exists::{Domain, Outside};
use crate::product::Product;
use crate::scope::Scope;
use crate::value::Dyn;
use seqc_algebra::{Axis, MapFn, Op};
use seqc_syntax::{Diagnostic, Span};

/// The terms of one reduction, by conditions.
pub struct Terms {
    /// Hold for the terms that exist.
    pub exist: Vec<Dyn>,
    /// Those of them that a sum has to be told: the others are 0 where they do not hold.
    pub summed: Vec<Dyn>,
    /// The same for a mean, which leaves out what a sum sees as numbers.
    pub averaged: Vec<Dyn>,
    /// Hold where a term of a sum is not 0.
    pub sure: Vec<Dyn>,
    /// No term exists.
    pub none: bool,
    /// The domains of what is reduced that are used up.
    domains: Vec<Domain>,
    /// The equation's own conditions.
    written: Vec<Dyn>,
}

impl<'p> Elab<'p> {
    /// `written`: the equation's conditions; `late`: those of what is read beyond the last step.
    pub fn terms(
        &mut self,
        s: &Scope<'p>,
        p: &Product,
        axes: &[Axis],
        (mut written, late): (Vec<Dyn>, Vec<Dyn>),
        span: Span,
    ) -> Option<Terms> {
        let from = s.first_lag().filter(|(lag, _)| axes.contains(lag));
        if let Some((lag, _)) = from {
            // Lag 0 belongs to the other side.
            written.push(self.first_of_lag(lag, span)?);
        }
        let all: Vec<&Dyn> = p.all().collect();
        let (mut domains, _) = self.after(&Op::Contract(vec![]), &all);
        domains.retain(|d| d.touches(axes));
        let zero = |c: &Dyn| {
            let one = std::slice::from_ref(c);
            all.iter().any(|f| self.zero_outside(f, one))
        };
        let mut summed: Vec<Dyn> = written.iter().filter(|c| !zero(c)).cloned().collect();
        summed.extend(late.clone());
        let mut exist: Vec<Dyn> = written.iter().cloned().chain(late).collect();
        let mut averaged = summed.clone();
        for d in &domains {
            if d.outside != Outside::Zero {
                averaged.extend(d.conditions.iter().cloned());
            }
            exist.extend(d.conditions.iter().cloned());
            if d.outside == Outside::Nothing {
                summed.extend(d.conditions.iter().cloned());
            }
        }
        let gone = |d: &Domain| !matches!(d.outside, Outside::Number(_));
        let none = (domains.iter()).any(|d| gone(d) && self.never(&d.conditions, from))
            || self.never(&written, from);
        let sure = domains
            .iter()
            .filter(|d| gone(d))
            .flat_map(|d| d.conditions.iter().cloned());
        let sure = written.iter().cloned().chain(sure).collect();
        Some(Terms {
            exist: self.pruned(exist, None),
            summed: self.pruned(summed, None),
            averaged: self.pruned(averaged, None),
            sure,
            none,
            domains,
            written,
        })
    }

    /// E30: a mean over terms some addends of which exist where others do not. What does not change along the axes has no
    /// domain of its own.
    pub fn alike(&mut self, terms: &Terms, axes: &[Axis], span: Span) -> Option<()> {
        let apart = |d: &Domain| match &d.outside {
            Outside::Number(of) => {
                of.iter().any(|a| axes.contains(a))
                    && !(d.conditions.iter()).all(|c| self.implied(c, &terms.written))
            }
            _ => false,
        };
        if !terms.domains.iter().any(apart) {
            return Some(());
        }
        let d = Diagnostic::error(
            "E30",
            "the addends of this mean have different domains",
            span,
        );
        self.report(d.help(
            "take the mean of each addend, or give them one domain by a matrix with `where`",
        ));
        None
    }

    /// A lag that is not 0.
    pub fn first_of_lag(&mut self, lag: Axis, span: Span) -> Option<Dyn> {
        let (at, zero) = (self.iota(lag, span)?, self.number(0.0));
        self.map2(MapFn::Gt, &at, &zero, span)
    }
}
