//! Sums by an index: rows in order, each added where its index says. One element would have to visit all rows for each
//! place of the result; this visits each row once.

use super::LowerError;
use super::cell::{Cell, Result};
use super::nest::Ranges;
use super::place::{Env, Place};
use crate::ir::{Expr, LoopKind, Stmt};
use seqc_algebra::{Axis, Op, ValueId};

impl<'a> Cell<'a> {
    /// `dest[index[row], …] (+)= g[row, …]`; `ranges` of axes that the index lacks.
    pub fn scatter(
        &mut self,
        scope: usize,
        v: ValueId,
        dest: &Place,
        ranges: Ranges,
        accumulate: bool,
    ) -> Result<()> {
        let func = self.scopes[scope].func;
        let Op::ScatterAdd { axis, over } = func.op(v) else {
            return Err(LowerError::new("not a scatter"));
        };
        let (g, index) = (func.args(v)[0], func.args(v)[1]);
        let own = |p: &Place| p.strides.iter().map(|(a, _)| *a).collect::<Vec<Axis>>();
        if !accumulate {
            self.nest(dest, &own(dest), ranges, &Env::default(), &mut |_, _| {
                Ok(Expr::num(0.0))
            })?;
        }
        // Columns that the index has too are walked together with the rows.
        let rest = own(dest).into_iter().filter(|a| a != axis);
        let (walked, columns): (Vec<Axis>, Vec<Axis>) = rest.partition(|a| func.ty(index).has(*a));
        let (mut env, mut loops, mut here) = (Env::default(), vec![], dest.clone());
        for a in over.iter().chain(&walked) {
            let r = self.var();
            env.set(*a, r.into());
            loops.push((r, self.extent(*a)?));
        }
        for a in &walked {
            here = here.at(*a, self.index(&env, *a)?);
        }
        let top = self.size(*axis)? - 1;
        self.open();
        let made = self.rounded(scope, index, &env).and_then(|row| {
            let here = here.at(*axis, row.max_ix(0).min_ix(top));
            self.nest(&here, &columns, ranges, &env, &mut |c, env| {
                let x = c.elem(scope, g, env)?;
                Ok(c.load(&here, env)? + x)
            })
        });
        let mut body = self.close();
        made?;
        for (r, n) in loops.into_iter().rev() {
            body = vec![Stmt::for_(LoopKind::Seq, r, 0, n, body)];
        }
        body.into_iter().for_each(|s| self.emit(s));
        Ok(())
    }
}
