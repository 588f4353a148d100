//! One equation: which of its forms it has, and the values of the names on its left.

use crate::elab::Elab;
use crate::scope::Scope;
use crate::value::Val;
use seqc_syntax::ast::{AssignOp, Decl, Equation, Lhs, Name};
use seqc_syntax::{Diagnostic, Span};
use std::collections::HashMap;

impl<'p> Elab<'p> {
    /// The values of an equation's names.
    pub(crate) fn equation(
        &mut self,
        s: &mut Scope<'p>,
        eq: &'p Equation,
        states: &HashMap<String, &'p Decl>,
    ) -> Vec<(&'p Name, Val)> {
        let names = eq.lhs.names();
        let part = eq.label.as_ref().map_or_else(
            || {
                names
                    .iter()
                    .map(|n| n.text.as_str())
                    .collect::<Vec<_>>()
                    .join("_")
            },
            |l| l.text.clone(),
        );
        s.line = s.home.join(&part);
        s.told = self.told_apart(s, &eq.value);
        s.current = names.iter().map(|n| n.text.clone()).collect();
        match &eq.lhs {
            Lhs::Many { names, .. } => {
                let v = self.eval(s, &eq.value);
                self.spread(names, v, eq.value.span)
            }
            Lhs::One { name, index, .. } => {
                let v = match index.as_slice() {
                    [] => self.pointwise(s, eq, name, states),
                    [one] if s.clocks.contains_key(&one.text) => {
                        if states.contains_key(&name.text) {
                            self.pointwise(s, eq, name, states)
                        } else {
                            let d = Diagnostic::error(
                                "E14",
                                format!("`{}` is not a state", name.text),
                                eq.lhs.span(),
                            );
                            self.report(d.help(format!(
                                "write `{} = …`, or declare `state {}{{…}}`",
                                name.text, name.text
                            )));
                            Val::Poison
                        }
                    }
                    [one] => self.kernel(s, eq, one),
                    [a, b]
                        if !s.clocks.contains_key(&a.text) && !s.clocks.contains_key(&b.text) =>
                    {
                        self.matrix(s, eq, index)
                    }
                    _ => self.family(s, eq, (name, index), states),
                };
                vec![(name, v)]
            }
        }
    }

    /// `L[t,j] = …`: the next state of every source position; its loop has given `j` its axis.
    fn family(
        &mut self,
        s: &mut Scope<'p>,
        eq: &'p Equation,
        (name, index): (&Name, &'p [Name]),
        states: &HashMap<String, &'p Decl>,
    ) -> Val {
        let sources = index.iter().find(|n| !s.clocks.contains_key(&n.text));
        let (true, Some(sources)) = (states.contains_key(&name.text), sources) else {
            let d = Diagnostic::error(
                "E14",
                format!("`{}` is not a state", name.text),
                eq.lhs.span(),
            );
            self.report(d.help(format!(
                "declare `state {}[j]{{…}}`, or name both indices yourself: `{}[i,j]`",
                name.text, name.text
            )));
            return Val::Poison;
        };
        let mut inner = s.clone();
        if !inner.indices.contains_key(&sources.text) {
            let axis = self.index_over(s, s.now(), &sources.text);
            (inner.indices).insert(
                sources.text.clone(),
                crate::scope::Index { axis, lag: false },
            );
        }
        let axis = inner.indices[&sources.text].axis;
        let Some(v) = self.eval_dyn(&mut inner, &eq.value) else {
            return Val::Poison;
        };
        let mut allowed: Vec<_> = s.clocks.values().copied().collect();
        allowed.push(axis);
        match self.leftover(s, &v, &allowed, eq.value.span) {
            Some(()) => Val::Dyn(v),
            None => Val::Poison,
        }
    }

    /// A family whose equation has no earlier step is a matrix.
    pub(super) fn never_reads_itself(&mut self, s: &mut Scope<'p>, eq: &'p Equation, d: &'p Decl) {
        let j = d.index.as_ref().map_or("j", |j| j.text.as_str());
        let name = &d.name.text;
        let error = Diagnostic::error(
            "E28",
            format!("`{name}` never reads its own earlier steps"),
            eq.lhs.span(),
        );
        let error = error.secondary(d.span, "declared a state here");
        self.report(error.help(format!(
            "read `{name}[t-1,{j}]` in its equation, or leave out `state` and write `{name}[i,{j}] = …`"
        )));
        s.bind(name, Val::Poison, d.name.span);
    }

    fn spread(&mut self, names: &'p [Name], v: Val, span: Span) -> Vec<(&'p Name, Val)> {
        match v {
            Val::Tuple(parts) if parts.len() == names.len() => names.iter().zip(parts).collect(),
            Val::Poison => names.iter().map(|n| (n, Val::Poison)).collect(),
            other => {
                let got = if let Val::Tuple(parts) = &other {
                    parts.len()
                } else {
                    1
                };
                let d = Diagnostic::error(
                    "E28",
                    format!(
                        "{} names for {got} output{}",
                        names.len(),
                        if got == 1 { "" } else { "s" }
                    ),
                    span,
                );
                self.report(d.help("name every output of the call, in its order"));
                names.iter().map(|n| (n, Val::Poison)).collect()
            }
        }
    }

    fn pointwise(
        &mut self,
        s: &mut Scope<'p>,
        eq: &'p Equation,
        name: &'p Name,
        states: &HashMap<String, &'p Decl>,
    ) -> Val {
        s.domain = eq.domain.as_ref();
        let mut v = self.eval(s, &eq.value);
        s.domain = None;
        if let Val::Dyn(d) = &v {
            // What does not exist is 0.
            v = self.settled(d, eq.value.span).map_or(Val::Poison, Val::Dyn);
        }
        if eq.op == AssignOp::Add {
            v = self.added(s, name, v, eq);
        }
        if states.contains_key(&name.text) && eq.lhs_is_bare() {
            let d = Diagnostic::error(
                "E04",
                format!("`{}` is a state: its equation says when", name.text),
                name.span,
            );
            self.report(d.help(format!("write `{}[t] = …`", name.text)));
        }
        if let Val::Dyn(d) = &v {
            let clocks: Vec<_> = s.clocks.values().copied().collect();
            let allowed: Vec<_> = clocks.into_iter().collect();
            if self.leftover(s, d, &allowed, eq.value.span).is_none() {
                return Val::Poison;
            }
        }
        v
    }

    /// `x += e`
    fn added(&mut self, s: &mut Scope<'p>, name: &'p Name, v: Val, eq: &'p Equation) -> Val {
        let old = self.name_form(s, name);
        let (a, b) = (self.dynamic(old, name.span), self.dynamic(v, eq.value.span));
        let (Some(a), Some(b)) = (a, b) else {
            return Val::Poison;
        };
        let places = (name.span, eq.value.span);
        let ok = self
            .same_clock(s, &a, &b, places, eq.span)
            .and_then(|()| self.no_outer("+=", &a, &b, places, eq.span));
        ok.and_then(|()| self.map2(seqc_algebra::MapFn::Add, &a, &b, eq.span))
            .map_or(Val::Poison, Val::Dyn)
    }
}

/// Extension used only here: does the left side have no index?
trait Bare {
    fn lhs_is_bare(&self) -> bool;
}

impl Bare for Equation {
    fn lhs_is_bare(&self) -> bool {
        matches!(&self.lhs, Lhs::One { index, .. } if index.is_empty())
    }
}
