//! Values as expressions, in the words of the language: for reports and diagnostics.
//!
//! What is quoted stands in the spec, or is a word of the language: a name is shown as its own mixer writes it, without
//! the path of calls that leads there, and what has no spelling is left out (`…`).

use crate::stream::is_long;
use seqc_algebra::{Axis, Func, InputKind, MapFn, Op, ReduceOp, ValueId};

/// Operands nested deeper than this are left out.
const DEEPEST: usize = 6;

/// What formals of loops are called whose values have no name.
pub const UNNAMED: &str = "in";

/// The value as its equation would be written; named operands by their names. `state` names operands that a
/// program knows by other words, such as the states of a loop.
pub fn expression(func: &Func, v: ValueId, state: &dyn Fn(ValueId) -> Option<String>) -> String {
    Writer { func, state }.whole(v, 0).0
}

/// A name as its mixer writes it: of `layers.0.mix.S`, and of `S.1` (a state's step before the last), `S`.
pub fn written(name: &str) -> &str {
    let mut parts = name.rsplit('.');
    let word = |p: &&str| !p.is_empty() && !p.bytes().all(|b| b.is_ascii_digit());
    parts.find(word).unwrap_or(name)
}

/// An axis as written: copies of it that laws make have the name and a mark.
pub fn axis(a: Axis) -> &'static str {
    let name = a.name.as_str();
    let end = name.find(['%', '.']).unwrap_or(name.len());
    &name[..end]
}

/// What an operation is: quoted if it is a word of the language.
pub fn describe(op: &Op) -> String {
    let word = match op {
        Op::Map(f) => operator(*f).unwrap_or_else(|| f.name()),
        Op::Reduce(r, _) => reduction(*r),
        Op::Contract(axes) if axes.is_empty() => "*",
        Op::Contract(_) => "sum",
        Op::Softmax(_) => "softmax",
        Op::LogSumExp(_) => "logsumexp",
        Op::TopMask(..) => "top",
        Op::Shift { axis, .. } if !is_long(axis) => "shift",
        Op::Flip(axis) if is_long(axis) => "reverse",
        Op::Stack(_) => "stack",
        Op::Patch { .. } => "patch",
        Op::Unpatch { .. } => "unpatch",
        Op::Iota(axis) if !is_long(axis) => "range",
        Op::Length(_) => "len",
        Op::Shift { .. } => return "a read of another step".into(),
        Op::Flip(_) => return "the reversal of an axis".into(),
        Op::Pick { .. } => return "a selection of one position".into(),
        Op::Gather(_) => return "a selection by an index".into(),
        Op::Split { .. } | Op::Merge { .. } => return "a regrouping of axes".into(),
        Op::Window { .. } | Op::Unwindow { .. } => return "a window of steps".into(),
        Op::Conv { .. } | Op::ConvKernel { .. } | Op::Online(_) => return "a sum over lags".into(),
        Op::Scan(_) | Op::Proj(_) => return "a recurrence".into(),
        Op::Iota(_) => return "a position".into(),
        Op::Input(_) | Op::Const(_) => return "a given value".into(),
        _ => return "an operation".into(),
    };
    format!("`{word}`")
}

fn reduction(r: ReduceOp) -> &'static str {
    match r {
        ReduceOp::Sum => "sum",
        ReduceOp::Prod => "prod",
        ReduceOp::Max => "max",
        ReduceOp::Min => "min",
        ReduceOp::ArgMax => "argmax",
        ReduceOp::ArgMin => "argmin",
    }
}

struct Writer<'a> {
    func: &'a Func,
    state: &'a dyn Fn(ValueId) -> Option<String>,
}

/// How tightly an expression binds: comparisons, sums, products, atoms.
const LOOSE: u8 = 0;
const SUM: u8 = 1;
const PRODUCT: u8 = 2;
const ATOM: u8 = 3;

