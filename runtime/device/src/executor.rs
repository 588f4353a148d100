//! Runs a program at given lengths, on CPU threads.
//!
//! Everything is evaluated, placed and allocated in `new`; `run` only walks the launches. Parameters and
//! gradients live in a [`Store`], the rest belongs to the executor.
//! Invariant: every address in `ptrs` is that of a live block of the right length: one of `_owned`, a place in
//! `arena`, or a tensor of the store whose number is `store`.

use crate::block::{Block, round_up};
use crate::instantiate::{KernelStep, Shapes, Step, lifetimes, place_temps, steps};
use crate::place::Placement;
use crate::{Error, Pool, Program, Result, Store, draw, fail, key_of};
use seqc_abi::{Elem, Init, Plan, Role, Sizes};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A quiet NaN; as an integer, an index far outside of anything.
const POISON: u32 = 0x7fc0_0000;

pub struct Executor {
    program: Program,
    shapes: Shapes,
    pool: Arc<Pool>,
    store: u64,
    steps: Vec<Step>,
    /// Where each buffer of the plan is; null for temporaries that no launch uses.
    ptrs: Vec<*mut u8>,
    /// Inputs, outputs, states and noise: kept alive for `ptrs`.
    _owned: Vec<Block>,
    arena: Block,
    /// One piece a thread, `scratch_bytes` apart.
    scratch: Block,
    scratch_bytes: usize,
    /// Pairs of incoming and outgoing state of the same shape.
    states: Vec<(usize, usize)>,
    /// For each launch, the temporaries whose lives begin there.
    births: Vec<Vec<usize>>,
    poison: bool,
    /// The launches that run once have run.
    prepared: bool,
}

impl Executor {
    /// Instantiates a plan. Parameters that the store does not have yet are made and initialised; gradients
    /// are made; states start as their plan says. Errors name the plan and the buffer.
    pub fn new(
        program: &Program,
        sizes: &Sizes,
        store: &mut Store,
        pool: &Arc<Pool>,
    ) -> Result<Executor> {
        let plan = &*program.plan;
        let shapes = Shapes::new(plan, sizes)?;
        let (temps, placement) = place_temps(plan, &shapes)?;
        enough_memory(plan, &Memory::of(plan, &shapes, &placement))?;
        let arena = Block::new(placement.bytes)?;
        let (mut ptrs, _owned) = place_kept(plan, &shapes, store)?;
        for (&b, &offset) in temps.iter().zip(&placement.offsets) {
            // Inside the arena by the placement.
            ptrs[b] = unsafe { arena.ptr().add(offset) };
        }
        let steps = steps(program, sizes, &shapes, pool.threads())?;
        let wanted = plan
            .kernels
            .iter()
            .map(|k| k.scratch_bytes)
            .max()
            .unwrap_or(0);
        let scratch_bytes = round_up(wanted)
            .and_then(|n| n.checked_add(4096))
            .unwrap_or(usize::MAX);
        let scratch = Block::new(scratch_bytes.saturating_mul(pool.threads()))?;
        let mut births = vec![Vec::new(); steps.len()];
        let lives = lifetimes(plan);
        temps
            .iter()
            .filter_map(|&b| Some((b, lives[b]?.0)))
            .for_each(|(b, first)| births[first].push(b));
        let states = paired_states(plan, &shapes);
        let (program, pool, store) = (program.clone(), pool.clone(), store.id());
        let mut made = Executor {
            program,
            shapes,
            pool,
            store,
            steps,
            ptrs,
            _owned,
            arena,
            scratch,
            scratch_bytes,
            states,
            births,
            poison: false,
            prepared: false,
        };
        made.fill_tables();
        made.reset_states()?;
        Ok(made)
    }

    /// Fill temporaries, outputs, outgoing states, gradients and scratch with NaN before each run, so that a
    /// plan that reads what it has not written shows it.
    pub fn set_poison(&mut self, on: bool) {
        self.poison = on;
    }

    pub fn plan(&self) -> &Rc<Plan> {
        &self.program.plan
    }

    /// Bytes of the temporaries' arena.
    pub fn arena_bytes(&self) -> usize {
        self.arena.bytes()
    }

    /// Runs every launch in order, those that the plan runs once only the first time: parameters must stay as they
    /// are from then on, if there are such launches. The store must be the one that the executor was made with.
    pub fn run(&mut self, store: &mut Store) -> Result<()> {
        self.check_store(store)?;
        self.poison_kept();
        (self.first_step()..self.steps.len()).for_each(|i| self.step(i));
        Ok(())
    }

