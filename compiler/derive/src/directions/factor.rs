//! Sums of products that have factors in common: `Σ_j M v + Σ_j N v = Σ_j (M + N) v`.

use crate::Result;
use seqc_algebra::{Axis, Builder, MapFn, Op, ValueId};

/// Factors whose product is summed over axes.
struct Term {
    over: Vec<Axis>,
    factors: Vec<ValueId>,
}

/// The sum of values over the axes of all, and how many products it is shorter by.
pub(super) fn add(
    b: &mut Builder,
    summands: &[ValueId],
    axes: &[Axis],
) -> Result<(ValueId, usize)> {
    let mut all = summands.to_vec();
    let mut saved = 0;
    while let Some((n, m, v)) = first_merge(b, &all)? {
        all[n] = v;
        all.remove(m);
        saved += 1;
    }
    let mut sum = b.fill(all[0], axes)?;
    for v in &all[1..] {
        sum = b.add2(sum, *v)?;
    }
    Ok((sum, saved))
}

/// Two summands that have factors in common, and their sum.
fn first_merge(b: &mut Builder, all: &[ValueId]) -> Result<Option<(usize, usize, ValueId)>> {
    for n in 0..all.len() {
        for m in n + 1..all.len() {
            if let Some(v) = merged(b, all[n], all[m])? {
                return Ok(Some((n, m, v)));
            }
        }
    }
    Ok(None)
}

fn merged(b: &mut Builder, x: ValueId, y: ValueId) -> Result<Option<ValueId>> {
    let (x, y) = (term(b, x)?, term(b, y)?);
    if x.over != y.over {
        return Ok(None);
    }
    let (mut common, mut of_x, mut of_y) = (vec![], vec![], y.factors);
    for f in x.factors {
        match of_y.iter().position(|g| *g == f) {
            Some(n) => common.push(of_y.remove(n)),
            None => of_x.push(f),
        }
    }
    let (in_x, in_y) = (axes_of(b, &of_x), axes_of(b, &of_y));
    if common.is_empty() || of_x.is_empty() || in_x != in_y {
        return Ok(None);
    }
    // What has axes of its own is multiplied with the whole sum, everything else while that is small.
    let (narrow, wide): (Vec<ValueId>, Vec<ValueId>) =
        (common.into_iter()).partition(|f| b.axes(*f).iter().all(|a| in_x.contains(a)));
    if wide.is_empty() && of_x.len() + of_y.len() > 2 {
        return Ok(None);
    }
    let (of_x, of_y) = (product(b, &of_x)?, product(b, &of_y)?);
    let (sum, _) = add(b, &[of_x, of_y], &[])?;
    let factors = match wide.is_empty() {
        true => [narrow, vec![sum]].concat(),
        false => {
            let inner = product(b, &[narrow, vec![sum]].concat())?;
            [vec![inner], wide].concat()
        }
    };
    Ok(Some(match x.over.is_empty() {
        true => product(b, &factors)?,
        false => b.contract(&x.over, &factors)?,
    }))
}

fn product(b: &mut Builder, factors: &[ValueId]) -> Result<ValueId> {
    let mut all = factors[0];
    for f in &factors[1..] {
        all = b.mul(all, *f)?;
    }
    Ok(all)
}

fn axes_of(b: &Builder, values: &[ValueId]) -> Vec<Axis> {
    let mut all: Vec<Axis> = values.iter().flat_map(|v| b.axes(*v)).copied().collect();
    all.sort();
    all.dedup();
    all
}

/// The value as a term.
fn term(b: &mut Builder, v: ValueId) -> Result<Term> {
    let mut t = Term {
        over: vec![],
        factors: vec![],
    };
    match b.func().op(v) {
        Op::Contract(over) => {
            t.over = over.clone();
            for a in b.func().args(v).to_vec() {
                factors(b, a, &mut t.factors)?;
            }
        }
        _ => factors(b, v, &mut t.factors)?,
    }
    Ok(t)
}

/// The factors of a value that is a product, or a renamed one.
fn factors(b: &mut Builder, v: ValueId, all: &mut Vec<ValueId>) -> Result<()> {
    let args = b.func().args(v).to_vec();
    match b.func().op(v) {
        Op::Map(MapFn::Mul) => {
            for a in args {
                factors(b, a, all)?;
            }
        }
        Op::Rename { from, to } => {
            let (from, to) = (*from, *to);
            let mut inner = vec![];
            factors(b, args[0], &mut inner)?;
            for f in inner {
                let f = match b.has(f, from) {
                    true => b.rename(f, from, to)?,
                    false => f,
                };
                all.push(f);
            }
        }
        _ => all.push(v),
    }
    Ok(())
}
