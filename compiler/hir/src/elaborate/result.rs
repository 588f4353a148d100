//! What elaboration hands over: a mixer as a program, and what is known of it; checks of what it claims.

use super::range::Range;
use crate::elab::Limit;
use crate::reach::Look;
use crate::recipe::Recipe;
use crate::stat::Stat;
use seqc_algebra::{Func, InputKind};
use seqc_syntax::{Diagnostic, Span};
use std::collections::{BTreeMap, HashMap};

/// How an output looks along each clock it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Causality {
    pub output: String,
    /// The clock the output runs on, if it is a sequence.
    pub clock: Option<String>,
    /// By clock, in order of name.
    pub looks: BTreeMap<String, Look>,
}

impl Causality {
    /// Along its own clock; an output without one looks at everything.
    pub fn own(&self) -> Look {
        match &self.clock {
            Some(c) => self.looks.get(c).copied().unwrap_or(Look::Causal),
            None => Look::Whole,
        }
    }
}

/// A setting as resolved.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    Number(Stat),
    Mixer(String),
}

/// As `--set` takes it.
impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Setting::Number(n) => n.fmt(f),
            Setting::Mixer(m) => f.write_str(m),
        }
    }
}

/// An input of integers: which axis they count positions of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    pub input: String,
    pub axis: String,
    pub size: usize,
}

/// A mixer as a program.
#[derive(Clone, Debug)]
pub struct Elaborated {
    pub name: String,
    pub model: bool,
    /// Inputs: data by name, parameters by path. Results: outputs by name, `objective.NAME`, and `loss`.
    pub func: Func,
    pub outputs: Vec<String>,
    pub causality: Vec<Causality>,
    pub recipe: Option<Recipe>,
    /// The `///` lines.
    pub docs: Vec<(String, Span)>,
    /// What `class:` in the doc lines claims.
    pub class: Option<(String, Span)>,
    /// Settings and free sizes, in header order.
    pub settings: Vec<(String, Setting)>,
    /// Where each named value and parameter is defined.
    pub spans: HashMap<String, Span>,
    pub vocabularies: Vec<Vocabulary>,
    /// What the header says of the numbers that inputs may hold.
    pub ranges: Vec<Range>,
    /// Lengths beyond which the mixer has no meaning.
    pub limits: Vec<Limit>,
    /// Names and types of the body, in order.
    pub types: Vec<(String, String)>,
    pub warnings: Vec<Diagnostic>,
}

impl Elaborated {
    /// Is it the path of a parameter, or below one (a part of a complex parameter)?
    pub fn has_parameter(&self, path: &str) -> bool {
        let inputs = self.func.params.iter().filter_map(|p| self.func.input(*p));
        inputs
            .filter(|i| matches!(i.kind, InputKind::Param { .. }))
            .any(|i| {
                let rest = path.strip_prefix(i.name.as_str());
                rest.is_some_and(|r| r.is_empty() || r.starts_with('.'))
            })
    }

    /// E22 unless `output` reads nothing later than now: what `generate` needs.
    pub fn require_causal(&self, output: &str) -> Result<(), Diagnostic> {
        let span = self.spans.get(output).copied().unwrap_or_default();
        let Some(c) = self.causality.iter().find(|c| c.output == output) else {
            return Err(Diagnostic::error(
                "E22",
                format!("`generate` needs a causal output, there is no `{output}`"),
                span,
            ));
        };
        let how = match c.own() {
            Look::Causal => return Ok(()),
            Look::Ahead(n) => format!("looks {n} step{} ahead", if n == 1 { "" } else { "s" }),
            Look::Whole => "looks ahead without bound".to_owned(),
        };
        let d = Diagnostic::error(
            "E22",
            format!("`generate` needs causal {output}; `{output}` {how}"),
            span,
        );
        Err(d.help("bound every sum over time by `j <= i`, and read no later step"))
    }

    /// E23: the documented class is not the derived one; `why` is the equation that decides.
    pub fn class_mismatch(&self, derived: &str, why: &str, at: Option<Span>) -> Option<Diagnostic> {
        let (claimed, span) = self.class.as_ref()?;
        let d = Diagnostic::error(
            "E23",
            format!("documented class `{claimed}`, derived `{derived}`"),
            *span,
        )
        .note(why);
        Some(match at {
            Some(at) => d.secondary(at, "because of this"),
            None => d,
        })
    }
}
