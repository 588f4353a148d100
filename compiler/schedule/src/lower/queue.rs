//! What is still to be launched, in the order of the program, and what each item waits for.
//!
//! Each read is counted off once, when its value is given a place, so that the work is that of the reads and not that of
//! all pairs of items.

use super::LowerError;
use super::cell::Result;
use super::top::Kind;
use seqc_algebra::ValueId;
use std::collections::{BTreeSet, HashMap};

/// A stored value that an item reads, and whether at other rows than its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub value: ValueId,
    pub moved: bool,
}

struct Item {
    value: ValueId,
    kind: Kind,
    reads: Vec<Read>,
    /// Values that it reads and that have no place yet.
    waits: BTreeSet<ValueId>,
    taken: bool,
}

/// Items by their number in the order of the program.
pub(crate) struct Queue {
    items: Vec<Item>,
    number: HashMap<ValueId, usize>,
    readers: HashMap<ValueId, Vec<usize>>,
    /// Those that wait for nothing: launches of their own, and rows.
    ready: [BTreeSet<usize>; 2],
    left: usize,
}

impl Queue {
    pub fn new(items: Vec<(ValueId, Kind, Vec<Read>)>, placed: impl Fn(ValueId) -> bool) -> Queue {
        let mut queue = Queue {
            left: items.len(),
            items: vec![],
            number: HashMap::new(),
            readers: HashMap::new(),
            ready: [BTreeSet::new(), BTreeSet::new()],
        };
        for (n, (value, kind, reads)) in items.into_iter().enumerate() {
            let values: BTreeSet<ValueId> = reads.iter().map(|r| r.value).collect();
            for v in &values {
                queue.readers.entry(*v).or_default().push(n);
            }
            let waits: BTreeSet<ValueId> = values.into_iter().filter(|v| !placed(*v)).collect();
            if waits.is_empty() {
                queue.ready[usize::from(kind == Kind::Rows)].insert(n);
            }
            queue.number.insert(value, n);
            queue.items.push(Item {
                value,
                kind,
                reads,
                waits,
                taken: false,
            });
        }
        queue
    }

    /// The next item to be launched, rows after all else; none at the end.
    pub fn next(&self) -> Result<Option<(ValueId, Kind)>> {
        let first = self.ready.iter().find_map(BTreeSet::first);
        match first {
            Some(n) => Ok(Some((self.items[*n].value, self.items[*n].kind))),
            None if self.left == 0 => Ok(None),
            None => Err(LowerError::new("the program's values wait for each other")),
        }
    }

    pub fn take(&mut self, v: ValueId) {
        let n = self.number[&v];
        self.items[n].taken = true;
        self.ready.iter_mut().for_each(|r| _ = r.remove(&n));
        self.left -= 1;
    }

    /// A value has been given a place.
    pub fn give(&mut self, v: ValueId) {
        for n in self.readers.get(&v).into_iter().flatten() {
            let item = &mut self.items[*n];
            if item.waits.remove(&v) && item.waits.is_empty() && !item.taken {
                self.ready[usize::from(item.kind == Kind::Rows)].insert(*n);
            }
        }
    }

    /// Does an item that is not taken read the value?
    pub fn is_awaited(&self, v: ValueId) -> bool {
        let mut readers = self.readers.get(&v).into_iter().flatten();
        readers.any(|n| !self.items[*n].taken)
    }

    /// Items, at most so many, that can be computed row by row together with `first`: each reads only what is there or
    /// what the group computes at the same row, and shares with the group one of its values or a `whole` one that
    /// both read.
    pub fn group(
        &self,
        first: ValueId,
        most: usize,
        whole: impl Fn(ValueId) -> bool,
        fits: impl Fn(ValueId) -> bool,
    ) -> Vec<ValueId> {
        let first = self.number[&first];
        let mut group = vec![first];
        let mut shared: BTreeSet<ValueId> = BTreeSet::new();
        let mut next: BTreeSet<usize> = BTreeSet::new();
        let mut member = Some((first, 0));
        loop {
            // Who shares what the newest member brings, and has not been passed by.
            if let Some((n, from)) = member.take() {
                let read = self.items[n].reads.iter().map(|r| r.value);
                let brings = read.filter(|u| whole(*u)).chain([self.items[n].value]);
                for u in brings.filter(|u| shared.insert(*u)) {
                    let readers = self.readers.get(&u).into_iter().flatten();
                    next.extend(readers.filter(|m| **m >= from && **m != first));
                }
            }
            let Some(n) = next.pop_first() else { break };
            if group.len() >= most {
                break;
            }
            let item = &self.items[n];
            let here = |r: &Read| {
                !item.waits.contains(&r.value)
                    || !r.moved && group.iter().any(|g| self.items[*g].value == r.value)
            };
            if !item.taken
                && item.kind == Kind::Rows
                && fits(item.value)
                && item.reads.iter().all(here)
            {
                group.push(n);
                member = Some((n, n + 1));
            }
        }
        group.into_iter().map(|n| self.items[n].value).collect()
    }
}