    /// Where a run begins.
    fn first_step(&mut self) -> usize {
        match std::mem::replace(&mut self.prepared, true) {
            true => self.program.plan.once,
            false => 0,
        }
    }

    /// Like [`run`](Self::run); adds each launch's time to `times` (one entry a launch, see
    /// [`launch_names`](Self::launch_names)).
    pub fn run_timed(&mut self, store: &mut Store, times: &mut Vec<Duration>) -> Result<()> {
        self.check_store(store)?;
        self.poison_kept();
        times.resize(self.steps.len(), Duration::ZERO);
        let first = self.first_step();
        for (i, time) in times.iter_mut().enumerate().skip(first) {
            let start = Instant::now();
            self.step(i);
            *time += start.elapsed();
        }
        Ok(())
    }

    /// What each launch is: a kernel's symbol, or `gemm`, `conv`, `online`, `append`, `zero`.
    pub fn launch_names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|s| match s {
            Step::Kernel(k) => k.symbol.as_str(),
            Step::Product(_) => "gemm",
            Step::Convolution(_) => "conv",
            Step::Online(_) => "online",
            Step::Append(_) => "append",
            Step::Zero { .. } => "zero",
        })
    }

    fn check_store(&self, store: &Store) -> Result<()> {
        match store.id() == self.store {
            true => Ok(()),
            false => fail!(
                "plan `{}` was instantiated with another store",
                self.program.plan.name
            ),
        }
    }

    fn step(&self, i: usize) {
        if self.poison {
            self.births[i].iter().for_each(|&b| self.fill(b, POISON));
        }
        // Sizes and addresses hold by the type's invariant; `&mut` of `run` keeps other users away.
        match &self.steps[i] {
            Step::Kernel(k) => self.launch(k),
            Step::Product(p) => unsafe { p.run(&self.ptrs, &self.pool) },
            Step::Convolution(c) => unsafe { c.run(&self.ptrs, &self.pool) },
            Step::Online(o) => unsafe { o.run(&self.ptrs, &self.pool) },
            Step::Append(a) => unsafe { a.run(&self.ptrs) },
            Step::Zero { buffer } => self.zero(*buffer),
        }
    }

    fn launch(&self, k: &KernelStep) {
        let (entry, scratch_bytes) = (k.entry, self.scratch_bytes);
        let [table, dims, scratch] = [
            k.table.as_ptr() as usize,
            k.dims.as_ptr() as usize,
            self.scratch.ptr() as usize,
        ];
        self.pool.run(k.cells, 1, |me, lo, hi| {
            let mine = scratch + me * scratch_bytes;
            // The compiler promises that cells are independent and stay inside their buffers.
            unsafe {
                entry(
                    table as *const *mut u8,
                    dims as *const i64,
                    lo as i64,
                    hi as i64,
                    mine as *mut u8,
                )
            }
        });
    }

    fn zero(&self, buffer: usize) {
        let (at, bytes) = (self.ptrs[buffer] as usize, self.shapes.lens[buffer] * 4);
        self.pool.run(bytes as u64, 1 << 18, |_, lo, hi| {
            // Inside the buffer; ranges are disjoint.
            unsafe { std::ptr::write_bytes((at + lo as usize) as *mut u8, 0, (hi - lo) as usize) }
        });
    }

    fn fill(&self, buffer: usize, word: u32) {
        let len = self.shapes.lens[buffer];
        if !self.ptrs[buffer].is_null() {
            unsafe {
                std::slice::from_raw_parts_mut(self.ptrs[buffer].cast::<u32>(), len).fill(word)
            };
        }
    }

    fn poison_kept(&mut self) {
        if !self.poison {
            return;
        }
        for (i, b) in self.program.plan.buffers.iter().enumerate() {
            // A state that is written in place is as it came in but for a row.
            let in_place = (self.states.iter()).any(|s| s.1 == i && self.ptrs[s.0] == self.ptrs[i]);
            if in_place {
                continue;
            }
            if matches!(
                b.role,
                Role::Output { .. } | Role::StateOut { .. } | Role::Grad { .. }
            ) {
                self.fill(i, POISON);
            }
        }
        self.scratch.f32_mut().fill(f32::NAN);
    }

    fn fill_tables(&mut self) {
        for step in &mut self.steps {
            if let Step::Kernel(k) = step {
                k.table
                    .iter_mut()
                    .zip(&k.buffers)
                    .for_each(|(at, &b)| *at = self.ptrs[b]);
            }
        }
    }
}

