//! Equations between constants: numbers that are known before anything is built, so that axes may have them as sizes.

use crate::elab::Elab;
use crate::scope::{Scope, Static};
use crate::text::text_of;
use crate::value::Val;
use seqc_syntax::Span;
use seqc_syntax::ast::{Arg, AssignOp, Expr, ExprKind, Lhs, Stmt};
use std::collections::HashSet;

impl<'p> Elab<'p> {
    /// Equations between constants define static numbers, which may be sizes of axes.
    pub(super) fn statics(&mut self, s: &mut Scope<'p>, stmts: &'p [Stmt]) -> HashSet<Span> {
        let mut done = HashSet::new();
        for stmt in stmts {
            let Stmt::Equation(eq) = stmt else { continue };
            let Lhs::One { name, index, .. } = &eq.lhs else {
                continue;
            };
            if !index.is_empty()
                || eq.op != AssignOp::Set
                || eq.domain.is_some()
                || !self.is_static(s, &eq.value)
            {
                continue;
            }
            if s.outer.contains(&name.text) && s.names.contains_key(&name.text) {
                continue;
            }
            let Val::Stat(value) = self.eval(s, &eq.value) else {
                continue;
            };
            done.insert(eq.span);
            if self.may_define(s, name) {
                let formula = text_of(&eq.value);
                s.statics.insert(
                    name.text.clone(),
                    Static {
                        value,
                        span: name.span,
                        formula,
                    },
                );
            }
        }
        done
    }

    /// Is the expression made of constants only?
    pub(crate) fn is_static(&self, s: &Scope<'p>, e: &Expr) -> bool {
        match &e.kind {
            ExprKind::Number(n) => !n.imaginary,
            ExprKind::Name(n) => {
                let local = s.names.contains_key(&n.text) || s.indices.contains_key(&n.text);
                !local
                    && (s.statics.contains_key(&n.text)
                        || s.axes.contains_key(&n.text)
                        || matches!(n.text.as_str(), "pi" | "inf" | "true" | "false"))
            }
            ExprKind::Unary { operand, .. } => self.is_static(s, operand),
            ExprKind::Binary { left, right, .. } => {
                self.is_static(s, left) && self.is_static(s, right)
            }
            ExprKind::Call(c) => {
                c.group.is_empty()
                    && crate::builtin::keeps_static(&c.name.text)
                    && !s.names.contains_key(&c.name.text)
                    && c.args
                        .iter()
                        .all(|a| matches!(a, Arg::Positional(x) if self.is_static(s, x)))
            }
            _ => false,
        }
    }
}
