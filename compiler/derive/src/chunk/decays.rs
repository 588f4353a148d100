//! Products of decays over the ranges of a chunk.

use super::inside::Chunk;
use crate::Result;
use seqc_algebra::{Axis, Builder, Elem, InputKind, MapFn, Out, Scan, SeqIn, Ty, ValueId, op::Num};

/// Products of decays inside a chunk; `None` where they are all 1.
#[derive(Clone, Copy)]
pub(super) struct Decays {
    /// over ..=i and over ..i, along i
    pub pre: Option<ValueId>,
    pub pex: Option<ValueId>,
    /// `D_ij` over j+1..=i for j <= i, else 0; and over j+1..i for j < i, else 0
    pub within: ValueId,
    pub within_ex: ValueId,
    /// over j+1.., along i
    pub suf: Option<ValueId>,
    pub tot: Option<ValueId>,
}

impl Chunk {
    /// One pass over the chunk carries the running product and, for each source j, the product since j.
    pub fn decays_of(&mut self, w: ValueId) -> Result<Decays> {
        let (i, j) = (self.i, self.j);
        let row: Vec<Axis> = self.b.axes(w).iter().copied().filter(|a| *a != i).collect();
        let grid = seqc_algebra::shape::canonical([row.clone(), vec![j]].concat());
        let elem = self.b.elem(w);
        let kind = |axes: &[Axis]| Ty {
            elem,
            axes: axes.to_vec(),
        };
        let mut body = Builder::new("decay");
        let pos = body.input("pos", InputKind::Formal, Ty::real(vec![]));
        let p = body.input("p", InputKind::Formal, kind(&row));
        let d = body.input("d", InputKind::Formal, kind(&grid));
        let a = body.input("a", InputKind::Formal, kind(&row));
        let p2 = body.mul(a, p)?;
        let at = body.iota(j)?;
        let here = body.map2(MapFn::Eq, at, pos)?;
        let one = body.num(1.0);
        let decayed = body.mul(a, d)?;
        let d2 = body.select(here, one, decayed)?;
        body.result("p", p2);
        body.result("d", d2);
        body.result("pre", p2);
        body.result("within", d2);
        let p0 = self.start(1.0, kind(&row))?;
        let d0 = self.start(0.0, kind(&grid))?;
        let scan = Scan {
            axis: i,
            tile: None,
            reverse: self.reverse,
            states: 2,
            seqs: vec![SeqIn { fill: Num(1.0) }],
            fixed: 0,
            lo: false,
            hi: false,
            body: body.finish(),
            outs: vec![
                Out::Emit(0),
                Out::Emit(1),
                Out::Enter(0),
                Out::Enter(1),
                Out::Final(0),
                Out::Final(1),
            ],
        };
        let r = self.b.scan(scan, &[p0, d0, w])?;
        let suf = self.b.rename(r[5], j, i)?;
        Ok(Decays {
            pre: Some(r[0]),
            within: r[1],
            pex: Some(r[2]),
            within_ex: r[3],
            tot: Some(r[4]),
            suf: Some(suf),
        })
    }

    /// `x` everywhere.
    fn start(&mut self, x: f64, ty: Ty) -> Result<ValueId> {
        let mut v = self.b.num(x);
        if ty.elem == Elem::Complex {
            let zero = self.b.num(0.0);
            v = self.b.map2(MapFn::Complex, v, zero)?;
        }
        Ok(self.b.expand(v, &ty.axes)?)
    }

    pub fn no_decay(&mut self) -> Result<Decays> {
        let (at, from) = (self.b.iota(self.i)?, self.b.iota(self.j)?);
        let (zero, one) = (self.b.num(0.0), self.b.num(1.0));
        let (incl, excl) = if self.reverse {
            (MapFn::Ge, MapFn::Gt)
        } else {
            (MapFn::Le, MapFn::Lt)
        };
        let m = self.b.map2(incl, from, at)?;
        let within = self.b.select(m, one, zero)?;
        let m = self.b.map2(excl, from, at)?;
        let within_ex = self.b.select(m, one, zero)?;
        Ok(Decays {
            pre: None,
            pex: None,
            within,
            within_ex,
            suf: None,
            tot: None,
        })
    }
}
