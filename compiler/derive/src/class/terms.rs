//! What a step writes: rank-one terms, one for each key.

use super::product::{gathered, split};
use super::rows::Rows;
use super::{Feedback, Product, Sum, Term};
use crate::affine::{Mono, factor_axes, opened};
use seqc_algebra::{Axis, Func};

/// The inputs of each state as rank-one terms; what feeds a state back joins the term of its key, and what is added
/// to several states alike is one term.
pub(super) fn terms(
    body: &Func,
    k: &[Axis],
    v: &[Axis],
    monos: &[Vec<Mono>],
    rows: &Rows,
    others: &mut Vec<String>,
) -> Vec<Term> {
    let mut all: Vec<Term> = Vec::new();
    for (into, row) in monos.iter().enumerate() {
        for term in of_state(body, k, v, (into, row), rows, others) {
            let same = |t: &&mut Term| {
                t.key == term.key && t.values == term.values && t.feedback == term.feedback
            };
            match all.iter_mut().find(same) {
                Some(known) => known.into.push(into),
                None => all.push(term),
            }
        }
    }
    all
}

/// The terms of one state.
fn of_state(
    body: &Func,
    k: &[Axis],
    v: &[Axis],
    (into, row): (usize, &[Mono]),
    rows: &Rows,
    others: &mut Vec<String>,
) -> Vec<Term> {
    let mut terms: Vec<Term> = Vec::new();
    let outer = |a: &[Axis]| a.iter().any(|a| k.contains(a)) && a.iter().any(|a| v.contains(a));
    for m in (row.iter().filter(|m| m.state.is_none())).flat_map(|m| opened(body, m, &outer)) {
        let (factors, sums) = gathered(body, &m.factors, &m.bound);
        let keyed = |s: &Sum| s.axes(body).iter().any(|a| k.contains(a));
        if sums.iter().any(keyed) {
            others.push("an input of the state is itself a sum".into());
            continue;
        }
        let whole = Product {
            scale: m.scale,
            factors,
            sums,
        };
        let (key, value) = keyed_parts(body, k, &whole);
        if key.axes(body).iter().any(|a| v.contains(a)) {
            others
                .push("an input of the state is not an outer product of a key and a value".into());
            continue;
        }
        of_key(&mut terms, into, key).values.push(value);
    }
    for r in rows.ranks.iter().filter(|r| r.into == into) {
        let (key, coef) = keyed_parts(body, k, &r.write);
        of_key(&mut terms, into, key).feedback.push(Feedback {
            from: r.from,
            coef,
            read: r.read.clone(),
        });
    }
    terms
}

/// The factors with K axes, in order, and the rest with the scale.
fn keyed_parts(body: &Func, k: &[Axis], p: &Product) -> (Product, Product) {
    let mut scale = p.scale;
    let (mut key, mut rest) = (vec![], vec![]);
    for m in p.factors.iter().map(|f| split(body, f)) {
        scale *= m.scale;
        for f in m.factors {
            let keyed = factor_axes(body, &f).iter().any(|a| k.contains(a));
            if keyed { &mut key } else { &mut rest }.push(f);
        }
    }
    key.sort();
    let rest = Product {
        scale,
        factors: rest,
        sums: p.sums.clone(),
    };
    (Product::new(1.0, key), rest)
}

/// The term of a key, made if there is none.
fn of_key(terms: &mut Vec<Term>, into: usize, key: Product) -> &mut Term {
    let known = terms.iter().position(|t| t.key == key);
    let at = known.unwrap_or_else(|| {
        terms.push(Term {
            into: vec![into],
            key,
            values: vec![],
            feedback: vec![],
        });
        terms.len() - 1
    });
    &mut terms[at]
}
