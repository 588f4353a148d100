//! Values read at other positions: a matrix's domain at the indices of a read, its diagonal, a function of what is
//! read some steps ago.
//!
//! What is pointwise in an axis is computed anew from its arguments there, so that a condition on indices is the same
//! condition on others; anything else is moved as a whole.

use crate::elab::Elab;
use crate::exists::Domain;
use crate::value::Dyn;
use seqc_algebra::{Axis, MapFn, Op, ReduceOp, ShapeError, Size, Sym, ValueId};
use seqc_syntax::Span;
use std::collections::HashMap;

/// Where the positions of an axis are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum To {
    /// At those of another, and so many further.
    At(Axis, i64),
    /// At the blocks of another, of so many positions.
    Block(Axis, usize),
}

impl To {
    pub fn axis(self) -> Axis {
        match self {
            To::At(a, _) | To::Block(a, _) => a,
        }
    }
}

pub type Moves = [(Axis, To)];

/// Images of values that were read at other positions.
type Images = HashMap<ValueId, ValueId>;

impl<'p> Elab<'p> {
    /// Domains as they are at the indices of a read.
    pub fn domains_at(
        &mut self,
        domains: &[Domain],
        moves: &Moves,
        span: Span,
    ) -> Option<Vec<Domain>> {
        let mut out = Vec::new();
        for d in domains {
            let image = |a: &Axis| moves.iter().find(|(from, _)| from == a);
            let mut over: Vec<Axis> = Vec::new();
            for a in &d.over {
                let to = image(a).map_or(*a, |(_, to)| to.axis());
                if !over.contains(&to) {
                    over.push(to);
                }
            }
            let mut conditions = Vec::new();
            for c in d.conditions.iter() {
                conditions.push(self.reread(c, moves, span)?);
            }
            for (_, to) in moves.iter().filter(|(from, _)| d.over.contains(from)) {
                conditions.extend(self.within(*to, span)?);
            }
            let from = None;
            out.push(Domain {
                over,
                conditions: self.pruned(conditions, from).into(),
                outside: d.outside.clone(),
            });
        }
        Some(out)
    }

    /// Entries beyond the ends of the document are outside of a domain.
    pub(crate) fn within(&mut self, to: To, span: Span) -> Option<Option<Dyn>> {
        let To::At(axis, by) = to else {
            return Some(None);
        };
        Some(match by {
            0 => None,
            ..0 => {
                let (at, first) = (self.iota(axis, span)?, self.number(-by as f64));
                Some(self.map2(MapFn::Ge, &at, &first, span)?)
            }
            _ => {
                let one = self.number(1.0);
                let ones = self.expand(&one, &[axis], span)?;
                Some(self.shift(&ones, axis, -by, None, span)?)
            }
        })
    }

    /// A value over some axes at other positions; two axes may become one.
    pub fn reread(&mut self, v: &Dyn, moves: &Moves, span: Span) -> Option<Dyn> {
        let known = |(from, to): &(Axis, To)| *to == To::At(*from, 0) || !self.has(v, *from);
        if moves.iter().all(known) {
            return Some(v.clone());
        }
        let mut images = Images::new();
        match self.image(v.depth, v.id, moves, &mut images) {
            Ok(id) => {
                let mut out = v.clone();
                (out.id, out.domains, out.zero) = (id, vec![], vec![]);
                for (from, to) in moves {
                    out.reach = match to {
                        To::At(to, by) => out.reach.shifted(*from, *by).renamed(from.name, to.name),
                        To::Block(of, _) => out.reach.renamed(from.name, of.name),
                    };
                }
                Some(out)
            }
            Err(e) => {
                self.shape_error(&e, span);
                None
            }
        }
    }

