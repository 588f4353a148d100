//! Convolutions over ticks as convolutions over steps.
//!
//! With `X[k]` the value of tick `k`, whole or under way, and ticks of `n` steps, `y[k] = f[0] X[k] + Σ_{j<k} f[k - j] X[j]`. A past
//! tick is put where the next one begins: `e[n (j + 1)] = X[j]`, else 0. Then at every step `t` of tick `k` the sum
//! is `Σ_s F[t - s] e[s]` with `F[l] = f[l / n + 1]`.

use super::{Steps, remainder};
use crate::Result;
use seqc_algebra::{Axis, MapFn, Op, ValueId};

impl Steps<'_> {
    /// `id` is a convolution along a clock of `rate` steps; `args` are the kernel at `l / n` for each lag `l` in steps, and
    /// the value of each step's tick.
    pub(super) fn convolved(
        &mut self,
        id: ValueId,
        lag: Axis,
        rate: usize,
        args: &[ValueId],
    ) -> Result<ValueId> {
        let (t, lags) = (Axis::time(), self.fine(lag));
        let (steps, zero) = (self.b.iota(t)?, self.b.num(0.0));
        let begun = remainder(&mut self.b, steps, rate)?;
        let begins = self.b.map2(MapFn::Eq, begun, zero)?;
        let before = self.b.shift(args[1], t, 1)?;
        let past = self.b.select(begins, before, zero)?;
        let later = self.one_later(id, lag, args[0])?;
        let conv = Op::Conv {
            axis: t,
            lag: lags,
            ahead: false,
        };
        let sum = self.b.push(conv, &[later, past])?;
        let first = self.b.push(Op::Gather(lags), &[args[0], zero])?;
        let now = self.b.mul(first, args[1])?;
        Ok(self.b.add2(now, sum)?)
    }

    /// The kernel at `l / n + 1`, made anew.
    fn one_later(&mut self, id: ValueId, lag: Axis, f: ValueId) -> Result<ValueId> {
        if !crate::step::is_online(self.func, id) {
            return Err(self.refused(
                id,
                "has weights over ticks that are no real function of the lag",
            ));
        }
        let kernel = self.func.args(id)[0];
        let needed = self.func.needed([kernel]);
        let kept = self.image.clone();
        self.later = Some(lag);
        let made = (self.func.ids())
            .filter(|v| needed[v.index()] && self.func.ty(*v).has(lag))
            .try_for_each(|v| {
                self.image[v.index()] = Some(self.value(v)?);
                Ok(())
            });
        self.later = None;
        let image = std::mem::replace(&mut self.image, kept);
        made.map(|()| image[kernel.index()].unwrap_or(f))
    }
}
