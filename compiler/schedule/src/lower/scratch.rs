//! Scratch of a kernel's cell: memory of the thread that runs it where the size is a known constant, else a part of
//! a buffer that the kernel has for itself. Both are the cell's own: no other cell reads or writes there.

use super::LowerError;
use super::cell::{Cell, Result};
use super::place::{Mem, Place, ix_dim};
use crate::ir::{Elem, Expr, Ix, Local, Stmt};
use seqc_abi::{Buffer, Dim, Role};
use seqc_algebra::{Axis, Sym};

/// Elements of a thread's memory that one value may take.
const MOST: i64 = 1 << 26;

/// A buffer that a kernel has for itself; each cell of the grid has `axes` of its own there.
#[derive(Clone, Debug)]
pub(crate) struct Wide {
    name: String,
    axes: Vec<(Axis, Ix)>,
}

impl<'a> Cell<'a> {
    /// New scratch, row-major over `axes`.
    pub fn local(&mut self, name: &str, axes: &[Axis]) -> Result<Place> {
        let sized: Vec<(Axis, Ix)> = axes
            .iter()
            .map(|a| Ok((*a, self.kept(*a)?)))
            .collect::<Result<_>>()?;
        let len = sized.iter().try_fold(1i64, |len, (_, n)| {
            let len = len.checked_mul(n.known()?)?;
            (len <= MOST).then_some(len)
        });
        let place = match len {
            Some(len) => self.narrow(name, &sized, len),
            None => self.wide(name, sized),
        };
        self.clear_ragged(axes, &place)?;
        Ok(place)
    }

    /// Positions of an axis for which scratch is kept.
    fn kept(&self, axis: Axis) -> Result<Ix> {
        match self.parts.get(&axis) {
            Some(p) => Ok(Ix::Const(p.size as i64)),
            None => self.size(axis),
        }
    }

    fn narrow(&mut self, name: &str, axes: &[(Axis, Ix)], len: i64) -> Place {
        self.locals.push(Local {
            name: format!("{name}.{}", self.locals.len()),
            elem: Elem::F32,
            len: len.max(1) as usize,
        });
        Place::row_major(Mem::Local(self.locals.len() as u32 - 1), axes)
    }

    /// The part of a buffer that belongs to this cell of the grid.
    fn wide(&mut self, name: &str, axes: Vec<(Axis, Ix)>) -> Place {
        let mut place = Place::row_major(Mem::Wide(self.wides.len()), &axes);
        let mut cell = Ix::Const(0);
        for (v, n) in &self.grid {
            cell = cell * n.clone() + *v;
        }
        place.base = (cell * product(&axes)).simplify();
        self.wides.push(Wide {
            name: format!("{name}.wide{}", self.wides.len()),
            axes,
        });
        place
    }

    /// Rows beyond the end of a parted axis are never stored, but products read whole tiles.
    fn clear_ragged(&mut self, axes: &[Axis], place: &Place) -> Result<()> {
        let ragged = |a: &Axis| {
            let part = self.parts.get(a);
            part.is_some_and(|p| p.valid.known() != Some(p.size as i64))
        };
        if !axes.iter().any(ragged) {
            return Ok(());
        }
        let sized: Vec<(Axis, Ix)> = axes
            .iter()
            .map(|a| Ok((*a, self.kept(*a)?)))
            .collect::<Result<_>>()?;
        let at = self.var();
        let to = (place.base.clone() + at).simplify();
        let store = self.buf(place, true).store(to, Expr::num(0.0));
        let zero = Stmt::vec(self.options.lanes, at, 0, product(&sized), vec![store]);
        self.blocks[0].push(zero);
        Ok(())
    }
}

fn product(axes: &[(Axis, Ix)]) -> Ix {
    let all = axes.iter().map(|(_, n)| n.clone());
    all.fold(Ix::Const(1), |a, b| a * b).simplify()
}

impl Wide {
    /// The buffer for all cells of a grid.
    pub fn buffer(&self, grid: &[Dim], lens: &[Sym]) -> Result<Buffer> {
        let dim = |(_, n): &(Axis, Ix)| {
            ix_dim(&n.simplify(), lens)
                .ok_or_else(|| LowerError::new("scratch's length is no plan size"))
        };
        let own = self.axes.iter().map(dim).collect::<Result<Vec<_>>>()?;
        let cells = (0..grid.len()).map(|k| format!("cell{k}"));
        let names = self.axes.iter().map(|(a, _)| a.name.as_str().to_owned());
        Ok(Buffer {
            name: self.name.clone(),
            elem: seqc_abi::Elem::F32,
            axes: cells.chain(names).collect(),
            shape: grid.iter().cloned().chain(own).collect(),
            role: Role::Temp,
        })
    }
}
