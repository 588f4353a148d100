//! Reductions over axes and indices: `sum[dk](q * S)`, `softmax[j](…)`, `mean[t](…)`, `sum[lag](f[lag] * v[t-lag])`.
//!
//! A sum of a product becomes one contraction of its factors; everything else a reduction. Which terms exist is in
//! [`crate::terms`]: reductions see only those, and a row without any gives 0.
//! Over a clock, what reads `t+c` has values only on steps `t < len - c`, and the reduction ranges over those.

use crate::elab::{Elab, plain};
use crate::exists::{Domain, Outside};
use crate::product::Product;
use crate::scope::{Index, Scope};
use crate::time::Use;
use crate::value::{Dyn, Val};
use seqc_algebra::{Axis, MapFn, Op, ReduceOp};
use seqc_syntax::ast::{Arg, Call, Expr, Name};
use seqc_syntax::{Diagnostic, Span};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Sum,
    Mean,
    Max,
    Min,
    Prod,
    Softmax,
    LogSumExp,
    ArgMax,
    ArgMin,
    Top,
}

pub fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "sum" => Kind::Sum,
        "mean" => Kind::Mean,
        "max" => Kind::Max,
        "min" => Kind::Min,
        "prod" => Kind::Prod,
        "softmax" => Kind::Softmax,
        "logsumexp" => Kind::LogSumExp,
        "argmax" => Kind::ArgMax,
        "argmin" => Kind::ArgMin,
        "top" => Kind::Top,
        _ => return None,
    })
}

impl<'p> Elab<'p> {
    /// `kind[group](operand)`; `top` has its count as a second argument.
    pub fn reduction(&mut self, s: &mut Scope<'p>, kind: Kind, c: &'p Call, span: Span) -> Val {
        let Some(operand) = self.operand(kind, c, span) else {
            return Val::Poison;
        };
        let bound: Vec<&'p Name> = c
            .group
            .iter()
            .filter(|n| self.is_index(s, n, operand))
            .collect();
        let mut kept = Vec::new();
        for n in &bound {
            let Some(index) = self.bind_index(s, n, operand) else {
                return Val::Poison;
            };
            kept.push((n.text.clone(), s.indices.insert(n.text.clone(), index)));
        }
        let lag = bound
            .iter()
            .any(|n| s.indices.get(&n.text).is_some_and(|i| i.lag));
        let out = if lag {
            self.over_lags(s, kind, c, operand, span)
        } else {
            self.reduce(s, kind, c, operand, span)
        };
        for (name, old) in kept {
            match old {
                Some(old) => s.indices.insert(name, old),
                None => s.indices.remove(&name),
            };
        }
        out.map_or(Val::Poison, Val::Dyn)
    }

