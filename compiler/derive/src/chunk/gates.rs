//! One pass over a chunk multiplies the gates of its steps: what of each state is in each other after some of them.

use super::build::Gated;
use super::decays::{Pair, Within};
use super::inside::Chunk;
use crate::Result;
use crate::class::{Linear, distinct};
use seqc_algebra::{Builder, Elem, Func, InputKind, MapFn, Out, Scan, Ty, ValueId};

/// Does a state reach another, by way of any number of gates, none included?
fn reach(gates: &[Vec<Gated>]) -> Vec<Vec<bool>> {
    let n = gates.len();
    let mut r: Vec<Vec<bool>> = (0..n)
        .map(|z| {
            (0..n)
                .map(|w| z == w || !matches!(gates[z][w], Gated::Zero))
                .collect()
        })
        .collect();
    for a in 0..n {
        for z in 0..n {
            for w in 0..n {
                r[z][w] |= r[z][a] && r[a][w];
            }
        }
    }
    r
}

/// A pair while its products are made: where it is among the scan's states, and its kind.
struct Track {
    z: usize,
    w: usize,
    /// Of the running product.
    p: usize,
    /// Of the products since each j.
    d: Option<usize>,
    row: Ty,
    grid: Ty,
}

/// An entry of the identity: nothing has stepped yet.
fn identity(t: &Track) -> f64 {
    f64::from(u8::from(t.z == t.w))
}

impl Chunk {
    /// One pass over the chunk carries the running products and, for each source j, the products since j.
    pub fn decays_of(
        &mut self,
        l: &Linear,
        gates: &[Vec<Gated>],
        present: Option<ValueId>,
    ) -> Result<()> {
        if let [row] = gates
            && matches!(row[0], Gated::One)
        {
            self.pairs = vec![vec![Some(self.kept()?)]];
            return Ok(());
        }
        let tracks = self.tracks(l, gates);
        let mut given: Vec<ValueId> = Vec::new();
        let mut seq = |v: ValueId| {
            let at = given.iter().position(|g| *g == v);
            at.unwrap_or_else(|| {
                given.push(v);
                given.len() - 1
            })
        };
        let by_gate: Vec<Vec<Step>> = (gates.iter())
            .map(|row| row.iter().map(|g| step_of(g, present, &mut seq)).collect())
            .collect();
        let body = self.step(&tracks, &by_gate, &given)?;
        let states = tracks.iter().map(|t| 1 + usize::from(t.d.is_some())).sum();
        let mut outs = Vec::new();
        for k in 0..states {
            outs.extend([Out::Emit(k), Out::Enter(k), Out::Final(k)]);
        }
        let mut args = Vec::new();
        for t in &tracks {
            args.push(self.b.everywhere(identity(t), &t.row)?);
            if t.d.is_some() {
                args.push(self.b.everywhere(0.0, &t.grid)?);
            }
        }
        args.extend(&given);
        // What is padded has been padded already.
        let fills = vec![1.0; given.len()];
        let scan = Scan {
            reverse: self.reverse,
            ..Scan::steps(self.i, states, &fills, 0, body, outs)
        };
        let r = self.b.scan(scan, &args)?;
        self.collect(l, &tracks, &r)
    }

    /// The pairs that are ever different from 0, in order.
    fn tracks(&self, l: &Linear, gates: &[Vec<Gated>]) -> Vec<Track> {
        let n = gates.len();
        let reach = reach(gates);
        let written = |w: usize| l.terms.iter().any(|t| t.into.contains(&w));
        let mut tracks = Vec::new();
        let mut at = 0;
        for (z, w) in (0..n).flat_map(|z| (0..n).map(move |w| (z, w))) {
            if !reach[z][w] {
                continue;
            }
            let way = |a: usize, b: usize| reach[z][a] && reach[b][w];
            let mut axes = Vec::new();
            let mut elem = Elem::Real;
            for (a, b) in (0..n).flat_map(|a| (0..n).map(move |b| (a, b))) {
                let Gated::Seq(v) = gates[a][b] else { continue };
                if way(a, b) {
                    axes.extend(self.b.axes(v).iter().copied().filter(|x| *x != self.i));
                    if self.b.elem(v) == Elem::Complex {
                        elem = Elem::Complex;
                    }
                }
            }
            let axes = distinct(axes);
            let grid = distinct([axes.clone(), vec![self.j]].concat());
            let d = written(w).then_some(at + 1);
            tracks.push(Track {
                z,
                w,
                p: at,
                d,
                row: Ty { elem, axes },
                grid: Ty { elem, axes: grid },
            });
            at += 1 + usize::from(d.is_some());
        }
        tracks
    }

