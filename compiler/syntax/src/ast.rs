//! The tree of a source file, exactly as written: no name is resolved, no axis checked.
//!
//! Why: every later stage (checker, elaborator, printers) starts from this one owned tree.
//! Invariant: every node carries the span of the text it was read from, and the tree depends on
//! that text alone. Parentheses leave no node. Depth is bounded by the parser (`parse::MAX_DEPTH`),
//! so recursion over a tree that came from `parse` cannot exhaust the stack.

use crate::span::Span;
use serde::Serialize;

/// An identifier or an axis. `text` holds the primes too: `k''` is one name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Name {
    pub text: String,
    pub span: Span,
}

impl Name {
    /// The name without its primes: `k` of `k''`.
    pub fn base(&self) -> &str {
        self.text.trim_end_matches('\'')
    }

    /// How many primes end the name: 2 of `k''`.
    pub fn primes(&self) -> usize {
        self.text.len() - self.base().len()
    }
}

/// A whole file: `seq 1`, imports, items.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct File {
    pub edition: Edition,
    pub imports: Vec<Import>,
    pub items: Vec<Item>,
    pub span: Span,
}

/// `seq 1`: the edition of the language and of its standard library.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Edition {
    pub number: u32,
    pub span: Span,
}

/// `import lib/std (rmsnorm, swiglu)`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Import {
    pub path: Vec<Name>,
    pub names: Vec<Name>,
    pub span: Span,
}

/// One `///` line; `text` is what follows `///`, without one leading blank and trailing blanks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Doc {
    pub text: String,
    pub span: Span,
}

/// A mixer, model or recipe with the doc lines above it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item {
    pub docs: Vec<Doc>,
    pub kind: ItemKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum ItemKind {
    Mixer(Mixer),
    Recipe(Recipe),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum MixerKind {
    Mixer,
    Model,
}

/// `mixer conv[c](x: seq{c}; taps = 4) -> y: seq{c} { … }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mixer {
    pub kind: MixerKind,
    pub name: Name,
    /// Axes in the header's brackets: given at the call, or inferred. Empty when none.
    pub group: Vec<Name>,
    /// At least one.
    pub inputs: Vec<Port>,
    /// After the `;`. The settings.
    pub hypers: Vec<Hyper>,
    /// At least one.
    pub outputs: Vec<Port>,
    pub body: Body,
    pub span: Span,
}

/// An input or an output: `x: seq{d}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Port {
    pub name: Name,
    pub ty: Type,
    /// The numbers that an input may hold: `g: seq{d} where g <= 0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Expr>,
    pub span: Span,
}

/// A setting: `h = 4`, `f: mixer`, `pos: mixer = rope`. It has a kind, a default, or both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hyper {
    pub name: Name,
    pub kind: Option<HyperKind>,
    pub default: Option<Expr>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum HyperKind {
    Mixer,
    Int,
    Float,
    Bool,
}

/// `seq{d}`, `seq[s]<vocab>`, `{h, dk}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Type {
    /// `None` for a value without time (`{h, dk}`).
    pub seq: Option<SeqType>,
    /// Empty for `seq`, `seq<v>`, `{}`.
    pub axes: Vec<Name>,
    pub span: Span,
}

/// What stands between `seq` and the axes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeqType {
    /// `None` is the default clock `t`.
    pub clock: Option<Clock>,
    /// `<vocab>`: the elements are integers that index this axis.
    pub range: Option<Name>,
}

/// `[s]`, or `[s/4]`: one tick of the value is four steps of `s`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Clock {
    pub name: Name,
    pub divisor: Option<Count>,
    pub span: Span,
}

/// A static count that is a literal or a setting: `repeat 2`, `repeat groups`, `[s/4]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Count {
    Literal { value: u64, span: Span },
    Name(Name),
}

impl Count {
    pub fn span(&self) -> Span {
        match self {
            Count::Literal { span, .. } => *span,
            Count::Name(name) => name.span,
        }
    }
}

/// `recipe byte_lm { batch = 32 … }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recipe {
    pub name: Name,
    pub settings: Vec<Setting>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    pub name: Name,
    pub value: Expr,
    pub span: Span,
}

/// `{ … }` of a mixer or a repeat; the span includes the braces.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Body {
    pub stmts: Vec<Stmt>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Stmt {
    Doc(Doc),
    Decl(Decl),
    Objective(Objective),
    Repeat(Repeat),
    Equation(Equation),
}

