//! Law: `Σ_lag f[lag] · x[t - lag]` over all lags of a clock is a convolution along time.
//!
//! Side condition: the window's lag axis has the clock's run-time length; the kernel does not vary with time. The
//! other factors that vary with time are multiplied outside when they lack the lag axis.

use crate::Result;
use crate::rewrite::map_values;
use seqc_algebra::{Axis, Builder, Func, Op, ValueId};

/// Rewrites every contraction of a long window with a kernel into `Conv`.
pub fn long_convolutions(func: &Func) -> Result<Func> {
    map_values(func, convolution)
}

/// A sum over the lags of a long window, taken apart.
pub(crate) struct Kernel {
    pub axis: Axis,
    pub lag: Axis,
    pub ahead: bool,
    /// The window and what it is of.
    pub window: ValueId,
    pub x: ValueId,
    /// Factors that have the lag; others.
    pub kernel: Vec<ValueId>,
    pub outside: Vec<ValueId>,
    pub over: Vec<Axis>,
}

/// The parts of such a sum; `args` are the images of its operands in `b`.
pub(crate) fn kernel_of(b: &Builder, func: &Func, id: ValueId, args: &[ValueId]) -> Option<Kernel> {
    let Op::Contract(over) = func.op(id) else {
        return None;
    };
    let (axis, lag, ahead, window) = args.iter().find_map(|a| match b.func().op(*a) {
        Op::Window { axis, lag, ahead } if !lag.is_const() && over.contains(lag) => {
            Some((*axis, *lag, *ahead, *a))
        }
        _ => None,
    })?;
    let at = args.iter().position(|a| *a == window)?;
    let (mut kernel, mut outside) = (vec![], vec![]);
    for (_, a) in args.iter().enumerate().filter(|(m, _)| *m != at) {
        match (b.has(*a, lag), b.has(*a, axis)) {
            (true, true) => return None,
            (true, false) => kernel.push(*a),
            _ => outside.push(*a),
        }
    }
    (!kernel.is_empty()).then(|| Kernel {
        axis,
        lag,
        ahead,
        window,
        x: b.func().args(window)[0],
        kernel,
        outside,
        over: over.clone(),
    })
}

fn convolution(
    b: &mut Builder,
    func: &Func,
    id: ValueId,
    args: &[ValueId],
) -> Result<Option<ValueId>> {
    let Some(k) = kernel_of(b, func, id, args) else {
        return Ok(None);
    };
    let Kernel {
        axis, lag, ahead, ..
    } = k;
    let f = b.contract(&[], &k.kernel)?;
    let rest: Vec<Axis> = k.over.iter().copied().filter(|a| *a != lag).collect();
    let y = b.push(Op::Conv { axis, lag, ahead }, &[f, k.x])?;
    let factors: Vec<ValueId> = [y].into_iter().chain(k.outside).collect();
    Ok(Some(b.contract(&rest, &factors)?))
}
