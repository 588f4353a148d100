//! What the time equations of a program are: each with its class, the reasons, and what keeps a form from existing.
//!
//! An equation is found by its structure in the elaborated algebra: a scan along time (a recurrence), a value over
//! a pair of times that is summed over one (a matrix), a window that is contracted over its lags (a kernel), steps of a
//! tick that are mixed (a window), a reduction over a whole time, a read of another step.
//! Everything else is pointwise in time. Names are those of the spec and serve to point at its lines only.

mod invariant;
mod kernel;
mod matrix;
mod recurrence;
mod reduction;
mod window;

use crate::words::UNNAMED;
use crate::{Result, difference, dual, inputs, join, products, regroup, sink};
use seqc_algebra::{Axis, Func, Op, ValueId};

/// The vocabulary of classes, canonical: the words of `class:` lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    Pointwise,
    /// A sum, a maximum or the like over a whole sequence, or one step of it read at all.
    Reduction,
    /// Recurrences, by their transition.
    Identity,
    Scalar,
    Diagonal,
    ComplexDiagonal,
    IdentityRankOne,
    ScalarRankOne,
    DiagonalRankOne,
    IdentityRank,
    ScalarRank,
    DiagonalRank,
    Coupled,
    DenseRecurrence,
    Nonlinear,
    /// Recurrences in both directions, linear.
    Quasiseparable,
    /// Matrices.
    Softmax,
    LowRank,
    Semiseparable,
    Pairwise,
    DenseMatrix,
    /// Kernels.
    ShortKernel,
    ExplicitKernel,
    ImplicitKernel,
    DataKernel,
    /// Windows.
    Monarch,
    Window,
    Composition,
}

impl Class {
    /// Every class with its word and what it means.
    pub const ALL: [(Class, &'static str, &'static str); 28] = {
        use Class::*;
        [
            (Pointwise, "pointwise", "no equation in time"),
            (
                Reduction,
                "reduction",
                "a whole sequence is gathered into one value",
            ),
            (Identity, "identity", "a running sum: S' + input"),
            (
                Scalar,
                "scalar",
                "one decay for all positions that a read contracts",
            ),
            (
                Diagonal,
                "diagonal",
                "a decay for each position of the state",
            ),
            (
                ComplexDiagonal,
                "complex diagonal",
                "a complex decay for each position",
            ),
            (IdentityRankOne, "identity + rank 1", "(I + b a) S'"),
            (
                ScalarRankOne,
                "scalar x (identity + rank 1)",
                "c (I + b a) S'",
            ),
            (DiagonalRankOne, "diagonal + rank 1", "(diag(w) + b a) S'"),
            (
                IdentityRank,
                "identity + rank r",
                "(I + a sum of some b a) S', such as two delta rules a step",
            ),
            (
                ScalarRank,
                "scalar x (identity + rank r)",
                "c (I + a sum of some b a) S'",
            ),
            (
                DiagonalRank,
                "diagonal + rank r",
                "(diag(w) + a sum of some b a) S'",
            ),
            (
                Coupled,
                "coupled",
                "several states that feed each other: a small matrix of such transitions",
            ),
            (
                DenseRecurrence,
                "dense recurrence",
                "linear in the state, without a structure that is used",
            ),
            (Nonlinear, "nonlinear", "not linear in the state"),
            (
                Quasiseparable,
                "quasiseparable",
                "linear recurrences in both directions",
            ),
            (
                Softmax,
                "softmax",
                "entries normalised by an exponential over a row",
            ),
            (
                LowRank,
                "low rank",
                "entries are sums of products of a row's and a column's values",
            ),
            (
                Semiseparable,
                "semiseparable",
                "low rank, times a product of decays between the two times",
            ),
            (
                Pairwise,
                "pairwise",
                "entries are another function of a row's and a column's values",
            ),
            (
                DenseMatrix,
                "dense matrix",
                "entries that no data enters: learned, or functions of the positions",
            ),
            (ShortKernel, "short kernel", "a sum over a few fixed lags"),
            (
                ExplicitKernel,
                "explicit long kernel",
                "a sum over many fixed lags",
            ),
            (
                ImplicitKernel,
                "implicit long kernel",
                "a sum over all lags, weights a function of the lag",
            ),
            (
                DataKernel,
                "data-dependent kernel",
                "a sum over all lags, weights computed from the sequence",
            ),
            (
                Monarch,
                "Monarch",
                "windows of steps, mixed along their axes one after another",
            ),
            (Window, "window", "windows of steps, each mixed in itself"),
            (
                Composition,
                "composition",
                "equations of several of these classes",
            ),
        ]
    };

    pub fn word(self) -> &'static str {
        let found = Class::ALL.iter().find(|(c, _, _)| *c == self);
        found.map_or("", |(_, w, _)| w)
    }

    pub fn by_word(word: &str) -> Option<Class> {
        let found = Class::ALL.iter().find(|(_, w, _)| *w == word);
        found.map(|(c, _, _)| *c)
    }

    fn is_linear_recurrence(self) -> bool {
        self >= Class::Identity && self <= Class::DenseRecurrence
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// Which kind of time equation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Recurrence,
    Matrix,
    Kernel,
    Window,
    Reduction,
    /// Single steps at a fixed distance, or from the other end.
    Read,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::Recurrence => "recurrence",
            Kind::Matrix => "matrix",
            Kind::Kernel => "kernel",
            Kind::Window => "window",
            Kind::Reduction => "reduction",
            Kind::Read => "read",
        }
    }
}

