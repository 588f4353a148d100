//! Values as strided places: what can be handed to a matrix-product atom as it lies in memory, and copies of
//! what cannot.

use super::LowerError;
use super::cell::{Along, Cell, Formal, Result};
use super::place::{Env, Mem, Place};
use crate::ir::Ix;
use seqc_algebra::{Axis, Op, ValueId};

impl<'a> Cell<'a> {
    /// All places where a value can be read as it is.
    pub fn views(&self, scope: usize, v: ValueId) -> Vec<Place> {
        let s = &self.scopes[scope];
        let mut all: Vec<Place> = s.place.get(&v).cloned().into_iter().collect();
        if all.is_empty() {
            all = self.natural(scope, v);
        }
        all.extend(s.copies.get(&v).into_iter().flatten().cloned());
        all
    }

    /// The places that follow from those of other values.
    fn natural(&self, scope: usize, v: ValueId) -> Vec<Place> {
        let s = &self.scopes[scope];
        if let Some(f) = s.formal.get(&v) {
            let (Formal::Outer { value, along }, Some(parent)) = (f, s.parent) else {
                return vec![];
            };
            let outer = self
                .views(parent, *value)
                .into_iter()
                .map(|p| self.inward(scope, p));
            return match along {
                Along::Same => outer.collect(),
                Along::Step { axis, at } => outer.map(|p| p.at(*axis, at.clone())).collect(),
                Along::Tile {
                    axis,
                    tile,
                    base,
                    whole: true,
                    ..
                } => outer
                    .map(|p| p.from(*axis, base.clone()).renamed(*axis, *tile))
                    .collect(),
                Along::Tile { .. } => vec![],
            };
        }
        if s.choice.root[v.index()] {
            return vec![];
        }
        let arg = |k: usize| self.views(scope, s.func.args(v)[k]);
        match s.func.op(v) {
            Op::Rename { from, to } => arg(0).into_iter().map(|p| p.renamed(*from, *to)).collect(),
            Op::Split { axis, into } => arg(0)
                .into_iter()
                .filter_map(|p| p.split(*axis, into))
                .collect(),
            Op::Merge { axes, into } => arg(0)
                .into_iter()
                .filter_map(|p| p.merged(axes, *into))
                .collect(),
            Op::Pick { axis, index } => arg(0)
                .into_iter()
                .map(|p| p.at(*axis, Ix::Const(*index as i64)))
                .collect(),
            Op::Expand(_) => arg(0),
            _ => vec![],
        }
    }

    /// May the cell read a whole atom of this place: floats, constant strides, nothing outside?
    fn is_operand(&self, place: &Place, axes: &[Axis]) -> bool {
        let steady = axes.iter().all(|a| place.step(*a).is_some());
        let inside = axes.iter().all(|a| match self.parts.get(a) {
            Some(p) if matches!(place.mem, Mem::Global(_)) => {
                p.valid.known() == Some(p.size as i64) || !place.has(*a)
            }
            _ => true,
        });
        !place.int && steady && inside
    }

    /// A place of a value fit for a matrix product over `axes`, its `lane` axis contiguous if one is asked for.
    pub fn operand(
        &mut self,
        scope: usize,
        v: ValueId,
        axes: &[Axis],
        lane: Option<Axis>,
    ) -> Result<Place> {
        let fit = |c: &Self, p: &Place| {
            c.is_operand(p, axes) && lane.is_none_or(|l| p.step(l) == Some(1))
        };
        if let Some(p) = self.views(scope, v).into_iter().find(|p| fit(self, p)) {
            return Ok(p);
        }
        // A whole outer value is copied where it is defined, so that the copy serves every step.
        let formal = self.scopes[scope].formal.get(&v).cloned();
        if let (
            Some(Formal::Outer {
                value,
                along: Along::Same,
            }),
            Some(parent),
        ) = (formal, self.scopes[scope].parent)
            && parent > 0
        {
            self.operand(parent, value, axes, lane)?;
            if let Some(p) = self.views(scope, v).into_iter().find(|p| fit(self, p)) {
                return Ok(p);
            }
        }
        self.copied(scope, v, lane)
    }

    /// Copies a value into scratch with `lane` as its last axis; later uses find it.
    fn copied(&mut self, scope: usize, v: ValueId, lane: Option<Axis>) -> Result<Place> {
        let func = self.scopes[scope].func;
        let mut axes: Vec<Axis> = func
            .ty(v)
            .axes
            .iter()
            .copied()
            .filter(|a| !self.ambient.contains_key(a))
            .collect();
        if let Some(l) = lane {
            axes.retain(|a| *a != l);
            axes.push(l);
        }
        let name = func.value(v).name.map_or("copy", |n| n.as_str());
        let place = self.local(name, &axes)?;
        let at_level = self.home(scope, v);
        self.at_level(at_level, |c| c.fill(scope, v, &place, &axes))?;
        self.scopes[scope]
            .copies
            .entry(v)
            .or_default()
            .push(place.clone());
        Ok(place)
    }

    /// Writes a value's elements into a place; a ragged tile is copied as far as it goes and filled beyond.
    pub fn fill(&mut self, scope: usize, v: ValueId, place: &Place, axes: &[Axis]) -> Result<()> {
        if self.stored(scope, v).is_none()
            && let Some(Formal::Outer {
                value,
                along:
                    Along::Tile {
                        axis,
                        tile,
                        base,
                        len,
                        fill,
                        whole: false,
                    },
            }) = self.scopes[scope].formal.get(&v).cloned()
        {
            let room = self.size(tile)?;
            let valid = (len - base.clone()).min_ix(room.clone()).max_ix(0);
            let parent = self.scopes[scope]
                .parent
                .ok_or_else(|| LowerError::new("a formal without a scan"))?;
            self.nest(
                place,
                axes,
                &[(tile, Ix::Const(0), valid.clone())],
                &Env::default(),
                &mut |c, env| {
                    let mut out = c.outward(scope, env);
                    let at = (base.clone() + c.index(env, tile)?).simplify();
                    out.0.retain(|(a, _)| *a != tile);
                    out.set(axis, at);
                    c.elem(parent, value, &out)
                },
            )?;
            return self.nest(
                place,
                axes,
                &[(tile, valid, room)],
                &Env::default(),
                &mut |_, _| Ok(crate::ir::Expr::num(fill)),
            );
        }
        self.nest(place, axes, &[], &Env::default(), &mut |c, env| {
            c.elem(scope, v, env)
        })
    }

    /// The block in which a value of a scope is computed: before the loop if it is the same at every step.
    pub fn home(&self, scope: usize, v: ValueId) -> usize {
        let s = &self.scopes[scope];
        if s.is_still(v) && s.level > 0 {
            s.level - 1
        } else {
            s.level
        }
    }

    /// Emits into an enclosing open block. Statements made inside go before those that follow in it.
    pub fn at_level(
        &mut self,
        level: usize,
        f: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.open();
        let done = f(self);
        let made = self.close();
        done?;
        let level = level.min(self.blocks.len() - 1);
        self.blocks[level].extend(made);
        Ok(())
    }
}
