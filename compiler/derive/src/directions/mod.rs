//! Laws: recurrences in both directions whose outputs are added share what a chunk holds of itself.
//!
//! A quasiseparable matrix is one recurrence below the diagonal and another above it. In chunks each is
//! `y_i = q_i·S + Σ_j M_ij v_j`: what it reads of the states that enter, and the inside. The inside needs no state, so
//! any loop over the same chunks can give it out: the loop of one direction takes over that of the other, and where
//! both multiply the same values it is one product with a full matrix, `(M + N)_ij v_j` (derivation calculus §2.6).
//! Entries are only added, so nothing cancels.
//!
//! [`shifted_reads`] prepares it while loops go step by step: an output that is shifted, as in `y = F[t-1] + G[t+1]`, is
//! a read of the states before the step by a shifted vector. [`both_directions`] follows when loops have chunks;
//! [`factor`] finds what is multiplied once.

mod factor;
mod fuse;
mod shifted;

pub use fuse::both_directions;
pub use shifted::shifted_reads;

use seqc_algebra::{Func, MapFn, Op, Out, Scan, ValueId};

/// The sums of a program that are part of no other sum, as their summands that are added with the same sign.
fn sums(func: &Func) -> Vec<Vec<ValueId>> {
    let uses = uses(func);
    let live = func.live();
    let mut part = vec![false; func.values.len()];
    let mut all = vec![];
    for id in func.ids().rev().filter(|id| live[id.index()]) {
        if part[id.index()] || sum_args(func, id).is_none() {
            continue;
        }
        let found = summands(func, id, &mut |v| {
            let open = uses[v.index()] == 1;
            part[v.index()] |= open;
            open
        });
        let (minus, plus): (Vec<_>, Vec<_>) = found.into_iter().partition(|s| s.negative);
        all.extend([plus, minus].map(|all| all.iter().map(|s| s.value).collect()));
    }
    all
}

struct Summand {
    value: ValueId,
    negative: bool,
}

/// The two that a sum or a difference adds up.
fn sum_args(func: &Func, v: ValueId) -> Option<[Summand; 2]> {
    let negative = match func.op(v) {
        Op::Map(MapFn::Add) => false,
        Op::Map(MapFn::Sub) => true,
        _ => return None,
    };
    let args = func.args(v);
    let of = |value, negative| Summand { value, negative };
    Some([of(args[0], false), of(args[1], negative)])
}

/// The summands of a value, itself if it is none; sums within it are opened where `open` says so.
fn summands(func: &Func, v: ValueId, open: &mut dyn FnMut(ValueId) -> bool) -> Vec<Summand> {
    let itself = Summand {
        value: v,
        negative: false,
    };
    let Some(args) = sum_args(func, v) else {
        return vec![itself];
    };
    let mut all = vec![];
    for a in args {
        if sum_args(func, a.value).is_none() || !open(a.value) {
            all.push(a);
            continue;
        }
        for inner in summands(func, a.value, open) {
            let negative = inner.negative != a.negative;
            all.push(Summand { negative, ..inner });
        }
    }
    all
}

/// How often each value is used, by values that the results need and by the results.
fn uses(func: &Func) -> Vec<usize> {
    let mut uses: Vec<usize> = func.users().iter().map(Vec::len).collect();
    for (_, v) in &func.results {
        uses[v.index()] += 1;
    }
    uses
}

/// What a scan gives out, at a place of its own.
#[derive(Clone, Copy)]
struct Given<'a> {
    at: ValueId,
    id: ValueId,
    scan: &'a Scan,
    /// Among the body's emitted values.
    emit: usize,
}

/// The value as one that a whole scan gives out there and nowhere else.
fn given(func: &Func, v: ValueId) -> Option<Given<'_>> {
    let Op::Proj(n) = func.op(v) else { return None };
    let id = func.args(v)[0];
    let Op::Scan(scan) = func.op(id) else {
        return None;
    };
    let Out::Emit(emit) = scan.outs[*n] else {
        return None;
    };
    let once = scan.outs.iter().filter(|o| **o == Out::Emit(emit)).count() == 1;
    (once && !scan.lo && !scan.hi).then_some(Given {
        at: v,
        id,
        scan,
        emit,
    })
}
