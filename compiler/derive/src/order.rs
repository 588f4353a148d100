//! Orders of evaluation: which values depend on which, and a topological order under extra dependencies.

use seqc_algebra::{Func, ValueId};
use std::collections::{HashMap, HashSet};

/// For each value: does it depend on one of `roots` (itself included)?
pub fn depends_on(func: &Func, roots: &[ValueId]) -> Vec<bool> {
    let mut dep = vec![false; func.values.len()];
    for r in roots {
        dep[r.index()] = true;
    }
    for id in func.ids() {
        if func.args(id).iter().any(|a| dep[a.index()]) {
            dep[id.index()] = true;
        }
    }
    dep
}

/// Does one of the values depend on `root`, or is it? Only what lies between them in the program is looked at.
pub fn reaches(func: &Func, from: &[ValueId], root: ValueId) -> bool {
    let (mut seen, mut next) = (HashSet::new(), from.to_vec());
    while let Some(v) = next.pop() {
        if v == root {
            return true;
        }
        if v > root && seen.insert(v) {
            next.extend(func.args(v));
        }
    }
    false
}

/// The values that the results need, each after its arguments and after `extra[v]`. `None` if that is cyclic.
pub fn topological(func: &Func, extra: &HashMap<ValueId, Vec<ValueId>>) -> Option<Vec<ValueId>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut mark = vec![Mark::New; func.values.len()];
    let mut order = Vec::new();
    let roots = func
        .params
        .iter()
        .copied()
        .chain(func.results.iter().map(|(_, v)| *v));
    for root in roots {
        let mut stack = vec![(root, false)];
        while let Some((v, leave)) = stack.pop() {
            if leave {
                mark[v.index()] = Mark::Done;
                order.push(v);
                continue;
            }
            match mark[v.index()] {
                Mark::Done => continue,
                Mark::Open => return None,
                Mark::New => {}
            }
            mark[v.index()] = Mark::Open;
            stack.push((v, true));
            let none = Vec::new();
            for a in func.args(v).iter().chain(extra.get(&v).unwrap_or(&none)) {
                match mark[a.index()] {
                    Mark::New => stack.push((*a, false)),
                    Mark::Open => return None,
                    Mark::Done => {}
                }
            }
        }
    }
    Some(order)
}
