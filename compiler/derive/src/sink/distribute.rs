//! What is linear between a contraction and a trajectory, distributed or taken out: `Σ q·(F + G)` is `Σ q·F + Σ q·G`,
//! `Σ q·re(F)` is `re(Σ q·F)` for a real q.

use crate::Result;
use crate::stream::is_pair;
use crate::trajectory::trajectory;
use seqc_algebra::{Axis, Builder, Elem, Func, MapFn, Op, ReduceOp, Ty, ValueId};

/// `Σ f·(a±b)` to `Σ f·a ± Σ f·b` and `Σ f·(a/b)` to `Σ f·(1/b)·a`, wherever `a` or `b` holds a trajectory.
pub(super) fn distribute(func: &Func) -> Result<Func> {
    let dep = holds_trajectory(func);
    let live = func.live();
    let mut b = Builder::new(&func.name);
    let mut image: Vec<Option<ValueId>> = vec![None; func.values.len()];
    for id in func
        .ids()
        .filter(|id| live[id.index()] || func.params.contains(id))
    {
        let new = match func.op(id) {
            op if let Some(axes) = summed(op, func.ty(id))
                && func.args(id).iter().any(|a| dep[a.index()]) =>
            {
                let mut ctx = Spread {
                    func,
                    dep: &dep,
                    image: &image,
                };
                ctx.contract(&mut b, axes, func.args(id), &func.ty(id).axes)?
            }
            _ => {
                let args: Vec<ValueId> = func
                    .args(id)
                    .iter()
                    .filter_map(|a| image[a.index()])
                    .collect();
                b.copy(func.value(id), &args)?
            }
        };
        if let Some(name) = func.value(id).name {
            b.name(new, name.as_str());
        }
        image[id.index()] = Some(new);
    }
    for (name, v) in &func.results {
        if let Some(v) = image[v.index()] {
            b.result(name, v);
        }
    }
    Ok(b.finish())
}

/// The axes that an operation sums a product over. The sum of a vector state stays outside: it reads no more than what is
/// stored anyway.
fn summed<'a>(op: &'a Op, ty: &Ty) -> Option<&'a [Axis]> {
    match op {
        Op::Contract(axes) if !axes.is_empty() => Some(axes),
        Op::Reduce(ReduceOp::Sum, axes) if ty.axes.iter().any(|a| a.is_const()) => Some(axes),
        _ => None,
    }
}

/// The values in which a trajectory is a term or a factor: what a sum can be distributed over to reach it. A sum that
/// has read a trajectory ends the way, and so does whatever is not linear: the products below them stay as they are.
fn holds_trajectory(func: &Func) -> Vec<bool> {
    let mut holds = vec![false; func.values.len()];
    for id in func.ids() {
        let arg = |n: usize| holds[func.args(id)[n].index()];
        holds[id.index()] = trajectory(func, id).is_some()
            || match func.op(id) {
                Op::Map(MapFn::Add | MapFn::Sub | MapFn::Mul) => arg(0) || arg(1),
                Op::Map(MapFn::Neg | MapFn::Div | MapFn::Re | MapFn::Im | MapFn::Conj) => arg(0),
                Op::Map(MapFn::Select) => arg(1) || arg(2),
                Op::Rename { from, .. } => from.is_const() && arg(0),
                _ => false,
            };
    }
    holds
}

/// State of [`distribute`]: the old program, what holds a trajectory, and the images built so far.
struct Spread<'a> {
    func: &'a Func,
    dep: &'a [bool],
    image: &'a [Option<ValueId>],
}

/// A factor of a contraction while it is spread: a value of the old program, or one already built.
#[derive(Clone, Copy)]
enum Factor {
    Old(ValueId),
    New(ValueId),
}

