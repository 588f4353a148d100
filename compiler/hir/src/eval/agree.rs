//! What operands must agree in: their clock (E20), their axes (E11, E08), and that they are real (E25).

use crate::elab::Elab;
use crate::scope::Scope;
use crate::value::Dyn;
use seqc_algebra::{Axis, Elem};
use seqc_syntax::{Diagnostic, Span};

impl<'p> Elab<'p> {
    /// E20: operands that run on different clocks.
    pub(crate) fn same_clock(
        &mut self,
        s: &Scope<'p>,
        a: &Dyn,
        b: &Dyn,
        places: (Span, Span),
        span: Span,
    ) -> Option<()> {
        let of = |this: &Self, v: &Dyn| {
            this.times(v)
                .into_iter()
                .find(|x| s.is_clock(*x) && !s.extras.contains(x))
        };
        let (x, y) = (of(self, a), of(self, b));
        let (Some(x), Some(y)) = (x, y) else {
            return Some(());
        };
        if x == y {
            return Some(());
        }
        let d = Diagnostic::error(
            "E20",
            format!(
                "one operand runs on clock `{}`, the other on `{}`",
                x.name, y.name
            ),
            span,
        );
        let d = d
            .secondary(places.0, format!("runs on `{}`", x.name))
            .secondary(places.1, format!("runs on `{}`", y.name));
        self.report(self.about_clocks(d, &[x, y]));
        None
    }

    /// E11: sums and comparisons never make outer products.
    pub(crate) fn no_outer(
        &mut self,
        symbol: &str,
        a: &Dyn,
        b: &Dyn,
        places: (Span, Span),
        span: Span,
    ) -> Option<()> {
        let (x, y) = (self.features(a), self.features(b));
        if x.iter().all(|k| y.contains(k)) || y.iter().all(|k| x.contains(k)) {
            return Some(());
        }
        if let Some((p, q)) = x.iter().find_map(|p| {
            y.iter()
                .find(|q| q.name == p.name && q.size != p.size)
                .map(|q| (p, q))
        }) {
            self.clash(*p, *q, places, span);
            return None;
        }
        let (left, right) = (Self::braces(&x), Self::braces(&y));
        let d = Diagnostic::error(
            "E11",
            format!("`{symbol}` would make an outer product of {left} and {right}"),
            span,
        );
        let d = d.secondary(places.0, left).secondary(places.1, right);
        self.report(
            d.help("use `*` for an outer product, sum the axis that is too many, or rename one"),
        );
        None
    }

    /// E08: one name, two sizes.
    pub(crate) fn clash(&mut self, p: Axis, q: Axis, places: (Span, Span), span: Span) {
        let name = crate::elab::plain(p.name.as_str());
        let mut d = Diagnostic::error(
            "E08",
            format!(
                "`{name}` is {} in one operand, {} in the other",
                p.size, q.size
            ),
            span,
        );
        d = d
            .secondary(places.0, format!("`{name}` is {}", p.size))
            .secondary(places.1, format!("`{name}` is {}", q.size));
        for axis in [p, q] {
            if let Some((formula, at)) = self.sizes.get(&axis) {
                d = d.secondary(*at, formula.clone());
            }
        }
        self.report(d.help("give the two axes one size, or two names"));
    }

    /// E25 where a complex number has no meaning.
    pub(crate) fn need_real(&mut self, what: &str, v: &Dyn, span: Span) -> Option<()> {
        if self.elem(v) != Elem::Complex {
            return Some(());
        }
        let d = Diagnostic::error(
            "E25",
            format!("`{what}` needs a real number, this is complex"),
            span,
        );
        self.report(d.help("write `re(…)` or `abs(…)`"));
        None
    }
}
