//! What is told of a file: each error once, wherever it was met.

use seqc_syntax::{Diagnostic, Span};
use std::collections::HashSet;

#[derive(Default)]
pub(super) struct Told {
    pub diags: Vec<Diagnostic>,
    places: HashSet<(&'static str, Span)>,
    /// The places of circles of calls, in order: one circle may be entered at any of them.
    circles: HashSet<Vec<Span>>,
    errors: usize,
}

impl Told {
    /// Adds a diagnostic, unless the same is told of the same place.
    pub fn add(&mut self, d: Diagnostic) {
        let new = self.places.insert((d.code, d.primary.span));
        let circle = (d.code == "E26").then(|| {
            let labels = d.secondary.iter().chain([&d.primary]);
            let mut spans: Vec<Span> = labels.map(|l| l.span).collect();
            spans.sort_unstable();
            spans.dedup();
            spans
        });
        if new && circle.is_none_or(|c| self.circles.insert(c)) {
            self.errors += usize::from(d.is_error());
            self.diags.push(d);
        }
    }

    pub fn errors(&self) -> usize {
        self.errors
    }

    /// So many mixers were not looked at: the last error says so.
    pub fn unchecked(&mut self, mixers: usize) {
        let last = self.diags.iter_mut().rev().find(|d| d.is_error());
        if let Some(last) = last.filter(|_| mixers > 0) {
            last.notes
                .push(format!("{mixers} more mixers were not checked"));
        }
    }
}
