//! The operations. Shape rules are in [`crate::shape`], evaluation and derivatives in `ops/`, one file an op.

use crate::axis::{Axis, Size, Sym};
use crate::func::Func;

/// A number compared and hashed by its bits.
#[derive(Clone, Copy, Debug)]
pub struct Num(pub f64);

impl PartialEq for Num {
    fn eq(&self, other: &Num) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}
impl Eq for Num {}
impl std::hash::Hash for Num {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// Initialisation of a parameter: a pointwise formula of constants, draws and coordinates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Init {
    Const(Num),
    Normal {
        std: Num,
    },
    Uniform {
        lo: Num,
        hi: Num,
    },
    LogUniform {
        lo: Num,
        hi: Num,
    },
    /// The coordinate along one of the parameter's axes.
    Coord(Axis),
    /// A pointwise function of other initialisers; `Complex(re, im)` makes a complex parameter.
    Apply(MapFn, Vec<Init>),
}

/// A distribution of `noise`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dist {
    Bernoulli(Num),
    Normal(Num),
    Uniform(Num, Num),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum InputKind {
    /// Given by the caller (a sequence or a plain tensor).
    Data,
    /// Learned; the name is its path. `decay`: subject to weight decay.
    Param { init: Init, decay: bool },
    /// A state carried into this call; `zero` start unless given.
    State,
    /// Fresh draws each training step, 0-filled otherwise.
    Noise(Dist),
    /// Formal parameter of a scan body.
    Formal,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Input {
    pub name: Sym,
    pub kind: InputKind,
}

/// Pointwise functions; arguments broadcast by axis name. Comparisons give 0 or 1; conditions hold iff nonzero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MapFn {
    Neg,
    Abs,
    Sign,
    Floor,
    Exp,
    Expm1,
    Log,
    Log1p,
    Sqrt,
    Sin,
    Cos,
    Tanh,
    Sigmoid,
    LogSigmoid,
    Softplus,
    Erf,
    /// Identity whose derivative is 0.
    Stop,
    Not,
    /// Number of binary digits of a non-negative integer; 0 for 0.
    BitLen,
    Re,
    Im,
    Conj,
    Add,
    Sub,
    Mul,
    Div,
    Max,
    Min,
    Pow,
    /// `x - y*floor(x/y)`
    Rem,
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
    And,
    Or,
    /// Bitwise exclusive or of non-negative integers.
    Xor,
    /// A fixed pseudo-random number in [0,1) of two integers.
    Hash,
    /// `re + i im`
    Complex,
    /// `Select(c, a, b)`: a where c is nonzero, else b. The arm not taken contributes nothing, not even NaN.
    Select,
}

impl MapFn {
    /// All functions, with the names that listings use.
    pub const ALL: [(MapFn, &'static str); 42] = {
        use MapFn::*;
        [
            (Neg, "neg"),
            (Abs, "abs"),
            (Sign, "sign"),
            (Floor, "floor"),
            (Exp, "exp"),
            (Expm1, "expm1"),
            (Log, "log"),
            (Log1p, "log1p"),
            (Sqrt, "sqrt"),
            (Sin, "sin"),
            (Cos, "cos"),
            (Tanh, "tanh"),
            (Sigmoid, "sigmoid"),
            (LogSigmoid, "logsigmoid"),
            (Softplus, "softplus"),
            (Erf, "erf"),
            (Stop, "stop"),
            (Not, "not"),
            (BitLen, "bitlen"),
            (Re, "re"),
            (Im, "im"),
            (Conj, "conj"),
            (Add, "add"),
            (Sub, "sub"),
            (Mul, "mul"),
            (Div, "div"),
            (Max, "max"),
            (Min, "min"),
            (Pow, "pow"),
            (Rem, "rem"),
            (Lt, "lt"),
            (Le, "le"),
            (Gt, "gt"),
            (Ge, "ge"),
            (Eq, "eq"),
            (Ne, "ne"),
            (And, "and"),
            (Or, "or"),
            (Xor, "xor"),
            (Hash, "hash"),
            (Complex, "complex"),
            (Select, "select"),
        ]
    };

    /// The name that listings use.
    pub fn name(self) -> &'static str {
        MapFn::ALL
            .iter()
            .find(|(f, _)| *f == self)
            .map_or("?", |(_, n)| n)
    }

    pub fn by_name(name: &str) -> Option<MapFn> {
        MapFn::ALL.iter().find(|(_, n)| *n == name).map(|(f, _)| *f)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceOp {
    Sum,
    Prod,
    Max,
    Min,
    /// Index of the first largest / smallest entry (one axis).
    ArgMax,
    ArgMin,
}

/// A sequence read by a scan: sliced along the scan's axis. Positions outside the sequence (a tile's ragged tail)
/// read `fill`. In a tiled scan, a sequence with the axis of tiles instead is read one entry a tile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeqIn {
    pub fill: Num,
}

/// One result of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Out {
    /// The body's k-th emitted value, laid along the scan's axis (positions outside the sequence are dropped).
    /// An emitted value without the tile axis, of a tiled scan, is laid along the axis of tiles instead.
    Emit(usize),
    /// State k after the last step.
    Final(usize),
    /// State k on entry to each step (or tile), laid along the axis (or the axis of tiles `name/C`).
    Enter(usize),
}

