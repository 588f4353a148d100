//! Scans: each complex state, sequence, fixed value and emitted value is two real ones.

use super::pair::{self, Pair, Part};
use super::{Image, Split, lost};
use crate::Result;
use seqc_algebra::{Builder, Elem, InputKind, Op, Out, Scan, SeqIn, Ty, ValueId, op::Num};

/// A scan whose results are real; for each old result, those that are its parts.
#[derive(Clone, Debug)]
pub(super) struct SplitScan {
    scan: ValueId,
    outs: Vec<(Option<usize>, Option<usize>)>,
}

impl SplitScan {
    /// Old result `k`.
    pub fn proj(&self, b: &mut Builder, k: usize, complex: bool) -> Result<Image> {
        let (re, im) = *self.outs.get(k).ok_or_else(lost)?;
        let mut one = |at: Option<usize>| -> Result<Part> {
            Ok(at.map(|k| b.push(Op::Proj(k), &[self.scan])).transpose()?)
        };
        let (re, im) = (one(re)?, one(im)?);
        if complex {
            return Ok(Image::Pair(Pair { re, im }));
        }
        Ok(Image::Real(re.ok_or_else(lost)?))
    }
}

/// What the new scan is given, in the order of its operands.
struct Operands<'a> {
    outer: &'a mut Builder,
    body: Split<'a>,
    args: Vec<ValueId>,
}

impl Operands<'_> {
    /// A formal for `v`, named and typed after formal `k` of the old body.
    fn formal(&mut self, k: usize, suffix: &str, v: ValueId, ty: Ty) -> ValueId {
        let name = self.body.func.input(self.body.func.params[k]);
        let name = name.map_or("x", |i| i.name.as_str());
        self.args.push(v);
        let name = format!("{name}{suffix}");
        self.body.b.input(&name, InputKind::Formal, ty)
    }

    /// Gives part `v` of a complex operand with all axes of its formal.
    fn whole(&mut self, k: usize, suffix: &str, v: ValueId) -> ValueId {
        let axes = self.body.func.ty(self.body.func.params[k]).axes.clone();
        self.formal(k, suffix, v, Ty::real(axes))
    }

    fn set(&mut self, k: usize, image: Image) {
        let at = self.body.func.params[k];
        self.body.image[at.index()] = Some(image);
    }
}

#[allow(clippy::needless_range_loop)] // Images are one of several lists that an operand's number indexes.
pub(super) fn split(outer: &mut Split, id: ValueId, scan: &Scan) -> Result<Image> {
    let old: Vec<ValueId> = outer.func.args(id).to_vec();
    let images = old
        .iter()
        .map(|a| outer.image[a.index()].clone().ok_or_else(lost))
        .collect::<Result<Vec<_>>>()?;
    let func = outer.func;
    let axes = |k: usize| func.ty(old[k]).axes.as_slice();
    let mut to = Operands {
        outer: &mut outer.b,
        body: Split::new(&scan.body),
        args: vec![],
    };
    let position = to.body.b.copy(scan.body.value(scan.body.params[0]), &[])?;
    to.set(0, Image::Real(position));
    let first_seq = scan.states;
    let first_fixed = first_seq + scan.seqs.len();
    let bounds = first_fixed + scan.fixed;
    for k in 0..first_seq {
        operand(&mut to, k, &images[k], |to, z| {
            let mut one = |suffix, p| -> Result<Part> {
                let v = pair::full(to.outer, p, axes(k))?;
                Ok(Some(to.whole(k + 1, suffix, v)))
            };
            Ok(Pair {
                re: one(".re", z.re)?,
                im: one(".im", z.im)?,
            })
        })?;
    }
    let states = to.args.len();
    let mut seqs: Vec<SeqIn> = vec![];
    for k in first_seq..first_fixed {
        let fill = scan.seqs[k - first_seq].fill;
        operand(&mut to, k, &images[k], |to, z| {
            // Outside of the sequence, its imaginary part is 0.
            let mut one = |suffix, p: Part, fill: Num| -> Result<Part> {
                if p.is_none() && fill.0 == 0.0 {
                    return Ok(None);
                }
                let v = pair::full(to.outer, p, axes(k))?;
                seqs.push(SeqIn { fill });
                Ok(Some(to.whole(k + 1, suffix, v)))
            };
            Ok(Pair {
                re: one(".re", z.re, fill)?,
                im: one(".im", z.im, Num(0.0))?,
            })
        })?;
        if let Image::Real(_) = images[k] {
            seqs.push(SeqIn { fill });
        }
    }
    for k in first_fixed..bounds {
        operand(&mut to, k, &images[k], |to, z| {
            let mut one = |suffix, p: Part| -> Result<Part> {
                let Some(v) = p else { return Ok(None) };
                if let Some(c) = to.outer.constant(v) {
                    return Ok(Some(to.body.b.num(c)));
                }
                let ty = to.outer.ty(v).clone();
                Ok(Some(to.formal(k + 1, suffix, v, ty)))
            };
            Ok(Pair {
                re: one(".re", z.re)?,
                im: one(".im", z.im)?,
            })
        })?;
    }
    let fixed = to.args.len() - states - seqs.len();
    for image in &images[bounds..] {
        if let Image::Real(v) = image {
            to.args.push(*v);
        }
    }
    let Operands { mut body, args, .. } = to;
    body.run()?;
    let (outs, places) = results(&mut body, scan)?;
    let new = Scan {
        states,
        seqs,
        fixed,
        body: body.b.finish(),
        outs,
        ..scan.clone()
    };
    let scan = outer.b.push(Op::Scan(Box::new(new)), &args)?;
    Ok(Image::Scan(SplitScan { scan, outs: places }))
}

