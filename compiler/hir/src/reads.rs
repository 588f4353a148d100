//! Which definitions of a body read which, and the groups of those that read each other (strongly connected
//! components of a graph): what tells the order of evaluation.

use seqc_syntax::Span;
use seqc_syntax::ast::{
    Arg, AssignOp, BinaryOp, Decl, Equation, Expr, ExprKind, Name, Objective, Repeat, Stmt, UnaryOp,
};
use std::collections::{BTreeSet, HashMap};

/// When, relative to now, a name is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Off {
    Now,
    By(i64),
    /// Over several times, or all.
    Wide,
}

pub enum What<'p> {
    Equation(&'p Equation),
    Repeat(&'p Repeat),
    Objective(&'p Objective),
}

pub struct Node<'p> {
    pub what: What<'p>,
    pub reads: Vec<(String, Off)>,
    /// What the states that it defines start from.
    pub starts: Vec<String>,
    /// Nodes that must come first, with the reads that say so.
    pub deps: Vec<(usize, Off)>,
}

impl<'p> Node<'p> {
    pub fn defs(&self) -> &'p [Name] {
        match self.what {
            What::Equation(eq) => eq.lhs.names(),
            _ => &[],
        }
    }

    /// Is it `x += …`, which reads what it defines?
    pub fn adds(&self) -> bool {
        matches!(self.what, What::Equation(eq) if eq.op == AssignOp::Add)
    }

    pub fn span(&self) -> Span {
        match self.what {
            What::Equation(eq) => eq.span,
            What::Repeat(r) => r.span,
            What::Objective(o) => o.span,
        }
    }
}

/// The names that statements assign.
pub fn assigned(stmts: &[Stmt]) -> Vec<String> {
    stmts
        .iter()
        .flat_map(|s| match s {
            Stmt::Equation(eq) => eq.lhs.names().iter().map(|n| n.text.clone()).collect(),
            Stmt::Repeat(r) => assigned(&r.body.stmts),
            _ => vec![],
        })
        .collect()
}

pub fn repeat_reads(r: &Repeat) -> Vec<(String, Off)> {
    let mut out: Vec<(String, Off)> = assigned(&r.body.stmts)
        .into_iter()
        .map(|n| (n, Off::Now))
        .collect();
    for stmt in &r.body.stmts {
        match stmt {
            Stmt::Equation(eq) => out.extend(
                eq.domain
                    .iter()
                    .chain([&eq.value])
                    .flat_map(|e| reads_of(e, &["t"])),
            ),
            Stmt::Repeat(inner) => out.extend(repeat_reads(inner)),
            Stmt::Objective(o) => out.extend(reads_of(&o.value, &["t"])),
            Stmt::Decl(d) => out.extend(d.init.iter().flat_map(|e| reads_of(e, &["t"]))),
            Stmt::Doc(_) => {}
        }
    }
    out
}

/// Every name an expression reads, and when.
pub fn reads_of(e: &Expr, clocks: &[&str]) -> Vec<(String, Off)> {
    let mut out = Vec::new();
    collect(e, Off::Now, (clocks, false), &mut out);
    out
}

/// The same in the equation of a state for each source position, where `K[t-1,j]` is one step back.
pub fn reads_of_family(e: &Expr, clocks: &[&str]) -> Vec<(String, Off)> {
    let mut out = Vec::new();
    collect(e, Off::Now, (clocks, true), &mut out);
    out
}

fn collect(e: &Expr, off: Off, (clocks, family): (&[&str], bool), out: &mut Vec<(String, Off)>) {
    let how = (clocks, family);
    match &e.kind {
        ExprKind::Number(_) => {}
        ExprKind::Name(n) => out.push((n.text.clone(), off)),
        ExprKind::Index { base, index } => {
            let source = |e: &Expr| matches!(&e.kind, ExprKind::Name(n) if !clocks.contains(&n.text.as_str()));
            let here = match index.as_slice() {
                [one, second] if family && source(second) => match (offset(one, clocks), off) {
                    (Some(0), off) => off,
                    (Some(c), Off::Now) => Off::By(c),
                    _ => Off::Wide,
                },
                [one] => match (offset(one, clocks), off) {
                    (Some(0), off) => off,
                    (Some(c), Off::Now) => Off::By(c),
                    (Some(c), Off::By(d)) => Off::By(c.saturating_add(d)),
                    _ => Off::Wide,
                },
                _ => Off::Wide,
            };
            collect(base, here, how, out);
            index.iter().for_each(|x| collect(x, Off::Now, how, out));
        }
        ExprKind::Remap { base, .. } => collect(base, off, how, out),
        ExprKind::Pick { base, picks } => {
            collect(base, off, how, out);
            picks.iter().for_each(|p| collect(&p.value, off, how, out));
        }
        ExprKind::Unary { operand, .. } => collect(operand, off, how, out),
        ExprKind::Binary { left, right, .. } => {
            collect(left, off, how, out);
            collect(right, off, how, out);
        }
        ExprKind::Call(c) => {
            out.push((c.name.text.clone(), Off::Now));
            for a in &c.args {
                if let Arg::Positional(x) | Arg::Named { value: x, .. } = a {
                    collect(x, off, how, out);
                }
            }
        }
    }
}

