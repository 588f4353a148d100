//! `f(x, along = w)`: a mixer whose time is an axis of its argument. The argument's own time is mapped over.
//!
//! While the mixer is elaborated the axis is a time and no feature; so are indices over it. An axis of a value is there
//! at once, so nothing that happens along it looks ahead in time.

use crate::elab::Elab;
use crate::scope::Scope;
use crate::value::Dyn;
use seqc_algebra::Axis;
use seqc_syntax::ast::{Expr, ExprKind, Name};
use seqc_syntax::{Diagnostic, Span};

impl<'p> Elab<'p> {
    /// The name behind `along =`.
    pub(crate) fn line_named(&mut self, e: &'p Expr) -> Option<&'p Name> {
        if let ExprKind::Name(n) = &e.kind {
            return Some(n);
        }
        let d = Diagnostic::error("E28", "`along` takes the name of an axis", e.span);
        self.report(d.help("write `f(x, along = a)`"));
        None
    }

    /// The axis that a call runs along, which is a time from here on. Some argument must have it.
    pub(crate) fn line(
        &mut self,
        s: &mut Scope<'p>,
        name: &'p Name,
        values: &[(Dyn, Span)],
    ) -> Option<Axis> {
        let mut owner = None;
        for (v, _) in values {
            if owner.is_none() && self.axis_of(s, name, v).is_some() {
                owner = Some(v.clone());
            }
        }
        let v = owner.or_else(|| values.first().map(|(v, _)| v.clone()))?;
        match self.need_axis(s, name, &v, "`along`")?[..] {
            [axis] => {
                self.lines.push(axis);
                Some(axis)
            }
            _ => {
                self.not_built("`along` a group of axes", name.span);
                None
            }
        }
    }
}
