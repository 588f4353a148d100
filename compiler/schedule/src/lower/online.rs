//! One more position of a long convolution, as the runtime's launch; and the state of its inputs, into which a row is
//! written in place.

use super::cell::Result;
use super::place::{Mem, Place, size_dim};
use super::top::Top;
use seqc_abi::{Append, Dim, Launch, Online};
use seqc_algebra::{Axis, Func, InputKind, MapFn, Op, ValueId};

/// A state with one row replaced.
pub(crate) struct Appended {
    state: ValueId,
    axis: Axis,
    x: ValueId,
    pos: ValueId,
}

/// Is the value `select(position = pos, x, state)`, the outgoing side of that state, whose past a convolution reads?
/// Nothing else reads the row that is replaced, so it may be written where it is.
pub(crate) fn appended(func: &Func, v: ValueId) -> Option<Appended> {
    let (Op::Map(MapFn::Select), &[here, x, state]) = (func.op(v), func.args(v)) else {
        return None;
    };
    let input = func.input(state).filter(|i| i.kind == InputKind::State)?;
    let (name, _) = func.results.iter().find(|(_, r)| *r == v)?;
    let (Op::Map(MapFn::Eq), &[at, pos]) = (func.op(here), func.args(here)) else {
        return None;
    };
    let Op::Iota(axis) = func.op(at) else {
        return None;
    };
    let own = name == input.name.as_str();
    let convolved = func
        .ids()
        .any(|id| matches!(func.op(id), Op::Online(a) if a == axis) && func.args(id)[1] == state);
    let beside = without(&func.ty(state).axes, *axis);
    let row = func.ty(x).axes == beside && func.ty(pos).axes.is_empty();
    (own && convolved && row && func.input(pos).is_some()).then_some(Appended {
        state,
        axis: *axis,
        x,
        pos,
    })
}

fn without(axes: &[Axis], drop: Axis) -> Vec<Axis> {
    axes.iter().copied().filter(|a| *a != drop).collect()
}

/// `[batch, axis, channels]`, of which the batch may be missing.
fn line(axes: &[Axis], axis: Axis) -> Option<(Dim, Vec<Axis>)> {
    let at = axes.iter().position(|a| *a == axis)?;
    let batch = match &axes[..at] {
        [] => Dim::Const(1),
        [b] if b.name.as_str() == "batch" => size_dim(b.size),
        _ => return None,
    };
    let channels = axes[at + 1..].to_vec();
    channels
        .iter()
        .all(|a| a.is_const())
        .then_some((batch, channels))
}

fn buffer(p: &Place) -> Option<usize> {
    match p.mem {
        Mem::Global(b) if !p.int => Some(b),
        _ => None,
    }
}

impl Top<'_> {
    /// The runtime's launch if past, kernel and input lie as it wants them: channels last, in one order.
    pub fn launch_online(&mut self, v: ValueId) -> Result<()> {
        match self.online(v)? {
            Some(launch) => {
                self.launches.push(launch);
                Ok(())
            }
            None => self.launch_rows(&[v], |_| false),
        }
    }

    fn online(&mut self, v: ValueId) -> Result<Option<Launch>> {
        let (func, Op::Online(axis)) = (self.func, self.func.op(v)) else {
            return Ok(None);
        };
        let args = func.args(v);
        let axes = |k: usize| func.ty(args[k]).axes.clone();
        let Some((batch, channels)) = line(&axes(1), *axis) else {
            return Ok(None);
        };
        let kernel: Vec<Axis> = [*axis]
            .into_iter()
            .chain(channels.iter().copied())
            .collect();
        let row = without(&axes(1), *axis);
        let fits = axes(0) == kernel && axes(2) == row && self.kept_ty(v).axes == row;
        let places: Option<Vec<usize>> = args
            .iter()
            .map(|a| self.place.get(a).and_then(buffer))
            .collect();
        let (true, Some(&[f, past, x, pos])) = (fits, places.as_deref()) else {
            return Ok(None);
        };
        let out = self.keep(v)?;
        Ok(buffer(&out).map(|out| {
            Launch::Online(Online {
                f,
                past,
                x,
                pos,
                out,
                batch,
                len: size_dim(axis.size),
                channels: Dim::product(channels.iter().map(|a| size_dim(a.size))),
            })
        }))
    }

    pub fn launch_append(&mut self, v: ValueId) -> Result<()> {
        match self.append(v)? {
            Some(launch) => {
                self.launches.push(launch);
                Ok(())
            }
            None => self.launch_rows(&[v], |_| false),
        }
    }

    fn append(&mut self, v: ValueId) -> Result<Option<Launch>> {
        let Some(a) = appended(self.func, v) else {
            return Ok(None);
        };
        let state = self.func.ty(a.state).axes.clone();
        let same = self.kept_ty(v).axes == state;
        let (true, Some((batch, channels))) = (same, line(&state, a.axis)) else {
            return Ok(None);
        };
        let of = |v: ValueId| self.place.get(&v).and_then(buffer);
        let (Some(from), Some(x), Some(pos)) = (of(a.state), of(a.x), of(a.pos)) else {
            return Ok(None);
        };
        let to = self.keep(v)?;
        Ok(buffer(&to).map(|to| {
            Launch::Append(Append {
                from,
                to,
                x,
                pos,
                batch,
                len: size_dim(a.axis.size),
                channels: Dim::product(channels.iter().map(|a| size_dim(a.size))),
            })
        }))
    }
}
