//! Running scans: slicing sequences into steps or tiles, carrying states, laying results along the axis.
//!
//! Invariants kept here: positions outside the sequence read `fill` and are never written; steps that the bounds
//! leave out change no state and emit 0; the entering states of steps left out are the carried ones.

use crate::axis::Axis;
use crate::complex::{C64, Scalar};
use crate::exact::Exact;
use crate::func::{Elem, ValueId};
use crate::interp::{Cache, EvalError, Plan, length};
use crate::op::{Out, Scan};
use crate::ops::place;
use crate::shape;
use crate::tensor::{Data, Kind, Tensor, copy_box, filled, strides};
use std::rc::Rc;

type Result<T> = std::result::Result<T, EvalError>;

fn bad(message: &str) -> EvalError {
    EvalError {
        trail: vec![],
        at: vec![],
        message: message.to_owned(),
    }
}

/// How a scan's axis is cut.
struct Steps {
    /// Length of the sequence, of one step, and the number of steps.
    len: usize,
    tile: usize,
    count: usize,
    /// Steps `from..to` are run.
    from: usize,
    to: usize,
}

/// All results of a scan, in the order of `scan.outs`.
pub(crate) fn run(scan: &Scan, body: &Plan, args: &[Rc<Tensor>]) -> Result<Vec<Rc<Tensor>>> {
    let first_fixed = scan.states + scan.seqs.len();
    let bounds = first_fixed + scan.fixed;
    if args.len() != bounds + usize::from(scan.lo) + usize::from(scan.hi)
        || body.func.params.len() != bounds + 1
    {
        return Err(bad("a scan's operands do not match its body"));
    }
    let steps = cut(scan, body, args, bounds)?;
    let starts = args.iter().zip(&body.func.params[1..]).take(scan.states);
    let mut states: Vec<Rc<Tensor>> = starts
        .map(|(a, p)| fit(a, body, *p))
        .collect::<Result<_>>()?;
    let fixed: Vec<Rc<Tensor>> = (first_fixed..bounds)
        .map(|k| fit(&args[k], body, body.func.params[k + 1]))
        .collect::<Result<_>>()?;
    let mut outs = Outs::new(scan, body, &steps)?;
    let mut cache = Cache::default();
    for s in 0..steps.count {
        let step = if scan.reverse { steps.count - 1 - s } else { s };
        outs.enter(step, &states)?;
        if step < steps.from || step >= steps.to {
            continue;
        }
        let mut params = vec![Rc::new(Tensor::scalar((step * steps.tile) as f64))];
        params.extend(states.iter().cloned());
        for (k, seq) in scan.seqs.iter().enumerate() {
            let x = &args[scan.states + k];
            let ty = body.func.ty(body.func.params[1 + scan.states + k]);
            params.push(Rc::new(slice(scan, &steps, step, x, &ty.axes, seq.fill.0)?));
        }
        params.extend(fixed.iter().cloned());
        let mut results = body.eval(params, &mut cache)?;
        let emitted = results.split_off(scan.states);
        for (k, t) in results.into_iter().enumerate() {
            states[k] = fit(&t, body, body.func.params[k + 1])?;
        }
        outs.emit(step, &steps, &emitted)?;
    }
    // The type of a final state is that of its start, axis order included.
    let finals = states
        .iter()
        .zip(args)
        .map(|(t, a)| Ok(Rc::new(t.ordered(&a.axes)?.into_owned())))
        .collect::<Result<Vec<_>>>()?;
    outs.finish(&finals)
}

/// A value in the layout and kind of a parameter of the body.
fn fit(t: &Rc<Tensor>, body: &Plan, param: ValueId) -> Result<Rc<Tensor>> {
    let ty = body.func.ty(param);
    let complex = ty.elem == Elem::Complex;
    if t.axes == ty.axes && (t.is_complex() == complex || t.kind() == Kind::Exact) {
        return Ok(t.clone());
    }
    let t = t.ordered(&ty.axes)?;
    Ok(Rc::new(if complex {
        t.to_complex().into_owned()
    } else {
        t.into_owned()
    }))
}

