//! Classes of recurrences, found from the affine normal form of a scan's body; and the parts from which the
//! chunked form is made.
//!
//! Roles of the state's axes: **K** is moved by the transition or contracted by a read; **V** appears in neither
//! the transition nor a read's vector; **B** is the rest (batch, heads). The transition is
//! `diag(decay) + Σ b aᵀ` over K. Side conditions are those of the derivation calculus, §1.

use crate::affine::{Affine, Factor, How, Mono, NotAffine, factor_axes, factors_of};
use seqc_algebra::{Axis, Func, Scan, ValueId};

/// What a scan's transition is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition {
    Identity,
    /// One decay for all K (it may depend on batch-like axes and on time).
    Scalar,
    /// A decay per position of K.
    Diagonal,
    /// `decay · (I + rank 1)` with a scalar or no decay.
    ScalarRankOne,
    /// `diag(decay) + rank 1`
    DiagonalRankOne,
    /// Rank above one, or a matrix that mixes positions.
    Dense(String),
    /// Not affine: where and why.
    Nonlinear {
        at: ValueId,
        why: String,
    },
    /// Several states that feed each other.
    Coupled(usize),
}

impl std::fmt::Display for Transition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Transition::Identity => "identity",
            Transition::Scalar => "scalar",
            Transition::Diagonal => "diagonal",
            Transition::ScalarRankOne => "scalar x (identity + rank 1)",
            Transition::DiagonalRankOne => "diagonal + rank 1",
            Transition::Dense(_) => "dense",
            Transition::Nonlinear { .. } => "nonlinear",
            Transition::Coupled(_) => "coupled",
        })
    }
}

/// A product of factors times a scale: a vector or a gate of the recurrence.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    pub scale: f64,
    pub factors: Vec<Factor>,
}

/// One rank-one input `key ⊗ value`, where the value may also read the state: `value + coef · (readᵀ S)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Factors with K axes.
    pub key: Product,
    /// Factors without K axes; `None` if this term only feeds the state back.
    pub value: Option<Product>,
    /// `(coef, read)`: coef without K axes, read with the K axes, renamed back to the state's.
    pub feedback: Option<(Product, Product)>,
}

/// One read `Σ_K vector · S`: inclusive (the state after this step) or exclusive (before it).
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// Index among the body's emitted values.
    pub emit: usize,
    pub inclusive: bool,
    pub vector: Product,
}

/// A scan with one affine state, in parts.
#[derive(Clone, Debug)]
pub struct Linear {
    pub transition: Transition,
    pub k: Vec<Axis>,
    pub v: Vec<Axis>,
    /// Axes of the state that are neither.
    pub b: Vec<Axis>,
    /// The sum of these; `None`: 1. A transition without a diagonal has one product, of scale 0.
    pub decay: Option<Vec<Product>>,
    pub terms: Vec<Term>,
    pub reads: Vec<Read>,
    /// Emitted values that are not such reads, and why: they keep the chunked form from applying.
    pub other_reads: Vec<String>,
}

/// The class of a scan; the parts when it is affine in a single state.
pub fn classify(scan: &Scan) -> (Transition, Option<Linear>) {
    if scan.states != 1 {
        return (Transition::Coupled(scan.states), None);
    }
    match linear(scan) {
        Ok(l) => (l.transition.clone(), Some(l)),
        Err(t) => (t, None),
    }
}

fn linear(scan: &Scan) -> Result<Linear, Transition> {
    let body = &scan.body;
    let state = body.params[1];
    let next = body.results[0].1;
    let mut affine = Affine::new(body, state);
    let bad = |e: NotAffine| Transition::Nonlinear {
        at: e.at,
        why: e.why,
    };
    let monos = affine.expand(next).map_err(bad)?;
    let state_axes = body.ty(state).axes.clone();
    let (update, input): (Vec<Mono>, Vec<Mono>) =
        monos.into_iter().partition(|m| m.state.is_some());
    let mut parts = Parts::default();
    for m in &update {
        parts.transition(body, &state_axes, m)?;
    }
    let (reads, other_reads) = reads(scan, &mut affine, state, next);
    let mut k = parts.moved.clone();
    for r in &reads {
        k.extend(
            r.1.iter()
                .filter(|a| !k.contains(a))
                .copied()
                .collect::<Vec<_>>(),
        );
    }
    let mut other_reads = other_reads;
    if parts.summed {
        other_reads.push("a term of its transition is multiplied by a sum".into());
    }
    let (reads, partial): (Vec<_>, Vec<_>) = reads
        .into_iter()
        .partition(|(_, over)| k.iter().all(|a| over.contains(a)));
    other_reads.extend(partial.iter().map(|(r, _)| {
        format!(
            "`{}`: it gives out the state without contracting it",
            body.results[scan.states + r.emit].0
        )
    }));
    let decay = parts.decay();
    let decay_axes: Vec<Axis> = product_axes(body, decay.iter().flatten());
    let read_axes: Vec<Axis> = reads
        .iter()
        .flat_map(|(r, _)| product_axes(body, [&r.vector]))
        .collect();
    let rank_axes: Vec<Axis> = parts
        .rank
        .iter()
        .flat_map(|(b, a)| product_axes(body, [b, a]))
        .collect();
    let touched =
        |a: &Axis| decay_axes.contains(a) || read_axes.contains(a) || rank_axes.contains(a);
    let v: Vec<Axis> = state_axes
        .iter()
        .copied()
        .filter(|a| !k.contains(a) && !touched(a) && a.is_const())
        .collect();
    let b: Vec<Axis> = state_axes
        .iter()
        .copied()
        .filter(|a| !k.contains(a) && !v.contains(a))
        .collect();
    let scalar = decay_axes.iter().all(|a| !k.contains(a));
    let transition = match (parts.rank(body), &decay) {
        (0, None) => Transition::Identity,
        (0, Some(_)) if scalar && !k.is_empty() => Transition::Scalar,
        (0, Some(_)) => Transition::Diagonal,
        (1, _) if scalar => Transition::ScalarRankOne,
        (1, _) => Transition::DiagonalRankOne,
        (n, _) => Transition::Dense(format!("the transition has rank {n} beside its diagonal")),
    };
    let terms = terms(body, &k, &v, &input, &parts.rank, &mut other_reads);
    let reads = reads.into_iter().map(|(r, _)| r).collect();
    Ok(Linear {
        transition,
        k,
        v,
        b,
        decay,
        terms,
        reads,
        other_reads,
    })
}