impl Stmt {
    pub fn span(&self) -> Span {
        match self {
            Stmt::Doc(s) => s.span,
            Stmt::Decl(s) => s.span,
            Stmt::Objective(s) => s.span,
            Stmt::Repeat(s) => s.span,
            Stmt::Equation(s) => s.span,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum DeclKind {
    Param,
    State,
    Noise,
}

/// `param E{vocab, d} = normal(0.02)`, `state K[j]{h} = k[j]`, `noise z{d} = bernoulli(p)`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decl {
    pub kind: DeclKind,
    pub name: Name,
    /// `[j]`: one state per source position.
    pub index: Option<Name>,
    /// Empty when no axes are written.
    pub axes: Vec<Name>,
    pub init: Option<Expr>,
    pub span: Span,
}

/// `objective lm = next_token(logits, tokens)`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Objective {
    pub name: Name,
    pub value: Expr,
    pub span: Span,
}

/// `groups: repeat groups as l { … }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Repeat {
    pub label: Option<Name>,
    pub count: Count,
    /// The name after `as`: the layer's number inside the body.
    pub counter: Option<Name>,
    pub body: Body,
    pub span: Span,
}

/// `mix: x += f(x)`, `M[i,j] = …  where j <= i`, `y, v = f(x)`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Equation {
    pub label: Option<Name>,
    pub lhs: Lhs,
    pub op: AssignOp,
    pub value: Expr,
    /// The domain.
    pub domain: Option<Expr>,
    pub span: Span,
}

/// The left side of an equation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Lhs {
    /// `x`, `S[t]`, `M[i,j]`, `f[lag]`; `index` is empty for a pointwise equation.
    One {
        name: Name,
        index: Vec<Name>,
        span: Span,
    },
    /// `y, v`: the outputs of one call; at least two names.
    Many { names: Vec<Name>, span: Span },
}

impl Lhs {
    pub fn span(&self) -> Span {
        match self {
            Lhs::One { span, .. } | Lhs::Many { span, .. } => *span,
        }
    }

    /// The names that this side defines, in order.
    pub fn names(&self) -> &[Name] {
        match self {
            Lhs::One { name, .. } => std::slice::from_ref(name),
            Lhs::Many { names, .. } => names,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum AssignOp {
    /// `=`
    Set,
    /// `+=`
    Add,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum ExprKind {
    Number(Number),
    /// A value, setting, index, or an axis (`range(k')`).
    Name(Name),
    /// `sum[dk](q * S)`, `linear(x, d -> h dk, per h)`, `gla(h = 8)`.
    Call(Call),
    /// `M[t,j]`, `x[t-1]`; at least one index.
    Index {
        base: Box<Expr>,
        index: Vec<Expr>,
    },
    /// `p{h k -> d}`.
    Remap {
        base: Box<Expr>,
        map: AxisMap,
    },
    /// `E{vocab = tokens}`, `W{n = i, n' = j}`; at least one pick.
    Pick {
        base: Box<Expr>,
        picks: Vec<Pick>,
    },
    Unary {
        op: UnaryOp,
        operand: Box<Expr>,
    },
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
}

/// `1_000`, `1e-3`, `2i`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Number {
    /// Finite. The factor of `1i` when `imaginary`.
    pub value: f64,
    pub imaginary: bool,
    /// The digits as written, with `_` and `i`.
    pub text: String,
}

impl Number {
    /// The exact value of a literal written without `.`, exponent or `i`.
    pub fn as_integer(&self) -> Option<u64> {
        if self.imaginary {
            return None;
        }
        self.text.replace('_', "").parse().ok()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Call {
    pub name: Name,
    /// The brackets after the name: reduced axes or index, or the callee's header axes.
    pub group: Vec<Name>,
    pub args: Vec<Arg>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Arg {
    Positional(Expr),
    /// `h = 8`.
    Named {
        name: Name,
        value: Expr,
        span: Span,
    },
    /// `d -> h dk`.
    Map(AxisMap),
    /// `per h`; at least one axis.
    Per {
        axes: Vec<Name>,
        span: Span,
    },
}

impl Arg {
    pub fn span(&self) -> Span {
        match self {
            Arg::Positional(expr) => expr.span,
            Arg::Map(map) => map.span,
            Arg::Named { span, .. } | Arg::Per { span, .. } => *span,
        }
    }
}

/// `two m -> c`; either side may be empty.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AxisMap {
    pub from: Vec<Name>,
    pub to: Vec<Name>,
    pub span: Span,
}

/// `vocab = tokens` of a pick.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pick {
    pub axis: Name,
    pub value: Expr,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum UnaryOp {
    Neg,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum BinaryOp {
    Or,
    And,
    Le,
    Ge,
    Eq,
    Ne,
    Lt,
    Gt,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Pow,
}

impl BinaryOp {
    /// The operator as written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Or => "or",
            BinaryOp::And => "and",
            BinaryOp::Le => "<=",
            BinaryOp::Ge => ">=",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Gt => ">",
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Rem => "%",
            BinaryOp::Pow => "^",
        }
    }
}

impl UnaryOp {
    /// The operator as written.
    pub fn symbol(self) -> &'static str {
        match self {
            UnaryOp::Neg => "-",
            UnaryOp::Not => "not",
        }
    }
}
