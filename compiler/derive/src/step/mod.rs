//! Law: a causal program over time equals one step applied at each time, with states that carry what later steps
//! read of earlier ones; and the program over the positions that follow, from the same states.
//!
//! Each operation says what it needs of the past: a shift or a short window its last values, a scan its state, a sum over
//! earlier positions `j` the values it reads there (a cache of run-time capacity `cache`, along which states for each source
//! position lie too), a long convolution the inputs so far (one more position of it is one operation, if its kernel is
//! the same at every one). Everything else is pointwise in time and stays as it is.
//!
//! [`step`] gives the step; [`prefill`] the parallel program with the states after its last position as further results, so that a
//! prompt is read in one pass; [`resume`] the parallel program that goes on from such states, so that a sequence
//! may be cut anywhere. All three have states of the same names and shapes ([`names`], [`states`]). Side condition: no operation looks
//! ahead ([`crate::retime`] sees to it in a causal program); the first that does is named.

mod clocks;
mod mapped;
mod merge;
mod names;
mod one;
mod prefill;
mod present;
mod resume;
mod rows;
mod settled;
mod walk;

pub(crate) use clocks::Clocks;
pub(crate) use names::{RUNNING, SUM, TICK};
pub use one::step;
pub use prefill::prefill;
pub use present::one_present;
pub(crate) use present::one_present_of;
pub use resume::resume;
pub use rows::earlier_rows;
pub(crate) use settled::is_settled;

use crate::words::{describe, written};
use crate::{DeriveError, Result};
use seqc_algebra::op::Num;
use seqc_algebra::{Axis, Builder, Elem, Func, Op, Size, Sym, Ty, ValueId};
use std::collections::{HashMap, HashSet};

/// The clock that is stepped.
fn clock() -> Axis {
    Axis::time()
}

/// The length of caches: as many positions as a generation may have.
pub fn cache() -> Sym {
    Sym::new("cache")
}

/// An axis of the clock's length under another name, such as `j` or `lag`.
pub(crate) fn is_clocklike(a: &Axis) -> bool {
    a.size == clock().size
}

/// What must be carried from step to step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Carry {
    /// The last `n` values of `of`, newest first, along `lag`.
    Recent { of: ValueId, lag: Axis },
    /// Every value of `of` so far, along the axis `along`.
    All {
        of: ValueId,
        along: Axis,
        order: Order,
    },
    /// The first value of `of`.
    First { of: ValueId },
    /// State `k` of a scan.
    State { scan: ValueId, k: usize },
}

/// How earlier values lie: a window and a convolution count back from the present, a renamed clock counts from the
/// start. One value may be read both ways along one axis (a kernel read off the input that it is convolved with).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Order {
    NewestFirst,
    OldestFirst,
}

/// Does a step of generation add up a convolution over all lags in quasilinear time?
pub fn is_online(func: &Func, conv: ValueId) -> bool {
    convolved_in(func, conv) == Order::OldestFirst
}

/// How the inputs of a convolution lie: from the start where one more position of it is an operation of its own,
/// which needs a kernel that is the same at every position, and real numbers.
fn convolved_in(func: &Func, conv: ValueId) -> Order {
    let (args, Op::Conv { lag, .. }) = (func.args(conv), func.op(conv)) else {
        return Order::NewestFirst;
    };
    let real = args.iter().all(|a| func.ty(*a).elem != Elem::Complex);
    match real && is_settled(func, args[0], *lag) {
        true => Order::OldestFirst,
        false => Order::NewestFirst,
    }
}

/// The axis of the present value and the `n` before it.
fn recent_axis(n: usize) -> Axis {
    Axis::new("lag%", n + 1)
}

/// A causal program and what it carries.
struct Plan<'a> {
    func: &'a Func,
    clocks: Clocks,
    carries: Vec<(String, Carry)>,
    /// For each scan, the values that are results of it.
    projections: HashMap<ValueId, Vec<ValueId>>,
}

