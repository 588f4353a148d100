//! What differs between the lanes of a vector loop, and whether a body can run in lanes at all.

use seqc_schedule::ir::{Expr, Ix, Stmt, Val, Var};
use seqc_schedule::walk::Node;
use std::collections::HashSet;

/// Variables and values that differ from lane to lane.
#[derive(Default)]
pub struct Deps {
    pub vars: HashSet<Var>,
    pub vals: HashSet<Val>,
}

impl Deps {
    pub fn on(var: Var) -> Deps {
        Deps {
            vars: HashSet::from([var]),
            vals: HashSet::new(),
        }
    }

    pub fn differs(&self, node: Node) -> bool {
        let mut found = false;
        node.walk(&mut |n| match n {
            Node::Ix(Ix::Var(v)) => found |= self.vars.contains(v),
            Node::Expr(Expr::Val(v)) => found |= self.vals.contains(v),
            _ => {}
        });
        found
    }

    /// All folds within have the same bounds in every lane.
    pub fn fits(&self, node: Node) -> bool {
        let mut ok = true;
        node.walk(&mut |n| {
            if let Node::Expr(Expr::Fold { lo, hi, .. }) = n {
                ok &= !self.differs(Node::Ix(lo)) && !self.differs(Node::Ix(hi));
            }
        });
        ok
    }

    /// Can the body run in lanes? Notes which values then differ.
    pub fn body_fits(&mut self, body: &[Stmt]) -> bool {
        body.iter().all(|s| {
            if let Stmt::Let { val, value } = s
                && self.differs(Node::Expr(value))
            {
                self.vals.insert(*val);
            }
            matches!(s, Stmt::Store { .. } | Stmt::Let { .. }) && self.fits(Node::Stmt(s))
        })
    }
}
