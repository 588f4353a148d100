//! One E01 from a failed rule: the message, the places, the advice.
//!
//! Why: how a refusal is told is apart from how reading goes on after it. Invariant: advice looks at
//! tokens only; it never changes what is accepted.

use crate::diagnostic::Diagnostic;
use crate::expected::{Failure, OPERATOR};
use crate::lex::{Token, TokenKind};
use crate::recover::quoted;
use crate::span::Span;

/// A rule began at token `from` and refused token `refused` (or the end of the file).
pub(crate) struct Complaint<'t, 'a> {
    pub tokens: &'t [Token<'a>],
    pub from: usize,
    pub refused: usize,
    pub failure: &'t Failure,
}

impl<'a> Complaint<'_, 'a> {
    /// `span` gives a token's place, that of the end of the file behind the last.
    pub fn diagnostic(&self, span: impl Fn(usize) -> Span) -> Diagnostic {
        if let Some(next) = self.statement_after_operator() {
            let operator = self.tokens[next - 1].text;
            let error = Diagnostic::error(
                "E01",
                format!("`{operator}` has nothing on its right"),
                span(next - 1),
            );
            return error
                .label("expected an expression behind it")
                .secondary(span(next), "the next statement starts here");
        }
        let mut error = Diagnostic::error("E01", self.message(), span(self.refused));
        if let Some(list) = self.failure.list() {
            error = error.label(format!("expected {list}"));
        }
        if let Some(open) = self.open_bracket().filter(|_| self.bracket_matters()) {
            error = error.secondary(
                span(open),
                format!("this `{}` is open", self.tokens[open].text),
            );
        }
        match self.advice() {
            Some(help) => error.help(help),
            None => error,
        }
    }

    /// `z = x +` above `y = …`: the refused `=` belongs to a line that is a statement of its own. Gives
    /// the first token of that line.
    fn statement_after_operator(&self) -> Option<usize> {
        let found = self.found()?;
        let next = self.refused.checked_sub(1)?;
        let defines = found.is("=") || found.is("+=") || found.is(":");
        let operator = self.tokens.get(next.checked_sub(1)?)?;
        let infix = [
            "+", "-", "*", "/", "%", "^", "<", ">", "<=", ">=", "==", "!=", "and", "or",
        ];
        let cut = self.tokens[next].first
            && !operator.first
            && infix.iter().any(|symbol| operator.is(symbol));
        (defines && next > self.from && cut).then_some(next)
    }

    fn found(&self) -> Option<Token<'a>> {
        self.tokens.get(self.refused).copied()
    }

    fn message(&self) -> String {
        let Some(found) = self.found() else {
            return self.expected("the end of the file");
        };
        match found.kind {
            TokenKind::Stray if found.text.starts_with(|first: char| first.is_ascii_digit()) => {
                format!("`{}` is neither a number nor a name", found.text)
            }
            TokenKind::Stray => {
                format!("{} belongs to no token of the language", quoted(found.text))
            }
            TokenKind::Doc => self.expected("a doc line"),
            TokenKind::Keyword if self.failure.in_word => {
                format!("`{}` is a keyword and cannot be a name", found.text)
            }
            _ => self.expected(&quoted(found.text)),
        }
    }

    fn expected(&self, found: &str) -> String {
        match self.failure.list() {
            Some(list) => format!("expected {list}, found {found}"),
            None => format!("{found} cannot stand here"),
        }
    }

    /// The innermost bracket between the rule's start and the refused token that is still open.
    fn open_bracket(&self) -> Option<usize> {
        let mut open = Vec::new();
        let end = self.refused.min(self.tokens.len());
        for index in self.from..end {
            match self.tokens[index].text {
                "(" | "[" | "{" => open.push(index),
                ")" | "]" | "}" => drop(open.pop()),
                _ => {}
            }
        }
        open.pop()
    }

    /// The bracket explains the error when its end is what was expected.
    fn bracket_matters(&self) -> bool {
        let closed = ["`)`", "`]`", "`}`"]
            .iter()
            .any(|close| self.failure.wants(close));
        closed || self.found().is_none()
    }

    fn advice(&self) -> Option<&'static str> {
        let found = self.found()?;
        let wants_operator = self.failure.wants(OPERATOR);
        let before = self
            .refused
            .checked_sub(1)
            .and_then(|index| self.tokens.get(index));
        let names = self
            .refused
            .checked_sub(2)
            .and_then(|index| self.tokens.get(index..self.refused));
        match found.text {
            _ if found.kind == TokenKind::Doc => {
                Some("doc lines stand above items and statements; for a remark write `//`")
            }
            _ if self.foreign().is_some() => self.foreign(),
            _ if self.on_left_side() => {
                Some("a left side takes plain indices: `S[t]`, `M[i,j]`, `f[lag]`")
            }
            "&" => Some("write `and`"),
            "|" => Some("write `or`"),
            "!" => Some("write `not`, or `!=` between two values"),
            "=" if wants_operator => Some("`=` defines a name; to compare write `==`"),
            "<" | ">" | "<=" | ">=" | "==" | "!=" if wants_operator => {
                Some("comparisons do not chain: write `a < b and b < c`")
            }
            "*" if before.is_some_and(|token| token.is("*")) => Some("a power is written `a ^ b`"),
            "=" if before.is_some_and(Token::is_keyword) => {
                Some("the word before it is a keyword and cannot be a name")
            }
            _ if self.failure.in_word && found.is_keyword() => Some("choose another name"),
            _ if self.failure.wants("`->`")
                && names.is_some_and(|names| names.iter().all(Token::is_ident)) =>
            {
                Some(
                    "names side by side are axes of a map `a b -> c`; between values write an operator or `,`",
                )
            }
            _ => None,
        }
    }

    /// Words of other languages that begin a statement there.
    fn foreign(&self) -> Option<&'static str> {
        let after_first = self.refused == self.from + 1;
        match self.tokens.get(self.from).filter(|_| after_first)?.text {
            "for" | "while" => {
                Some("there are no loops: layers are `repeat n { … }`, time is a `state`")
            }
            "if" => Some("there are no branches: write `select(condition, a, b)`"),
            "return" => Some("outputs are named in the header: write `y = …`"),
            "let" | "var" | "const" | "def" | "fn" => Some("an equation is just `name = …`"),
            _ => None,
        }
    }

    /// `S[t-1] = …`: the bracket behind the first word of a statement.
    fn on_left_side(&self) -> bool {
        let first = self.tokens.get(self.from).is_some_and(Token::is_ident);
        first && self.open_bracket() == Some(self.from + 1) && self.tokens[self.from + 1].is("[")
    }
}
