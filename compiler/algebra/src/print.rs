//! Listings: a program as stable text, one value a line, a scan's body indented under it.
//!
//! ```text
//! func name(%0, %1) {
//!   %0 {batch, t, d=64} = data x
//!   %1 {d=64} = param scale 1.0
//!   %2 {batch, t} = contract[d] %0, %1  // y
//!   return y = %2
//! }
//! ```
//! `t` is an axis of the run-time length `t`, `i=t` another axis of that length, `h=4` one of four positions,
//! `t~16=t/16` the tiles of `t`, `r=t*2` two positions for each of `t`. In brackets, a bare name is the operand's axis
//! of that name. The text has all of a [`Func`]: [`crate::parse()`] gives back an equal one. Names that are not plain
//! words are quoted.

use crate::axis::{Axis, Size, Sym};
use crate::func::{Elem, Func, Ty, Value, ValueId};
use crate::op::{Dist, Init, InputKind, Num, Op, Out, ReduceOp, Scan};
use std::collections::HashMap;
use std::fmt::{self, Write};

/// A listing and the line (from 1) of each value; a value in a body is found by its path of ids.
pub struct Listing {
    pub text: String,
    pub lines: HashMap<Vec<ValueId>, usize>,
}

/// The listing of a program.
pub fn listing(func: &Func) -> Listing {
    let mut printer = Printer {
        text: String::new(),
        line: 1,
        lines: HashMap::new(),
        path: vec![],
    };
    printer.put("func ");
    printer.func(func, 0);
    printer.put("\n");
    Listing {
        text: printer.text,
        lines: printer.lines,
    }
}

impl fmt::Display for Func {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&listing(self).text)
    }
}

/// A name as it is listed: bare if it is a plain word, else quoted.
pub(crate) fn word(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.'~".contains(c);
    if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}

pub(crate) fn number(n: Num) -> String {
    if n.0.is_nan() {
        format!("nan(0x{:x})", n.0.to_bits())
    } else {
        format!("{:?}", n.0)
    }
}

fn size(size: Size) -> String {
    match size {
        Size::Const(n) => n.to_string(),
        Size::Len(s) => word(s.as_str()),
        Size::Tiles(s, n) => format!("{}/{n}", word(s.as_str())),
        Size::Times { len, times, tile } => {
            let tiles = match tile {
                1 => String::new(),
                n => format!("/{n}"),
            };
            format!("{}*{times}{tiles}", word(len.as_str()))
        }
    }
}

/// An axis with its size: `t` (a run-time length of that name), `i=t`, `h=4`.
pub(crate) fn axis(a: Axis) -> String {
    if a.size == Size::Len(a.name) {
        word(a.name.as_str())
    } else {
        full(a)
    }
}

fn full(a: Axis) -> String {
    format!("{}={}", word(a.name.as_str()), size(a.size))
}

/// A type: `{batch, h=4}`, `int {t}`, `complex {n=8}`.
pub(crate) fn ty(t: &Ty) -> String {
    let kind = match t.elem {
        Elem::Real => "",
        Elem::Int => "int ",
        Elem::Complex => "complex ",
    };
    format!("{kind}{{{}}}", join(t.axes.iter().map(|a| axis(*a))))
}

fn join(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().collect::<Vec<_>>().join(", ")
}

fn init(i: &Init) -> String {
    match i {
        Init::Const(x) => number(*x),
        Init::Normal { std } => format!("normal({})", number(*std)),
        Init::Uniform { lo, hi } => format!("uniform({}, {})", number(*lo), number(*hi)),
        Init::LogUniform { lo, hi } => format!("log_uniform({}, {})", number(*lo), number(*hi)),
        Init::Coord(a) => format!("coord({})", axis(*a)),
        Init::Apply(f, args) => format!("{}({})", f.name(), join(args.iter().map(init))),
    }
}

