//! A linear operation on a sum of products, done to the factors.

use super::{Products, is_product, undone};
use crate::Result;
use seqc_algebra::{Axis, Builder, Elem, MapFn, Op, ReduceOp, Ty, ValueId};

/// What is done to a value, linearly.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Linear {
    Op(Op),
    /// 0 where the condition does not hold; where it does.
    Where(ValueId),
    Unless(ValueId),
}

impl Linear {
    /// The axes along which it acts; none if it acts on each entry by itself.
    fn axes(&self) -> Vec<Axis> {
        match self {
            Linear::Op(
                Op::Shift { axis, .. }
                | Op::Window { axis, .. }
                | Op::Rename { from: axis, .. }
                | Op::Flip(axis)
                | Op::Pick { axis, .. }
                | Op::Place { axis, .. }
                | Op::Split { axis, .. },
            ) => vec![*axis],
            Linear::Op(Op::Merge { axes, .. }) => axes.clone(),
            _ => vec![],
        }
    }

    /// Does it put 0 where its argument has no entry?
    fn fills(&self) -> bool {
        matches!(
            self,
            Linear::Op(Op::Shift { .. } | Op::Window { .. } | Op::Place { .. })
        )
    }

    /// Does it act along other axes only?
    fn keeps(&self, axis: Axis) -> bool {
        self.condition().is_none() && !self.axes().contains(&axis)
    }

    fn part(&self) -> Option<MapFn> {
        match self {
            Linear::Op(Op::Map(f @ (MapFn::Re | MapFn::Im | MapFn::Conj))) => Some(*f),
            _ => None,
        }
    }

    fn condition(&self) -> Option<ValueId> {
        match self {
            Linear::Where(c) | Linear::Unless(c) => Some(*c),
            Linear::Op(_) => None,
        }
    }
}

type Made = Result<Option<ValueId>>;

impl Products {
    /// The operation on a value; `None` where it cannot be done to the factors.
    pub(super) fn applied(&mut self, b: &mut Builder, lin: &Linear, v: ValueId) -> Made {
        let key = (lin.clone(), v);
        if let Some(known) = self.done.get(&key) {
            return Ok(*known);
        }
        let new = self.applied_new(b, lin, v)?;
        self.see(b.func());
        self.done.insert(key, new);
        Ok(new)
    }

    fn applied_new(&mut self, b: &mut Builder, lin: &Linear, v: ValueId) -> Made {
        self.see(b.func());
        let args = b.func().args(v).to_vec();
        let down = self.outer(v) || lin.part().is_some() && self.of_state(v);
        if lin.part().is_some() && b.elem(v) != Elem::Complex {
            return Ok(Some(real_part(b, lin, v)?));
        }
        match b.func().op(v).clone() {
            Op::Map(f @ (MapFn::Add | MapFn::Sub)) if down => self.sum(b, lin, f, &args),
            Op::Map(MapFn::Neg) if down => match self.applied(b, lin, args[0])? {
                Some(x) => Ok(Some(b.neg(x)?)),
                None => Ok(None),
            },
            op if down && is_product(&op) => self.product(b, lin, &args),
            Op::Map(MapFn::Div) if down => self.quotient(b, lin, args[0], args[1]),
            Op::Expand(new) if down && !lin.axes().iter().any(|a| new.contains(a)) => {
                match self.applied(b, lin, args[0])? {
                    Some(x) => Ok(Some(b.fill(x, &new)?)),
                    None => Ok(None),
                }
            }
            Op::Merge { axes, into } if down && lin.keeps(into) => {
                match self.applied(b, lin, args[0])? {
                    Some(x) => Ok(Some(b.push(Op::Merge { axes, into }, &[x])?)),
                    None => Ok(None),
                }
            }
            _ => Ok(Some(leaf(b, lin, v)?)),
        }
    }

