//! Which names a mixer may define: not those that mean something everywhere, nor its settings and axes.

use crate::elab::Elab;
use crate::scope::Scope;
use crate::value::Val;
use seqc_syntax::ast::{Arg, Expr, ExprKind, Name, Stmt};
use seqc_syntax::{Diagnostic, Span};

/// Names that mean something everywhere: what, and a name that is free.
const RESERVED: &[(&str, &str, &str)] = &[
    ("pi", "3.14159…", "angle"),
    ("inf", "infinity", "large"),
    ("true", "1", "yes"),
    ("false", "0", "no"),
    ("len", "the document's length", "length"),
    ("training", "1 while training, else 0", "trained"),
    ("first", "the document's first step", "head"),
    ("last", "the document's last step", "tail"),
    (
        "batch",
        "the axis of sequences that are computed together",
        "rows",
    ),
];

/// How a name may have two definitions after all.
pub const ONE_DEFINITION: &str =
    "rename one of them; `x += …` adds to a name, and inside `repeat` an outer name may be rebound";

impl<'p> Elab<'p> {
    /// Names that the header already gave to axes and settings: reported first, so that nothing reads the old meaning.
    pub fn clashes(&mut self, s: &mut Scope<'p>, stmts: &'p [Stmt]) {
        for stmt in stmts {
            let Stmt::Equation(eq) = stmt else { continue };
            for name in eq.lhs.names() {
                let taken = s.axes.contains_key(&name.text) || s.statics.contains_key(&name.text);
                if taken && !s.names.contains_key(&name.text) && !self.may_define(s, name) {
                    s.bind(&name.text, Val::Poison, name.span);
                }
            }
        }
    }

    /// E04 and E05: one namespace, each name once.
    pub fn may_define(&mut self, s: &Scope<'p>, name: &Name) -> bool {
        let text = &name.text;
        if s.outer.contains(text) && s.names.contains_key(text) {
            return true;
        }
        let reserved = RESERVED.iter().find(|(r, _, _)| r == text);
        let clock = s.clocks.contains_key(text);
        let meant = reserved.map(|(_, what, free)| (*what, *free));
        if let Some((what, free)) = meant.or(clock.then_some(("the step of a sequence", "step"))) {
            let d = Diagnostic::error(
                "E04",
                format!("`{text}` has a meaning of its own: {what}"),
                name.span,
            );
            self.report(d.help(format!("choose another name, such as `{free}`")));
            return false;
        }
        let axis_use = axis_place(s, text);
        if let Some(at) =
            axis_use.filter(|_| s.statics.contains_key(text) || s.axes.contains_key(text))
        {
            let d = Diagnostic::error(
                "E05",
                format!("`{text}` names an axis and a value"),
                name.span,
            );
            self.report(d.label("the value").secondary(at, "the axis").help(format!(
                "call the axis `d{text}`, or the value something else"
            )));
            return false;
        }
        let old = s
            .names
            .get(text)
            .map(|n| n.span)
            .or_else(|| s.statics.get(text).map(|st| st.span));
        if let Some(old) = old {
            let d = Diagnostic::error("E04", format!("`{text}` has two definitions"), name.span);
            self.report(
                d.label("the second")
                    .secondary(old, "the first")
                    .help(ONE_DEFINITION),
            );
            return false;
        }
        true
    }
}

/// Where a mixer uses a name as an axis, if it does.
fn axis_place(s: &Scope, name: &str) -> Option<Span> {
    let m = s.mixer;
    let ports = m
        .inputs
        .iter()
        .chain(&m.outputs)
        .flat_map(|p| &p.ty.axes)
        .chain(&m.group);
    let header = ports.filter(|n| n.text == name).map(|n| n.span).next();
    header.or_else(|| {
        let mut found = None;
        axes_in(&m.body.stmts, &mut |n: &Name| {
            if n.base() == name && found.is_none() {
                found = Some(n.span);
            }
        });
        found
    })
}

/// Calls `f` for every name in axis position of declarations and maps.
fn axes_in(stmts: &[Stmt], f: &mut impl FnMut(&Name)) {
    for stmt in stmts {
        match stmt {
            Stmt::Decl(d) => d.axes.iter().for_each(&mut *f),
            Stmt::Equation(eq) => axes_of(&eq.value, f),
            Stmt::Repeat(r) => axes_in(&r.body.stmts, f),
            Stmt::Objective(o) => axes_of(&o.value, f),
            Stmt::Doc(_) => {}
        }
    }
}

fn axes_of(e: &Expr, f: &mut impl FnMut(&Name)) {
    match &e.kind {
        ExprKind::Number(_) | ExprKind::Name(_) => {}
        ExprKind::Index { base, index } => {
            axes_of(base, f);
            index.iter().for_each(|x| axes_of(x, f));
        }
        ExprKind::Remap { base, map } => {
            axes_of(base, f);
            map.from.iter().chain(&map.to).for_each(f);
        }
        ExprKind::Pick { base, picks } => {
            axes_of(base, f);
            for p in picks {
                f(&p.axis);
                axes_of(&p.value, f);
            }
        }
        ExprKind::Unary { operand, .. } => axes_of(operand, f),
        ExprKind::Binary { left, right, .. } => {
            axes_of(left, f);
            axes_of(right, f);
        }
        ExprKind::Call(c) => {
            for a in &c.args {
                match a {
                    Arg::Positional(x) | Arg::Named { value: x, .. } => axes_of(x, f),
                    Arg::Map(m) => m.from.iter().chain(&m.to).for_each(&mut *f),
                    Arg::Per { axes, .. } => axes.iter().for_each(&mut *f),
                }
            }
        }
    }
}
