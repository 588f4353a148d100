//! A sequence cut in two: both parts forward, then backward, and their results as those of the whole.

use super::held::of_kind;
use crate::engine::{Named, Sizes};
use crate::passes::STATE_COTANGENT;
use crate::{Result, other, timeline};
use seqc_algebra::{Axis, Elem, Tensor};

/// A sequence that is cut behind `prompt`.
pub struct Halves {
    pub prompt: usize,
    /// Cotangents of the states after everything, and all other tensors.
    pub after: Named,
    pub given: Named,
    pub sizes: Sizes,
}

impl Halves {
    /// Both parts, one after the other forward, then backward; their results as those of the whole.
    pub fn parts<P>(
        &self,
        [prompt, rest]: &[P; 2],
        run: impl Fn(&P, &Named, &Sizes) -> Result<Named>,
    ) -> Result<Named> {
        let (time, all) = (Axis::time(), self.sizes[&Axis::time().name]);
        let mut sizes = self.sizes.clone();
        sizes.insert(time.name, self.prompt);
        let mut head = timeline::cut_all(&self.given, time, 0..self.prompt)?;
        head.extend(none(&self.after)?);
        let states = states(run(prompt, &head, &sizes)?);
        let mut tail = self.tail(self.prompt..all)?;
        tail.extend(states);
        sizes.insert(time.name, all - self.prompt);
        let second = run(rest, &tail, &sizes)?;
        for (name, g) in &second {
            if let Some(own) = name.strip_prefix("grad.state.") {
                head.insert(format!("{STATE_COTANGENT}{own}"), g.clone());
            }
        }
        sizes.insert(time.name, self.prompt);
        joined(run(prompt, &head, &sizes)?, second)
    }

    fn tail(&self, range: std::ops::Range<usize>) -> Result<Named> {
        let mut tail = timeline::cut_all(&self.given, Axis::time(), range)?;
        tail.insert("pos".into(), Tensor::scalar(self.prompt as f64));
        // An output without time is the same in both parts, and counts once.
        let timeless = cotangents(&self.given).into_iter();
        let timeless = timeless.filter(|(_, t)| !t.axes.contains(&Axis::time()));
        tail.extend(none(&timeless.collect())?);
        tail.extend(self.after.clone());
        Ok(tail)
    }
}

/// The states among some results, by the names that programs read them under.
pub(super) fn states(made: Named) -> Named {
    let own = |(n, t): (String, Tensor)| Some((n.strip_prefix("state.")?.to_owned(), t));
    made.into_iter().filter_map(own).collect()
}

/// Results of two parts as those of the whole: joined along time; gradients of what both read, added.
pub(super) fn joined(first: Named, second: Named) -> Result<Named> {
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