/// A loop that carries states along an axis. Arguments: `states` initial states, then sequences (as many as
/// `seqs`), then `fixed` values seen whole by every step, then, if `lo`/`hi`, the scalar bounds: only tiles or
/// steps that meet positions `lo <= p < hi` are run (others are known to change nothing: for an emitting scan
/// their emitted entries are 0).
/// The body's params: a scalar with the position of the tile's first element, then states, sequences (without
/// the axis, or with the tile axis in its place), fixed values. Its results: next states, then emitted values.
/// Steps run from the first to the last, or from the last to the first if `reverse` (inside a tile, positions
/// stay in ascending order). A scan without states is a map over tiles.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scan {
    pub axis: Axis,
    pub tile: Option<Axis>,
    pub reverse: bool,
    pub states: usize,
    pub seqs: Vec<SeqIn>,
    pub fixed: usize,
    pub lo: bool,
    pub hi: bool,
    pub body: Func,
    pub outs: Vec<Out>,
}

impl Scan {
    /// A loop along the whole axis, one position a step, from the first to the last. `fills`: what each sequence is
    /// beyond its end.
    pub fn steps(
        axis: Axis,
        states: usize,
        fills: &[f64],
        fixed: usize,
        body: Func,
        outs: Vec<Out>,
    ) -> Scan {
        Scan {
            axis,
            tile: None,
            reverse: false,
            states,
            seqs: fills.iter().map(|x| SeqIn { fill: Num(*x) }).collect(),
            fixed,
            lo: false,
            hi: false,
            body,
            outs,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    Input(Input),
    Const(Num),
    /// The coordinate along an axis: 0, 1, 2, …
    Iota(Axis),
    /// A run-time length, or the number of its tiles, as a number.
    Length(Size),
    /// Pointwise, broadcasting by name.
    Map(MapFn),
    Reduce(ReduceOp, Vec<Axis>),
    /// Sum over `axes` of the product of all arguments (one or more). Axes may be empty: a plain product.
    Contract(Vec<Axis>),
    /// `exp(x) / sum exp(x)` along the axis, stable; a row of -inf gives 0.
    Softmax(Axis),
    /// `log sum exp` along the axis, stable; a row of -inf gives -inf.
    LogSumExp(Axis),
    /// 1 at the k largest entries along the axis (ties: lowest index), else 0; derivative 0.
    TopMask(Axis, usize),
    /// Copies along new axes.
    Expand(Vec<Axis>),
    Rename {
        from: Axis,
        to: Axis,
    },
    /// Row-major: position `a` of `axis` is `(a / |rest|, …, a % |last|)`.
    Split {
        axis: Axis,
        into: Vec<Axis>,
    },
    Merge {
        axes: Vec<Axis>,
        into: Axis,
    },
    /// `y[c, r] = x[|within| c + r]`, 0 past the end: the steps of `axis` in tiles, one position of `ticks` each. The last
    /// tile may be ragged.
    Patch {
        axis: Axis,
        ticks: Axis,
        within: Axis,
    },
    /// Transpose and left inverse of `Patch`: `y[p] = x[p / |within|, p % |within|]`; what lies past the end is dropped.
    Unpatch {
        ticks: Axis,
        within: Axis,
        axis: Axis,
    },
    Flip(Axis),
    /// `y[p] = x[p - by]`, 0 outside.
    Shift {
        axis: Axis,
        by: i64,
    },
    /// `y[p, l] = x[p - l]` (`ahead`: `x[p + l]`), 0 outside; `lag` is a new axis from 0.
    Window {
        axis: Axis,
        lag: Axis,
        ahead: bool,
    },
    /// Transpose of `Window`: `y[p] = Σ_l x[p + l, l]` (`ahead`: `x[p - l, l]`), terms outside are 0.
    Unwindow {
        axis: Axis,
        lag: Axis,
        ahead: bool,
    },
    /// The slice at a constant index; the axis disappears.
    Pick {
        axis: Axis,
        index: usize,
    },
    /// Transpose of `Pick`: the argument at `index`, 0 elsewhere.
    Place {
        axis: Axis,
        index: usize,
    },
    /// The arguments as consecutive entries of a new last axis.
    Stack(Axis),
    /// `Gather(axis)(table, index)`: the table's entry at `index` along `axis` (index rounded to nearest,
    /// clamped into the axis). Axes that both have are walked together.
    Gather(Axis),
    /// Transpose of `Gather` in the table: `(g, index)` to `y[a, …] = Σ_over g · [index = a]`.
    ScatterAdd {
        axis: Axis,
        over: Vec<Axis>,
    },
    /// `Solve{row, col}(L, R)`: U with `U[row] + Σ_{col<row} L[row, col] U[col] = R[row]`; entries of L with
    /// col >= row are not read. `transpose`: `U[col] + Σ_{row>col} L[row, col] U[row] = R[col]`, R and U along `row`.
    Solve {
        row: Axis,
        col: Axis,
        transpose: bool,
    },
    /// Causal convolution along time: `y[t] = Σ_{lag=0..t} f[lag] x[t - lag]`, pointwise in other axes.
    /// `ahead`: `Σ_lag f[lag] x[t + lag]`.
    Conv {
        axis: Axis,
        lag: Axis,
        ahead: bool,
    },
    /// One more position of a causal convolution: `(f, past, x, pos)` to `f[0] x + Σ_{s<pos} f[pos - s] past[s]`, pointwise
    /// in other axes; kernel and past lie along the same axis.
    Online(Axis),
    /// Gradient of `Conv` in its kernel: `(g, x)` to `y[lag] = Σ_t g[t] x[t - lag]`, summed over `over` too.
    ConvKernel {
        axis: Axis,
        lag: Axis,
        ahead: bool,
        over: Vec<Axis>,
    },
    Scan(Box<Scan>),
    /// One result of a scan.
    Proj(usize),
}
