//! A small persistent thread pool for launches: spin a little, then park.
//!
//! Work is a range `0..n`. Each thread first walks its own contiguous share in chunks (so that the same thread
//! meets the same data launch after launch), then helps the others with theirs. The caller works too, and a
//! worker that has not woken by the time the work is done is not waited for.
//!
//! Invariant: `run` returns only when no thread is inside the job any more, so the job may borrow freely.

use crate::threads::{
    AtomicBool, AtomicU64, AtomicUsize, Condvar, JoinHandle, Mutex, Ordering, SPINS, Slot, fence,
    spawn, spin_loop, thread_local, yield_now,
};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, PoisonError};

/// Chunks into which a thread's share is cut, so that a slow thread can be helped.
const CHUNKS: u64 = 4;

/// `Shared::gate`: jobs so far, whether the present one can still be joined, how many workers are inside it.
const OPEN: u64 = 1 << 16;
const INSIDE: u64 = OPEN - 1;
const JOB: u64 = OPEN << 1;

thread_local! {
    /// This thread's number while it runs a job, so that a nested `run` works inline.
    static INSIDE_JOB: Cell<Option<usize>> = const { Cell::new(None) };
}

/// One thread's share of the range; alone on its cache lines.
#[repr(align(128))]
#[derive(Default)]
struct Share {
    next: AtomicU64,
    end: AtomicU64,
}

/// A borrowed closure, its type erased. Valid while the gate is open or a worker is inside.
#[derive(Clone, Copy)]
struct Job {
    data: *const (),
    call: unsafe fn(*const (), usize, u64, u64),
    chunk: u64,
}

struct Shared {
    gate: AtomicU64,
    job: Slot<Job>,
    shares: Vec<Share>,
    parked: AtomicUsize,
    lock: Mutex<()>,
    wake: Condvar,
    quit: AtomicBool,
    panicked: AtomicBool,
}

// SAFETY: `job` is written only while the gate is shut and nobody is inside, and read only by those who entered it; the
// closure that it points to is `Sync`.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

/// Threads that wait for ranges of work. Dropping it ends them.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// One job at a time.
    turn: Mutex<()>,
}

impl Pool {
    /// A pool of `threads` in all, the caller included; at least one, at most 1024. Where the system refuses
    /// to start more threads the pool is smaller.
    pub fn new(threads: usize) -> Arc<Pool> {
        let threads = threads.clamp(1, 1024);
        let idle = Job {
            data: std::ptr::null(),
            call: |_, _, _, _| (),
            chunk: 1,
        };
        let shared = Arc::new(Shared {
            gate: AtomicU64::new(0),
            job: Slot::new(idle),
            shares: (0..threads).map(|_| Share::default()).collect(),
            parked: AtomicUsize::new(0),
            lock: Mutex::new(()),
            wake: Condvar::new(),
            quit: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
        });
        let start = |id: usize| {
            let shared = shared.clone();
            spawn(format!("seqc-{id}"), move || shared.work(id))
        };
        let workers = (1..threads).map_while(start).collect();
        Arc::new(Pool {
            shared,
            workers,
            turn: Mutex::new(()),
        })
    }

