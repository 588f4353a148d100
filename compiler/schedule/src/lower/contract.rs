//! Contractions of two factors inside a cell as matrix-product atoms, with loops around for the axes that do not
//! fit one: `out[m,n] (+)= Σ_k a[m,k] b[k,n]`, the lane axis `n` contiguous in `b` and `out`.

use super::LowerError;
use super::cell::{Cell, Result};
use super::choose::{Roles, roles};
use super::place::{Mem, Place};
use crate::ir::{Ix, LoopKind, Matmul, Part, Stmt, Tile, Var};
use seqc_algebra::{Axis, ValueId};

/// Axes that an atom takes as one: outermost first, with the stride of the innermost in both places.
struct Group {
    axes: Vec<Axis>,
    size: usize,
}

impl<'a> Cell<'a> {
    /// Emits the contraction into `dest`, which has constant strides. `Ok(false)`: no atom fits, nothing emitted.
    pub fn matmul(
        &mut self,
        scope: usize,
        id: ValueId,
        dest: &Place,
        accumulate: bool,
    ) -> Result<bool> {
        let func = self.scopes[scope].func;
        let Some(mut r) = roles(func, id) else {
            return Ok(false);
        };
        let &[mut a, mut b] = func.args(id) else {
            return Ok(false);
        };
        let here = |axes: &mut Vec<Axis>, c: &Self| axes.retain(|x| !c.ambient.contains_key(x));
        for axes in [&mut r.both, &mut r.rows, &mut r.cols, &mut r.sum] {
            here(axes, self);
        }
        // An atom's sizes are constants; axes of run-time length are loops around it.
        let counted = |axes: &[Axis]| axes.iter().all(|x| self.room(*x).is_some());
        if !counted(&[&r.rows[..], &r.cols, &r.sum].concat())
            || dest.strides.iter().any(|(_, s)| s.known().is_none())
        {
            return Ok(false);
        }
        // The lane axis: contiguous in the result.
        let lane = |axes: &[Axis]| axes.iter().copied().find(|x| dest.step(*x) == Some(1));
        let n = match (lane(&r.cols), lane(&r.rows)) {
            (Some(n), _) => n,
            (None, Some(n)) => {
                std::mem::swap(&mut a, &mut b);
                std::mem::swap(&mut r.rows, &mut r.cols);
                n
            }
            _ => return Ok(false),
        };
        let (axes_a, axes_b) = (
            [r.rows.clone(), r.sum.clone()].concat(),
            [r.cols.clone(), r.sum.clone()].concat(),
        );
        // One row alone does not pay for turning the matrix around, unless that is done once.
        let rows: usize = r.rows.iter().filter_map(|x| self.room(*x)).product();
        let turned = self.views(scope, b).iter().any(|p| p.step(n) == Some(1))
            || self.views(scope, b).is_empty();
        if rows < 4 && !turned && !self.scopes[scope].is_still(b) {
            return Ok(false);
        }
        if r.sum.is_empty() {
            return Ok(false);
        }
        let pb = self.operand(scope, b, &axes_b, Some(n))?;
        let pa = self.operand(scope, a, &axes_a, None)?;
        let (pa, pb) = (self.in_cell(pa), self.in_cell(pb));
        if dest.mem == pa.mem || dest.mem == pb.mem {
            return Ok(false);
        }
        let atom = Atom {
            a: pa,
            b: pb,
            out: dest.clone(),
        };
        self.atom(&atom, r, n, accumulate)?;
        Ok(true)
    }

    /// The place at the cell's own index of every axis that the cell stands at.
    fn in_cell(&self, place: Place) -> Place {
        let at = |p: Place, (axis, ix): (&Axis, &Ix)| p.at(*axis, ix.clone());
        self.ambient.iter().fold(place, at)
    }

    /// The largest run of axes around `first` that is one stride in both places.
    fn group(&self, first: Axis, axes: &[Axis], x: &Place, y: &Place) -> Result<Group> {
        let mut g = Group {
            axes: vec![first],
            size: self.room(first).ok_or_else(uncounted)?,
        };
        let (Some(sx), Some(sy)) = (x.step(first), y.step(first)) else {
            return Ok(g);
        };
        loop {
            let size = g.size as i64;
            let next = axes.iter().find(|o| {
                !g.axes.contains(o)
                    && x.step(**o) == Some(sx * size)
                    && y.step(**o) == Some(sy * size)
            });
            // A parted axis may hold garbage beyond its end, which stays in its own rows.
            let Some(next) = next else { return Ok(g) };
            g.size = g
                .size
                .checked_mul(self.room(*next).ok_or_else(uncounted)?)
                .ok_or_else(|| LowerError::new("an axis is too large"))?;
            g.axes.push(*next);
        }
    }

