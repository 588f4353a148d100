//! A plan: buffers with roles, and launches in order. One plan is one compiled function (a training step, a
//! forward pass, a generation step). Serialised as `plan.json` beside the kernels' shared object.

use crate::dim::Dim;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Elem {
    F32,
    I32,
    /// The upper half of an f32: stored rounded to nearest, ties to even, computed with as f32.
    Bf16,
}

impl Elem {
    /// Bytes of an element.
    pub fn bytes(self) -> usize {
        match self {
            Elem::F32 | Elem::I32 => 4,
            Elem::Bf16 => 2,
        }
    }
}

/// How a parameter or state starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    Zero,
    /// May be infinite (a running maximum starts at `-inf`), which JSON writes as text.
    Const(#[serde(with = "crate::number")] f64),
    /// Explicit values, row-major; a shorter list repeats, so that one start serves every row of a batch.
    Values(Vec<f32>),
    Normal {
        std: f64,
    },
    /// 1 with probability `p`, else 0.
    Bernoulli {
        p: f64,
    },
    Uniform {
        lo: f64,
        hi: f64,
    },
    LogUniform {
        lo: f64,
        hi: f64,
    },
    /// Pointwise function of inner draws, by name: `log exp neg sqrt expm1 inverse_softplus abs sin cos add sub mul div pow
    /// select`; `select(c, a, b)` is `a` where c is not 0, else `b`.
    Apply {
        f: String,
        args: Vec<Init>,
    },
    /// Coordinate along the axis at this position of the parameter's shape.
    Coord {
        axis: usize,
    },
}

/// Who fills and who reads a buffer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Filled by the caller before each run.
    Input {
        name: String,
    },
    /// A trained parameter, by path.
    Param {
        path: String,
        init: Init,
        decay: bool,
    },
    /// Gradient of the parameter of the same path.
    Grad {
        path: String,
    },
    Output {
        name: String,
    },
    /// State carried between runs: a run reads `StateIn` and writes `StateOut` of the same name. Starts as `init`.
    StateIn {
        name: String,
        init: Init,
    },
    StateOut {
        name: String,
    },
    /// Fresh draws before each run, a pure function of (seed, step, name).
    Noise {
        name: String,
        init: Init,
    },
    /// Lives from its first to its last launch; placed in the arena by the runtime.
    Temp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Buffer {
    pub name: String,
    pub elem: Elem,
    /// Row-major, axes' names beside sizes.
    pub axes: Vec<String>,
    pub shape: Vec<Dim>,
    pub role: Role,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelDecl {
    /// Symbol in the shared object.
    pub symbol: String,
    /// Names of the run-time lengths in the order of the kernel's `dims` argument.
    pub dims: Vec<String>,
    pub scratch_bytes: usize,
    /// For each argument: is it written?
    pub writes: Vec<bool>,
}

/// One operand of a [`Gemm`]: `element(l, r, c) = buffer[offset + l*batch + r*rows + c*cols]`, strides in elements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GemmOperand {
    pub buffer: usize,
    pub offset: u64,
    pub batch: Dim,
    pub rows: Dim,
    pub cols: Dim,
}

/// `out[l,m,n] = beta*out + Σ_k a[l,m,k] b[l,k,n]` for each l: the channel-mixing product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gemm {
    pub batch: Dim,
    pub m: Dim,
    pub n: Dim,
    pub k: Dim,
    pub a: GemmOperand,
    pub b: GemmOperand,
    pub out: GemmOperand,
    pub accumulate: bool,
}

/// A long causal convolution along time by FFT, channels last:
/// `out[b,t,c] = Σ_{lag=0..t} f[lag,c] · x[b,t-lag,c]` (`transpose`: `Σ_lag f[lag,c] · x[b,t+lag,c]`), and with
/// `kernel_grad`: `out[lag,c] = Σ_{b,t} f[b,t,c] · x[b,t-lag,c]` where `f` is the output's cotangent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conv {
    pub f: usize,
    pub x: usize,
    pub out: usize,
    pub batch: Dim,
    pub len: Dim,
    pub channels: Dim,
    pub transpose: bool,
    pub kernel_grad: bool,
}

/// One more position of a long causal convolution, channels last, with a kernel that is the same at every run:
/// `out[b,c] = f[0,c] · x[b,c] + Σ_{s<pos} f[pos-s,c] · past[b,s,c]`. `past` holds `len` positions, `f` as many lags.
/// Run at one position after the other, an executor need not add up all of it each time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Online {
    pub f: usize,
    pub past: usize,
    pub x: usize,
    /// One number.
    pub pos: usize,
    pub out: usize,
    pub batch: Dim,
    pub len: Dim,
    pub channels: Dim,
}

/// A state with one row written: `to[b,pos,c] = x[b,c]`, every other row as in `from`. The two are the sides of one
/// state and may share memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Append {
    pub from: usize,
    pub to: usize,
    pub x: usize,
    /// One number.
    pub pos: usize,
    pub batch: Dim,
    pub len: Dim,
    pub channels: Dim,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant)] // a plan holds hundreds, not millions
pub enum Launch {
    /// Runs the whole grid of a kernel; `grid` extents outermost first.
    Kernel {
        kernel: usize,
        buffers: Vec<usize>,
        grid: Vec<Dim>,
    },
    Gemm(Gemm),
    Conv(Conv),
    Online(Online),
    Append(Append),
    /// Fills a buffer with zero.
    Zero {
        buffer: usize,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub name: String,
    /// Run-time lengths that a caller must give.
    pub lens: Vec<String>,
    pub buffers: Vec<Buffer>,
    pub kernels: Vec<KernelDecl>,
    pub launches: Vec<Launch>,
    /// So many launches, the first ones, are made of parameters and lengths alone: who runs the plan often with the
    /// same parameters runs them once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub once: usize,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}