fn input(name: Sym, kind: &InputKind) -> String {
    let name = word(name.as_str());
    match kind {
        InputKind::Data => format!("data {name}"),
        InputKind::State => format!("state {name}"),
        InputKind::Formal => format!("formal {name}"),
        InputKind::Param { init: i, decay } => format!(
            "param {name} {}{}",
            init(i),
            if *decay { " decay" } else { "" }
        ),
        InputKind::Noise(Dist::Bernoulli(p)) => format!("noise {name} bernoulli({})", number(*p)),
        InputKind::Noise(Dist::Normal(s)) => format!("noise {name} normal({})", number(*s)),
        InputKind::Noise(Dist::Uniform(a, b)) => {
            format!("noise {name} uniform({}, {})", number(*a), number(*b))
        }
    }
}

pub(crate) fn reduce_name(op: ReduceOp) -> &'static str {
    match op {
        ReduceOp::Sum => "sum",
        ReduceOp::Prod => "prod",
        ReduceOp::Max => "max",
        ReduceOp::Min => "min",
        ReduceOp::ArgMax => "argmax",
        ReduceOp::ArgMin => "argmin",
    }
}

/// Axes in brackets: bare where an operand has an axis of that name and it is this one.
struct Names<'a> {
    func: &'a Func,
    args: &'a [ValueId],
}

impl Names<'_> {
    fn one(&self, a: Axis) -> String {
        let known = self
            .args
            .iter()
            .filter_map(|v| self.func.values.get(v.index()));
        match known.flat_map(|v| &v.ty.axes).find(|b| b.name == a.name) {
            Some(b) if *b == a => word(a.name.as_str()),
            Some(_) => full(a),
            None => axis(a),
        }
    }

    fn all(&self, axes: &[Axis]) -> String {
        join(axes.iter().map(|a| self.one(*a)))
    }
}

fn head(op: &Op, n: &Names) -> String {
    let ahead = |on: bool| if on { ", ahead" } else { "" };
    match op {
        Op::Input(i) => input(i.name, &i.kind),
        Op::Const(x) => format!("const {}", number(*x)),
        Op::Iota(a) => format!("iota[{}]", n.one(*a)),
        Op::Length(s) => format!("length {}", size(*s)),
        Op::Map(f) => f.name().to_owned(),
        Op::Reduce(r, over) => format!("{}[{}]", reduce_name(*r), n.all(over)),
        Op::Contract(over) => format!("contract[{}]", n.all(over)),
        Op::Softmax(a) => format!("softmax[{}]", n.one(*a)),
        Op::LogSumExp(a) => format!("logsumexp[{}]", n.one(*a)),
        Op::TopMask(a, k) => format!("topmask[{}, {k}]", n.one(*a)),
        Op::Expand(new) => format!("expand[{}]", n.all(new)),
        Op::Rename { from, to } => format!("rename[{} -> {}]", n.one(*from), n.one(*to)),
        Op::Split { axis, into } => format!("split[{} -> {}]", n.one(*axis), n.all(into)),
        Op::Merge { axes, into } => format!("merge[{} -> {}]", n.all(axes), n.one(*into)),
        Op::Patch {
            axis,
            ticks,
            within,
        } => format!("patch[{} -> {}]", n.one(*axis), n.all(&[*ticks, *within])),
        Op::Unpatch {
            ticks,
            within,
            axis,
        } => format!("unpatch[{} -> {}]", n.all(&[*ticks, *within]), n.one(*axis)),
        Op::Flip(a) => format!("flip[{}]", n.one(*a)),
        Op::Shift { axis, by } => format!("shift[{}, {by}]", n.one(*axis)),
        Op::Window {
            axis,
            lag,
            ahead: on,
        } => format!("window[{}, {}{}]", n.one(*axis), n.one(*lag), ahead(*on)),
        Op::Unwindow {
            axis,
            lag,
            ahead: on,
        } => format!("unwindow[{}, {}{}]", n.one(*axis), n.one(*lag), ahead(*on)),
        Op::Pick { axis, index } => format!("pick[{}, {index}]", n.one(*axis)),
        Op::Place { axis, index } => format!("place[{}, {index}]", n.one(*axis)),
        Op::Stack(a) => format!("stack[{}]", n.one(*a)),
        Op::Gather(a) => format!("gather[{}]", n.one(*a)),
        Op::Online(a) => format!("online[{}]", n.one(*a)),
        Op::ScatterAdd { axis, over } => format!("scatter_add[{}; {}]", n.one(*axis), n.all(over)),
        Op::Solve {
            row,
            col,
            transpose,
        } => {
            format!(
                "solve[{}, {}{}]",
                n.one(*row),
                n.one(*col),
                if *transpose { ", transpose" } else { "" }
            )
        }
        Op::Conv {
            axis,
            lag,
            ahead: on,
        } => format!("conv[{}, {}{}]", n.one(*axis), n.one(*lag), ahead(*on)),
        Op::ConvKernel {
            axis,
            lag,
            ahead: on,
            over,
        } => {
            format!(
                "conv_kernel[{}, {}{}; {}]",
                n.one(*axis),
                n.one(*lag),
                ahead(*on),
                n.all(over)
            )
        }
        Op::Scan(scan) => scan_head(scan, n),
        Op::Proj(k) => format!("proj[{k}]"),
    }
}

