//! Expressions: names, arithmetic, conditions.
//!
//! Every function returns `None`/`Val::Poison` after having reported why; poison is passed on in silence.
//! Here is the walk over an expression, and how a value becomes the one that its reader needs.

mod agree;
mod arith;
mod name;

use crate::call::ANY_MIXER;
use crate::elab::Elab;
use crate::scope::Scope;
use crate::stat::Stat;
use crate::value::{Dyn, Val};
use seqc_syntax::ast::{Expr, ExprKind};
use seqc_syntax::{Diagnostic, Span};

impl<'p> Elab<'p> {
    pub(crate) fn eval(&mut self, s: &mut Scope<'p>, e: &'p Expr) -> Val {
        match &e.kind {
            ExprKind::Number(n) if n.imaginary => self
                .imaginary(n.value, e.span)
                .map_or(Val::Poison, Val::Dyn),
            ExprKind::Number(n) => match n.as_integer() {
                Some(k) => Val::Stat(Stat::int(i128::from(k))),
                None => Val::Stat(Stat::Float(n.value)),
            },
            ExprKind::Name(n) => self.name(s, n),
            ExprKind::Call(c) => self.call(s, e, c),
            ExprKind::Index { base, index } => self.index(s, base, index, e.span),
            ExprKind::Remap { base, map } => {
                let base = self.loose(s, base);
                self.each_form(base, |this, v| this.remap(s, &v, map))
            }
            ExprKind::Pick { base, picks } => {
                let mut value = self.loose(s, base);
                for pick in picks {
                    let at = self.eval(s, &pick.value);
                    value = self.each_form(value, |this, v| this.pick(s, &v, pick, &at));
                }
                value
            }
            ExprKind::Unary { op, operand } => {
                let v = self.eval(s, operand);
                self.unary(*op, v, e.span)
            }
            ExprKind::Binary { op, left, right } => {
                let (l, r) = (self.eval(s, left), self.eval(s, right));
                self.binary(s, *op, (l, left.span), (r, right.span), e.span)
            }
        }
    }

    /// Evaluates the base of an index or a pick: there a kernel or a matrix may stand bare.
    pub(crate) fn loose(&mut self, s: &mut Scope<'p>, e: &'p Expr) -> Val {
        match &e.kind {
            ExprKind::Name(n) => self.name_form(s, n),
            _ => self.eval(s, e),
        }
    }

    /// Applies something pointwise in time to every part of a kernel or matrix.
    fn each_form(&mut self, v: Val, mut f: impl FnMut(&mut Self, Dyn) -> Option<Dyn>) -> Val {
        match v {
            Val::Dyn(d) => f(self, d).map_or(Val::Poison, Val::Dyn),
            Val::Matrix(mut m) => match f(self, m.value) {
                Some(value) => {
                    m.value = value;
                    Val::Matrix(m)
                }
                None => Val::Poison,
            },
            Val::Kernel(mut k) => {
                let had = (k.causal.is_some(), k.ahead.is_some());
                k.causal = k.causal.and_then(|d| f(self, d));
                k.ahead = k.ahead.and_then(|d| f(self, d));
                if had == (k.causal.is_some(), k.ahead.is_some()) {
                    Val::Kernel(k)
                } else {
                    Val::Poison
                }
            }
            Val::Stat(st) => {
                let d = self.number(st.as_f64());
                f(self, d).map_or(Val::Poison, Val::Dyn)
            }
            other => other,
        }
    }

    /// A value as a program value; static numbers become constants.
    pub(crate) fn dynamic(&mut self, v: Val, span: Span) -> Option<Dyn> {
        match v {
            Val::Dyn(d) => Some(d),
            Val::Stat(st) => Some(self.number(st.as_f64())),
            Val::Poison => None,
            Val::Matrix(_) => {
                self.report(Diagnostic::error(
                    "E17",
                    "a matrix needs its two indices here",
                    span,
                ));
                None
            }
            Val::Kernel(_) => {
                self.report(Diagnostic::error(
                    "E17",
                    "a kernel needs its index here",
                    span,
                ));
                None
            }
            Val::Mixer(m) => {
                let d = if m.item == ANY_MIXER {
                    Diagnostic::error("E28", "this is a mixer, not a value", span)
                        .help("call it: `f(…)`")
                } else {
                    let name = &self.program.mixer(m.item).name.text;
                    Diagnostic::error("E28", format!("`{name}` is a mixer, not a value"), span)
                        .help(format!("call it: `{name}(…)`"))
                };
                self.report(d);
                None
            }
            Val::Function(name) => {
                let d =
                    Diagnostic::error("E28", format!("`{name}` is a function, not a value"), span);
                self.report(d.help(format!("call it: `{name}(…)`")));
                None
            }
            Val::Tuple(parts) => {
                let d = Diagnostic::error(
                    "E28",
                    format!("this call has {} outputs", parts.len()),
                    span,
                );
                self.report(d.help("name them on the left: `y, v = f(x)`"));
                None
            }
        }
    }

    /// Evaluates to a program value.
    pub(crate) fn eval_dyn(&mut self, s: &mut Scope<'p>, e: &'p Expr) -> Option<Dyn> {
        let v = self.eval(s, e);
        self.dynamic(v, e.span)
    }

    /// Evaluates to a static number.
    pub(crate) fn eval_static(&mut self, s: &mut Scope<'p>, e: &'p Expr) -> Option<Stat> {
        match self.eval(s, e) {
            Val::Stat(st) => Some(st),
            Val::Poison => None,
            _ => {
                let d = Diagnostic::error("E28", "a constant is needed here", e.span);
                self.report(d.help("use numbers, settings and sizes only"));
                None
            }
        }
    }
}
