//! Shape rules: the type of each operation from the types of its arguments, or what is wrong.
//!
//! Result axes are put in canonical order: `batch`, then axes of run-time length, then constant ones, each group
//! in order of first appearance (the argument with most axes first). That is the default layout of buffers.

use crate::axis::{Axis, Size, Sym};
use crate::func::{Elem, Func, Ty, ValueId};
use crate::op::{MapFn, Op, Out, ReduceOp, Scan};
use std::fmt;

/// Why an operation has no type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShapeError {
    /// The same name with two sizes.
    Clash {
        name: Sym,
        one: Size,
        other: Size,
    },
    /// The argument lacks the axis.
    Missing {
        axis: Axis,
        arg: usize,
    },
    /// The result would have the axis twice.
    Duplicate(Axis),
    /// Sizes do not multiply up.
    Sizes {
        axis: Axis,
        parts: Vec<Axis>,
    },
    Index {
        axis: Axis,
        index: usize,
    },
    Arity {
        op: String,
        want: usize,
        got: usize,
    },
    /// A scan whose body does not fit its arguments.
    Body(String),
    Complex(String),
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShapeError::Clash { name, one, other } => write!(
                f,
                "axis `{name}` has size {one} in one operand and {other} in another"
            ),
            ShapeError::Missing { axis, arg } => {
                write!(f, "operand {arg} has no axis `{}`", axis.name)
            }
            ShapeError::Duplicate(axis) => write!(f, "axis `{}` would appear twice", axis.name),
            ShapeError::Sizes { axis, parts } => {
                let parts: Vec<String> = parts.iter().map(Axis::to_string).collect();
                write!(
                    f,
                    "`{axis}` does not have as many positions as {} together",
                    parts.join(", ")
                )
            }
            ShapeError::Index { axis, index } => {
                write!(f, "index {index} is outside axis `{axis}`")
            }
            ShapeError::Arity { op, want, got } => {
                write!(f, "{op} takes {want} operands, got {got}")
            }
            ShapeError::Body(why) | ShapeError::Complex(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for ShapeError {}

/// How many operands a pointwise function takes.
pub fn arity(f: MapFn) -> usize {
    use MapFn::*;
    match f {
        Neg | Abs | Sign | Floor | Exp | Expm1 | Log | Log1p | Sqrt | Sin | Cos | Tanh
        | Sigmoid | LogSigmoid | Softplus | Erf | Stop | Not | BitLen | Re | Im | Conj => 1,
        Select => 3,
        _ => 2,
    }
}

/// Union of the arguments' axes in canonical order; a name with two sizes is an error.
pub fn union<'a>(types: impl IntoIterator<Item = &'a Ty>) -> Result<Vec<Axis>, ShapeError> {
    let mut types: Vec<&Ty> = types.into_iter().collect();
    types.sort_by_key(|t| std::cmp::Reverse(t.axes.len()));
    let mut axes: Vec<Axis> = Vec::new();
    for a in types.iter().flat_map(|t| &t.axes) {
        match axes.iter().find(|b| b.name == a.name) {
            None => axes.push(*a),
            Some(b) if b.size == a.size => {}
            Some(b) => {
                return Err(ShapeError::Clash {
                    name: a.name,
                    one: b.size,
                    other: a.size,
                });
            }
        }
    }
    Ok(canonical(axes))
}

/// `batch`, run-time lengths, constants; stable.
pub fn canonical(mut axes: Vec<Axis>) -> Vec<Axis> {
    axes.sort_by_key(|a| match a.size {
        Size::Len(s) if s.as_str() == "batch" => 0,
        Size::Len(_) | Size::Tiles(..) | Size::Times { .. } => 1,
        Size::Const(_) => 2,
    });
    axes
}

fn need(ty: &Ty, axis: Axis, arg: usize) -> Result<(), ShapeError> {
    if ty.has(axis) {
        return Ok(());
    }
    match ty.axes.iter().find(|a| a.name == axis.name) {
        Some(a) => Err(ShapeError::Clash {
            name: axis.name,
            one: a.size,
            other: axis.size,
        }),
        None => Err(ShapeError::Missing { axis, arg }),
    }
}

fn without(ty: &Ty, axes: &[Axis]) -> Vec<Axis> {
    ty.axes
        .iter()
        .copied()
        .filter(|a| !axes.contains(a))
        .collect()
}

/// Replaces one axis by others in place.
fn replaced(ty: &Ty, axis: Axis, by: &[Axis]) -> Result<Vec<Axis>, ShapeError> {
    let mut out = Vec::new();
    for a in &ty.axes {
        if *a == axis {
            out.extend_from_slice(by);
        } else {
            out.push(*a);
        }
    }
    distinct(out)
}