    fn image(
        &mut self,
        depth: usize,
        v: ValueId,
        moves: &Moves,
        images: &mut Images,
    ) -> Result<ValueId, ShapeError> {
        if let Some(image) = images.get(&v) {
            return Ok(*image);
        }
        let value = self.frames[depth].b.func().value(v).clone();
        let own: Vec<Axis> = moves.iter().map(|(from, _)| *from).collect();
        let own: Vec<Axis> = own.into_iter().filter(|a| value.ty.has(*a)).collect();
        let image = if own.is_empty() {
            v
        } else if let Op::Iota(axis) = value.op {
            let to = moves.iter().find(|(from, _)| *from == axis);
            self.coordinate_at(depth, to.map_or(To::At(axis, 0), |(_, to)| *to))?
        } else if let (Op::Rename { from, to }, Some((_, To::At(at, by)))) = (
            &value.op,
            moves.iter().find(|(a, _)| Some(a) == own.first()),
        ) && own == [*to]
            && (from == at || !self.frames[depth].b.has(value.args[0], *at))
        {
            let b = &mut self.frames[depth].b;
            let out = b.rename(value.args[0], *from, *at)?;
            b.shift(out, *at, -by)?
        } else if pointwise_in(&value.op, &own) {
            let mut args = Vec::new();
            for a in &value.args {
                args.push(self.image(depth, *a, moves, images)?);
            }
            self.pushed_at(depth, &value.op, &args, moves)?
        } else {
            self.moved(depth, v, moves, &own)?
        };
        images.insert(v, image);
        Ok(image)
    }

    /// The operation on arguments that were read at other positions.
    fn pushed_at(
        &mut self,
        depth: usize,
        op: &Op,
        args: &[ValueId],
        moves: &Moves,
    ) -> Result<ValueId, ShapeError> {
        let b = &mut self.frames[depth].b;
        if let Op::Expand(axes) = op {
            let image = |a: &Axis| {
                moves
                    .iter()
                    .find(|(from, _)| from == a)
                    .map(|(_, to)| to.axis())
            };
            let axes: Vec<Axis> = axes.iter().map(|a| image(a).unwrap_or(*a)).collect();
            return b.fill(args[0], &axes);
        }
        b.push(op.clone(), args)
    }

    fn coordinate_at(&mut self, depth: usize, to: To) -> Result<ValueId, ShapeError> {
        let b = &mut self.frames[depth].b;
        let at = b.iota(to.axis())?;
        match to {
            To::At(_, by) => {
                let by_ = b.num(by.unsigned_abs() as f64);
                match by {
                    ..0 => b.sub(at, by_),
                    _ => b.add2(at, by_),
                }
            }
            To::Block(_, size) => {
                let size = b.num(size as f64);
                let rest = b.map2(MapFn::Rem, at, size)?;
                let whole = b.sub(at, rest)?;
                b.div(whole, size)
            }
        }
    }

    /// A value as a whole at other positions.
    fn moved(
        &mut self,
        depth: usize,
        v: ValueId,
        moves: &Moves,
        own: &[Axis],
    ) -> Result<ValueId, ShapeError> {
        let b = &mut self.frames[depth].b;
        let of = |a: &Axis| moves.iter().find(|(from, _)| from == a).map(|(_, to)| *to);
        // Through names that nothing else has: the axes may be exchanged.
        let through = |a: &Axis| a.renamed(&format!("{}~", a.name));
        let mut out = v;
        for a in own {
            out = b.rename(out, *a, through(a))?;
        }
        for a in own {
            let from = through(a);
            match of(a) {
                Some(To::At(to, by)) if b.has(out, to) => {
                    // The entries at which both are read.
                    out = b.shift(out, from, -by)?;
                    let (one, other) = (b.iota(from)?, b.iota(to)?);
                    let (same, zero) = (b.map2(MapFn::Eq, one, other)?, b.num(0.0));
                    let kept = b.select(same, out, zero)?;
                    out = b.sum(&[from], kept)?;
                }
                Some(To::At(to, by)) => {
                    out = b.rename(out, from, to)?;
                    out = b.shift(out, to, -by)?;
                }
                Some(To::Block(axis, size)) => {
                    let within = Axis {
                        name: Sym::new("block%"),
                        size: Size::Const(size),
                    };
                    let wide = b.expand(out, &[within])?;
                    let ticks = from;
                    out = b.push(
                        Op::Unpatch {
                            ticks,
                            within,
                            axis,
                        },
                        &[wide],
                    )?;
                }
                None => {}
            }
        }
        Ok(out)
    }

