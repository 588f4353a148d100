//! Functions that name an axis: one that they count along, make, or read a position of.

use crate::elab::Elab;
use crate::scope::Scope;
use crate::value::{Dyn, Val};
use seqc_algebra::{Axis, MapFn, Op};
use seqc_syntax::ast::{Arg, Call, Expr, ExprKind};
use seqc_syntax::{Diagnostic, Span};

impl<'p> Elab<'p> {
    /// `range(a)`: the coordinate along an axis.
    pub(super) fn range(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Val {
        let [
            Arg::Positional(Expr {
                kind: ExprKind::Name(n),
                ..
            }),
        ] = c.args.as_slice()
        else {
            // `range(k')` is read as a name with its primes; anything else is no axis.
            let d = Diagnostic::error("E28", "`range` takes one axis", span);
            self.report(d.help("write `range(a)`"));
            return Val::Poison;
        };
        let Some(axes) = self.new_axis(s, n) else {
            return Val::Poison;
        };
        self.coordinate(&axes, span).map_or(Val::Poison, Val::Dyn)
    }

    /// Row-major position in a group of axes.
    fn coordinate(&mut self, axes: &[Axis], span: Span) -> Option<Dyn> {
        let mut out: Option<Dyn> = None;
        for a in axes {
            let here = self.iota(*a, span)?;
            out = Some(match out {
                None => here,
                Some(v) => {
                    let size = self.number(a.size.constant()? as f64);
                    let v = self.map2(MapFn::Mul, &v, &size, span)?;
                    self.map2(MapFn::Add, &v, &here, span)?
                }
            });
        }
        let mut out = out?;
        out.index = Some(axes.to_vec());
        Some(out)
    }

    /// `stack[two](a, b)`: arguments along a new axis.
    pub(super) fn stack(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Option<Dyn> {
        let [name] = c.group.as_slice() else {
            self.report(
                Diagnostic::error("E28", "`stack` needs the axis it makes", span)
                    .help("write `stack[two](a, b)`"),
            );
            return None;
        };
        let axes = self.new_axis(s, name)?;
        let parts: Vec<(Option<Dyn>, Span)> = c
            .args
            .iter()
            .map(|a| {
                (
                    if let Arg::Positional(x) = a {
                        self.eval_dyn(s, x)
                    } else {
                        None
                    },
                    a.span(),
                )
            })
            .collect();
        let size = self.volume(&axes, span)?;
        if parts.len() != size || axes.len() != 1 {
            let d = Diagnostic::error(
                "E08",
                format!(
                    "`{}` has {size} positions, {} values are stacked",
                    name.text,
                    parts.len()
                ),
                span,
            );
            self.report(self.with_sizes(d, axes.iter()));
            return None;
        }
        let parts: Option<Vec<(Dyn, Span)>> = parts
            .into_iter()
            .map(|(v, at)| v.map(|v| (v, at)))
            .collect();
        let parts = parts?;
        for w in parts.windows(2) {
            self.no_outer("stack", &w[0].0, &w[1].0, (w[0].1, w[1].1), span)?;
            self.same_clock(s, &w[0].0, &w[1].0, (w[0].1, w[1].1), span)?;
        }
        let refs: Vec<&Dyn> = parts.iter().map(|(v, _)| v).collect();
        self.emit(Op::Stack(axes[0]), &refs, span)
    }

    /// `onehot[codes](code)`
    pub(super) fn onehot(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Option<Dyn> {
        let a = self.args(c, 1, true, "onehot[a](index)", span)?;
        let axes = self.new_axes(s, &c.group)?;
        let code = self.eval_dyn(s, a[0])?;
        let here = self.coordinate(&axes, span)?;
        self.map2(MapFn::Eq, &here, &code, span)
    }

    /// `xent[c](logits, token)`: minus the log-probability of the token.
    pub(super) fn xent(&mut self, s: &mut Scope<'p>, c: &'p Call, span: Span) -> Option<Dyn> {
        let a = self.args(c, 2, true, "xent[c](logits, token)", span)?;
        let (logits, token) = (self.eval_dyn(s, a[0]), self.eval_dyn(s, a[1]));
        let (logits, token) = (logits?, token?);
        let [name] = c.group.as_slice() else {
            self.report(Diagnostic::error(
                "E28",
                "`xent` ranges over one axis",
                span,
            ));
            return None;
        };
        let axes = self.need_axis(s, name, &logits, "`xent`")?;
        if let Some(of) = token.index.as_ref().filter(|of| of.as_slice() != axes) {
            let d = Diagnostic::error(
                "E08",
                format!(
                    "the tokens count positions of {}, the logits of {}",
                    Self::braces(of),
                    Self::braces(&axes)
                ),
                a[1].span,
            );
            self.report(self.with_sizes(d, of.iter().chain(&axes)));
            return None;
        }
        self.same_clock(s, &logits, &token, (a[0].span, a[1].span), span)?;
        let (logits, axis) = self.merged(&logits, &axes, span)?;
        let total = self.emit(Op::LogSumExp(axis), &[&logits], span)?;
        let hit = self.emit(Op::Gather(axis), &[&logits, &token], span)?;
        self.map2(MapFn::Sub, &total, &hit, span)
    }
}
