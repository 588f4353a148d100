//! Delays of a recurrence: each next state and each read has its own.
//!
//! State `k`, late by `r(k)`, is at step `t` the state after position `t - r(k)`. What reads the state before its own
//! position, late by `r`, wants the one after `t - r - 1`: older ones are kept in further states, and where
//! `r = r(k) - 1` it is the one that this very step has made.

use super::delays::Delays;
use super::no_rule;
use crate::{DeriveError, Result};
use seqc_algebra::{Func, Out, Scan, ValueId};

/// What a result of the body needs: states, and the scan's further arguments, by their number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub states: Vec<usize>,
    pub args: Vec<usize>,
}

pub(super) struct ScanDelays {
    /// Of each result of the body: next states, then what is emitted.
    pub results: Vec<i64>,
    pub needs: Vec<Needs>,
    /// Of each result of the scan.
    pub outs: Vec<i64>,
}

impl ScanDelays {
    pub fn of(func: &Func, id: ValueId, scan: &Scan, d: &Delays) -> Result<ScanDelays> {
        let args = func.args(id);
        let needs: Vec<Needs> = (scan.body.results.iter())
            .map(|(_, v)| needs(&scan.body, *v, scan.states))
            .collect();
        let mut results = vec![0; needs.len()];
        for (r, n) in results.iter_mut().zip(&needs) {
            let latest = n
                .args
                .iter()
                .map(|k| d.row(args[*k]).max(d.latest_col(args[*k])));
            *r = latest.max().unwrap_or(0).max(0);
        }
        // A state lends its delay to another less one step: after as many rounds as there are states nothing moves.
        for _ in 0..=scan.states {
            for (p, n) in needs.iter().enumerate() {
                let latest = n.states.iter().map(|k| results[*k] - 1).max();
                results[p] = results[p].max(latest.unwrap_or(0));
            }
        }
        let outs = scan.outs.iter().map(|o| match o {
            Out::Emit(e) => results[scan.states + e],
            Out::Enter(k) => (results[*k] - 1).max(0),
            Out::Final(k) => results[*k],
        });
        let outs = outs.collect();
        if needs
            .iter()
            .any(|n| n.states.iter().any(|k| *k >= scan.states))
        {
            return Err(no_rule(func, id));
        }
        Ok(ScanDelays {
            results,
            needs,
            outs,
        })
    }

    /// The smallest delay of a result that takes `arg`.
    pub fn wanted(&self, args: &[ValueId], arg: ValueId) -> Option<i64> {
        let takes = |n: &Needs| n.args.iter().any(|k| args[*k] == arg);
        let delays = self
            .results
            .iter()
            .zip(&self.needs)
            .filter(|(_, n)| takes(n));
        delays.map(|(r, _)| *r).min()
    }

    /// Does a result that is late by `row` take argument `n`?
    pub fn takes(&self, row: i64, n: usize) -> bool {
        let mut all = self.results.iter().zip(&self.needs);
        all.any(|(r, needs)| *r == row && needs.args.contains(&n))
    }

    pub fn are_zero(&self) -> bool {
        self.results.iter().all(|r| *r == 0)
    }
}

fn needs(body: &Func, result: ValueId, states: usize) -> Needs {
    let needed = body.needed([result]);
    let mut n = Needs::default();
    for (k, p) in body.params.iter().enumerate().skip(1) {
        if !needed[p.index()] {
            continue;
        }
        if k - 1 < states {
            n.states.push(k - 1);
        } else {
            n.args.push(k - 1);
        }
    }
    n
}

/// The body's program of some of its results alone.
pub(super) fn only(body: &Func, results: &[usize]) -> Result<Func> {
    let mut part = body.clone();
    part.results = results
        .iter()
        .map(|k| body.results.get(*k).cloned())
        .collect::<Option<_>>()
        .ok_or_else(|| DeriveError("a scan's result was lost".into()))?;
    Ok(part)
}
