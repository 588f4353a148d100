//! Equations over indices: matrices `M[i,j] = … where …` and kernels `f[lag] = … where …`.
//!
//! Outside of its domain an entry is 0. A kernel is computed on both sides of lag 0, lag = +l and lag = -l; a side on which
//! its domain leaves nothing is dropped.

use crate::elab::Elab;
use crate::exists::{Domain, Outside};
use crate::scope::{Index, Scope};
use crate::time::Use;
use crate::value::{Dyn, Kernel, Matrix, Val};
use seqc_algebra::Axis;
use seqc_syntax::ast::{Equation, Expr, Name};
use seqc_syntax::{Diagnostic, Span};

impl<'p> Elab<'p> {
    /// `M[i,j] = …`
    pub fn matrix(&mut self, s: &mut Scope<'p>, eq: &'p Equation, index: &'p [Name]) -> Val {
        let mut axes = Vec::new();
        for n in index {
            let used = self.find_use(s, &n.text, &eq.value).or_else(|| {
                eq.domain
                    .as_ref()
                    .and_then(|d| self.find_use(s, &n.text, d))
            });
            let over = match used {
                Some(Use::Time(a) | Use::Lag(a)) => a,
                None => s.now(),
            };
            axes.push(self.index_over(s, over, &n.text));
        }
        let mut inner = self.indexed_scope(s, eq);
        for (n, a) in index.iter().zip(&axes) {
            inner.indices.insert(
                n.text.clone(),
                Index {
                    axis: *a,
                    lag: false,
                },
            );
        }
        let Some(v) = self.eval_dyn(&mut inner, &eq.value) else {
            return Val::Poison;
        };
        let Some(v) = self.inside(&mut inner, v, eq, &axes, vec![]) else {
            return Val::Poison;
        };
        if self.leftover(s, &v, &axes, eq.value.span).is_none() {
            return Val::Poison;
        }
        Val::Matrix(Matrix {
            value: v,
            index: axes,
        })
    }

    /// What an index runs over, from its uses; the mixer's own clock if they do not say.
    pub(crate) fn runs_over(&self, s: &Scope<'p>, index: &str, e: &Expr) -> Axis {
        match self.find_use(s, index, e) {
            Some(Use::Time(a) | Use::Lag(a)) => a,
            None => s.now(),
        }
    }

    /// `f[lag] = …`
    pub fn kernel(&mut self, s: &mut Scope<'p>, eq: &'p Equation, index: &'p Name) -> Val {
        let over = self.runs_over(s, &index.text, &eq.value);
        let lag = self.index_over(s, over, &index.text);
        let mut inner = self.indexed_scope(s, eq);
        inner.indices.insert(
            index.text.clone(),
            Index {
                axis: lag,
                lag: true,
            },
        );
        let mut sides = [None, None];
        for ahead in [false, true] {
            inner.ahead = ahead;
            let Some(v) = self.kernel_side(s, &mut inner, eq, lag) else {
                return Val::Poison;
            };
            let from = inner.first_lag();
            let gone = |d: &Domain| !matches!(d.outside, Outside::Number(_));
            let empty = (v.domains.iter()).any(|d| gone(d) && self.never(&d.conditions, from));
            sides[usize::from(ahead)] = (!empty).then_some(v);
        }
        let [causal, ahead] = sides;
        Val::Kernel(Kernel { lag, causal, ahead })
    }

    fn kernel_side(
        &mut self,
        s: &Scope<'p>,
        inner: &mut Scope<'p>,
        eq: &'p Equation,
        lag: Axis,
    ) -> Option<Dyn> {
        let v = self.eval_dyn(inner, &eq.value)?;
        let also = match inner.ahead {
            // Lag 0 belongs to the other side.
            true => vec![self.first_of_lag(lag, eq.span)?],
            false => vec![],
        };
        let v = self.inside(inner, v, eq, &[lag], also)?;
        self.leftover(s, &v, &[lag], eq.value.span)?;
        Some(v)
    }

    /// The entries of an equation over indices: 0 outside of its domain, which is what its `where` says, and where what
    /// it is a function of exists.
    fn inside(
        &mut self,
        s: &mut Scope<'p>,
        v: Dyn,
        eq: &'p Equation,
        over: &[Axis],
        mut written: Vec<Dyn>,
    ) -> Option<Dyn> {
        if let Some(domain) = &eq.domain {
            written.extend(self.conditions(s, domain)?);
        }
        let mut all: Vec<Dyn> = (written.iter())
            .filter(|c| !self.zero_outside(&v, std::slice::from_ref(*c)))
            .cloned()
            .collect();
        let nothing = v.domains.iter().filter(|d| d.outside == Outside::Nothing);
        all.extend(nothing.flat_map(|d| d.conditions.iter().cloned()));
        let span = eq.domain.as_ref().map_or(eq.value.span, |d| d.span);
        let mut out = self.only_where(&v, all, span)?;
        out.index = v.index.clone();
        out.domains
            .retain(|d| !d.conditions.iter().all(|c| self.implied(c, &written)));
        for d in &mut out.domains {
            if d.outside == Outside::Nothing {
                d.outside = Outside::Zero;
            }
        }
        out.zero.extend(self.bounds(&written));
        if !written.is_empty() {
            out.domains.push(Domain {
                over: over.to_vec(),
                conditions: written.into(),
                outside: Outside::Zero,
            });
        }
        Some(out)
    }

    fn indexed_scope(&self, s: &Scope<'p>, eq: &'p Equation) -> Scope<'p> {
        let mut inner = s.clone();
        inner.domain = eq.domain.as_ref();
        inner.strict = true;
        inner.sink = None;
        inner
    }

    /// E18: an index that is neither summed nor on the left side; E17: a bare time.
    pub fn leftover(&mut self, s: &Scope<'p>, v: &Dyn, allowed: &[Axis], span: Span) -> Option<()> {
        let extra = self
            .times(v)
            .into_iter()
            .find(|a| !allowed.contains(a) && !s.extras.contains(a));
        let Some(extra) = extra else { return Some(()) };
        let name = crate::elab::plain(extra.name.as_str());
        let d = if s.is_clock(extra) {
            Diagnostic::error(
                "E17",
                format!(
                    "a sequence is read at `{name}` in an equation over {}",
                    indices(allowed)
                ),
                span,
            )
            .help(format!("read it at {}", indices(allowed)))
        } else {
            Diagnostic::error("E18", format!("`{name}` is not summed"), span).help(format!(
                "sum over it, `sum[{name}](…)`, or put it on the left side"
            ))
        };
        self.report(d);
        None
    }
}

fn indices(axes: &[Axis]) -> String {
    let names: Vec<String> = axes
        .iter()
        .map(|a| format!("`[{}]`", crate::elab::plain(a.name.as_str())))
        .collect();
    if names.is_empty() {
        "no index".into()
    } else {
        names.join(" or ")
    }
}
