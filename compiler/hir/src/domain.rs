//! The domain of a reduction: the positions that `where` and the reads in time leave, as a mask.

use crate::elab::Elab;
use crate::scope::Scope;
use crate::stat::Stat;
use crate::time::mentions;
use crate::value::{Dyn, Val};
use seqc_algebra::{Axis, MapFn, Op, ReduceOp};
use seqc_syntax::Span;
use seqc_syntax::ast::{Arg, BinaryOp, Expr, ExprKind, UnaryOp};

/// A domain as a 0/1 value; if it is only an edge of one clock, which and how many steps.
type Mask = (Option<Dyn>, Option<(Axis, i64)>);

impl<'p> Elab<'p> {
    /// 0 for rows whose domain is empty.
    pub fn unless_empty(&mut self, mask: &Dyn, v: &Dyn, axes: &[Axis], span: Span) -> Option<Dyn> {
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
    pub fn mask(
        &mut self,
        s: &mut Scope<'p>,
        axes: &[Axis],
        operand: &'p Expr,
        span: Span,
    ) -> Option<Mask> {
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