/// Hands operand `k` on: a real one as it is, a complex one by `parts`.
fn operand<'a>(
    to: &mut Operands<'a>,
    k: usize,
    image: &Image,
    parts: impl FnOnce(&mut Operands<'a>, Pair) -> Result<Pair>,
) -> Result<()> {
    let image = match image {
        Image::Real(v) => {
            let ty = to.body.func.ty(to.body.func.params[k + 1]).clone();
            Image::Real(to.formal(k + 1, "", *v, ty))
        }
        Image::Pair(z) => Image::Pair(parts(to, *z)?),
        Image::Scan(_) => return Err(lost()),
    };
    to.set(k + 1, image);
    Ok(())
}

type Places = Vec<(Option<usize>, Option<usize>)>;

/// Adds the body's results; gives the scan's, and where the parts of each old one are.
fn results(body: &mut Split, scan: &Scan) -> Result<(Vec<Out>, Places)> {
    // For each old result of the body, the new ones that are its parts.
    let mut parts: Places = vec![];
    let mut count = 0;
    for (k, (name, v)) in scan.body.results.iter().enumerate() {
        let mut add = |body: &mut Split, name: &str, v: ValueId| {
            body.b.result(name, v);
            count += 1;
            Some(count - 1)
        };
        let axes = &scan.body.ty(*v).axes;
        match body.image[v.index()].clone() {
            Some(Image::Real(v)) => parts.push((add(body, name, v), None)),
            Some(Image::Pair(z)) => {
                let mut one = |suffix: &str, p: Part| -> Result<Option<usize>> {
                    if p.is_none() && k >= scan.states {
                        return Ok(None);
                    }
                    let v = pair::full(&mut body.b, p, axes)?;
                    Ok(add(body, &format!("{name}{suffix}"), v))
                };
                parts.push((one(".re", z.re)?, one(".im", z.im)?));
            }
            _ => return Err(lost()),
        }
    }
    let complex = |k: usize| scan.body.ty(scan.body.params[k + 1]).elem == Elem::Complex;
    let states = (0..scan.states)
        .map(|k| 1 + usize::from(complex(k)))
        .sum::<usize>();
    let (mut outs, mut places): (Vec<Out>, Places) = (vec![], vec![]);
    for out in &scan.outs {
        let (re, im) = match out {
            Out::Emit(e) => parts[scan.states + e],
            Out::Final(s) | Out::Enter(s) => parts[*s],
        };
        let mut one = |at: Option<usize>| {
            let at = at?;
            outs.push(match out {
                Out::Emit(_) => Out::Emit(at - states),
                Out::Final(_) => Out::Final(at),
                Out::Enter(_) => Out::Enter(at),
            });
            Some(outs.len() - 1)
        };
        places.push((one(re), one(im)));
    }
    Ok((outs, places))
}