/// Named data going in and coming out.
impl Executor {
    fn find(&self, what: &str, name: &str, is: impl Fn(&Role) -> bool) -> Result<usize> {
        let plan = &self.program.plan;
        match plan.buffers.iter().position(|b| is(&b.role)) {
            Some(i) => Ok(i),
            None => fail!("plan `{}` has no {what} `{name}`", plan.name),
        }
    }

    fn input_index(&self, name: &str) -> Result<usize> {
        self.find(
            "input",
            name,
            |r| matches!(r, Role::Input { name: n } if n == name),
        )
    }

    fn output_index(&self, name: &str) -> Result<usize> {
        self.find(
            "output",
            name,
            |r| matches!(r, Role::Output { name: n } if n == name),
        )
    }

    fn state_in(&self, name: &str) -> Result<usize> {
        self.find(
            "incoming state",
            name,
            |r| matches!(r, Role::StateIn { name: n, .. } if n == name),
        )
    }

    fn state_out(&self, name: &str) -> Result<usize> {
        self.find(
            "outgoing state",
            name,
            |r| matches!(r, Role::StateOut { name: n } if n == name),
        )
    }

    /// Input, state, noise and output buffers live in `_owned`; states may have traded places since.
    fn words(&self, buffer: usize) -> &[u32] {
        unsafe { std::slice::from_raw_parts(self.ptrs[buffer].cast(), self.shapes.lens[buffer]) }
    }

    fn words_mut(&mut self, buffer: usize) -> &mut [u32] {
        unsafe {
            std::slice::from_raw_parts_mut(self.ptrs[buffer].cast(), self.shapes.lens[buffer])
        }
    }

