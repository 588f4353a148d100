//! Is a program well formed?
//!
//! Invariants, of a program and of every body in it:
//! 1. The operands of a value exist and come before it.
//! 2. `params` are exactly the values that are inputs, each once, in order.
//! 3. Every other value's type is the one its shape rule gives, axis order included; no type names an axis twice.
//! 4. Results exist, have distinct names, and are values rather than scans.
//! 5. Only `Proj` uses a scan, and `Proj` uses nothing else.
//! 6. Tiles of run-time lengths are of positive size; a triangular solve has rows and columns of one size; the lags
//!    of a window or kernel are one axis, the sequence another; `Pick` and `Place` stay within constant axes.
//! 7. A scan's operands match its body (its shape rule: states, sequences with the axis or the axis of tiles, fixed
//!    values, bounds that are numbers); its outs exist; `Emit` names a result behind the states.
//! 8. The inputs of a body are `Formal`, and no others are.
//! 9. Indices, conditions and comparisons are real.
//!
//! An error names the value and its line in [`crate::print::listing`].

use crate::func::{Elem, Func, Ty, ValueId};
use crate::op::{InputKind, MapFn, Op, ReduceOp};
use crate::{print, shape};
use std::fmt;

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    /// The line of the listing, from 1.
    pub line: usize,
    /// That line's text.
    pub text: String,
    pub message: String,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}\n  {}", self.line, self.message, self.text)
    }
}

impl std::error::Error for VerifyError {}

type Found = std::result::Result<(), (Vec<ValueId>, String)>;

/// Checks a program and all its bodies.
pub fn verify(func: &Func) -> Result<(), VerifyError> {
    check(func, false, &mut vec![]).map_err(|(path, message)| {
        let listing = print::listing(func);
        let line = listing.lines.get(&path).copied().unwrap_or(1);
        let text = listing
            .text
            .lines()
            .nth(line - 1)
            .unwrap_or("")
            .trim()
            .to_owned();
        VerifyError {
            line,
            text,
            message,
        }
    })
}

fn check(func: &Func, body: bool, path: &mut Vec<ValueId>) -> Found {
    let count = func.values.len();
    for id in func.ids() {
        path.push(id);
        value(func, id, body, path)
            .map_err(|e| e.unwrap_or_else(|message| (path.clone(), message)))?;
        path.pop();
    }
    let here = |m: String| (path.clone(), m);
    let inputs: Vec<ValueId> = func.ids().filter(|id| func.input(*id).is_some()).collect();
    if func.params != inputs {
        return Err(here("the parameters are not the inputs in order".into()));
    }
    for (k, (name, v)) in func.results.iter().enumerate() {
        if v.index() >= count {
            return Err(here(format!(
                "result `{name}` is %{}, which does not exist",
                v.0
            )));
        }
        if matches!(func.op(*v), Op::Scan(_)) {
            return Err(here(format!(
                "result `{name}` is a scan rather than one of its results"
            )));
        }
        if !body && func.results[..k].iter().any(|(n, _)| n == name) {
            return Err(here(format!("two results are called `{name}`")));
        }
    }
    Ok(())
}

/// `Err(Ok(found))`: an error inside a body; `Err(Err(message))`: one of this value.
type Inner = std::result::Result<(), std::result::Result<(Vec<ValueId>, String), String>>;

fn value(func: &Func, id: ValueId, body: bool, path: &mut Vec<ValueId>) -> Inner {
    let v = func.value(id);
    if let Some(a) = v.args.iter().find(|a| a.index() >= id.index()) {
        return Err(Err(format!(
            "operand %{} does not come before %{}",
            a.0, id.0
        )));
    }
    distinct(&v.ty).map_err(Err)?;
    if let Op::Input(input) = &v.op {
        return match (&input.kind, body) {
            _ if !v.args.is_empty() => Err(Err("an input has no operands".into())),
            (InputKind::Formal, false) => {
                Err(Err("a formal parameter outside of a scan's body".into()))
            }
            (InputKind::Formal, true) => Ok(()),
            (_, true) => Err(Err("an input of a scan's body must be formal".into())),
            (_, false) => Ok(()),
        };
    }
    for a in &v.args {
        let scan = matches!(func.op(*a), Op::Scan(_));
        if scan != matches!(v.op, Op::Proj(_)) {
            return Err(Err(if scan {
                format!("%{} is a scan; only its results can be used", a.0)
            } else {
                "a result of something that is not a scan".into()
            }));
        }
    }
    sides(func, id).map_err(Err)?;
    let want = shape::infer(func, &v.op, &v.args).map_err(|e| Err(e.to_string()))?;
    if want != v.ty {
        return Err(Err(format!("the type should be {}", print::ty(&want))));
    }
    if let Op::Scan(scan) = &v.op {
        check(&scan.body, true, path).map_err(Ok)?;
    }
    Ok(())
}

fn distinct(ty: &Ty) -> Result<(), String> {
    for (k, a) in ty.axes.iter().enumerate() {
        if ty.axes[..k].iter().any(|b| b.name == a.name) {
            return Err(format!("axis `{}` appears twice", a.name));
        }
        if a.size.ratio().1 == 0 {
            return Err(format!("axis `{}` has tiles of 0", a.name));
        }
    }
    Ok(())
}

/// Side conditions beyond the shape rule.
fn sides(func: &Func, id: ValueId) -> Result<(), String> {
    let v = func.value(id);
    let real = |k: usize, what: &str| match v.args.get(k) {
        Some(a) if func.ty(*a).elem == Elem::Complex => Err(format!("{what} must be real")),
        _ => Ok(()),
    };
    match &v.op {
        Op::Solve { row, col, .. } if row.size != col.size => {
            Err(format!("`{row}` and `{col}` differ in size"))
        }
        Op::Window { axis, lag, .. }
        | Op::Unwindow { axis, lag, .. }
        | Op::Conv { axis, lag, .. }
        | Op::ConvKernel { axis, lag, .. }
            if axis.name == lag.name =>
        {
            Err(format!("`{}` is both the sequence and the lags", axis.name))
        }
        Op::TopMask(..) | Op::Softmax(_) | Op::LogSumExp(_) => real(0, "what is compared"),
        Op::Reduce(ReduceOp::Max | ReduceOp::Min | ReduceOp::ArgMax | ReduceOp::ArgMin, _) => {
            real(0, "what is compared")
        }
        Op::Gather(_) | Op::ScatterAdd { .. } => real(1, "an index"),
        Op::Online(_) => match v.args.get(3).map(|p| func.ty(*p)) {
            Some(ty) if ty.axes.is_empty() => real(3, "a position"),
            _ => Err("the position is one number".into()),
        },
        Op::Map(MapFn::Select) => real(0, "a condition"),
        Op::Map(MapFn::Lt | MapFn::Le | MapFn::Gt | MapFn::Ge | MapFn::Max | MapFn::Min) => {
            real(0, "what is compared").and_then(|()| real(1, "what is compared"))
        }
        _ => Ok(()),
    }
}