fn distinct(axes: Vec<Axis>) -> Result<Vec<Axis>, ShapeError> {
    for (i, a) in axes.iter().enumerate() {
        if axes[..i].iter().any(|b| b.name == a.name) {
            return Err(ShapeError::Duplicate(*a));
        }
    }
    Ok(axes)
}

fn multiply_up(axis: Axis, parts: &[Axis]) -> Result<(), ShapeError> {
    let total = parts.iter().try_fold(1usize, |n, a| {
        a.size.constant().and_then(|m| n.checked_mul(m))
    });
    if total.is_some() && total == axis.size.constant() {
        return Ok(());
    }
    // A single part may also be the same run-time length under another name.
    if let [one] = parts
        && one.size == axis.size
    {
        return Ok(());
    }
    Err(ShapeError::Sizes {
        axis,
        parts: parts.to_vec(),
    })
}

/// The axis of tiles of `axis`: `t` in tiles of 16 is `t~16`.
pub fn tiles(axis: Axis, tile: usize) -> Axis {
    Axis {
        name: Sym::new(&format!("{}~{tile}", axis.name)),
        size: axis.size.tiled(tile),
    }
}

/// Do tiles of `within` steps of `axis` make up `ticks`?
fn makes_ticks(axis: Axis, ticks: Axis, within: Axis) -> Result<(), ShapeError> {
    let tile = within.size.constant().filter(|n| *n > 0);
    match tile.map(|n| axis.size.tiled(n) == ticks.size) {
        Some(true) => Ok(()),
        _ => Err(ShapeError::Sizes {
            axis,
            parts: vec![ticks, within],
        }),
    }
}