    fn f32s(&self, buffer: usize) -> Result<&[f32]> {
        let b = &self.program.plan.buffers[buffer];
        if b.elem != Elem::F32 {
            fail!("`{}` holds integers", b.name);
        }
        // u32 and f32 have the same size and alignment; any bits are an f32.
        let words = self.words(buffer);
        Ok(unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len()) })
    }

    /// Fills an input, row-major. Errors: no such input, wrong element type, wrong number of elements.
    pub fn set_input<'a>(&mut self, name: &str, data: impl Into<Data<'a>>) -> Result<()> {
        let (i, data) = (self.input_index(name)?, data.into());
        let (elem, shape) = (self.program.plan.buffers[i].elem, &self.shapes.shapes[i]);
        if elem != data.elem() {
            fail!("input `{name}` holds {elem:?}, {:?} is given", data.elem());
        }
        if self.shapes.lens[i] != data.len() {
            fail!(
                "input `{name}` has shape {shape:?}, {} elements are given",
                data.len()
            );
        }
        data.copy_to(self.words_mut(i));
        Ok(())
    }

    pub fn has_input(&self, name: &str) -> bool {
        self.input_index(name).is_ok()
    }

    /// Draws every noise buffer for a step: a function of seed, step and name only.
    pub fn draw_noise(&mut self, seed: u64, step: u32) -> Result<()> {
        let plan = self.program.plan.clone();
        for (i, b) in plan.buffers.iter().enumerate() {
            if let Role::Noise { name, init } = &b.role {
                let key = key_of(seed, &format!("noise.{name}"));
                let drawn = draw(init, &self.shapes.shapes[i], key, step)?;
                Data::F32(&drawn).copy_to(self.words_mut(i));
            }
        }
        Ok(())
    }

    /// An f32 output of the last run, row-major.
    pub fn output(&self, name: &str) -> Result<&[f32]> {
        self.f32s(self.output_index(name)?)
    }

    /// Any output's shape.
    pub fn output_shape(&self, name: &str) -> Result<&[usize]> {
        Ok(&self.shapes.shapes[self.output_index(name)?])
    }

    /// An integer output of the last run.
    pub fn output_i32(&self, name: &str) -> Result<&[i32]> {
        let i = self.output_index(name)?;
        if self.program.plan.buffers[i].elem != Elem::I32 {
            fail!("output `{name}` holds numbers, not integers");
        }
        let words = self.words(i);
        Ok(unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len()) })
    }

    /// Names of the incoming states.
    pub fn states(&self) -> impl Iterator<Item = &str> {
        self.program
            .plan
            .buffers
            .iter()
            .filter_map(|b| match &b.role {
                Role::StateIn { name, .. } => Some(name.as_str()),
                _ => None,
            })
    }

    /// Names of the outgoing states.
    pub fn states_out(&self) -> impl Iterator<Item = &str> {
        self.program
            .plan
            .buffers
            .iter()
            .filter_map(|b| match &b.role {
                Role::StateOut { name } => Some(name.as_str()),
                _ => None,
            })
    }

    /// What the last run left of a state (four-byte words, whatever they mean), and its shape.
    pub fn state_words(&self, name: &str) -> Result<(&[u32], &[usize])> {
        let i = self.state_out(name)?;
        Ok((self.words(i), &self.shapes.shapes[i]))
    }

    /// What the last run left of an f32 state, and its shape.
    pub fn state(&self, name: &str) -> Result<(&[f32], &[usize])> {
        let i = self.state_out(name)?;
        Ok((self.f32s(i)?, &self.shapes.shapes[i]))
    }

    /// Sets the state that the next run reads: values of the given row-major shape go into the leading corner
    /// of the state (a key/value cache that is longer than its prompt), the rest becomes its start. The ranks
    /// must agree and no size may be larger than the state's.
    pub fn set_state_words(&mut self, name: &str, words: &[u32], shape: &[usize]) -> Result<()> {
        let i = self.state_in(name)?;
        let to = self.shapes.shapes[i].clone();
        let fits = shape.len() == to.len() && shape.iter().zip(&to).all(|(a, b)| a <= b);
        if !fits || shape.iter().product::<usize>() != words.len() {
            fail!(
                "state `{name}` has shape {to:?}; {} values of shape {shape:?} do not fit",
                words.len()
            );
        }
        if shape != to {
            self.reset_state(i)?;
        }
        copy_corner(words, shape, self.words_mut(i), &to);
        self.forget();
        Ok(())
    }

    /// States are others than the last run left.
    fn forget(&self) {
        for s in &self.steps {
            if let Step::Online(o) = s {
                o.forget();
            }
        }
    }

    pub fn set_state(&mut self, name: &str, values: &[f32], shape: &[usize]) -> Result<()> {
        let words: Vec<u32> = values.iter().map(|x| x.to_bits()).collect();
        self.set_state_words(name, &words, shape)
    }

    /// Puts every incoming state back to its start.
    pub fn reset_states(&mut self) -> Result<()> {
        for i in 0..self.ptrs.len() {
            self.reset_state(i)?;
        }
        Ok(())
    }

    fn reset_state(&mut self, i: usize) -> Result<()> {
        let plan = self.program.plan.clone();
        if let Role::StateIn { name, init } = &plan.buffers[i].role {
            let start = self.start_of(name, init, i)?;
            self.words_mut(i).copy_from_slice(&start);
            self.forget();
        }
        Ok(())
    }

    fn start_of(&self, name: &str, init: &Init, i: usize) -> Result<Vec<u32>> {
        let values = draw(init, &self.shapes.shapes[i], key_of(0, name), 0);
        let values = values.map_err(|e| Error(format!("state `{name}`: {e}")))?;
        let integer = self.program.plan.buffers[i].elem == Elem::I32;
        Ok(values
            .into_iter()
            .map(|x| {
                if integer {
                    x as i32 as u32
                } else {
                    x.to_bits()
                }
            })
            .collect())
    }

    /// What the last run left becomes what the next run reads: the two buffers trade places. Errors if a
    /// state's two sides differ in shape.
    pub fn advance(&mut self) -> Result<()> {
        let plan = self.program.plan.clone();
        let incoming = plan
            .buffers
            .iter()
            .filter(|b| matches!(b.role, Role::StateIn { .. }))
            .count();
        if incoming != self.states.len() {
            fail!(
                "plan `{}`: some state does not go out as it comes in",
                plan.name
            );
        }
        self.states.iter().for_each(|&(a, b)| self.ptrs.swap(a, b));
        self.fill_tables();
        Ok(())
    }
}

/// Data of an input.
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    F32(&'a [f32]),
    I32(&'a [i32]),
}

impl<'a> From<&'a [f32]> for Data<'a> {
    fn from(x: &'a [f32]) -> Self {
        Data::F32(x)
    }
}

impl<'a> From<&'a [i32]> for Data<'a> {
    fn from(x: &'a [i32]) -> Self {
        Data::I32(x)
    }
}

impl Data<'_> {
    fn elem(&self) -> Elem {
        match self {
            Data::F32(_) => Elem::F32,
            Data::I32(_) => Elem::I32,
        }
    }

    fn len(&self) -> usize {
        match self {
            Data::F32(x) => x.len(),
            Data::I32(x) => x.len(),
        }
    }

    fn copy_to(&self, words: &mut [u32]) {
        match self {
            Data::F32(x) => words.iter_mut().zip(*x).for_each(|(w, x)| *w = x.to_bits()),
            Data::I32(x) => words.iter_mut().zip(*x).for_each(|(w, x)| *w = *x as u32),
        }
    }
}

