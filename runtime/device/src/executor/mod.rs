//! Runs a program on CPU threads, at lengths that may change between runs.
//!
//! What lengths ask for ([`Placed`]: sizes, launches, places) is worked out once for each of them; `run` only walks
//! the launches and allocates nothing. Memory is as large as the largest lengths so far. Parameters and
//! gradients live in a [`Store`], the rest belongs to the executor.
//! Invariant: every address in `at.ptrs` is that of a live block of the right length: one of `kept`, a place in
//! `arena`, or a tensor of the store whose number is `store`.

mod data;
mod finite;
mod memory;
mod placed;

pub use data::Data;
pub use memory::Memory;

use crate::bf16;
use crate::block::{Block, round_up};
use crate::instantiate::{KernelStep, Step};
use crate::{Pool, Program, Result, Store, fail};
use placed::Placed;
use seqc_abi::{Elem, Launch, Plan, Role, Sizes};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A quiet NaN; as an integer, an index far outside of anything.
const POISON: u32 = 0x7fc0_0000;

/// So many lengths are remembered.
const REMEMBERED: usize = 1024;

pub struct Executor {
    program: Program,
    pool: Arc<Pool>,
    store: u64,
    /// The program at the present lengths, and at others that it has been run at.
    at: Placed,
    others: HashMap<Vec<(String, u64)>, Placed>,
    /// Of each buffer: the store's address, for parameters and gradients.
    fixed: Vec<*mut u8>,
    /// Of each buffer: its own block, for inputs, outputs, states and noise, and copies of parameters in bf16.
    kept: Vec<Option<Block>>,
    arena: Block,
    /// One piece a thread, `scratch_bytes` apart.
    scratch: Block,
    scratch_bytes: usize,
    poison: bool,
    /// The store's version for which, at the present lengths, parameters are copied and the launches that run once
    /// have run.
    prepared: Option<u64>,
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
        let at = Placed::new(program, sizes, pool.threads())?;
        let fixed = in_store(plan, &at, store)?;
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
        let mut made = Executor {
            program: program.clone(),
            pool: pool.clone(),
            store: store.id(),
            at,
            others: HashMap::new(),
            fixed,
            kept: plan.buffers.iter().map(|_| None).collect(),
            arena: Block::new(0)?,
            scratch,
            scratch_bytes,
            poison: false,
            prepared: None,
        };
        made.find_room()?;
        Ok(made)
    }

    /// Goes on at other lengths. Inputs have to be given anew, states are at their start. After an error the
    /// executor is as it was.
    pub fn set_lengths(&mut self, sizes: &Sizes) -> Result<()> {
        let key = |s: &Sizes| s.iter().map(|(n, l)| (n.clone(), *l)).collect::<Vec<_>>();
        if self.at.sizes == *sizes {
            return self.reset_states();
        }
        let next = match self.others.remove(&key(sizes)) {
            Some(known) => known,
            None => Placed::new(&self.program, sizes, self.pool.threads())?,
        };
        let old = std::mem::replace(&mut self.at, next);
        if let Err(e) = self.find_room() {
            self.at = old;
            return self.find_room().and(Err(e));
        }
        if self.others.len() >= REMEMBERED {
            self.others.clear();
        }
        self.others.insert(key(&old.sizes), old);
        Ok(())
    }

    /// Makes blocks as large as the present lengths need and writes down where everything is.
    fn find_room(&mut self) -> Result<()> {
        if self.arena.bytes() < self.at.arena_bytes {
            self.arena = Block::new(self.at.arena_bytes)?;
        }
        for (i, b) in self.program.plan.buffers.iter().enumerate() {
            self.at.ptrs[i] = match &b.role {
                Role::Param { .. } | Role::Grad { .. } if b.elem == Elem::F32 => self.fixed[i],
                Role::Temp => continue,
                _ => {
                    let bytes = self.at.shapes.bytes[i];
                    let block = match self.kept[i].take() {
                        Some(old) if old.bytes() >= bytes => old,
                        _ => Block::new(bytes)?,
                    };
                    self.kept[i].insert(block).ptr()
                }
            };
        }
        for (&b, &offset) in self.at.temps.iter().zip(&self.at.offsets) {
            // SAFETY: inside the arena by the placement.
            self.at.ptrs[b] = unsafe { self.arena.ptr().add(offset) };
        }
        // A state into which rows are written is one block.
        for launch in &self.program.plan.launches {
            if let Launch::Append(a) = launch {
                self.at.ptrs[a.to] = self.at.ptrs[a.from];
            }
        }
        self.prepared = None;
        self.fill_tables();
        self.reset_states()
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

    /// Runs every launch in order, those that the plan runs once only where parameters have changed. The store must be
    /// the one that the executor was made with.
    pub fn run(&mut self, store: &mut Store) -> Result<()> {
        let first = self.begin(store)?;
        (first..self.at.steps.len()).for_each(|i| self.step(i));
        Ok(())
    }

    /// Makes ready for a run; gives the launch that it begins with.
    fn begin(&mut self, store: &Store) -> Result<usize> {
        self.check_store(store)?;
        self.poison_kept();
        let now = Some(store.version());
        if self.prepared == now {
            return Ok(self.program.plan.once);
        }
        self.copy_params(store);
        self.forget();
        self.prepared = now;
        Ok(0)
    }

    /// Like [`run`](Self::run); adds each launch's time to `times` (one entry a launch, see
    /// [`launch_names`](Self::launch_names)).
    pub fn run_timed(&mut self, store: &mut Store, times: &mut Vec<Duration>) -> Result<()> {
        let first = self.begin(store)?;
        times.resize(self.at.steps.len(), Duration::ZERO);
        for (i, time) in times.iter_mut().enumerate().skip(first) {
            let start = Instant::now();
            self.step(i);
            *time += start.elapsed();
        }
        Ok(())
    }

    /// What each launch is: a kernel's symbol, or `gemm`, `conv`, `online`, `append`, `zero`.
    pub fn launch_names(&self) -> impl Iterator<Item = &str> {
        self.at.steps.iter().map(|s| match s {
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
            self.at.births[i].iter().for_each(|&b| self.spoil(b));
        }
        // Sizes and addresses hold by the type's invariant; `&mut` of `run` keeps other users away.
        match &self.at.steps[i] {
            Step::Kernel(k) => self.launch(k),
            // SAFETY: as said above.
            Step::Product(p) => unsafe { p.run(&self.at.ptrs, &self.pool) },
            // SAFETY: as said above.
            Step::Convolution(c) => unsafe { c.run(&self.at.ptrs, &self.pool) },
            // SAFETY: as said above.
            Step::Online(o) => unsafe { o.run(&self.at.ptrs, &self.pool) },
            // SAFETY: as said above.
            Step::Append(a) => unsafe { a.run(&self.at.ptrs) },
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
            // SAFETY: the compiler promises that cells are independent and stay inside their buffers.
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
        let (at, bytes) = (self.at.ptrs[buffer] as usize, self.at.shapes.bytes[buffer]);
        self.pool.run(bytes as u64, 1 << 18, |_, lo, hi| {
            // SAFETY: inside the buffer; ranges are disjoint.
            unsafe { std::ptr::write_bytes((at + lo as usize) as *mut u8, 0, (hi - lo) as usize) }
        });
    }

    /// Fills a buffer with what is no number.
    fn spoil(&self, buffer: usize) {
        let (at, len) = (self.at.ptrs[buffer], self.at.shapes.lens[buffer]);
        if at.is_null() {
            return;
        }
        // `len` elements of the buffer's type.
        match self.program.plan.buffers[buffer].elem {
            // SAFETY: the address is that of a live block with `len` such elements.
            Elem::Bf16 => unsafe {
                std::slice::from_raw_parts_mut(at.cast::<u16>(), len).fill((POISON >> 16) as u16)
            },
            // SAFETY: the address is that of a live block with `len` such elements.
            _ => unsafe { std::slice::from_raw_parts_mut(at.cast::<u32>(), len).fill(POISON) },
        }
    }

    fn poison_kept(&mut self) {
        if !self.poison {
            return;
        }
        for (i, b) in self.program.plan.buffers.iter().enumerate() {
            // A state that is written in place is as it came in but for a row.
            let ptrs = &self.at.ptrs;
            if (self.at.states.iter()).any(|s| s.1 == i && ptrs[s.0] == ptrs[i]) {
                continue;
            }
            if matches!(
                b.role,
                Role::Output { .. } | Role::StateOut { .. } | Role::Grad { .. }
            ) {
                self.spoil(i);
            }
        }
        self.scratch.f32_mut().fill(f32::NAN);
    }

    /// Rounds parameters into their copies in bf16.
    fn copy_params(&mut self, store: &Store) {
        for (i, b) in self.program.plan.buffers.iter().enumerate() {
            if let (Role::Param { path, .. }, Elem::Bf16) = (&b.role, b.elem)
                && let Some(p) = store.get(path)
            {
                let (from, to) = (p.value(), self.at.ptrs[i] as usize);
                self.pool.run(from.len() as u64, 1 << 14, |_, lo, hi| {
                    let (lo, n) = (lo as usize, (hi - lo) as usize);
                    // SAFETY: the copy has the parameter's length; ranges are disjoint.
                    let to = unsafe { std::slice::from_raw_parts_mut((to as *mut u16).add(lo), n) };
                    bf16::narrow(&from[lo..lo + n], to);
                });
            }
        }
    }

    fn fill_tables(&mut self) {
        for step in &mut self.at.steps {
            if let Step::Kernel(k) = step {
                k.table
                    .iter_mut()
                    .zip(&k.buffers)
                    .for_each(|(at, &b)| *at = self.at.ptrs[b]);
            }
        }
    }
}

/// Addresses of parameters and gradients; null for everything else.
fn in_store(plan: &Plan, at: &Placed, store: &mut Store) -> Result<Vec<*mut u8>> {
    let mut fixed = vec![std::ptr::null_mut(); plan.buffers.len()];
    for (i, b) in plan.buffers.iter().enumerate() {
        if let Role::Param { path, init, decay } = &b.role {
            fixed[i] = store.declare(path, &at.shapes.shapes[i], init, *decay)?;
        }
    }
    // After the parameters, which may stand behind them in the plan.
    for (i, b) in plan.buffers.iter().enumerate() {
        if let Role::Grad { path } = &b.role {
            fixed[i] = store.declare_grad(path, &at.shapes.shapes[i])?;
        }
    }
    Ok(fixed)
}

#[cfg(test)]
mod tests;