fn cut(scan: &Scan, body: &Plan, args: &[Rc<Tensor>], bounds: usize) -> Result<Steps> {
    let len = length(scan.axis, body.sizes)?;
    let tile = match scan.tile {
        None => 1,
        Some(axis) => axis
            .size
            .constant()
            .filter(|n| *n > 0)
            .ok_or_else(|| bad("a tile needs a positive constant size"))?,
    };
    let count = len.div_ceil(tile);
    let scalar = |k: usize| {
        let one = match &args[k].data {
            Data::Real(d) if d.len() == 1 => Some(d[0]),
            Data::Exact(d) if d.len() == 1 => d[0].whole(),
            _ => None,
        };
        one.ok_or_else(|| bad("a bound of a scan must be one real number"))
    };
    let (mut from, mut to) = (0, count);
    if scan.lo {
        // The first step that holds a position >= lo.
        let lo = scalar(bounds)?.ceil().max(0.0);
        from = ((lo as usize) / tile).min(count);
    }
    if scan.hi {
        let hi = scalar(bounds + usize::from(scan.lo))?.ceil().max(0.0);
        to = (hi as usize).div_ceil(tile).min(count);
    }
    Ok(Steps {
        len,
        tile,
        count,
        from,
        to,
    })
}

/// What the body reads of a sequence in one step: the tile with its outside filled, or one entry.
fn slice(
    scan: &Scan,
    steps: &Steps,
    step: usize,
    x: &Tensor,
    axes: &[Axis],
    fill: f64,
) -> Result<Tensor> {
    let along = if x.axes.contains(&scan.axis) {
        scan.axis
    } else {
        shape::tiles(scan.axis, steps.tile)
    };
    let tiled = scan.tile.filter(|c| along == scan.axis && axes.contains(c));
    let mut dims = Vec::with_capacity(axes.len());
    for a in axes {
        dims.push(if Some(*a) == tiled {
            steps.tile
        } else {
            x.len_of(*a)?
        });
    }
    let Some(c) = tiled else {
        return Ok(place::pick(
            along,
            step,
            x,
            crate::ops::Place { axes, shape: &dims },
        )?);
    };
    let from = step * steps.tile;
    let valid = steps.tile.min(steps.len.saturating_sub(from));
    let names: Vec<Axis> = axes
        .iter()
        .map(|a| if *a == c { scan.axis } else { *a })
        .collect();
    let mut part = dims.clone();
    for (a, n) in axes.iter().zip(&mut part) {
        if *a == c {
            *n = valid;
        }
    }
    let src = strides(&x.axes, &x.shape, &names);
    let start = from as isize * strides(&x.axes, &x.shape, &[scan.axis])[0];
    let own = crate::tensor::row_major(&dims);
    let total = crate::tensor::count(&dims)?;
    fn part_of<S: Scalar>(
        n: usize,
        fill: f64,
        copy: impl FnOnce(&mut [S]),
    ) -> std::result::Result<Vec<S>, String> {
        let mut out = filled(n, S::of(fill))?;
        copy(&mut out);
        Ok(out)
    }
    let data = match &x.data {
        Data::Real(d) => Data::Real(part_of::<f64>(total, fill, |o| {
            copy_box(&part, o, &own, 0, d, &src, start)
        })?),
        Data::Complex(d) => Data::Complex(part_of::<C64>(total, fill, |o| {
            copy_box(&part, o, &own, 0, d, &src, start)
        })?),
        Data::Exact(d) => Data::Exact(part_of::<Exact>(total, fill, |o| {
            copy_box(&part, o, &own, 0, d, &src, start)
        })?),
    };
    Ok(Tensor {
        axes: axes.to_vec(),
        shape: dims,
        data,
    })
}

/// The results being filled.
struct Outs<'a> {
    scan: &'a Scan,
    /// None for `Final`.
    buffers: Vec<Option<Tensor>>,
    along: Axis,
}

