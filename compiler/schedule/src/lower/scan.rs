//! A scan inside a cell: states in scratch, a serial loop over steps or tiles, sequences read where they lie or
//! copied per tile, results stored for positions inside the sequence.

use super::LowerError;
use super::cell::{Along, Cell, Formal, Result};
use super::elem::as_ix;
use super::place::{Env, Place};
use super::root::Target;
use crate::ir::{Cmp, Expr, Ix, LoopKind, Stmt, Unary};
use seqc_algebra::{Axis, Op, Out, Scan, ValueId, shape};
use std::collections::{BTreeMap, BTreeSet};

/// The steps of a scan.
struct Steps {
    /// The step's number: the loop's or the grid's variable.
    at: Ix,
    /// Position of its first element, elements in it that are inside, and whether all always are.
    pos: Ix,
    valid: Ix,
    whole: bool,
    len: Ix,
    count: Ix,
    from: Ix,
    to: Ix,
}

impl<'a> Cell<'a> {
    /// Lowers a scan of `scope`. `outs[k]`: where its k-th result goes, as the scan's scope sees it (inside the
    /// cell's parts), if anywhere. `step`: the step's number when the grid shares the steps out.
    pub fn scan(
        &mut self,
        scope: usize,
        id: ValueId,
        outs: &[Option<Place>],
        step: Option<Ix>,
    ) -> Result<()> {
        let func = self.scopes[scope].func;
        let Op::Scan(scan) = func.op(id) else {
            return Err(LowerError::new("not a scan"));
        };
        let args = func.args(id);
        let steps = self.steps(scope, scan, args, step.clone())?;
        let inner = self.enter(&scan.body, scope);
        let body = &scan.body;
        self.bind(inner, scan, args, &steps);
        let states = self.start_states(inner, scope, scan, args, outs)?;
        self.mark_still(inner, scan);
        self.open();
        self.scopes[inner].level = self.blocks.len() - 1;
        let bounded = scan.lo || scan.hi;
        let visits_all = bounded
            && scan
                .outs
                .iter()
                .zip(outs)
                .any(|(o, p)| p.is_some() && !matches!(o, Out::Final(_)));
        for (o, place) in scan.outs.iter().zip(outs) {
            if let (Out::Enter(k), Some(place)) = (o, place) {
                let dest = place.clone().at(self.along(scan), steps.at.clone());
                self.copy_place(&states[*k], &dest)?;
            }
        }
        if visits_all {
            self.open();
            self.scopes[inner].level = self.blocks.len() - 1;
        }
        self.step(inner, scan, outs, &states, &steps)?;
        if visits_all {
            let then = self.close();
            self.open();
            for (o, place) in scan.outs.iter().zip(outs) {
                if let (Out::Emit(e), Some(place)) = (o, place) {
                    let t = self.emitted(scan, *e, place, &steps);
                    let axes: Vec<Axis> = t.place.strides.iter().map(|(a, _)| *a).collect();
                    self.nest(&t.place, &axes, &t.ranges, &Env::default(), &mut |_, _| {
                        Ok(Expr::num(0.0))
                    })?;
                }
            }
            let els = self.close();
            let inside = steps
                .at
                .clone()
                .cmp_with(Cmp::Ge, steps.from.clone())
                .and(steps.at.clone().cmp_with(Cmp::Lt, steps.to.clone()));
            // What is the same at every step was put before the `If`, inside the loop.
            self.emit(Stmt::If {
                cond: inside,
                then,
                els,
            });
        }
        let made = self.close();
        match (&step, &steps.at) {
            (None, Ix::Var(var)) => {
                let (lo, hi) = if visits_all {
                    (Ix::Const(0), steps.count.clone())
                } else {
                    (steps.from.clone(), steps.to.clone())
                };
                let mut all = Stmt::for_(LoopKind::Seq, *var, lo, hi, made);
                if scan.reverse {
                    all = all.reversed();
                }
                self.emit(all);
            }
            _ => made.into_iter().for_each(|s| self.emit(s)),
        }
        for (o, place) in scan.outs.iter().zip(outs) {
            if let (Out::Final(k), Some(place)) = (o, place)
                && states[*k] != *place
            {
                self.copy_place(&states[*k], place)?;
            }
        }
        let _ = body;
        Ok(())
    }

