//! What one step trains on: rows of tokens, and the sequences in them.
//!
//! A row is one sequence; if documents are packed, each document in it is one. A sequence never sees another: a plan
//! runs at one length, so sequences of the same length run together, and lengths one after the other.

use crate::corpus::Text;
use std::collections::BTreeMap;
use std::ops::Range;

#[derive(Clone, Debug)]
pub struct Batch {
    /// `[rows, length]`
    pub tokens: Vec<i32>,
    length: usize,
    packed: bool,
    /// Of each row, where in `tokens` its sequences are.
    sequences: Vec<Vec<Range<usize>>>,
}

/// Sequences of one length.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub length: usize,
    /// `[count, length]`
    pub tokens: Vec<i32>,
    /// The share of the batch's predictions that are made here: one a token, but for the first of a sequence.
    pub share: f64,
}

impl Group {
    pub fn count(&self) -> usize {
        self.tokens.len() / self.length
    }
}

impl Batch {
    pub fn new(rows: usize, length: usize, packed: bool) -> Batch {
        Batch {
            tokens: vec![0; rows * length],
            length,
            packed,
            sequences: vec![vec![]; rows],
        }
    }

    pub fn rows(&self) -> usize {
        self.sequences.len()
    }

    pub fn length(&self) -> usize {
        self.length
    }

    /// Fills a row with the window of the text that starts at `at`.
    pub fn set_row(&mut self, row: usize, text: &Text, at: usize) {
        let (window, base) = (at..at + self.length, row * self.length);
        let to = &mut self.tokens[base..base + self.length];
        to.iter_mut()
            .zip(&text.bytes[window.clone()])
            .for_each(|(to, &byte)| *to = i32::from(byte));
        let moved = |d: Range<usize>| d.start - at + base..d.end - at + base;
        self.sequences[row] = match self.packed {
            true => text.documents(window).map(moved).collect(),
            false => std::iter::once(base..base + self.length).collect(),
        };
    }

    /// The sequences by length, the longest first. One of a single token predicts nothing and is left out.
    pub fn groups(&self) -> Vec<Group> {
        let mut by_length: BTreeMap<usize, Vec<i32>> = BTreeMap::new();
        for s in self.sequences.iter().flatten().filter(|s| s.len() > 1) {
            let tokens = &self.tokens[s.clone()];
            by_length.entry(s.len()).or_default().extend(tokens);
        }
        let made = |(length, tokens): (usize, Vec<i32>)| Group {
            length,
            share: (tokens.len() - tokens.len() / length) as f64,
            tokens,
        };
        let mut groups: Vec<Group> = by_length.into_iter().rev().map(made).collect();
        let all: f64 = groups.iter().map(|g| g.share).sum();
        groups.iter_mut().for_each(|g| g.share /= all);
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> Text {
        let mut text = Text::default();
        for d in ["abcd", "e", "fgh", "ij"] {
            text.push(d.as_bytes());
        }
        text
    }

    #[test]
    fn a_row_is_one_sequence() {
        let mut batch = Batch::new(2, 5, false);
        batch.set_row(0, &text(), 1);
        batch.set_row(1, &text(), 5);
        let tokens = "bcdeffghij".bytes().map(i32::from).collect();
        let want = Group {
            length: 5,
            tokens,
            share: 1.0,
        };
        assert_eq!(batch.groups(), [want]);
    }

    #[test]
    fn packed_documents_are_sequences_of_their_own() {
        let mut batch = Batch::new(2, 7, true);
        batch.set_row(0, &text(), 1);
        batch.set_row(1, &text(), 3);
        let group = |length, tokens: &str, share| Group {
            length,
            tokens: tokens.bytes().map(i32::from).collect(),
            share,
        };
        // rows: bcd e fgh; d e fgh ij
        let want = [group(3, "bcdfghfgh", 6.0 / 7.0), group(2, "ij", 1.0 / 7.0)];
        assert_eq!(batch.groups(), want);
    }
}
