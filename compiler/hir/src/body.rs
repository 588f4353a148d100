//! The statements of a mixer or a `repeat`: what they define, in the order that [`crate::reads`] finds.
//!
//! Equations are read in order; only states may be read before their equation. Equations that depend on each
//! other through states form groups (strongly connected components), each of which becomes one loop.

use crate::elab::{Elab, MAX_REPEAT};
use crate::reads::{Node, Off, What, assigned, components, link, reads_of, repeat_reads};
use crate::scope::{Binding, Named, Scope, Static};
use crate::stat::Stat;
use crate::text::text_of;
use crate::value::Val;
use seqc_syntax::ast::{
    Arg, AssignOp, Count, Decl, DeclKind, Equation, Expr, ExprKind, Lhs, Name, Objective, Repeat,
    Stmt,
};
use seqc_syntax::{Diagnostic, Span};
use std::collections::{BTreeSet, HashMap, HashSet};

impl<'p> Elab<'p> {
    /// Evaluates statements in a scope, leaving their names in it. `wanted`: names read afterwards.
    pub fn body(&mut self, s: &mut Scope<'p>, stmts: &'p [Stmt], wanted: &HashSet<String>) {
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
        for name in states.keys() {
            if !nodes
                .iter()
                .any(|n| n.defs().iter().any(|d| d.text == *name))
            {
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
        for comp in components(&nodes) {
            let cyclic = comp.len() > 1 || nodes[comp[0]].deps.iter().any(|(d, _)| *d == comp[0]);
            if cyclic {
                let outside = nodes.iter().enumerate().filter(|(k, _)| !comp.contains(k));
                let mut external: HashSet<String> = outside
                    .flat_map(|(_, n)| n.reads.iter().map(|(r, _)| r.clone()))
                    .collect();
                external.extend(wanted.iter().cloned());
                self.group(s, &nodes, &comp, &states, &external);
            } else {
                self.node(s, &nodes[comp[0]], &states);
            }
        }
    }

    /// Equations between constants define static numbers, which may be sizes of axes.
    fn statics(&mut self, s: &mut Scope<'p>, stmts: &'p [Stmt]) -> HashSet<Span> {
        let mut done = HashSet::new();
        for stmt in stmts {
            let Stmt::Equation(eq) = stmt else { continue };
            let Lhs::One { name, index, .. } = &eq.lhs else {
                continue;
            };
            if !index.is_empty()
                || eq.op != AssignOp::Set
                || eq.domain.is_some()
                || !self.is_static(s, &eq.value)
            {
                continue;
            }
            if s.outer.contains(&name.text) && s.names.contains_key(&name.text) {
                continue;
            }
            let Val::Stat(value) = self.eval(s, &eq.value) else {
                continue;
            };
            done.insert(eq.span);
            if self.may_define(s, name) {
                let formula = text_of(&eq.value);
                s.statics.insert(
                    name.text.clone(),
                    Static {
                        value,
                        span: name.span,
                        formula,
                    },
                );
            }
        }
        done
    }

    /// Is the expression made of constants only?
    pub fn is_static(&self, s: &Scope<'p>, e: &Expr) -> bool {
        match &e.kind {
            ExprKind::Number(n) => !n.imaginary,
            ExprKind::Name(n) => {
                let local = s.names.contains_key(&n.text) || s.indices.contains_key(&n.text);
                !local
                    && (s.statics.contains_key(&n.text)
                        || s.axes.contains_key(&n.text)
                        || matches!(n.text.as_str(), "pi" | "inf" | "true" | "false"))
            }
            ExprKind::Unary { operand, .. } => self.is_static(s, operand),
            ExprKind::Binary { left, right, .. } => {
                self.is_static(s, left) && self.is_static(s, right)
            }
            ExprKind::Call(c) => {
                c.group.is_empty()
                    && crate::builtin::keeps_static(&c.name.text)
                    && !s.names.contains_key(&c.name.text)
                    && c.args
                        .iter()
                        .all(|a| matches!(a, Arg::Positional(x) if self.is_static(s, x)))
            }
            _ => false,
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
            if d.index.is_some() && d.kind == DeclKind::State {
                self.not_built("a state for each source position (`state K[j]`)", d.span);
                s.bind(&d.name.text, Val::Poison, d.name.span);
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

    /// The statements to evaluate, with what each reads and defines; definitions are checked here.
    fn nodes(
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
                    let mut reads = reads_of(&eq.value, &clocks);
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
                let rebinds = s.outer.contains(&name.text) && s.names.contains_key(&name.text);
                let state = states.contains_key(&name.text);
                if let Some(old) = seen.get(name.text.as_str()).filter(|_| !rebinds) {
                    let d = Diagnostic::error(
                        "E04",
                        format!("`{}` has two definitions", name.text),
                        name.span,
                    );
                    self.report(d.label("the second").secondary(*old, "the first").help(
                        "rename one of them; only inside `repeat` may an outer name be rebound",
                    ));
                    ok = false;
                } else if !state
                    && !(matches!(
                        s.names.get(&name.text).map(|n| &n.binding),
                        Some(Binding::Val(Val::Poison))
                    ))
                {
                    ok = self.may_define(s, name);
                }
                seen.entry(&name.text).or_insert(name.span);
            }
            good.push(ok);
        }
        good
    }

    /// One statement that is in no cycle.
    fn node(&mut self, s: &mut Scope<'p>, node: &Node<'p>, states: &HashMap<String, &'p Decl>) {
        match node.what {
            What::Equation(eq) => {
                let start = match eq.lhs.names() {
                    [name] => states.get(&name.text).and_then(|d| self.start(s, d)),
                    _ => None,
                };
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
    pub fn define(
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
            Val::Mixer(_) => "mixer".to_owned(),
            Val::Tuple(_) => "outputs".to_owned(),
        };
        self.types.push((s.home.join(&name.text).path, text));
    }

    /// The values of an equation's names.
    pub fn equation(
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
                    _ => self.family(s, eq, name, index),
                };
                vec![(name, v)]
            }
        }
    }

    /// `L[t,j] = …`: only for families of states, which are not built. Names are checked.
    fn family(
        &mut self,
        s: &mut Scope<'p>,
        eq: &'p Equation,
        name: &Name,
        index: &'p [Name],
    ) -> Val {
        let declared = matches!(
            s.names.get(&name.text).map(|n| &n.binding),
            Some(Binding::Val(Val::Poison))
        );
        if !declared {
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
        }
        let mut inner = s.clone();
        for n in index.iter().filter(|n| !s.clocks.contains_key(&n.text)) {
            let axis = s.now().renamed(&s.fresh(&n.text));
            inner
                .indices
                .insert(n.text.clone(), crate::scope::Index { axis, lag: false });
        }
        self.eval(&mut inner, &eq.value);
        Val::Poison
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
        s.bounds = vec![];
        if eq.domain.is_some() {
            // Indices bound inside are not known yet; `t` and any index name count by name.
            let mut inner = s.clone();
            self.declare_bound(&mut inner, &eq.value);
            s.bounds = self.bounds(&mut inner, eq.domain.as_ref());
        }
        let mut v = self.eval(s, &eq.value);
        s.domain = None;
        s.bounds = vec![];
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

    /// Gives the indices that reductions inside `e` will bind their axes, so that conditions on them can be read.
    fn declare_bound(&mut self, s: &mut Scope<'p>, e: &'p Expr) {
        let mut groups = Vec::new();
        groups_in(e, &mut groups);
        for (n, inside) in groups {
            if s.axis(&n.text).is_none()
                && !s.clocks.contains_key(&n.text)
                && self.find_use(s, &n.text, inside).is_some()
            {
                let axis = s.now().renamed(&s.fresh(&n.text));
                s.indices
                    .insert(n.text.clone(), crate::scope::Index { axis, lag: false });
            }
        }
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

    fn repeat(&mut self, s: &mut Scope<'p>, r: &'p Repeat) {
        let (count, span) = match &r.count {
            Count::Literal { value, span } => (usize::try_from(*value).ok(), *span),
            Count::Name(n) => match s.statics.get(&n.text).map(|st| st.value) {
                Some(v) => (v.as_size(), n.span),
                None => {
                    self.unknown(s, n);
                    return;
                }
            },
        };
        let Some(count) = count.filter(|n| *n <= MAX_REPEAT) else {
            let d = Diagnostic::error(
                "E27",
                format!("a `repeat` runs 0 to {MAX_REPEAT} times"),
                span,
            );
            self.report(d);
            return;
        };
        let carried: BTreeSet<String> = assigned(&r.body.stmts)
            .into_iter()
            .filter(|n| s.names.contains_key(n))
            .collect();
        let wanted: HashSet<String> = carried.iter().cloned().collect();
        let home = r
            .label
            .as_ref()
            .map_or_else(|| s.home.clone(), |l| s.home.join(&l.text));
        for k in 0..count {
            let mut inner = s.clone();
            inner.home = home.join(&k.to_string());
            inner.outer = s.names.keys().cloned().collect();
            if let Some(c) = &r.counter {
                inner.statics.insert(
                    c.text.clone(),
                    Static {
                        value: Stat::int(k as i128),
                        span: c.span,
                        formula: k.to_string(),
                    },
                );
            }
            let before = self.diags.iter().filter(|d| d.is_error()).count();
            self.body(&mut inner, &r.body.stmts, &wanted);
            for name in &carried {
                if let Some(v) = inner.names.remove(name) {
                    s.names.insert(name.clone(), v);
                }
            }
            if self.diags.iter().filter(|d| d.is_error()).count() > before {
                break;
            }
        }
    }

    fn objective(&mut self, s: &mut Scope<'p>, o: &'p Objective) {
        s.line = s.home.join(&o.name.text);
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

/// Extension used only here: does the left side have no index?
trait Bare {
    fn lhs_is_bare(&self) -> bool;
}

impl Bare for Equation {
    fn lhs_is_bare(&self) -> bool {
        matches!(&self.lhs, Lhs::One { index, .. } if index.is_empty())
    }
}

/// Bracketed names of calls, each with the call's first argument.
fn groups_in<'p>(e: &'p Expr, out: &mut Vec<(&'p Name, &'p Expr)>) {
    match &e.kind {
        ExprKind::Number(_) | ExprKind::Name(_) => {}
        ExprKind::Index { base, .. }
        | ExprKind::Remap { base, .. }
        | ExprKind::Pick { base, .. } => groups_in(base, out),
        ExprKind::Unary { operand, .. } => groups_in(operand, out),
        ExprKind::Binary { left, right, .. } => {
            groups_in(left, out);
            groups_in(right, out);
        }
        ExprKind::Call(c) => {
            for a in &c.args {
                if let Arg::Positional(x) = a {
                    out.extend(c.group.iter().map(|n| (n, x)));
                    groups_in(x, out);
                }
            }
        }
    }
}
