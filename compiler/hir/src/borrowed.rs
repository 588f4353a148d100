//! `f[e](x)` of a mixer without brackets in its header: axes of the caller under the names that its inputs declare.
//!
//! So a mixer that is written for `seq{d}` runs on a sequence of another width. The values are renamed on the way in
//! and out: mixers that it calls in turn find the axes by the names that they know.

use crate::elab::Elab;
use crate::scope::Scope;
use crate::value::Dyn;
use seqc_algebra::Axis;
use seqc_syntax::ast::{Call, Mixer, Name};
use seqc_syntax::{Diagnostic, Span};

/// An axis of the caller, and what the callee calls it.
pub(crate) type GivenAxes = Vec<(Axis, Axis)>;

impl<'p> Elab<'p> {
    /// Pairs brackets with the axes of the header's inputs, in order. E28 when there are not as many.
    pub(crate) fn given_axes(
        &mut self,
        s: &mut Scope<'p>,
        mixer: &'p Mixer,
        c: &'p Call,
        values: &[(Dyn, Span)],
    ) -> Option<GivenAxes> {
        if c.group.is_empty() || !mixer.group.is_empty() {
            return Some(vec![]);
        }
        let own = header_axes(mixer);
        if own.len() != c.group.len() {
            let names: Vec<&str> = own.iter().map(|n| n.text.as_str()).collect();
            let d = Diagnostic::error(
                "E28",
                format!(
                    "`{}` has {} ax{}s in its inputs, {} in brackets",
                    c.name.text,
                    own.len(),
                    if own.len() == 1 { "i" } else { "e" },
                    c.group.len()
                ),
                c.group[0].span,
            );
            let d = d.secondary(mixer.name.span, format!("its axes: {}", names.join(", ")));
            self.report(
                d.help("name an axis of the argument for each, or none to match them by name"),
            );
            return None;
        }
        let mut out = Vec::new();
        for (n, own) in c.group.iter().zip(own) {
            let owner = values.iter().map(|(v, _)| v.clone());
            let owner = owner.into_iter().find(|v| self.axis_of(s, n, v).is_some());
            let v = owner.or_else(|| values.first().map(|(v, _)| v.clone()))?;
            let what = format!("`{}[{}]`", c.name.text, n.text);
            let [axis] = self.need_axis(s, n, &v, &what)?[..] else {
                self.not_built("a group of axes for one axis of a mixer", n.span);
                return None;
            };
            let taken = |name: &str| values.iter().any(|(v, _)| self.named(v, name));
            let fresh = (1usize..).map(|k| format!("{}.{k}", own.text));
            let name = fresh.into_iter().find(|name| !taken(name))?;
            out.push((axis, axis.renamed(&name)));
        }
        Some(out)
    }

    fn named(&self, v: &Dyn, name: &str) -> bool {
        self.axes(v).iter().any(|a| a.name.as_str() == name)
    }

    pub(crate) fn under_own_names(
        &mut self,
        given: &GivenAxes,
        values: &[(Dyn, Span)],
    ) -> Option<Vec<(Dyn, Span)>> {
        let mut out = Vec::new();
        for (v, at) in values {
            out.push((self.renamed(given.iter().copied(), v.clone(), *at)?, *at));
        }
        Some(out)
    }

    pub(crate) fn under_callers_names(
        &mut self,
        given: &GivenAxes,
        v: Dyn,
        span: Span,
    ) -> Option<Dyn> {
        self.renamed(given.iter().map(|(a, b)| (*b, *a)), v, span)
    }

    fn renamed(
        &mut self,
        axes: impl Iterator<Item = (Axis, Axis)>,
        mut v: Dyn,
        span: Span,
    ) -> Option<Dyn> {
        for (from, to) in axes {
            if self.has(&v, from) {
                v = self.rename(&v, from, to, span)?;
            }
        }
        Some(v)
    }
}

/// The axes that the inputs declare, each once, in order.
fn header_axes(mixer: &Mixer) -> Vec<&Name> {
    let mut out: Vec<&Name> = Vec::new();
    for n in mixer.inputs.iter().flat_map(|p| &p.ty.axes) {
        if !out.iter().any(|o| o.text == n.text) {
            out.push(n);
        }
    }
    out
}
