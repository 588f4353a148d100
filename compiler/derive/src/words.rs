//! Values as expressions, in the words of the language: for reports and diagnostics.

use crate::affine::describe;
use seqc_algebra::{Func, MapFn, Op, ReduceOp, ValueId};

/// Operands nested deeper than this are left out.
const DEEPEST: usize = 6;

/// The value as its equation would be written; named operands by their names. `state` names operands that a
/// program knows by other words, such as the states of a loop.
pub fn expression(func: &Func, v: ValueId, state: &dyn Fn(ValueId) -> Option<String>) -> String {
    Writer { func, state }.whole(v, 0).0
}

struct Writer<'a> {
    func: &'a Func,
    state: &'a dyn Fn(ValueId) -> Option<String>,
}

/// How tightly an expression binds: sums, products, atoms.
const SUM: u8 = 1;
const PRODUCT: u8 = 2;
const ATOM: u8 = 3;

impl Writer<'_> {
    fn operand(&self, v: ValueId, depth: usize) -> (String, u8) {
        if let Some(name) = (self.state)(v) {
            return (name, ATOM);
        }
        if let Some(name) = self.func.value(v).name {
            return (name.as_str().to_owned(), ATOM);
        }
        if depth > DEEPEST {
            return ("…".into(), ATOM);
        }
        self.whole(v, depth)
    }

    fn at_least(&self, v: ValueId, depth: usize, binds: u8) -> String {
        let (text, mine) = self.operand(v, depth + 1);
        if mine < binds {
            format!("({text})")
        } else {
            text
        }
    }

    fn whole(&self, v: ValueId, depth: usize) -> (String, u8) {
        if let Some(name) = (self.state)(v) {
            return (name, ATOM);
        }
        let args = self.func.args(v);
        let sub = |k: usize, binds: u8| self.at_least(args[k], depth, binds);
        let list = |name: &str| {
            let all: Vec<String> = (0..args.len()).map(|k| sub(k, SUM)).collect();
            (format!("{name}({})", all.join(", ")), ATOM)
        };
        let over = |axes: &[seqc_algebra::Axis]| {
            let names: Vec<&str> = axes
                .iter()
                .map(|a| a.name.as_str().split('%').next().unwrap_or_default())
                .collect();
            names.join(", ")
        };
        match self.func.op(v) {
            Op::Input(i) => (i.name.as_str().to_owned(), ATOM),
            Op::Const(n) => (n.0.to_string(), ATOM),
            Op::Iota(a) => (a.name.as_str().to_owned(), ATOM),
            Op::Length(_) => ("len".into(), ATOM),
            Op::Map(MapFn::Add) => (format!("{} + {}", sub(0, SUM), sub(1, SUM)), SUM),
            Op::Map(MapFn::Sub) => (format!("{} - {}", sub(0, SUM), sub(1, PRODUCT)), SUM),
            Op::Map(MapFn::Mul) => (
                format!("{} * {}", sub(0, PRODUCT), sub(1, PRODUCT)),
                PRODUCT,
            ),
            Op::Map(MapFn::Div) => (format!("{} / {}", sub(0, PRODUCT), sub(1, ATOM)), PRODUCT),
            Op::Map(MapFn::Pow) => (format!("{} ^ {}", sub(0, ATOM), sub(1, ATOM)), PRODUCT),
            Op::Map(MapFn::Neg) => (format!("-{}", sub(0, PRODUCT)), PRODUCT),
            Op::Map(f) => match comparison(*f) {
                Some(sign) => (format!("{} {sign} {}", sub(0, SUM), sub(1, SUM)), 0),
                None => list(f.name()),
            },
            Op::Contract(axes) => {
                let all: Vec<String> = (0..args.len()).map(|k| sub(k, PRODUCT)).collect();
                let product = all.join(" * ");
                if axes.is_empty() {
                    (product, if args.len() == 1 { ATOM } else { PRODUCT })
                } else {
                    (format!("sum[{}]({product})", over(axes)), ATOM)
                }
            }
            Op::Reduce(r, axes) => {
                let name = match r {
                    ReduceOp::ArgMax => "argmax".into(),
                    ReduceOp::ArgMin => "argmin".into(),
                    r => format!("{r:?}").to_lowercase(),
                };
                (format!("{name}[{}]({})", over(axes), sub(0, SUM)), ATOM)
            }
            Op::Softmax(a) => (format!("softmax[{}]({})", a.name, sub(0, SUM)), ATOM),
            Op::LogSumExp(a) => (format!("logsumexp[{}]({})", a.name, sub(0, SUM)), ATOM),
            Op::Pick { axis, index } => {
                (format!("{}{{{} = {index}}}", sub(0, ATOM), axis.name), ATOM)
            }
            Op::Expand(_) | Op::Rename { .. } | Op::Split { .. } | Op::Merge { .. } => {
                self.operand(args[0], depth)
            }
            Op::Patch { within, .. } => (format!("patch[{}]({})", within.name, sub(0, SUM)), ATOM),
            Op::Unpatch { within, .. } => {
                (format!("unpatch[{}]({})", within.name, sub(0, SUM)), ATOM)
            }
            op => list(&describe(op)),
        }
    }
}

fn comparison(f: MapFn) -> Option<&'static str> {
    Some(match f {
        MapFn::Lt => "<",
        MapFn::Le => "<=",
        MapFn::Gt => ">",
        MapFn::Ge => ">=",
        MapFn::Eq => "==",
        MapFn::Ne => "!=",
        MapFn::And => "and",
        MapFn::Or => "or",
        _ => return None,
    })
}
