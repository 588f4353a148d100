//! Sums of products: the factors of a product, and their contraction.

use crate::elab::Elab;
use crate::scope::Scope;
use crate::stat::Stat;
use crate::value::{Dyn, Val};
use seqc_algebra::{Axis, MapFn, Op, ReduceOp};
use seqc_syntax::Span;
use seqc_syntax::ast::{BinaryOp, Expr, ExprKind, UnaryOp};
use std::collections::BTreeSet;

/// Factors of a product, with the sign and divisors pulled out.
#[derive(Default)]
pub struct Product {
    pub factors: Vec<(Dyn, Span)>,
    pub divisors: Vec<(Dyn, Span)>,
    pub scale: Option<Stat>,
}

impl Product {
    /// Factors and divisors.
    pub fn all(&self) -> impl Iterator<Item = &Dyn> {
        self.factors.iter().chain(&self.divisors).map(|(v, _)| v)
    }
}

impl<'p> Elab<'p> {
    /// Evaluates a product factor by factor, so that no factor is multiplied out.
    pub fn product(&mut self, s: &mut Scope<'p>, e: &'p Expr) -> Option<Product> {
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
                    out.scale = Some(out.scale.unwrap_or(Stat::int(1)) / st);
                } else {
                    let d = self.dynamic(divisor, right.span)?;
                    if d.domains.is_empty() {
                        out.divisors.push((d, right.span));
                    } else {
                        // A function of entries, which exists where they do.
                        let one = self.number(1.0);
                        let inverse = self.map2(MapFn::Div, &one, &d, right.span)?;
                        out.factors.push((inverse, right.span));
                    }
                }
                a
            }
            ExprKind::Unary {
                op: UnaryOp::Neg,
                operand,
            } => {
                out.scale = Some(-out.scale.unwrap_or(Stat::int(1)));
                self.factor(s, operand, out)
            }
            _ => match self.eval(s, e) {
                Val::Stat(st) => {
                    out.scale = Some(out.scale.unwrap_or(Stat::int(1)) * st);
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
    pub fn sum_of(
        &mut self,
        p: Product,
        axes: &[Axis],
        mask: Option<&Dyn>,
        span: Span,
    ) -> Option<Dyn> {
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
                .filter(|a| !self.is_feature(*a))
                .collect();
            let shared =
                |this: &Self, f: &Dyn| this.axes(f).iter().filter(|a| along.contains(a)).count();
            // The one with most of the mask's indices; what is read at a lag last, since that is read once for all lags.
            let best = (0..factors.len()).max_by_key(|k| {
                let f = &factors[*k];
                let reads = usize::from(self.is_window(f));
                (shared(self, f), usize::MAX - reads, usize::MAX - k)
            })?;
            let zero = self.number(0.0);
            // 0 times infinity is no 0: what may be infinite outside of the domain is left out itself.
            for (k, f) in factors.iter_mut().enumerate() {
                if k == best || self.may_be_infinite(f) {
                    *f = self.only_in(mask, &f.clone(), (axes, &zero), span)?;
                }
            }
        }
        let mut out = self.contracted(&factors, axes, span)?;
        if let Some(scale) = p.scale.filter(|c| c.as_f64() != 1.0) {
            let c = self.number(scale.as_f64());
            out = self.map2(MapFn::Mul, &out, &c, span)?;
        }
        for d in after {
            out = self.map2(MapFn::Div, &out, &d, span)?;
        }
        Some(out)
    }

    /// Is the value made, position by position, with a function that has a pole or grows without bound?
    fn may_be_infinite(&self, v: &Dyn) -> bool {
        let func = self.frames[v.depth].b.func();
        let (mut stack, mut seen) = (vec![v.id], BTreeSet::new());
        while let Some(v) = stack.pop() {
            let along = match func.op(v) {
                Op::Map(
                    MapFn::Exp
                    | MapFn::Expm1
                    | MapFn::Log
                    | MapFn::Log1p
                    | MapFn::Sqrt
                    | MapFn::Div
                    | MapFn::Pow
                    | MapFn::Rem,
                ) => return true,
                // One condition is 0 where another would be infinite.
                Op::Map(MapFn::Select) => false,
                Op::Map(_) | Op::Expand(_) | Op::Rename { .. } => true,
                Op::Contract(over) => over.is_empty(),
                _ => false,
            };
            if along && seen.insert(v) {
                stack.extend(func.args(v));
            }
        }
        false
    }

    /// A factor that is 0 where the mask is; its domains along the axes are used up.
    fn only_in(
        &mut self,
        mask: &Dyn,
        f: &Dyn,
        (axes, zero): (&[Axis], &Dyn),
        span: Span,
    ) -> Option<Dyn> {
        let mut out = self.emit_bare(Op::Map(MapFn::Select), &[mask, f, zero], span)?;
        let rest = f.domains.iter().filter(|d| !d.touches(axes));
        (out.domains, out.zero) = (rest.cloned().collect(), f.zero.clone());
        Some(out)
    }

    fn is_window(&self, v: &Dyn) -> bool {
        matches!(self.frames[v.depth].b.func().op(v.id), Op::Window { .. })
    }

    /// `Σ_axes Π factors`
    pub fn contracted(&mut self, factors: &[Dyn], axes: &[Axis], span: Span) -> Option<Dyn> {
        if let [lag] = axes
            && self.lags.contains(lag)
            && let Some(out) = self.pushed(factors, *lag, span)
        {
            return Some(out);
        }
        let refs: Vec<&Dyn> = factors.iter().collect();
        if let [one] = refs.as_slice() {
            self.emit(Op::Reduce(ReduceOp::Sum, axes.to_vec()), &[one], span)
        } else {
            self.emit(Op::Contract(axes.to_vec()), &refs, span)
        }
    }

    /// How many entries a mean ranges over.
    pub fn count(
        &mut self,
        axes: &[Axis],
        mask: Option<&Dyn>,
        edge: Option<(Axis, i64)>,
        span: Span,
    ) -> Option<Dyn> {
        let fixed: Vec<Axis> = (axes.iter().copied())
            .filter(|a| self.is_feature(*a))
            .collect();
        let mut out = self.volume(&fixed, span).map(|n| self.number(n as f64))?;
        let mut times: Vec<Axis> = (axes.iter().copied())
            .filter(|a| !self.is_feature(*a))
            .collect();
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
}