/// The type of `op` applied to `args`.
pub fn infer(func: &Func, op: &Op, args: &[ValueId]) -> Result<Ty, ShapeError> {
    let ty = |k: usize| func.ty(args[k]);
    let want = match op {
        Op::Input(_) | Op::Const(_) | Op::Iota(_) | Op::Length(_) => Some(0),
        Op::Map(f) => Some(arity(*f)),
        Op::Contract(_) | Op::Stack(_) | Op::Scan(_) => None,
        Op::Gather(_)
        | Op::ScatterAdd { .. }
        | Op::Solve { .. }
        | Op::Conv { .. }
        | Op::ConvKernel { .. } => Some(2),
        Op::Online(_) => Some(4),
        _ => Some(1),
    };
    let none = args.is_empty() && matches!(op, Op::Contract(_) | Op::Stack(_));
    if want.is_some_and(|w| w != args.len()) || none {
        return Err(ShapeError::Arity {
            op: format!("{op:?}"),
            want: want.unwrap_or(1),
            got: args.len(),
        });
    }
    let complex = args.iter().any(|a| func.ty(*a).elem == Elem::Complex);
    let elem = if complex { Elem::Complex } else { Elem::Real };
    let axes = match op {
        Op::Input(_) => {
            return Err(ShapeError::Body(
                "an input is made by Builder::input".into(),
            ));
        }
        Op::Const(_) | Op::Length(_) => vec![],
        Op::Iota(a) => vec![*a],
        Op::Map(f) => {
            let axes = union(args.iter().map(|a| func.ty(*a)))?;
            let elem = match f {
                MapFn::Re | MapFn::Im | MapFn::Abs => Elem::Real,
                MapFn::Complex => Elem::Complex,
                _ => elem,
            };
            return Ok(Ty { elem, axes });
        }
        Op::Reduce(op, over) => {
            for a in over {
                need(ty(0), *a, 0)?;
            }
            if matches!(op, ReduceOp::ArgMax | ReduceOp::ArgMin) && over.len() != 1 {
                return Err(ShapeError::Arity {
                    op: "argmax".into(),
                    want: 1,
                    got: over.len(),
                });
            }
            without(ty(0), over)
        }
        Op::Contract(over) => {
            let all = union(args.iter().map(|a| func.ty(*a)))?;
            let all = Ty { elem, axes: all };
            for a in over {
                need(&all, *a, 0)?;
            }
            without(&all, over)
        }
        Op::Softmax(a) | Op::TopMask(a, _) | Op::Flip(a) | Op::Shift { axis: a, .. } => {
            need(ty(0), *a, 0)?;
            ty(0).axes.clone()
        }
        Op::LogSumExp(a) => {
            need(ty(0), *a, 0)?;
            without(ty(0), &[*a])
        }
        Op::Expand(new) => canonical(distinct(ty(0).axes.iter().chain(new).copied().collect())?),
        Op::Rename { from, to } => {
            need(ty(0), *from, 0)?;
            multiply_up(*from, &[*to])?;
            replaced(ty(0), *from, &[*to])?
        }
        Op::Split { axis, into } => {
            need(ty(0), *axis, 0)?;
            multiply_up(*axis, into)?;
            replaced(ty(0), *axis, into)?
        }
        Op::Merge { axes, into } => {
            for a in axes {
                need(ty(0), *a, 0)?;
            }
            multiply_up(*into, axes)?;
            // The merged axis takes the place of the first of its parts.
            let mut out = Vec::new();
            for a in &ty(0).axes {
                if !axes.contains(a) {
                    out.push(*a);
                } else if !out.contains(into) {
                    out.push(*into);
                }
            }
            if axes.is_empty() {
                out.push(*into);
            }
            distinct(out)?
        }
        Op::Patch {
            axis,
            ticks,
            within,
        } => {
            need(ty(0), *axis, 0)?;
            makes_ticks(*axis, *ticks, *within)?;
            canonical(replaced(ty(0), *axis, &[*ticks, *within])?)
        }
        Op::Unpatch {
            ticks,
            within,
            axis,
        } => {
            need(ty(0), *ticks, 0)?;
            need(ty(0), *within, 0)?;
            makes_ticks(*axis, *ticks, *within)?;
            let rest = Ty {
                elem,
                axes: without(ty(0), &[*within]),
            };
            canonical(replaced(&rest, *ticks, &[*axis])?)
        }
        Op::Window { axis, lag, .. } => {
            need(ty(0), *axis, 0)?;
            canonical(distinct(
                ty(0).axes.iter().copied().chain([*lag]).collect(),
            )?)
        }
        Op::Unwindow { axis, lag, .. } => {
            need(ty(0), *axis, 0)?;
            need(ty(0), *lag, 0)?;
            without(ty(0), &[*lag])
        }
        Op::Pick { axis, index } => {
            need(ty(0), *axis, 0)?;
            if axis.size.constant().is_none_or(|n| *index >= n) {
                return Err(ShapeError::Index {
                    axis: *axis,
                    index: *index,
                });
            }
            without(ty(0), &[*axis])
        }
        Op::Place { axis, index } => {
            if axis.size.constant().is_none_or(|n| *index >= n) {
                return Err(ShapeError::Index {
                    axis: *axis,
                    index: *index,
                });
            }
            distinct(ty(0).axes.iter().copied().chain([*axis]).collect())?
        }
        Op::Stack(axis) => {
            if axis.size.constant() != Some(args.len()) {
                return Err(ShapeError::Sizes {
                    axis: *axis,
                    parts: vec![],
                });
            }
            let all = union(args.iter().map(|a| func.ty(*a)))?;
            canonical(distinct(all.into_iter().chain([*axis]).collect())?)
        }
        Op::Gather(axis) => {
            need(ty(0), *axis, 0)?;
            let table = Ty {
                elem,
                axes: without(ty(0), &[*axis]),
            };
            union([ty(1), &table])?
        }
        Op::ScatterAdd { axis, over } => {
            let all = Ty {
                elem,
                axes: union([ty(0), ty(1)])?,
            };
            for a in over {
                need(&all, *a, 0)?;
            }
            canonical(distinct(
                [*axis].into_iter().chain(without(&all, over)).collect(),
            )?)
        }
        Op::Solve {
            row,
            col,
            transpose: _,
        } => {
            need(ty(0), *row, 0)?;
            need(ty(0), *col, 0)?;
            need(ty(1), *row, 1)?;
            let l = Ty {
                elem,
                axes: without(ty(0), &[*col]),
            };
            union([ty(1), &l])?
        }
        Op::Conv { axis, lag, .. } => {
            need(ty(0), *lag, 0)?;
            need(ty(1), *axis, 1)?;
            let f = Ty {
                elem,
                axes: without(ty(0), &[*lag]),
            };
            union([ty(1), &f])?
        }
        Op::Online(axis) => {
            need(ty(0), *axis, 0)?;
            need(ty(1), *axis, 1)?;
            let of = |k: usize| Ty {
                elem,
                axes: without(ty(k), &[*axis]),
            };
            union([&of(1), &of(0), ty(2)])?
        }
        Op::ConvKernel {
            axis, lag, over, ..
        } => {
            need(ty(0), *axis, 0)?;
            need(ty(1), *axis, 1)?;
            let all = Ty {
                elem,
                axes: union([ty(0), ty(1)])?,
            };
            let mut out = without(&all, &[&[*axis], over.as_slice()].concat());
            out.insert(0, *lag);
            canonical(distinct(out)?)
        }
        Op::Scan(scan) => {
            check_scan(func, scan, args)?;
            vec![]
        }
        Op::Proj(k) => return proj(func, args[0], *k),
    };
    Ok(Ty { elem, axes })
}

