//! Runs a plan with interpreted kernels: launches in order, products and convolutions by plain loops. Slow and
//! exact: for tests, and for users without a code generator.
//!
//! Buffers that nobody has filled hold NaN, so that a read of what was not written shows.

use crate::interp::{Data, Options, Program, bf16};
use crate::ir::Kernel;
use seqc_abi::{Append, Conv, Dim, Elem, Gemm, GemmOperand, Launch, Online, Plan, Role, Sizes};
use std::collections::HashMap;

/// Results by name, in the order of the plan's buffers.
pub type Results = Vec<(String, Vec<f64>)>;

/// Runs `plan` over f64 buffers. `given`: inputs by name, parameters by path, states as `state.NAME`, noise by name (0
/// where absent), row-major in the order of the buffer's axes. Results: outputs by name, gradients as `grad.PATH`,
/// states as `state.NAME`. Errors name a missing length or input, or the kernel's fault.
pub fn run_plan(
    plan: &Plan,
    kernels: &[Kernel],
    sizes: &Sizes,
    given: &HashMap<String, Vec<f64>>,
    options: Options,
) -> Result<Results, String> {
    let programs: Vec<Program> = kernels
        .iter()
        .map(Program::new)
        .collect::<Result<_, _>>()
        .map_err(|e| e.to_string())?;
    run_plan_by(plan, sizes, given, Data::F64, &mut |run, pool| {
        programs
            .get(run.kernel)
            .ok_or("a kernel is missing")?
            .run(pool, run.buffers, &run.dims, options)
            .map_err(|e| e.to_string())
    })
}

/// One launch of a kernel, for whoever runs it.
pub struct Run<'p> {
    /// Its number in the plan.
    pub kernel: usize,
    /// The plan's buffers in the order of its arguments.
    pub buffers: &'p [usize],
    pub dims: Vec<i64>,
    /// Cells of the grid.
    pub cells: i64,
}

/// Runs one launch over the plan's buffers.
pub type RunKernel<'a> = &'a mut dyn FnMut(Run, &mut [Data]) -> Result<(), String>;

/// The same with kernels that `kernel` runs, over buffers that `float` makes (of f64, or rounded to f32).
pub fn run_plan_by(
    plan: &Plan,
    sizes: &Sizes,
    given: &HashMap<String, Vec<f64>>,
    float: fn(Vec<f64>) -> Data,
    kernel: RunKernel,
) -> Result<Results, String> {
    plan.validate()?;
    let mut pool = buffers(plan, sizes, given, float)?;
    let size = |d: &Dim| d.eval(sizes).map(|n| n as usize);
    for launch in &plan.launches {
        match launch {
            Launch::Kernel {
                kernel: number,
                buffers,
                grid,
            } => {
                let length = |d: &String| match sizes.get(d) {
                    Some(n) => Ok(*n as i64),
                    None => Err(format!("no length `{d}` given")),
                };
                let dims = plan.kernels[*number].dims.iter().map(length);
                let run = Run {
                    kernel: *number,
                    buffers,
                    dims: dims.collect::<Result<_, _>>()?,
                    cells: Dim::product(grid.iter().cloned()).eval(sizes)? as i64,
                };
                kernel(run, &mut pool)?;
            }
            Launch::Gemm(g) => product(g, &mut pool, &size)?,
            Launch::Conv(c) => convolution(c, &mut pool, &size)?,
            Launch::Online(o) => online(o, &mut pool, &size)?,
            Launch::Append(a) => append(a, &mut pool, &size)?,
            Launch::Zero { buffer } => {
                let all = &mut pool[*buffer];
                for i in 0..all.len() {
                    all.set(i, 0.0);
                }
            }
        }
    }
    let named = plan.buffers.iter().zip(&pool).filter_map(|(b, d)| {
        let name = match &b.role {
            Role::Output { name } => name.clone(),
            Role::Grad { path } => format!("grad.{path}"),
            Role::StateOut { name } => format!("state.{name}"),
            _ => return None,
        };
        Some((name, d.to_f64()))
    });
    Ok(named.collect())
}

fn buffers(
    plan: &Plan,
    sizes: &Sizes,
    given: &HashMap<String, Vec<f64>>,
    float: fn(Vec<f64>) -> Data,
) -> Result<Vec<Data>, String> {
    let mut pool = Vec::new();
    for b in &plan.buffers {
        let n = Dim::product(b.shape.iter().cloned()).eval(sizes)? as usize;
        let values = match &b.role {
            Role::Input { name } | Role::Param { path: name, .. } => Some(
                given
                    .get(name)
                    .cloned()
                    .ok_or(format!("no values for `{name}`"))?,
            ),
            Role::StateIn { name, .. } => {
                let given = given.get(&format!("state.{name}"));
                Some(given.cloned().unwrap_or(vec![0.0; n]))
            }
            Role::Noise { name, .. } => Some(given.get(name).cloned().unwrap_or(vec![0.0; n])),
            _ => None,
        };
        let values = values.unwrap_or(vec![f64::NAN; n]);
        if values.len() != n {
            return Err(format!(
                "`{}` has {n} elements, {} are given",
                b.name,
                values.len()
            ));
        }
        pool.push(match b.elem {
            Elem::F32 => float(values),
            Elem::I32 => Data::I32(values.iter().map(|x| *x as i32).collect()),
            Elem::Bf16 => Data::Bf16(values.iter().map(|x| bf16(*x)).collect()),
        });
    }
    Ok(pool)
}

