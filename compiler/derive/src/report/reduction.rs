//! What looks at other steps without being a recurrence, a matrix, a kernel or a window: reductions over a whole time, and
//! reads of single other steps.

use super::{Class, Equation, Kind, Reason, equation_of, reads_data};
use crate::stream::{is_long, is_pair};
use crate::words::expression;
use seqc_algebra::{Func, Op, ValueId};

/// Reductions of values of one time along that time.
pub fn reductions(func: &Func) -> Vec<Equation> {
    let live = func.live();
    let found = func
        .ids()
        .filter(|id| live[id.index()] && reduces(func, *id));
    let one = |id: ValueId| {
        let text = match func.op(id) {
            Op::Gather(_) | Op::Pick { .. } => "reads one step of the whole sequence".to_owned(),
            _ => format!(
                "`{}` ranges over the whole sequence",
                expression(func, id, &|_| None)
            ),
        };
        equation(func, id, Kind::Reduction, Class::Reduction, text)
    };
    once(found.map(one))
}

/// Reads of single other steps. Beside another equation they are part of what it is given.
pub fn reads(func: &Func) -> Vec<Equation> {
    let live = func.live();
    let one = |id: ValueId| {
        let text = expression(func, id, &|_| None);
        match func.op(id) {
            Op::Shift { axis, .. } if is_long(axis) => {
                let text = format!("`{text}` is a fixed number of steps away");
                Some(equation(func, id, Kind::Read, Class::ShortKernel, text))
            }
            Op::Flip(axis) if is_long(axis) => {
                let text = format!("`{text}` reads each step from the other end");
                Some(equation(func, id, Kind::Read, Class::DenseMatrix, text))
            }
            _ => None,
        }
    };
    once(func.ids().filter(|id| live[id.index()]).filter_map(one))
}

/// Equations of one name and class, once.
fn once(all: impl Iterator<Item = Equation>) -> Vec<Equation> {
    let mut out: Vec<Equation> = vec![];
    for e in all {
        if out.iter().all(|o| o.names != e.names || o.class != e.class) {
            out.push(e);
        }
    }
    out
}

fn reduces(func: &Func, id: ValueId) -> bool {
    let args = func.args(id);
    let along = match func.op(id) {
        Op::Contract(over) | Op::Reduce(_, over) => over.iter().any(is_long),
        Op::Softmax(a) | Op::LogSumExp(a) | Op::TopMask(a, _) | Op::Gather(a) => is_long(a),
        Op::Pick { axis, .. } => is_long(axis),
        _ => false,
    };
    along && !args.iter().any(|a| is_pair(func, *a)) && reads_data(func, id)
}

fn equation(func: &Func, id: ValueId, kind: Kind, class: Class, text: String) -> Equation {
    let name = equation_of(func, id);
    Equation {
        kind,
        names: name.iter().cloned().collect(),
        class,
        backward: false,
        fixed: kind == Kind::Read && class == Class::ShortKernel,
        convolved: false,
        why: vec![Reason { text, at: name }],
        forms: vec!["parallel"],
        missing: vec![],
    }
}
