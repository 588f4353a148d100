//! Objectives: real numbers, one for each document, with names of their own.

use crate::elab::Elab;
use crate::scope::Scope;
use seqc_syntax::Diagnostic;
use seqc_syntax::ast::Objective;

impl<'p> Elab<'p> {
    pub(super) fn objective(&mut self, s: &mut Scope<'p>, o: &'p Objective) {
        s.line = s.home.join(&o.name.text);
        s.told = self.told_apart(s, &o.value);
        let Some(v) = self.eval_dyn(s, &o.value) else {
            return;
        };
        let extra: Vec<_> = self
            .axes(&v)
            .iter()
            .copied()
            .filter(|a| *a != seqc_algebra::Axis::batch())
            .collect();
        if !extra.is_empty() {
            let shown = self.shown(&v);
            let d = Diagnostic::error(
                "E07",
                format!(
                    "objective `{}` is {shown}, it must be a number",
                    o.name.text
                ),
                o.value.span,
            );
            self.report(d.help("reduce it: `mean[t](…)`, `sum[a](…)`"));
            return;
        }
        if self.need_real("objective", &v, o.value.span).is_none() {
            return;
        }
        let path = s.home.join(&o.name.text).path;
        if self.objectives.iter().any(|(n, _)| *n == path) {
            self.report(Diagnostic::error(
                "E04",
                format!("objective `{path}` has two definitions"),
                o.name.span,
            ));
            return;
        }
        self.objectives.push((path, v));
    }
}
