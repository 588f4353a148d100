//! Computing the stored values of a scope, in order: each by a nest, a matrix product, a solve or a scan.
//!
//! Invariant: when a value is lowered, every stored value it reads has a place. A state's next value is computed
//! as late as its users allow and in place of the old one if nothing reads the old one any more.

use super::LowerError;
use super::cell::{Cell, Result};
use super::choose::{is_product, is_result, roles};
use super::place::{Env, Place};
use crate::ir::{Binary, Expr, Ix, LoopKind, Stmt};
use seqc_algebra::{Axis, Func, MapFn, Op, ValueId};
use std::collections::{BTreeMap, BTreeSet};

/// Where a value is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub place: Place,
    /// Ranges of axes to be written, where not the whole extent.
    pub ranges: Vec<(Axis, Ix, Ix)>,
}

/// What a stored value reads.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// Stored values and formals, through inline ones.
    pub all: BTreeSet<ValueId>,
    /// Those that are read at other indices than the one computed, too.
    pub moved: BTreeSet<ValueId>,
}

impl<'a> Cell<'a> {
    /// Contractions and sums by an index that are added up by one stored sum, and that sum.
    pub fn fused(&self, scope: usize) -> BTreeMap<ValueId, ValueId> {
        let (func, root) = (self.scopes[scope].func, &self.scopes[scope].choice.root);
        let live = &self.scopes[scope].choice.live;
        let users = func.users();
        let mut fused = BTreeMap::new();
        if self.options.reference {
            return fused;
        }
        let adds = |id: ValueId| is_scatter(func, id) || is_product(func, id, false);
        for id in func.ids().filter(|id| live[id.index()] && adds(*id)) {
            let mut top = id;
            loop {
                let next = match users[top.index()].as_slice() {
                    [u] if !is_result(func, top)
                        && *func.op(*u) == Op::Map(MapFn::Add)
                        && func.ty(*u).same(func.ty(id)) =>
                    {
                        *u
                    }
                    _ => break,
                };
                top = next;
                if root[top.index()] {
                    fused.insert(id, top);
                    break;
                }
            }
        }
        fused
    }

    /// Stored values of a scope in an order of computation: `late` ones as late as possible.
    pub fn order(
        &self,
        scope: usize,
        late: &BTreeSet<ValueId>,
        fused: &BTreeMap<ValueId, ValueId>,
    ) -> Vec<ValueId> {
        let s = &self.scopes[scope];
        let wanted = |id: &ValueId| {
            let op = s.func.op(*id);
            s.choice.live[id.index()]
                && !s.formal.contains_key(id)
                && !s.place.contains_key(id)
                && !fused.contains_key(id)
                && (matches!(op, Op::Scan(_))
                    || s.choice.root[id.index()] && !matches!(op, Op::Proj(_)))
        };
        let mut left: Vec<ValueId> = s.func.ids().filter(wanted).collect();
        let mut order = Vec::new();
        // What a late value needs is needed by all that reads it; a value is ready if no other one left is below it.
        let below: BTreeMap<ValueId, BTreeSet<ValueId>> =
            left.iter().map(|v| (*v, self.below(scope, *v))).collect();
        while !left.is_empty() {
            let ready = |v: &&ValueId| left.iter().all(|w| w == *v || !below[*v].contains(w));
            let next = left
                .iter()
                .filter(ready)
                .find(|v| !late.contains(v))
                .or_else(|| left.iter().find(ready));
            let Some(next) = next.copied() else { break };
            left.retain(|v| *v != next);
            order.push(next);
        }
        order
    }

    /// All values under a value, itself excluded.
    fn below(&self, scope: usize, v: ValueId) -> BTreeSet<ValueId> {
        let func = self.scopes[scope].func;
        let mut seen = BTreeSet::new();
        let mut todo = func.args(v).to_vec();
        while let Some(x) = todo.pop() {
            if seen.insert(x) {
                todo.extend(func.args(x));
            }
        }
        seen
    }

