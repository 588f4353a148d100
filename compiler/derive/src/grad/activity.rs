//! Which values carry a derivative: those that depend on the chosen roots through operations that pass one on.
//!
//! A scan's states are settled by a fixpoint: a state is active if its start is, or if its next value depends on an
//! active state or operand.

use seqc_algebra::{Func, MapFn, Op, Out, ReduceOp, Scan, ValueId};
use std::collections::HashMap;

/// Does a change of operand `k` change the result smoothly?
pub fn passes(op: &Op, k: usize) -> bool {
    use MapFn::*;
    match op {
        Op::Map(
            Sign | Floor | Stop | Not | BitLen | Lt | Le | Gt | Ge | Eq | Ne | And | Or | Xor
            | Hash,
        ) => false,
        Op::Map(Select) => k > 0,
        Op::Reduce(ReduceOp::ArgMax | ReduceOp::ArgMin, _) | Op::TopMask(..) => false,
        Op::Gather(_) | Op::ScatterAdd { .. } => k == 0,
        _ => true,
    }
}

/// What is active inside a scan.
#[derive(Clone, Debug)]
pub struct ScanActivity {
    pub states: Vec<bool>,
    pub outs: Vec<bool>,
    /// For each operand.
    pub args: Vec<bool>,
}

/// Which values are active; for scans, which of their parts.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    pub active: Vec<bool>,
    pub scans: HashMap<ValueId, ScanActivity>,
}

impl Activity {
    pub fn new(func: &Func, roots: &[ValueId]) -> Activity {
        let mut a = Activity {
            active: vec![false; func.values.len()],
            scans: HashMap::new(),
        };
        for v in roots {
            a.active[v.index()] = true;
        }
        for id in func.ids() {
            let args = func.args(id);
            let is = |v: &ValueId| a.active[v.index()];
            let on = match func.op(id) {
                Op::Input(_) => continue,
                Op::Scan(scan) => {
                    let inner = scan_activity(scan, args.iter().map(is).collect());
                    let on = inner.outs.contains(&true);
                    a.scans.insert(id, inner);
                    on
                }
                Op::Proj(k) => a
                    .scans
                    .get(&args[0])
                    .is_some_and(|s| s.outs.get(*k) == Some(&true)),
                op => args.iter().enumerate().any(|(k, v)| is(v) && passes(op, k)),
            };
            a.active[id.index()] = on;
        }
        a
    }

    pub fn is(&self, v: ValueId) -> bool {
        self.active.get(v.index()) == Some(&true)
    }
}

fn scan_activity(scan: &Scan, args: Vec<bool>) -> ScanActivity {
    let body = &scan.body;
    let mut states: Vec<bool> = args[..scan.states].to_vec();
    loop {
        let on = |k: usize| if k < scan.states { states[k] } else { args[k] };
        let roots: Vec<ValueId> = (0..body.params.len() - 1)
            .filter(|k| on(*k))
            .map(|k| body.params[k + 1])
            .collect();
        let inner = Activity::new(body, &roots);
        let next: Vec<bool> = (0..scan.states)
            .map(|s| states[s] || inner.is(body.results[s].1))
            .collect();
        if next == states {
            let out = |o: &Out| match o {
                Out::Emit(e) => inner.is(body.results[scan.states + e].1),
                Out::Final(s) | Out::Enter(s) => states[*s],
            };
            let outs = scan.outs.iter().map(out).collect();
            return ScanActivity { states, outs, args };
        }
        states = next;
    }
}
