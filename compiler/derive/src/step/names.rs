//! What states are called: as in the spec where it has them, else after the value that they keep something of.
//!
//! | kept | name |
//! |---|---|
//! | a state `S` of the spec, by its path | `S`; `S.1`, `S.2`: one, two steps older |
//! | the last few values of `x`, newest first | `x.recent` |
//! | every value of `x` so far | `x.all` |
//! | the first value of `x` | `x.first` |
//! | what a sum over earlier positions in `o` has come to | `o.sum` |
//! | of the scores so far of a softmax in `o`: largest, sum of exponentials, sum of what they weigh | `o.max`, `o.sum`, `o.weighted` |
//! | of a coarser clock, the tick under way or past ones in `c` | `c.tick` |
//!
//! A value without a name lends that of the first named one that is made of it. What would be called like another has
//! `.2`, `.3`, … behind it, in the order of the program.

use super::{Carry, Plan};
use seqc_algebra::{Func, Op, ValueId};
use std::collections::HashSet;

/// What laws call states that they introduce: no name of a spec has that sign.
pub(crate) const SUM: &str = "sum~";
pub(crate) const TICK: &str = "tick~";
pub(crate) const RUNNING: [&str; 3] = ["max~", "sum~", "weighted~"];

/// A name for each of the carries, in order.
pub(super) fn named(func: &Func, carries: Vec<Carry>) -> Vec<(String, Carry)> {
    let hints = Hints::of(func);
    let mut all: Vec<(String, Carry)> = Vec::with_capacity(carries.len());
    let mut taken = HashSet::new();
    for c in carries {
        let wanted = hints.wanted(&c);
        let mut name = wanted.clone();
        let mut n = 1;
        while !taken.insert(name.clone()) {
            n += 1;
            name = format!("{wanted}.{n}");
        }
        all.push((name, c));
    }
    all
}

/// The program, and of each value the name of the first named one that is made of it.
struct Hints<'a> {
    func: &'a Func,
    lent: Vec<Option<&'a str>>,
}

impl<'a> Hints<'a> {
    fn of(func: &'a Func) -> Hints<'a> {
        let mut lent: Vec<Option<(usize, &str)>> = vec![None; func.values.len()];
        for (name, v) in &func.results {
            lent[v.index()].get_or_insert((usize::MAX, name.as_str()));
        }
        for id in func.ids().rev() {
            if let Some(name) = own(func, id) {
                lent[id.index()] = Some((id.index(), name));
            }
            let Some(name) = lent[id.index()] else {
                continue;
            };
            for a in func.args(id) {
                let known = &mut lent[a.index()];
                if known.is_none_or(|(from, _)| name.0 < from) {
                    *known = Some(name);
                }
            }
        }
        Hints {
            func,
            lent: lent.into_iter().map(|n| n.map(|(_, n)| n)).collect(),
        }
    }

    fn name(&self, v: ValueId) -> &str {
        self.lent[v.index()].unwrap_or("value")
    }

    fn wanted(&self, c: &Carry) -> String {
        match c {
            Carry::Recent { of, .. } => format!("{}.recent", self.name(*of)),
            Carry::All { of, .. } => format!("{}.all", self.name(*of)),
            Carry::First { of } => format!("{}.first", self.name(*of)),
            Carry::State { scan, k } => match self.func.op(*scan) {
                Op::Scan(s) => match s.body.results[*k].0.as_str() {
                    law if law.contains('~') => {
                        format!("{}.{}", self.name(*scan), law.replace('~', ""))
                    }
                    state => state.to_owned(),
                },
                _ => format!("{}.state", self.name(*scan)),
            },
        }
    }
}

/// The name that a value has in the spec.
fn own(func: &Func, id: ValueId) -> Option<&str> {
    let input = func.input(id).map(|i| i.name.as_str());
    input.or(func.value(id).name.map(|n| n.as_str()))
}

impl Plan<'_> {
    /// What a carry is called as an input and as a result of a program.
    pub(super) fn state_name(&self, k: usize) -> String {
        format!("state.{}", self.carries[k].0)
    }
}
