//! The text cut into tokens, comments included, by the grammar's rule `tokens`.
//!
//! Why: the formatter must keep every token and comment; recovery after an error and the nesting
//! limit must work on text that does not parse. Invariant: total on any text; the tokens are in
//! order, disjoint, and hold every character that is not blank.

use crate::grammar::{Rule, SeqParser};
use pest::Parser;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Comment,
    Doc,
    Number,
    /// A name or an axis.
    Word,
    Keyword,
    Symbol,
    /// What belongs to no token of the language.
    Stray,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub kind: TokenKind,
    pub text: &'a str,
    pub start: usize,
    /// Whether it is the first token on its line.
    pub first: bool,
}

impl Token<'_> {
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this symbol or keyword.
    pub fn is(&self, text: &str) -> bool {
        self.text == text && matches!(self.kind, TokenKind::Symbol | TokenKind::Keyword)
    }

    pub fn is_keyword(&self) -> bool {
        self.kind == TokenKind::Keyword
    }

    /// A name that may stand where the grammar says `ident` or `axis`.
    pub fn is_ident(&self) -> bool {
        self.kind == TokenKind::Word
    }
}

pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    // `tokens` ends with a rule for any character, so it always succeeds.
    let Ok(pairs) = SeqParser::parse(Rule::tokens, text) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    let mut last_end = 0;
    for pair in pairs.flatten() {
        let kind = match pair.as_rule() {
            Rule::comment => TokenKind::Comment,
            Rule::doc => TokenKind::Doc,
            Rule::number => TokenKind::Number,
            Rule::word => TokenKind::Word,
            Rule::keyword => TokenKind::Keyword,
            Rule::symbol => TokenKind::Symbol,
            Rule::lump | Rule::stray => TokenKind::Stray,
            _ => continue,
        };
        let start = pair.as_span().start();
        let first = out.is_empty() || text[last_end..start].contains('\n');
        out.push(Token {
            kind,
            text: pair.as_str(),
            start,
            first,
        });
        last_end = start + pair.as_str().len();
    }
    out
}

/// The first bracket that opens more than `limit` levels deep.
pub(crate) fn too_deep<'t, 'a>(tokens: &'t [Token<'a>], limit: usize) -> Option<&'t Token<'a>> {
    let mut depth = 0usize;
    tokens.iter().find(|token| {
        if token.is("(") || token.is("[") || token.is("{") {
            depth += 1;
        } else if token.is(")") || token.is("]") || token.is("}") {
            depth = depth.saturating_sub(1);
        }
        depth > limit
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_in_a_token() {
        let text = "y={n' = 0}->3x // c\n/// d\n$ é 1e-3i +=";
        let found: Vec<(&str, TokenKind)> = tokens(text).iter().map(|t| (t.text, t.kind)).collect();
        use TokenKind::*;
        let expected = [
            ("y", Word),
            ("=", Symbol),
            ("{", Symbol),
            ("n'", Word),
            ("=", Symbol),
            ("0", Number),
            ("}", Symbol),
            ("->", Symbol),
            ("3x", Stray),
            ("// c", Comment),
            ("/// d", Doc),
            ("$", Stray),
            ("é", Stray),
            ("1e-3i", Number),
            ("+=", Symbol),
        ];
        assert_eq!(found, expected);
        let first: Vec<&str> = tokens(text)
            .iter()
            .filter(|t| t.first)
            .map(|t| t.text)
            .collect();
        assert_eq!(first, ["y", "/// d", "$"]);
    }

    #[test]
    fn nesting_is_counted_over_all_brackets() {
        let text = "{ ( [ ] ) }";
        assert!(too_deep(&tokens(text), 3).is_none());
        assert_eq!(too_deep(&tokens(text), 2).map(|t| t.text), Some("["));
    }
}