fn scan_head(s: &Scan, n: &Names) -> String {
    let mut text = format!("scan[{}", n.one(s.axis));
    if let Some(c) = s.tile {
        let _ = write!(text, "; tile {}", axis(c));
    }
    if s.reverse {
        text.push_str("; reverse");
    }
    let _ = write!(text, "; states {}", s.states);
    if !s.seqs.is_empty() {
        let _ = write!(
            text,
            "; seqs {}",
            join(s.seqs.iter().map(|q| number(q.fill)))
        );
    }
    let _ = write!(text, "; fixed {}", s.fixed);
    for (on, name) in [(s.lo, "; lo"), (s.hi, "; hi")] {
        if on {
            text.push_str(name);
        }
    }
    let out = |o: &Out| match o {
        Out::Emit(k) => format!("emit {k}"),
        Out::Final(k) => format!("final {k}"),
        Out::Enter(k) => format!("enter {k}"),
    };
    if !s.outs.is_empty() {
        let _ = write!(text, "; outs {}", join(s.outs.iter().map(out)));
    }
    text.push(']');
    text
}

struct Printer {
    text: String,
    line: usize,
    lines: HashMap<Vec<ValueId>, usize>,
    path: Vec<ValueId>,
}

impl Printer {
    fn put(&mut self, text: &str) {
        self.line += text.matches('\n').count();
        self.text.push_str(text);
    }

    /// `name(%params) { … }`, the closing brace without a newline.
    fn func(&mut self, func: &Func, depth: usize) {
        let pad = "  ".repeat(depth);
        let ids = |v: &[ValueId]| join(v.iter().map(|v| format!("%{}", v.0)));
        self.put(&format!("{}({}) {{\n", word(&func.name), ids(&func.params)));
        for id in func.ids() {
            self.path.push(id);
            self.lines.insert(self.path.clone(), self.line);
            self.put(&format!("{pad}  %{} ", id.0));
            self.value(func, func.value(id), depth + 1);
            self.path.pop();
        }
        let results = join(
            func.results
                .iter()
                .map(|(n, v)| format!("{} = %{}", word(n), v.0)),
        );
        self.put(&format!("{pad}  return {results}\n{pad}}}"));
    }

    fn value(&mut self, func: &Func, value: &Value, depth: usize) {
        let names = Names {
            func,
            args: &value.args,
        };
        let args = join(value.args.iter().map(|v| format!("%{}", v.0)));
        let space = if args.is_empty() { "" } else { " " };
        self.put(&format!(
            "{} = {}{space}{args}",
            ty(&value.ty),
            head(&value.op, &names)
        ));
        if let Op::Scan(scan) = &value.op {
            self.put(" ");
            self.func(&scan.body, depth);
        }
        if let Some(name) = value.name {
            self.put(&format!("  // {}", word(name.as_str())));
        }
        self.put("\n");
    }
}
