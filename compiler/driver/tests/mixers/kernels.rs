//! Convolutions: short and long, explicit and implicit.

use super::{Ax, Gen, Value};

impl Gen {
    pub(super) fn kernel(&mut self) -> Value {
        let axes = self.some_axes(1, 2);
        let u = self.free(&axes);
        let text = match self.rng.below(7) {
            0 | 1 => self.taps(&u, &axes),
            2 => {
                self.imports.insert("conv");
                let over = self.list(&axes);
                let taps = self.rng.between(2, 5);
                format!("conv[{over}]({u}, taps = {taps})")
            }
            3 => {
                let own = self.rng.some(&axes, 60);
                let w = self.free(&own);
                let f = self.fresh("f");
                let most = self.rng.between(2, 9);
                self.line(format!(
                    "{f}[lag] = {w}[first + lag]  where lag >= 0 and lag < {most}"
                ));
                self.convolved(&f, &u)
            }
            _ => {
                let f = self.implicit(&axes);
                self.convolved(&f, &u)
            }
        };
        self.define(text, axes)
    }

    fn convolved(&mut self, f: &str, u: &str) -> String {
        let product = self.times(&[format!("{f}[lag]"), format!("{u}[t - lag]")]);
        match self.rng.chance(30) {
            true => format!("sum[lag]({product}) + 0.5 * {u}"),
            false => format!("sum[lag]({product})"),
        }
    }

    /// An explicit kernel along an axis of taps.
    fn taps(&mut self, u: &str, axes: &[Ax]) -> String {
        let beside: Vec<Ax> = (0..self.axes.len()).filter(|a| !axes.contains(a)).collect();
        let taps = self.rng.pick(&beside);
        let name = self.axes[taps].0.clone();
        let mut own = self.rng.some(axes, 70);
        own.push(taps);
        let w = self.table(&own, "-0.5", "0.5");
        let at = match self.rng.below(4) {
            0 if !self.causal => format!("t + 1 - range({name})"),
            1 => format!("t - 1 - range({name})"),
            _ => format!("t - range({name})"),
        };
        match self.rng.below(5) {
            0 => format!("max[{name}]({u}[{at}])"),
            1 => format!("mean[{name}]({u}[{at}]) * {u}"),
            _ => format!("sum[{name}]({w} * {u}[{at}])"),
        }
    }

    /// A kernel as a function of the lag.
    fn implicit(&mut self, axes: &[Ax]) -> String {
        let beside: Vec<Ax> = (0..self.axes.len()).filter(|a| !axes.contains(a)).collect();
        let m = self.rng.pick(&beside);
        let own = self.rng.some(axes, 70);
        let rate = self.table(&own, "0.1", "1");
        let modes = [vec![m], own.clone()].concat();
        let name = self.axes[m].0.clone();
        let text = match self.rng.below(4) {
            0 => {
                let (c, decay) = (
                    self.table(&modes, "-1", "1"),
                    self.table(&modes, "0.2", "1"),
                );
                format!("sum[{name}]({c} * exp(-{decay} * lag))")
            }
            1 => {
                let (c, turn) = (self.table(&modes, "-1", "1"), self.table(&modes, "0", "3"));
                format!("re(sum[{name}]({c} * exp((-{rate} + 1i * {turn}) * lag)))")
            }
            2 => {
                let e = self.fresh("f");
                self.line(format!("{e}[lag] = sin((range({name}) + 1) * lag / 8)"));
                let to = self.joined(&own, " ");
                format!("linear({e}[lag], {name} -> {to}) * exp(-{rate} * lag / 4)")
            }
            _ => {
                let w = self.table(&own, "-1", "1");
                format!("{w} * {rate} ^ lag / (1 + lag)")
            }
        };
        let f = self.fresh("f");
        let domain = match self.rng.below(4) {
            0 if !self.causal => String::new(),
            1 => format!("  where lag >= {}", self.rng.between(1, 2)),
            2 => format!("  where lag >= 0 and lag < {}", self.rng.between(1, 9)),
            _ => "  where lag >= 0".into(),
        };
        let text = match domain.is_empty() {
            // Both ways, it must not grow.
            true => format!("exp(-{rate} * abs(lag))"),
            false => text,
        };
        self.line(format!("{f}[lag] = {text}{domain}"));
        f
    }
}