impl<'a> Outs<'a> {
    fn new(scan: &'a Scan, body: &Plan, steps: &Steps) -> Result<Outs<'a>> {
        let along = if scan.tile.is_some() {
            shape::tiles(scan.axis, steps.tile)
        } else {
            scan.axis
        };
        let mut buffers = Vec::with_capacity(scan.outs.len());
        for out in &scan.outs {
            let inner = match out {
                Out::Final(_) => {
                    buffers.push(None);
                    continue;
                }
                Out::Enter(k) => body.func.params.get(k + 1),
                Out::Emit(e) => body.func.results.get(scan.states + e).map(|(_, v)| v),
            };
            let ty = body
                .func
                .ty(*inner.ok_or_else(|| bad("a scan has no such result"))?);
            let whole = matches!(out, Out::Emit(_)) && scan.tile.is_some_and(|c| ty.has(c));
            let axes = match scan.tile {
                Some(c) if whole => ty
                    .axes
                    .iter()
                    .map(|a| if *a == c { scan.axis } else { *a })
                    .collect(),
                _ => [along]
                    .into_iter()
                    .chain(ty.axes.iter().copied())
                    .collect::<Vec<_>>(),
            };
            let axes = shape::canonical(axes);
            let mut dims = Vec::with_capacity(axes.len());
            for a in &axes {
                let n = if *a == scan.axis {
                    steps.len
                } else if *a == along {
                    steps.count
                } else {
                    length(*a, body.sizes)?
                };
                dims.push(n);
            }
            buffers.push(Some(Tensor::zeros(&axes, &dims, ty.elem)?));
        }
        Ok(Outs {
            scan,
            buffers,
            along,
        })
    }

    fn enter(&mut self, step: usize, states: &[Rc<Tensor>]) -> Result<()> {
        for (out, buffer) in self.scan.outs.iter().zip(&mut self.buffers) {
            if let (Out::Enter(k), Some(buffer)) = (out, buffer) {
                place::put(buffer, self.along, step, &states[*k])?;
            }
        }
        Ok(())
    }

    fn emit(&mut self, step: usize, steps: &Steps, emitted: &[Rc<Tensor>]) -> Result<()> {
        for (out, buffer) in self.scan.outs.iter().zip(&mut self.buffers) {
            let (Out::Emit(e), Some(buffer)) = (out, buffer) else {
                continue;
            };
            let x = emitted
                .get(*e)
                .ok_or_else(|| bad("the body emits too little"))?;
            match self.scan.tile {
                Some(c) if x.axes.contains(&c) => {
                    write_tile(buffer, self.scan.axis, c, step, steps, x)?
                }
                _ => place::put(buffer, self.along, step, x)?,
            }
        }
        Ok(())
    }

    fn finish(self, states: &[Rc<Tensor>]) -> Result<Vec<Rc<Tensor>>> {
        let finals = self.scan.outs.iter().zip(self.buffers);
        finals
            .map(|(out, buffer)| match (out, buffer) {
                (Out::Final(k), _) => states
                    .get(*k)
                    .cloned()
                    .ok_or_else(|| bad("a scan has no such state")),
                (_, Some(t)) => Ok(Rc::new(t)),
                _ => Err(bad("a scan has no such result")),
            })
            .collect()
    }
}

/// Lays a tile along the axis; what lies outside the sequence is dropped.
fn write_tile(
    buffer: &mut Tensor,
    axis: Axis,
    c: Axis,
    step: usize,
    steps: &Steps,
    x: &Tensor,
) -> Result<()> {
    let from = step * steps.tile;
    let valid = steps.tile.min(steps.len.saturating_sub(from));
    let part: Vec<usize> = x
        .axes
        .iter()
        .zip(&x.shape)
        .map(|(a, n)| if *a == c { valid } else { *n })
        .collect();
    let names: Vec<Axis> = x
        .axes
        .iter()
        .map(|a| if *a == c { axis } else { *a })
        .collect();
    let own = strides(&buffer.axes, &buffer.shape, &names);
    let start = from as isize * strides(&buffer.axes, &buffer.shape, &[axis])[0];
    let src = crate::tensor::row_major(&x.shape);
    match (&mut buffer.data, &x.data) {
        (Data::Real(o), Data::Real(x)) => copy_box(&part, o, &own, start, x, &src, 0),
        (Data::Complex(o), Data::Complex(x)) => copy_box(&part, o, &own, start, x, &src, 0),
        (Data::Exact(o), Data::Exact(x)) => copy_box(&part, o, &own, start, x, &src, 0),
        (_, Data::Exact(_)) | (Data::Exact(_), _) => {
            *buffer = buffer.to_exact()?.into_owned();
            return write_tile(buffer, axis, c, step, steps, &*x.to_exact()?);
        }
        _ => return Err(bad("an emitted value changes its kind")),
    }
    Ok(())
}
