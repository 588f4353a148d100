//! Law: an axis of the clock's length that stands for the present is the clock.
//!
//! The rows `i` of a matrix are steps: once its columns are summed away, what is made of rows is read at `t`. So each value is
//! made under the names that its users want its axes to have: results lie along `t`; what is summed over keeps a name of its
//! own; a renaming only says what its argument is wanted as. A value that is wanted under several names (rows here,
//! columns there) is made once for each. What runs along the clock (an input, a recurrence, a shift) is made along `t` and renamed
//! afterwards, if a column of it is wanted.
//!
//! What stands for the present is called `t` then, and everything along it is stepped like anything along the clock. Side
//! condition: no value would lie along the present twice.

use super::clock;
use crate::rewrite::on_other_axes;
use crate::{DeriveError, Result};
use seqc_algebra::{Axis, Builder, Func, Op, Scan, Sym, ValueId};
use std::collections::{BTreeMap, BTreeSet};

/// What the axes of the clock's length of a value are called: own name, wanted name. Sorted by the first.
type Names = Vec<(Axis, Axis)>;

/// The program with one name for the present.
pub fn one_present(func: &Func) -> Result<Func> {
    one_present_of(func, clock())
}

/// The same of any clock.
pub(crate) fn one_present_of(func: &Func, clock: Axis) -> Result<Func> {
    let other = |a: &Axis| a.size == clock.size && *a != clock;
    let named = |v: &seqc_algebra::Value| match &v.op {
        Op::Scan(scan) => other(&scan.axis),
        _ => v.ty.axes.iter().any(other),
    };
    match func.values.iter().any(named) {
        true => Present::new(func, clock).program(),
        false => Ok(func.clone()),
    }
}

/// What is wanted of each value, and what has been made.
struct Present<'a> {
    func: &'a Func,
    clock: Axis,
    wanted: Vec<BTreeSet<Names>>,
    made: BTreeMap<(ValueId, Names), ValueId>,
    b: Builder,
}

/// How a value is made under some names.
struct Way {
    /// Under these names first, then renamed to the wanted ones.
    first: Names,
    /// Wanted of each argument.
    args: Vec<Names>,
}

