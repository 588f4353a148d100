//! Classes of recurrences, found from the affine normal form of a scan's body; and the parts from which the
//! chunked form is made.
//!
//! Roles of the state's axes: **K** is moved by the transition or contracted by a read; **V** appears in neither
//! the transition nor a read's vector; **B** is the rest (batch, heads). The transition is
//! `diag(decay) + Σ b aᵀ` over K. Side conditions are those of the derivation calculus, §1.

use crate::affine::{Affine, Factor, How, Mono, NotAffine, factor_axes, factors_of, opened};
use seqc_algebra::{Axis, Func, Scan, ValueId};

/// What a scan's transition is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition {
    Identity,
    /// One decay for all K (it may depend on batch-like axes and on time).
    Scalar,
    /// A decay per position of K.
    Diagonal,
    /// `decay · I + rank r` with a scalar or no decay.
    ScalarRank(usize),
    /// `diag(decay) + rank r`
    DiagonalRank(usize),
    /// A matrix that mixes positions, or a rank too high to gain from.
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
            Transition::ScalarRank(n) => return write!(f, "scalar x (identity + rank {n})"),
            Transition::DiagonalRank(n) => return write!(f, "diagonal + rank {n}"),
            Transition::Dense(_) => "dense",
            Transition::Nonlinear { .. } => "nonlinear",
            Transition::Coupled(_) => "coupled",
        })
    }
}

impl Transition {
    /// The transition in a sentence, with the reason why it is no better.
    pub fn why(&self) -> String {
        match self {
            Transition::Dense(why) => format!("its transition is dense: {why}"),
            Transition::Coupled(n) => {
                format!("{n} states feed each other, and only one state is chunked")
            }
            other => format!("its transition is {other}"),
        }
    }
}

/// A product of factors and of sums, times a scale: a vector or a gate of the recurrence.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    pub scale: f64,
    pub factors: Vec<Factor>,
    pub sums: Vec<Sum>,
}

/// `Σ_over Π factors`
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    pub over: Vec<Axis>,
    pub factors: Vec<Factor>,
}

impl Product {
    fn new(scale: f64, factors: Vec<Factor>) -> Product {
        Product {
            scale,
            factors,
            sums: vec![],
        }
    }

    /// Every factor, those inside of sums too.
    pub fn all_factors(&self) -> impl Iterator<Item = &Factor> {
        let inner = self.sums.iter().flat_map(|s| &s.factors);
        self.factors.iter().chain(inner)
    }

    fn axes(&self, body: &Func) -> Vec<Axis> {
        let own = self.factors.iter().flat_map(|f| factor_axes(body, f));
        own.chain(self.sums.iter().flat_map(|s| s.axes(body)))
            .collect()
    }
}

impl Sum {
    fn axes(&self, body: &Func) -> Vec<Axis> {
        let all = self.factors.iter().flat_map(|f| factor_axes(body, f));
        all.filter(|a| !self.over.contains(a)).collect()
    }
}

/// Rank-one inputs `key ⊗ value` of one key, where the value may also read the state:
/// `Σ values + Σ coef · (readᵀ S)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Factors with K axes.
    pub key: Product,
    /// Without K axes; none if this term only feeds the state back.
    pub values: Vec<Product>,
    /// `(coef, read)`: coef without K axes, read with the K axes, renamed back to the state's.
    pub feedback: Vec<(Product, Product)>,
}

/// The most rank-one terms that are solved for together: the work inside a chunk grows with the square.
pub const MOST_RANK: usize = 8;

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
    let names = |axes: &[Axis]| {
        let all: Vec<&str> = axes.iter().map(|a| a.name.as_str()).collect();
        format!("{{{}}}", all.join(", "))
    };
    other_reads.extend(partial.iter().map(|(_, over)| match over.as_slice() {
        [] => "the state is given out without being contracted".to_owned(),
        over => format!(
            "a read contracts {} of the axes {} that the transition moves or another read contracts",
            names(over),
            names(&k)
        ),
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
        (n, _) if n > MOST_RANK => {
            Transition::Dense(format!("the transition has rank {n} beside its diagonal"))
        }
        (n, _) if scalar => Transition::ScalarRank(n),
        (n, _) => Transition::DiagonalRank(n),
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
    p.into_iter().flat_map(|p| p.axes(body)).collect()
}

/// The factors without an axis of `over`, and the others as sums: factors that share such an axis, in any number
/// of links, are summed together.
fn gathered(body: &Func, factors: &[Factor], over: &[Axis]) -> (Vec<Factor>, Vec<Sum>) {
    let (mut free, mut sums): (Vec<Factor>, Vec<Sum>) = (vec![], vec![]);
    for f in factors {
        let mut own: Vec<Axis> = factor_axes(body, f);
        own.retain(|a| over.contains(a));
        if own.is_empty() {
            free.push(f.clone());
            continue;
        }
        let (linked, apart): (Vec<Sum>, Vec<Sum>) = std::mem::take(&mut sums)
            .into_iter()
            .partition(|s| s.over.iter().any(|a| own.contains(a)));
        let mut all = Sum {
            over: own,
            factors: vec![],
        };
        for s in linked {
            all.over.extend(s.over);
            all.factors.extend(s.factors);
        }
        all.over.sort();
        all.over.dedup();
        all.factors.push(f.clone());
        sums = apart;
        sums.push(all);
    }
    (free, sums)
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
        if moved.iter().any(|(_, r)| !m.bound.contains(r)) {
            return Err(Transition::Dense(
                "the state is summed together with other values".into(),
            ));
        }
        // Sums that do not reach the state are a number that multiplies the term.
        let beside: Vec<Axis> = (m.bound.iter().copied())
            .filter(|a| moved.iter().all(|(_, r)| r != a))
            .collect();
        let (free, sums) = gathered(body, &m.factors, &beside);
        if moved.is_empty() {
            self.diagonal.push(Product {
                scale: m.scale,
                factors: free,
                sums,
            });
            return Ok(());
        }
        let on_state = |a: &Axis| moved.iter().any(|(w, r)| a == w || a == r);
        self.summed |= sums.iter().any(|s| s.axes(body).iter().any(on_state));
        let (mut left, mut right) = (vec![], vec![]);
        for f in &free {
            let shown = factor_axes(body, f);
            let reads = moved.iter().any(|(_, r)| shown.contains(r));
            let writes = moved.iter().any(|(a, _)| shown.contains(a));
            match (reads, writes) {
                (true, true) => {
                    return Err(Transition::Dense(
                        "one matrix both reads and writes an axis of the state".into(),
                    ));
                }
                (true, false) => right.push(restored(f, &moved)),
                _ => left.push(f.clone()),
            }
        }
        for (a, _) in &moved {
            if !self.moved.contains(a) {
                self.moved.push(*a);
            }
        }
        let write = Product {
            scale: m.scale,
            factors: left,
            sums,
        };
        self.rank.push((write, Product::new(1.0, right)));
        Ok(())
    }

    /// `None`: the state is kept as it is.
    fn decay(&self) -> Option<Vec<Product>> {
        match self.diagonal.as_slice() {
            [] => Some(vec![Product::new(0.0, vec![])]),
            [one] if *one == Product::new(1.0, vec![]) => None,
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
fn restored(f: &Factor, moved: &[(Axis, Axis)]) -> Factor {
    let mut f = f.clone();
    for (_, to) in &mut f.renamed {
        if let Some((a, _)) = moved.iter().find(|(_, r)| r == to) {
            *to = *a;
        }
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
fn terms(
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