/// One step of the reasoning, and the equation of the spec that it speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub text: String,
    pub at: Option<String>,
}

/// A form that an equation does not have: which, why, and the equation of the spec that keeps it from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub form: &'static str,
    pub why: String,
    pub at: Option<String>,
}

/// One time equation (states that feed each other are one).
#[derive(Clone, Debug)]
pub struct Equation {
    pub kind: Kind,
    pub names: Vec<String>,
    pub class: Class,
    /// A recurrence from the end to the start.
    pub backward: bool,
    /// Nothing that changes with time enters the transition or the weights.
    pub fixed: bool,
    /// A recurrence that is trained as a convolution.
    pub convolved: bool,
    pub why: Vec<Reason>,
    pub forms: Vec<&'static str>,
    pub missing: Vec<Missing>,
}

/// The time equations of an elaborated program.
pub fn equations(func: &Func) -> Result<Vec<Equation>> {
    let func = regroup::regroup_states(&products::linear_products(func)?)?;
    let func = difference::kernels(&func)?;
    let func = inputs::sink_inputs(&func)?;
    let func = sink::sink_reads(&join::join_scans(&func)?)?;
    let mut all = Vec::new();
    let live = func.live();
    let absorbed = dual::absorbed(&func);
    let own = |id: &ValueId| live[id.index()] && !absorbed[id.index()];
    for id in func.ids().filter(own) {
        if let Op::Scan(scan) = func.op(id) {
            all.push(recurrence::equation(&func, id, scan));
        }
    }
    all.extend(matrix::equations(&func));
    all.extend(kernel::equations(&func)?);
    all.extend(window::equations(&func));
    let reductions = reduction::reductions(&func);
    if all.is_empty() && reductions.is_empty() {
        all.extend(reduction::reads(&func));
    }
    all.extend(reductions);
    Ok(all)
}

/// Is everything that looks at other steps the same at every step, and does no position enter what is made of it?
/// Of pointwise mixers and running sums it goes without saying.
pub fn time_invariant(func: &Func, equations: &[Equation]) -> bool {
    let told = |e: &Equation| e.kind == Kind::Recurrence && e.class != Class::Identity;
    equations.iter().any(told) && equations.iter().all(|e| e.fixed) && invariant::is_invariant(func)
}

/// The class of a whole mixer: the join of its equations. Short kernels beside something else are its neighbours'.
pub fn whole(equations: &[Equation]) -> Class {
    let mut classes: Vec<Class> = equations.iter().map(|e| e.class).collect();
    if classes.iter().any(|c| *c != Class::ShortKernel) {
        classes.retain(|c| *c != Class::ShortKernel);
    }
    classes.sort();
    classes.dedup();
    match classes.as_slice() {
        [] => Class::Pointwise,
        all if all.iter().all(|c| c.is_linear_recurrence()) => {
            let forward = equations
                .iter()
                .any(|e| e.kind == Kind::Recurrence && !e.backward);
            let backward = equations.iter().any(|e| e.backward);
            match (forward && backward, all) {
                (true, _) => Class::Quasiseparable,
                // The classes are ordered by what they can do: the last one does what the others do.
                (false, all) => all[all.len() - 1],
            }
        }
        [one] => *one,
        _ => Class::Composition,
    }
}

/// The name of the nearest equation of the spec that a value is part of: its own, or that of what is made of it.
pub fn equation_of(func: &Func, v: ValueId) -> Option<String> {
    let users = func.users();
    let mut next = vec![v];
    let mut seen = vec![false; func.values.len()];
    while !next.is_empty() {
        let mut later = Vec::new();
        for v in next {
            if std::mem::replace(&mut seen[v.index()], true) {
                continue;
            }
            if let Some(name) = func.value(v).name.filter(|n| n.as_str() != UNNAMED) {
                return Some(name.as_str().to_owned());
            }
            if let Some((name, _)) = func.results.iter().find(|(_, r)| *r == v) {
                return Some(name.clone());
            }
            later.extend(&users[v.index()]);
        }
        next = later;
    }
    None
}

/// Does some input that a caller gives enter the value?
pub(crate) fn reads_data(func: &Func, v: ValueId) -> bool {
    let needed = func.needed([v]);
    func.ids().any(|id| {
        needed[id.index()]
            && matches!(
                func.input(id).map(|i| &i.kind),
                Some(seqc_algebra::InputKind::Data | seqc_algebra::InputKind::State)
            )
    })
}

/// Axes by name: `{h, dk}`.
pub(crate) fn set(axes: &[Axis]) -> String {
    let names: Vec<&str> = axes.iter().map(|a| crate::words::axis(*a)).collect();
    format!("{{{}}}", names.join(", "))
}