/// Which operation looks ahead, for a diagnostic.
pub(crate) fn ahead(func: &Func, id: ValueId) -> DeriveError {
    let name = func
        .value(id)
        .name
        .map_or(String::new(), |n| format!(" in `{}`", written(n.as_str())));
    DeriveError(format!(
        "no step form: {}{name} reads later times",
        describe(func.op(id))
    ))
}

/// Earlier rows of a matrix are no state: with every step a row has one entry more.
fn keeps_its_size(func: &Func, of: ValueId) -> Result<()> {
    let fixed = |a: &&Axis| a.is_const() || **a == clock() || **a == Axis::batch();
    let Some(axis) = func.ty(of).axes.iter().find(|a| !fixed(a)) else {
        return Ok(());
    };
    let name = func.value(of).name.map_or("a matrix", |n| n.as_str());
    Err(DeriveError(format!(
        "no step form: an earlier row of `{}` is read, which had fewer entries along `{}`",
        written(name),
        crate::words::axis(*axis)
    )))
}

/// A state of a program's step, prefill and resume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// As an input and as a result: `state.NAME`.
    pub name: String,
    /// Its axes are in the order in which it lies wherever programs hand it on.
    pub ty: Ty,
    /// Has it a gradient? Indices, which are kept as numbers, have none.
    pub smooth: bool,
}

/// What a causal program carries from step to step, in the order of its operations.
pub fn states(func: &Func) -> Result<Vec<State>> {
    let plan = plan(func)?;
    let elem = |c: &Carry| match c {
        Carry::Recent { of, .. } | Carry::All { of, .. } | Carry::First { of } => func.ty(*of).elem,
        Carry::State { scan, k } => func.ty(func.args(*scan)[*k]).elem,
    };
    let state = |(k, (_, c)): (usize, &(String, Carry))| State {
        name: plan.state_name(k),
        ty: plan.carry_ty(c),
        smooth: elem(c) != Elem::Int,
    };
    Ok(plan.carries.iter().enumerate().map(state).collect())
}

fn plan(func: &Func) -> Result<Plan<'_>> {
    let (needed, clocks) = (needed(func), Clocks::of(func));
    let mut carries: Vec<Carry> = Vec::new();
    let t = clock();
    for id in func.ids().filter(|id| needed[id.index()]) {
        let arg = func.args(id).first().copied();
        match (func.op(id), arg) {
            (Op::Shift { axis, by }, Some(of)) if *axis == t => {
                if *by < 0 {
                    return Err(ahead(func, id));
                }
                keeps_its_size(func, of)?;
                carries.push(Carry::Recent {
                    of,
                    lag: recent_axis(usize::try_from(*by).unwrap_or(0)),
                });
            }
            (
                Op::Window {
                    axis,
                    lag,
                    ahead: false,
                },
                Some(of),
            ) if *axis == t => {
                carries.push(if is_clocklike(lag) {
                    Carry::All {
                        of,
                        along: *lag,
                        order: Order::NewestFirst,
                    }
                } else {
                    keeps_its_size(func, of)?;
                    Carry::Recent { of, lag: *lag }
                });
            }
            (
                Op::Window {
                    axis, ahead: true, ..
                }
                | Op::Unwindow { axis, .. }
                | Op::Flip(axis),
                _,
            ) if *axis == t => {
                return Err(ahead(func, id));
            }
            (
                Op::Conv {
                    axis,
                    lag,
                    ahead: false,
                },
                _,
            ) if *axis == t => {
                carries.push(Carry::All {
                    of: func.args(id)[1],
                    along: *lag,
                    order: convolved_in(func, id),
                });
            }
            (Op::Conv { ahead: true, .. }, _) => return Err(ahead(func, id)),
            (Op::Rename { from, to }, Some(of)) if *from == t && clocks.is_earlier(to) => {
                carries.push(Carry::All {
                    of,
                    along: *to,
                    order: Order::OldestFirst,
                });
            }
            (Op::Patch { .. } | Op::Unpatch { .. }, _) => {
                return Err(DeriveError(
                    "no step form: a coarser clock was not brought to the clock of steps".into(),
                ));
            }
            (Op::Gather(axis), Some(of)) if *axis == t && reads_first(func, id) => {
                carries.push(Carry::First { of });
            }
            (Op::Scan(scan), _) if scan.axis == t => {
                if scan.reverse || scan.tile.is_some() {
                    return Err(ahead(func, id));
                }
                carries.extend((0..scan.states).map(|k| Carry::State { scan: id, k }));
            }
            (op, _) if moves_along(op, &|a| *a != t && clocks.is_present(a)) => {
                return Err(DeriveError(format!(
                    "no step form: {} runs along the rows of a matrix that meets others at the present step",
                    describe(op)
                )));
            }
            _ => {}
        }
    }
    // Several kernels may meet one sequence.
    let mut known = HashSet::new();
    carries.retain(|c| known.insert(c.clone()));
    let mut projections: HashMap<ValueId, Vec<ValueId>> = HashMap::new();
    for p in func.ids() {
        if let Op::Proj(_) = func.op(p) {
            projections.entry(func.args(p)[0]).or_default().push(p);
        }
    }
    Ok(Plan {
        projections,
        func,
        clocks,
        carries: names::named(func, carries),
    })
}