    fn best_group(&self, axes: &[Axis], x: &Place, y: &Place) -> Result<Option<Group>> {
        let mut best: Option<Group> = None;
        for a in axes {
            let g = self.group(*a, axes, x, y)?;
            if best.as_ref().is_none_or(|b| g.size > b.size) {
                best = Some(g);
            }
        }
        Ok(best)
    }

    fn atom(&mut self, t: &Atom, r: Roles, n: Axis, accumulate: bool) -> Result<()> {
        let cols = self.group(n, &r.cols, &t.b, &t.out)?;
        let rows = self.best_group(&r.rows, &t.a, &t.out)?;
        let sum = self
            .best_group(&r.sum, &t.a, &t.b)?
            .ok_or_else(|| LowerError::new("a product without a sum"))?;
        let used = |g: &Group, x: &Axis| g.axes.contains(x);
        let outer: Vec<Axis> = r
            .both
            .iter()
            .copied()
            .chain(
                r.rows
                    .iter()
                    .copied()
                    .filter(|x| !rows.as_ref().is_some_and(|g| used(g, x))),
            )
            .chain(r.cols.iter().copied().filter(|x| !used(&cols, x)))
            .collect();
        let serial: Vec<Axis> = r.sum.iter().copied().filter(|x| !used(&sum, x)).collect();
        let (mut a, mut b, mut out) = (t.a.clone(), t.b.clone(), t.out.clone());
        let mut loops: Vec<(Var, Ix, LoopKind)> = Vec::new();
        for (axis, kind) in outer
            .iter()
            .map(|x| (x, LoopKind::Par))
            .chain(serial.iter().map(|x| (x, LoopKind::Seq)))
        {
            let (v, hi) = (self.var(), self.extent(*axis)?);
            (a, b, out) = (
                a.at(*axis, Ix::Var(v)),
                b.at(*axis, Ix::Var(v)),
                out.at(*axis, Ix::Var(v)),
            );
            loops.push((v, hi, kind));
        }
        // A sum in several steps starts from 0.
        if !serial.is_empty() && !accumulate {
            let axes: Vec<Axis> = t.out.strides.iter().map(|(x, _)| *x).collect();
            self.nest(
                &t.out,
                &axes,
                &[],
                &super::place::Env::default(),
                &mut |_, _| Ok(crate::ir::Expr::num(0.0)),
            )?;
        }
        let step = |p: &Place, g: &Group| p.step(g.axes[0]).unwrap_or(0);
        let row = |p: &Place| rows.as_ref().map_or(0, |g| step(p, g));
        let m = rows.as_ref().map_or(1, |g| g.size);
        let (ra, ro) = (
            row(&a),
            if rows.is_some() {
                row(&out)
            } else {
                cols.size as i64
            },
        );
        let (ka, kb, nb, no) = (
            step(&a, &sum),
            step(&b, &sum),
            step(&b, &cols),
            step(&out, &cols),
        );
        let tile = |c: &mut Self, p: &Place, write, rows, cols| Tile {
            buf: c.buf(p, write),
            base: p.base.simplify(),
            rows,
            cols,
        };
        if accumulate || !serial.is_empty() {
            self.buf(&out, false);
        }
        let product = Matmul {
            m,
            n: cols.size,
            k: sum.size,
            out: tile(self, &out, true, ro, no),
            a: tile(self, &a, false, ra, ka),
            b: tile(self, &b, false, kb, nb),
            accumulate: accumulate || !serial.is_empty(),
            part: Part::All,
        };
        let mut body = vec![Stmt::Matmul(product)];
        for (v, hi, kind) in loops.into_iter().rev() {
            body = vec![Stmt::for_(kind, v, Ix::Const(0), hi, body)];
        }
        body.into_iter().for_each(|s| self.emit(s));
        Ok(())
    }
}

fn uncounted() -> LowerError {
    LowerError::new("a product's atom has an axis of run-time length")
}

/// The three places of a product.
struct Atom {
    a: Place,
    b: Place,
    out: Place,
}

/// Is the place the kernel's own?
pub(crate) fn is_own(place: &Place) -> bool {
    !matches!(place.mem, Mem::Global(_))
}