    /// A pointwise function of what is read so many steps ago, as what the function is of what is read, that many steps
    /// ago: `silu(x[t - lag])` of `silu(x)`. Only where it is put 0 beyond the ends.
    pub fn unwindowed(&mut self, v: &Dyn, time: Axis, lag: Axis, span: Span) -> Option<Dyn> {
        let func = self.frames[v.depth].b.func();
        if matches!(func.op(v.id), Op::Window { .. }) {
            return None;
        }
        let mut sides = Vec::new();
        if !only_windows(func, v.id, (time, lag), &mut sides, &mut HashMap::new()) {
            return None;
        }
        let [ahead, rest @ ..] = sides.as_slice() else {
            return None;
        };
        let ahead = *ahead;
        if rest.iter().any(|a| *a != ahead) {
            return None;
        }
        let mut images = Images::new();
        let id = self.before_window(v.depth, v.id, lag, &mut images).ok()?;
        let axis = time;
        let id = self.frames[v.depth]
            .b
            .push(Op::Window { axis, lag, ahead }, &[id]);
        match id {
            Ok(id) => Some(Dyn { id, ..v.clone() }),
            Err(e) => {
                self.shape_error(&e, span);
                None
            }
        }
    }

    fn before_window(
        &mut self,
        depth: usize,
        v: ValueId,
        lag: Axis,
        images: &mut Images,
    ) -> Result<ValueId, ShapeError> {
        if let Some(image) = images.get(&v) {
            return Ok(*image);
        }
        let value = self.frames[depth].b.func().value(v).clone();
        let image = if !value.ty.has(lag) {
            v
        } else if let Op::Window { .. } = value.op {
            value.args[0]
        } else {
            let mut args = Vec::new();
            for a in &value.args {
                args.push(self.before_window(depth, *a, lag, images)?);
            }
            self.frames[depth].b.push(value.op, &args)?
        };
        images.insert(v, image);
        Ok(image)
    }
}

/// Does the value change with the time and the lag only through reads at the lag? Of which sides these are.
fn only_windows(
    func: &seqc_algebra::Func,
    v: ValueId,
    (time, lag): (Axis, Axis),
    sides: &mut Vec<bool>,
    known: &mut HashMap<ValueId, bool>,
) -> bool {
    if let Some(k) = known.get(&v) {
        return *k;
    }
    let ty = func.ty(v);
    let out = match func.op(v) {
        _ if !ty.has(time) && !ty.has(lag) => true,
        Op::Window {
            axis,
            lag: by,
            ahead,
        } if (*axis, *by) == (time, lag) => {
            sides.push(*ahead);
            true
        }
        Op::Expand(of) if of.contains(&time) || of.contains(&lag) => false,
        op if pointwise_in(op, &[time, lag]) => {
            (func.args(v).iter()).all(|a| only_windows(func, *a, (time, lag), sides, known))
        }
        _ => false,
    };
    known.insert(v, out);
    out
}

/// Is the operation one of each position of these axes alone?
fn pointwise_in(op: &Op, axes: &[Axis]) -> bool {
    let free = |of: &[Axis]| of.iter().all(|a| !axes.contains(a));
    match op {
        Op::Map(_) | Op::Stack(_) => true,
        // An expansion is given again where it is read.
        Op::Expand(_) => true,
        Op::Contract(of) | Op::Reduce(ReduceOp::Sum, of) | Op::Reduce(_, of) => free(of),
        Op::Softmax(a) | Op::LogSumExp(a) | Op::TopMask(a, _) | Op::Gather(a) => free(&[*a]),
        Op::Rename { from, to } => free(&[*from, *to]),
        Op::Split { axis, into } => free(&[*axis]) && free(into),
        Op::Merge { axes: of, into } => free(of) && free(&[*into]),
        Op::Pick { axis, .. } | Op::Place { axis, .. } => free(&[*axis]),
        _ => false,
    }
}