    /// A pool as wide as the machine.
    pub fn machine() -> Arc<Pool> {
        Pool::new(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// Threads, the caller included: thread numbers given to jobs are below this.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `job(thread, lo, hi)` for disjoint ranges that cover `0..n`, each at least `grain` long but the
    /// last ones, and returns when all are done. A nested call runs inline. A panic in a job is passed on.
    pub fn run<F: Fn(usize, u64, u64) + Sync>(&self, n: u64, grain: u64, job: F) {
        if n == 0 {
            return;
        }
        let grain = grain.max(1);
        if let Some(me) = INSIDE_JOB.with(Cell::get) {
            return job(me, 0, n);
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.workers.is_empty() || n <= grain {
            return as_thread(0, || job(0, 0, n));
        }
        self.share_out(n);
        let chunk = n.div_ceil(self.threads() as u64 * CHUNKS).max(grain);
        /// # Safety
        /// `data` is an `F` that lives.
        unsafe fn call<F: Fn(usize, u64, u64)>(data: *const (), me: usize, lo: u64, hi: u64) {
            // SAFETY: the caller's promise.
            unsafe { (*data.cast::<F>())(me, lo, hi) }
        }
        let shared = &*self.shared;
        let job = Job {
            data: (&raw const job).cast(),
            call: call::<F>,
            chunk,
        };
        // SAFETY: the gate is shut and nobody is inside, so nobody reads it now.
        unsafe { shared.job.set(job) };
        shared.open();
        let mine = catch_unwind(AssertUnwindSafe(|| shared.walk(0)));
        shared.shut();
        let theirs = shared.panicked.swap(false, Ordering::Relaxed);
        if let Err(payload) = mine {
            resume_unwind(payload);
        }
        assert!(!theirs, "a worker thread panicked");
    }

    fn share_out(&self, n: u64) {
        let threads = self.threads() as u128;
        let cut = |i: usize| (u128::from(n) * i as u128 / threads) as u64;
        for (i, share) in self.shared.shares.iter().take(self.threads()).enumerate() {
            share.next.store(cut(i), Ordering::Relaxed);
            share.end.store(cut(i + 1), Ordering::Relaxed);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.quit.store(true, Ordering::SeqCst);
        self.shared.gate.fetch_add(JOB, Ordering::SeqCst);
        drop(self.shared.lock.lock());
        self.shared.wake.notify_all();
        // A worker that panicked has already been reported by `run`.
        self.workers.drain(..).for_each(|w| drop(w.join()));
    }
}

fn as_thread(me: usize, work: impl FnOnce()) {
    struct Leave(Option<usize>);
    impl Drop for Leave {
        fn drop(&mut self) {
            INSIDE_JOB.with(|i| i.set(self.0));
        }
    }
    let _leave = Leave(INSIDE_JOB.with(|i| i.replace(Some(me))));
    work();
}

impl Shared {
    /// Publishes a new job and wakes those who sleep.
    fn open(&self) {
        let job = self.gate.load(Ordering::Relaxed) / JOB + 1;
        self.gate.store((job * JOB) | OPEN, Ordering::Release);
        // Either this load sees the sleeper, or the sleeper's look at the gate (after it has counted itself)
        // sees the new job: there is a fence between the two on both sides.
        fence(Ordering::SeqCst);
        if self.parked.load(Ordering::Relaxed) > 0 {
            drop(self.lock.lock());
            self.wake.notify_all();
        }
    }

    /// Lets nobody in any more and waits for those inside.
    fn shut(&self) {
        self.gate.fetch_and(!OPEN, Ordering::AcqRel);
        let mut spins = 0;
        while self.gate.load(Ordering::Acquire) & INSIDE != 0 {
            spins += 1;
            if spins < SPINS {
                spin_loop()
            } else {
                yield_now()
            }
        }
    }

    /// One thread's part of the present job.
    fn walk(&self, me: usize) {
        // SAFETY: only the caller of `run`, or a worker that has entered, comes here: nobody writes it meanwhile.
        let job = unsafe { self.job.get() };
        as_thread(me, || {
            for k in 0..self.shares.len() {
                let share = &self.shares[(me + k) % self.shares.len()];
                let end = share.end.load(Ordering::Relaxed);
                while share.next.load(Ordering::Relaxed) < end {
                    let lo = share.next.fetch_add(job.chunk, Ordering::Relaxed);
                    if lo < end {
                        // SAFETY: `data` is the `job` of `run`, which returns only when nobody is inside.
                        unsafe { (job.call)(job.data, me, lo, end.min(lo + job.chunk)) };
                    }
                }
            }
        });
    }

    /// A worker's life.
    fn work(&self, me: usize) {
        let mut seen = 0;
        while !self.quit.load(Ordering::SeqCst) {
            let gate = self.gate.load(Ordering::Acquire);
            if gate / JOB == seen {
                self.rest(seen);
            } else if gate & OPEN == 0 {
                seen = gate / JOB;
            } else if self
                .gate
                .compare_exchange_weak(gate, gate + 1, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
            {
                if catch_unwind(AssertUnwindSafe(|| self.walk(me))).is_err() {
                    self.panicked.store(true, Ordering::Relaxed);
                }
                seen = gate / JOB;
                self.gate.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }

    /// Waits until a job after `seen` is published.
    fn rest(&self, seen: u64) {
        for _ in 0..SPINS {
            if self.gate.load(Ordering::Relaxed) / JOB != seen {
                return;
            }
            spin_loop();
        }
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.parked.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        while self.gate.load(Ordering::Acquire) / JOB == seen {
            guard = self
                .wake
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
        self.parked.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pool: &Pool, n: u64, grain: u64) {
        let hits: Vec<AtomicU64> = (0..n).map(|_| AtomicU64::new(0)).collect();
        pool.run(n, grain, |me, lo, hi| {
            assert!(me < pool.threads() && lo < hi && hi <= n);
            for i in lo..hi {
                hits[i as usize].fetch_add(1, Ordering::Relaxed);
            }
        });
        assert!(
            hits.iter().all(|h| h.load(Ordering::Relaxed) == 1),
            "{n} by {grain}"
        );
    }

    #[test]
    fn every_item_once() {
        for threads in [1, 2, 3, 7] {
            let pool = Pool::new(threads);
            for n in [0, 1, 2, 3, 10, 64, 1001] {
                covers(&pool, n, 1);
                covers(&pool, n, 16);
            }
        }
    }

    #[test]
    fn many_small_jobs() {
        let pool = Pool::new(4);
        let sum = AtomicU64::new(0);
        for _ in 0..2000 {
            pool.run(8, 1, |_, lo, hi| {
                sum.fetch_add(hi - lo, Ordering::Relaxed);
            });
        }
        assert_eq!(sum.into_inner(), 16_000);
    }

    #[test]
    fn parked_workers_wake() {
        let pool = Pool::new(3);
        for _ in 0..3 {
            std::thread::sleep(std::time::Duration::from_millis(15));
            covers(&pool, 100, 1);
        }
    }

    #[test]
    fn nested_runs_are_inline_and_callers_take_turns() {
        let pool = Pool::new(3);
        let count = AtomicU64::new(0);
        std::thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    pool.run(10, 1, |me, lo, hi| {
                        (lo..hi).for_each(|_| {
                            pool.run(5, 1, |inner, a, b| {
                                assert_eq!(inner, me);
                                count.fetch_add(b - a, Ordering::Relaxed);
                            });
                        });
                    });
                });
            }
        });
        assert_eq!(count.into_inner(), 150);
    }

    #[test]
    fn a_panic_is_passed_on_and_the_pool_lives() {
        let pool = Pool::new(2);
        let bad = || pool.run(100, 1, |_, lo, _| assert!(lo < 50, "on purpose"));
        assert!(catch_unwind(AssertUnwindSafe(bad)).is_err());
        covers(&pool, 100, 1);
    }
}
