//! What a step writes and what it gives out: rank-one terms and reads.

use super::product::{gathered, restored, split};
use super::{Product, Read, Sum, Term};
use crate::affine::{Affine, Mono, factor_axes, opened};
use seqc_algebra::{Axis, Func, Scan, ValueId};

/// Emitted values as reads of the new or the old state, each with the axes it contracts.
pub(super) fn reads(
    scan: &Scan,
    affine: &mut Affine<'_>,
    state: ValueId,
    next: ValueId,
) -> (Vec<(Read, Vec<Axis>)>, Vec<String>) {
    let body = &scan.body;
    let mut found = Vec::new();
    let mut other = Vec::new();
    for (e, (name, v)) in body.results[scan.states..].iter().enumerate() {
        let mut of_next = Affine::new(body, next);
        let reads_old = {
            // Does the value reach the old state by a way that is not through the new one?
            let mut reach = vec![false; body.values.len()];
            reach[v.index()] = true;
            for id in body.ids().rev() {
                if reach[id.index()] && id != next {
                    for a in body.args(id) {
                        reach[a.index()] = true;
                    }
                }
            }
            reach[state.index()]
        };
        let inclusive = of_next.depends(*v) && !reads_old;
        let monos = if inclusive {
            of_next.expand(*v)
        } else {
            affine.expand(*v)
        };
        // The new state may have the axes in another order than the old one.
        let axes = &body.ty(if inclusive { next } else { state }).axes;
        let read = match monos {
            Ok(m) if m.len() == 1 => as_read(axes, &m[0], e, inclusive),
            Ok(_) => Err("it reads the state more than once or adds to what it reads".to_owned()),
            Err(why) => Err(why.why),
        };
        match read {
            Ok(r) => found.push(r),
            Err(why) => other.push(format!("`{name}`: {why}")),
        }
    }
    (found, other)
}

fn as_read(
    axes: &[Axis],
    m: &Mono,
    emit: usize,
    inclusive: bool,
) -> Result<(Read, Vec<Axis>), String> {
    let moved = m.moved(axes).ok_or("it does not read the state")?;
    if moved.iter().any(|(_, r)| !m.bound.contains(r)) {
        return Err("it renames the state's axes".into());
    }
    if m.bound.len() != moved.len() {
        return Err("it sums over axes that the state does not have".into());
    }
    let factors = m.factors.iter().map(|f| restored(f, &moved)).collect();
    let contracted = moved.iter().map(|(a, _)| *a).collect();
    Ok((
        Read {
            emit,
            inclusive,
            vector: Product::new(m.scale, factors),
        },
        contracted,
    ))
}

/// The inputs as rank-one terms, one for each key; what feeds the state back joins the term of its key.
pub(super) fn terms(
    body: &Func,
    k: &[Axis],
    v: &[Axis],
    input: &[Mono],
    rank: &[(Product, Product)],
    other: &mut Vec<String>,
) -> Vec<Term> {
    let mut terms: Vec<Term> = Vec::new();
    let outer = |a: &[Axis]| a.iter().any(|a| k.contains(a)) && a.iter().any(|a| v.contains(a));
    for m in &(input.iter())
        .flat_map(|m| opened(body, m, &outer))
        .collect::<Vec<_>>()
    {
        let (factors, sums) = gathered(body, &m.factors, &m.bound);
        let keyed = |s: &Sum| s.axes(body).iter().any(|a| k.contains(a));
        if sums.iter().any(keyed) {
            other.push("an input of the state is itself a sum".into());
            continue;
        }
        let whole = Product {
            scale: m.scale,
            factors,
            sums,
        };
        let (key, value) = keyed_parts(body, k, &whole);
        if key.axes(body).iter().any(|a| v.contains(a)) {
            other.push("an input of the state is not an outer product of a key and a value".into());
            continue;
        }
        of_key(&mut terms, key).values.push(value);
    }
    for (write, read) in rank {
        let (key, coef) = keyed_parts(body, k, write);
        of_key(&mut terms, key).feedback.push((coef, read.clone()));
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
fn of_key(terms: &mut Vec<Term>, key: Product) -> &mut Term {
    let known = terms.iter().position(|t| t.key == key);
    let at = known.unwrap_or_else(|| {
        terms.push(Term {
            key,
            values: vec![],
            feedback: vec![],
        });
        terms.len() - 1
    });
    &mut terms[at]
}