type Size<'s> = &'s dyn Fn(&Dim) -> Result<usize, String>;

fn read(pool: &[Data], buffer: usize, at: usize) -> Result<f64, String> {
    pool[buffer]
        .get(at)
        .ok_or(format!("element {at} is outside buffer {buffer}"))
}

fn product(g: &Gemm, pool: &mut [Data], size: Size) -> Result<(), String> {
    let (batch, m, n, k) = (size(&g.batch)?, size(&g.m)?, size(&g.n)?, size(&g.k)?);
    let at = |o: &GemmOperand| -> Result<[usize; 4], String> {
        Ok([
            o.offset as usize,
            size(&o.batch)?,
            size(&o.rows)?,
            size(&o.cols)?,
        ])
    };
    let (a, b, out) = (at(&g.a)?, at(&g.b)?, at(&g.out)?);
    let place = |o: &[usize; 4], l, r, c| o[0] + l * o[1] + r * o[2] + c * o[3];
    for (l, i) in (0..batch).flat_map(|l| (0..m).map(move |i| (l, i))) {
        for j in 0..n {
            let to = place(&out, l, i, j);
            let mut sum = if g.accumulate {
                read(pool, g.out.buffer, to)?
            } else {
                0.0
            };
            for x in 0..k {
                sum += read(pool, g.a.buffer, place(&a, l, i, x))?
                    * read(pool, g.b.buffer, place(&b, l, x, j))?;
            }
            if !pool[g.out.buffer].set(to, sum) {
                return Err(format!("a product writes outside buffer {}", g.out.buffer));
            }
        }
    }
    Ok(())
}

fn convolution(c: &Conv, pool: &mut [Data], size: Size) -> Result<(), String> {
    let (batch, len, channels) = (size(&c.batch)?, size(&c.len)?, size(&c.channels)?);
    let seq = |b: usize, t: usize, ch: usize| (b * len + t) * channels + ch;
    for ch in 0..channels {
        if c.kernel_grad {
            for lag in 0..len {
                let mut sum = 0.0;
                for b in 0..batch {
                    for t in lag..len {
                        sum +=
                            read(pool, c.f, seq(b, t, ch))? * read(pool, c.x, seq(b, t - lag, ch))?;
                    }
                }
                pool[c.out].set(lag * channels + ch, sum);
            }
            continue;
        }
        for b in 0..batch {
            for t in 0..len {
                let mut sum = 0.0;
                let most = if c.transpose { len - t } else { t + 1 };
                for lag in 0..most {
                    let s = if c.transpose { t + lag } else { t - lag };
                    sum += read(pool, c.f, lag * channels + ch)? * read(pool, c.x, seq(b, s, ch))?;
                }
                pool[c.out].set(seq(b, t, ch), sum);
            }
        }
    }
    Ok(())
}

/// A buffer's first number as a position.
fn position(pool: &[Data], buffer: usize) -> Result<usize, String> {
    Ok(read(pool, buffer, 0)?.round().max(0.0) as usize)
}

fn online(o: &Online, pool: &mut [Data], size: Size) -> Result<(), String> {
    let (batch, len, channels) = (size(&o.batch)?, size(&o.len)?, size(&o.channels)?);
    let pos = position(pool, o.pos)?;
    for (b, ch) in (0..batch).flat_map(|b| (0..channels).map(move |ch| (b, ch))) {
        let at = b * channels + ch;
        let mut sum = read(pool, o.f, ch)? * read(pool, o.x, at)?;
        for s in 0..pos.min(len) {
            let past = read(pool, o.past, (b * len + s) * channels + ch)?;
            sum += read(pool, o.f, (pos - s) * channels + ch)? * past;
        }
        pool[o.out].set(at, sum);
    }
    Ok(())
}

fn append(a: &Append, pool: &mut [Data], size: Size) -> Result<(), String> {
    let (batch, len, channels) = (size(&a.batch)?, size(&a.len)?, size(&a.channels)?);
    let pos = position(pool, a.pos)?;
    for (b, t) in (0..batch).flat_map(|b| (0..len).map(move |t| (b, t))) {
        for ch in 0..channels {
            let at = (b * len + t) * channels + ch;
            let x = match t == pos {
                true => read(pool, a.x, b * channels + ch)?,
                false => read(pool, a.from, at)?,
            };
            pool[a.to].set(at, x);
        }
    }
    Ok(())
}