/// Does the operation take a value at one position from others, along an axis of these?
fn moves_along(op: &Op, these: &dyn Fn(&Axis) -> bool) -> bool {
    match op {
        Op::Flip(a) | Op::Gather(a) | Op::Shift { axis: a, .. } => these(a),
        Op::Window { axis, .. } | Op::Unwindow { axis, .. } | Op::Conv { axis, .. } => these(axis),
        Op::Scan(scan) => these(&scan.axis),
        _ => false,
    }
}

/// Is it a read of the first position?
pub(crate) fn reads_first(func: &Func, gather: ValueId) -> bool {
    let index = func.args(gather).get(1);
    matches!(func.op(gather), Op::Gather(_))
        && index.is_some_and(|i| matches!(func.op(*i), Op::Const(Num(x)) if *x == 0.0))
}

/// What a step needs. A scan goes on from the state that it carries: what its states start from is past.
pub(crate) fn needed(func: &Func) -> Vec<bool> {
    let mut all = vec![false; func.values.len()];
    for (_, v) in &func.results {
        all[v.index()] = true;
    }
    for id in func.ids().rev() {
        if !all[id.index()] {
            continue;
        }
        let starts = match func.op(id) {
            Op::Scan(scan) if scan.axis == clock() => scan.states,
            _ => 0,
        };
        for a in &func.args(id)[starts..] {
            all[a.index()] = true;
        }
    }
    all
}

/// The number of positions of a program over several.
fn length(b: &mut Builder) -> Result<ValueId> {
    Ok(b.push(Op::Length(clock().size), &[])?)
}

fn cached(a: &Axis) -> Axis {
    if is_clocklike(a) {
        Axis {
            name: a.name,
            size: Size::Len(cache()),
        }
    } else {
        *a
    }
}

