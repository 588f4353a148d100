//! Indices and expressions: scopes, kinds, accesses, constant bounds.

use super::Checker;
use crate::affine::Linear;
use crate::ir::*;

impl Checker<'_> {
    pub(super) fn ix(&mut self, ix: &Ix) {
        match ix {
            Ix::Const(_) => {}
            Ix::Var(v) if self.vars.contains_key(v) => {}
            Ix::Var(v) => self.fault(format!("variable i{} is used outside its loop", v.0)),
            Ix::Dim(d) if (*d as usize) < self.kernel.dims.len() => {}
            Ix::Dim(d) => self.fault(format!("there is no size {d}")),
            Ix::Add(a, b) | Ix::Sub(a, b) | Ix::Mul(a, b) | Ix::Min(a, b) | Ix::Max(a, b) => {
                self.ix(a);
                self.ix(b);
            }
            Ix::Div(a, b) | Ix::Rem(a, b) => {
                self.ix(a);
                self.ix(b);
                if let Some(n) = b.known().filter(|n| *n <= 0) {
                    self.fault(format!("an index is divided by {n}"));
                }
            }
            Ix::Data(e) => self.number(e),
        }
    }

    pub(super) fn number(&mut self, e: &Expr) {
        match e {
            Expr::Const(_) => {}
            Expr::Val(v) if self.vals.contains(v) => {}
            Expr::Val(v) => self.fault(format!("value %{} is used where it is not bound", v.0)),
            Expr::Load { buf, at } => {
                self.ix(at);
                self.readable(*buf);
                self.inside(*buf, at);
            }
            Expr::Index(ix) => self.ix(ix),
            Expr::Word(w) => {
                w.leaves().into_iter().for_each(|ix| self.ix(ix));
                if let Some(n) = w.shifts().iter().find(|n| !(1..32).contains(*n)) {
                    self.fault(format!("a word is shifted by {n} bits"));
                }
            }
            Expr::Unary(_, x) => self.number(x),
            Expr::Binary(_, a, b) => {
                self.number(a);
                self.number(b);
            }
            Expr::Select(c, a, b) => {
                self.truth(c);
                self.number(a);
                self.number(b);
            }
            Expr::Fold {
                var,
                lo,
                hi,
                lanes,
                body,
                ..
            } => {
                self.ix(lo);
                self.ix(hi);
                self.lanes(*lanes);
                let range = super::constant_range(lo, hi);
                let certain = range.is_some();
                self.guards += usize::from(!certain);
                self.bind(*var, range);
                self.number(body);
                self.vars.remove(var);
                self.guards -= usize::from(!certain);
            }
            _ => self.fault("a truth value stands where a number is needed"),
        }
    }

    pub(super) fn truth(&mut self, e: &Expr) {
        match e {
            Expr::Cmp(_, a, b) => {
                self.number(a);
                self.number(b);
            }
            Expr::CmpIx(_, a, b) => {
                self.ix(a);
                self.ix(b);
            }
            Expr::And(a, b) | Expr::Or(a, b) => {
                self.truth(a);
                self.truth(b);
            }
            Expr::Not(x) => self.truth(x),
            _ => self.fault("a number stands where a truth value is needed"),
        }
    }

    /// Name and access of a buffer; a fault if there is none.
    fn buffer(&mut self, buf: Buf) -> Option<(String, Access)> {
        let found = match buf {
            Buf::Arg(i) => self.kernel.args.get(i as usize),
            Buf::Local(i) => {
                if let Some(l) = self.kernel.locals.get(i as usize) {
                    return Some((l.name.clone(), Access::ReadWrite));
                }
                None
            }
        };
        if found.is_none() {
            self.fault(format!("there is no buffer {buf:?}"));
        }
        found.map(|a| (a.name.clone(), a.access))
    }

    pub(super) fn writable(&mut self, buf: Buf) {
        if let Some((name, Access::Read)) = self.buffer(buf) {
            self.fault(format!("`{name}` is written, but declared to be only read"));
        }
    }

    pub(super) fn readable(&mut self, buf: Buf) {
        if let Some((name, Access::Write)) = self.buffer(buf) {
            self.fault(format!("`{name}` is read, but declared to be only written"));
        }
    }

    /// An access to a local that certainly happens, at an index whose extremes are certainly taken.
    pub(super) fn inside(&mut self, buf: Buf, at: &Ix) {
        if let Some(range) = self.extremes(at) {
            self.within(buf, range);
        }
    }

    pub(super) fn within(&mut self, buf: Buf, (least, greatest): (i64, i64)) {
        let Buf::Local(i) = buf else { return };
        let Some(local) = self.kernel.locals.get(i as usize) else {
            return;
        };
        if self.guards == 0 && (least < 0 || greatest >= local.len as i64) {
            let (name, len) = (&local.name, local.len);
            let text = format!("elements {least}..={greatest} of `{name}`, which has {len}");
            self.fault(text);
        }
    }

    /// Least and greatest value of a sum of variables with constant bounds: each is taken, for variables are
    /// independent of each other.
    pub(super) fn extremes(&self, at: &Ix) -> Option<(i64, i64)> {
        let form = Linear::of(at);
        let (mut least, mut greatest) = (form.constant, form.constant);
        for (atom, c) in &form.terms {
            let Ix::Var(v) = atom else { return None };
            let (lo, hi) = (*self.vars.get(v)?)?;
            let (a, b) = (lo.checked_mul(*c)?, hi.checked_mul(*c)?);
            least = least.checked_add(a.min(b))?;
            greatest = greatest.checked_add(a.max(b))?;
        }
        Some((least, greatest))
    }
}