    fn sum(&mut self, b: &mut Builder, lin: &Linear, f: MapFn, args: &[ValueId]) -> Made {
        let mut parts = vec![];
        for a in args {
            // A number that fills an axis is a value along it.
            let a = if lin.axes().is_empty() || !(lin.fills() || lin.axes().len() > 1) {
                *a
            } else {
                b.fill(*a, &lin.axes())?
            };
            let acts = lin.axes().iter().all(|x| b.has(a, *x));
            match acts {
                false => parts.push(a),
                true => match self.applied(b, lin, a)? {
                    Some(x) => parts.push(x),
                    None => return Ok(None),
                },
            }
        }
        // What a condition gave to one of them, the other needs too.
        let axes = [b.axes(parts[0]), b.axes(parts[1])].concat();
        let x = b.fill(parts[0], &axes)?;
        Ok(Some(b.map2(f, x, parts[1])?))
    }

    fn product(&mut self, b: &mut Builder, lin: &Linear, args: &[ValueId]) -> Made {
        if let Some(f @ (MapFn::Re | MapFn::Im)) = lin.part() {
            return self.complex_product(b, f, args);
        }
        let mut all = vec![];
        let mut done = false;
        for a in args {
            let new = match self.acts(b, lin, *a) {
                Acts::No => *a,
                Acts::Yes => match self.applied(b, lin, *a)? {
                    Some(x) => {
                        done = true;
                        x
                    }
                    None => return Ok(None),
                },
                Acts::Cannot => return Ok(None),
            };
            all.push(new);
        }
        let own = lin.axes().is_empty() && lin.condition().is_none();
        match done || own {
            true => Ok(Some(multiplied(b, &all)?)),
            false => Ok(None),
        }
    }

    /// Is a factor of a product one that the operation acts on?
    fn acts(&self, b: &Builder, lin: &Linear, v: ValueId) -> Acts {
        if b.constant(v).is_some() {
            return Acts::No;
        }
        if let Some(c) = lin.condition() {
            return match b.axes(c).iter().all(|a| b.has(v, *a)) {
                true => Acts::Yes,
                false if may_be_infinite(b.func().op(v)) => Acts::Cannot,
                false => Acts::No,
            };
        }
        let axes = lin.axes();
        let has = axes.iter().filter(|a| b.has(v, **a)).count();
        match has {
            n if n == axes.len() => Acts::Yes,
            0 => Acts::No,
            _ => Acts::Cannot,
        }
    }

    /// `x / y` as `x` times what `y` divides by.
    fn quotient(&mut self, b: &mut Builder, lin: &Linear, x: ValueId, y: ValueId) -> Made {
        let part = lin.part().is_some_and(|f| f != MapFn::Conj);
        let number = lin.condition().is_some() && b.constant(x).is_some();
        let apart = lin.fills() || number || part && b.elem(y) == Elem::Complex;
        if apart && self.acts(b, lin, y) == Acts::Yes {
            let mut all = vec![x];
            all.extend(reciprocals(b, y)?);
            return self.product(b, lin, &all);
        }
        let top = match self.acts(b, lin, x) {
            Acts::Yes => self.applied(b, lin, x)?,
            Acts::No => Some(x),
            Acts::Cannot => None,
        };
        let below = match (self.acts(b, lin, y), lin.condition()) {
            (Acts::Cannot, _) => None,
            (Acts::No, Some(_)) if b.constant(y).is_none() => None,
            (Acts::No, _) => Some(y),
            (Acts::Yes, Some(c)) => {
                let one = b.num(1.0);
                Some(match lin {
                    Linear::Unless(_) => b.select(c, one, y)?,
                    _ => b.select(c, y, one)?,
                })
            }
            (Acts::Yes, None) if part => Some(y),
            (Acts::Yes, None) => self.applied(b, lin, y)?,
        };
        match (top, below) {
            (Some(top), Some(below)) => Ok(Some(b.div(top, below)?)),
            _ => Ok(None),
        }
    }

