//! Work that is done beside other work of its kind.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `f` of each item, on as many threads as there are cores; results in the order of the items.
pub fn each<T: Sync, R: Send + Sync>(items: &[T], f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Vec<OnceLock<R>> = items.iter().map(|_| OnceLock::new()).collect();
    let work = || {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let (Some(item), Some(result)) = (items.get(n), results.get(n)) else {
                return;
            };
            result.get_or_init(|| f(item));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|s| {
        (1..threads.min(items.len())).for_each(|_| _ = s.spawn(work));
        work();
    });
    results
        .into_iter()
        .filter_map(OnceLock::into_inner)
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_are_in_order() {
        let items: Vec<usize> = (0..100).collect();
        assert_eq!(super::each(&items, |n| n * n)[99], 99 * 99);
        assert_eq!(super::each(&items, |n| *n), items);
        assert!(super::each(&[] as &[usize], |n| *n).is_empty());
    }
}
