//! Loop nests that fill a place with a pointwise (or folded) expression: which axis becomes vector lanes.
//!
//! The lane axis is the one along which the store and the loads are contiguous or constant; if none is, the nest
//! is scalar, and a fold inside may use lanes instead.

use super::cell::{Cell, Result};
use super::place::{Env, Place};
use crate::ir::{Expr, Ix, LoopKind, Stmt, Var};
use crate::walk::Node;
use seqc_algebra::Axis;

/// One loop of a nest.
struct Loop {
    var: Var,
    lo: Ix,
    hi: Ix,
}

/// The ranges of some axes, where they are not the whole extent.
pub(crate) type Ranges<'r> = &'r [(Axis, Ix, Ix)];

impl<'a> Cell<'a> {
    /// `dest[axes] = f(env)`, emitted into the open block.
    pub fn nest(
        &mut self,
        dest: &Place,
        axes: &[Axis],
        ranges: Ranges,
        env: &Env,
        f: &mut dyn FnMut(&mut Self, &Env) -> Result<Expr>,
    ) -> Result<()> {
        let mut env = env.clone();
        let mut loops = Vec::new();
        for axis in axes {
            let (lo, hi) = match ranges.iter().find(|(a, ..)| a == axis) {
                Some((_, lo, hi)) => (lo.clone(), hi.clone()),
                None => (Ix::Const(0), self.extent(*axis)?),
            };
            if let (Some(l), Some(h)) = (lo.known(), hi.known())
                && h == l + 1
            {
                env.set(*axis, lo);
                continue;
            }
            let var = self.var();
            env.set(*axis, Ix::Var(var));
            loops.push(Loop { var, lo, hi });
        }
        let value = f(self, &env)?;
        let at = self.at(dest, &env)?;
        let lane = if self.options.reference {
            None
        } else {
            self.lane(&loops, &at, &value)
        };
        let buf = self.buf(dest, true);
        let mut body = vec![buf.store(at, value)];
        if let Some(k) = lane {
            let l = loops.remove(k);
            body = vec![Stmt::vec(self.options.lanes, l.var, l.lo, l.hi, body)];
        }
        for l in loops.into_iter().rev() {
            body = vec![Stmt::for_(LoopKind::Par, l.var, l.lo, l.hi, body)];
        }
        body.into_iter().for_each(|s| self.emit(s));
        Ok(())
    }

    /// The best lane axis, if any helps.
    fn lane(&self, loops: &[Loop], at: &Ix, value: &Expr) -> Option<usize> {
        let mut best: Option<(f64, usize)> = None;
        let loads = Node::Expr(value).loads();
        // A fold over a contiguous axis has lanes of its own; a good lane axis still beats it.
        let folds = has_lane_fold(value);
        for (k, l) in loops.iter().enumerate() {
            let extent = match (l.lo.known(), l.hi.known()) {
                (Some(a), Some(b)) => (b - a) as f64,
                _ => 64.0,
            };
            let store = match at.stride(l.var) {
                Some(1) => 2.0,
                _ => -2.0,
            };
            let mut score = store;
            let mut bad = 0;
            for (_, at) in &loads {
                match at.stride(l.var) {
                    Some(0) => {}
                    Some(1) => score += 1.0,
                    _ => {
                        score -= 2.0;
                        bad += 1;
                    }
                }
            }
            if folds && bad > 0 {
                continue;
            }
            if extent < f64::from(self.options.lanes) {
                score -= 1.0 + f64::from(self.options.lanes) / extent.max(1.0);
            }
            // With arithmetic to share, lanes pay even if a load must gather.
            let work = if weight_of(value) > 6 { 3.0 } else { 0.0 };
            if score + work > 0.0 && best.is_none_or(|(b, _)| score >= b) {
                best = Some((score, k));
            }
        }
        best.map(|(_, k)| k)
    }
}

fn has_lane_fold(e: &Expr) -> bool {
    let mut found = false;
    Node::Expr(e).walk(&mut |n| {
        if let Node::Expr(Expr::Fold { lanes, .. }) = n {
            found |= *lanes > 1;
        }
    });
    found
}

/// Arithmetic operations in an expression, functions counted several times.
fn weight_of(e: &Expr) -> usize {
    let mut n = 0;
    Node::Expr(e).walk(&mut |x| {
        n += match x {
            Node::Expr(Expr::Unary(..)) => 8,
            Node::Expr(Expr::Binary(..)) => 1,
            _ => 0,
        }
    });
    n
}
