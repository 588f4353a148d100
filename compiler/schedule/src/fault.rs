//! What is wrong in a kernel, and at which statement of its listing: shared by `verify` and `interp`.

use crate::ir::{Kernel, Stmt};
use crate::print::Names;

/// A message about one statement. `place` counts statements from 0, outermost first: `2.0.else.1` is the
/// second statement of the else-branch of the first statement of the third loop; empty for the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kernel: String,
    pub place: String,
    /// The first line of the statement as it is printed.
    pub statement: String,
    pub message: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "kernel `{}`", self.kernel)?;
        if !self.place.is_empty() {
            write!(f, ", statement {} `{}`", self.place, self.statement)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Fault {}

/// Where a walk over a kernel's statements stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path(Vec<Step>);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    At(usize),
    Else,
}

impl Path {
    pub fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    pub fn pop(&mut self) {
        self.0.pop();
    }

    pub fn text(&self) -> String {
        let steps: Vec<String> = self
            .0
            .iter()
            .map(|s| match s {
                Step::At(i) => i.to_string(),
                Step::Else => "else".into(),
            })
            .collect();
        steps.join(".")
    }

    pub fn fault(&self, kernel: &Kernel, stmt: Option<&Stmt>, message: impl Into<String>) -> Fault {
        let statement = stmt.map(|s| Names { kernel }.head(s)).unwrap_or_default();
        Fault {
            kernel: kernel.name.clone(),
            place: self.text(),
            statement: statement.trim_end_matches(" {").to_string(),
            message: message.into(),
        }
    }
}
