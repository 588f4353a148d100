//! What an index runs over, found from how an expression uses it; and which names an expression reads.

use crate::elab::Elab;
use crate::scope::{Binding, Scope};
use crate::value::Val;
use seqc_algebra::Axis;
use seqc_syntax::ast::{Arg, Expr, ExprKind};

/// How an index is used, which tells what it runs over.
pub(crate) enum Use {
    Time(Axis),
    Lag(Axis),
}

impl<'p> Elab<'p> {
    /// What an index runs over, from its uses in `e`: a lag if any use says so.
    pub(crate) fn find_use(&self, s: &Scope<'p>, index: &str, e: &Expr) -> Option<Use> {
        let mut uses = Vec::new();
        self.uses(s, index, e, &mut uses);
        let lag = uses.iter().position(|u| matches!(u, Use::Lag(_)));
        (!uses.is_empty()).then(|| uses.swap_remove(lag.unwrap_or(0)))
    }

    fn uses(&self, s: &Scope<'p>, index: &str, e: &Expr, out: &mut Vec<Use>) {
        match &e.kind {
            ExprKind::Number(_) | ExprKind::Name(_) => {}
            ExprKind::Index { base, index: at } => {
                // A block of an index runs over another clock than the index.
                let block =
                    |x: &Expr| matches!(&x.kind, ExprKind::Call(c) if c.name.text == "block");
                let own = |x: &Expr| mentions(x, index) && !block(x);
                for (k, x) in at.iter().enumerate().filter(|(_, x)| own(x)) {
                    out.push(self.use_at(s, index, base, x, k));
                }
                self.uses(s, index, base, out);
            }
            ExprKind::Remap { base, .. } => self.uses(s, index, base, out),
            ExprKind::Pick { base, picks } => {
                self.uses(s, index, base, out);
                picks
                    .iter()
                    .for_each(|p| self.uses(s, index, &p.value, out));
            }
            ExprKind::Unary { operand, .. } => self.uses(s, index, operand, out),
            ExprKind::Binary { left, right, .. } => {
                self.uses(s, index, left, out);
                self.uses(s, index, right, out);
            }
            ExprKind::Call(c) => {
                for a in &c.args {
                    if let Arg::Positional(x) | Arg::Named { value: x, .. } = a {
                        self.uses(s, index, x, out);
                    }
                }
            }
        }
    }

    fn use_at(&self, s: &Scope<'p>, index: &str, base: &Expr, at: &Expr, k: usize) -> Use {
        let (clock, kernel) = self.root(s, base, k);
        let alone = matches!(&at.kind, ExprKind::Name(n) if n.text == index);
        let with_time = s.clocks.keys().any(|c| mentions(at, c))
            || mentions(at, "first")
            || mentions(at, "last");
        if kernel && alone || !alone && with_time {
            Use::Lag(clock)
        } else {
            Use::Time(clock)
        }
    }

    /// The clock that position `k` of an index of `base` runs over, and whether `base` is a kernel.
    fn root(&self, s: &Scope<'p>, base: &Expr, k: usize) -> (Axis, bool) {
        let mut names = Vec::new();
        names_in(base, &mut names);
        for n in &names {
            match s.names.get(n.as_str()).map(|n| &n.binding) {
                Some(Binding::Val(Val::Kernel(f))) => return (f.lag, true),
                Some(Binding::Val(Val::Matrix(m))) if k < m.index.len() => {
                    return (m.index[k], false);
                }
                Some(Binding::Val(Val::Dyn(v))) => {
                    if let Some(a) = self.times(v).into_iter().find(|a| s.is_clock(*a)) {
                        return (a, false);
                    }
                }
                _ => {}
            }
        }
        (s.now(), false)
    }
}

/// Every name of an expression.
pub(crate) fn names_in(e: &Expr, out: &mut Vec<String>) {
    names_outside(e, &[], out);
}

/// The names that are read at the rate of the expression: what is patched or unpatched runs at another.
pub(crate) fn names_at_own_rate(e: &Expr, out: &mut Vec<String>) {
    names_outside(e, &["patch", "unpatch"], out);
}

/// Every name but those in arguments of certain calls.
fn names_outside(e: &Expr, calls: &[&str], out: &mut Vec<String>) {
    match &e.kind {
        ExprKind::Number(_) => {}
        ExprKind::Name(n) => out.push(n.text.clone()),
        ExprKind::Index { base, index } => {
            names_outside(base, calls, out);
            index.iter().for_each(|x| names_outside(x, calls, out));
        }
        ExprKind::Remap { base, .. } => names_outside(base, calls, out),
        ExprKind::Pick { base, picks } => {
            names_outside(base, calls, out);
            picks
                .iter()
                .for_each(|p| names_outside(&p.value, calls, out));
        }
        ExprKind::Unary { operand, .. } => names_outside(operand, calls, out),
        ExprKind::Binary { left, right, .. } => {
            names_outside(left, calls, out);
            names_outside(right, calls, out);
        }
        ExprKind::Call(c) if calls.contains(&c.name.text.as_str()) => {}
        ExprKind::Call(c) => {
            out.push(c.name.text.clone());
            for a in &c.args {
                if let Arg::Positional(x) | Arg::Named { value: x, .. } = a {
                    names_outside(x, calls, out);
                }
            }
        }
    }
}

pub(crate) fn mentions(e: &Expr, name: &str) -> bool {
    let mut names = Vec::new();
    names_in(e, &mut names);
    names.iter().any(|n| n == name)
}