impl<'a> Present<'a> {
    fn new(func: &'a Func, clock: Axis) -> Present<'a> {
        Present {
            func,
            clock,
            wanted: vec![BTreeSet::new(); func.values.len()],
            made: BTreeMap::new(),
            b: Builder::new(&func.name),
        }
    }

    fn program(mut self) -> Result<Func> {
        for (_, v) in &self.func.results {
            let same = self.same(*v);
            self.wanted[v.index()].insert(same);
        }
        for id in self.func.ids().rev() {
            for names in self.wanted[id.index()].clone() {
                let way = self.way(id, &names)?;
                for (a, wanted) in self.func.args(id).iter().zip(way.args) {
                    self.wanted[a.index()].insert(wanted);
                }
            }
        }
        for p in &self.func.params {
            let v = self.b.copy(self.func.value(*p), &[])?;
            self.made.insert((*p, self.same(*p)), v);
        }
        for id in self.func.ids() {
            for names in std::mem::take(&mut self.wanted[id.index()]) {
                self.make(id, names)?;
            }
        }
        for (name, v) in &self.func.results {
            let v = self.image(*v, &self.same(*v))?;
            self.b.result(name, v);
        }
        Ok(self.b.finish())
    }

    fn image(&self, v: ValueId, names: &Names) -> Result<ValueId> {
        let made = self.made.get(&(v, names.clone()));
        made.copied()
            .ok_or_else(|| DeriveError("a value was lost while the present got one name".into()))
    }

    fn times(&self, a: &Axis) -> bool {
        a.size == self.clock.size
    }

    /// The axes of the clock's length of a value; of a loop, those that it gives out.
    fn long(&self, v: ValueId) -> Vec<Axis> {
        let own = match self.func.op(v) {
            Op::Scan(scan) => {
                let args = self
                    .func
                    .args(v)
                    .iter()
                    .flat_map(|a| &self.func.ty(*a).axes);
                let mut all: Vec<Axis> = args.copied().collect();
                all.extend(mentioned(&scan.body));
                all.push(scan.axis);
                all
            }
            _ => self.func.ty(v).axes.clone(),
        };
        let own: BTreeSet<Axis> = own.into_iter().filter(|a| self.times(a)).collect();
        own.into_iter().collect()
    }

    /// Every axis under its own name.
    fn same(&self, v: ValueId) -> Names {
        self.long(v).into_iter().map(|a| (a, a)).collect()
    }

    /// How a value is made under the wanted names.
    fn way(&self, id: ValueId, names: &Names) -> Result<Way> {
        let first = self.first(id, names);
        let args = self.func.args(id).iter().enumerate();
        let args = args.map(|(n, a)| self.of_argument(id, n, *a, &first));
        let args: Vec<Names> = args.collect();
        let twice = |names: &Names| {
            let wanted: BTreeSet<Axis> = names.iter().map(|(_, w)| *w).collect();
            wanted.len() < names.len()
        };
        if twice(&first) || args.iter().any(twice) {
            let name = self.func.value(id).name;
            let name = name.map_or(String::new(), |n| format!(" in `{n}`"));
            return Err(DeriveError(format!(
                "no step form: {}{name} meets the present step twice",
                crate::words::describe(self.func.op(id))
            )));
        }
        Ok(Way { first, args })
    }

    /// The names under which it is made: what runs along the clock, or along rows, does so along the present.
    fn first(&self, id: ValueId, names: &Names) -> Names {
        let along = match self.func.op(id) {
            Op::Input(_) => return self.same(id),
            Op::Patch { ticks: axis, .. } | Op::Unpatch { axis, .. } if *axis == self.clock => {
                *axis
            }
            // Along columns they go as they are.
            Op::Shift { axis, .. }
            | Op::Window { axis, .. }
            | Op::Unwindow { axis, .. }
            | Op::Conv { axis, .. }
            | Op::Flip(axis)
                if *axis == self.clock =>
            {
                *axis
            }
            Op::Scan(scan) => scan.axis,
            Op::Proj(_) => match self.func.op(self.func.args(id)[0]) {
                Op::Scan(scan) => scan.axis,
                _ => return names.clone(),
            },
            _ => return names.clone(),
        };
        let moved = |(a, w): &(Axis, Axis)| *a == along && *w != self.clock;
        if !names.iter().any(moved) || !self.times(&along) {
            return names.clone();
        }
        let own = |(a, _): &(Axis, Axis)| (*a, if *a == along { self.clock } else { *a });
        names.iter().map(own).collect()
    }

    /// What is wanted of argument `n`.
    fn of_argument(&self, id: ValueId, n: usize, arg: ValueId, names: &Names) -> Names {
        let op = self.func.op(id);
        let wanted = |a: Axis| names.iter().find(|(own, _)| *own == a).map(|(_, w)| *w);
        let one = |a: Axis| match op {
            Op::Rename { from, to } if a == *from => {
                let to = wanted(*to).unwrap_or(a);
                // A column is what is known at each step, renamed, where nothing else is the present.
                let present = |b: &Axis| *b != *from && wanted(*b) == Some(self.clock);
                match *from == self.clock && !self.long(arg).iter().any(present) {
                    true => self.clock,
                    false => to,
                }
            }
            Op::Gather(axis) if n == 0 && a == *axis => a,
            // What only a loop's last states are wanted of runs along the present too.
            Op::Proj(_) if wanted(a).is_none() && self.runs_along(arg, a) => self.clock,
            _ => wanted(a).unwrap_or_else(|| self.summed(id, a, names)),
        };
        self.long(arg).into_iter().map(|a| (a, one(a))).collect()
    }

    fn runs_along(&self, scan: ValueId, a: Axis) -> bool {
        matches!(self.func.op(scan), Op::Scan(s) if s.axis == a)
    }

    /// What an axis is called that ends in an operation: its own name, if that is not wanted for another.
    fn summed(&self, id: ValueId, a: Axis, names: &Names) -> Axis {
        let args = self.func.args(id).iter().flat_map(|v| self.long(*v));
        let taken: BTreeSet<Axis> = (names.iter().map(|(_, w)| *w))
            .chain(args.filter(|o| *o != a && !names.iter().any(|(own, _)| own == o)))
            .collect();
        let mut own = a;
        while taken.contains(&own) {
            own.name = Sym::new(&format!("{}%", own.name));
        }
        own
    }

    fn make(&mut self, id: ValueId, names: Names) -> Result<()> {
        if self.made.contains_key(&(id, names.clone())) {
            return Ok(());
        }
        let Way { first, args } = self.way(id, &names)?;
        let v = match self.made.get(&(id, first.clone())) {
            Some(v) => *v,
            None => self.operation(id, &first, &args)?,
        };
        if let (Some(name), false) = (
            self.func.value(id).name,
            matches!(self.func.op(id), Op::Scan(_)),
        ) {
            self.b.name(v, name.as_str());
        }
        self.made.insert((id, first.clone()), v);
        let v = self.renamed(v, &first, &names)?;
        self.made.insert((id, names), v);
        Ok(())
    }

    /// From some names to others, by names between where one stands in another's way.
    fn renamed(&mut self, mut v: ValueId, from: &Names, to: &Names) -> Result<ValueId> {
        let moves: Vec<(Axis, Axis)> = (from.iter().zip(to))
            .map(|((_, x), (_, y))| (*x, *y))
            .filter(|(x, y)| x != y)
            .collect();
        let between = |x: &Axis| Axis {
            name: Sym::new(&format!("{}%between", x.name)),
            size: x.size,
        };
        let crossing = moves.iter().any(|(_, y)| moves.iter().any(|(x, _)| x == y));
        if crossing {
            for (x, _) in &moves {
                v = self.b.rename(v, *x, between(x))?;
            }
        }
        for (x, y) in &moves {
            let x = if crossing { between(x) } else { *x };
            v = self.b.rename(v, x, *y)?;
        }
        Ok(v)
    }

    /// The operation on its arguments, under the names.
    fn operation(&mut self, id: ValueId, names: &Names, wanted: &[Names]) -> Result<ValueId> {
        let args = self.func.args(id).iter().zip(wanted);
        let args = args.map(|(a, w)| self.image(*a, w));
        let args = args.collect::<Result<Vec<_>>>()?;
        let find = |all: &Names, a: Axis| all.iter().find(|(o, _)| *o == a).map(|(_, w)| *w);
        let own = |a: Axis| find(names, a).unwrap_or(a);
        let of_args = |a: Axis| wanted.iter().find_map(|w| find(w, a)).unwrap_or(a);
        match renamed(self.func.op(id), &of_args, &own)? {
            Some(op) => Ok(self.b.push(op, &args)?),
            None => Ok(args[0]),
        }
    }
}

/// The axes of all values of a program, loops' included.
fn mentioned(func: &Func) -> Vec<Axis> {
    let mut all: Vec<Axis> = func.values.iter().flat_map(|v| v.ty.axes.clone()).collect();
    for v in &func.values {
        if let Op::Scan(scan) = &v.op {
            all.push(scan.axis);
            all.extend(mentioned(&scan.body));
        }
    }
    all
}

/// The operation on other axes: those of its arguments, and its own; none where it only gave an axis another name.
fn renamed(
    op: &Op,
    of_args: &dyn Fn(Axis) -> Axis,
    own: &dyn Fn(Axis) -> Axis,
) -> Result<Option<Op>> {
    let all = |axes: &[Axis]| axes.iter().map(|a| of_args(*a)).collect::<Vec<_>>();
    Ok(Some(match op {
        Op::Rename { from, to } => match (of_args(*from), own(*to)) {
            (from, to) if from == to => return Ok(None),
            (from, to) => Op::Rename { from, to },
        },
        Op::Iota(a) => Op::Iota(own(*a)),
        Op::Expand(new) => Op::Expand(new.iter().map(|a| own(*a)).collect()),
        Op::Flip(a) => Op::Flip(of_args(*a)),
        Op::Gather(a) => Op::Gather(of_args(*a)),
        Op::Shift { axis, by } => Op::Shift {
            axis: of_args(*axis),
            by: *by,
        },
        Op::Window { axis, lag, ahead } => Op::Window {
            axis: of_args(*axis),
            lag: own(*lag),
            ahead: *ahead,
        },
        Op::Conv { axis, lag, ahead } => Op::Conv {
            axis: of_args(*axis),
            lag: of_args(*lag),
            ahead: *ahead,
        },
        Op::Contract(over) => Op::Contract(all(over)),
        Op::Reduce(r, over) => Op::Reduce(*r, all(over)),
        Op::Softmax(a) => Op::Softmax(of_args(*a)),
        Op::LogSumExp(a) => Op::LogSumExp(of_args(*a)),
        Op::TopMask(a, k) => Op::TopMask(of_args(*a), *k),
        Op::Scan(scan) => Op::Scan(Box::new(Scan {
            axis: own(scan.axis),
            body: on_other_axes(
                &scan.body,
                &|axes| axes.iter().map(|a| own(*a)).collect(),
                &|op| renamed(op, own, own),
            )?,
            ..(**scan).clone()
        })),
        op => match mentions(op)
            .into_iter()
            .all(|a| of_args(a) == a && own(a) == a)
        {
            true => op.clone(),
            false => {
                return Err(DeriveError(format!(
                    "no step form: {} runs along the rows of a matrix",
                    crate::words::describe(op)
                )));
            }
        },
    }))
}

/// The axes that any other operation names.
fn mentions(op: &Op) -> Vec<Axis> {
    match op {
        Op::Split { axis, into } => [&[*axis], &into[..]].concat(),
        Op::Merge { axes, into } => [&axes[..], &[*into]].concat(),
        Op::Patch { axis, ticks, .. } | Op::Unpatch { ticks, axis, .. } => vec![*axis, *ticks],
        Op::Pick { axis, .. } | Op::Place { axis, .. } => vec![*axis],
        Op::Unwindow { axis, lag, .. } => vec![*axis, *lag],
        Op::ScatterAdd { axis, over } => [&[*axis], &over[..]].concat(),
        Op::Solve { row, col, .. } => vec![*row, *col],
        Op::ConvKernel { axis, lag, .. } => vec![*axis, *lag],
        Op::Online(axis) | Op::Stack(axis) => vec![*axis],
        _ => vec![],
    }
}
