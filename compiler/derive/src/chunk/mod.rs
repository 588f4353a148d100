//! Law: recurrences that are affine in their states, with transitions `diag(gate) + a few rank-one terms`, equal a
//! scan over chunks of C steps whose inside is matrix products (derivation calculus §2.2–2.5).
//!
//! With `pre_i` the product of the gates up to i, `D_ij` the product over j+1..i, `suf_j` over j+1..C, and a, b over
//! the terms:
//! ```text
//! u^a    solves  u^a_i = value^a_i + coef^a_i (pex_i read^a_i·S + Σ_b Σ_{j<i} Dex_ij (read^a_i·key^b_j) u^b_j)
//! y_i  = pre_i q_i·S + Σ_b Σ_{j<=i} D_ij (q_i·key^b_j) u^b_j
//! S'   = tot S + Σ_b Σ_j suf_j key^b_j u^b_j
//! ```
//! Of several states that step together, `pre`, `D`, `suf` and `tot` are small matrices: `D_ij[z,w]` is what of
//! state w after step j is in state z after step i. Everything else stays as it is, with a sum over w where a state
//! is read. A momentum, a state that reads another's last value, `S[t-2]`, two memories that feed each other are such.
//!
//! Gates enter as products over contiguous ranges only (never as quotients or differences of logarithms), so
//! gates of exactly 0 or 1, negative gates and underflow are ordinary cases. A tail shorter than C is padded with
//! the identity and zero keys, values and reads, which changes neither states nor outputs; factors are padded as they
//! enter the products (`1/x`, not `x`), and what is written at every step alike is written at the steps that exist.
//! Side conditions: every emitted value is a sum of reads; K and V are not empty.
//!
//! [`values`] makes the vectors and gates of the normal form, [`gates`] their products ([`decays`]), [`inside`] what reads and
//! writes in a chunk, [`unknowns`] what is written where that depends on what is read, [`build`] the new scan.

mod build;
mod decays;
mod gates;
mod inside;
mod unknowns;
mod values;

pub(crate) use values::Hoist;

use crate::Result;
use crate::class::{Linear, Product, Term, Transition, classify};
use crate::rewrite::map_values;
use seqc_algebra::{Func, Op, Out, Scan};

/// Why a scan has no chunked form; `None` if it has one.
pub fn obstacle(scan: &Scan) -> Option<String> {
    chunkable(scan).err()
}

/// The parts of a scan that has a chunked form; else why it has none.
fn chunkable(scan: &Scan) -> std::result::Result<Linear, String> {
    let (transition, linear) = classify(scan);
    let Some(l) = linear else {
        return Err(transition.why());
    };
    let why = if let Some(why) = l.others.first() {
        why
    } else if l.k.is_empty() {
        "no axis of the state is contracted by a read, so there is no matrix product to gain"
    } else if l.v.is_empty() && l.gated.is_empty() {
        "every axis of the state has its own decay or read, so there is no matrix product to gain"
    } else if l.terms.is_empty() {
        "nothing is written to it"
    } else if scan.tile.is_some() || scan.lo || scan.hi {
        "it is tiled already"
    } else if scan.outs.iter().any(|o| matches!(o, Out::Enter(_))) {
        "its entering states are read"
    } else if matches!(transition, Transition::Dense(_)) {
        return Err(transition.why());
    } else {
        return Ok(l);
    };
    Err(why.to_owned())
}

/// Rewrites every top-level scan that has a chunked form with chunks of `chunk` steps.
pub fn chunk_scans(func: &Func, chunk: usize) -> Result<Func> {
    map_values(func, |b, func, id, args| match func.op(id) {
        Op::Scan(scan) => match chunkable(scan) {
            Ok(l) => Ok(Some(build::chunk_one(b, scan, args, &l, chunk)?)),
            Err(_) => Ok(None),
        },
        _ => Ok(None),
    })
}

/// Would the term write at a step whose sequences are 0? Not if its key varies with time, or all that it writes.
fn writes_always(t: &Term, varies: impl Fn(&Product) -> bool) -> bool {
    let value = t.values.iter().any(|v| !varies(v));
    let fed = (t.feedback.iter()).any(|f| !varies(&f.coef) && !varies(&f.read));
    !varies(&t.key) && (value || fed)
}

/// Every vector, and every gate that is no transition's.
fn products(l: &Linear) -> impl Iterator<Item = &Product> {
    let terms = l.terms.iter().flat_map(|t| {
        let fed = t.feedback.iter().flat_map(|f| [&f.coef, &f.read]);
        [&t.key].into_iter().chain(&t.values).chain(fed)
    });
    let reads = l.reads.iter().flat_map(|r| {
        let parts = r.parts.iter().map(|p| &p.vector);
        parts.chain(&r.own)
    });
    terms.chain(reads)
}