    fn along(&self, scan: &Scan) -> Axis {
        match scan.tile.and_then(|c| c.size.constant()) {
            Some(c) => shape::tiles(scan.axis, c),
            None => scan.axis,
        }
    }

    fn steps(
        &mut self,
        scope: usize,
        scan: &Scan,
        args: &[ValueId],
        step: Option<Ix>,
    ) -> Result<Steps> {
        let len = self.size(scan.axis)?;
        let tile = scan
            .tile
            .map_or(Some(1), |c| c.size.constant())
            .filter(|c| *c > 0)
            .ok_or_else(|| LowerError::new("a tile without a constant size"))?
            as i64;
        let count = if tile == 1 {
            len.clone()
        } else {
            len.clone().ceil_div(tile).simplify()
        };
        let at = match step {
            Some(ix) => ix,
            None => Ix::Var(self.var()),
        };
        let pos = (at.clone() * tile).simplify();
        let whole = tile == 1 || len.known().is_some_and(|n| n % tile == 0);
        let valid = if whole {
            Ix::Const(tile)
        } else {
            (len.clone() - pos.clone()).min_ix(tile)
        };
        let first = scan.states + scan.seqs.len() + scan.fixed;
        let (mut from, mut to) = (Ix::Const(0), count.clone());
        if scan.lo {
            let lo = self.bound(scope, args[first])?;
            from = lo.max_ix(0).floor_div(tile).min_ix(count.clone());
        }
        if scan.hi {
            let hi = self.bound(scope, args[first + usize::from(scan.lo)])?;
            to = hi.max_ix(0).ceil_div(tile).min_ix(count.clone());
        }
        Ok(Steps {
            at,
            pos,
            valid,
            whole,
            len,
            count,
            from: from.simplify(),
            to: to.simplify(),
        })
    }

    /// A scalar of the scope, rounded up to an index.
    fn bound(&mut self, scope: usize, v: ValueId) -> Result<Ix> {
        let x = self.elem(scope, v, &Env::default())?;
        Ok(match as_ix(&x) {
            Some(i) => i,
            None => Ix::data((-(-x).unary(Unary::Floor)) + Expr::num(0.0)),
        })
    }

    fn bind(&mut self, inner: usize, scan: &Scan, args: &[ValueId], steps: &Steps) {
        let parent = self.scopes[inner].parent.unwrap_or(0);
        let along = self.along(scan);
        for (k, param) in scan.body.params.iter().enumerate() {
            let formal = if k == 0 {
                Formal::Pos(steps.pos.clone())
            } else {
                let value = args[k - 1];
                let seq = k > scan.states && k <= scan.states + scan.seqs.len();
                let has = |a: Axis| self.scopes[parent].func.ty(value).has(a);
                let along = match scan.tile {
                    _ if !seq => Along::Same,
                    Some(tile) if has(scan.axis) => Along::Tile {
                        axis: scan.axis,
                        tile,
                        base: steps.pos.clone(),
                        len: steps.len.clone(),
                        fill: scan.seqs[k - 1 - scan.states].fill.0,
                        whole: steps.whole,
                    },
                    Some(_) => Along::Step {
                        axis: along,
                        at: steps.at.clone(),
                    },
                    None => Along::Step {
                        axis: scan.axis,
                        at: steps.at.clone(),
                    },
                };
                Formal::Outer { value, along }
            };
            if k == 0 || k > scan.states {
                self.scopes[inner].formal.insert(*param, formal);
            }
        }
    }

    /// Scratch for the states, filled with their starts.
    fn start_states(
        &mut self,
        inner: usize,
        scope: usize,
        scan: &Scan,
        args: &[ValueId],
        outs: &[Option<Place>],
    ) -> Result<Vec<Place>> {
        let mut states = Vec::new();
        for (k, start) in args[..scan.states].iter().enumerate() {
            let param = scan.body.params[k + 1];
            // The layout of the value that replaces it, so that it can be computed in place.
            let next = scan.body.results[k].1;
            let mut axes = self.layout(inner, next);
            if axes.len()
                != scan
                    .body
                    .ty(param)
                    .axes
                    .iter()
                    .filter(|a| !self.ambient.contains_key(a))
                    .count()
            {
                axes = self.layout(inner, param);
            }
            // A final state of run-time size that is wanted whole may live where it is wanted.
            let counted = axes.iter().all(|a| self.room(*a).is_some());
            let wanted = (scan.outs.iter().zip(outs))
                .find_map(|(o, p)| p.as_ref().filter(|_| !counted && *o == Out::Final(k)));
            let place = match wanted {
                Some(p) => p.clone(),
                None => self.local(&scan.body.results[k].0, &axes)?,
            };
            let loops: Vec<Axis> = place.strides.iter().map(|(a, _)| *a).collect();
            self.nest(&place, &loops, &[], &Env::default(), &mut |c, env| {
                let out = c.outward(inner, env);
                c.elem(scope, *start, &out)
            })?;
            self.scopes[inner].place.insert(param, place.clone());
            states.push(place);
        }
        Ok(states)
    }

