//! Graphs of what waits for what: components of those that wait for each other, and orders. Linear in the edges, on the
//! heap: a text may be a chain of any length.

use std::collections::BTreeSet;

const NEW: usize = usize::MAX;

/// Strongly connected components, by Tarjan's algorithm: each after all that it waits for.
pub fn components(waits: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut walk = Walk {
        number: vec![NEW; waits.len()],
        lowest: vec![NEW; waits.len()],
        open: vec![],
        is_open: vec![false; waits.len()],
        found: vec![],
        met: 0,
    };
    for root in 0..waits.len() {
        if walk.number[root] == NEW {
            walk.from(root, waits);
        }
    }
    walk.found
}

struct Walk {
    /// When each was met first, and the earliest that can be reached from it among the open ones.
    number: Vec<usize>,
    lowest: Vec<usize>,
    open: Vec<usize>,
    is_open: Vec<bool>,
    found: Vec<Vec<usize>>,
    met: usize,
}

impl Walk {
    fn from(&mut self, root: usize, waits: &[Vec<usize>]) {
        // Each with the number of its edges that have been followed.
        let mut path = vec![(root, 0)];
        self.meet(root);
        while let Some((k, next)) = path.last_mut() {
            let k = *k;
            let Some(d) = waits[k].get(*next).copied() else {
                path.pop();
                if let Some((above, _)) = path.last() {
                    self.lowest[*above] = self.lowest[*above].min(self.lowest[k]);
                }
                self.close(k);
                continue;
            };
            *next += 1;
            if self.number[d] == NEW {
                self.meet(d);
                path.push((d, 0));
            } else if self.is_open[d] {
                self.lowest[k] = self.lowest[k].min(self.number[d]);
            }
        }
    }

    fn meet(&mut self, k: usize) {
        (self.number[k], self.lowest[k]) = (self.met, self.met);
        self.met += 1;
        self.open.push(k);
        self.is_open[k] = true;
    }

    /// The component whose first member is `k`, if `k` reaches none that was met earlier.
    fn close(&mut self, k: usize) {
        if self.lowest[k] != self.number[k] {
            return;
        }
        let at = self.open.iter().rposition(|m| *m == k).unwrap_or(0);
        let members = self.open.split_off(at);
        members.iter().for_each(|m| self.is_open[*m] = false);
        self.found.push(members);
    }
}

/// All of a graph without circles, each after what it waits for, and else the first first.
pub fn first_ready(waits: &[Vec<usize>]) -> Vec<usize> {
    let mut left: Vec<BTreeSet<usize>> =
        waits.iter().map(|w| w.iter().copied().collect()).collect();
    let mut waiting: Vec<Vec<usize>> = vec![vec![]; waits.len()];
    for (k, all) in left.iter().enumerate() {
        all.iter().for_each(|d| waiting[*d].push(k));
    }
    let none = |k: &usize| left[*k].is_empty();
    let mut ready: BTreeSet<usize> = (0..waits.len()).filter(none).collect();
    let mut order = vec![];
    while let Some(k) = ready.pop_first() {
        order.push(k);
        for w in &waiting[k] {
            left[*w].remove(&k);
            if left[*w].is_empty() {
                ready.insert(*w);
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: two are of one component if each reaches the other.
    fn by_reach(waits: &[Vec<usize>]) -> Vec<Vec<usize>> {
        let n = waits.len();
        let mut reach: Vec<Vec<bool>> = (0..n).map(|k| (0..n).map(|m| k == m).collect()).collect();
        for _ in 0..n {
            for k in 0..n {
                for d in &waits[k] {
                    let further = reach[*d].clone();
                    for (to, more) in reach[k].iter_mut().zip(further) {
                        *to |= more;
                    }
                }
            }
        }
        let both = |k: usize, m: usize| reach[k][m] && reach[m][k];
        let first = |k: &usize| (0..*k).all(|m| !both(*k, m));
        (0..n)
            .filter(first)
            .map(|k| (0..n).filter(|m| both(k, *m)).collect())
            .collect()
    }

    #[test]
    fn components_are_those_that_reach_each_other() {
        let mut seed = 1u64;
        for round in 0..500 {
            let n = 1 + round % 9;
            let waits: Vec<Vec<usize>> = (0..n)
                .map(|_| {
                    seed = seed
                        .wrapping_mul(6364136223846793005)
                        .wrapping_add(1442695040888963407);
                    (0..n).filter(|d| seed >> (20 + 4 * d) & 7 == 0).collect()
                })
                .collect();
            let mut found = components(&waits);
            found.iter_mut().for_each(|c| c.sort_unstable());
            found.sort();
            assert_eq!(found, by_reach(&waits), "{waits:?}");
        }
    }

    #[test]
    fn a_long_chain_and_a_long_circle() {
        let chain: Vec<Vec<usize>> = (0..200_000)
            .map(|k: usize| k.checked_sub(1).into_iter().collect())
            .collect();
        assert_eq!(components(&chain).len(), chain.len());
        assert_eq!(first_ready(&chain), (0..chain.len()).collect::<Vec<_>>());
        let mut circle = chain;
        circle[0] = vec![199_999];
        assert_eq!(components(&circle).len(), 1);
    }

    #[test]
    fn what_is_ready_goes_in_the_order_of_the_text() {
        assert_eq!(
            first_ready(&[vec![2], vec![], vec![], vec![0, 1]]),
            [1, 2, 0, 3]
        );
    }
}
