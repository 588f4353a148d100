//! The terms of an index: from `t - range(a) + 1` to a base, a constant, ranges and a lag.

use super::{Base, TimeIndex};
use crate::elab::Elab;
use crate::scope::Scope;
use crate::value::Val;
use seqc_syntax::ast::{Arg, BinaryOp, Expr, ExprKind, UnaryOp};
use seqc_syntax::{Diagnostic, Span};

/// Constant parts of an index beyond this are refused.
const MAX_OFFSET: i64 = 1 << 20;

impl<'p> Elab<'p> {
    /// Reads the terms of an index; `plus` is the sign in front of `e`.
    pub(super) fn time_index(
        &mut self,
        s: &mut Scope<'p>,
        e: &'p Expr,
        plus: bool,
        out: &mut TimeIndex,
        whole: &'p Expr,
    ) -> Option<()> {
        match &e.kind {
            ExprKind::Binary {
                op: BinaryOp::Add,
                left,
                right,
            } => {
                self.time_index(s, left, plus, out, whole)?;
                self.time_index(s, right, plus, out, whole)
            }
            ExprKind::Binary {
                op: BinaryOp::Sub,
                left,
                right,
            } => {
                self.time_index(s, left, plus, out, whole)?;
                self.time_index(s, right, !plus, out, whole)
            }
            ExprKind::Unary {
                op: UnaryOp::Neg,
                operand,
            } => self.time_index(s, operand, !plus, out, whole),
            ExprKind::Call(c) if c.name.text == "range" => {
                if let [
                    Arg::Positional(Expr {
                        kind: ExprKind::Name(n),
                        ..
                    }),
                ] = c.args.as_slice()
                {
                    let axes = self.new_axis(s, n)?;
                    out.ranges.push((plus, axes));
                    return Some(());
                }
                self.bad_index(s, whole)
            }
            ExprKind::Call(c) if c.name.text == "block" => {
                let (of, size) = self.block_of(s, c, e.span)?;
                self.set_base(s, out, (Base::Block(of, size), plus), whole)
            }
            ExprKind::Name(n) => {
                if let Some(i) = s.indices.get(&n.text).copied() {
                    if i.lag {
                        return (out.lag.replace((plus, i.axis)).is_none())
                            .then_some(())
                            .or_else(|| self.bad_index(s, whole));
                    }
                    return self.set_base(s, out, (Base::Bound(i.axis), plus), whole);
                }
                if let Some(clock) = s.clocks.get(&n.text).copied() {
                    return self.set_base(s, out, (Base::Now(clock), plus), whole);
                }
                match n.text.as_str() {
                    "first" => return self.set_base(s, out, (Base::First, plus), whole),
                    "last" => return self.set_base(s, out, (Base::Last, plus), whole),
                    _ => {}
                }
                if !s.names.contains_key(&n.text)
                    && !s.statics.contains_key(&n.text)
                    && s.axis(&n.text).is_none()
                {
                    // Once for a line: its other reads at the index are the same slip.
                    if self.unbound.insert((s.line.clone(), n.text.clone())) {
                        let what = format!("index `{}` is not bound", n.text);
                        let d = Diagnostic::error("E18", what, n.span);
                        self.report(d.help(format!("sum over it: `sum[{}](…)`", n.text)));
                    }
                    return None;
                }
                self.constant_term(s, e, plus, out, whole)
            }
            _ => self.constant_term(s, e, plus, out, whole),
        }
    }

    fn set_base(
        &mut self,
        s: &Scope<'p>,
        out: &mut TimeIndex,
        (base, plus): (Base, bool),
        whole: &Expr,
    ) -> Option<()> {
        if !plus || out.base.replace(base).is_some() {
            self.bad_index(s, whole)
        } else {
            Some(())
        }
    }

    fn constant_term(
        &mut self,
        s: &mut Scope<'p>,
        e: &'p Expr,
        plus: bool,
        out: &mut TimeIndex,
        whole: &'p Expr,
    ) -> Option<()> {
        let v = match self.eval(s, e) {
            Val::Poison => return None,
            Val::Stat(st) => st.as_int().and_then(|k| i64::try_from(k).ok()),
            _ => None,
        };
        let c = v.and_then(|k| {
            if plus {
                out.c.checked_add(k)
            } else {
                out.c.checked_sub(k)
            }
        });
        match c.filter(|c| c.abs() <= MAX_OFFSET) {
            Some(c) => {
                out.c = c;
                Some(())
            }
            None => self.bad_index(s, whole),
        }
    }

    /// E19, with what to write instead of this index.
    fn bad_index(&mut self, s: &Scope<'p>, e: &Expr) -> Option<()> {
        let help = if spreads_a_range(e) {
            "steps that lie apart are picked from a window: `x[t - range(n)]{n = 2 * range(taps)}` with `n = 2 * taps - 1`"
        } else if takes_off_a_time(s, e) {
            "a kernel is read at the lag that its sum binds, `sum[lag](f[lag] * x[t - lag])`; in a matrix `i - j` is a number: write the kernel's formula with it, or read a table at it, `W{n = i - j}`"
        } else {
            "to read at a coarser rate use `patch`; to read where data says, sum over `j` with a condition"
        };
        self.no_index(help, e.span)
    }

    pub(super) fn no_index(&mut self, help: &str, span: Span) -> Option<()> {
        let d = Diagnostic::error(
            "E19",
            "a time index is `t ± constant`, `t - range(a)`, `t - lag`, `first + lag` or a bound index",
            span,
        );
        self.report(d.help(help));
        None
    }
}

/// Is a `range` multiplied or divided somewhere: steps that lie further apart than one?
fn spreads_a_range(e: &Expr) -> bool {
    let ranges = |e: &Expr| matches!(&e.kind, ExprKind::Call(c) if c.name.text == "range");
    match &e.kind {
        ExprKind::Binary {
            op: BinaryOp::Mul | BinaryOp::Div,
            left,
            right,
        } => ranges(left) || ranges(right),
        ExprKind::Binary { left, right, .. } => spreads_a_range(left) || spreads_a_range(right),
        ExprKind::Unary { operand, .. } => spreads_a_range(operand),
        _ => false,
    }
}

/// Is an index or a clock subtracted, as in `b[i - j]`?
fn takes_off_a_time(s: &Scope, e: &Expr) -> bool {
    let time = |e: &Expr| matches!(&e.kind, ExprKind::Name(n) if s.indices.contains_key(&n.text) || s.clocks.contains_key(&n.text));
    match &e.kind {
        ExprKind::Binary { op, left, right } => {
            (*op == BinaryOp::Sub && time(right))
                || takes_off_a_time(s, left)
                || takes_off_a_time(s, right)
        }
        _ => false,
    }
}
