//! The text as tokens with their byte positions.

use super::{Result, Wrong};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// Letters, digits, `_`, and dots between words.
    Word(String),
    Quoted(String),
    /// Digits as written: the parser knows whether a whole number is wanted.
    Number(String),
    Symbol(&'static str),
}

/// Longer symbols first.
const SYMBOLS: [&str; 28] = [
    "..", "+=", "<=", ">=", "==", "!=", "&&", "||", "<", ">", "=", "+", "-", "*", "/", "%", "!",
    "(", ")", "[", "]", "{", "}", ",", ";", ":", "$", "#",
];

pub(crate) fn tokens(text: &str) -> Result<Vec<(usize, Token)>> {
    let mut all = vec![];
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, len) = if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        } else if c.is_ascii_digit() {
            let n = number(rest);
            (Token::Number(n.to_string()), n.len())
        } else if c.is_ascii_alphabetic() || c == '_' {
            let w = word(rest);
            (Token::Word(w.to_string()), w.len())
        } else if c == '"' {
            quoted(rest).ok_or_else(|| Wrong {
                at,
                message: "a name in quotes has no end".into(),
            })?
        } else if let Some(s) = SYMBOLS.iter().find(|s| rest.starts_with(**s)) {
            (Token::Symbol(s), s.len())
        } else {
            return Err(Wrong {
                at,
                message: format!("`{c}` means nothing here"),
            });
        };
        all.push((at, token));
        at += len;
    }
    Ok(all)
}

/// A decimal number; a dot belongs to it only if a digit follows, so that `0..8` is a range.
fn number(rest: &str) -> &str {
    let b = rest.as_bytes();
    if let Some(digits) = rest.strip_prefix("0x") {
        let end = digits.find(|c: char| !c.is_ascii_hexdigit());
        return &rest[..end.map_or(rest.len(), |e| e + 2)];
    }
    let digits = |mut i: usize| {
        while b.get(i).is_some_and(u8::is_ascii_digit) {
            i += 1;
        }
        i
    };
    let mut end = digits(0);
    if b.get(end) == Some(&b'.') && b.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end = digits(end + 1);
    }
    if b.get(end) == Some(&b'e') {
        let sign = usize::from(matches!(b.get(end + 1), Some(b'-' | b'+')));
        if b.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            end = digits(end + 1 + sign);
        }
    }
    &rest[..end]
}

fn word(rest: &str) -> &str {
    let b = rest.as_bytes();
    let letter = |i: usize| {
        b.get(i)
            .is_some_and(|c| c.is_ascii_alphanumeric() || *c == b'_')
    };
    let mut end = 0;
    while letter(end) || (b.get(end) == Some(&b'.') && letter(end + 1)) {
        end += 1;
    }
    &rest[..end]
}

fn quoted(rest: &str) -> Option<(Token, usize)> {
    let mut name = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Some((Token::Quoted(name), i + 1)),
            '\\' => name.push(chars.next()?.1),
            c => name.push(c),
        }
    }
    None
}