    /// A part of a product: reals go along, of two complex numbers `re = re re - im im`, `im = re im + im re`.
    fn complex_product(&mut self, b: &mut Builder, f: MapFn, args: &[ValueId]) -> Made {
        let (complex, mut all): (Vec<ValueId>, Vec<ValueId>) =
            (args.iter()).partition(|a| b.elem(**a) == Elem::Complex);
        let [first, rest @ ..] = complex.as_slice() else {
            return Ok(None);
        };
        if rest.is_empty() {
            let lin = Linear::Op(Op::Map(f));
            let Some(x) = self.applied(b, &lin, *first)? else {
                return Ok(None);
            };
            all.push(x);
            return Ok(Some(multiplied(b, &all)?));
        }
        let rest = multiplied(b, rest)?;
        let mut parts = vec![];
        for (v, f) in [
            (*first, MapFn::Re),
            (*first, MapFn::Im),
            (rest, MapFn::Re),
            (rest, MapFn::Im),
        ] {
            match self.applied(b, &Linear::Op(Op::Map(f)), v)? {
                Some(x) => parts.push(x),
                None => return Ok(None),
            }
        }
        let (x, y) = match f {
            MapFn::Re => ((parts[0], parts[2]), (parts[1], parts[3])),
            _ => ((parts[0], parts[3]), (parts[1], parts[2])),
        };
        let one = multiplied(b, &[&all[..], &[x.0, x.1]].concat())?;
        let two = multiplied(b, &[&all[..], &[y.0, y.1]].concat())?;
        Ok(Some(match f {
            MapFn::Re => b.sub(one, two)?,
            _ => b.add2(one, two)?,
        }))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Acts {
    Yes,
    No,
    /// On a part of its axes, or it has to be left out where it is not finite and cannot be.
    Cannot,
}

/// The operation on a value that is no product.
fn leaf(b: &mut Builder, lin: &Linear, v: ValueId) -> Result<ValueId> {
    if let Linear::Op(op) = lin
        && let Some(before) = undone(b, op, v)
    {
        return Ok(before);
    }
    let part = lin.part();
    if let (Some(f), Op::Map(MapFn::Complex)) = (part, b.func().op(v)) {
        let args = b.func().args(v).to_vec();
        let axes = b.axes(v).to_vec();
        match f {
            MapFn::Re => return Ok(b.fill(args[0], &axes)?),
            MapFn::Im => return Ok(b.fill(args[1], &axes)?),
            _ => {}
        }
    }
    let zero = Ty {
        elem: b.elem(v),
        axes: vec![],
    };
    Ok(match lin {
        Linear::Op(op) => b.push(op.clone(), &[v])?,
        Linear::Where(c) => {
            let zero = b.everywhere(0.0, &zero)?;
            b.select(*c, v, zero)?
        }
        Linear::Unless(c) => {
            let zero = b.everywhere(0.0, &zero)?;
            b.select(*c, zero, v)?
        }
    })
}

/// A part of a number that is real already.
fn real_part(b: &mut Builder, lin: &Linear, v: ValueId) -> Result<ValueId> {
    match lin.part() {
        Some(MapFn::Im) => Ok(b.everywhere(0.0, &b.ty(v).clone())?),
        _ => Ok(v),
    }
}

fn multiplied(b: &mut Builder, all: &[ValueId]) -> Result<ValueId> {
    let mut product = all[0];
    for v in &all[1..] {
        product = b.mul(product, *v)?;
    }
    Ok(product)
}

/// What dividing by a product multiplies by.
fn reciprocals(b: &mut Builder, y: ValueId) -> Result<Vec<ValueId>> {
    let args = b.func().args(y).to_vec();
    if is_product(b.func().op(y)) {
        let mut all = vec![];
        for a in args {
            all.extend(reciprocals(b, a)?);
        }
        return Ok(all);
    }
    let one = b.num(1.0);
    Ok(vec![b.div(one, y)?])
}

/// May it be no number where its arguments are?
fn may_be_infinite(op: &Op) -> bool {
    use MapFn::{Div, Exp, Expm1, Log, Log1p, Pow, Rem, Sqrt};
    matches!(
        op,
        Op::Map(Div | Exp | Expm1 | Log | Log1p | Pow | Rem | Sqrt)
            | Op::LogSumExp(_)
            | Op::Reduce(ReduceOp::Prod, _)
    )
}
