//! A sum over lags goes inside of what is linear around it: `sum[lag](sum[d](f[lag] * x[t - lag]))` is
//! `sum[d](sum[lag](f[lag] * x[t - lag]))`, so that the same sum is the same program however its sums are ordered.

use crate::elab::Elab;
use crate::value::Dyn;
use seqc_algebra::{Axis, MapFn, Op, ReduceOp, ShapeError, ValueId};
use seqc_syntax::Span;

impl<'p> Elab<'p> {
    /// `Σ_lag Π factors` with the sum inside of what is linear around it; `None` where nothing is.
    pub(crate) fn pushed(&mut self, factors: &[Dyn], lag: Axis, span: Span) -> Option<Dyn> {
        let depth = factors.iter().map(|f| f.depth).max()?;
        if factors.iter().any(|f| f.depth != depth) {
            return None;
        }
        let ids: Vec<ValueId> = factors.iter().map(|f| f.id).collect();
        match self.sum_inside(depth, &ids, lag) {
            Ok(id) => {
                let mut out = Dyn {
                    id: id?,
                    ..factors[0].clone()
                };
                for f in &factors[1..] {
                    out.reach.join(&f.reach);
                }
                (out.domains, out.zero, out.index) = (vec![], vec![], None);
                Some(out)
            }
            Err(e) => {
                self.shape_error(&e, span);
                None
            }
        }
    }

    /// The sum over a lag, of a product that is not one already.
    fn sum_inside(
        &mut self,
        depth: usize,
        factors: &[ValueId],
        lag: Axis,
    ) -> Result<Option<ValueId>, ShapeError> {
        let has = |this: &Self, v: ValueId| this.frames[depth].b.has(v, lag);
        let (late, fixed): (Vec<_>, Vec<_>) = factors.iter().partition(|v| has(self, **v));
        let [one] = late[..] else { return Ok(None) };
        let value = self.frames[depth].b.func().value(one).clone();
        let inner = match &value.op {
            Op::Map(f @ (MapFn::Add | MapFn::Sub)) if value.args.iter().all(|a| has(self, *a)) => {
                let a = self.sum_of_lag(depth, &[value.args[0]], lag)?;
                let b = self.sum_of_lag(depth, &[value.args[1]], lag)?;
                self.frames[depth].b.map2(*f, a, b)?
            }
            Op::Map(MapFn::Mul) => self.product_inside(depth, &value.args, &[], lag)?,
            Op::Contract(axes) if !axes.contains(&lag) => {
                self.product_inside(depth, &value.args, axes, lag)?
            }
            Op::Reduce(ReduceOp::Sum, axes) => {
                let inner = self.sum_of_lag(depth, &[value.args[0]], lag)?;
                self.frames[depth].b.sum(axes, inner)?
            }
            op if moves_features(op, lag) => {
                let inner = self.sum_of_lag(depth, &[value.args[0]], lag)?;
                self.frames[depth].b.push(op.clone(), &[inner])?
            }
            _ => return Ok(None),
        };
        if fixed.is_empty() {
            return Ok(Some(inner));
        }
        let mut all = vec![inner];
        all.extend(fixed);
        self.frames[depth].b.contract(&[], &all).map(Some)
    }

    /// `Σ_lag Σ_axes Π args`
    fn product_inside(
        &mut self,
        depth: usize,
        args: &[ValueId],
        axes: &[Axis],
        lag: Axis,
    ) -> Result<ValueId, ShapeError> {
        let has = |v: &&ValueId| self.frames[depth].b.has(**v, lag);
        let (own, others): (Vec<_>, Vec<_>) = args.iter().partition(has);
        let mut all = vec![self.sum_of_lag(depth, &own, lag)?];
        all.extend(others);
        let b = &mut self.frames[depth].b;
        match all.as_slice() {
            [one] => b.sum(axes, *one),
            _ => b.contract(axes, &all),
        }
    }

    fn sum_of_lag(
        &mut self,
        depth: usize,
        factors: &[ValueId],
        lag: Axis,
    ) -> Result<ValueId, ShapeError> {
        if let Some(done) = self.sum_inside(depth, factors, lag)? {
            return Ok(done);
        }
        let b = &mut self.frames[depth].b;
        match factors {
            [one] => b.sum(&[lag], *one),
            _ => b.contract(&[lag], factors),
        }
    }
}

/// Is the operation linear, and one of features alone?
fn moves_features(op: &Op, lag: Axis) -> bool {
    match op {
        Op::Map(MapFn::Neg | MapFn::Re | MapFn::Im | MapFn::Conj) => true,
        Op::Rename { from, to } => *from != lag && *to != lag,
        Op::Split { axis, .. } => *axis != lag,
        Op::Merge { axes, .. } => !axes.contains(&lag),
        Op::Pick { axis, .. } => *axis != lag,
        _ => false,
    }
}
