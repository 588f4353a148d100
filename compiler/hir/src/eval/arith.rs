//! Operators: on numbers that are known they are computed, on values they become operations.

use crate::elab::Elab;
use crate::scope::Scope;
use crate::stat::Stat;
use crate::value::{Dyn, Val};
use seqc_algebra::{MapFn, Op};
use seqc_syntax::Span;
use seqc_syntax::ast::{BinaryOp, UnaryOp};

impl<'p> Elab<'p> {
    pub(super) fn unary(&mut self, op: UnaryOp, v: Val, span: Span) -> Val {
        if let Val::Stat(st) = v {
            return Val::Stat(match op {
                UnaryOp::Neg => -st,
                UnaryOp::Not => Stat::Bool(!st.truth()),
            });
        }
        let Some(d) = self.dynamic(v, span) else {
            return Val::Poison;
        };
        let f = match op {
            UnaryOp::Neg => MapFn::Neg,
            UnaryOp::Not => MapFn::Not,
        };
        self.map1(f, &d, span).map_or(Val::Poison, Val::Dyn)
    }

    pub(super) fn binary(
        &mut self,
        s: &Scope<'p>,
        op: BinaryOp,
        l: (Val, Span),
        r: (Val, Span),
        span: Span,
    ) -> Val {
        if let (Val::Stat(a), Val::Stat(b)) = (&l.0, &r.0) {
            return Val::Stat(fold(op, *a, *b));
        }
        if let Some(known) = decided(op, &l.0, &r.0) {
            return known;
        }
        let (a, b) = (self.dynamic(l.0, l.1), self.dynamic(r.0, r.1));
        let (Some(a), Some(b)) = (a, b) else {
            return Val::Poison;
        };
        self.arith(s, op, &a, &b, (l.1, r.1), span)
            .map_or(Val::Poison, Val::Dyn)
    }

    fn arith(
        &mut self,
        s: &Scope<'p>,
        op: BinaryOp,
        a: &Dyn,
        b: &Dyn,
        places: (Span, Span),
        span: Span,
    ) -> Option<Dyn> {
        self.same_clock(s, a, b, places, span)?;
        if !matches!(
            op,
            BinaryOp::Mul | BinaryOp::Div | BinaryOp::And | BinaryOp::Or
        ) {
            self.no_outer(op.symbol(), a, b, places, span)?;
        }
        if matches!(
            op,
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge | BinaryOp::Rem
        ) {
            self.need_real(op.symbol(), a, places.0)?;
            self.need_real(op.symbol(), b, places.1)?;
        }
        let f = match op {
            BinaryOp::Or => MapFn::Or,
            BinaryOp::And => MapFn::And,
            BinaryOp::Le => MapFn::Le,
            BinaryOp::Ge => MapFn::Ge,
            BinaryOp::Eq => MapFn::Eq,
            BinaryOp::Ne => MapFn::Ne,
            BinaryOp::Lt => MapFn::Lt,
            BinaryOp::Gt => MapFn::Gt,
            BinaryOp::Add => MapFn::Add,
            BinaryOp::Sub => MapFn::Sub,
            BinaryOp::Mul => MapFn::Mul,
            BinaryOp::Div => MapFn::Div,
            BinaryOp::Rem => MapFn::Rem,
            BinaryOp::Pow => MapFn::Pow,
        };
        let depth = match s.sink {
            Some(depth) if f == MapFn::Mul && self.is_outer_product(a, b) => depth,
            _ => a.depth.max(b.depth),
        };
        let square = f == MapFn::Pow && self.frames[b.depth].b.constant(b.id) == Some(2.0);
        if square {
            self.map2(MapFn::Mul, a, a, span)
        } else {
            self.emit_at(depth, Op::Map(f), &[a, b], span)
        }
    }

    /// Would the product be larger than both factors? Then no loop should find it stored.
    fn is_outer_product(&self, a: &Dyn, b: &Dyn) -> bool {
        let (x, y) = (self.axes(a), self.axes(b));
        x.iter().any(|k| !y.contains(k) && k.is_const())
            && y.iter().any(|k| !x.contains(k) && k.is_const())
    }
}

fn fold(op: BinaryOp, a: Stat, b: Stat) -> Stat {
    use std::cmp::Ordering::*;
    let order = a.compare(b);
    match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        BinaryOp::Rem => a % b,
        BinaryOp::Pow => a.pow(b),
        BinaryOp::Or => Stat::Bool(a.truth() || b.truth()),
        BinaryOp::And => Stat::Bool(a.truth() && b.truth()),
        BinaryOp::Lt => Stat::Bool(order == Some(Less)),
        BinaryOp::Le => Stat::Bool(matches!(order, Some(Less | Equal))),
        BinaryOp::Gt => Stat::Bool(order == Some(Greater)),
        BinaryOp::Ge => Stat::Bool(matches!(order, Some(Greater | Equal))),
        BinaryOp::Eq => Stat::Bool(order == Some(Equal)),
        BinaryOp::Ne => Stat::Bool(order != Some(Equal)),
    }
}

/// What a static operand decides alone: `x < inf` holds, `true and x` is x.
fn decided(op: BinaryOp, l: &Val, r: &Val) -> Option<Val> {
    let bool_of = |v: &Val| match v {
        Val::Stat(Stat::Bool(b)) => Some(*b),
        _ => None,
    };
    match op {
        BinaryOp::And => match (bool_of(l), bool_of(r)) {
            (Some(true), _) => Some(r.clone()),
            (_, Some(true)) => Some(l.clone()),
            (Some(false), _) | (_, Some(false)) => Some(Val::Stat(Stat::Bool(false))),
            _ => None,
        },
        BinaryOp::Or => match (bool_of(l), bool_of(r)) {
            (Some(false), _) => Some(r.clone()),
            (_, Some(false)) => Some(l.clone()),
            (Some(true), _) | (_, Some(true)) => Some(Val::Stat(Stat::Bool(true))),
            _ => None,
        },
        BinaryOp::Lt | BinaryOp::Le
            if r.stat().is_some_and(|s| s.as_f64() == f64::INFINITY) && !l.is_poison() =>
        {
            Some(Val::Stat(Stat::Bool(true)))
        }
        BinaryOp::Gt | BinaryOp::Ge
            if r.stat().is_some_and(|s| s.as_f64() == f64::NEG_INFINITY) && !l.is_poison() =>
        {
            Some(Val::Stat(Stat::Bool(true)))
        }
        _ => None,
    }
}
