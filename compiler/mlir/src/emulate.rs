//! GPU kernels on a CPU, for tests: the LLVM IR that would become PTX, with its intrinsics bound to functions
//! here. One thread of the system stands for each GPU thread.
//!
//! Threads take turns: between two barriers only one runs, in ascending or descending order. A barrier that is
//! missing between a write and a read of another thread therefore gives a wrong result in one of the two
//! orders, every time; and a barrier that not all threads reach is seen at once.

use crate::error::{Error, Result};
use std::cell::RefCell;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::Thread;

/// The order in which the threads of a block take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

/// Replaces NVVM's intrinsics and conventions by what a CPU back end accepts, and adds to each kernel a caller
/// with the signature of [`seqc_abi::KernelFn`], named `<kernel>.call`.
pub(crate) fn rewrite(ir: &str, kernels: &[seqc_schedule::ir::Kernel]) -> String {
    let mut text = ir.replace("ptx_kernel ", "").replace(
        "@llvm.nvvm.barrier.cta.sync.aligned.all",
        "@emulated.barrier",
    );
    for register in ["tid", "ntid", "ctaid", "nctaid"] {
        text = text.replace(
            &format!("@llvm.nvvm.read.ptx.sreg.{register}.x"),
            &format!("@emulated.{register}"),
        );
    }
    for kernel in kernels {
        text.push_str(&caller(kernel));
    }
    text
}

fn caller(kernel: &seqc_schedule::ir::Kernel) -> String {
    let name = &kernel.name;
    let mut body = String::new();
    let mut args = vec![];
    for i in 0..kernel.args.len() {
        body.push_str(&format!(
            "  %pa{i} = getelementptr ptr, ptr %bufs, i64 {i}\n  %a{i} = load ptr, ptr %pa{i}\n"
        ));
        args.push(format!("ptr %a{i}"));
    }
    for i in 0..kernel.dims.len() {
        body.push_str(&format!(
            "  %pd{i} = getelementptr i64, ptr %dims, i64 {i}\n  %d{i} = load i64, ptr %pd{i}\n"
        ));
        args.push(format!("i64 %d{i}"));
    }
    args.extend(["i64 %lo", "i64 %hi", "ptr %scratch"].map(String::from));
    let args = args.join(", ");
    format!(
        "\ndefine void @{name}.call(ptr %bufs, ptr %dims, i64 %lo, i64 %hi, ptr %scratch) {{\n{body}  \
         call void @{name}({args})\n  ret void\n}}\n"
    )
}

/// What a thread does when it gives up its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Barrier,
    End,
}

/// The turns of one block's threads.
pub(crate) struct Turns {
    order: Order,
    count: usize,
    handles: Vec<OnceLock<Thread>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many threads had their turn in this round.
    done: usize,
    round: u64,
    stop: Option<Stop>,
    failed: bool,
}

impl Turns {
    pub fn new(count: usize, order: Order) -> Turns {
        let handles = (0..count).map(|_| OnceLock::new()).collect();
        Turns {
            order,
            count,
            handles,
            state: Mutex::default(),
        }
    }

    /// Position of a thread within a round, and back.
    fn position(&self, thread: usize) -> usize {
        match self.order {
            Order::Ascending => thread,
            Order::Descending => self.count - 1 - thread,
        }
    }

    /// Waits for the thread's turn in a round. False: the block has failed.
    fn wait(&self, thread: usize, round: u64) -> bool {
        let _ = self.handles[thread].set(std::thread::current());
        loop {
            {
                let s = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                if s.failed {
                    return false;
                }
                if s.round == round && s.done == self.position(thread) {
                    return true;
                }
            }
            std::thread::park();
        }
    }

    /// Ends the thread's turn. False: it stopped at something else than the threads before it.
    fn pass(&self, stop: Stop) -> bool {
        let (next, good) = {
            let mut s = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            s.failed |= *s.stop.get_or_insert(stop) != stop;
            s.done += 1;
            if s.done == self.count {
                (s.done, s.round, s.stop) = (0, s.round + 1, None);
            }
            (self.position(s.done), !s.failed)
        };
        match self.handles[next].get() {
            Some(t) if good => t.unpark(),
            _ => self
                .handles
                .iter()
                .filter_map(OnceLock::get)
                .for_each(Thread::unpark),
        }
        good
    }
}

/// Where an emulated thread is.
struct Here {
    thread: u32,
    threads: u32,
    block: u32,
    blocks: u32,
    round: u64,
    turns: Arc<Turns>,
}

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

/// Runs a kernel's calls for all blocks as one thread of them.
pub(crate) fn run_thread(
    thread: u32,
    threads: u32,
    blocks: u32,
    turns: &Arc<Turns>,
    call: impl Fn(),
) -> Result<()> {
    let mut round = 0;
    for block in 0..blocks {
        let here = Here {
            thread,
            threads,
            block,
            blocks,
            round,
            turns: turns.clone(),
        };
        HERE.with(|h| *h.borrow_mut() = Some(here));
        let mut good = turns.wait(thread as usize, round);
        if good {
            call();
            good = turns.pass(Stop::End);
        }
        if !good {
            return Err(Error::llvm(
                "emulation",
                "a barrier is not reached by all threads of its block",
            ));
        }
        round = 1 + HERE.with(|h| h.borrow().as_ref().map_or(0, |h| h.round));
    }
    Ok(())
}

fn read(f: impl Fn(&Here) -> u32) -> u32 {
    HERE.with(|h| h.borrow().as_ref().map_or(0, f))
}

pub(crate) extern "C" fn tid() -> u32 {
    read(|h| h.thread)
}

pub(crate) extern "C" fn ntid() -> u32 {
    read(|h| h.threads)
}

pub(crate) extern "C" fn ctaid() -> u32 {
    read(|h| h.block)
}

pub(crate) extern "C" fn nctaid() -> u32 {
    read(|h| h.blocks)
}

/// Ends the turn and waits for the next. A block that has failed cannot go on, nor can the generated code be
/// left from here: the process ends.
pub(crate) extern "C" fn barrier(_id: u32) {
    let next = HERE.with(|h| {
        let mut h = h.borrow_mut();
        let h = h.as_mut()?;
        h.round += 1;
        Some((h.turns.clone(), h.thread as usize, h.round))
    });
    let Some((turns, thread, round)) = next else {
        return;
    };
    if !turns.pass(Stop::Barrier) || !turns.wait(thread, round) {
        eprintln!("emulation: a barrier is not reached by all threads of its block");
        std::process::abort();
    }
}