    /// Values that depend on nothing that changes from step to step.
    fn mark_still(&mut self, inner: usize, scan: &Scan) {
        let body = &scan.body;
        let fixed = 1 + scan.states + scan.seqs.len();
        let mut still = vec![false; body.values.len()];
        for id in body.ids() {
            let param = body.params.iter().position(|p| *p == id);
            still[id.index()] = match param {
                Some(k) => k >= fixed,
                None => body.args(id).iter().all(|a| still[a.index()]),
            };
        }
        self.scopes[inner].still = still;
    }

    /// Where an emitted value goes in this step.
    fn emitted(&self, scan: &Scan, e: usize, place: &Place, steps: &Steps) -> Target {
        let v = scan.body.results[scan.states + e].1;
        match scan.tile {
            Some(c) if scan.body.ty(v).has(c) => {
                let place = place
                    .clone()
                    .from(scan.axis, steps.pos.clone())
                    .renamed(scan.axis, c);
                let ranges = if steps.whole {
                    vec![]
                } else {
                    vec![(c, Ix::Const(0), steps.valid.clone())]
                };
                Target { place, ranges }
            }
            _ => Target {
                place: place.clone().at(self.along(scan), steps.at.clone()),
                ranges: vec![],
            },
        }
    }

    /// One step: all stored values of the body, then results.
    fn step(
        &mut self,
        inner: usize,
        scan: &Scan,
        outs: &[Option<Place>],
        states: &[Place],
        steps: &Steps,
    ) -> Result<()> {
        let body = &scan.body;
        self.copy_tiles(inner, scan)?;
        let fused = self.fused(inner);
        let next: Vec<ValueId> = body.results[..scan.states].iter().map(|r| r.1).collect();
        let late: BTreeSet<ValueId> = next.iter().copied().collect();
        let order = self.order(inner, &late, &fused);
        let mut emits: BTreeMap<ValueId, Vec<Target>> = BTreeMap::new();
        for (o, place) in scan.outs.iter().zip(outs) {
            if let (Out::Emit(e), Some(place)) = (o, place) {
                let v = body.results[scan.states + e].1;
                let t = self.emitted(scan, *e, place, steps);
                emits.entry(v).or_default().push(t);
            }
        }
        let users = body.users();
        for (n, v) in order.iter().enumerate() {
            if matches!(body.op(*v), Op::Scan(_)) {
                self.inner_scan(inner, *v)?;
                continue;
            }
            let target = self
                .state_in_place(inner, *v, &order[n + 1..], &next, states, scan, &fused)
                .or_else(|| {
                    let t = emits.get(v).filter(|t| {
                        t.len() == 1 && users[v.index()].is_empty() && !late.contains(v)
                    })?[0]
                        .clone();
                    // Products of ragged tiles are made whole in scratch first.
                    let direct = t.ranges.is_empty()
                        || !super::choose::is_product(body, *v, false)
                            && !fused.values().any(|u| u == v);
                    direct.then_some(t)
                });
            let emitted = target.is_some() && emits.contains_key(v) && !late.contains(v);
            self.lower_root(inner, *v, target, &fused)?;
            if emitted {
                emits.remove(v);
            }
        }
        // Emitted values that were computed in scratch, or that are formals or free.
        for (v, targets) in emits {
            for t in targets {
                let axes: Vec<Axis> = t.place.strides.iter().map(|(a, _)| *a).collect();
                self.nest(
                    &t.place,
                    &axes,
                    &t.ranges,
                    &Env::default(),
                    &mut |c, env| c.elem(inner, v, env),
                )?;
            }
        }
        self.next_states(inner, &next, states)
    }

