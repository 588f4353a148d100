//! Law: a matrix whose entries are a function of the difference of its two positions is a kernel:
//! ```text
//! Σ_j f(i - j) x_j    =    Σ_{lag >= 0} f(lag) x_{i - lag}  +  Σ_{lag >= 1} f(-lag) x_{i + lag}
//! ```
//! A side on which the entries vanish is left out. The entry may read tables at a function of the difference, such as
//! learned biases by lag or by bucket.
//!
//! Side condition: nothing but positions makes an entry vary with time, and no entry changes when both positions move
//! by one; what it multiplies has the column's time only.

use crate::Result;
use crate::rewrite::{Image, images, map_by_images};
use crate::stream::{Bounds, is_long, is_pair, long_axes};
use seqc_algebra::{Axis, Builder, Func, MapFn, Op, ReduceOp, Ty, ValueId};
use std::collections::HashMap;

/// Rewrites every sum over a time of such a matrix and values.
pub fn kernels(func: &Func) -> Result<Func> {
    let bounds = &Bounds::of(func);
    map_by_images(func, |b, id, image| match taken_apart((func, bounds), id) {
        Some(sum) => Ok(Some(convolved(b, (func, bounds), &sum, image)?)),
        None => Ok(None),
    })
}

/// A sum over one time of entries and what they multiply.
struct Sum {
    row: Axis,
    col: Axis,
    entries: Vec<ValueId>,
    /// What has the column's time; what lacks it.
    columns: Vec<ValueId>,
    others: Vec<ValueId>,
    /// Constant axes that are summed, too.
    over: Vec<Axis>,
    ty: Ty,
}

fn taken_apart((func, bounds): (&Func, &Bounds), id: ValueId) -> Option<Sum> {
    let over = match func.op(id) {
        Op::Contract(axes) | Op::Reduce(ReduceOp::Sum, axes) => axes,
        _ => return None,
    };
    let (long, rest): (Vec<Axis>, Vec<Axis>) = over.iter().partition(|a| is_long(a));
    let (&[col], &[row]) = (&long[..], &long_axes(func, id)[..]) else {
        return None;
    };
    let (entries, factors): (Vec<ValueId>, Vec<ValueId>) =
        func.args(id).iter().partition(|a| is_pair(func, **a));
    let (columns, others): (Vec<ValueId>, Vec<ValueId>) =
        factors.into_iter().partition(|a| func.ty(*a).has(col));
    let by_row = others.iter().any(|a| func.ty(*a).has(row));
    let fits = row.size == col.size
        && !entries.is_empty()
        && !columns.is_empty()
        && !rest.contains(&Axis::batch())
        && (rest.is_empty() || !by_row);
    let differences = || {
        entries
            .iter()
            .all(|e| Differences::new(func, bounds).of(*e, (row, col)))
    };
    (fits && differences()).then(|| Sum {
        row,
        col,
        entries,
        columns,
        others,
        over: rest,
        ty: func.ty(id).clone(),
    })
}

/// The two times of a matrix under the names that they have at a value.
type Times = (Axis, Axis);

fn under(op: &Op, (row, col): Times) -> Times {
    match *op {
        Op::Rename { from, to } if to == row => (from, col),
        Op::Rename { from, to } if to == col => (row, from),
        _ => (row, col),
    }
}

/// Which values are functions of the difference of two positions.
struct Differences<'a> {
    func: &'a Func,
    bounds: &'a Bounds,
    known: HashMap<(ValueId, Times), bool>,
}

impl<'a> Differences<'a> {
    fn new(func: &'a Func, bounds: &'a Bounds) -> Differences<'a> {
        Differences {
            func,
            bounds,
            known: HashMap::new(),
        }
    }

    fn of(&mut self, v: ValueId, times: Times) -> bool {
        // What the sequences of a batch differ in is data.
        if self.func.ty(v).has(Axis::batch()) {
            return false;
        }
        if long_axes(self.func, v).is_empty() {
            return true;
        }
        if let Some(known) = self.known.get(&(v, times)) {
            return *known;
        }
        let is = self.is_count(v, times) || self.is_comparison(v, times) || self.by_parts(v, times);
        self.known.insert((v, times), is);
        is
    }

    /// `c (i - j)` and constants.
    fn is_count(&self, v: ValueId, (row, col): Times) -> bool {
        (self.bounds.affine(v)).is_some_and(|a| a.of(row) == -a.of(col))
    }

    /// Of two positions that differ by such a number.
    fn is_comparison(&self, v: ValueId, (row, col): Times) -> bool {
        use MapFn::{Eq, Ge, Gt, Le, Lt, Ne};
        let args = self.func.args(v);
        let counts = |a: ValueId| self.bounds.affine(a).map(|a| a.of(row) + a.of(col));
        matches!(self.func.op(v), Op::Map(Eq | Ne | Lt | Le | Gt | Ge))
            && counts(args[0]).is_some_and(|c| counts(args[1]) == Some(c))
    }

    fn by_parts(&mut self, v: ValueId, times: Times) -> bool {
        let op = self.func.op(v);
        let pointwise = match op {
            Op::Map(_) | Op::Expand(_) => true,
            Op::Rename { from, to } => is_long(from) == is_long(to),
            Op::Contract(axes) | Op::Reduce(_, axes) => axes.iter().all(|a| a.is_const()),
            Op::Gather(a) | Op::Pick { axis: a, .. } | Op::Place { axis: a, .. } => a.is_const(),
            Op::Softmax(a) | Op::LogSumExp(a) => a.is_const(),
            Op::Split { axis, .. } => axis.is_const(),
            Op::Merge { into, .. } => into.is_const(),
            _ => false,
        };
        let times = under(op, times);
        pointwise && (self.func.args(v).iter()).all(|a| self.of(*a, times))
    }
}

