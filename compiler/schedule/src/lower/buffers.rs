//! The plan's buffers: inputs, parameters, states, results and temporaries, with their roles and starts.

use super::LowerError;
use super::place::{Mem, Place, size_dim, size_ix};
use crate::ir::Ix;
use seqc_abi::{Buffer, Elem, Init, Role};
use seqc_algebra::{
    Axis, Dist, Func, Init as Start, Input, InputKind, MapFn, Op, Size, Sym, Ty, ValueId,
};

/// All run-time lengths that a program mentions, `batch` first.
pub(crate) fn lengths(func: &Func) -> Vec<Sym> {
    fn visit(func: &Func, all: &mut Vec<Sym>) {
        let mut add = |size: Size| match size.length() {
            Some(s) if !all.contains(&s) => all.push(s),
            _ => {}
        };
        for v in &func.values {
            v.ty.axes.iter().for_each(|a| add(a.size));
            match &v.op {
                Op::Length(size) => add(*size),
                Op::Iota(a) | Op::Gather(a) => add(a.size),
                Op::Scan(s) => add(s.axis.size),
                _ => {}
            }
        }
        for v in &func.values {
            if let Op::Scan(s) = &v.op {
                visit(&s.body, all);
            }
        }
    }
    let mut all = vec![];
    visit(func, &mut all);
    all.sort_by_key(|s| (s.as_str() != "batch", s.as_str()));
    all
}

pub(crate) fn buffer(name: &str, ty: &Ty, role: Role) -> Buffer {
    Buffer {
        name: name.to_owned(),
        elem: if ty.elem == seqc_algebra::Elem::Int {
            Elem::I32
        } else {
            Elem::F32
        },
        axes: ty.axes.iter().map(|a| a.name.as_str().to_owned()).collect(),
        shape: ty.axes.iter().map(|a| size_dim(a.size)).collect(),
        role,
    }
}

/// The place of a whole buffer.
pub(crate) fn place(index: usize, ty: &Ty, lens: &[Sym]) -> Result<Place, LowerError> {
    let sized = |a: &Axis| {
        size_ix(a.size, lens)
            .map(|n| (*a, n))
            .ok_or_else(|| LowerError(format!("axis `{a}` has an unknown length")))
    };
    let axes: Vec<(Axis, Ix)> = ty.axes.iter().map(sized).collect::<Result<_, _>>()?;
    Ok(Place {
        int: ty.elem == seqc_algebra::Elem::Int,
        ..Place::row_major(Mem::Global(index), &axes)
    })
}

pub(crate) fn input_role(input: &Input, ty: &Ty) -> Role {
    let name = input.name.as_str().to_owned();
    match &input.kind {
        InputKind::Param { init, decay } => Role::Param {
            path: name,
            init: start(init, ty),
            decay: *decay,
        },
        InputKind::State => Role::StateIn {
            name: name.strip_prefix("state.").unwrap_or(&name).to_owned(),
            init: Init::Zero,
        },
        InputKind::Noise(d) => Role::Noise {
            name,
            init: noise(d),
        },
        InputKind::Data | InputKind::Formal => Role::Input { name },
    }
}

/// The type with the axes in the order in which a result lies in memory: as `orders` says, or a gradient as its parameter
/// does, an outgoing state as the incoming one, anything else as it is.
pub(crate) fn result_ty(func: &Func, orders: &[(String, Vec<Axis>)], name: &str, ty: &Ty) -> Ty {
    let told = orders.iter().find(|(n, _)| n == name).map(|(_, axes)| axes);
    let partner = name.strip_prefix("grad.").unwrap_or(name);
    let is_partner = |p: &&ValueId| func.input(**p).is_some_and(|i| i.name.as_str() == partner);
    let like = || {
        func.params
            .iter()
            .find(is_partner)
            .map(|p| &func.ty(*p).axes)
    };
    match told.or_else(like) {
        Some(axes) if axes.len() == ty.axes.len() && axes.iter().all(|a| ty.axes.contains(a)) => {
            Ty {
                axes: axes.clone(),
                ..ty.clone()
            }
        }
        _ => ty.clone(),
    }
}

pub(crate) fn result_role(func: &Func, name: &str) -> Role {
    let is_param = |path: &str| {
        func.params
            .iter()
            .filter_map(|p| func.input(*p))
            .any(|i| i.name.as_str() == path && matches!(i.kind, InputKind::Param { .. }))
    };
    if let Some(path) = name.strip_prefix("grad.").filter(|p| is_param(p)) {
        return Role::Grad {
            path: path.to_owned(),
        };
    }
    match name.strip_prefix("state.") {
        Some(state) => Role::StateOut {
            name: state.to_owned(),
        },
        None => Role::Output {
            name: name.to_owned(),
        },
    }
}

fn noise(d: &Dist) -> Init {
    match d {
        Dist::Bernoulli(p) => Init::Bernoulli { p: p.0 },
        Dist::Normal(std) => Init::Normal { std: std.0 },
        Dist::Uniform(lo, hi) => Init::Uniform { lo: lo.0, hi: hi.0 },
    }
}

fn start(init: &Start, ty: &Ty) -> Init {
    match init {
        Start::Const(x) if x.0 == 0.0 => Init::Zero,
        Start::Const(x) => Init::Const(x.0),
        Start::Normal { std } => Init::Normal { std: std.0 },
        Start::Uniform { lo, hi } => Init::Uniform { lo: lo.0, hi: hi.0 },
        Start::LogUniform { lo, hi } => Init::LogUniform { lo: lo.0, hi: hi.0 },
        Start::Coord(a) => Init::Coord {
            axis: ty.axes.iter().position(|x| x == a).unwrap_or(0),
        },
        Start::Apply(f, args) => Init::Apply {
            f: function(*f),
            args: args.iter().map(|a| start(a, ty)).collect(),
        },
    }
}

fn function(f: MapFn) -> String {
    format!("{f:?}").to_lowercase()
}

/// Is the value a parameter of the program?
pub(crate) fn is_input(func: &Func, v: ValueId) -> bool {
    func.input(v).is_some()
}