fn product_axes<'a>(body: &Func, p: impl IntoIterator<Item = &'a Product>) -> Vec<Axis> {
    p.into_iter()
        .flat_map(|p| &p.factors)
        .flat_map(|f| factor_axes(body, f))
        .collect()
}

/// The transition while its monomials are read.
#[derive(Default)]
struct Parts {
    /// The diagonal terms: `a·S - b·S` are two.
    diagonal: Vec<Product>,
    moved: Vec<Axis>,
    rank: Vec<(Product, Product)>,
    /// Some term is multiplied by a sum of its own, which a product of factors does not hold.
    summed: bool,
}

impl Parts {
    fn transition(&mut self, body: &Func, axes: &[Axis], m: &Mono) -> Result<(), Transition> {
        let Some(read) = &m.state else { return Ok(()) };
        let moved: Vec<(Axis, Axis)> = axes
            .iter()
            .zip(read)
            .filter(|(a, r)| a != r)
            .map(|(a, r)| (*a, *r))
            .collect();
        if moved.is_empty() && m.bound.is_empty() {
            self.diagonal.push(Product {
                scale: m.scale,
                factors: m.factors.clone(),
            });
            return Ok(());
        }
        if moved.is_empty() || moved.iter().any(|(_, r)| !m.bound.contains(r)) {
            return Err(Transition::Dense(
                "the state is summed together with other values".into(),
            ));
        }
        // Sums that do not reach the state are a number that multiplies the term.
        let beside = |a: &Axis| m.bound.contains(a) && moved.iter().all(|(_, r)| r != a);
        let (mut left, mut right) = (vec![], vec![]);
        for f in &m.factors {
            let shown = factor_axes(body, f);
            if shown.iter().any(beside) {
                self.summed = true;
                continue;
            }
            let reads = moved.iter().any(|(_, r)| shown.contains(r));
            let writes = moved.iter().any(|(a, _)| shown.contains(a));
            match (reads, writes) {
                (true, true) => {
                    return Err(Transition::Dense(
                        "one matrix both reads and writes an axis of the state".into(),
                    ));
                }
                (true, false) => right.push(restored(body, f, &moved)),
                _ => left.push(f.clone()),
            }
        }
        for (a, _) in &moved {
            if !self.moved.contains(a) {
                self.moved.push(*a);
            }
        }
        self.rank.push((
            Product {
                scale: m.scale,
                factors: left,
            },
            Product {
                scale: 1.0,
                factors: right,
            },
        ));
        Ok(())
    }

    /// `None`: the state is kept as it is.
    fn decay(&self) -> Option<Vec<Product>> {
        match self.diagonal.as_slice() {
            [] => Some(vec![Product {
                scale: 0.0,
                factors: vec![],
            }]),
            [one] if one.scale == 1.0 && one.factors.is_empty() => None,
            several => Some(several.to_vec()),
        }
    }

    /// The rank beside the diagonal: terms that write along one vector, or read along one, count once.
    fn rank(&self, body: &Func) -> usize {
        let distinct = |side: fn(&(Product, Product)) -> &Product| {
            let mut seen: Vec<Vec<Factor>> = Vec::new();
            for term in &self.rank {
                let vector = self.vector(body, side(term));
                if !seen.contains(&vector) {
                    seen.push(vector);
                }
            }
            seen.len()
        };
        distinct(|t| &t.0).min(distinct(|t| &t.1))
    }