impl Plan<'_> {
    /// Does the axis stand for the present in a step: the clock, or its renaming that is never summed over?
    fn is_present(&self, a: &Axis) -> bool {
        self.clocks.is_present(a)
    }

    /// The axes without the present; earlier positions along the cache.
    fn beside(&self, axes: &[Axis]) -> Vec<Axis> {
        let others = axes.iter().filter(|a| !self.is_present(a));
        others.map(cached).collect()
    }

    /// An axis of a program over several positions.
    fn along(&self, a: &Axis) -> Axis {
        if self.is_present(a) { *a } else { cached(a) }
    }

    fn all_along(&self, axes: &[Axis]) -> Vec<Axis> {
        axes.iter().map(|a| self.along(a)).collect()
    }

    fn carry_ty(&self, c: &Carry) -> Ty {
        match c {
            Carry::Recent { of, lag } => self.with(*of, Some(*lag)),
            Carry::All { of, along, .. } => self.with(*of, Some(cached(along))),
            Carry::First { of } => self.with(*of, None),
            Carry::State { scan, k } => {
                let ty = self.func.ty(self.func.args(*scan)[*k]);
                Ty {
                    elem: ty.elem,
                    axes: self.beside(&ty.axes),
                }
            }
        }
    }

    /// The type of a carried value, along a further axis or not.
    fn with(&self, of: ValueId, along: Option<Axis>) -> Ty {
        let mut axes = self.beside(&self.func.ty(of).axes);
        axes.extend(along);
        // Indices are kept as the numbers that they are.
        let complex = self.func.ty(of).elem == Elem::Complex;
        Ty {
            elem: if complex { Elem::Complex } else { Elem::Real },
            axes: seqc_algebra::shape::canonical(axes),
        }
    }

    fn find(&self, want: impl Fn(&Carry) -> bool) -> Result<usize> {
        self.carries
            .iter()
            .position(|(_, c)| want(c))
            .ok_or_else(|| DeriveError("a state was not planned".into()))
    }

    /// The last `n` values of a value, and the axis that they lie on.
    fn recent(&self, of: ValueId, n: usize) -> Result<(usize, Axis)> {
        let lag = recent_axis(n);
        let k =
            self.find(|c| matches!(c, Carry::Recent { of: o, lag: l } if *o == of && *l == lag))?;
        Ok((k, lag))
    }

    /// What is kept of a value along `axis`, every value or the last few.
    fn kept(&self, of: ValueId, axis: Axis, wanted: Order) -> Result<usize> {
        self.find(|c| match c {
            Carry::Recent { of: o, lag } => {
                *o == of && *lag == axis && wanted == Order::NewestFirst
            }
            Carry::All {
                of: o,
                along,
                order,
            } => *o == of && *along == axis && *order == wanted,
            Carry::First { .. } | Carry::State { .. } => false,
        })
    }

    fn first(&self, of: ValueId) -> Result<usize> {
        self.find(|c| matches!(c, Carry::First { of: o } if *o == of))
    }

    fn state(&self, id: ValueId, n: usize) -> Result<usize> {
        self.find(|c| matches!(c, Carry::State { scan, k } if *scan == id && *k == n))
    }

    /// The operation on other axes (`beside` or `along`); an error if it works along the present, `None` if
    /// nothing is left to do.
    fn relabel(
        &self,
        id: ValueId,
        op: Op,
        axes: &dyn Fn(&[Axis]) -> Vec<Axis>,
    ) -> Result<Option<Op>> {
        let summed = |over: &[Axis]| -> Result<Vec<Axis>> {
            if over.iter().any(|a| self.is_present(a)) {
                return Err(ahead(self.func, id));
            }
            Ok(over.iter().map(cached).collect())
        };
        Ok(Some(match op {
            Op::Contract(over) => Op::Contract(summed(&over)?),
            Op::Reduce(r, over) => Op::Reduce(r, summed(&over)?),
            Op::Softmax(a) => Op::Softmax(summed(&[a])?[0]),
            Op::LogSumExp(a) => Op::LogSumExp(summed(&[a])?[0]),
            Op::TopMask(a, n) => Op::TopMask(summed(&[a])?[0], n),
            Op::Gather(a) => Op::Gather(summed(&[a])?[0]),
            Op::Iota(a) => Op::Iota(summed(&[a])?[0]),
            Op::Expand(new) => match axes(&new) {
                kept if kept.is_empty() => return Ok(None),
                kept => Op::Expand(kept),
            },
            Op::Shift { axis, by } => Op::Shift {
                axis: self.along(&axis),
                by,
            },
            Op::Rename { from, to } => Op::Rename {
                from: self.along(&from),
                to: self.along(&to),
            },
            Op::Scan(scan) => Op::Scan(Box::new(self.mapped(id, &scan, axes)?)),
            other => other,
        }))
    }
}
