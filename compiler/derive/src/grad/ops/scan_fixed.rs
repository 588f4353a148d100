//! Cotangents of a scan's fixed operands: a sum over all steps. Three ways, in order of preference:
//!
//! * a contribution that is a contraction of factors (an outer product over the step's axes) emits the factors along
//!   the scan's axis and contracts once outside, over that axis too, when a step's factors are smaller than the
//!   product (always so for a weight matrix and one position, rarely for a tile, whose product is a matmul anyway);
//! * in a scan without carried cotangents, contributions are emitted step by step and summed outside, which keeps
//!   the steps independent (unless the operand itself has a run-time length);
//! * otherwise they are accumulated in a further state, for each sequence of the batch on its own: the batch is
//!   summed outside, so that its sequences stay independent of each other.
//!
//! A scan along an axis of constant size may be mapped over a time. That is like a batch: a product that sums over it is
//! always made outside.

use super::super::parts::{fit, zeros};
use super::Result;
use super::scan::{Backward, along};
use seqc_algebra::{
    Axis, Builder, InputKind, MapFn, Num, Op, ReduceOp, Scan, Size, Ty, ValueId, shape::canonical,
};

/// A factor of a contraction outside.
#[derive(Clone, Copy)]
enum Factor {
    Outer(ValueId),
    Emit(usize),
}

enum Route {
    Factors {
        over: Vec<Axis>,
        factors: Vec<Factor>,
    },
    Steps {
        emit: usize,
    },
    State {
        place: usize,
        /// What is summed outside.
        beside: Vec<Axis>,
    },
}

/// The chosen ways, with the operand each belongs to.
#[derive(Default)]
pub struct Routes(Vec<(usize, Route)>);

pub struct Fixed<'a> {
    pub scan: &'a Scan,
    /// No cotangent of a state is carried.
    pub mapping: bool,
}

/// Elements of a value, run-time lengths taken as long and the batch as one.
fn weight<'a>(axes: impl IntoIterator<Item = &'a Axis>) -> f64 {
    let one = |a: &Axis| match a.size {
        Size::Const(n) => n as f64,
        Size::Len(s) if s.as_str() == "batch" => 1.0,
        _ => 4096.0,
    };
    axes.into_iter().map(one).product()
}

impl Fixed<'_> {
    /// Decides how the contribution `v` (in the body) reaches operand `k`, whose outer value is `arg`.
    pub fn route(
        &self,
        b: &mut Builder,
        back: &mut Backward,
        routes: &mut Routes,
        k: usize,
        v: ValueId,
        arg: ValueId,
    ) -> Result<()> {
        if let Some(route) = self.factors(b, back, v) {
            routes.0.push((k, route));
            return Ok(());
        }
        let axes = back.b.axes(v);
        let tile = self.scan.tile.is_some_and(|c| axes.contains(&c));
        let long = axes.iter().any(is_long);
        let clash = axes.iter().any(|a| a.name == along(self.scan).name);
        if self.mapping && !tile && !long && !clash {
            let emit = back.emit(v);
            routes.0.push((k, Route::Steps { emit }));
            return Ok(());
        }
        let apart = before_mapped(&mut back.b, v, self.mapped_over())?;
        let v = apart.unwrap_or(v);
        let mut ty: Ty = b.ty(arg).clone();
        let mut new: Vec<Axis> = vec![];
        if apart.is_some() {
            let own = back.b.axes(v).iter().copied();
            new.extend(own.filter(|a| !a.is_const() && !ty.has(*a)));
        }
        // One state per operand and kind: later contributions join it.
        let known = routes.0.iter().find_map(|(j, r)| match r {
            Route::State { place, beside } if *j == k && *beside == new => Some(*place),
            _ => None,
        });
        if let Some(place) = known {
            back.states[place].1 = back.b.add2(back.states[place].1, v)?;
            return Ok(());
        }
        ty.axes.extend(&new);
        ty.axes = canonical(ty.axes);
        let s = back
            .b
            .input(&format!("acc{k}"), InputKind::Formal, ty.clone());
        let sum = back.b.add2(s, v)?;
        let sum = fit(&mut back.b, sum, &ty)?;
        let start = zeros(b, &ty)?;
        back.states.push((s, sum, start));
        let route = Route::State {
            place: back.states.len() - 1,
            beside: new,
        };
        routes.0.push((k, route));
        Ok(())
    }

    /// What the scan is mapped over: the batch, and along an axis of constant size every time.
    fn mapped_over(&self) -> fn(&Axis) -> bool {
        match self.scan.axis.is_const() && self.scan.tile.is_none() {
            true => |a| !a.is_const(),
            false => |a| *a == Axis::batch(),
        }
    }

    fn factors(&self, b: &mut Builder, back: &mut Backward, v: ValueId) -> Option<Route> {
        let func = back.b.func();
        let Op::Contract(inner) = func.op(v).clone() else {
            return None;
        };
        let args = func.args(v).to_vec();
        let name = self.scan.axis.name;
        let step = self.scan.tile.filter(|c| inner.contains(c));
        if func
            .ty(v)
            .axes
            .iter()
            .chain(&inner)
            .any(|a| a.name == name || a.name == along(self.scan).name)
        {
            return None;
        }
        if self.scan.tile.is_some_and(|c| func.ty(v).has(c)) {
            return None;
        }
        let bounded = self.scan.lo || self.scan.hi;
        let (mut plan, mut fresh, mut moving) = (vec![], vec![], false);
        for f in &args {
            let axes = &func.ty(*f).axes;
            let known = back.inputs.iter().find(|i| i.inner == *f);
            if let Op::Const(Num(x)) = func.op(*f) {
                plan.push(Err(b.num(*x)));
                continue;
            }
            if let Some(outer) = known.filter(|i| i.seq.is_none()).and_then(|i| i.outer)
                && step.is_none_or(|c| !axes.contains(&c))
            {
                plan.push(Err(outer));
                continue;
            }
            // What moves with the steps must move along the contracted axis: the sequence, or its tiles.
            if step.is_some_and(|c| !axes.contains(&c)) {
                return None;
            }
            moving = true;
            match known
                .filter(|i| i.seq.is_some() && !bounded)
                .and_then(|i| i.outer)
            {
                Some(outer) => plan.push(Err(outer)),
                None => {
                    if !back.emits.contains(f) && !fresh.contains(f) {
                        fresh.push(*f);
                    }
                    plan.push(Ok(*f));
                }
            }
        }
        let cost: f64 = fresh.iter().map(|f| weight(&func.ty(*f).axes)).sum();
        let mapped = inner.iter().any(|a| is_long(a) && self.mapped_over()(a));
        if !moving || !mapped && cost >= weight(&func.ty(v).axes) {
            return None;
        }
        let over = match step {
            Some(c) => inner
                .iter()
                .map(|a| if *a == c { self.scan.axis } else { *a })
                .collect(),
            None => inner.iter().copied().chain([along(self.scan)]).collect(),
        };
        let factors = plan.into_iter().map(|f| match f {
            Ok(v) => Factor::Emit(back.emit(v)),
            Err(outer) => Factor::Outer(outer),
        });
        Some(Route::Factors {
            over,
            factors: factors.collect(),
        })
    }
}

