//! The domain of a reduction: the positions that `where` and the reads in time leave, as conditions.

use crate::elab::Elab;
use crate::scope::Scope;
use crate::stat::Stat;
use crate::time::mentions;
use crate::value::{Dyn, Val};
use seqc_algebra::{Axis, MapFn, Op, ReduceOp};
use seqc_syntax::Span;
use seqc_syntax::ast::{Arg, BinaryOp, Expr, ExprKind, UnaryOp};

/// The steps that a reduction over clocks leaves out because something is read later than the last: conditions, and, if
/// they are the only ones, on which clock and how many steps.
type Edge = (Vec<Dyn>, Option<(Axis, i64)>);

impl<'p> Elab<'p> {
    /// 0 for rows whose domain is empty.
    pub fn unless_empty(&mut self, mask: &Dyn, v: &Dyn, axes: &[Axis], span: Span) -> Option<Dyn> {
        let over: Vec<Axis> = axes
            .iter()
            .copied()
            .filter(|a| self.has(mask, *a))
            .collect();
        let any = if over.is_empty() {
            mask.clone()
        } else {
            self.emit_bare(Op::Reduce(ReduceOp::Max, over), &[mask], span)?
        };
        let zero = self.number(0.0);
        self.select(&any, v, &zero, span)
    }

    /// The conditions of a `where`, without those that always hold. What it reads never restricts: it is 0 outside of its
    /// own domain.
    pub fn conditions(&mut self, s: &mut Scope<'p>, domain: &'p Expr) -> Option<Vec<Dyn>> {
        // The domain itself is not masked.
        let kept = (s.domain.take(), std::mem::replace(&mut s.everywhere, true));
        let mut out = Some(Vec::new());
        for e in conjuncts(domain) {
            let v = match self.eval(s, e) {
                Val::Stat(Stat::Bool(true)) => continue,
                v => self.dynamic(v, e.span),
            };
            out = match (out, v) {
                (Some(mut all), Some(v)) => {
                    all.push(v);
                    Some(all)
                }
                _ => None,
            };
        }
        (s.domain, s.everywhere) = kept;
        Some(self.pruned(out?, s.first_lag()))
    }

    /// The conditions of the equation's `where`, if they say anything about the axes.
    pub fn conditions_on(&mut self, s: &mut Scope<'p>, axes: &[Axis]) -> Option<Vec<Dyn>> {
        let Some(domain) = s.domain else {
            return Some(vec![]);
        };
        let indices = s.indices.iter().map(|(n, i)| (n, i.axis));
        let clocks = s.clocks.iter().map(|(n, a)| (n, *a));
        let mut named = indices.chain(clocks).filter(|(_, a)| axes.contains(a));
        if !named.any(|(n, _)| mentions(domain, n)) {
            return Some(vec![]);
        }
        self.conditions(s, domain)
    }

    /// Over a clock, the steps on which everything read exists.
    pub fn edge(
        &mut self,
        s: &mut Scope<'p>,
        axes: &[Axis],
        operand: &'p Expr,
        span: Span,
    ) -> Option<Edge> {
        let (mut out, mut edge) = (Vec::new(), None);
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
            edge = out.is_empty().then_some((*a, late));
            out.push(self.map2(MapFn::Lt, &at, &end, span)?);
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
            .filter(|(_, a)| self.ticks_of(**a).root == self.ticks_of(clock).root)
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

/// The conditions that `and` joins.
fn conjuncts(e: &Expr) -> Vec<&Expr> {
    match &e.kind {
        ExprKind::Binary {
            op: BinaryOp::And,
            left,
            right,
        } => {
            let mut out = conjuncts(left);
            out.extend(conjuncts(right));
            out
        }
        _ => vec![e],
    }
}
