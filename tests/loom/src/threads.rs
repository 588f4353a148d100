//! What the pool is made of, as the model checker has it.

pub use loom::hint::spin_loop;
pub use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
pub use loom::sync::{Condvar, Mutex};
pub use loom::thread::{JoinHandle, yield_now};

use loom::cell::UnsafeCell;

/// The checker's takes no constant.
macro_rules! local {
    ($(#[$about:meta])* static $name:ident: $ty:ty = const $start:block;) => {
        loom::thread_local! { $(#[$about])* static $name: $ty = $start; }
    };
}
pub(crate) use local as thread_local;

/// One look is enough to see both ways.
pub const SPINS: u32 = 1;

pub fn spawn(_name: String, work: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
    Some(loom::thread::spawn(work))
}

pub struct Slot<T>(UnsafeCell<T>);

impl<T: Copy> Slot<T> {
    pub fn new(value: T) -> Slot<T> {
        Slot(UnsafeCell::new(value))
    }

    /// # Safety
    /// As in the runtime; here a violation is found.
    pub unsafe fn set(&self, value: T) {
        // SAFETY: loom looks for others.
        self.0.with_mut(|at| unsafe { *at = value });
    }

    /// # Safety
    /// As in the runtime; here a violation is found.
    pub unsafe fn get(&self) -> T {
        // SAFETY: loom looks for others.
        self.0.with(|at| unsafe { *at })
    }
}
