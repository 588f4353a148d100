//! What a state may hold: the axes that it declares (E13), and a start that has no time.

use crate::elab::{Elab, plain};
use crate::scope::Scope;
use crate::value::{Dyn, Val};
use seqc_algebra::Axis;
use seqc_syntax::ast::Decl;
use seqc_syntax::{Diagnostic, Span};

impl<'p> Elab<'p> {
    /// Batch, the axes mapped over, and those declared.
    pub(super) fn state_axes(&mut self, s: &mut Scope<'p>, decl: &'p Decl) -> Option<Vec<Axis>> {
        let mut axes = vec![Axis::batch()];
        axes.extend(s.extras.iter().copied());
        let own = self.new_axes(s, &decl.axes)?;
        axes.extend(own.into_iter().filter(|a| !s.extras.contains(a)));
        Some(axes)
    }

    /// A state's start, if it is not 0.
    pub(crate) fn start(&mut self, s: &mut Scope<'p>, decl: &'p Decl) -> Option<Dyn> {
        let init = decl.init.as_ref()?;
        let v = match self.eval(s, init) {
            Val::Stat(st) if st.as_f64() == 0.0 => return None,
            v => self.dynamic(v, init.span)?,
        };
        if !self.times(&v).is_empty() {
            let d = Diagnostic::error(
                "E28",
                format!("`{}` starts from a sequence", decl.name.text),
                init.span,
            );
            self.report(d.help("a start has no time: a constant, a parameter, or `x[first]`"));
            return None;
        }
        self.fits_state(s, decl, &v, init.span)?;
        Some(v)
    }

    /// E13: a state holds only the axes it declares.
    pub(super) fn fits_state(
        &mut self,
        s: &mut Scope<'p>,
        decl: &'p Decl,
        v: &Dyn,
        span: Span,
    ) -> Option<()> {
        let axes = self.state_axes(s, decl)?;
        let extra: Vec<Axis> = self
            .features(v)
            .into_iter()
            .filter(|a| !axes.contains(a))
            .collect();
        if extra.is_empty() {
            return Some(());
        }
        let own: Vec<&str> = decl.axes.iter().map(|n| n.text.as_str()).collect();
        if let Some(same) = extra.iter().find(|a| axes.iter().any(|b| b.name == a.name)) {
            let mine = axes
                .iter()
                .find(|b| b.name == same.name)
                .copied()
                .unwrap_or(*same);
            self.clash(mine, *same, (decl.span, span), span);
            return None;
        }
        let names: Vec<&str> = extra.iter().map(|a| plain(a.name.as_str())).collect();
        let d = Diagnostic::error(
            "E13",
            format!(
                "state `{}{{{}}}` receives `{}`",
                decl.name.text,
                own.join(", "),
                names.join("`, `")
            ),
            span,
        );
        let mut all = own.clone();
        all.extend(&names);
        let d = d.secondary(decl.span, "declared here");
        self.report(d.help(format!(
            "declare `state {}{{{}}}`, or sum over `{}`",
            decl.name.text,
            all.join(", "),
            names[0]
        )));
        None
    }

    /// The value of a state that turned out to be in no cycle, with all its axes.
    pub(crate) fn state_value(
        &mut self,
        s: &mut Scope<'p>,
        decl: &'p Decl,
        v: Val,
        span: Span,
    ) -> Val {
        let Some(v) = self.dynamic(v, span) else {
            return Val::Poison;
        };
        if self.fits_state(s, decl, &v, span).is_none() {
            return Val::Poison;
        }
        let Some(axes) = self.state_axes(s, decl) else {
            return Val::Poison;
        };
        self.expand(&v, &axes, span).map_or(Val::Poison, Val::Dyn)
    }
}