/// The sum as one convolution, or one to each side.
fn convolved(
    b: &mut Builder,
    (func, bounds): (&Func, &Bounds),
    sum: &Sum,
    image: &Image<'_>,
) -> Result<ValueId> {
    let lag = sum.row.renamed("lag");
    let (x, clock) = on_clock(b, (sum.row, sum.col), images(&sum.columns, image)?)?;
    let x = b.contract(&[], &x)?;
    let others = images(&sum.others, image)?;
    let (by_row, others): (Vec<ValueId>, Vec<ValueId>) =
        others.into_iter().partition(|v| b.has(*v, sum.row));
    let mut total: Option<ValueId> = None;
    for ahead in [false, true] {
        if vanishes(bounds, sum, ahead) {
            continue;
        }
        let mut factors = Vec::new();
        for e in &sum.entries {
            let mut side = Side::new(func, lag, ahead, image);
            let f = side.value(b, *e, (sum.row, sum.col))?;
            factors.push(b.fill(f, &[lag])?);
        }
        if ahead {
            factors[0] = after_now(b, lag, factors[0])?;
        }
        let window = Op::Window {
            axis: clock,
            lag,
            ahead,
        };
        factors.push(b.push(window, &[x])?);
        factors.extend(&others);
        let over = [&[lag][..], &sum.over].concat();
        let part = b.contract(&over, &factors)?;
        total = Some(match total {
            None => part,
            Some(t) => b.add2(t, part)?,
        });
    }
    match total {
        Some(t) => {
            let y = b.rename(t, clock, sum.row)?;
            Ok(b.contract(&[], &[vec![y], by_row].concat())?)
        }
        None => Ok(b.everywhere(0.0, &sum.ty)?),
    }
}

/// The lag 0 belongs to the side before.
fn after_now(b: &mut Builder, lag: Axis, f: ValueId) -> Result<ValueId> {
    let (at, zero) = (b.iota(lag)?, b.num(0.0));
    let later = b.map2(MapFn::Gt, at, zero)?;
    Ok(b.select(later, f, zero)?)
}

/// Values with the column's time on the clock that they were read from, and that clock: it is stepped, an index is not.
pub(crate) fn on_clock(
    b: &mut Builder,
    (row, col): Times,
    mut columns: Vec<ValueId>,
) -> Result<(Vec<ValueId>, Axis)> {
    let read = |b: &Builder, v: ValueId| match *b.func().op(v) {
        Op::Rename { from, to } if to == col => Some((b.func().args(v)[0], from)),
        _ => None,
    };
    let clock = columns
        .iter()
        .find_map(|v| read(b, *v))
        .map_or(row, |r| r.1);
    for v in &mut columns {
        *v = match read(b, *v) {
            Some((x, from)) if from == clock => x,
            _ => b.rename(*v, col, clock)?,
        };
    }
    Ok((columns, clock))
}

/// Are all entries of a side 0? Of those before: at the column's time and earlier ones.
fn vanishes(bounds: &Bounds, sum: &Sum, ahead: bool) -> bool {
    let all = sum.entries.iter().flat_map(|e| bounds.zero_outside(*e));
    let mut sides = all
        .filter(|q| q.terms.len() == 2)
        .map(|q| (q.of(sum.row), q.of(sum.col), q.constant));
    sides.any(|side| match side {
        // `j - i + c <= 0` leaves nothing at j > i; `i - j + c <= 0` nothing at j <= i.
        (-1, 1, c) => ahead && c >= 0,
        (1, -1, c) => !ahead && c > 0,
        _ => false,
    })
}

/// Entries of one side: at row `lag` and column 0, or the other way round.
struct Side<'a> {
    func: &'a Func,
    lag: Axis,
    ahead: bool,
    image: &'a Image<'a>,
    made: HashMap<(ValueId, Times), ValueId>,
}

impl<'a> Side<'a> {
    fn new(func: &'a Func, lag: Axis, ahead: bool, image: &'a Image<'a>) -> Side<'a> {
        Side {
            func,
            lag,
            ahead,
            image,
            made: HashMap::new(),
        }
    }

    fn value(&mut self, b: &mut Builder, v: ValueId, times: Times) -> Result<ValueId> {
        if let Some(known) = self.made.get(&(v, times)) {
            return Ok(*known);
        }
        let made = self.made(b, v, times)?;
        if let Some(name) = self.func.value(v).name {
            b.name(made, name.as_str());
        }
        self.made.insert((v, times), made);
        Ok(made)
    }

    fn made(&mut self, b: &mut Builder, v: ValueId, (row, col): Times) -> Result<ValueId> {
        let op = self.func.op(v);
        if long_axes(self.func, v).is_empty() {
            return Ok(images(&[v], self.image)?[0]);
        }
        if let Op::Iota(a) = op {
            let counts = if self.ahead { *a == col } else { *a == row };
            return Ok(if counts {
                b.iota(self.lag)?
            } else {
                b.num(0.0)
            });
        }
        let inner = under(op, (row, col));
        let args = (self.func.args(v).iter())
            .map(|a| self.value(b, *a, inner))
            .collect::<Result<Vec<_>>>()?;
        let in_lags = |a: &Axis| if is_long(a) { self.lag } else { *a };
        match op {
            Op::Expand(axes) => {
                let mut axes: Vec<Axis> = axes.iter().map(in_lags).collect();
                axes.dedup();
                Ok(b.fill(args[0], &axes)?)
            }
            Op::Rename { from, .. } if is_long(from) => Ok(args[0]),
            op => Ok(b.push(op.clone(), &args)?),
        }
    }
}
