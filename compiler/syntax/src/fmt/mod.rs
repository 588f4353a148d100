//! The formatter: one canonical layout of a file that parses.
//!
//! Why: it works on tokens, with the grammar's pairs telling where lines begin, so that comments,
//! number spellings and parentheses survive by construction. Invariant: the output has exactly the
//! tokens of the input (blanks at the ends of comments aside), and formatting it again changes
//! nothing: breaks inside a statement depend on its tokens alone, never on how it was broken before.

mod layout;
mod marks;

use crate::diagnostic::Diagnostic;
use crate::lex::{self, Token, TokenKind};
use crate::parse::{self, parse};
use crate::source::SourceMap;
use marks::Marks;

/// The canonical form of a source text; its errors (spans in file 0) if it does not parse.
pub fn format_source(text: &str) -> Result<String, Vec<Diagnostic>> {
    let mut map = SourceMap::new();
    let file = map.add("", text);
    let (_, errors) = parse(&map, file);
    if !errors.is_empty() {
        return Err(errors);
    }
    let tokens = lex::tokens(text);
    let Some(pair) = parse::pairs(text) else {
        return Ok(text.to_string());
    };
    let marks = Marks::new(pair, &tokens);
    let lines = lines(text, &tokens, &marks);
    Ok(layout::write(&lines, &marks))
}

/// A statement, header, brace or comment: what begins on a line of its own.
struct Line<'t, 'a> {
    /// With the comments in it and behind it.
    tokens: Vec<&'t Token<'a>>,
    /// Blocks around it.
    indent: usize,
    /// One empty line above it.
    blank: bool,
}

impl Line<'_, '_> {
    fn is_comment(&self) -> bool {
        self.tokens
            .first()
            .is_some_and(|token| token.kind == TokenKind::Comment)
    }
}

fn lines<'t, 'a>(text: &str, tokens: &'t [Token<'a>], marks: &Marks) -> Vec<Line<'t, 'a>> {
    let mut lines: Vec<Line<'t, 'a>> = Vec::new();
    let mut indent = 0usize;
    let mut after_open = true;
    for (index, token) in tokens.iter().enumerate() {
        let closes = marks.closes(token.start);
        if closes {
            indent = indent.saturating_sub(1);
        }
        if begins(tokens, index, marks) {
            let blank = !closes
                && !after_open
                && index > 0
                && gap_is_blank(text, &tokens[index - 1], token);
            lines.push(Line {
                tokens: vec![token],
                indent,
                blank,
            });
        } else if let Some(line) = lines.last_mut() {
            line.tokens.push(token);
        }
        after_open = marks.opens(token.start)
            || (after_open && !token.first && token.kind == TokenKind::Comment);
        if marks.opens(token.start) {
            indent += 1;
        }
    }
    part_head(&mut lines, marks);
    lines
}

/// Whether a token begins a line: by its mark, or as a comment on its own line between lines.
fn begins(tokens: &[Token<'_>], index: usize, marks: &Marks) -> bool {
    let token = &tokens[index];
    if token.kind != TokenKind::Comment {
        return index == 0 || marks.begins(token.start);
    }
    let next = tokens[index..]
        .iter()
        .find(|token| token.kind != TokenKind::Comment);
    token.first && next.is_none_or(|next| marks.begins(next.start))
}

fn gap_is_blank(text: &str, before: &Token<'_>, after: &Token<'_>) -> bool {
    text.get(before.end()..after.start)
        .unwrap_or("")
        .matches('\n')
        .count()
        > 1
}

/// An empty line between the edition with its imports and the first item with its comments.
fn part_head(lines: &mut [Line<'_, '_>], marks: &Marks) {
    let is_item = |line: &Line<'_, '_>| {
        line.tokens
            .first()
            .is_some_and(|token| marks.first_item == Some(token.start))
    };
    let Some(mut first) = lines.iter().position(is_item) else {
        return;
    };
    while first > 0 && !lines[first].blank && lines[first - 1].is_comment() {
        first -= 1;
    }
    if first > 0 {
        lines[first].blank = true;
    }
}
