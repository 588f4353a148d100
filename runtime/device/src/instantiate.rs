//! A plan at given lengths: every size evaluated, every launch resolved, the temporaries placed.
//!
//! Invariant: whatever this accepts can be run without further checks, as far as the runtime can know: the
//! inside of a kernel is the compiler's promise.

use crate::append::Append;
use crate::block::ALIGN;
use crate::conv::Convolution;
use crate::online::Online;
use crate::place::{Interval, Placement, place};
use crate::product::Product;
use crate::{Error, Program, Result, fail};
use seqc_abi::{KernelFn, Launch, Plan, Role, Sizes};

/// A launch ready to run.
pub enum Step {
    Kernel(KernelStep),
    Product(Product),
    Convolution(Convolution),
    Online(Online),
    Append(Append),
    Zero { buffer: usize },
}

pub struct KernelStep {
    pub entry: KernelFn,
    pub symbol: String,
    /// The plan's buffers in the order of the kernel's arguments.
    pub buffers: Vec<usize>,
    /// Their addresses; refreshed when states trade places.
    pub table: Vec<*mut u8>,
    pub dims: Vec<i64>,
    /// Cells of the flattened grid.
    pub cells: u64,
}

/// Sizes of a plan's buffers at given lengths.
pub struct Shapes {
    pub shapes: Vec<Vec<usize>>,
    /// Elements of each buffer, and its bytes.
    pub lens: Vec<usize>,
    pub bytes: Vec<usize>,
}

impl Shapes {
    pub fn new(plan: &Plan, sizes: &Sizes) -> Result<Shapes> {
        if let Some(missing) = plan.lens.iter().find(|l| !sizes.contains_key(*l)) {
            fail!("plan `{}` wants a length `{missing}`", plan.name);
        }
        let mut made = Shapes {
            shapes: Vec::new(),
            lens: Vec::new(),
            bytes: Vec::new(),
        };
        for b in &plan.buffers {
            let size = |d: &seqc_abi::Dim| {
                usize::try_from(d.eval(sizes)?).map_err(|_| "a size is too large".to_owned())
            };
            let named =
                |e: String| Error(format!("plan `{}`, buffer `{}`: {e}", plan.name, b.name));
            let shape = b
                .shape
                .iter()
                .map(size)
                .collect::<std::result::Result<Vec<_>, _>>()
                .map_err(named)?;
            // Elements times four must stay addressable.
            let len = shape
                .iter()
                .try_fold(1usize, |n, &d| n.checked_mul(d))
                .filter(|&n| n <= isize::MAX as usize / 8);
            let Some(len) = len else {
                return Err(named(format!("shape {shape:?} overflows")));
            };
            made.shapes.push(shape);
            made.lens.push(len);
            made.bytes.push(len * b.elem.bytes());
        }
        Ok(made)
    }
}

/// First and last launch of every buffer, `None` for those never used. What a launch that runs once leaves is there
/// for all runs.
pub fn lifetimes(plan: &Plan) -> Vec<Option<(usize, usize)>> {
    let mut lives: Vec<Option<(usize, usize)>> = vec![None; plan.buffers.len()];
    for (i, launch) in plan.launches.iter().enumerate() {
        for u in launch.uses(plan) {
            lives[u.buffer] = Some((lives[u.buffer].map_or(i, |l| l.0), i));
        }
    }
    let last = plan.launches.len().saturating_sub(1);
    for (first, end) in lives.iter_mut().flatten() {
        if *first < plan.once {
            *end = last;
        }
    }
    lives
}

/// Places the temporaries that are used; gives their buffer numbers with the placement.
pub fn place_temps(plan: &Plan, shapes: &Shapes) -> Result<(Vec<usize>, Placement)> {
    let lives = lifetimes(plan);
    let is_temp = |i: &usize| plan.buffers[*i].role == Role::Temp && lives[*i].is_some();
    let temps: Vec<usize> = (0..plan.buffers.len()).filter(is_temp).collect();
    let interval = |&i: &usize| {
        let (first, last) = lives[i].unwrap_or_default();
        // A line of slack each, so that a vector load past the end stays inside.
        Interval {
            first,
            last,
            bytes: shapes.bytes[i] + ALIGN,
        }
    };
    let intervals: Vec<Interval> = temps.iter().map(interval).collect();
    match place(&intervals) {
        Some(placement) => Ok((temps, placement)),
        None => fail!("plan `{}`: its temporaries are too large", plan.name),
    }
}

/// Resolves the launches in order.
pub fn steps(
    program: &Program,
    sizes: &Sizes,
    shapes: &Shapes,
    threads: usize,
) -> Result<Vec<Step>> {
    let plan = &*program.plan;
    let one = |(i, launch): (usize, &Launch)| {
        let named = |e: Error| Error(format!("plan `{}`, launch {i}: {e}", plan.name));
        match launch {
            Launch::Kernel {
                kernel,
                buffers,
                grid,
            } => kernel_step(program, sizes, *kernel, buffers, grid).map_err(named),
            Launch::Gemm(g) => Product::new(g, sizes, &shapes.lens, |b| plan.buffers[b].elem)
                .map(Step::Product)
                .map_err(named),
            Launch::Conv(c) => Convolution::new(c, sizes, &shapes.lens, threads)
                .map(Step::Convolution)
                .map_err(named),
            Launch::Online(o) => Online::new(o, sizes, &shapes.lens, threads)
                .map(Step::Online)
                .map_err(named),
            Launch::Append(a) => Append::new(a, sizes, &shapes.lens)
                .map(Step::Append)
                .map_err(named),
            Launch::Zero { buffer } => Ok(Step::Zero { buffer: *buffer }),
        }
    };
    plan.launches.iter().enumerate().map(one).collect()
}

fn kernel_step(
    program: &Program,
    sizes: &Sizes,
    kernel: usize,
    buffers: &[usize],
    grid: &[seqc_abi::Dim],
) -> Result<Step> {
    let decl = &program.plan.kernels[kernel];
    let Some(entry) = program.kernels.entry(&decl.symbol) else {
        fail!("there is no kernel `{}`", decl.symbol);
    };
    let signed = |n: u64| {
        i64::try_from(n).map_err(|_| Error(format!("`{}`: a size is too large", decl.symbol)))
    };
    let dims = decl
        .dims
        .iter()
        .map(|d| signed(sizes[d]))
        .collect::<Result<Vec<_>>>()?;
    let cells = grid.iter().try_fold(Some(1u64), |n, d| {
        Ok::<_, Error>(
            n.zip(Some(d.eval(sizes)?))
                .and_then(|(n, d)| n.checked_mul(d)),
        )
    })?;
    let Some(cells) = cells.filter(|&n| i64::try_from(n).is_ok()) else {
        fail!("`{}`: its grid is too large", decl.symbol);
    };
    let table = vec![std::ptr::null_mut(); buffers.len()];
    Ok(Step::Kernel(KernelStep {
        entry,
        symbol: decl.symbol.clone(),
        buffers: buffers.to_vec(),
        table,
        dims,
        cells,
    }))
}
