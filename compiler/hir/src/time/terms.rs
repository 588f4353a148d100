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
        whole: Span,
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
                self.bad_index(whole)
            }
            ExprKind::Call(c) if c.name.text == "block" => {
                let (of, size) = self.block_of(s, c, e.span)?;
                self.set_base(out, Base::Block(of, size), plus, whole)
            }
            ExprKind::Name(n) => {
                if let Some(i) = s.indices.get(&n.text).copied() {
                    if i.lag {
                        return (out.lag.replace((plus, i.axis)).is_none())
                            .then_some(())
                            .or_else(|| self.bad_index(whole));
                    }
                    return self.set_base(out, Base::Bound(i.axis), plus, whole);
                }
                if let Some(clock) = s.clocks.get(&n.text).copied() {
                    return self.set_base(out, Base::Now(clock), plus, whole);
                }
                match n.text.as_str() {
                    "first" => return self.set_base(out, Base::First, plus, whole),
                    "last" => return self.set_base(out, Base::Last, plus, whole),
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

    fn set_base(&mut self, out: &mut TimeIndex, base: Base, plus: bool, whole: Span) -> Option<()> {
        if !plus || out.base.replace(base).is_some() {
            self.bad_index(whole)
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
        whole: Span,
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
            None => self.bad_index(whole),
        }
    }

    pub(super) fn bad_index(&mut self, span: Span) -> Option<()> {
        let d = Diagnostic::error(
            "E19",
            "a time index is `t ± constant`, `t - range(a)`, `t - lag`, `first + lag` or a bound index",
            span,
        );
        self.report(d.help("to read at a coarser rate use `patch`; to read where data says, sum over `j` with a condition"));
        None
    }
}
