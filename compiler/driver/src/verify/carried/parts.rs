//! A sequence cut into parts: all of them forward, then backward, and their results as those of the whole.

use super::super::cuts::Parts;
use super::held::of_kind;
use crate::engine::{Named, Sizes};
use crate::{Result, other, timeline};
use seqc_algebra::{Axis, Elem, Tensor};

/// A sequence that is cut.
pub struct Cut {
    pub parts: Parts,
    /// Cotangents of the states after everything, and all other tensors.
    pub after: Named,
    pub given: Named,
    pub sizes: Sizes,
}

impl Cut {
    /// All parts, one after the other forward, then backward; their results as those of the whole. Programs of the prompt
    /// and of what goes on from states.
    pub fn run<P>(
        &self,
        [prompt, rest]: &[P; 2],
        run: impl Fn(&P, &Named, &Sizes) -> Result<Named>,
    ) -> Result<Named> {
        let ran = |k: usize, before: &Named, after: &Named| {
            let (mut given, sizes) = self.part(k)?;
            given.extend(before.clone());
            given.extend(after.clone());
            run(if k == 0 { prompt } else { rest }, &given, &sizes)
        };
        let (count, silent) = (self.parts.0.len(), none(&self.after)?);
        let mut before = vec![Named::new()];
        for k in 1..count {
            before.push(states(ran(k - 1, &before[k - 1], &silent)?));
        }
        let mut whole = ran(count - 1, &before[count - 1], &self.after)?;
        let mut first = whole.clone();
        for k in (0..count - 1).rev() {
            let mut after = silent.clone();
            after.extend(by_states(&first));
            first = ran(k, &before[k], &after)?;
            whole = joined(first.clone(), whole)?;
        }
        Ok(whole)
    }

    /// What part `k` is given beside states, and its lengths.
    fn part(&self, k: usize) -> Result<(Named, Sizes)> {
        let (time, range) = (Axis::time(), self.parts.ranges()[k].clone());
        let mut sizes = self.sizes.clone();
        sizes.insert(time.name, range.len());
        let mut given = timeline::cut_all(&self.given, time, range.clone())?;
        if k > 0 {
            given.insert("pos".into(), Tensor::scalar(range.start as f64));
            // An output without time is the same in all parts, and counts once.
            let timeless = cotangents(&self.given).into_iter();
            let timeless = timeless.filter(|(_, t)| !t.axes.contains(&time));
            given.extend(none(&timeless.collect())?);
        }
        Ok((given, sizes))
    }
}

/// Gradients by states, as the cotangents of the part before.
fn by_states(made: &Named) -> Named {
    let one = |(n, g): (&String, &Tensor)| {
        let own = n
            .strip_prefix("grad.")
            .filter(|n| n.starts_with("state."))?;
        Some((format!("cotangent.{own}"), g.clone()))
    };
    made.iter().filter_map(one).collect()
}

/// The states among some results.
fn states(made: Named) -> Named {
    let all = made.into_iter();
    all.filter(|(n, _)| n.starts_with("state.")).collect()
}

/// Results of two parts as those of the whole: joined along time; gradients of what both read, added.
fn joined(first: Named, second: Named) -> Result<Named> {
    let mut all = Named::new();
    for (name, b) in second {
        let joined = match first.get(&name) {
            Some(a) if a.axes.contains(&Axis::time()) => {
                timeline::join(&[a.clone(), b], Axis::time()).map_err(|e| other(&name, e))?
            }
            Some(a) if of_kind(&name) == 1 => timeline::sum(a, &b).map_err(|e| other(&name, e))?,
            _ => b,
        };
        all.insert(name, joined);
    }
    Ok(all)
}

/// Cotangents among some tensors.
pub(super) fn cotangents(given: &Named) -> Named {
    let all = given.iter().filter(|(n, _)| n.starts_with("cotangent."));
    all.map(|(n, t)| (n.clone(), t.clone())).collect()
}

/// The same tensors, all 0.
pub fn none(of: &Named) -> Result<Named> {
    let zero = |(n, t): (&String, &Tensor)| {
        let elem = if t.is_complex() {
            Elem::Complex
        } else {
            Elem::Real
        };
        let t = Tensor::zeros(&t.axes, &t.shape, elem).map_err(|e| other(n, e))?;
        Ok((n.clone(), t))
    };
    of.iter().map(zero).collect()
}