/// The type of the k-th result of a scan.
fn proj(func: &Func, of: ValueId, k: usize) -> Result<Ty, ShapeError> {
    let Op::Scan(scan) = func.op(of) else {
        return Err(ShapeError::Body(
            "proj of something that is not a scan".into(),
        ));
    };
    let Some(out) = scan.outs.get(k) else {
        return Err(ShapeError::Body(format!("the scan has no result {k}")));
    };
    let state = |s: usize| func.ty(func.args(of)[s]).clone();
    let tile = scan.tile.and_then(|c| c.size.constant());
    let along = match tile {
        Some(c) => tiles(scan.axis, c),
        None => scan.axis,
    };
    match out {
        Out::Final(s) => Ok(state(*s)),
        Out::Enter(s) => {
            let s = state(*s);
            Ok(Ty {
                elem: s.elem,
                axes: canonical(distinct([along].into_iter().chain(s.axes).collect())?),
            })
        }
        Out::Emit(e) => {
            let Some((_, v)) = scan.body.results.get(scan.states + e) else {
                return Err(ShapeError::Body(format!(
                    "the scan's body has no emitted value {e}"
                )));
            };
            let ty = scan.body.ty(*v);
            let axes = match scan.tile {
                Some(c) if ty.has(c) => replaced(ty, c, &[scan.axis])?,
                _ => distinct([along].into_iter().chain(ty.axes.iter().copied()).collect())?,
            };
            Ok(Ty {
                elem: ty.elem,
                axes: canonical(axes),
            })
        }
    }
}

/// Does the body fit the arguments?
fn check_scan(func: &Func, scan: &Scan, args: &[ValueId]) -> Result<(), ShapeError> {
    let bounds = usize::from(scan.lo) + usize::from(scan.hi);
    let want = scan.states + scan.seqs.len() + scan.fixed + bounds;
    if args.len() != want {
        return Err(ShapeError::Arity {
            op: "scan".into(),
            want,
            got: args.len(),
        });
    }
    let tile = scan.tile.and_then(|c| c.size.constant());
    if scan.tile.is_some() && tile.is_none_or(|c| c == 0) {
        return Err(ShapeError::Body(
            "the tile of a scan needs a positive constant size".into(),
        ));
    }
    if args[want - bounds..]
        .iter()
        .any(|b| !func.ty(*b).same(&Ty::real(vec![])))
    {
        return Err(ShapeError::Body(
            "a bound of a scan is one real number".into(),
        ));
    }
    let body = &scan.body;
    if body.params.len() != 1 + scan.states + scan.seqs.len() + scan.fixed {
        return Err(ShapeError::Arity {
            op: "scan body".into(),
            want: want + 1 - bounds,
            got: body.params.len(),
        });
    }
    if body.results.len() < scan.states {
        return Err(ShapeError::Body(
            "the scan's body gives fewer results than it has states".into(),
        ));
    }
    for out in &scan.outs {
        let (k, n) = match out {
            Out::Emit(e) => (*e, body.results.len() - scan.states),
            Out::Final(k) | Out::Enter(k) => (*k, scan.states),
        };
        if k >= n {
            return Err(ShapeError::Body(format!("the scan has no {out:?}")));
        }
    }
    if !body.ty(body.params[0]).same(&Ty::real(vec![])) {
        return Err(ShapeError::Body(
            "the first parameter of a scan's body is its position, a number".into(),
        ));
    }
    for k in 0..body.params.len() - 1 {
        let outer = func.ty(args[k]);
        let seq = k >= scan.states && k < scan.states + scan.seqs.len();
        let axes = if seq {
            match (scan.tile, tile.map(|c| tiles(scan.axis, c))) {
                // One entry a tile: how values laid along the axis of tiles are read back.
                (Some(_), Some(along)) if outer.has(along) && !outer.has(scan.axis) => {
                    without(outer, &[along])
                }
                (Some(c), _) => {
                    need(outer, scan.axis, k)?;
                    replaced(outer, scan.axis, &[c])?
                }
                (None, _) => {
                    need(outer, scan.axis, k)?;
                    without(outer, &[scan.axis])
                }
            }
        } else {
            outer.axes.clone()
        };
        let inner = body.ty(body.params[k + 1]);
        if !inner.same(&Ty {
            elem: outer.elem,
            axes: axes.clone(),
        }) {
            return Err(ShapeError::Body(format!(
                "scan argument {k} has axes {axes:?}, its body expects {:?}",
                inner.axes
            )));
        }
        if k < scan.states && !body.ty(body.results[k].1).same(inner) {
            return Err(ShapeError::Body(format!(
                "state {k} has axes {:?}, its next value {:?}",
                inner.axes,
                body.ty(body.results[k].1).axes
            )));
        }
    }
    Ok(())
}
