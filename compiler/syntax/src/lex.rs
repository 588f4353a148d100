//! The text cut into tokens, comments included, by the grammar's rule `tokens`.
//!
//! Why: the formatter must keep every token and comment; recovery after an error and the nesting
//! limit must work on text that does not parse. Invariant: total on any text; the tokens are in
//! order, disjoint, and hold every character that is not blank.

use crate::grammar::{Rule, SeqParser};
use pest::Parser;
use std::ops::Range;

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

/// What a single pass over the bytes tells, before anything is parsed. It knows no more of the
/// language than where comments and doc lines are, and brackets; a test holds it to `tokens`.
pub(crate) struct Scan {
    /// The first bracket that opens more levels deep than the limit.
    pub too_deep: Option<usize>,
    /// Where comments stand, in order.
    comments: Vec<Range<usize>>,
}

impl Scan {
    pub fn new(text: &str, limit: usize) -> Self {
        let bytes = text.as_bytes();
        let mut scan = Scan {
            too_deep: None,
            comments: Vec::new(),
        };
        let (mut depth, mut at) = (0usize, 0);
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'/' if bytes.get(at + 1) == Some(&b'/') => {
                    let end = bytes[at..]
                        .iter()
                        .position(|byte| *byte == b'\n')
                        .map_or(bytes.len(), |line| at + line);
                    if bytes.get(at + 2) != Some(&b'/') {
                        scan.comments.push(at..end);
                    }
                    at = end;
                    continue;
                }
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > limit && scan.too_deep.is_none() {
                scan.too_deep = Some(at);
            }
            at += 1;
        }
        scan
    }

    /// The end of the last token before `end`: blanks and comments are cut off.
    pub fn trimmed(&self, text: &str, mut end: usize) -> usize {
        loop {
            end = text.get(..end).map_or(0, |text| {
                text.trim_end_matches([' ', '\t', '\r', '\n']).len()
            });
            let before = self.comments.partition_point(|comment| comment.start < end);
            match before.checked_sub(1).map(|last| &self.comments[last]) {
                Some(comment) if comment.end >= end => end = comment.start,
                _ => return end,
            }
        }
    }
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
        let text = "{ ( // (((\n [ ] ) }";
        assert_eq!(Scan::new(text, 3).too_deep, None);
        assert_eq!(Scan::new(text, 2).too_deep, text.find('['));
    }

    #[test]
    fn scan_sees_the_comments_that_the_grammar_sees() {
        for text in [
            "",
            "/",
            "//",
            "///",
            "////",
            "a//b",
            "a / / b",
            "// x /// y\n/// z // w\n//",
            "a // b\r\n\n// c\n d // e",
            include_str!("../tests/corpus/models.seq"),
        ] {
            let comments: Vec<Range<usize>> = tokens(text)
                .iter()
                .filter(|token| token.kind == TokenKind::Comment)
                .map(|token| token.start..token.end())
                .collect();
            let scan = Scan::new(text, 64);
            assert_eq!(scan.comments, comments, "{text:?}");
            let kept = tokens(text)
                .into_iter()
                .rfind(|token| token.kind != TokenKind::Comment);
            let end = kept.map_or(0, |token| token.start + token.text.trim_end().len());
            assert_eq!(scan.trimmed(text, text.len()), end, "{text:?}");
        }
    }
}
