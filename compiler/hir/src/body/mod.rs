//! The statements of a mixer or a `repeat`: what they define, in the order that [`crate::reads`] finds.
//!
//! Equations are read in order; only states may be read before their equation. Equations that depend on each
//! other through states form groups (strongly connected components), each of which becomes one loop.

mod equation;
mod nodes;
mod objective;
mod repeat;
mod statics;

use crate::elab::Elab;
use crate::reads::{Node, What, components};
use crate::scope::{Binding, Named, Scope};
use crate::value::Val;
use seqc_syntax::Diagnostic;
use seqc_syntax::ast::{Decl, DeclKind, Name, Stmt};
use std::collections::{HashMap, HashSet};

impl<'p> Elab<'p> {
    /// Evaluates statements in a scope, leaving their names in it. `wanted`: names read afterwards.
    pub(crate) fn body(&mut self, s: &mut Scope<'p>, stmts: &'p [Stmt], wanted: &HashSet<String>) {
        self.clashes(s, stmts);
        let done = self.statics(s, stmts);
        let states = self.declarations(s, stmts);
        let nodes = self.nodes(s, stmts, &done, &states);
        s.defined.extend(
            nodes
                .iter()
                .flat_map(|n| n.defs())
                .map(|d| (d.text.clone(), d.span)),
        );
        let defs = nodes.iter().flat_map(|n| n.defs());
        let defined: HashSet<&str> = defs.map(|d| d.text.as_str()).collect();
        for name in states.keys() {
            if !defined.contains(name.as_str()) {
                let d = states[name];
                self.report(
                    Diagnostic::error(
                        "E06",
                        format!("state `{name}` has no equation"),
                        d.name.span,
                    )
                    .help(format!("write `{name}[t] = …`")),
                );
                s.bind(name, Val::Poison, d.name.span);
            }
        }
        let readers = readers(&nodes);
        for comp in components(&nodes) {
            if !comp.iter().all(|k| self.spend(nodes[*k].span())) {
                let names = comp.iter().flat_map(|k| nodes[*k].defs());
                names.for_each(|n| s.bind(&n.text, Val::Poison, n.span));
                continue;
            }
            let cyclic = comp.len() > 1 || nodes[comp[0]].deps.iter().any(|(d, _)| *d == comp[0]);
            if cyclic {
                let names = comp.iter().flat_map(|k| nodes[*k].defs());
                let members: HashSet<usize> = comp.iter().copied().collect();
                let outside = |n: &&Name| {
                    let mut read = readers.get(n.text.as_str()).into_iter().flatten();
                    wanted.contains(&n.text) || read.any(|k| !members.contains(k))
                };
                let external = names.filter(outside).map(|n| n.text.clone()).collect();
                self.group(s, &nodes, &comp, &states, &external);
            } else {
                self.node(s, &nodes[comp[0]], &states);
            }
        }
    }

    /// Parameters, noises and the list of states.
    fn declarations(&mut self, s: &mut Scope<'p>, stmts: &'p [Stmt]) -> HashMap<String, &'p Decl> {
        let mut states = HashMap::new();
        for stmt in stmts {
            let Stmt::Decl(d) = stmt else { continue };
            let output = d.kind == DeclKind::State && !s.names.contains_key(&d.name.text);
            if !self.may_define(s, &d.name) && !output {
                continue;
            }
            match d.kind {
                DeclKind::Param => {
                    let v = self.param_decl(s, d).map_or(Val::Poison, Val::Dyn);
                    self.note_type(s, &d.name, &v);
                    s.bind(&d.name.text, v, d.name.span);
                }
                DeclKind::Noise => {
                    let v = self.noise_decl(s, d).map_or(Val::Poison, Val::Dyn);
                    s.bind(&d.name.text, v, d.name.span);
                }
                DeclKind::State => {
                    states.insert(d.name.text.clone(), d);
                    s.names.insert(
                        d.name.text.clone(),
                        Named {
                            binding: Binding::Pending,
                            span: d.name.span,
                            start: None,
                        },
                    );
                }
            }
        }
        states
    }

    /// One statement that is in no cycle.
    fn node(&mut self, s: &mut Scope<'p>, node: &Node<'p>, states: &HashMap<String, &'p Decl>) {
        match node.what {
            What::Equation(eq) => {
                let decl = match eq.lhs.names() {
                    [name] => states.get(&name.text),
                    _ => None,
                };
                if let Some(d) = decl.filter(|d| d.index.is_some()) {
                    self.never_reads_itself(s, eq, d);
                    return;
                }
                let start = decl.and_then(|d| self.start(s, d));
                for (name, v) in self.equation(s, eq, states) {
                    let v = match states.get(&name.text) {
                        Some(d) => self.state_value(s, d, v, eq.value.span),
                        None => v,
                    };
                    self.define(s, name, v, start.clone());
                }
            }
            What::Repeat(r) => self.repeat(s, r),
            What::Objective(o) => self.objective(s, o),
        }
    }

    /// Binds and names a value.
    pub(crate) fn define(
        &mut self,
        s: &mut Scope<'p>,
        name: &'p Name,
        v: Val,
        start: Option<crate::value::Dyn>,
    ) {
        let path = s.home.join(&name.text).path;
        let parts: Vec<crate::value::Dyn> = match &v {
            Val::Dyn(d) => vec![d.clone()],
            Val::Matrix(m) => vec![m.value.clone()],
            Val::Kernel(k) => k.causal.iter().chain(&k.ahead).cloned().collect(),
            _ => vec![],
        };
        for d in parts {
            self.frames[d.depth].b.name(d.id, &path);
        }
        self.spans.entry(path).or_insert(name.span);
        self.note_type(s, name, &v);
        s.names.insert(
            name.text.clone(),
            Named {
                binding: Binding::Val(v),
                span: name.span,
                start,
            },
        );
    }

    /// Remembers the type of a name of the outermost mixer, for the dump.
    fn note_type(&mut self, s: &Scope<'p>, name: &Name, v: &Val) {
        if self.stack.len() > 1 {
            return;
        }
        let text = match v {
            Val::Poison => "?".to_owned(),
            Val::Stat(st) => st.to_string(),
            Val::Dyn(d) => self.shown(d),
            Val::Matrix(m) => format!("matrix {}", self.shown(&m.value)),
            Val::Kernel(k) => {
                let side = k
                    .causal
                    .as_ref()
                    .or(k.ahead.as_ref())
                    .map_or(String::new(), |d| self.shown(d));
                let which = match (&k.causal, &k.ahead) {
                    (Some(_), None) => "kernel, lag >= 0",
                    (None, Some(_)) => "kernel, lag < 0",
                    _ => "kernel",
                };
                format!("{which} {side}")
            }
            Val::Mixer(_) | Val::Function(_) => "mixer".to_owned(),
            Val::Tuple(_) => "outputs".to_owned(),
        };
        self.types.push((s.home.join(&name.text).path, text));
    }
}

/// The nodes that read each name.
fn readers<'a>(nodes: &'a [Node]) -> HashMap<&'a str, Vec<usize>> {
    let mut all: HashMap<&str, Vec<usize>> = HashMap::new();
    for (k, node) in nodes.iter().enumerate() {
        for (name, _) in &node.reads {
            all.entry(name).or_default().push(k);
        }
    }
    all
}