    fn operand(&mut self, kind: Kind, c: &'p Call, span: Span) -> Option<&'p Expr> {
        let want = if kind == Kind::Top { 2 } else { 1 };
        match c.args.as_slice() {
            [Arg::Positional(x), ..] if c.args.len() == want => Some(x),
            _ => {
                let usage = if kind == Kind::Top {
                    "top[a](x, count)".to_owned()
                } else {
                    format!("{}[a](x)", c.name.text)
                };
                self.report(
                    Diagnostic::error(
                        "E28",
                        format!(
                            "`{}` takes {want} argument{}",
                            c.name.text,
                            if want == 1 { "" } else { "s" }
                        ),
                        span,
                    )
                    .help(usage),
                );
                None
            }
        }
    }

    /// A bracketed name that is no axis binds an index, unless the equation's left side already did.
    fn is_index(&mut self, s: &mut Scope<'p>, n: &Name, operand: &'p Expr) -> bool {
        if s.indices.contains_key(&n.text) || s.clocks.contains_key(&n.text) {
            return false;
        }
        s.axis(&n.text).is_none() && self.find_use(s, &n.text, operand).is_some()
    }

    fn bind_index(&mut self, s: &mut Scope<'p>, n: &Name, operand: &'p Expr) -> Option<Index> {
        if s.names.contains_key(&n.text) {
            let d = Diagnostic::error(
                "E05",
                format!("`{}` is a value here, it cannot be an index too", n.text),
                n.span,
            );
            self.report(d.help("give the index another name"));
            return None;
        }
        let (axis, lag) = match self.find_use(s, &n.text, operand)? {
            Use::Time(a) => (a, false),
            Use::Lag(a) => (a, true),
        };
        let axis = self.index_over(s, axis, &n.text);
        if lag {
            self.lags.insert(axis);
        }
        Some(Index { axis, lag })
    }

    pub(crate) fn reduce(
        &mut self,
        s: &mut Scope<'p>,
        kind: Kind,
        c: &'p Call,
        operand: &'p Expr,
        span: Span,
    ) -> Option<Dyn> {
        let everywhere = std::mem::replace(&mut s.everywhere, false);
        let product = if matches!(kind, Kind::Sum | Kind::Mean) {
            self.product(s, operand)
        } else {
            self.eval_dyn(s, operand).map(|v| Product {
                factors: vec![(v, operand.span)],
                ..Product::default()
            })
        };
        s.everywhere = everywhere;
        let mut product = product?;
        let axes = self.reduced_axes(s, c, &product, operand)?;
        self.before_lags(s, &mut product, &axes);
        let written = self.conditions_on(s, &axes)?;
        let (late, edge) = self.edge(s, &axes, operand, span)?;
        let terms = self.terms(s, &product, &axes, (written, late), span)?;
        if terms.none {
            return Some(self.number(0.0));
        }
        let seen = if kind == Kind::Sum {
            &terms.summed
        } else {
            &terms.exist
        };
        let mask = self.all_of(seen, span)?;
        let mut bounds = self.bounds(seen);
        bounds.extend(product.all().flat_map(|f| f.zero.clone()));
        let mut out = match kind {
            Kind::Sum => self.sum_of(product, &axes, mask.as_ref(), span)?,
            Kind::Mean => {
                self.alike(&terms, &axes, operand.span)?;
                let edge = edge.filter(|_| terms.exist.len() == 1);
                let count = self.count(&axes, mask.as_ref(), edge, span)?;
                let mask = self.all_of(&terms.averaged, span)?;
                let total = self.sum_of(product, &axes, mask.as_ref(), span)?;
                self.map2(MapFn::Div, &total, &count, span)?
            }
            _ => {
                let (v, _) = product.factors.into_iter().next()?;
                self.other(s, kind, c, v, &axes, mask.as_ref(), span)?
            }
        };
        let keeps = matches!(kind, Kind::Softmax | Kind::Top);
        for a in &axes {
            if a.is_const() {
                continue;
            }
            let moved = self.summed(&out, *a, &bounds);
            // A softmax entry still hangs on its own column as well as on the whole row.
            if keeps {
                out.reach.join(&moved)
            } else {
                out.reach = moved
            }
        }
        if let Some(lag) = s.indices.values().find(|i| i.lag && axes.contains(&i.axis)) {
            out.reach = self.arrived(&out.reach, lag.axis, &terms.sure);
        }
        if let (true, Some(mask)) = (keeps, &mask) {
            let mut over = self.times(mask);
            over.extend(axes.iter().filter(|a| !self.has(mask, **a)));
            out.zero = self.bounds(&terms.exist);
            out.domains.push(Domain {
                over,
                conditions: terms.exist.into(),
                outside: Outside::Zero,
            });
        }
        Some(out)
    }

    /// The axes that a reduction's brackets mean. E10 when the operand lacks one.
    fn reduced_axes(
        &mut self,
        s: &mut Scope<'p>,
        c: &'p Call,
        p: &Product,
        operand: &'p Expr,
    ) -> Option<Vec<Axis>> {
        let mut axes = Vec::new();
        if c.group.is_empty() {
            self.report(
                Diagnostic::error(
                    "E10",
                    format!("`{}` needs the axes it ranges over", c.name.text),
                    c.name.span,
                )
                .help(format!("write `{}[a](…)`", c.name.text)),
            );
            return None;
        }
        for n in &c.group {
            let time = s
                .indices
                .get(&n.text)
                .map(|i| i.axis)
                .or_else(|| s.clocks.get(&n.text).copied());
            if let Some(mut a) = time {
                // `t` of a value on a coarser clock is that clock.
                if s.is_clock(a) && !p.all().any(|f| self.has(f, a)) {
                    let coarser = p.all().map(|f| self.meant(s, f, a)).find(|m| *m != a);
                    a = coarser.unwrap_or(a);
                }
                if !p.all().any(|f| self.has(f, a)) {
                    let d = Diagnostic::error(
                        "E10",
                        format!(
                            "`{}[{}]`: the operand does not change with `{}`",
                            c.name.text, n.text, n.text
                        ),
                        n.span,
                    );
                    self.report(d.secondary(operand.span, "the operand"));
                    return None;
                }
                axes.push(a);
                continue;
            }
            let owner = p.all().find(|f| self.axis_of(s, n, f).is_some());
            match owner {
                Some(f) => axes.extend(self.axis_of(s, n, f)?),
                None => return self.lacks(s, c, n, p, operand),
            }
        }
        Some(axes)
    }

    /// E10, or E03 if the name means nothing at all.
    fn lacks(
        &mut self,
        s: &mut Scope<'p>,
        c: &Call,
        n: &Name,
        p: &Product,
        operand: &Expr,
    ) -> Option<Vec<Axis>> {
        let mut features: Vec<Axis> = Vec::new();
        for f in p.all() {
            features.extend(
                self.features(f)
                    .into_iter()
                    .filter(|a| !features.contains(a))
                    .collect::<Vec<_>>(),
            );
        }
        let near =
            seqc_syntax::did_you_mean(&n.text, features.iter().map(|a| plain(a.name.as_str())))
                .map(str::to_owned);
        let shown = Self::braces(&features);
        let mut d = Diagnostic::error(
            "E10",
            format!(
                "`{}[{}]`: operand {shown} has no `{}`",
                c.name.text, n.text, n.text
            ),
            n.span,
        );
        d = d.secondary(operand.span, format!("this is {shown}"));
        if s.axis(&n.text).is_none() && s.names.contains_key(&n.text) {
            d = d.note(format!("`{}` is a value, not an axis", n.text));
        }
        d = match near {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None if features.is_empty() => d.help("the operand has no axes to range over"),
            None => d.help(format!("name one of {shown}")),
        };
        self.report(d);
        None
    }

    #[allow(clippy::too_many_arguments)]
    fn other(
        &mut self,
        s: &mut Scope<'p>,
        kind: Kind,
        c: &'p Call,
        v: Dyn,
        axes: &[Axis],
        mask: Option<&Dyn>,
        span: Span,
    ) -> Option<Dyn> {
        if kind != Kind::Prod {
            self.need_real(&c.name.text, &v, span)?;
        }
        let least = match kind {
            Kind::Min | Kind::ArgMin => f64::INFINITY,
            Kind::Prod => 1.0,
            _ => f64::NEG_INFINITY,
        };
        let v = match mask {
            Some(m) => {
                let fill = self.number(least);
                self.select(m, &v, &fill, span)?
            }
            None => v,
        };
        let one_axis = matches!(
            kind,
            Kind::Softmax | Kind::LogSumExp | Kind::ArgMax | Kind::ArgMin | Kind::Top
        );
        let (v, axis) = if !one_axis {
            (v, axes[0])
        } else if axes.iter().all(|a| self.is_feature(*a)) {
            self.merged(&v, axes, span)?
        } else if let [one] = axes {
            (v, *one)
        } else {
            self.not_built("this reduction over several indices at once", span);
            return None;
        };
        let out = match kind {
            Kind::Max => self.emit(Op::Reduce(ReduceOp::Max, axes.to_vec()), &[&v], span)?,
            Kind::Min => self.emit(Op::Reduce(ReduceOp::Min, axes.to_vec()), &[&v], span)?,
            Kind::Prod => self.emit(Op::Reduce(ReduceOp::Prod, axes.to_vec()), &[&v], span)?,
            Kind::LogSumExp => self.emit(Op::LogSumExp(axis), &[&v], span)?,
            Kind::ArgMax | Kind::ArgMin => {
                let op = if kind == Kind::ArgMax {
                    ReduceOp::ArgMax
                } else {
                    ReduceOp::ArgMin
                };
                let mut out = self.emit(Op::Reduce(op, vec![axis]), &[&v], span)?;
                if axis.is_const() {
                    out.index = Some(axes.to_vec());
                }
                out
            }
            Kind::Softmax => {
                let out = self.emit(Op::Softmax(axis), &[&v], span)?;
                self.unmerged(out, axis, axes, span)?
            }
            _ => {
                let out = self.top(s, c, &v, axis, span)?;
                let out = self.unmerged(out, axis, axes, span)?;
                match mask {
                    Some(m) => {
                        let zero = self.number(0.0);
                        self.select(m, &out, &zero, span)?
                    }
                    None => out,
                }
            }
        };
        match mask {
            Some(m) if matches!(kind, Kind::Max | Kind::Min | Kind::LogSumExp) => {
                self.unless_empty(m, &out, axes, span)
            }
            _ => Some(out),
        }
    }

    fn unmerged(&mut self, v: Dyn, axis: Axis, axes: &[Axis], span: Span) -> Option<Dyn> {
        if axes.len() < 2 {
            Some(v)
        } else {
            self.emit(
                Op::Split {
                    axis,
                    into: axes.to_vec(),
                },
                &[&v],
                span,
            )
        }
    }

    fn top(
        &mut self,
        s: &mut Scope<'p>,
        c: &'p Call,
        v: &Dyn,
        axis: Axis,
        span: Span,
    ) -> Option<Dyn> {
        let Some(Arg::Positional(k)) = c.args.get(1) else {
            return None;
        };
        let st = self.eval_static(s, k)?;
        let Some(count) = st
            .as_size()
            .filter(|n| *n > 0 && axis.size.constant().is_none_or(|m| *n <= m))
        else {
            let d = Diagnostic::error(
                "E28",
                format!(
                    "`top` of {st} among {} entries of `{}`",
                    axis.size, axis.name
                ),
                k.span,
            );
            self.report(d.help("take at least 1 and at most all of them"));
            return None;
        };
        self.emit(Op::TopMask(axis, count), &[v], span)
    }
}
