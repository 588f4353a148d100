//! Which mixers an item refers to, and where; which built-in functions it calls.
//!
//! A name means what the elaborator would take it for: a value of the body hides a mixer from the equation on that
//! defines it; a size or an axis hides it where a name stands alone, not where it is called.

use crate::builtin;
use crate::program::Program;
use seqc_syntax::Span;
use seqc_syntax::ast::{
    Arg, AxisMap, Call, Count, Decl, Equation, Expr, ExprKind, Hyper, HyperKind, Lhs, Mixer, Name,
    Port, Repeat, Stmt,
};
use std::collections::HashSet;

#[derive(Clone, Debug, Default)]
pub struct Refs {
    /// Each name of a mixer with the mixer that it means.
    pub mixers: Vec<(Span, usize)>,
    /// Built-in functions called.
    pub functions: HashSet<String>,
}

impl Refs {
    pub fn of(program: &Program, id: usize) -> Refs {
        let mut walk = Walk {
            program,
            module: program.items[id].module,
            hidden: Hidden::default(),
            refs: Refs::default(),
        };
        walk.mixer(program.mixer(id));
        walk.refs
    }
}

/// Names that stand for something else than a mixer.
#[derive(Clone, Default)]
struct Hidden {
    /// Values: they can be called (an instance) or not, but are no mixers.
    values: HashSet<String>,
    /// Sizes, axes, indices.
    sizes: HashSet<String>,
}

struct Walk<'a> {
    program: &'a Program,
    module: usize,
    hidden: Hidden,
    refs: Refs,
}

impl Walk<'_> {
    fn size(&mut self, name: &Name) {
        self.hidden.sizes.insert(name.text.clone());
        self.hidden.sizes.insert(name.base().to_owned());
    }

    fn value(&mut self, name: &Name) {
        self.hidden.values.insert(name.text.clone());
    }

    fn mixer(&mut self, m: &Mixer) {
        m.group.iter().for_each(|n| self.size(n));
        for port in m.inputs.iter().chain(&m.outputs) {
            self.port(port);
        }
        m.hypers.iter().for_each(|h| self.hyper(h));
        m.inputs.iter().for_each(|p| self.value(&p.name));
        (m.inputs.iter().flat_map(|p| &p.domain)).for_each(|e| self.expr(e));
        self.body(&m.body.stmts);
    }

    fn port(&mut self, port: &Port) {
        port.ty.axes.iter().for_each(|n| self.size(n));
        if let Some(seq) = &port.ty.seq {
            seq.range.iter().for_each(|n| self.size(n));
            seq.clock.iter().for_each(|c| self.size(&c.name));
        }
    }

    fn hyper(&mut self, h: &Hyper) {
        let before = self.refs.mixers.len();
        h.default.iter().for_each(|e| self.expr(e));
        let mixer = h.kind == Some(HyperKind::Mixer)
            || (h.kind.is_none() && self.refs.mixers.len() > before);
        if mixer {
            self.value(&h.name);
        } else {
            self.size(&h.name);
        }
    }

    fn body(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            match stmt {
                Stmt::Doc(_) => {}
                Stmt::Decl(d) => self.decl(d),
                Stmt::Objective(o) => self.expr(&o.value),
                Stmt::Repeat(r) => self.repeat(r),
                Stmt::Equation(e) => self.equation(e),
            }
        }
    }

    fn decl(&mut self, d: &Decl) {
        d.axes.iter().for_each(|n| self.size(n));
        let outer = self.hidden.clone();
        d.index.iter().for_each(|n| self.size(n));
        d.init.iter().for_each(|e| self.expr(e));
        self.hidden = outer;
        self.value(&d.name);
    }

    fn repeat(&mut self, r: &Repeat) {
        let outer = self.hidden.clone();
        r.counter.iter().for_each(|n| self.size(n));
        if let Count::Name(n) = &r.count {
            self.size(n);
        }
        self.body(&r.body.stmts);
        self.hidden = outer;
    }

    fn equation(&mut self, e: &Equation) {
        let outer = self.hidden.clone();
        if let Lhs::One { index, .. } = &e.lhs {
            index.iter().for_each(|n| self.size(n));
        }
        self.expr(&e.value);
        e.domain.iter().for_each(|d| self.expr(d));
        self.hidden = outer;
        e.lhs.names().iter().for_each(|n| self.value(n));
    }

    fn expr(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Number(_) => {}
            ExprKind::Name(n) => {
                if !self.hidden.sizes.contains(&n.text) {
                    self.name(n);
                }
            }
            ExprKind::Call(c) => self.call(c),
            ExprKind::Index { base, index } => {
                self.expr(base);
                index.iter().for_each(|i| self.expr(i));
            }
            ExprKind::Remap { base, map } => {
                self.expr(base);
                self.map(map);
            }
            ExprKind::Pick { base, picks } => {
                self.expr(base);
                picks.iter().for_each(|p| self.expr(&p.value));
            }
            ExprKind::Unary { operand, .. } => self.expr(operand),
            ExprKind::Binary { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
        }
    }

    /// Whether the name means a mixer.
    fn name(&mut self, n: &Name) -> bool {
        if self.hidden.values.contains(&n.text) {
            return true;
        }
        let found = self.program.lookup(self.module, &n.text);
        self.refs.mixers.extend(found.map(|id| (n.span, id)));
        found.is_some()
    }

    fn call(&mut self, c: &Call) {
        if !self.name(&c.name) && builtin::names().any(|n| n == c.name.text) {
            self.refs.functions.insert(c.name.text.clone());
        }
        let outer = self.hidden.clone();
        c.group.iter().for_each(|n| self.size(n));
        for arg in &c.args {
            match arg {
                Arg::Positional(e) | Arg::Named { value: e, .. } => self.expr(e),
                Arg::Map(map) => self.map(map),
                Arg::Per { .. } => {}
            }
        }
        self.hidden = outer;
    }

    fn map(&mut self, map: &AxisMap) {
        map.to.iter().for_each(|n| self.size(n));
    }
}