    /// One step of the products: `D_zw <- Σ_a gate_za D_aw`, and at j itself the identity.
    fn step(&self, tracks: &[Track], gates: &[Vec<Step>], given: &[ValueId]) -> Result<Func> {
        let mut b = Builder::new("decay");
        let pos = b.input("pos", InputKind::Formal, Ty::real(vec![]));
        let mut old = Vec::new();
        for t in tracks {
            old.push(b.input("p", InputKind::Formal, t.row.clone()));
            if t.d.is_some() {
                old.push(b.input("d", InputKind::Formal, t.grid.clone()));
            }
        }
        let mut formals = Vec::new();
        for v in given {
            formals.push(b.input("a", InputKind::Formal, self.b.ty(*v).without(self.i)));
        }
        let at = b.iota(self.j)?;
        let here = b.map2(MapFn::Eq, at, pos)?;
        let mut new = Vec::new();
        for t in tracks {
            let through = |place: fn(&Track) -> Option<usize>| {
                let ways = tracks.iter().filter(|s| s.w == t.w);
                let known = ways.filter_map(|s| Some((&gates[t.z][s.z], old[place(s)?])));
                known.collect::<Vec<_>>()
            };
            let p = stepped(&mut b, &through(|s| Some(s.p)), &formals, &t.row)?;
            new.push(("p", p));
            if t.d.is_some() {
                let d = stepped(&mut b, &through(|s| s.d), &formals, &t.grid)?;
                let number = Ty {
                    elem: t.grid.elem,
                    axes: vec![],
                };
                let own = b.everywhere(identity(t), &number)?;
                new.push(("d", b.select(here, own, d)?));
            }
        }
        for (name, v) in new.iter().chain(&new) {
            b.result(name, *v);
        }
        Ok(b.finish())
    }

    fn collect(&mut self, l: &Linear, tracks: &[Track], r: &[ValueId]) -> Result<()> {
        let n = l.states.len();
        self.pairs = vec![vec![None; n]; n];
        for t in tracks {
            let diagonal = t.row.axes.iter().any(|a| l.k.contains(a));
            let within = match t.d {
                None => None,
                Some(d) => Some(Within {
                    incl: r[3 * d],
                    excl: r[3 * d + 1],
                    suf: Some(self.b.rename(r[3 * d + 2], self.j, self.i)?),
                    diagonal,
                }),
            };
            self.pairs[t.z][t.w] = Some(Pair {
                pre: Some(r[3 * t.p]),
                pex: Some(r[3 * t.p + 1]),
                tot: Some(r[3 * t.p + 2]),
                diagonal,
                within,
            });
        }
        Ok(())
    }
}

/// A gate within a step of the products.
#[derive(Clone, Copy)]
enum Step {
    Zero,
    One,
    Times(usize),
}

fn step_of(g: &Gated, present: Option<ValueId>, seq: &mut impl FnMut(ValueId) -> usize) -> Step {
    match (g, present) {
        (Gated::Zero, _) | (Gated::Present, None) => Step::Zero,
        (Gated::One, _) => Step::One,
        (Gated::Seq(v), _) => Step::Times(seq(*v)),
        (Gated::Present, Some(v)) => Step::Times(seq(v)),
    }
}

/// `Σ gate x`, of the given type.
fn stepped(
    b: &mut Builder,
    ways: &[(&Step, ValueId)],
    formals: &[ValueId],
    ty: &Ty,
) -> Result<ValueId> {
    let mut all: Option<ValueId> = None;
    for (gate, x) in ways {
        let part = match gate {
            Step::Zero => continue,
            Step::One => *x,
            Step::Times(k) => b.mul(formals[*k], *x)?,
        };
        all = Some(match all {
            None => part,
            Some(sum) => {
                let sum = b.fill_as(sum, ty)?;
                let part = b.fill_as(part, ty)?;
                b.add2(sum, part)?
            }
        });
    }
    match all {
        None => Ok(b.everywhere(0.0, ty)?),
        Some(sum) => Ok(b.fill_as(sum, ty)?),
    }
}
