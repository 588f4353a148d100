//! Every interleaving of small jobs (README.md).

#[allow(dead_code)]
#[path = "../../../runtime/device/src/pool.rs"]
mod pool;
mod threads;

use loom::cell::UnsafeCell;
use pool::Pool;
use std::time::Instant;

/// Items, each written by the thread that does it.
struct Items(Vec<UnsafeCell<u32>>);

// SAFETY: loom finds accesses that are not ordered.
unsafe impl Sync for Items {}

impl Items {
    fn new(n: u64) -> Items {
        Items((0..n).map(|_| UnsafeCell::new(0)).collect())
    }

    fn add(&self, lo: u64, hi: u64) {
        for cell in &self.0[lo as usize..hi as usize] {
            // SAFETY: as above.
            cell.with_mut(|at| unsafe { *at += 1 });
        }
    }

    fn all_are(&self, count: u32) {
        for cell in &self.0 {
            // SAFETY: as above.
            assert_eq!(cell.with(|at| unsafe { *at }), count);
        }
    }
}

fn check(name: &str, preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let start = Instant::now();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
    println!("{name}: {:?}", start.elapsed());
}

fn main() {
    check("one job of two threads", 3, || {
        let (pool, items) = (Pool::new(2), Items::new(2));
        pool.run(2, 1, |_, lo, hi| items.add(lo, hi));
        items.all_are(1);
    });
    check("two jobs, the second of other data", 2, || {
        let pool = Pool::new(2);
        for n in [2, 3] {
            let items = Items::new(n);
            pool.run(n, 1, |_, lo, hi| items.add(lo, hi));
            items.all_are(1);
        }
    });
    check("three threads", 1, || {
        let (pool, items) = (Pool::new(3), Items::new(3));
        pool.run(3, 1, |_, lo, hi| items.add(lo, hi));
        items.all_are(1);
    });
    check("two callers take turns", 2, || {
        let (pool, items) = (Pool::new(2), std::sync::Arc::new(Items::new(2)));
        let other = {
            let (pool, items) = (pool.clone(), items.clone());
            loom::thread::spawn(move || pool.run(2, 1, |_, lo, hi| items.add(lo, hi)))
        };
        pool.run(2, 1, |_, lo, hi| items.add(lo, hi));
        other.join().expect("ends");
        items.all_are(2);
    });
}
