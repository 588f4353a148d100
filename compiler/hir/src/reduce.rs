//! Reductions over axes and indices: `sum[dk](q * S)`, `softmax[j](…)`, `mean[t](…)`, `sum[lag](f[lag] * v[t-lag])`.
//!
//! A sum of a product becomes one contraction of its factors; everything else a reduction. Inside a domain
//! (`where`), reductions over its index see only the entries of the domain, and a row without entries gives 0.
//! Over a clock, what reads `t+c` has values only on steps `t < len - c`, and the reduction ranges over those.

use crate::elab::{Elab, plain};
use crate::reach::Bound;
use crate::scope::{Index, Scope};
use crate::stat::Stat;
use crate::time::{Use, mentions};
use crate::value::{Dyn, Val};
use seqc_algebra::{Axis, MapFn, Op, ReduceOp};
use seqc_syntax::ast::{Arg, BinaryOp, Call, Expr, ExprKind, Name, UnaryOp};
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

/// Factors of a product, with the sign and divisors pulled out.
#[derive(Default)]
struct Product {
    factors: Vec<(Dyn, Span)>,
    divisors: Vec<(Dyn, Span)>,
    scale: Option<Stat>,
}

impl Product {
    /// Factors and divisors.
    fn all(&self) -> impl Iterator<Item = &Dyn> {
        self.factors.iter().chain(&self.divisors).map(|(v, _)| v)
    }
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
        Some(Index {
            axis: axis.renamed(&s.fresh(&n.text)),
            lag,
        })
    }

    /// A sum over lags has two sides: lag = +l, l >= 0, and lag = -l, l >= 1. A kernel that is 0 on a side leaves it out.
    fn over_lags(
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
        let sides = self.sides(s, operand);
        let (old_side, old_least) = (s.ahead, s.least_lag);
        let mut total: Option<Dyn> = None;
        for ahead in [false, true] {
            let Some(least) = sides[usize::from(ahead)] else {
                continue;
            };
            (s.ahead, s.least_lag) = (ahead, least);
            let part = self.reduce(s, kind, c, operand, span);
            (s.ahead, s.least_lag) = (old_side, old_least);
            let part = part?;
            total = Some(match total {
                None => part,
                Some(t) => self.map2(MapFn::Add, &t, &part, span)?,
            });
        }
        total.or_else(|| Some(self.number(0.0)))
    }

    /// Which sides of lag the factors of a product leave, with the least lag of each.
    fn sides(&self, s: &Scope<'p>, e: &Expr) -> [Option<i64>; 2] {
        let mut out = [Some(0), Some(1)];
        let mut factors = vec![e];
        while let Some(f) = factors.pop() {
            match &f.kind {
                ExprKind::Binary {
                    op: BinaryOp::Mul,
                    left,
                    right,
                } => factors.extend([left.as_ref(), right.as_ref()]),
                ExprKind::Binary {
                    op: BinaryOp::Div,
                    left,
                    ..
                } => factors.push(left),
                ExprKind::Unary {
                    op: UnaryOp::Neg,
                    operand,
                } => factors.push(operand),
                ExprKind::Pick { base, .. } | ExprKind::Remap { base, .. } => factors.push(base),
                ExprKind::Index { base, .. } => {
                    let mut names = Vec::new();
                    crate::time::names_in(base, &mut names);
                    for n in names {
                        if let Some(crate::scope::Named {
                            binding: crate::scope::Binding::Val(Val::Kernel(k)),
                            ..
                        }) = s.names.get(&n)
                        {
                            out[0] = k
                                .causal
                                .is_some()
                                .then(|| out[0].map(|l| l.max(k.least)))
                                .flatten();
                            out[1] = k.ahead.is_some().then_some(out[1]).flatten();
                        }
                    }
                }
                _ => {}
            }
        }
        out
    }

    fn reduce(
        &mut self,
        s: &mut Scope<'p>,
        kind: Kind,
        c: &'p Call,
        operand: &'p Expr,
        span: Span,
    ) -> Option<Dyn> {
        let product = if matches!(kind, Kind::Sum | Kind::Mean) {
            self.product(s, operand)?
        } else {
            let v = self.eval_dyn(s, operand)?;
            Product {
                factors: vec![(v, operand.span)],
                ..Product::default()
            }
        };
        let axes = self.reduced_axes(s, c, &product, operand)?;
        let (mask, edge) = self.mask(s, &axes, operand, span)?;
        let bounds: Vec<Bound> = s
            .bounds
            .iter()
            .cloned()
            .chain(product.factors.iter().flat_map(|(f, _)| f.zero.clone()))
            .collect();
        let mut out = match kind {
            Kind::Sum => self.sum_of(product, &axes, mask.as_ref(), span)?,
            Kind::Mean => {
                let count = self.count(&axes, mask.as_ref(), edge, span)?;
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
        if kind == Kind::Softmax && mask.is_some() {
            out.masked = true;
            out.zero = s.bounds.clone();
        }
        out.zero
            .retain(|b| keeps || axes.iter().all(|a| a.name != b.small && a.name != b.big));
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
            if let Some(a) = time {
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
            let owner = p.all().cloned().find(|f| self.axis_of(s, n, f).is_some());
            match owner {
                Some(f) => axes.extend(self.axis_of(s, n, &f)?),
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

    /// Evaluates a product factor by factor, so that no factor is multiplied out.
    fn product(&mut self, s: &mut Scope<'p>, e: &'p Expr) -> Option<Product> {
        let mut out = Product::default();
        let ok = self.factor(s, e, &mut out);
        for k in 0..out.factors.len() {
            for l in 0..k {
                let ((a, p), (b, q)) = (out.factors[l].clone(), out.factors[k].clone());
                self.same_clock(s, &a, &b, (p, q), e.span)?;
                let (x, y) = (self.features(&a), self.features(&b));
                if let Some((m, n)) = x.iter().find_map(|m| {
                    y.iter()
                        .find(|n| n.name == m.name && n.size != m.size)
                        .map(|n| (*m, *n))
                }) {
                    self.clash(m, n, (p, q), e.span);
                    return None;
                }
            }
        }
        if out.factors.is_empty() && out.divisors.is_empty() {
            let one = self.number(1.0);
            out.factors.push((one, e.span));
        }
        ok.map(|()| out)
    }

    fn factor(&mut self, s: &mut Scope<'p>, e: &'p Expr, out: &mut Product) -> Option<()> {
        match &e.kind {
            ExprKind::Binary {
                op: BinaryOp::Mul,
                left,
                right,
            } => {
                let (a, b) = (self.factor(s, left, out), self.factor(s, right, out));
                a.and(b)
            }
            ExprKind::Binary {
                op: BinaryOp::Div,
                left,
                right,
            } => {
                let a = self.factor(s, left, out);
                let divisor = self.eval(s, right);
                if let Val::Stat(st) = divisor {
                    out.scale = Some(out.scale.unwrap_or(Stat::int(1)).div(st));
                } else {
                    let d = self.dynamic(divisor, right.span)?;
                    out.divisors.push((d, right.span));
                }
                a
            }
            ExprKind::Unary {
                op: UnaryOp::Neg,
                operand,
            } => {
                out.scale = Some(out.scale.unwrap_or(Stat::int(1)).neg());
                self.factor(s, operand, out)
            }
            _ => match self.eval(s, e) {
                Val::Stat(st) => {
                    out.scale = Some(out.scale.unwrap_or(Stat::int(1)).mul(st));
                    Some(())
                }
                v => {
                    let v = self.dynamic(v, e.span)?;
                    out.factors.push((v, e.span));
                    Some(())
                }
            },
        }
    }

    /// `Σ_axes` of a product. Divisors that do not change along the axes divide the sum instead.
    fn sum_of(&mut self, p: Product, axes: &[Axis], mask: Option<&Dyn>, span: Span) -> Option<Dyn> {
        let mut factors: Vec<Dyn> = p.factors.into_iter().map(|(f, _)| f).collect();
        let mut after = Vec::new();
        for (d, at) in p.divisors {
            if self.axes(&d).iter().any(|a| axes.contains(a)) {
                let one = self.number(1.0);
                factors.push(self.map2(MapFn::Div, &one, &d, at)?);
            } else {
                after.push(d);
            }
        }
        if factors.is_empty() {
            factors.push(self.number(1.0));
        }
        if let Some(mask) = mask {
            let along: Vec<Axis> = self
                .axes(mask)
                .iter()
                .copied()
                .filter(|a| !a.is_const())
                .collect();
            let shared =
                |this: &Self, f: &Dyn| this.axes(f).iter().filter(|a| along.contains(a)).count();
            let best =
                (0..factors.len()).max_by_key(|k| (shared(self, &factors[*k]), usize::MAX - k))?;
            let zero = self.number(0.0);
            factors[best] = self.select(mask, &factors[best].clone(), &zero, span)?;
        }
        let refs: Vec<&Dyn> = factors.iter().collect();
        let mut out = if let [one] = refs.as_slice() {
            self.emit(Op::Reduce(ReduceOp::Sum, axes.to_vec()), &[one], span)?
        } else {
            self.emit(Op::Contract(axes.to_vec()), &refs, span)?
        };
        out.zero = factors.iter().flat_map(|f| f.zero.clone()).collect();
        if let Some(scale) = p.scale.filter(|c| c.as_f64() != 1.0) {
            let c = self.number(scale.as_f64());
            out = self.map2(MapFn::Mul, &out, &c, span)?;
        }
        for d in after {
            out = self.map2(MapFn::Div, &out, &d, span)?;
        }
        Some(out)
    }

    /// How many entries a mean ranges over.
    fn count(
        &mut self,
        axes: &[Axis],
        mask: Option<&Dyn>,
        edge: Option<(Axis, i64)>,
        span: Span,
    ) -> Option<Dyn> {
        let fixed: Vec<Axis> = axes.iter().copied().filter(|a| a.is_const()).collect();
        let mut out = self.volume(&fixed, span).map(|n| self.number(n as f64))?;
        let mut times: Vec<Axis> = axes.iter().copied().filter(|a| !a.is_const()).collect();
        if let Some((axis, late)) = edge {
            times.retain(|a| *a != axis);
            let (len, by, one) = (
                self.length(axis, span),
                self.number(late as f64),
                self.number(1.0),
            );
            let len = self.dynamic(len, span)?;
            let n = self.map2(MapFn::Sub, &len, &by, span)?;
            let n = self.map2(MapFn::Max, &n, &one, span)?;
            out = self.map2(MapFn::Mul, &n, &out, span)?;
        } else if let Some(mask) = mask {
            let masked: Vec<Axis> = times
                .iter()
                .copied()
                .filter(|a| self.has(mask, *a))
                .collect();
            times.retain(|a| !masked.contains(a));
            let (one, zero) = (self.number(1.0), self.number(0.0));
            let ones = self.select(mask, &one, &zero, span)?;
            let n = self.emit(Op::Reduce(ReduceOp::Sum, masked), &[&ones], span)?;
            let n = self.map2(MapFn::Max, &n, &one, span)?;
            out = self.map2(MapFn::Mul, &n, &out, span)?;
        }
        for a in times {
            let len = self.length(a, span);
            let len = self.dynamic(len, span)?;
            out = self.map2(MapFn::Mul, &len, &out, span)?;
        }
        Some(out)
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
        } else if axes.iter().all(|a| a.is_const()) {
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

    /// 0 for rows whose domain is empty.
    fn unless_empty(&mut self, mask: &Dyn, v: &Dyn, axes: &[Axis], span: Span) -> Option<Dyn> {
        let over: Vec<Axis> = axes
            .iter()
            .copied()
            .filter(|a| self.has(mask, *a))
            .collect();
        let any = self.emit(Op::Reduce(ReduceOp::Max, over), &[mask], span)?;
        let zero = self.number(0.0);
        self.select(&any, v, &zero, span)
    }

    /// The domain as a 0/1 value, if it says anything about the axes: the equation's `where`, and over a clock
    /// the steps on which everything read exists. If it is only the latter, on one clock, which and how many steps.
    fn mask(
        &mut self,
        s: &mut Scope<'p>,
        axes: &[Axis],
        operand: &'p Expr,
        span: Span,
    ) -> Option<(Option<Dyn>, Option<(Axis, i64)>)> {
        let mut out: Option<Dyn> = None;
        let mut edge = None;
        if let Some(domain) = s.domain {
            let names: Vec<String> = s
                .indices
                .iter()
                .filter(|(_, i)| axes.contains(&i.axis))
                .map(|(n, _)| n.clone())
                .collect();
            let clocks: Vec<String> = s
                .clocks
                .iter()
                .filter(|(_, a)| axes.contains(a))
                .map(|(n, _)| n.clone())
                .collect();
            if names.iter().chain(&clocks).any(|n| mentions(domain, n)) {
                // The domain itself is not masked.
                s.domain = None;
                let v = self.eval(s, domain);
                s.domain = Some(domain);
                out = match v {
                    Val::Stat(Stat::Bool(true)) => None,
                    v => Some(self.dynamic(v, domain.span)?),
                };
            }
        }
        let clocks: Vec<Axis> = axes.iter().copied().filter(|a| s.is_clock(*a)).collect();
        for a in &clocks {
            let Some(late) = self.latest(s, operand, *a).filter(|c| *c > 0) else {
                continue;
            };
            let (at, len, by) = (
                self.iota(*a, span)?,
                self.length(*a, span),
                self.number(late as f64),
            );
            let len = self.dynamic(len, span)?;
            let end = self.map2(MapFn::Sub, &len, &by, span)?;
            let inside = self.map2(MapFn::Lt, &at, &end, span)?;
            edge = out.is_none().then_some((*a, late));
            out = Some(match out {
                None => inside,
                Some(m) => self.map2(MapFn::And, &m, &inside, span)?,
            });
        }
        Some((out, edge))
    }

    /// The latest step that an expression reads from `t`, as written in it.
    fn latest(&mut self, s: &mut Scope<'p>, e: &Expr, clock: Axis) -> Option<i64> {
        let mut found = Vec::new();
        indices_in(e, &mut found);
        let names: Vec<String> = s
            .clocks
            .iter()
            .filter(|(_, a)| **a == clock)
            .map(|(n, _)| n.clone())
            .collect();
        let mut late = 0i64;
        for at in found {
            if !names.iter().any(|n| mentions(at, n)) {
                continue;
            }
            late = late.max(self.offset(s, at, true)?);
        }
        Some(late)
    }

    /// The largest value of an index relative to its base.
    fn offset(&mut self, s: &mut Scope<'p>, e: &Expr, plus: bool) -> Option<i64> {
        Some(match &e.kind {
            ExprKind::Binary {
                op: BinaryOp::Add,
                left,
                right,
            } => self
                .offset(s, left, plus)?
                .checked_add(self.offset(s, right, plus)?)?,
            ExprKind::Binary {
                op: BinaryOp::Sub,
                left,
                right,
            } => self
                .offset(s, left, plus)?
                .checked_add(self.offset(s, right, !plus)?)?,
            ExprKind::Unary {
                op: UnaryOp::Neg,
                operand,
            } => self.offset(s, operand, !plus)?,
            ExprKind::Number(n) => i64::try_from(n.as_integer()?)
                .ok()
                .map(|k| if plus { k } else { -k })?,
            ExprKind::Call(c) if c.name.text == "range" && plus => match c.args.as_slice() {
                [
                    Arg::Positional(Expr {
                        kind: ExprKind::Name(n),
                        ..
                    }),
                ] => {
                    let axes = s.axis(&n.text)?;
                    i64::try_from(self.volume(&axes, n.span)?).ok()? - 1
                }
                _ => 0,
            },
            ExprKind::Name(n) => match s.statics.get(&n.text).and_then(|v| v.value.as_int()) {
                Some(k) => i64::try_from(if plus { k } else { -k }).ok()?,
                None => 0,
            },
            _ => 0,
        })
    }
}

/// Every index expression in `e`.
fn indices_in<'a>(e: &'a Expr, out: &mut Vec<&'a Expr>) {
    match &e.kind {
        ExprKind::Number(_) | ExprKind::Name(_) => {}
        ExprKind::Index { base, index } => {
            indices_in(base, out);
            out.extend(index);
        }
        ExprKind::Remap { base, .. } => indices_in(base, out),
        ExprKind::Pick { base, picks } => {
            indices_in(base, out);
            picks.iter().for_each(|p| indices_in(&p.value, out));
        }
        ExprKind::Unary { operand, .. } => indices_in(operand, out),
        ExprKind::Binary { left, right, .. } => {
            indices_in(left, out);
            indices_in(right, out);
        }
        ExprKind::Call(c) => c.args.iter().for_each(|a| {
            if let Arg::Positional(x) | Arg::Named { value: x, .. } = a {
                indices_in(x, out);
            }
        }),
    }
}
