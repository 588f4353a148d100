//! Law: a convolution whose kernel is a sum of exponentials of the lag is a time-invariant recurrence,
//! ```text
//! y[t] = Σ_lag (Σ_n c_n exp(r_n lag)) x[t - lag]     is     S[t] = exp(r) S[t-1] + x[t],   y = Σ_n c_n S
//! ```
//! so that a step of generation needs a state of constant size (derivation calculus §2.6).
//!
//! Side condition: the kernel is a sum of terms that depend on the lag through `exp` of what is linear in it, or
//! through a power `a ^ (c + s lag)`, with rates and coefficients that depend neither on the lag nor on the length of
//! the sequence; the convolution does not look ahead. Products, sums over axes, quotients by one such term, parts of
//! complex numbers, `cos` and `sin` of what is linear in the lag, and a start `where lag >= n` stay in the class
//! ([`expand`]); exponents are compared as polynomials in the lag ([`lag`]), however they are written. A factor that
//! is itself a polynomial in the lag, and a domain that ends, are not in it.
//!
//! Numbers: the state takes `S + (exp(r) - 1) S` with the difference formed from the spec's exponent (`expm1`, and its
//! like for complex numbers). A rounded `exp(r)` near 1 would be wrong by as much in every step, and by T times as
//! much after T.

mod expand;
mod lag;
mod modes;
mod powers;
mod recurrence;

pub use powers::kernels_as_powers;

use crate::Result;
use crate::report::equation_of;
use crate::rewrite::map_values;
use modes::{Mode, Modes};
pub(crate) use recurrence::total;
use recurrence::{convolved, state_of};
use seqc_algebra::shape::ShapeError;
use seqc_algebra::{Axis, Builder, Func, Op, Ty, ValueId};
use std::collections::{HashMap, HashSet};

/// What keeps a kernel from being a sum of exponentials, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    pub at: Option<ValueId>,
    pub why: String,
}

type Found<T> = std::result::Result<T, Obstacle>;

impl Obstacle {
    fn new(why: String) -> Obstacle {
        Obstacle { at: None, why }
    }

    fn at(at: ValueId, why: String) -> Obstacle {
        Obstacle { at: Some(at), why }
    }

    fn or_at(mut self, at: ValueId) -> Obstacle {
        self.at.get_or_insert(at);
        self
    }

    /// The same as seen from a larger expression.
    fn inside(mut self, of: &str) -> Obstacle {
        self.why = format!("in {of}, {}", self.why);
        self
    }
}

impl From<ShapeError> for Obstacle {
    fn from(e: ShapeError) -> Obstacle {
        Obstacle::new(format!("its terms do not fit together: {e}"))
    }
}

/// Operations that move entries along other axes than the lag's: which axes they need, and which they make.
fn moves(op: &Op, lag: Axis) -> Option<(Vec<Axis>, Vec<Axis>)> {
    let (needs, fresh) = match op {
        Op::Pick { axis, .. } | Op::Flip(axis) | Op::Shift { axis, .. } => (vec![*axis], vec![]),
        Op::Split { axis, into } => (vec![*axis], into.clone()),
        Op::Merge { axes, into } => (axes.clone(), vec![*into]),
        Op::Place { axis, .. } => (vec![], vec![*axis]),
        _ => return None,
    };
    (!needs.contains(&lag)).then_some((needs, fresh))
}

/// Rewrites every convolution with such a kernel into recurrences.
pub fn exponential_kernels(func: &Func) -> Result<Func> {
    map_values(func, |b, func, id, args| {
        let Op::Conv {
            axis,
            lag,
            ahead: false,
        } = func.op(id)
        else {
            return Ok(None);
        };
        let Ok(all) = modes(b, args[0], *lag) else {
            return Ok(None);
        };
        Ok(Some(convolved(b, &all, args[1], *axis, func.ty(id))?))
    })
}

/// The states that a convolution has as a recurrence, without the batch; or what keeps it from being one, with a
/// value of `func` that says it.
pub fn states(func: &Func, conv: ValueId) -> std::result::Result<Vec<Ty>, Obstacle> {
    let Op::Conv { axis, lag, .. } = func.op(conv) else {
        return Err(Obstacle::new("it is no convolution".into()));
    };
    let mut b = Builder::new(&func.name);
    let image = b.inline(func, &HashMap::new())?;
    let of = |v: ValueId| image[v.index()].ok_or_else(|| Obstacle::new("it is not used".into()));
    let (f, x) = (of(func.args(conv)[0])?, of(func.args(conv)[1])?);
    let back = |o: Obstacle| Obstacle {
        at: (o.at).and_then(|at| func.ids().find(|id| image[id.index()] == Some(at))),
        ..o
    };
    let all = modes(&mut b, f, *lag).map_err(back)?;
    let mut tys = vec![];
    for m in all {
        let axes = b.axes(x).to_vec();
        let m = Modes::new(&mut b).cleared(&m, &axes).map_err(back)?;
        let mut ty = state_of(&b, &m, x, *axis);
        ty.axes.retain(|a| *a != Axis::batch());
        tys.push(ty);
    }
    Ok(tys)
}

/// The equation of the spec that an obstacle speaks of.
pub fn place(func: &Func, o: &Obstacle) -> Option<String> {
    o.at.and_then(|at| equation_of(func, at))
}

/// A kernel's modes. All they are made of stays the same from step to step.
fn modes(b: &mut Builder, kernel: ValueId, lag: Axis) -> Found<Vec<Mode>> {
    if paths(b.func(), kernel, lag, &mut HashMap::new()) > MOST_PATHS {
        return Err(Obstacle::new(format!(
            "its weights are made of their lags in more than {MOST_PATHS} ways"
        )));
    }
    let all = Modes::new(b).of(kernel, lag)?;
    for m in &all {
        let pieces = [Some(m.coef), m.start, m.rate, m.base];
        for v in pieces.into_iter().flatten() {
            if let Some(at) = unsteady(b.func(), v, lag) {
                return Err(Obstacle::at(
                    at,
                    "a value that changes with the length of the sequence".into(),
                ));
            }
        }
    }
    Ok(all)
}

/// The normal form follows every way from a kernel to its lags; more than this many are not followed.
const MOST_PATHS: usize = 4096;

/// The ways from a value to its lags: twice as many with every `f + f`.
fn paths(func: &Func, v: ValueId, lag: Axis, known: &mut HashMap<(ValueId, Axis), usize>) -> usize {
    if !func.ty(v).has(lag) {
        return 0;
    }
    if let Some(n) = known.get(&(v, lag)) {
        return *n;
    }
    let below = match func.op(v) {
        Op::Rename { from, to } if *to == lag => *from,
        _ => lag,
    };
    let args = func.args(v).iter();
    let n = args.fold(0usize, |n, a| {
        n.saturating_add(paths(func, *a, below, known))
    });
    known.insert((v, lag), n.max(1));
    n.max(1)
}

/// What a value has in it that is another one when the sequence is longer.
fn unsteady(func: &Func, v: ValueId, lag: Axis) -> Option<ValueId> {
    let mut next = vec![v];
    let mut seen = HashSet::new();
    while let Some(v) = next.pop() {
        if !seen.insert(v) {
            continue;
        }
        let length = matches!(func.op(v), Op::Length(size) if *size == lag.size);
        if length || func.ty(v).axes.iter().any(|a| a.size == lag.size) {
            return Some(v);
        }
        if !crate::step::reads_first(func, v) {
            next.extend(func.args(v));
        }
    }
    None
}
