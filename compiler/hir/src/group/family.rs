//! A state for each source position: `state K[j]{…} = start; K[t,j] = …`.
//!
//! The state of position j is born at step j, as its start, and steps with the others from then on; before, it is 0.
//! In the loop it is one state with an axis of sources; outside it is a matrix, `K[i,j]`, with entries for `j <= i`.

use super::{Plan, State};
use crate::elab::Elab;
use crate::exists::{Domain, Outside};
use crate::scope::{Index, Scope};
use crate::value::{Dyn, Matrix, Val};
use seqc_algebra::{Axis, MapFn};
use seqc_syntax::ast::{Decl, Equation, Lhs, Name};
use seqc_syntax::{Diagnostic, Span};

impl<'p> Elab<'p> {
    /// The axis of sources of a state with an index, and the index's name: the second on the left side of its equation.
    pub(super) fn sources(
        &mut self,
        s: &Scope<'p>,
        decl: &'p Decl,
        eq: &'p Equation,
        clock: Axis,
    ) -> Option<Option<(&'p Name, Axis)>> {
        let Lhs::One { name, index, .. } = &eq.lhs else {
            return Some(None);
        };
        let (declared, second) = match (&decl.index, index.as_slice()) {
            // Without any index it is E04.
            (None, [] | [_]) => return Some(None),
            (Some(declared), [_, second]) => (declared, second),
            (declared, _) => {
                let with = declared
                    .as_ref()
                    .map_or(String::new(), |j| format!(",{}", j.text));
                let d = Diagnostic::error(
                    "E28",
                    format!(
                        "`{}` is declared with {} index",
                        name.text,
                        if declared.is_some() { "an" } else { "no" }
                    ),
                    eq.lhs.span(),
                );
                let d = d.secondary(decl.span, "declared here");
                self.report(d.help(format!("write `{}[t{with}] = …`", name.text)));
                return None;
            }
        };
        if declared.text != second.text {
            let d = Diagnostic::error(
                "E28",
                format!("`{}` counts sources by `{}`", name.text, declared.text),
                second.span,
            );
            let d = d.secondary(decl.span, "declared here");
            self.report(d.help(format!("write `{}[t,{}] = …`", name.text, declared.text)));
            return None;
        }
        Some(Some((second, self.index_over(s, clock, &second.text))))
    }

    /// Inside of the loop, the index of each family stands for its axis of sources.
    pub(super) fn bind_sources(&self, inner: &mut Scope<'p>, plan: &Plan<'p>) {
        for (name, axis) in plan.states.iter().filter_map(|st| st.sources) {
            inner
                .indices
                .insert(name.text.clone(), Index { axis, lag: false });
        }
    }

    /// What the state of a source is born as: a value over sources.
    pub(super) fn birth(
        &mut self,
        s: &Scope<'p>,
        decl: &'p Decl,
        (name, axis): (&'p Name, Axis),
    ) -> Option<Option<Dyn>> {
        let Some(init) = decl.init.as_ref() else {
            return Some(None);
        };
        let mut inner = s.clone();
        inner
            .indices
            .insert(name.text.clone(), Index { axis, lag: false });
        let v = self.eval_dyn(&mut inner, init)?;
        self.leftover(s, &v, &[axis], init.span)?;
        self.fits_state(&mut inner, decl, &v, init.span)?;
        Some(Some(v))
    }

    /// The next states of a family: born at their own step, 0 before.
    pub(super) fn born(
        &mut self,
        v: &Dyn,
        st: &State<'p>,
        (time, axis): (Axis, Axis),
        depth: usize,
        span: Span,
    ) -> Option<Dyn> {
        let (source, now) = (self.iota(axis, span)?, self.iota(time, span)?);
        let (source, now) = (
            self.bring(&source, depth, span)?,
            self.bring(&now, depth, span)?,
        );
        let start = match &st.start {
            Some(v) => v.clone(),
            None => self.number(0.0),
        };
        let zero = self.number(0.0);
        let born = self.map2(MapFn::Eq, &source, &now, span)?;
        let before = self.map2(MapFn::Lt, &source, &now, span)?;
        let old = self.select(&before, v, &zero, span)?;
        let new = self.select(&born, &start, &old, span)?;
        self.expand(&new, &st.axes, span)
    }

    /// The family at every step, as a matrix over steps and sources.
    pub(super) fn as_matrix(
        &mut self,
        s: &Scope<'p>,
        v: &Dyn,
        (time, sources): (Axis, Axis),
        span: Span,
    ) -> Option<Val> {
        let row = time.renamed(&s.fresh("i"));
        let mut value = self.rename(v, time, row, span)?;
        let (source, step) = (self.iota(sources, span)?, self.iota(row, span)?);
        let born = self.map2(MapFn::Le, &source, &step, span)?;
        value.zero = self.bounds(std::slice::from_ref(&born));
        value.domains = vec![Domain {
            over: vec![row, sources],
            conditions: [born].into(),
            outside: Outside::Zero,
        }];
        Some(Val::Matrix(Matrix {
            value,
            index: vec![row, sources],
        }))
    }
}