    /// Ragged tiles are copied, with their tail filled, so that nothing below tests bounds.
    fn copy_tiles(&mut self, inner: usize, scan: &Scan) -> Result<()> {
        let live = self.scopes[inner].choice.live.clone();
        for p in &scan.body.params {
            if live[p.index()]
                && let Some(Formal::Outer {
                    along: Along::Tile { whole: false, .. },
                    ..
                }) = self.scopes[inner].formal.get(p)
            {
                self.operand(inner, *p, &[], None)?;
            }
        }
        Ok(())
    }

    /// The state's own scratch as the target of its next value, if nothing computed later reads the old value.
    #[allow(clippy::too_many_arguments)]
    fn state_in_place(
        &self,
        inner: usize,
        v: ValueId,
        later: &[ValueId],
        next: &[ValueId],
        states: &[Place],
        scan: &Scan,
        fused: &BTreeMap<ValueId, ValueId>,
    ) -> Option<Target> {
        if self.options.reference || next.iter().filter(|n| **n == v).count() != 1 {
            return None;
        }
        let k = next.iter().position(|n| *n == v)?;
        let param = scan.body.params[k + 1];
        let reads = |w: &ValueId| self.reads(inner, *w, fused);
        let own = reads(&v);
        // A sum of products writes the plain terms first: the products may not read the old state either, which
        // `moved` says, and neither may a fold.
        let free = !own.moved.contains(&param)
            && later.iter().all(|w| !reads(w).all.contains(&param))
            && next.iter().all(|n| *n != param)
            && scan.outs.iter().all(|o| !matches!(o, Out::Emit(e) if self.emits_old(inner, scan.body.results[scan.states + e].1, param)));
        free.then(|| Target {
            place: states[k].clone(),
            ranges: vec![],
        })
    }

    /// Does an emitted value that is stored only at the end of the step read the state?
    fn emits_old(&self, inner: usize, v: ValueId, param: ValueId) -> bool {
        let s = &self.scopes[inner];
        v == param
            || !s.choice.root[v.index()]
                && self.reads(inner, v, &BTreeMap::new()).all.contains(&param)
    }

    /// Results of a scan in a body live in scratch.
    pub fn inner_scan(&mut self, scope: usize, id: ValueId) -> Result<()> {
        let func = self.scopes[scope].func;
        let Op::Scan(scan) = func.op(id) else {
            return Ok(());
        };
        let live = self.scopes[scope].choice.live.clone();
        let mut outs = vec![None; scan.outs.len()];
        for p in func
            .ids()
            .filter(|p| live[p.index()] && func.args(*p) == [id])
        {
            let Op::Proj(k) = func.op(p) else { continue };
            let axes = self.layout(scope, p);
            let name = func.value(p).name.map_or("out", |n| n.as_str());
            let place = self.local(name, &axes)?;
            outs[*k] = Some(place.clone());
            self.scopes[scope].place.insert(p, place);
        }
        let level = self.home(scope, id);
        self.at_level(level, |c| c.scan(scope, id, &outs, None))
    }

    fn next_states(&mut self, inner: usize, next: &[ValueId], states: &[Place]) -> Result<()> {
        // New values that are themselves old states would be overwritten by the copies: read them first.
        let mut copies = Vec::new();
        for (v, state) in next.iter().zip(states) {
            match self.stored(inner, *v) {
                Some(p) if p == *state => {}
                Some(p) if states.contains(&p) => {
                    let axes: Vec<Axis> = p.strides.iter().map(|(a, _)| *a).collect();
                    let held = self.local("held", &axes)?;
                    self.copy_place(&p, &held)?;
                    copies.push((held, state.clone()));
                }
                Some(p) => copies.push((p, state.clone())),
                None => {
                    let axes: Vec<Axis> = state.strides.iter().map(|(a, _)| *a).collect();
                    let held = self.local("held", &axes)?;
                    self.nest(&held, &axes, &[], &Env::default(), &mut |c, env| {
                        c.elem(inner, *v, env)
                    })?;
                    copies.push((held, state.clone()));
                }
            }
        }
        for (from, to) in copies {
            self.copy_place(&from, &to)?;
        }
        Ok(())
    }

    pub fn copy_place(&mut self, from: &Place, to: &Place) -> Result<()> {
        let axes: Vec<Axis> = to.strides.iter().map(|(a, _)| *a).collect();
        self.nest(to, &axes, &[], &Env::default(), &mut |c, env| {
            c.load(from, env)
        })
    }
}
