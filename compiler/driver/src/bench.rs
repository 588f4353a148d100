//! Times compiled programs: medians of repeated runs, launch by launch, and the machine's roofline beside them.
//!
//! Inputs are whole numbers from 0 up to the vocabulary, or draws around 0; their values do not change what is run.

use crate::{Result, other};
use seqc_abi::{Buffer, Dim, Elem, Gemm, GemmOperand, Launch, Plan, Role, Sizes};
use seqc_device::{Executor, Kernels, Pool, Program, Store};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one program took.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Timed {
    pub plan: String,
    pub batch: u64,
    pub length: u64,
    /// Median seconds of one run, and the spread between the quartiles.
    pub seconds: f64,
    pub spread: f64,
    pub tokens_per_second: f64,
    /// Bytes of temporaries.
    pub arena: usize,
    /// Seconds by launch, largest first; equal kernels together: name, launches, seconds.
    pub launches: Vec<(String, usize, f64)>,
}

/// What the machine can do: f32 operations and bytes written a second, on the pool's threads.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Roofline {
    pub flops: f64,
    pub bytes: f64,
}

/// Runs a program for about `budget` seconds, at least five times. A step runs at one position after the other, as in
/// generation, and its figure is the mean: some positions cost more than others.
pub fn time(
    program: &Program,
    sizes: &Sizes,
    store: &mut Store,
    pool: &Arc<Pool>,
    budget: f64,
) -> Result<Timed> {
    let failed = |e: seqc_device::Error| other("bench", e);
    let mut run = Executor::new(program, sizes, store, pool).map_err(failed)?;
    fill(&mut run, sizes)?;
    run.draw_noise(1, 0, 0).map_err(failed)?;
    run.run(store).map_err(failed)?;
    let goes_on = run.has_input("pos");
    let kept = sizes.get("cache").copied().unwrap_or(1).max(1);
    let go_on = |run: &mut Executor, k: usize| match goes_on {
        true => {
            run.advance()?;
            run.set_input("pos", &[(k as u64 % kept) as f32][..])
        }
        false => Ok(()),
    };
    let mut times = Vec::new();
    let begun = Instant::now();
    // Whole generations, so that each position counts as often as it comes.
    let whole = |n: usize| !goes_on || (n as u64).is_multiple_of(kept);
    while times.len() < 5 || begun.elapsed().as_secs_f64() < budget || !whole(times.len()) {
        go_on(&mut run, times.len()).map_err(failed)?;
        let at = Instant::now();
        run.run(store).map_err(failed)?;
        times.push(at.elapsed().as_secs_f64());
    }
    let timed = match goes_on {
        true => (kept as usize).min(times.len()),
        false => times.len().min(20),
    };
    let mut parts = Vec::new();
    for k in 0..timed {
        go_on(&mut run, k).map_err(failed)?;
        run.run_timed(store, &mut parts).map_err(failed)?;
    }
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    times.sort_by(f64::total_cmp);
    let seconds = if goes_on {
        mean
    } else {
        times[times.len() / 2]
    };
    let of = |n: &str| sizes.get(n).copied().unwrap_or(1);
    Ok(Timed {
        plan: program.plan.name.clone(),
        batch: of("batch"),
        length: of("t"),
        seconds,
        spread: times[times.len() * 3 / 4] - times[times.len() / 4],
        tokens_per_second: (of("batch") * of("t")) as f64 / seconds,
        arena: run.arena_bytes(),
        launches: by_name(&run, &parts, timed),
    })
}

/// Seconds of one run by launch name, largest first.
fn by_name(run: &Executor, parts: &[Duration], runs: usize) -> Vec<(String, usize, f64)> {
    let mut sums: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for (name, time) in run.launch_names().zip(parts) {
        let s = sums.entry(name).or_default();
        s.0 += 1;
        s.1 += time.as_secs_f64() / runs as f64;
    }
    let mut all: Vec<_> = sums
        .into_iter()
        .map(|(n, (k, s))| (n.to_owned(), k, s))
        .collect();
    all.sort_by(|a, b| b.2.total_cmp(&a.2));
    all
}

/// Something in every input.
fn fill(run: &mut Executor, sizes: &Sizes) -> Result<()> {
    let plan = run.plan().clone();
    for b in &plan.buffers {
        let Role::Input { name } = &b.role else {
            continue;
        };
        let n = b.shape.iter().try_fold(1u64, |n, d| {
            Ok::<u64, String>(n.saturating_mul(d.eval(sizes)?))
        });
        let n = usize::try_from(n.map_err(|e| other("bench", e))?).unwrap_or(0);
        let done = match b.elem {
            Elem::I32 => run.set_input(
                name,
                &(0..n).map(|k| (k * 7 % 97) as i32).collect::<Vec<_>>()[..],
            ),
            Elem::F32 | Elem::Bf16 => run.set_input(
                name,
                &(0..n)
                    .map(|k| ((k * 37 % 101) as f32 - 50.0) / 50.0)
                    .collect::<Vec<_>>()[..],
            ),
        };
        done.map_err(|e| other("bench", e))?;
    }
    Ok(())
}

/// Measures the roofline with plans of one launch each: a square product that stays in cache, and a fill that does not.
pub fn roofline(pool: &Arc<Pool>) -> Result<Roofline> {
    const N: u64 = 768;
    const WORDS: u64 = 1 << 25;
    let buffer = |name: &str, shape: &[u64], role: Role| Buffer {
        name: name.into(),
        elem: Elem::F32,
        axes: shape.iter().map(|_| "x".to_owned()).collect(),
        shape: shape.iter().map(|n| Dim::Const(*n)).collect(),
        role,
    };
    let input = |n: &str| Role::Input { name: n.into() };
    let output = || Role::Output { name: "out".into() };
    let operand = |buffer| GemmOperand {
        buffer,
        offset: 0,
        batch: Dim::Const(0),
        rows: Dim::Const(N),
        cols: Dim::Const(1),
    };
    let product = Plan {
        name: "product".into(),
        buffers: vec![
            buffer("a", &[N, N], input("a")),
            buffer("b", &[N, N], input("b")),
            buffer("out", &[N, N], output()),
        ],
        once: 0,
        launches: vec![Launch::Gemm(Gemm {
            batch: Dim::Const(1),
            m: Dim::Const(N),
            n: Dim::Const(N),
            k: Dim::Const(N),
            a: operand(0),
            b: operand(1),
            out: operand(2),
            accumulate: false,
        })],
        ..Plan::default()
    };
    let fill = Plan {
        name: "fill".into(),
        buffers: vec![buffer("out", &[WORDS], output())],
        once: 0,
        launches: vec![Launch::Zero { buffer: 0 }],
        ..Plan::default()
    };
    let seconds = |plan: Plan| -> Result<f64> {
        let failed = |e: seqc_device::Error| other("roofline", e);
        let kernels: Rc<dyn Kernels> = Rc::new(BTreeMap::<&'static str, seqc_abi::KernelFn>::new());
        let program = Program::new(plan, kernels).map_err(failed)?;
        Ok(time(&program, &Sizes::new(), &mut Store::new(0), pool, 0.2)?.seconds)
    };
    Ok(Roofline {
        flops: 2.0 * (N * N * N) as f64 / seconds(product)?,
        bytes: (WORDS * 4) as f64 / seconds(fill)?,
    })
}
