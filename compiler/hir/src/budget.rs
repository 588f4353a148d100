//! Bounds on what a short text may unfold to, and on how much is said about it.
//!
//! A call is inlined and a `repeat` is written out, so that sixty mixers that call each other twice are 2^60 statements. What
//! has been spent is counted; where it is too much, E27 says so once and everything that is still open returns at once.

use crate::elab::Elab;
use crate::scope::Scope;
use seqc_syntax::ast::{Count, Repeat, Stmt};
use seqc_syntax::{Diagnostic, Span, did_you_mean};

/// Statements that a mixer may unfold to, those of every call and of every pass of a `repeat` counted.
pub const MAX_STATEMENTS: u128 = 100_000;
/// Programs with more values than this are refused.
pub const MAX_VALUES: usize = 300_000;
/// Errors in one mixer that are told; the others are counted.
pub const MAX_ERRORS: usize = 200;
/// Unknown names for which a likeness is looked for among all names.
const MAX_GUESSES: usize = 20;

/// What has been spent so far.
#[derive(Default)]
pub struct Spent {
    statements: u128,
    guesses: usize,
    /// Errors that are told, and those that are only counted.
    errors: usize,
    unsaid: usize,
    /// Something was too much: nothing more is elaborated.
    pub over: bool,
}

impl<'p> Elab<'p> {
    /// Counts a statement that is about to be elaborated; false where it is one too many.
    pub fn spend(&mut self, span: Span) -> bool {
        self.spent.statements += 1;
        self.may_spend(0, span)
    }

    /// Are so many more statements not too many?
    pub fn may_spend(&mut self, statements: u128, span: Span) -> bool {
        let all = self.spent.statements.saturating_add(statements);
        if all > MAX_STATEMENTS && !self.spent.over {
            // Of calls of calls the user sees the first.
            let at = self.stack.get(1).map_or(span, |(_, call)| *call);
            self.over(
                format!(
                    "this unfolds to more than {MAX_STATEMENTS} statements, counting those of each call and of each pass of a `repeat`"
                ),
                at,
            );
        }
        !self.spent.over
    }

    /// Refuses the whole program: nothing more of it is elaborated.
    pub fn over(&mut self, what: String, span: Span) {
        self.spent.over = true;
        let d = Diagnostic::error("E27", format!("too large: {what}"), span);
        self.report(d.help("give a result a name and use it again instead of calling a mixer again; make a number of layers smaller"));
    }

    /// Counts an error; false if it is one too many to be told.
    pub fn counts(&mut self, d: &Diagnostic) -> bool {
        if !d.is_error() {
            return true;
        }
        let told = self.spent.errors < MAX_ERRORS || d.code == "E27";
        match told {
            true => self.spent.errors += 1,
            false => self.spent.unsaid += 1,
        }
        told
    }

    /// An error that was told is taken back.
    pub fn uncount(&mut self, d: &Diagnostic) {
        self.spent.errors -= usize::from(d.is_error());
    }

    /// Errors so far, told or not.
    pub fn errors(&self) -> usize {
        self.spent.errors + self.spent.unsaid
    }

    /// What was reported; the last error says how many more there are.
    pub fn said(&mut self) -> Vec<Diagnostic> {
        let mut all = std::mem::take(&mut self.diags);
        let more = std::mem::take(&mut self.spent.unsaid);
        if let Some(last) = all.iter_mut().rev().find(|d| d.is_error() && more > 0) {
            last.notes
                .push(format!("{more} more errors follow, which are not shown"));
        }
        all
    }

    /// A known name that an unknown one may be meant for. Each question looks at all names: the first few are answered.
    pub fn near(&mut self, name: &str, known: impl FnOnce() -> Vec<String>) -> Option<String> {
        self.spent.guesses += 1;
        if self.spent.guesses > MAX_GUESSES {
            return None;
        }
        let known = known();
        did_you_mean(name, known.iter().map(String::as_str)).map(str::to_owned)
    }
}

/// Statements that so many passes of a `repeat` are, at least: of a count that is not known yet, none.
pub fn unfolded(s: &Scope, r: &Repeat, count: usize) -> u128 {
    let one = |stmt: &Stmt| match stmt {
        Stmt::Repeat(inner) => unfolded(s, inner, known_count(s, inner).unwrap_or(0)),
        Stmt::Doc(_) => 0,
        _ => 1,
    };
    let body = r.body.stmts.iter().map(one);
    let body = body.fold(0u128, u128::saturating_add);
    body.max(1).saturating_mul(count as u128)
}

fn known_count(s: &Scope, r: &Repeat) -> Option<usize> {
    match &r.count {
        Count::Literal { value, .. } => usize::try_from(*value).ok(),
        Count::Name(n) => s.statics.get(&n.text)?.value.as_size(),
    }
}
