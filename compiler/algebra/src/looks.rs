//! How much of programs has been looked at: the work of passes as a number that is the same on every machine and at every
//! load. Counted in builds with debug assertions alone; tests hold passes to a work that grows as programs do.

#[cfg(debug_assertions)]
mod counted {
    use std::cell::Cell;

    thread_local! {
        static LOOKS: Cell<u64> = const { Cell::new(0) };
    }

    pub fn look(values: usize) {
        LOOKS.with(|n| n.set(n.get() + values as u64));
    }

    pub fn looks() -> u64 {
        LOOKS.with(Cell::get)
    }
}

/// So many values are looked at, or may be by a walk that begins.
#[inline]
pub(crate) fn look(values: usize) {
    #[cfg(debug_assertions)]
    counted::look(values);
    #[cfg(not(debug_assertions))]
    let _ = values;
}

/// Values that this thread has looked at so far; 0 where that is not counted.
pub fn looks() -> u64 {
    #[cfg(debug_assertions)]
    return counted::looks();
    #[cfg(not(debug_assertions))]
    0
}
