//! The statements as nodes of a graph: what each reads, and that each name is defined once.

use crate::elab::Elab;
use crate::reads::{Node, Off, What, link, reads_of, reads_of_family, repeat_reads};
use crate::scope::{Binding, Scope};
use crate::value::Val;
use seqc_syntax::ast::{AssignOp, Decl, Stmt};
use seqc_syntax::{Diagnostic, Span};
use std::collections::{HashMap, HashSet};

impl<'p> Elab<'p> {
    /// The statements to evaluate, with what each reads and defines; definitions are checked here.
    pub(super) fn nodes(
        &mut self,
        s: &mut Scope<'p>,
        stmts: &'p [Stmt],
        done: &HashSet<Span>,
        states: &HashMap<String, &'p Decl>,
    ) -> Vec<Node<'p>> {
        let clocks: Vec<&str> = s.clocks.keys().map(String::as_str).collect();
        let mut nodes: Vec<Node<'p>> = Vec::new();
        for stmt in stmts {
            let (what, reads) = match stmt {
                Stmt::Equation(eq) if !done.contains(&eq.span) => {
                    let mut reads = match eq.lhs.names() {
                        [n] if states.get(&n.text).is_some_and(|d| d.index.is_some()) => {
                            reads_of_family(&eq.value, &clocks)
                        }
                        _ => reads_of(&eq.value, &clocks),
                    };
                    if let Some(d) = &eq.domain {
                        reads.extend(reads_of(d, &clocks));
                    }
                    if eq.op == AssignOp::Add {
                        reads.extend(eq.lhs.names().iter().map(|n| (n.text.clone(), Off::Now)));
                    }
                    (What::Equation(eq), reads)
                }
                Stmt::Repeat(r) => (What::Repeat(r), repeat_reads(r)),
                Stmt::Objective(o) => (What::Objective(o), reads_of(&o.value, &clocks)),
                _ => continue,
            };
            let mut node = Node {
                what,
                reads,
                starts: vec![],
                deps: vec![],
            };
            let decls = node.defs().iter().filter_map(|n| states.get(&n.text));
            let starts = decls.filter_map(|d| d.init.as_ref());
            node.starts = (starts.flat_map(|e| reads_of(e, &clocks)))
                .map(|(name, _)| name)
                .collect();
            nodes.push(node);
        }
        let fresh = self.defined_once(s, &nodes, states);
        link(&mut nodes, states, &fresh);
        nodes
    }

    /// Checks each definition; returns for each node whether its names are its own.
    fn defined_once(
        &mut self,
        s: &Scope<'p>,
        nodes: &[Node<'p>],
        states: &HashMap<String, &'p Decl>,
    ) -> Vec<bool> {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        let mut good = Vec::new();
        for node in nodes {
            let mut ok = true;
            for name in node.defs() {
                let state = states.contains_key(&name.text);
                let carried = s.outer.contains(&name.text) || (node.adds() && !state);
                let known =
                    s.names.contains_key(&name.text) || seen.contains_key(name.text.as_str());
                let rebinds = carried && known;
                let poisoned = matches!(
                    s.names.get(&name.text).map(|n| &n.binding),
                    Some(Binding::Val(Val::Poison))
                );
                if let Some(old) = seen.get(name.text.as_str()).filter(|_| !rebinds) {
                    let d = Diagnostic::error(
                        "E04",
                        format!("`{}` has two definitions", name.text),
                        name.span,
                    );
                    let d = d.label("the second").secondary(*old, "the first");
                    self.report(d.help(crate::names::ONE_DEFINITION));
                    ok = false;
                } else if !(state || poisoned || rebinds && node.adds()) {
                    ok = self.may_define(s, name);
                }
                seen.entry(&name.text).or_insert(name.span);
            }
            good.push(ok);
        }
        good
    }
}
