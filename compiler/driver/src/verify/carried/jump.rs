//! From states that no prompt leaves: the gradient by them against differences of what the definition's steps make.

use super::super::certificate::{Row, Worst};
use super::super::measure;
use super::super::reference::{along, dot, off, sizes};
use super::held::{Reference, drawn, ran};
use super::{BATCH, BEFORE, SMALL};
use crate::engine::{Named, Sizes};
use crate::passes::STATE_COTANGENT;
use crate::{Result, other, timeline};
use seqc_algebra::{Axis, Elem, Func, Size, Tensor, Ty};
use seqc_derive::step::cache;

/// Runs from states that no prompt leaves.
pub(super) struct Jump {
    pub sizes: Sizes,
    pub given: Named,
    pub reference: Reference,
}

impl Jump {
    /// Slopes along a direction of each state against differences of what the definition's steps make.
    pub fn differences(&self, step: &Func, row: &mut Row) -> Result<()> {
        let gradients: Vec<(String, &Tensor)> = (self.reference.want.iter())
            .filter(|(n, _)| n.starts_with("grad.state."))
            .map(|(n, g)| (n.trim_start_matches("grad.").to_owned(), g))
            .collect();
        let norms = gradients.iter().map(|(_, g)| Ok(dot(g, g)?.sqrt()));
        let largest = norms.collect::<Result<Vec<f64>>>()?;
        let largest = largest.into_iter().fold(0.0, f64::max);
        let rounding = f64::EPSILON * self.stepped(step, self.given.clone())?.1;
        for (name, g) in gradients.iter().filter(|(_, g)| measure::finite(g)) {
            let given = &self.given[name];
            let ty = Ty {
                elem: if given.is_complex() {
                    Elem::Complex
                } else {
                    Elem::Real
                },
                axes: given.axes.clone(),
            };
            let direction = drawn(&format!("direction.{name}"), &ty, &self.sizes)?;
            let direction = past(&direction).map_err(|e| other(name, e))?;
            let at = |h: f64| {
                let mut from = self.given.clone();
                from.insert(name.clone(), along(given, h, &direction)?);
                self.stepped(step, from)
            };
            let between = |h: f64| Ok(at(h)?.0 - at(-h)?.0);
            let off = off(dot(g, &direction)?, 1.0, rounding, between)?;
            let norm = dot(g, g)?.sqrt();
            let beside = if norm < 1e-10 * largest {
                largest
            } else {
                norm
            };
            row.add(Worst {
                error: if off == 0.0 { 0.0 } else { off.abs() / beside },
                bound: 1e-6,
                tensor: format!("grad.{name}"),
                length: SMALL,
                batch: BATCH,
                inputs: self.reference.inputs.clone(),
            });
        }
        Ok(())
    }

    /// The cotangents' product with what the definition's steps make, one after the other; and that of their sizes,
    /// whose last bits the product has.
    fn stepped(&self, step: &Func, mut given: Named) -> Result<(f64, f64)> {
        let time = Axis::time();
        let tokens = self.sizes[&time.name];
        let (mut total, mut weight) = (0.0, 0.0);
        let mut add = |cotangent: &Tensor, y: &Tensor| -> Result<()> {
            total += dot(cotangent, y)?;
            weight += dot(&sizes(cotangent), &sizes(y))?;
            Ok(())
        };
        for t in 0..tokens {
            let mut now = timeline::all_at(&given, time, t)?;
            now.insert("pos".into(), Tensor::scalar((BEFORE + t) as f64));
            for (name, y) in ran(step, &now, &self.sizes)? {
                if name.starts_with("state.") {
                    given.insert(name, y);
                    continue;
                }
                let cotangent = &self.given[&format!("cotangent.{name}")];
                if cotangent.axes.contains(&time) || t + 1 == tokens {
                    let cotangent = timeline::at(cotangent, time, t);
                    add(&cotangent.map_err(|e| other(&name, e))?, &y)?;
                }
            }
        }
        for (name, cotangent) in &self.given {
            if name.starts_with(STATE_COTANGENT) {
                let own = name.trim_start_matches("cotangent.");
                add(cotangent, &given[own])?;
            }
        }
        Ok((total, weight))
    }
}

/// A state after [`BEFORE`] positions: its caches hold nothing else.
pub(super) fn past(state: &Tensor) -> std::result::Result<Tensor, String> {
    let mut t = state.clone();
    let caches = state.axes.iter().zip(&state.shape);
    for (a, n) in caches.filter(|(a, _)| a.size == Size::Len(cache())) {
        t = timeline::pad(&timeline::cut(&t, *a, 0..BEFORE)?, *a, *n)?;
    }
    Ok(t)
}
