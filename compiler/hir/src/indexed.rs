//! Equations over indices: matrices `M[i,j] = … where …` and kernels `f[lag] = … where …`.
//!
//! Outside of its domain an entry is 0. A kernel is computed on both sides of lag 0, unless its domain says
//! `lag >= c` with c >= 0 (then only lag = +l) or `lag <= c` with c <= 0.

use crate::elab::Elab;
use crate::reach::Bound;
use crate::scope::{Index, Scope};
use crate::stat::Stat;
use crate::time::Use;
use crate::value::{Dyn, Kernel, Matrix, Val};
use seqc_algebra::{Axis, MapFn};
use seqc_syntax::ast::{Arg, BinaryOp, Equation, Expr, ExprKind, Name, UnaryOp};
use seqc_syntax::{Diagnostic, Span};
use std::collections::BTreeMap;

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
        inner.bounds = self.bounds(&mut inner, eq.domain.as_ref());
        let Some(mut v) = self.eval_dyn(&mut inner, &eq.value) else {
            return Val::Poison;
        };
        if !v.masked
            && let Some(domain) = &eq.domain
        {
            let Some(masked) = self.outside_zero(&mut inner, v, domain) else {
                return Val::Poison;
            };
            v = masked;
        }
        v.zero.extend(inner.bounds.iter().cloned());
        v.masked = eq.domain.is_some();
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
        let (low, high) = self.lag_range(&mut inner, &index.text, eq.domain.as_ref());
        let mut sides = [None, None];
        for ahead in [false, true] {
            let empty = if ahead {
                low.is_some_and(|l| l >= 0)
            } else {
                high.is_some_and(|h| h < 0)
            };
            if empty {
                continue;
            }
            inner.ahead = ahead;
            let Some(v) = self.kernel_side(s, &mut inner, eq, lag, ahead, (low, high)) else {
                return Val::Poison;
            };
            sides[usize::from(ahead)] = Some(v);
        }
        let [causal, ahead] = sides;
        Val::Kernel(Kernel {
            lag,
            causal,
            ahead,
            least: low.unwrap_or(0).max(0),
        })
    }

    fn kernel_side(
        &mut self,
        s: &Scope<'p>,
        inner: &mut Scope<'p>,
        eq: &'p Equation,
        lag: Axis,
        ahead: bool,
        (low, high): (Option<i64>, Option<i64>),
    ) -> Option<Dyn> {
        let mut v = self.eval_dyn(inner, &eq.value)?;
        if let Some(domain) = &eq.domain
            && !(low == Some(0) && high.is_none() && !ahead && only_from_zero(domain))
        {
            v = self.outside_zero(inner, v, domain)?;
        }
        if ahead {
            // Lag 0 belongs to the other side.
            let (at, zero) = (self.iota(lag, eq.span)?, self.number(0.0));
            let behind = self.map2(MapFn::Gt, &at, &zero, eq.span)?;
            v = self.select(&behind, &v, &zero, eq.span)?;
        }
        self.leftover(s, &v, &[lag], eq.value.span)?;
        Some(v)
    }

    fn indexed_scope(&self, s: &Scope<'p>, eq: &'p Equation) -> Scope<'p> {
        let mut inner = s.clone();
        inner.domain = eq.domain.as_ref();
        inner.strict = true;
        inner.sink = None;
        inner
    }

    /// `Select(domain, v, 0)`
    fn outside_zero(&mut self, s: &mut Scope<'p>, v: Dyn, domain: &'p Expr) -> Option<Dyn> {
        let kept = s.domain.take();
        let mask = self.eval(s, domain);
        s.domain = kept;
        if let Val::Stat(Stat::Bool(true)) = mask {
            return Some(v);
        }
        let mask = self.dynamic(mask, domain.span)?;
        let zero = self.number(0.0);
        let mut out = self.select(&mask, &v, &zero, domain.span)?;
        out.zero = v.zero;
        Some(out)
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

    /// `small <= big + by` for each conjoined affine condition.
    pub fn bounds(&mut self, s: &mut Scope<'p>, domain: Option<&'p Expr>) -> Vec<Bound> {
        let mut out = Vec::new();
        for (terms, constant) in domain.map(|d| self.conditions(s, d)).unwrap_or_default() {
            // terms + constant <= 0
            let plus: Vec<_> = terms.iter().filter(|(_, c)| **c == 1).collect();
            let minus: Vec<_> = terms.iter().filter(|(_, c)| **c == -1).collect();
            if let ([(small, _)], [(big, _)], 2) = (plus.as_slice(), minus.as_slice(), terms.len())
                && let (Some(a), Some(b)) = (self.axis_called(s, small), self.axis_called(s, big))
                && constant.is_finite()
                // Positions of different clocks are different times; blocks bound from above only.
                && a.size == b.size
                && !small.contains('/')
            {
                out.push(Bound {
                    small: a.name,
                    big: b.name,
                    by: (-constant).floor() as i64,
                });
            }
        }
        out
    }

    /// What a term of a condition counts: an index, a clock, or blocks of one (`i/4`, as ticks of 4 steps).
    fn axis_called(&self, s: &Scope<'p>, name: &str) -> Option<Axis> {
        if let Some((of, size)) = name.split_once('/') {
            let (of, size) = (self.axis_called(s, of)?, size.parse().ok()?);
            return Some(Axis {
                name: of.name,
                size: of.size.tiled(size),
            });
        }
        let index = s.indices.get(name).map(|i| i.axis);
        index.or_else(|| s.clocks.get(name).copied())
    }

    /// Least and greatest lag that a domain leaves.
    fn lag_range(
        &mut self,
        s: &mut Scope<'p>,
        lag: &str,
        domain: Option<&'p Expr>,
    ) -> (Option<i64>, Option<i64>) {
        let (mut low, mut high) = (None, None);
        for (terms, constant) in domain.map(|d| self.conditions(s, d)).unwrap_or_default() {
            match (terms.get(lag), terms.len()) {
                (Some(1), 1) => {
                    high = Some(high.map_or((-constant).floor() as i64, |h: i64| {
                        h.min((-constant).floor() as i64)
                    }))
                }
                (Some(-1), 1) => {
                    low = Some(low.map_or(constant.ceil() as i64, |l: i64| {
                        l.max(constant.ceil() as i64)
                    }))
                }
                _ => {}
            }
        }
        (low, high)
    }

    /// The conjoined conditions that are affine in indices, as `Σ c·index + constant <= 0`.
    fn conditions(&mut self, s: &mut Scope<'p>, e: &'p Expr) -> Vec<(BTreeMap<String, i64>, f64)> {
        match &e.kind {
            ExprKind::Binary {
                op: BinaryOp::And,
                left,
                right,
            } => {
                let mut out = self.conditions(s, left);
                out.extend(self.conditions(s, right));
                out
            }
            ExprKind::Binary {
                op: op @ (BinaryOp::Le | BinaryOp::Lt | BinaryOp::Ge | BinaryOp::Gt | BinaryOp::Eq),
                left,
                right,
            } => {
                let (Some(l), Some(r)) = (self.affine_form(s, left), self.affine_form(s, right))
                else {
                    return vec![];
                };
                let forward = minus(&l, &r);
                let backward = minus(&r, &l);
                // Indices are whole: a < b is a + 1 <= b (if the constants are).
                let strict = |(t, c): (BTreeMap<String, i64>, f64)| {
                    if c.fract() == 0.0 {
                        (t, c + 1.0)
                    } else {
                        (t, c)
                    }
                };
                match op {
                    BinaryOp::Le => vec![forward],
                    BinaryOp::Lt => vec![strict(forward)],
                    BinaryOp::Ge => vec![backward],
                    BinaryOp::Gt => vec![strict(backward)],
                    _ => vec![forward, backward],
                }
            }
            _ => vec![],
        }
    }

    fn affine_form(
        &mut self,
        s: &mut Scope<'p>,
        e: &'p Expr,
    ) -> Option<(BTreeMap<String, i64>, f64)> {
        match &e.kind {
            ExprKind::Name(n)
                if s.indices.contains_key(&n.text)
                    || (s.clocks.contains_key(&n.text) && !s.names.contains_key(&n.text)) =>
            {
                Some((BTreeMap::from([(n.text.clone(), 1)]), 0.0))
            }
            ExprKind::Call(c) if c.name.text == "block" => {
                let [Arg::Positional(of), Arg::Positional(size)] = c.args.as_slice() else {
                    return None;
                };
                let (ExprKind::Name(n), size) = (&of.kind, self.quiet_static(s, size)?) else {
                    return None;
                };
                let known = s.indices.contains_key(&n.text) || s.clocks.contains_key(&n.text);
                let size = size.as_size().filter(|n| known && *n > 0)?;
                let term = format!("{}/{size}", n.text);
                Some((BTreeMap::from([(term, 1)]), 0.0))
            }
            ExprKind::Binary {
                op: BinaryOp::Add,
                left,
                right,
            } => {
                let (l, r) = (self.affine_form(s, left)?, self.affine_form(s, right)?);
                let negative = (r.0.into_iter().map(|(k, c)| (k, -c)).collect(), -r.1);
                Some(minus(&l, &negative))
            }
            ExprKind::Binary {
                op: BinaryOp::Sub,
                left,
                right,
            } => {
                let (l, r) = (self.affine_form(s, left)?, self.affine_form(s, right)?);
                Some(minus(&l, &r))
            }
            ExprKind::Unary {
                op: UnaryOp::Neg,
                operand,
            } => {
                let zero = (BTreeMap::new(), 0.0);
                let v = self.affine_form(s, operand)?;
                Some(minus(&zero, &v))
            }
            _ => self
                .quiet_static(s, e)
                .map(|st| (BTreeMap::new(), st.as_f64())),
        }
    }
}

type Affine = (BTreeMap<String, i64>, f64);

fn minus(a: &Affine, b: &Affine) -> Affine {
    let mut terms = a.0.clone();
    for (k, c) in &b.0 {
        *terms.entry(k.clone()).or_insert(0) -= c;
    }
    terms.retain(|_, c| *c != 0);
    (terms, a.1 - b.1)
}

/// Is the domain just `lag >= 0`, which the causal side fulfils by construction?
fn only_from_zero(domain: &Expr) -> bool {
    !matches!(
        &domain.kind,
        ExprKind::Binary {
            op: BinaryOp::And | BinaryOp::Or,
            ..
        }
    )
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
