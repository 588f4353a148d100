//! What the pool is made of: the standard library's threads, locks and atomics. `tests/loom` puts a model checker's
//! under the same names in their place.

pub use std::hint::spin_loop;
pub use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
pub use std::sync::{Condvar, Mutex};
pub use std::thread::{JoinHandle, yield_now};
pub use std::thread_local;

use std::cell::UnsafeCell;

/// Looks at the gate this often before parking: some tens of microseconds.
pub const SPINS: u32 = 4000;

/// `None` where the system refuses another thread.
pub fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(work).ok()
}

/// A value that threads take turns with by a protocol of their own.
pub struct Slot<T>(UnsafeCell<T>);

impl<T: Copy> Slot<T> {
    pub fn new(value: T) -> Slot<T> {
        Slot(UnsafeCell::new(value))
    }

    /// # Safety
    /// Nobody reads or writes it at the same time.
    pub unsafe fn set(&self, value: T) {
        // SAFETY: the caller's promise.
        unsafe { *self.0.get() = value }
    }

    /// # Safety
    /// Nobody writes it at the same time.
    pub unsafe fn get(&self) -> T {
        // SAFETY: the caller's promise.
        unsafe { *self.0.get() }
    }
}
