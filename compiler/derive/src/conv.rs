//! Law: `Σ_lag f[lag] · x[t - lag]` over all lags of a clock is a convolution along time.
//!
//! Side condition: the window's lag axis has the clock's run-time length; the kernel does not vary with time. The
//! other factors that vary with time are multiplied outside when they lack the lag axis.

use crate::Result;
use crate::rewrite::map_values;
use seqc_algebra::{Axis, Builder, Func, Op, Size, ValueId};

/// Rewrites every contraction of a long window with a kernel into `Conv`.
pub fn long_convolutions(func: &Func) -> Result<Func> {
    map_values(func, convolution)
}

fn convolution(
    b: &mut Builder,
    func: &Func,
    id: ValueId,
    args: &[ValueId],
) -> Result<Option<ValueId>> {
    let Op::Contract(over) = func.op(id) else {
        return Ok(None);
    };
    let window = args
        .iter()
        .enumerate()
        .find_map(|(n, a)| match b.func().op(*a) {
            Op::Window { axis, lag, ahead }
                if matches!(lag.size, Size::Len(_)) && over.contains(lag) =>
            {
                Some((n, *axis, *lag, *ahead, b.func().args(*a)[0]))
            }
            _ => None,
        });
    let Some((n, axis, lag, ahead, x)) = window else {
        return Ok(None);
    };
    let (mut kernel, mut outside) = (vec![], vec![]);
    for (_, a) in args.iter().enumerate().filter(|(m, _)| *m != n) {
        match (b.has(*a, lag), b.has(*a, axis)) {
            (true, true) => return Ok(None),
            (true, false) => kernel.push(*a),
            _ => outside.push(*a),
        }
    }
    if kernel.is_empty() {
        return Ok(None);
    }
    let f = b.contract(&[], &kernel)?;
    let rest: Vec<Axis> = over.iter().copied().filter(|a| *a != lag).collect();
    let y = b.push(Op::Conv { axis, lag, ahead }, &[f, x])?;
    outside.insert(0, y);
    Ok(Some(b.contract(&rest, &outside)?))
}