/// Copies a row-major array into the leading corner of a larger one of the same rank.
fn copy_corner(from: &[u32], shape: &[usize], to: &mut [u32], size: &[usize]) {
    match (shape.split_first(), size.split_first()) {
        (Some((&n, inner)), Some((_, outer))) if !inner.is_empty() => {
            let (a, b) = (
                inner.iter().product::<usize>(),
                outer.iter().product::<usize>(),
            );
            for i in 0..n {
                copy_corner(
                    &from[i * a..(i + 1) * a],
                    inner,
                    &mut to[i * b..(i + 1) * b],
                    outer,
                );
            }
        }
        _ => to[..from.len()].copy_from_slice(from),
    }
}

/// Addresses of everything but the temporaries, and the blocks of what the executor owns.
fn place_kept(
    plan: &Plan,
    shapes: &Shapes,
    store: &mut Store,
) -> Result<(Vec<*mut u8>, Vec<Block>)> {
    let mut ptrs = vec![std::ptr::null_mut(); plan.buffers.len()];
    let mut owned = Vec::new();
    for (i, b) in plan.buffers.iter().enumerate() {
        ptrs[i] = match &b.role {
            Role::Param { path, init, decay } => {
                store.declare(path, &shapes.shapes[i], init, *decay)?
            }
            Role::Grad { .. } | Role::Temp => continue,
            _ => {
                let block = Block::new(shapes.lens[i] * 4)?;
                let at = block.ptr();
                owned.push(block);
                at
            }
        };
    }
    // A state into which rows are written is one block.
    for launch in &plan.launches {
        if let seqc_abi::Launch::Append(a) = launch {
            ptrs[a.to] = ptrs[a.from];
        }
    }
    // After the parameters, which may stand behind them in the plan.
    for (i, b) in plan.buffers.iter().enumerate() {
        if let Role::Grad { path } = &b.role {
            ptrs[i] = store.declare_grad(path, &shapes.shapes[i])?;
        }
    }
    Ok((ptrs, owned))
}

/// States that go out in the shape in which they come in.
fn paired_states(plan: &Plan, shapes: &Shapes) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (i, b) in plan.buffers.iter().enumerate() {
        let Role::StateIn { name, .. } = &b.role else {
            continue;
        };
        let out = plan
            .buffers
            .iter()
            .position(|o| matches!(&o.role, Role::StateOut { name: n } if n == name));
        pairs.extend(
            out.filter(|&o| shapes.shapes[o] == shapes.shapes[i] && plan.buffers[o].elem == b.elem)
                .map(|o| (i, o)),
        );
    }
    pairs
}

/// What a plan takes at some sizes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Temporaries, which share bytes when they live at different times.
    pub arena: usize,
    /// Inputs, outputs, parameters, gradients and states.
    pub kept: usize,
}

impl Memory {
    /// Nothing is allocated for the answer.
    pub fn at(plan: &Plan, sizes: &Sizes) -> Result<Memory> {
        let shapes = Shapes::new(plan, sizes)?;
        let (_, placement) = place_temps(plan, &shapes)?;
        Ok(Memory::of(plan, &shapes, &placement))
    }

    fn of(plan: &Plan, shapes: &Shapes, placement: &Placement) -> Memory {
        let buffers = plan.buffers.iter().zip(&shapes.lens);
        let kept = buffers.filter(|(b, _)| b.role != Role::Temp);
        Memory {
            arena: placement.bytes,
            kept: kept.fold(0, |n: usize, (_, len)| {
                n.saturating_add(len.saturating_mul(4))
            }),
        }
    }
}

/// Refuses a plan that the machine has no memory for, where the system says how much there is.
fn enough_memory(plan: &Plan, m: &Memory) -> Result<()> {
    let need = m.arena.saturating_add(m.kept);
    let gib = |n: usize| n as f64 / f64::from(1 << 30);
    match available_memory() {
        Some(free) if need > free => fail!(
            "plan `{}` needs {:.1} GiB at this batch and length, {:.1} GiB are free",
            plan.name,
            gib(need),
            gib(free)
        ),
        _ => Ok(()),
    }
}

fn available_memory() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<usize>()
        .ok()?
        .checked_mul(1024)
}

#[cfg(test)]
#[path = "executor_tests.rs"]
mod tests;
