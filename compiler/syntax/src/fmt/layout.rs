//! Lines of tokens to text: blanks between tokens, indents, breaks of what is too long.
//!
//! Why: all taste is in this file. Invariant: what is written depends on the tokens of a line and
//! its marks only; a comment always ends the line it stands on.

use super::Line;
use super::marks::Marks;
use crate::lex::{Token, TokenKind};

/// Columns of a line; trailing comments may pass it.
const WIDTH: usize = 120;
const INDENT: usize = 4;

pub(super) fn write(lines: &[Line<'_, '_>], marks: &Marks) -> String {
    let mut out = Out {
        text: String::new(),
        marks,
    };
    for line in lines {
        if line.blank {
            out.text.push('\n');
        }
        out.line(line);
    }
    out.text
}

struct Out<'m> {
    text: String,
    marks: &'m Marks,
}

impl Out<'_> {
    fn line(&mut self, line: &Line<'_, '_>) {
        let import = line.tokens.first().is_some_and(|token| token.is("import"));
        for (index, part) in parts(&line.tokens).into_iter().enumerate() {
            let block = part
                .first()
                .is_some_and(|token| self.marks.opens(token.start));
            let deeper = if index == 0 || block { 0 } else { 1 };
            self.part(part, INDENT * (line.indent + deeper), import);
        }
    }

    /// What stands between two forced ends of a line; only its last token may be a comment.
    fn part(&mut self, tokens: &[&Token<'_>], indent: usize, import: bool) {
        if indent + self.width(tokens, import) <= WIDTH {
            return self.row(tokens, indent, import);
        }
        // The domain goes first to a line of its own.
        let domain = tokens
            .iter()
            .skip(1)
            .position(|token| token.is("where"))
            .map(|index| index + 1);
        let (equation, domain) = tokens.split_at(domain.unwrap_or(tokens.len()));
        self.wrap(equation, indent, import);
        if !domain.is_empty() {
            self.wrap(domain, indent + INDENT, import);
        }
    }

    /// Rows no wider than `WIDTH`, broken outside brackets rather than inside, as late as possible.
    fn wrap(&mut self, mut tokens: &[&Token<'_>], indent: usize, import: bool) {
        let mut at = indent;
        while at + self.width(tokens, import) > WIDTH {
            let Some(cut) = self.cut(tokens, WIDTH.saturating_sub(at), import) else {
                break;
            };
            let (row, rest) = tokens.split_at(cut);
            self.row(row, at, import);
            tokens = rest;
            at = indent + INDENT;
        }
        self.row(tokens, at, import);
    }

    /// The loosest place to break a row of at most `width` columns, the last among equals; the first
    /// place at all if none fits.
    fn cut(&self, tokens: &[&Token<'_>], width: usize, import: bool) -> Option<usize> {
        let mut best: Option<((usize, usize), usize)> = None;
        let (mut depth, mut columns) = (0usize, 0usize);
        for (index, token) in tokens.iter().enumerate() {
            if is_close(token) {
                depth = depth.saturating_sub(1);
            }
            if let Some(tier) = index
                .checked_sub(1)
                .and_then(|before| self.break_tier(tokens[before], token))
            {
                match best {
                    Some(_) if columns > width => break,
                    Some((least, _)) if (depth, tier) > least => {}
                    _ => best = Some(((depth, tier), index)),
                }
            }
            let gap = if index == 0 {
                0
            } else {
                self.gap(tokens[index - 1], token, import)
            };
            columns += gap + token.text.chars().count();
            if is_open(token) {
                depth += 1;
            }
        }
        best.map(|(_, index)| index)
    }

    /// How tightly two neighbours hold together; `None` where no row may end. Rows end behind a comma
    /// or before an infix operator.
    fn break_tier(&self, before: &Token<'_>, after: &Token<'_>) -> Option<usize> {
        if after.kind == TokenKind::Comment || self.marks.is_tight(after.start) {
            return None;
        }
        if before.is(",") || before.is(";") {
            return Some(0);
        }
        let operand = before.kind == TokenKind::Number || before.is_ident() || is_close(before);
        let tiers: [&[&str]; 6] = [
            &["or"],
            &["and"],
            &["<", ">", "<=", ">=", "==", "!="],
            &["+", "-"],
            &["*", "/", "%"],
            &["^"],
        ];
        tiers
            .iter()
            .position(|tier| operand && tier.iter().any(|symbol| after.is(symbol)))
    }

    fn row(&mut self, tokens: &[&Token<'_>], indent: usize, import: bool) {
        self.text.extend(std::iter::repeat_n(' ', indent));
        for (index, token) in tokens.iter().enumerate() {
            if index > 0 {
                let gap = self.gap(tokens[index - 1], token, import);
                self.text.extend(std::iter::repeat_n(' ', gap));
            }
            self.text.push_str(token.text.trim_end());
        }
        self.text.push('\n');
    }

    /// Columns of the tokens on one row, without a trailing comment.
    fn width(&self, tokens: &[&Token<'_>], import: bool) -> usize {
        let mut columns = 0;
        for (index, token) in tokens.iter().enumerate() {
            if index > 0 && token.kind == TokenKind::Comment {
                break;
            }
            let gap = if index == 0 {
                0
            } else {
                self.gap(tokens[index - 1], token, import)
            };
            columns += gap + token.text.trim_end().chars().count();
        }
        columns
    }

    /// Blanks between two neighbours on a row.
    fn gap(&self, before: &Token<'_>, after: &Token<'_>, import: bool) -> usize {
        if after.kind == TokenKind::Comment || after.is("where") {
            return 2;
        }
        if self.marks.opens(after.start) {
            return 1;
        }
        if self.marks.is_tight(after.start) && !(before.is("import")) {
            return 0;
        }
        let tight = match after.text {
            ")" | "]" | "}" | "," | ";" | ":" => true,
            "(" => (before.is_ident() && !import) || before.is("]"),
            "[" | "{" => {
                before.is_ident()
                    || before.is("seq")
                    || before.is(">")
                    || is_close(before)
                    || before.kind == TokenKind::Number
            }
            _ => false,
        };
        let opened = is_open(before);
        usize::from(!(tight || opened || self.marks.is_unary(before.start)))
    }
}

/// The parts of a line: one ends behind each comment and before a comment on its own line.
fn parts<'p, 't, 'a>(tokens: &'p [&'t Token<'a>]) -> Vec<&'p [&'t Token<'a>]> {
    let mut parts = Vec::new();
    let mut start = 0;
    for index in 1..tokens.len() {
        let own_line = tokens[index].kind == TokenKind::Comment && tokens[index].first;
        if tokens[index - 1].kind == TokenKind::Comment || own_line {
            parts.push(&tokens[start..index]);
            start = index;
        }
    }
    parts.push(&tokens[start..]);
    parts
}

fn is_open(token: &Token<'_>) -> bool {
    token.is("(") || token.is("[") || token.is("{")
}

fn is_close(token: &Token<'_>) -> bool {
    token.is(")") || token.is("]") || token.is("}")
}
