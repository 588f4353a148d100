//! The range of an input: `g: seq{d}  where g <= 0`. Comparisons of the input with constants, joined by `and`.
//!
//! It says which numbers a mixer is meant for (a log-decay is not above 0), and changes nothing of what it computes: runs
//! on given numbers check it, certificates draw from it.

use crate::elab::Elab;
use crate::scope::Scope;
use crate::value::Val;
use seqc_syntax::ast::{BinaryOp, Expr, ExprKind, Port};
use seqc_syntax::{Diagnostic, Span};

/// The numbers that an input may hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    pub input: String,
    pub least: f64,
    pub most: f64,
    /// Is the end itself left out?
    pub above: bool,
    pub below: bool,
    pub span: Span,
}

impl Range {
    pub fn contains(&self, x: f64) -> bool {
        let low = if self.above {
            x > self.least
        } else {
            x >= self.least
        };
        let high = if self.below {
            x < self.most
        } else {
            x <= self.most
        };
        low && high
    }
}

/// What the header declares of an input; `None` if that is not a range, which has been said.
pub(super) fn range<'p>(
    el: &mut Elab<'p>,
    s: &mut Scope<'p>,
    port: &'p Port,
) -> Option<Option<Range>> {
    let Some(condition) = &port.domain else {
        return Some(None);
    };
    let mut range = Range {
        input: port.name.text.clone(),
        least: f64::NEG_INFINITY,
        most: f64::INFINITY,
        above: false,
        below: false,
        span: condition.span,
    };
    narrowed(el, s, condition, &mut range)?;
    let some =
        range.least < range.most || range.least == range.most && !range.above && !range.below;
    if !some {
        let d = Diagnostic::error(
            "E28",
            format!("no number is in the range of `{}`", range.input),
            condition.span,
        );
        el.report(d);
        return None;
    }
    Some(Some(range))
}

fn narrowed<'p>(
    el: &mut Elab<'p>,
    s: &mut Scope<'p>,
    e: &'p Expr,
    range: &mut Range,
) -> Option<()> {
    let ExprKind::Binary { op, left, right } = &e.kind else {
        return no_range(el, e, &range.input);
    };
    if *op == BinaryOp::And {
        narrowed(el, s, left, range)?;
        return narrowed(el, s, right, range);
    }
    let is_input = |x: &Expr| matches!(&x.kind, ExprKind::Name(n) if n.text == range.input);
    let (upper, strict) = match op {
        BinaryOp::Le => (true, false),
        BinaryOp::Lt => (true, true),
        BinaryOp::Ge => (false, false),
        BinaryOp::Gt => (false, true),
        _ => return no_range(el, e, &range.input),
    };
    let (upper, bound) = match (is_input(left), is_input(right)) {
        (true, false) => (upper, right),
        (false, true) => (!upper, left),
        _ => return no_range(el, e, &range.input),
    };
    let Val::Stat(bound) = el.eval(s, bound) else {
        return no_range(el, e, &range.input);
    };
    let bound = bound.as_f64();
    let (old, closed) = match upper {
        true => (&mut range.most, &mut range.below),
        false => (&mut range.least, &mut range.above),
    };
    let tighter = if upper { bound < *old } else { bound > *old };
    if tighter {
        *closed = strict;
        *old = bound;
    } else if bound == *old {
        *closed |= strict;
    }
    Some(())
}

fn no_range(el: &mut Elab, e: &Expr, input: &str) -> Option<()> {
    let d = Diagnostic::error("E28", format!("this is no range of `{input}`"), e.span);
    el.report(d.help(format!(
        "compare it with constants: `where {input} <= 0`, `where -1 <= {input} and {input} <= 1`"
    )));
    None
}
