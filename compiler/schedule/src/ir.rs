//! The schedule IR: one kernel is a grid of independent cells, each a nest of loops over flat buffers.
//!
//! Everything that a code generator needs is spelled out here: loop order, which loops are independent
//! (`Par`), which run in order (`Seq`), which become vector lanes (`Vec`), where values live (global
//! buffers or cell-local scratch), and matrix-multiply atoms with constant strides. Nothing here names a
//! target, MLIR or a mixer.
//!
//! Invariants (checked by [`crate::verify`]):
//! - a variable is bound once, by the grid, a `For` or a `Fold`, and used only inside;
//! - a [`Val`] is bound by one `Let` that dominates its uses in the same or an enclosing block;
//! - the iterations of a `Par` or `Vec` loop are independent: no iteration reads what another writes;
//! - the body of a `Vec` loop holds only `Store` and `Let`;
//! - local buffers hold garbage until written; global buffers marked [`Access::Write`] are never read;
//! - every index of a global access is in bounds for every run-time size (tails are guarded by `hi` of a
//!   loop, by `If`, or by a `Select` over a *clamped* index: both arms of `Select` are evaluated).

use crate::word::Word;

/// A loop or grid variable; unique within its kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Var(pub u32);

/// A value bound by [`Stmt::Let`]; unique within its kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Val(pub u32);

/// Element type in memory. Arithmetic is f32 (the interpreter may use f64); `I32` holds tokens and indices. A `Bf16`
/// is widened when loaded, without loss, and rounded when stored, to nearest, ties to even.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Elem {
    F32,
    I32,
    Bf16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    Read,
    Write,
    ReadWrite,
}

/// A global buffer that a launch binds: position in [`Kernel::args`] is its index in the pointer array.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Arg {
    pub name: String,
    pub elem: Elem,
    pub access: Access,
}

/// Cell-local scratch of constant length, private to one grid cell (a thread's stack, shared memory, …). Never bf16.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Local {
    pub name: String,
    pub elem: Elem,
    pub len: usize,
}

/// A buffer as an access names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Buf {
    Arg(u32),
    Local(u32),
}

/// One compiled function. Entry point of the generated code (both back ends, C calling convention):
/// `fn(bufs: *const *mut u8, dims: *const i64, lo: i64, hi: i64, scratch: *mut u8)`
/// runs the cells `lo..hi` of the row-major flattened grid; `scratch` has [`Kernel::scratch_bytes`] bytes,
/// aligned to 64, locals at [`Kernel::local_offset`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    pub name: String,
    pub args: Vec<Arg>,
    /// Names of the run-time sizes, e.g. `batch`, `t`; `Ix::Dim(i)` reads the i-th.
    pub dims: Vec<String>,
    /// Independent axes, outermost first, each from 0 to its extent (an `Ix` over dims only).
    pub grid: Vec<(Var, Ix)>,
    pub locals: Vec<Local>,
    pub body: Vec<Stmt>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LoopKind {
    /// Iterations in order; later ones may read what earlier ones wrote.
    Seq,
    /// Independent iterations.
    Par,
    /// Independent iterations, `lanes` of them at a time; the generator adds the scalar remainder.
    Vec(u32),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stmt {
    /// `for var in lo..hi` (step 1), or from `hi-1` down to `lo` if `reverse`.
    For {
        var: Var,
        lo: Ix,
        hi: Ix,
        kind: LoopKind,
        reverse: bool,
        body: Vec<Stmt>,
    },
    /// `buf[at] = value`; converts to i32 when the buffer is `I32`.
    Store {
        buf: Buf,
        at: Ix,
        value: Expr,
    },
    Let {
        val: Val,
        value: Expr,
    },
    If {
        cond: Expr,
        then: Vec<Stmt>,
        els: Vec<Stmt>,
    },
    Matmul(Matmul),
}

/// `out[m,n] = init + Σ_k a[m,k]·b[k,n]`, the matrix-multiply atom. Extents are constants. Lowering makes
/// the lane operand contiguous where it can (`out.cols == 1 && b.cols == 1`); other strides are legal, slow.
/// `out` overlaps neither operand. All f32: what lies in bf16 goes through a local ([`crate::narrow`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Matmul {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub out: Tile,
    pub a: Tile,
    pub b: Tile,
    /// `true`: add to what `out` holds; `false`: overwrite.
    pub accumulate: bool,
    /// Which part of `out` is wanted; the rest may be left as it is, or written with the product.
    pub part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    All,
    /// entries with n <= m (the lower triangle with its diagonal)
    Lower,
    /// entries with n >= m
    Upper,
}

/// A strided rectangle: element `(r, c)` is at `base + r*rows + c*cols`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    pub buf: Buf,
    pub base: Ix,
    pub rows: i64,
    pub cols: i64,
}

/// Integer index arithmetic (i64).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ix {
    Const(i64),
    Var(Var),
    /// A run-time size.
    Dim(u32),
    Add(Box<Ix>, Box<Ix>),
    Sub(Box<Ix>, Box<Ix>),
    Mul(Box<Ix>, Box<Ix>),
    /// Floor division by a positive divisor.
    Div(Box<Ix>, Box<Ix>),
    /// Remainder of floor division by a positive divisor (never negative).
    Rem(Box<Ix>, Box<Ix>),
    Min(Box<Ix>, Box<Ix>),
    Max(Box<Ix>, Box<Ix>),
    /// A number computed from data, rounded towards zero: data-dependent addressing (embedding, gather).
    Data(Box<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    Neg,
    Abs,
    Exp,
    Expm1,
    Log,
    Log1p,
    Sqrt,
    Sin,
    Cos,
    Tanh,
    Floor,
    /// -1, 0, 1
    Sign,
    /// The Gauss error function.
    Erf,
    /// The nearest f32: what an angle is made of, which is f64, is no wider than it would be elsewhere.
    Single,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    /// IEEE `maximum`: NaN if either is NaN.
    Max,
    Min,
    Pow,
    /// `x - y*floor(x/y)`
    Rem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cmp {
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FoldOp {
    Sum,
    Prod,
    Max,
    Min,
}

/// A float constant, compared and hashed by its bits (f64; rounded to f32 by the generators).
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

/// A value: a number, or a truth value (`Cmp`, `And`, `Or`, `Not`), which only `Select` and `If` consume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    Const(Num),
    Val(Val),
    Load {
        buf: Buf,
        at: Ix,
    },
    /// An index as a number.
    Index(Ix),
    /// A word as a number, from 0 to 2^32 - 1.
    Word(Box<Word>),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    Cmp(Cmp, Box<Expr>, Box<Expr>),
    /// Integer comparison of indices: cheap masks.
    CmpIx(Cmp, Ix, Ix),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Select(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `op` over `var in lo..hi` of `body`, from the operation's neutral element. In a scalar context with
    /// `lanes > 1` the generator keeps `lanes` partial results and combines them at the end; inside a `Vec`
    /// loop each lane folds on its own and `lanes` is ignored.
    Fold {
        op: FoldOp,
        var: Var,
        lo: Ix,
        hi: Ix,
        lanes: u32,
        body: Box<Expr>,
    },
}

impl Kernel {
    /// Byte offset of a local in the scratch area: each is aligned to 64 bytes.
    pub fn local_offset(&self, index: usize) -> usize {
        self.locals[..index]
            .iter()
            .map(|l| (l.len * 4).next_multiple_of(64))
            .sum()
    }

    /// Scratch that one thread needs to run a cell.
    pub fn scratch_bytes(&self) -> usize {
        self.local_offset(self.locals.len())
    }
}