/// A time that the scan is mapped over.
fn is_long(a: &Axis) -> bool {
    !a.is_const() && *a != Axis::batch()
}

/// `v` before a sum in it over what the scan is mapped over; `None` if it is not such a sum.
fn before_mapped(
    b: &mut Builder,
    v: ValueId,
    mapped: fn(&Axis) -> bool,
) -> Result<Option<ValueId>> {
    let args = b.func().args(v).to_vec();
    let left = |axes: &[Axis]| -> Vec<Axis> {
        let kept = axes.iter().filter(|a| !mapped(a));
        kept.copied().collect()
    };
    let any = |axes: &[Axis]| axes.iter().any(mapped);
    let op = match b.func().op(v).clone() {
        Op::Contract(axes) if any(&axes) => Op::Contract(left(&axes)),
        Op::Reduce(ReduceOp::Sum, axes) if any(&axes) => Op::Reduce(ReduceOp::Sum, left(&axes)),
        Op::Expand(axes) if any(&axes) => return Ok(None),
        op @ (Op::Map(MapFn::Re | MapFn::Im | MapFn::Conj | MapFn::Neg) | Op::Expand(_)) => {
            let x = before_mapped(b, args[0], mapped)?;
            return Ok(x.map(|x| b.push(op, &[x])).transpose()?);
        }
        _ => return Ok(None),
    };
    Ok(Some(b.push(op, &args)?))
}

impl Routes {
    /// The contributions outside, the scan being built: its results are `finals` final states, then emitted values.
    pub fn finish(
        self,
        b: &mut Builder,
        scan: &Scan,
        new: ValueId,
        finals: usize,
        args: &[ValueId],
    ) -> Result<Vec<(usize, ValueId)>> {
        let mut out = vec![];
        for (k, route) in self.0 {
            let v = match route {
                Route::State { place, .. } => b.push(Op::Proj(place), &[new])?,
                Route::Steps { emit } => {
                    let all = b.push(Op::Proj(finals + emit), &[new])?;
                    b.sum(&[along(scan)], all)?
                }
                Route::Factors { over, factors } => {
                    let mut values = vec![];
                    for f in factors {
                        values.push(match f {
                            Factor::Outer(v) => v,
                            Factor::Emit(e) => b.push(Op::Proj(finals + e), &[new])?,
                        });
                    }
                    b.contract(&over, &values)?
                }
            };
            let ty = b.ty(args[k]).clone();
            out.push((k, fit(b, v, &ty)?));
        }
        Ok(out)
    }
}