    /// The factors that have a moved axis, products split.
    fn vector(&self, body: &Func, p: &Product) -> Vec<Factor> {
        let mut all: Vec<Factor> = p
            .factors
            .iter()
            .flat_map(|f| split(body, f).factors)
            .filter(|f| factor_axes(body, f).iter().any(|a| self.moved.contains(a)))
            .collect();
        all.sort();
        all
    }
}

/// A factor as the product of its own factors, where it is one.
fn split(body: &Func, f: &Factor) -> Mono {
    if f.renamed.is_empty() && f.how == How::Times {
        return factors_of(body, f.value);
    }
    Mono {
        scale: 1.0,
        factors: vec![f.clone()],
        state: None,
        bound: vec![],
    }
}

/// The factor with bound copies of the state's axes renamed back.
fn restored(_body: &Func, f: &Factor, moved: &[(Axis, Axis)]) -> Factor {
    let mut f = f.clone();
    for (from, to) in &mut f.renamed {
        if let Some((a, _)) = moved.iter().find(|(_, r)| r == to) {
            *to = *a;
        }
        let _ = from;
    }
    f.renamed.retain(|(a, b)| a != b);
    f
}

/// Emitted values as reads of the new or the old state, each with the axes it contracts.
fn reads(
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
        let axes = &body.ty(state).axes;
        let read = match monos {
            Ok(m) if m.len() == 1 => as_read(body, axes, &m[0], e, inclusive),
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
    body: &Func,
    axes: &[Axis],
    m: &Mono,
    emit: usize,
    inclusive: bool,
) -> Result<(Read, Vec<Axis>), String> {
    let Some(read) = &m.state else {
        return Err("it does not read the state".into());
    };
    let moved: Vec<(Axis, Axis)> = axes
        .iter()
        .zip(read)
        .filter(|(a, r)| a != r)
        .map(|(a, r)| (*a, *r))
        .collect();
    if moved.iter().any(|(_, r)| !m.bound.contains(r)) {
        return Err("it renames the state's axes".into());
    }
    if m.bound.len() != moved.len() {
        return Err("it sums over axes that the state does not have".into());
    }
    let factors = m
        .factors
        .iter()
        .map(|f| restored(body, f, &moved))
        .collect();
    let contracted = moved.iter().map(|(a, _)| *a).collect();
    Ok((
        Read {
            emit,
            inclusive,
            vector: Product {
                scale: m.scale,
                factors,
            },
        },
        contracted,
    ))
}

/// The inputs as rank-one terms; feedback joins the input that has the same key.
fn terms(
    body: &Func,
    k: &[Axis],
    v: &[Axis],
    input: &[Mono],
    rank: &[(Product, Product)],
    other: &mut Vec<String>,
) -> Vec<Term> {
    let mut terms: Vec<Term> = Vec::new();
    for m in input {
        let mut split = Mono {
            scale: m.scale,
            factors: vec![],
            state: None,
            bound: m.bound.clone(),
        };
        for f in &m.factors {
            let inner = self::split(body, f);
            split.scale *= inner.scale;
            split.factors.extend(inner.factors);
        }
        if !split.bound.is_empty() {
            other.push("an input of the state is itself a sum".into());
            continue;
        }
        let (key, value): (Vec<Factor>, Vec<Factor>) = split
            .factors
            .into_iter()
            .partition(|f| factor_axes(body, f).iter().any(|a| k.contains(a)));
        if key
            .iter()
            .any(|f| factor_axes(body, f).iter().any(|a| v.contains(a)))
        {
            other.push("an input of the state is not an outer product of a key and a value".into());
            continue;
        }
        let value = Product {
            scale: split.scale,
            factors: value,
        };
        terms.push(Term {
            key: Product {
                scale: 1.0,
                factors: key,
            },
            value: Some(value),
            feedback: None,
        });
    }
    for (write, read) in rank {
        let mut inner = Mono {
            scale: write.scale,
            factors: vec![],
            state: None,
            bound: vec![],
        };
        for f in &write.factors {
            let m = split(body, f);
            inner.scale *= m.scale;
            inner.factors.extend(m.factors);
        }
        inner.factors.sort();
        let (key, coef): (Vec<Factor>, Vec<Factor>) = inner
            .factors
            .into_iter()
            .partition(|f| factor_axes(body, f).iter().any(|a| k.contains(a)));
        let coef = Product {
            scale: inner.scale,
            factors: coef,
        };
        let key = Product {
            scale: 1.0,
            factors: key,
        };
        let same = terms
            .iter_mut()
            .find(|t| t.feedback.is_none() && sorted(&t.key) == sorted(&key));
        match same {
            Some(t) => t.feedback = Some((coef, read.clone())),
            None => terms.push(Term {
                key,
                value: None,
                feedback: Some((coef, read.clone())),
            }),
        }
    }
    terms
}

fn sorted(p: &Product) -> Vec<Factor> {
    let mut f = p.factors.clone();
    f.sort();
    f
}
