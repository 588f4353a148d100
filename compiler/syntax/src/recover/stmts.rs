//! Recovery inside a block: its statements one by one, and the way from a broken one to the next.
//!
//! Why: what looks like the start of a statement is a guess about intent, kept apart from reading.
//! Invariant: every call moves forward or leaves the `}` or item keyword that ends the block.

use super::{Recovery, starts_item};
use crate::diagnostic::Diagnostic;
use crate::grammar::Rule;
use crate::lex::{Token, TokenKind};
use crate::parse::two_statements;
use crate::span::Span;

impl Recovery<'_> {
    /// The statements (or settings) behind the `{` at `open`, up to and with its `}`.
    pub(super) fn stmts(&mut self, open: usize, rule: Rule) {
        let mut last: Option<Span> = None;
        while !self.full() {
            let Some(token) = self.now() else {
                return self.unclosed(open);
            };
            if token.is("}") {
                self.at += 1;
                return;
            }
            if token.first && starts_item(&token) {
                return self.unclosed(open);
            }
            last = self.stmt(last, rule);
        }
    }

    /// One statement, or an error and the way to the next; gives the span of what was read.
    fn stmt(&mut self, last: Option<Span>, rule: Rule) -> Option<Span> {
        let from = self.at;
        let same_line = last.filter(|last| {
            self.map.line(self.file, last.end) == self.map.line(self.file, self.span(from).start)
        });
        if let Some(last) = same_line.filter(|_| self.may_start(from)) {
            self.errors.push(two_statements(last, self.span(from)));
            self.at += 1;
            self.next_stmt(from, from);
            return None;
        }
        if rule == Rule::stmt_step && self.is_repeat() {
            match self.step(Rule::repeat_step) {
                Ok(()) => self.stmts(self.at - 1, rule),
                Err(refused) => match self.block_after(refused) {
                    Some(open)
                        if self
                            .token(open)
                            .is_some_and(|token| self.same_line(from, &token)) =>
                    {
                        self.at = open + 1;
                        self.stmts(open, rule);
                    }
                    _ => self.next_stmt(from, refused),
                },
            }
        } else if let Err(refused) = self.step(rule) {
            self.next_stmt(from, refused);
            return None;
        }
        let end = self.at.checked_sub(1).filter(|end| *end >= from)?;
        Some(self.span(from).to(self.span(end)))
    }

    fn same_line(&self, index: usize, token: &Token<'_>) -> bool {
        self.map.line(self.file, self.span(index).start)
            == self.map.line(self.file, token.start as u32)
    }

    /// Whether a token may begin a statement at all; another one behind a statement is plain E01.
    fn may_start(&self, index: usize) -> bool {
        self.token(index).is_some_and(|token| {
            token.is_ident() || starts_decl(&token) || token.kind == TokenKind::Doc
        })
    }

    fn is_repeat(&self) -> bool {
        let labelled = self.token(self.at + 1).is_some_and(|token| token.is(":"));
        let at = if labelled { self.at + 2 } else { self.at };
        self.token(at).is_some_and(|token| token.is("repeat"))
    }

    fn unclosed(&mut self, open: usize) {
        let error = Diagnostic::error("E01", "this `{` is never closed", self.span(open))
            .label("opened here");
        let error = match self.now() {
            Some(token) => error.secondary(
                self.span(self.at),
                format!("`{}` starts the next item", token.text),
            ),
            None => error.secondary(self.span(self.at), "the file ends here"),
        };
        self.errors.push(error.help("write the missing `}`"));
    }

    /// Moves from a broken statement to the next one, or to the `}` that ends the block.
    fn next_stmt(&mut self, from: usize, refused: usize) {
        let mut depth = 0usize;
        for index in from..self.tokens.len() {
            let token = self.tokens[index];
            self.at = index;
            if token.is("{") {
                depth += 1;
            } else if token.is("}") {
                let closes = index >= refused && (token.first || depth == 0);
                if closes {
                    return;
                }
                depth = depth.saturating_sub(1);
            }
            let begins = token.first && index > from;
            if begins && (starts_item(&token) || self.resumes(index, refused)) {
                return;
            }
        }
        self.at = self.tokens.len();
    }

    /// Whether the line that starts at `index` reads as a statement of its own: it stands behind the
    /// refused token, or that token is part of its left side (a bracket above was left open).
    fn resumes(&self, index: usize, refused: usize) -> bool {
        self.decided(index)
            .is_some_and(|decided| refused <= decided)
    }

    /// The token that makes a line a statement: a keyword, or the `=`, `+=`, `:` behind a left side.
    fn decided(&self, index: usize) -> Option<usize> {
        let token = self.token(index)?;
        if starts_decl(&token) || token.kind == TokenKind::Doc {
            return Some(index);
        }
        if !token.is_ident() {
            return None;
        }
        let mut bracket = false;
        for next in index + 1.. {
            let token = self.token(next).filter(|token| !token.first)?;
            match token.text {
                "[" => bracket = true,
                "]" => bracket = false,
                "=" | "+=" | ":" if !bracket => return Some(next),
                "," => {}
                _ if bracket || token.is_ident() => {}
                _ => return None,
            }
        }
        None
    }
}

fn starts_decl(token: &Token<'_>) -> bool {
    ["param", "state", "noise", "objective", "repeat"]
        .iter()
        .any(|word| token.is(word))
}