    pub fn reads(&self, scope: usize, v: ValueId, fused: &BTreeMap<ValueId, ValueId>) -> Reads {
        let s = &self.scopes[scope];
        let mut reads = Reads::default();
        let mut todo = vec![(v, true)];
        let mut seen = BTreeSet::new();
        while let Some((x, still_here)) = todo.pop() {
            let here = still_here
                && (matches!(s.func.op(x), Op::Map(_))
                    || matches!(s.func.op(x), Op::Contract(o) if o.is_empty()));
            for a in s.func.args(x) {
                if !seen.insert((*a, here)) {
                    continue;
                }
                let kept = matches!(s.func.op(*a), Op::Input(_) | Op::Proj(_))
                    || s.choice.root[a.index()] && !fused.contains_key(a);
                if kept {
                    reads.all.insert(*a);
                    if !here {
                        reads.moved.insert(*a);
                    }
                } else {
                    todo.push((*a, here));
                }
            }
        }
        reads
    }

    /// Computes a stored value into its target, or into new scratch, and remembers where it is.
    pub fn lower_root(
        &mut self,
        scope: usize,
        v: ValueId,
        target: Option<Target>,
        fused: &BTreeMap<ValueId, ValueId>,
    ) -> Result<()> {
        let func = self.scopes[scope].func;
        let level = self.home(scope, v);
        let name = func.value(v).name.map_or("v", |n| n.as_str());
        let target = match target {
            Some(t) => t,
            None => {
                let axes = self.layout(scope, v);
                Target {
                    place: self.local(name, &axes)?,
                    ranges: vec![],
                }
            }
        };
        let place = target.place.clone();
        self.at_level(level, |c| c.compute_into(scope, v, &target, fused))?;
        self.scopes[scope].place.insert(v, place);
        Ok(())
    }

    /// Axes of a value that loops of this cell visit, the lane axis last.
    pub fn layout(&self, scope: usize, v: ValueId) -> Vec<Axis> {
        let func = self.scopes[scope].func;
        let mut axes: Vec<Axis> = func
            .ty(v)
            .axes
            .iter()
            .copied()
            .filter(|a| !self.ambient.contains_key(a))
            .collect();
        let Some(r) = roles(func, v).filter(|_| is_product(func, v, false)) else {
            return axes;
        };
        let contiguous = |x: &Axis| {
            let factor = func.args(v)[usize::from(r.cols.contains(x))];
            let views = self.views(scope, factor);
            !r.both.contains(x)
                && (views.is_empty() && axes.last() == Some(x)
                    || views.iter().any(|p| p.step(*x) == Some(1)))
        };
        let free = |x: &&Axis| !r.both.contains(x) && self.room(**x).is_some_and(|n| n >= 4);
        let best = axes
            .iter()
            .rev()
            .find(|x| free(x) && contiguous(x))
            .or_else(|| axes.iter().rev().find(free));
        if let Some(best) = best.copied() {
            axes.retain(|a| *a != best);
            axes.push(best);
        }
        axes
    }

    fn compute_into(
        &mut self,
        scope: usize,
        v: ValueId,
        target: &Target,
        fused: &BTreeMap<ValueId, ValueId>,
    ) -> Result<()> {
        let func = self.scopes[scope].func;
        let whole = target.ranges.is_empty();
        match func.op(v) {
            Op::Solve {
                row,
                col,
                transpose,
            } => self.solve(scope, v, target, *row, *col, *transpose),
            Op::Contract(_)
                if whole
                    && !self.options.reference
                    && is_product(func, v, false)
                    && self.atoms_fit(&target.place) =>
            {
                match self.matmul(scope, v, &target.place, false)? {
                    true => Ok(()),
                    false => self.pointwise(scope, v, target),
                }
            }
            Op::ScatterAdd { .. } if !self.options.reference => {
                self.scatter(scope, v, &target.place, &target.ranges, false)
            }
            Op::Map(MapFn::Add) if whole && fused.values().any(|u| *u == v) => {
                self.sum_of_products(scope, v, target, fused)
            }
            _ => self.pointwise(scope, v, target),
        }
    }

    /// An atom writes whole extents; in a global place every row must be inside.
    fn atoms_fit(&self, place: &Place) -> bool {
        super::contract::is_own(place)
            || place.strides.iter().all(|(a, _)| {
                self.parts
                    .get(a)
                    .is_none_or(|p| p.valid.known() == Some(p.size as i64))
            })
    }

    pub fn pointwise(&mut self, scope: usize, v: ValueId, target: &Target) -> Result<()> {
        let axes: Vec<Axis> = target.place.strides.iter().map(|(a, _)| *a).collect();
        self.nest(
            &target.place,
            &axes,
            &target.ranges,
            &Env::default(),
            &mut |c, env| c.compute(scope, v, env),
        )
    }