/// The constant `c` of an index `t + c`.
fn offset(e: &Expr, clocks: &[&str]) -> Option<i64> {
    match &e.kind {
        ExprKind::Name(n) if clocks.contains(&n.text.as_str()) => Some(0),
        ExprKind::Binary { op, left, right } => {
            let number = |e: &Expr| match &e.kind {
                ExprKind::Number(n) => n.as_integer().and_then(|k| i64::try_from(k).ok()),
                ExprKind::Unary {
                    op: UnaryOp::Neg,
                    operand,
                } => match &operand.kind {
                    ExprKind::Number(n) => n
                        .as_integer()
                        .and_then(|k| i64::try_from(k).ok())
                        .map(|k| -k),
                    _ => None,
                },
                _ => None,
            };
            match op {
                BinaryOp::Add => match (offset(left, clocks), number(right)) {
                    (Some(a), Some(b)) => a.checked_add(b),
                    _ => number(left)?.checked_add(offset(right, clocks)?),
                },
                BinaryOp::Sub => offset(left, clocks)?.checked_sub(number(right)?),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Fills in which node needs which.
pub fn link(nodes: &mut [Node], states: &HashMap<String, &Decl>, good: &[bool]) {
    let mut state_at: HashMap<String, usize> = HashMap::new();
    for (k, n) in nodes.iter().enumerate() {
        for d in n.defs().iter().filter(|d| states.contains_key(&d.text)) {
            state_at.entry(d.text.clone()).or_insert(k);
        }
    }
    let mut current: HashMap<String, usize> = HashMap::new();
    let mut readers: HashMap<String, Vec<usize>> = HashMap::new();
    for k in 0..nodes.len() {
        let mut deps = Vec::new();
        for name in &nodes[k].starts {
            let known = state_at.get(name).or_else(|| current.get(name));
            deps.extend(known.map(|d| (*d, Off::Wide)));
        }
        for (name, off) in &nodes[k].reads {
            if let Some(d) = state_at.get(name).or_else(|| current.get(name)) {
                deps.push((*d, *off));
            }
            readers.entry(name.clone()).or_default().push(k);
        }
        let defs: BTreeSet<String> = match nodes[k].what {
            What::Repeat(r) => assigned(&r.body.stmts).into_iter().collect(),
            _ => nodes[k].defs().iter().map(|d| d.text.clone()).collect(),
        };
        for d in defs
            .iter()
            .filter(|d| !state_at.contains_key(*d) && good[k])
        {
            // A name that is rebound: whoever read the old value comes first.
            if current.contains_key(d)
                || matches!(nodes[k].what, What::Repeat(_))
                || nodes[k].reads.iter().any(|(n, _)| n == d)
            {
                deps.extend(
                    readers
                        .get(d)
                        .into_iter()
                        .flatten()
                        .filter(|r| **r != k)
                        .map(|r| (*r, Off::Now)),
                );
            }
            deps.extend(current.get(d).map(|c| (*c, Off::Now)));
            current.insert(d.clone(), k);
            readers.remove(d);
        }
        nodes[k].deps = deps;
    }
}

/// Strongly connected components, each sorted, in an order that respects dependencies and else the text.
pub fn components(nodes: &[Node]) -> Vec<Vec<usize>> {
    let deps: Vec<Vec<usize>> = nodes
        .iter()
        .map(|n| n.deps.iter().map(|(d, _)| *d).collect())
        .collect();
    let mut comps = crate::graph::components(&deps);
    comps.iter_mut().for_each(|c| c.sort_unstable());
    comps.sort_unstable_by_key(|c| c[0]);
    let mut comp_of = vec![0; nodes.len()];
    for (c, members) in comps.iter().enumerate() {
        members.iter().for_each(|k| comp_of[*k] = c);
    }
    let waits: Vec<Vec<usize>> = (comps.iter().enumerate())
        .map(|(c, members)| {
            let all = members.iter().flat_map(|k| &deps[*k]);
            all.map(|d| comp_of[*d]).filter(|d| *d != c).collect()
        })
        .collect();
    let order = crate::graph::first_ready(&waits);
    order.into_iter().map(|c| comps[c].clone()).collect()
}
