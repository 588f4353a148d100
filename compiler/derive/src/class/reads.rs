//! What a step gives out: sums of reads of the states before and after it.

use super::product::{gathered, restored};
use super::{Part, Product, Read, names};
use crate::affine::{Affine, Mono};
use crate::words::written;
use seqc_algebra::{Axis, Func, Scan, ValueId};

/// A read, with the axes that each of its parts contracts.
pub(super) struct Found {
    read: Read,
    over: Vec<Vec<Axis>>,
}

impl Found {
    /// The read, if each part contracts all of K that its state has; else what is wrong goes to `others`.
    pub fn whole(self, states: &[Vec<Axis>], k: &[Axis], others: &mut Vec<String>) -> Option<Read> {
        let before = others.len();
        for (part, over) in self.read.parts.iter().zip(&self.over) {
            let own = &states[part.state];
            let keyed: Vec<Axis> = k.iter().filter(|a| own.contains(a)).copied().collect();
            if keyed.iter().all(|a| over.contains(a)) {
                continue;
            }
            others.push(match over.as_slice() {
                [] => "the state is given out without being contracted".to_owned(),
                over => format!(
                    "a read contracts {} of the axes {} that the transition moves or another read contracts",
                    names(over),
                    names(&keyed)
                ),
            });
        }
        (others.len() == before).then_some(self.read)
    }
}

/// K: the axes that transitions move and reads contract.
pub(super) fn contracted(monos: &[Vec<Mono>], reads: &[Found]) -> Vec<Axis> {
    let moved = (monos.iter().flatten())
        .filter_map(|m| m.state.as_ref())
        .flat_map(|s| s.moved())
        .map(|(a, _)| a);
    let read = reads.iter().flat_map(|r| &r.over).flatten().copied();
    let mut k: Vec<Axis> = Vec::new();
    for a in moved.chain(read) {
        if !k.contains(&a) {
            k.push(a);
        }
    }
    k
}

/// Emitted values as reads of the old and the new states; what is none, and why, goes to `others`.
pub(super) fn reads(scan: &Scan, others: &mut Vec<String>) -> Vec<Found> {
    let body = &scan.body;
    let n = scan.states;
    let old = body.params[1..=n].iter().copied();
    let vars: Vec<ValueId> = old
        .chain(body.results[..n].iter().map(|(_, v)| *v))
        .collect();
    let mut affine = Affine::new(body, &vars);
    let mut found = Vec::new();
    for (emit, (_, v)) in body.results[n..].iter().enumerate() {
        let monos = affine.expand(*v).map_err(|e| e.why);
        match monos.and_then(|m| as_read(body, n, &m, emit)) {
            Ok(r) => found.push(r),
            Err(why) => others.push(match body.value(*v).name {
                Some(name) => format!("`{}`: {why}", written(name.as_str())),
                None => why,
            }),
        }
    }
    found
}

fn as_read(body: &Func, states: usize, monos: &[Mono], emit: usize) -> Result<Found, String> {
    let mut read = Read {
        emit,
        parts: vec![],
        own: vec![],
    };
    let mut over = vec![];
    for m in monos {
        let Some(of) = &m.state else {
            let (factors, sums) = gathered(body, &m.factors, &m.bound);
            let scale = m.scale;
            read.own.push(Product {
                scale,
                factors,
                sums,
            });
            continue;
        };
        let moved = of.moved();
        if moved.iter().any(|(_, r)| !m.bound.contains(r)) {
            return Err("it renames the state's axes".into());
        }
        if m.bound.len() != moved.len() {
            return Err("it sums over axes that the state does not have".into());
        }
        let factors = m.factors.iter().map(|f| restored(f, &moved)).collect();
        read.parts.push(Part {
            state: of.var % states,
            inclusive: of.var >= states,
            vector: Product::new(m.scale, factors),
        });
        over.push(moved.iter().map(|(a, _)| *a).collect());
    }
    Ok(Found { read, over })
}