impl Spread<'_> {
    fn contract(
        &mut self,
        b: &mut Builder,
        axes: &[Axis],
        args: &[ValueId],
        want: &[Axis],
    ) -> Result<ValueId> {
        let factors: Vec<Factor> = args.iter().map(|a| Factor::Old(*a)).collect();
        self.spread(b, axes, factors, want)
    }

    fn spread(
        &mut self,
        b: &mut Builder,
        axes: &[Axis],
        factors: Vec<Factor>,
        want: &[Axis],
    ) -> Result<ValueId> {
        // Two factors that depend on the trajectory are no linear read: left as they are.
        let reading = factors
            .iter()
            .filter(|f| matches!(f, Factor::Old(v) if self.dep[v.index()]))
            .count();
        for (n, f) in factors.iter().enumerate().filter(|_| reading == 1) {
            let Factor::Old(v) = *f else { continue };
            if !self.dep[v.index()] || trajectory(self.func, v).is_some() {
                continue;
            }
            let with = |new: &[Factor]| {
                let mut all = factors.clone();
                all.splice(n..=n, new.iter().copied());
                all
            };
            let args = self.func.args(v);
            match self.func.op(v) {
                Op::Map(op @ (MapFn::Add | MapFn::Sub)) => {
                    let one = self.spread(b, axes, with(&[Factor::Old(args[0])]), want)?;
                    let two = self.spread(b, axes, with(&[Factor::Old(args[1])]), want)?;
                    return Ok(b.map2(*op, one, two)?);
                }
                Op::Map(op @ MapFn::Neg) => {
                    let x = self.spread(b, axes, with(&[Factor::Old(args[0])]), want)?;
                    return Ok(b.map1(*op, x)?);
                }
                Op::Map(op @ (MapFn::Re | MapFn::Im | MapFn::Conj)) => {
                    let mut others = factors.clone();
                    others.remove(n);
                    if let Some(mut others) = self.for_part(b, *op, &others)? {
                        others.push(Factor::Old(args[0]));
                        let x = self.spread(b, axes, others, want)?;
                        return Ok(b.map1(*op, x)?);
                    }
                }
                // What a matrix over time sees of a trajectory is its mask's business.
                Op::Map(MapFn::Select) if !self.dep[args[0].index()] && !is_pair(self.func, v) => {
                    if let Some(c) = self.image[args[0].index()] {
                        return self.chosen(b, axes, (c, args), with, want);
                    }
                }
                Op::Rename { from, to } if from.is_const() => {
                    let mut others = factors.clone();
                    others.remove(n);
                    let names = (*from, *to);
                    if let Some(mut others) = self.renamed(b, axes, &others, names, want)? {
                        others.push(Factor::Old(args[0]));
                        let old = |all: &[Axis]| -> Vec<Axis> {
                            let old = |a: &Axis| if a == to { *from } else { *a };
                            all.iter().map(old).collect()
                        };
                        let x = self.spread(b, &old(axes), others, &old(want))?;
                        return Ok(match want.contains(to) {
                            true => b.rename(x, *from, *to)?,
                            false => x,
                        });
                    }
                }
                Op::Map(MapFn::Mul) => {
                    return self.spread(
                        b,
                        axes,
                        with(&[Factor::Old(args[0]), Factor::Old(args[1])]),
                        want,
                    );
                }
                Op::Map(MapFn::Div) if !self.dep[args[1].index()] => {
                    let one = b.num(1.0);
                    let Some(den) = self.image[args[1].index()] else {
                        continue;
                    };
                    let inverse = b.div(one, den)?;
                    return self.spread(
                        b,
                        axes,
                        with(&[Factor::New(inverse), Factor::Old(args[0])]),
                        want,
                    );
                }
                _ => {}
            }
        }
        let args: Vec<ValueId> = factors.iter().filter_map(|f| self.made(*f)).collect();
        // An axis that no factor has any more would be a factor of its size: keep it by expanding one factor.
        let missing: Vec<Axis> = axes
            .iter()
            .copied()
            .filter(|x| args.iter().all(|v| !b.has(*v, *x)))
            .collect();
        let mut args = args;
        if let Some(first) = args.first_mut() {
            *first = b.expand(*first, &missing)?;
        }
        let v = b.contract(axes, &args)?;
        Ok(b.fill(v, want)?)
    }

    /// The factor in the new program.
    fn made(&self, f: Factor) -> Option<ValueId> {
        match f {
            Factor::Old(v) => self.image[v.index()],
            Factor::New(v) => Some(v),
        }
    }

    /// What stands beside a trajectory when a part of it is taken after the sum: real numbers go along, and the conjugate of
    /// a sum is the sum of conjugates. `None` where the part is of another number than the sum's.
    fn for_part(
        &self,
        b: &mut Builder,
        part: MapFn,
        others: &[Factor],
    ) -> Result<Option<Vec<Factor>>> {
        let mut all = vec![];
        for f in others {
            let Some(v) = self.made(*f) else {
                return Ok(None);
            };
            all.push(match (b.elem(v), part) {
                (Elem::Complex, MapFn::Conj) => Factor::New(b.map1(part, v)?),
                (Elem::Complex, _) => return Ok(None),
                _ => *f,
            });
        }
        Ok(Some(all))
    }

    /// `Σ f·select(c, x, y)` is `Σ f·[c]·x + Σ f·[not c]·y`; an arm that is 0 is left out.
    fn chosen(
        &mut self,
        b: &mut Builder,
        axes: &[Axis],
        (c, args): (ValueId, &[ValueId]),
        with: impl Fn(&[Factor]) -> Vec<Factor>,
        want: &[Axis],
    ) -> Result<ValueId> {
        let (zero, one) = (b.num(0.0), b.num(1.0));
        let when = [b.select(c, one, zero)?, b.select(c, zero, one)?];
        let mut all: Option<ValueId> = None;
        for (when, arm) in when.into_iter().zip(&args[1..]) {
            if self.func.everywhere(*arm) == Some(0.0) {
                continue;
            }
            let part = with(&[Factor::New(when), Factor::Old(*arm)]);
            let part = self.spread(b, axes, part, want)?;
            all = Some(match all {
                None => part,
                Some(sum) => b.add2(sum, part)?,
            });
        }
        match all {
            Some(sum) => Ok(sum),
            None => Ok(b.fill(zero, want)?),
        }
    }

    /// What stands beside a trajectory under its own names; `None` where one of them is taken.
    fn renamed(
        &self,
        b: &mut Builder,
        axes: &[Axis],
        others: &[Factor],
        (from, to): (Axis, Axis),
        want: &[Axis],
    ) -> Result<Option<Vec<Factor>>> {
        if axes.contains(&from) || want.contains(&from) {
            return Ok(None);
        }
        let mut all = vec![];
        for f in others {
            let Some(v) = self.made(*f) else {
                return Ok(None);
            };
            all.push(match (b.has(v, from), b.has(v, to)) {
                (true, _) => return Ok(None),
                (false, true) => Factor::New(b.rename(v, to, from)?),
                (false, false) => *f,
            });
        }
        Ok(Some(all))
    }
}
