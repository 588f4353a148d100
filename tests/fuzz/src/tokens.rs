//! Text as tokens and blanks. Not the grammar's own lexer: a fuzzer must not share the blind spots of what it tests.

/// Pieces whose concatenation is `text`: words with their primes, numbers, blanks, doubled symbols, single characters.
pub fn split(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() || first == '_' {
            let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '\'' | '.');
            rest.find(|c| !word(c)).unwrap_or(rest.len())
        } else if first.is_whitespace() {
            rest.find(|c: char| !c.is_whitespace())
                .unwrap_or(rest.len())
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if ["->", "+=", "<=", ">=", "==", "!="]
            .iter()
            .any(|s| rest.starts_with(s))
        {
            2
        } else {
            first.len_utf8()
        };
        out.push(rest[..length].to_owned());
        rest = &rest[length..];
    }
    out
}

pub fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic())
}

pub fn is_number(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_digit())
}

pub fn is_blank(token: &str) -> bool {
    token.starts_with(char::is_whitespace)
}

/// The end (exclusive) of the bracketed piece that opens at `at`, if something opens there and closes.
pub fn closed(tokens: &[String], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (k, t) in tokens.iter().enumerate().skip(at) {
        match t.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth <= 1 => return (depth == 1).then_some(k + 1),
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return None;
        }
    }
    None
}
