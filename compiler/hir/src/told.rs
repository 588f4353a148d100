//! Calls of one line, told apart by their arguments: in `y = linear(a, …) + linear(b, …)` the parameters are at
//! `y.a.weight` and `y.b.weight`.
//!
//! A call that is the only one of its callee on a line keeps the line's path. Where several calls of one callee
//! have names as their first arguments, each a name of its own, the name stands after the line's; else the calls
//! stay at one path, which is an error (E21) if they have parameters.

use crate::elab::Elab;
use crate::scope::Scope;
use seqc_syntax::Span;
use seqc_syntax::ast::{Arg, Call, Expr, ExprKind};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// By the place of a callee's name: what stands after the line's name.
pub type Told = HashMap<Span, String>;

impl<'p> Elab<'p> {
    pub(crate) fn told_apart(&mut self, s: &mut Scope<'p>, e: &'p Expr) -> Rc<Told> {
        let mut all = Vec::new();
        self.calls_in(s, e, &mut all);
        let mut calls: HashMap<&str, Vec<(&Call, Option<&str>)>> = HashMap::new();
        for c in all {
            calls.entry(below(c)).or_default().push((c, argument(c)));
        }
        let mut told = Told::new();
        for group in calls.values().filter(|g| g.len() > 1) {
            let names: HashSet<&str> = group.iter().filter_map(|(_, n)| *n).collect();
            if names.len() == group.len() {
                let each = group.iter().filter_map(|(c, n)| Some((c.name.span, (*n)?)));
                told.extend(each.map(|(at, n)| (at, n.to_owned())));
            }
        }
        Rc::new(told)
    }

    /// The calls that are there: an arm that is known not to be taken is not.
    fn calls_in(&mut self, s: &mut Scope<'p>, e: &'p Expr, out: &mut Vec<&'p Call>) {
        match &e.kind {
            ExprKind::Number(_) | ExprKind::Name(_) => {}
            ExprKind::Index { base, index } => {
                self.calls_in(s, base, out);
                index.iter().for_each(|x| self.calls_in(s, x, out));
            }
            ExprKind::Remap { base, .. } => self.calls_in(s, base, out),
            ExprKind::Pick { base, picks } => {
                self.calls_in(s, base, out);
                (picks.iter()).for_each(|p| self.calls_in(s, &p.value, out));
            }
            ExprKind::Unary { operand, .. } => self.calls_in(s, operand, out),
            ExprKind::Binary { left, right, .. } => {
                self.calls_in(s, left, out);
                self.calls_in(s, right, out);
            }
            ExprKind::Call(c) => {
                if let Some(taken) = self.known_arm(s, c) {
                    return self.calls_in(s, taken, out);
                }
                out.push(c);
                for a in &c.args {
                    if let Arg::Positional(x) | Arg::Named { value: x, .. } = a {
                        self.calls_in(s, x, out);
                    }
                }
            }
        }
    }

    /// The arm of a `select` whose condition is known when the mixer is compiled.
    fn known_arm(&mut self, s: &mut Scope<'p>, c: &'p Call) -> Option<&'p Expr> {
        let [
            Arg::Positional(cond),
            Arg::Positional(yes),
            Arg::Positional(no),
        ] = &c.args[..]
        else {
            return None;
        };
        let known = (c.name.text == "select").then(|| self.quiet_static(s, cond))??;
        Some(if known.as_f64() != 0.0 { yes } else { no })
    }
}

/// The part of the path that a call adds: none for weights that belong to the line itself.
fn below(c: &Call) -> &str {
    match c.name.text.as_str() {
        "linear" | "affine" => "",
        callee => callee,
    }
}

/// The name that a call's first argument is, at whatever time or position it is read.
fn argument(c: &Call) -> Option<&str> {
    let mut e = c.args.iter().find_map(|a| match a {
        Arg::Positional(e) => Some(e),
        _ => None,
    })?;
    loop {
        match &e.kind {
            ExprKind::Name(n) => return Some(&n.text),
            ExprKind::Index { base, .. }
            | ExprKind::Remap { base, .. }
            | ExprKind::Pick { base, .. } => e = base,
            _ => return None,
        }
    }
}
