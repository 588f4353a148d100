//! Functions that move positions: `shift` along a feature axis, `reverse` along a time.

use crate::elab::Elab;
use crate::scope::Scope;
use crate::value::Dyn;
use seqc_algebra::{Axis, Op};
use seqc_syntax::ast::{Arg, Call, Expr, ExprKind};
use seqc_syntax::{Diagnostic, Span};

#[derive(Default)]
struct Displacement {
    c: i64,
    range: Option<(bool, Axis)>,
}

impl<'p> Elab<'p> {
    /// `reverse(x)`: the sequence from its end.
    pub(super) fn reverse(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Option<Dyn> {
        let a = self.args(c, 1, false, "reverse(x)", span)?;
        let v = self.eval_dyn(s, a[0])?;
        let Some(time) = self.times(&v).into_iter().find(|x| s.is_clock(*x)) else {
            if v.depth > 0 {
                self.not_built("`reverse` inside a cycle through a state", span);
            } else {
                self.report(Diagnostic::error(
                    "E28",
                    "`reverse` needs a sequence",
                    a[0].span,
                ));
            }
            return None;
        };
        let mut out = self.emit(Op::Flip(time), &[&v], span)?;
        out.reach = v.reach.with_end(time);
        out.index = v.index;
        Some(out)
    }

    /// `shift[n](x, by)`: `y[p] = x[p - by]` along a feature axis; `by` is a constant, plus or minus a range.
    pub(super) fn shift_call(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Option<Dyn> {
        let a = self.args(c, 2, true, "shift[n](x, 1)", span)?;
        let v = self.eval_dyn(s, a[0])?;
        let [name] = c.group.as_slice() else {
            self.report(Diagnostic::error(
                "E28",
                "`shift` moves along one axis",
                span,
            ));
            return None;
        };
        let axes = self.need_axis(s, name, &v, "`shift`")?;
        let [axis] = axes.as_slice() else {
            self.not_built("`shift` along a group of axes", span);
            return None;
        };
        let mut by = Displacement::default();
        self.displacement(s, a[1], true, &mut by)?;
        let reach = v.reach.clone();
        let mut out = match by.range {
            None => self.shift(&v, *axis, by.c, None, span)?,
            Some((plus, taps)) => {
                let size = i64::try_from(taps.size.constant()?).ok()?;
                self.window(&v, *axis, by.c.checked_neg()?, !plus, taps, size, span)?
            }
        };
        out.reach = reach;
        Some(out)
    }

    fn displacement(
        &mut self,
        s: &mut Scope<'p>,
        e: &'p Expr,
        plus: bool,
        out: &mut Displacement,
    ) -> Option<()> {
        use seqc_syntax::ast::BinaryOp::{Add, Sub};
        match &e.kind {
            ExprKind::Binary {
                op: op @ (Add | Sub),
                left,
                right,
            } => {
                self.displacement(s, left, plus, out)?;
                self.displacement(s, right, plus == (*op == Add), out)
            }
            ExprKind::Call(c) if c.name.text == "range" && out.range.is_none() => {
                match c.args.as_slice() {
                    [
                        Arg::Positional(Expr {
                            kind: ExprKind::Name(n),
                            ..
                        }),
                    ] => {
                        let axes = self.new_axis(s, n)?;
                        out.range = Some((plus, *axes.first()?));
                        Some(())
                    }
                    _ => self.bad_shift(e.span),
                }
            }
            _ => {
                let st = self.eval_static(s, e)?;
                match st
                    .as_int()
                    .and_then(|k| i64::try_from(k).ok())
                    .and_then(|k| {
                        if plus {
                            out.c.checked_add(k)
                        } else {
                            out.c.checked_sub(k)
                        }
                    }) {
                    Some(c) => {
                        out.c = c;
                        Some(())
                    }
                    None => self.bad_shift(e.span),
                }
            }
        }
    }

    fn bad_shift(&mut self, span: Span) -> Option<()> {
        self.report(Diagnostic::error(
            "E28",
            "`shift` moves by a whole constant, plus or minus a `range`",
            span,
        ));
        None
    }
}
