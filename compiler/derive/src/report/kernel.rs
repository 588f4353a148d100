//! Kernels: windows of a sequence, contracted over their lags.

use super::{Class, Equation, Kind, Missing, Reason, equation_of, reads_data};
use crate::Result;
use crate::conv::long_convolutions;
use crate::{exponential, step};
use seqc_algebra::{Axis, Elem, Func, Op, Ty, ValueId};
use std::collections::HashSet;

/// Up to so many lags a kernel is short: its direct sum fuses with its neighbours.
const SHORT: usize = 64;

pub fn equations(func: &Func) -> Result<Vec<Equation>> {
    let fast = long_convolutions(func)?;
    let live = fast.live();
    let mut all: Vec<Equation> = Vec::new();
    for id in fast.ids().filter(|id| live[id.index()]) {
        let found = match fast.op(id) {
            Op::Conv { lag, .. } => Some((fast.args(id)[0], *lag, true)),
            Op::Contract(over) => window(&fast, id, over).map(|(k, lag)| (k, lag, false)),
            _ => None,
        };
        if let Some((kernel, lag, transform)) = found {
            let e = equation(&fast, id, kernel, lag, transform);
            if !all.iter().any(|o| o.names == e.names && o.class == e.class) {
                all.push(e);
            }
        }
    }
    Ok(all)
}

/// The other operand of a contraction over a window's lag (the window itself if there is none).
fn window(func: &Func, id: ValueId, over: &[Axis]) -> Option<(ValueId, Axis)> {
    let args = func.args(id);
    let lag = args.iter().find_map(|a| lag_of(func, *a, over))?;
    let kernel = args
        .iter()
        .find(|a| lag_of(func, **a, over).is_none() && func.ty(**a).has(lag));
    Some((kernel.copied().unwrap_or(args[0]), lag))
}

/// The lag axis of a window, also behind sums and shifts of windows.
fn lag_of(func: &Func, v: ValueId, over: &[Axis]) -> Option<Axis> {
    let (mut seen, mut next) = (HashSet::from([v]), vec![v]);
    while let Some(v) = next.pop() {
        match func.op(v) {
            Op::Window { lag, .. } if over.contains(lag) => return Some(*lag),
            Op::Map(_) | Op::Expand(_) | Op::Shift { .. } | Op::Rename { .. } => {
                let args = func.args(v).iter().rev();
                next.extend(args.filter(|a| seen.insert(**a)));
            }
            _ => {}
        }
    }
    None
}

/// The equation of the spec that says the weights: the nearest named value over the lags.
fn weights_of(func: &Func, kernel: ValueId, lag: Axis) -> Option<String> {
    let mut seen = HashSet::from([kernel]);
    let mut next = vec![kernel];
    while !next.is_empty() {
        if let Some(name) = next.iter().find_map(|v| func.value(*v).name) {
            return Some(name.as_str().to_owned());
        }
        let above = next.iter().flat_map(|v| func.args(*v)).copied();
        next = above
            .filter(|v| func.ty(*v).has(lag) && seen.insert(*v))
            .collect();
    }
    None
}

fn equation(func: &Func, id: ValueId, kernel: ValueId, lag: Axis, transform: bool) -> Equation {
    let name = weights_of(func, kernel, lag).or_else(|| equation_of(func, id));
    let data = reads_data(func, kernel);
    let taps = lag.size.constant();
    let class = match taps {
        Some(n) if n <= SHORT => Class::ShortKernel,
        Some(_) => Class::ExplicitKernel,
        None if data => Class::DataKernel,
        None => Class::ImplicitKernel,
    };
    let text = match taps {
        Some(n) => format!("a sum over {n} lags"),
        None if data => "a sum over all lags, with weights computed from the sequence".into(),
        None => "a sum over all lags, with weights that are a function of the lag".into(),
    };
    let mut e = Equation {
        kind: Kind::Kernel,
        names: name.iter().cloned().collect(),
        class,
        backward: false,
        fixed: !func
            .ty(kernel)
            .axes
            .iter()
            .any(|a| !a.is_const() && *a != lag && a.name.as_str() != "batch"),
        convolved: false,
        why: vec![Reason {
            text,
            at: name.clone(),
        }],
        forms: vec!["matrix"],
        missing: vec![],
    };
    match (taps, transform) {
        (_, true) => e.forms.push("chunked"),
        (Some(_), false) => e.forms = vec!["parallel"],
        (None, false) => e.missing.push(Missing {
            form: "chunked",
            why: "a transform needs weights that are the same at every time, and some factor has both the time and the lag".into(),
            at: equation_of(func, id),
        }),
    }
    if class == Class::ExplicitKernel {
        e.missing.push(Missing {
            form: "chunked",
            why: format!(
                "{} lags are summed directly; a transform is derived for sums over all lags only",
                taps.unwrap_or(0)
            ),
            at: name.clone(),
        });
    }
    if taps.is_none() && transform {
        recurrent(&mut e, func, id, name);
    }
    e
}

/// The recurrence that a sum of exponentials is, or why the kernel is none.
fn recurrent(e: &mut Equation, func: &Func, conv: ValueId, name: Option<String>) {
    if matches!(func.op(conv), Op::Conv { ahead: true, .. }) {
        return e.missing.push(Missing {
            form: "recurrent",
            why: "it reads later times, and steps of generation go forward".into(),
            at: name,
        });
    }
    match exponential::states(func, conv) {
        Ok(states) => {
            let states: Vec<String> = states.iter().map(state).collect();
            e.why.push(Reason {
                text: format!(
                    "a sum of exponentials of the lag: step by step a recurrence with the state {}, of the same size at every length",
                    states.join(" and ")
                ),
                at: name,
            });
            e.forms.insert(1, "recurrent");
        }
        Err(o) => e.missing.push(Missing {
            form: "recurrent",
            why: format!(
                "its weights are no sum of exponentials of the lag: {}; generation keeps all inputs and {}",
                o.why,
                match step::is_online(func, conv) {
                    true => "convolves them in blocks, log2(T)^2 operations a token on average",
                    false => "sums over all of them at each token, since the weights are not known before",
                }
            ),
            at: exponential::place(func, &o).or(name),
        }),
    }
}

fn state(ty: &Ty) -> String {
    let axes: Vec<String> = ty.axes.iter().map(ToString::to_string).collect();
    let complex = if ty.elem == Elem::Complex {
        " (complex)"
    } else {
        ""
    };
    format!("{{{}}}{complex}", axes.join(", "))
}
