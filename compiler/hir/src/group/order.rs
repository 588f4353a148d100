//! The order of a group's equations inside one step; a circle at one time (E15) has none.

use crate::elab::Elab;
use crate::reads::{Node, Off, What};
use seqc_syntax::ast::Lhs;
use seqc_syntax::{Diagnostic, Span};

impl<'p> Elab<'p> {
    /// The order inside one step; E15 if there is none.
    pub(super) fn same_time_order(
        &mut self,
        nodes: &[Node<'p>],
        comp: &[usize],
    ) -> Option<Vec<usize>> {
        let mut order: Vec<usize> = Vec::new();
        while order.len() < comp.len() {
            let ready = |k: &usize| {
                nodes[*k]
                    .deps
                    .iter()
                    .all(|(d, off)| *off != Off::Now || !comp.contains(d) || order.contains(d))
            };
            match comp.iter().find(|k| !order.contains(k) && ready(k)) {
                Some(k) => order.push(*k),
                None => {
                    self.circle(nodes, comp, &order);
                    return None;
                }
            }
        }
        Some(order)
    }

    fn circle(&mut self, nodes: &[Node<'p>], comp: &[usize], done: &[usize]) {
        let Some(start) = comp.iter().find(|k| !done.contains(k)) else {
            return;
        };
        let mut path = vec![*start];
        let closed = loop {
            let here = path[path.len() - 1];
            let next = nodes[here]
                .deps
                .iter()
                .find(|(d, off)| *off == Off::Now && comp.contains(d) && !done.contains(d));
            let Some((next, _)) = next else { break 0 };
            if let Some(at) = path.iter().position(|p| p == next) {
                break at;
            }
            path.push(*next);
        };
        let cycle = &path[closed..];
        let name = |k: usize| nodes[k].defs().first().map_or("?", |n| n.text.as_str());
        // Reads point backwards along the dependency: S needs P, P needs S.
        let mut shown: Vec<&str> = cycle.iter().map(|k| name(*k)).collect();
        shown.push(name(cycle[0]));
        let span = |k: usize| match nodes[k].what {
            What::Equation(eq) => eq.span,
            _ => Span::default(),
        };
        let first = name(cycle[0]);
        let mut d = Diagnostic::error(
            "E15",
            format!(
                "`{first}` needs itself at the same time ({})",
                shown.join(" → ")
            ),
            span(cycle[0]),
        );
        for k in &cycle[1..] {
            d = d.secondary(span(*k), format!("`{}` is needed here", name(*k)));
        }
        // Only a state has a previous step to read here.
        let state = cycle.iter().copied().find(|k| match nodes[*k].what {
            What::Equation(eq) => matches!(&eq.lhs, Lhs::One { index, .. } if !index.is_empty()),
            _ => false,
        });
        let state = state.map_or(first, name);
        self.report(d.help(format!("read the previous step: `{state}[t-1]`")));
    }
}