    /// `v = x + y + … + products`: the plain terms first, then each product is accumulated.
    fn sum_of_products(
        &mut self,
        scope: usize,
        v: ValueId,
        target: &Target,
        fused: &BTreeMap<ValueId, ValueId>,
    ) -> Result<()> {
        let func = self.scopes[scope].func;
        let (mut plain, mut products) = (vec![], vec![]);
        let mut todo = vec![v];
        while let Some(x) = todo.pop() {
            for a in func.args(x) {
                if fused.get(a) == Some(&v) {
                    products.push(*a);
                } else if fused
                    .iter()
                    .any(|(c, u)| *u == v && self.below(scope, *a).contains(c))
                    && !self.scopes[scope].choice.root[a.index()]
                {
                    todo.push(*a);
                } else {
                    plain.push(*a);
                }
            }
        }
        // The operands must be ready before the result is begun: copying them may not come in between.
        let mut started = false;
        let here = |x: &ValueId| self.stored(scope, *x).is_some_and(|p| p == target.place);
        if let [x] = &plain[..]
            && here(x)
        {
            started = true;
        } else if !plain.is_empty() {
            let axes: Vec<Axis> = target.place.strides.iter().map(|(a, _)| *a).collect();
            self.nest(&target.place, &axes, &[], &Env::default(), &mut |c, env| {
                let mut sum: Option<Expr> = None;
                for x in plain.iter().rev() {
                    let x = c.elem(scope, *x, env)?;
                    sum = Some(match sum {
                        None => x,
                        Some(s) => s.binary(Binary::Add, x),
                    });
                }
                sum.ok_or_else(|| LowerError::new("an empty sum"))
            })?;
            started = true;
        }
        for p in products {
            if is_scatter(func, p) {
                self.scatter(scope, p, &target.place, &[], started)?;
            } else if !self.matmul(scope, p, &target.place, started)? {
                let axes: Vec<Axis> = target.place.strides.iter().map(|(a, _)| *a).collect();
                let place = target.place.clone();
                self.nest(&target.place, &axes, &[], &Env::default(), &mut |c, env| {
                    let x = c.compute(scope, p, env)?;
                    match started {
                        true => Ok(c.load(&place, env)?.binary(Binary::Add, x)),
                        false => Ok(x),
                    }
                })?;
            }
            started = true;
        }
        Ok(())
    }

    /// Forward or backward substitution: rows in order, other axes in lanes.
    fn solve(
        &mut self,
        scope: usize,
        v: ValueId,
        target: &Target,
        row: Axis,
        col: Axis,
        transpose: bool,
    ) -> Result<()> {
        let func = self.scopes[scope].func;
        let (l, r) = (func.args(v)[0], func.args(v)[1]);
        let place = target.place.clone();
        let n = self.size(row)?;
        let (at, k) = (self.var(), self.var());
        let axes: Vec<Axis> = place
            .strides
            .iter()
            .map(|(a, _)| *a)
            .filter(|a| *a != row)
            .collect();
        self.open();
        let made = self.nest(
            &place,
            &axes,
            &target.ranges,
            &Env(vec![(row, Ix::Var(at))]),
            &mut |c, env| {
                let right = c.elem(scope, r, env)?;
                let known = c.load(&place, &env.with(row, Ix::Var(k)))?;
                let (lo, hi, mut inner) = (Ix::Const(0), Ix::Var(at), env.clone());
                let (lo, hi) = if transpose {
                    inner.set(row, Ix::Var(k));
                    inner.set(col, Ix::Var(at));
                    (Ix::Var(at) + 1, n.clone())
                } else {
                    inner.set(col, Ix::Var(k));
                    (lo, hi)
                };
                let factor = c.elem(scope, l, &inner)?;
                Ok(right - Expr::sum(k, lo, hi, 1, factor * known))
            },
        );
        let body = self.close();
        made?;
        let mut rows = Stmt::for_(LoopKind::Seq, at, Ix::Const(0), n, body);
        if transpose {
            rows = rows.reversed();
        }
        self.emit(rows);
        Ok(())
    }
}

fn is_scatter(func: &Func, v: ValueId) -> bool {
    matches!(func.op(v), Op::ScatterAdd { .. })
}

/// Do two programs' values come from the same operation? Used to name kernels.
pub(crate) fn label(func: &Func, v: ValueId) -> String {
    match func.value(v).name {
        Some(n) => n
            .as_str()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect(),
        None => format!("v{}", v.0),
    }
}