impl Writer<'_> {
    fn operand(&self, v: ValueId, depth: usize) -> (String, u8) {
        if let Some(name) = (self.state)(v) {
            return (name, ATOM);
        }
        if let Some(name) = self.func.value(v).name {
            return (self.named(v, name.as_str()), ATOM);
        }
        if depth > DEEPEST {
            return ("…".into(), ATOM);
        }
        self.whole(v, depth)
    }

    fn named(&self, v: ValueId, name: &str) -> String {
        let formal = matches!(self.func.input(v).map(|i| &i.kind), Some(InputKind::Formal));
        match formal && name == UNNAMED {
            true => "…".into(),
            false => written(name).to_owned(),
        }
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
        let atom = |text: String| (text, ATOM);
        match self.func.op(v) {
            Op::Input(i) => atom(self.named(v, i.name.as_str())),
            Op::Const(n) => atom(n.0.to_string()),
            Op::Iota(a) if is_long(a) => atom(axis(*a).to_owned()),
            Op::Iota(a) => atom(format!("range({})", axis(*a))),
            Op::Length(_) => atom("len".into()),
            Op::Map(f) => self.map(*f, args, depth),
            Op::Contract(over) => self.product(over, args, depth),
            Op::Reduce(r, over) => atom(format!(
                "{}[{}]({})",
                reduction(*r),
                list(over),
                sub(0, LOOSE)
            )),
            Op::Softmax(a) => atom(format!("softmax[{}]({})", axis(*a), sub(0, LOOSE))),
            Op::LogSumExp(a) => atom(format!("logsumexp[{}]({})", axis(*a), sub(0, LOOSE))),
            Op::TopMask(a, k) => atom(format!("top[{}]({}, {k})", axis(*a), sub(0, LOOSE))),
            Op::Pick { axis: a, index } => {
                atom(format!("{}{{{} = {index}}}", sub(0, ATOM), axis(*a)))
            }
            Op::Gather(a) => atom(format!(
                "{}{{{} = {}}}",
                sub(0, ATOM),
                axis(*a),
                sub(1, LOOSE)
            )),
            Op::Stack(a) => {
                let all: Vec<String> = (0..args.len()).map(|k| sub(k, LOOSE)).collect();
                atom(format!("stack[{}]({})", axis(*a), all.join(", ")))
            }
            Op::Shift { axis: a, by } if is_long(a) => {
                let (sign, by) = if *by < 0 { ('+', -by) } else { ('-', *by) };
                atom(format!("{}[{}{sign}{by}]", sub(0, ATOM), axis(*a)))
            }
            Op::Shift { axis: a, by } => {
                atom(format!("shift[{}]({}, {by})", axis(*a), sub(0, LOOSE)))
            }
            Op::Window {
                axis: a,
                lag,
                ahead,
            } => {
                let sign = if *ahead { '+' } else { '-' };
                let lag = match is_long(lag) {
                    true => axis(*lag).to_owned(),
                    false => format!("range({})", axis(*lag)),
                };
                atom(format!("{}[{} {sign} {lag}]", sub(0, ATOM), axis(*a)))
            }
            Op::Flip(a) if is_long(a) => atom(format!("reverse({})", sub(0, LOOSE))),
            // A sequence read at an index.
            Op::Rename { from, to } if is_long(from) && !self.is_pair(args[0]) => {
                let (text, binds) = self.operand(args[0], depth);
                match binds == ATOM && self.func.value(args[0]).name.is_some() {
                    true => atom(format!("{text}[{}]", axis(*to))),
                    false => (text, binds),
                }
            }
            Op::Expand(_) | Op::Rename { .. } | Op::Split { .. } | Op::Merge { .. } => {
                self.operand(args[0], depth)
            }
            Op::Patch { within, .. } => {
                atom(format!("patch[{}]({})", axis(*within), sub(0, LOOSE)))
            }
            Op::Unpatch { within, .. } => {
                atom(format!("unpatch[{}]({})", axis(*within), sub(0, LOOSE)))
            }
            _ => atom("…".into()),
        }
    }

    fn is_pair(&self, v: ValueId) -> bool {
        self.func.ty(v).axes.iter().filter(|a| is_long(a)).count() > 1
    }

    fn map(&self, f: MapFn, args: &[ValueId], depth: usize) -> (String, u8) {
        let sub = |k: usize, binds: u8| self.at_least(args[k], depth, binds);
        match f {
            MapFn::Add if self.is_bias(args[1]) => self.with_bias(args[0], depth),
            MapFn::Add => (format!("{} + {}", sub(0, SUM), sub(1, SUM)), SUM),
            MapFn::Sub => (format!("{} - {}", sub(0, SUM), sub(1, PRODUCT)), SUM),
            MapFn::Mul | MapFn::Div | MapFn::Rem => {
                let sign = operator(f).unwrap_or_default();
                let right = if f == MapFn::Mul { PRODUCT } else { ATOM };
                (
                    format!("{} {sign} {}", sub(0, PRODUCT), sub(1, right)),
                    PRODUCT,
                )
            }
            MapFn::Pow => (format!("{} ^ {}", sub(0, ATOM), sub(1, ATOM)), PRODUCT),
            MapFn::Neg => (format!("-{}", sub(0, PRODUCT)), PRODUCT),
            MapFn::Not => (format!("not {}", sub(0, ATOM)), LOOSE),
            MapFn::Complex => (format!("{} + 1i * {}", sub(0, SUM), sub(1, PRODUCT)), SUM),
            f => match operator(f) {
                Some(sign) => (format!("{} {sign} {}", sub(0, SUM), sub(1, SUM)), LOOSE),
                None => {
                    let all: Vec<String> = (0..args.len()).map(|k| sub(k, LOOSE)).collect();
                    (format!("{}({})", f.name(), all.join(", ")), ATOM)
                }
            },
        }
    }

    fn product(&self, over: &[Axis], args: &[ValueId], depth: usize) -> (String, u8) {
        if let Some(text) = self.linear("linear", over, args, depth) {
            return (text, ATOM);
        }
        let all: Vec<String> = (args.iter())
            .map(|a| self.at_least(*a, depth, PRODUCT))
            .collect();
        let product = all.join(" * ");
        match (over.is_empty(), args.len()) {
            (true, 1) => (product, ATOM),
            (true, _) => (product, PRODUCT),
            (false, _) => (format!("sum[{}]({product})", list(over)), ATOM),
        }
    }

    /// A product with a weight that the call of `linear` or `affine` has made, and that the spec has no name for.
    fn linear(&self, call: &str, over: &[Axis], args: &[ValueId], depth: usize) -> Option<String> {
        let weight = args.iter().position(|a| self.is_made(*a, "weight"))?;
        let [x] = (args.iter().enumerate())
            .filter(|(k, _)| *k != weight)
            .map(|(_, v)| *v)
            .collect::<Vec<_>>()[..]
        else {
            return None;
        };
        let made = |a: &&Axis| !self.func.ty(x).has(**a);
        let right: Vec<Axis> = (self.func.ty(args[weight]).axes.iter())
            .filter(made)
            .map(|a| a.renamed(a.name.as_str().trim_end_matches('\'')))
            .collect();
        let to = |axes: &[Axis]| axes.iter().map(|a| axis(*a)).collect::<Vec<_>>().join(" ");
        let x = self.at_least(x, depth, LOOSE);
        Some(format!("{call}({x}, {} -> {})", to(over), to(&right)))
    }

    /// `affine`, if what a bias is added to is its product.
    fn with_bias(&self, mut v: ValueId, depth: usize) -> (String, u8) {
        while let (Op::Rename { .. }, None) = (self.func.op(v), self.func.value(v).name) {
            v = self.func.args(v)[0];
        }
        if let Op::Contract(over) = self.func.op(v)
            && let Some(text) = self.linear("affine", over, self.func.args(v), depth)
        {
            return (text, ATOM);
        }
        (format!("{} + …", self.at_least(v, depth, SUM)), SUM)
    }

    fn is_bias(&self, v: ValueId) -> bool {
        self.is_made(v, "bias")
    }

    /// A parameter that a call has made: its path ends in a word that the spec does not declare.
    fn is_made(&self, v: ValueId, word: &str) -> bool {
        let input = self.func.input(v);
        let path = input.filter(|i| matches!(i.kind, InputKind::Param { .. } | InputKind::Formal));
        path.and_then(|i| i.name.as_str().rsplit_once('.'))
            .is_some_and(|(_, last)| last == word)
    }
}

/// Axes as a list.
fn list(axes: &[Axis]) -> String {
    let names: Vec<&str> = axes.iter().map(|a| axis(*a)).collect();
    names.join(", ")
}

fn operator(f: MapFn) -> Option<&'static str> {
    Some(match f {
        MapFn::Neg | MapFn::Sub => "-",
        MapFn::Add => "+",
        MapFn::Mul => "*",
        MapFn::Div => "/",
        MapFn::Rem => "%",
        MapFn::Pow => "^",
        MapFn::Not => "not",
        MapFn::Complex => "1i",
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
