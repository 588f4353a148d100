//! Tokens of listings. Words may be quoted; `%3` is a value; numbers keep their text.

use crate::parse::ParseError;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Word(String),
    Value(u32),
    Number(String),
    Punct(&'static str),
    End,
}

/// Longest first.
const PUNCTS: [&str; 13] = [
    "->", "//", "(", ")", "[", "]", "{", "}", ",", ";", "=", "/", "*",
];

pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Where the last token given out began.
    began: usize,
    peeked: Option<(Token, usize, usize)>,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Lexer<'a> {
        Lexer {
            text,
            at: 0,
            began: 0,
            peeked: None,
        }
    }

    pub fn next(&mut self) -> Result<Token, ParseError> {
        let (token, from, to) = match self.peeked.take() {
            Some(p) => p,
            None => self.scan()?,
        };
        self.began = from;
        self.at = to;
        Ok(token)
    }

    pub fn peek(&mut self) -> Result<&Token, ParseError> {
        let p = match self.peeked.take() {
            Some(p) => p,
            None => self.scan()?,
        };
        Ok(&self.peeked.insert(p).0)
    }

    /// Is there a line break between the last token and the next?
    pub fn at_new_line(&mut self) -> Result<bool, ParseError> {
        self.peek()?;
        let next = self.peeked.as_ref().map_or(self.at, |p| p.1);
        Ok(self.text[self.at..next].contains('\n'))
    }

    /// An error at the last token.
    pub fn error(&self, message: &str) -> ParseError {
        self.error_at(self.began, message)
    }

    fn error_at(&self, at: usize, message: &str) -> ParseError {
        let before = &self.text[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        ParseError {
            line,
            column,
            message: message.to_owned(),
        }
    }

    fn scan(&self) -> Result<(Token, usize, usize), ParseError> {
        let rest = &self.text[self.at..];
        let from = self.at + (rest.len() - rest.trim_start().len());
        let rest = &self.text[from..];
        let Some(first) = rest.chars().next() else {
            return Ok((Token::End, from, from));
        };
        let run =
            |rest: &str, keep: fn(char) -> bool| rest.find(|c| !keep(c)).unwrap_or(rest.len());
        if first == '"' {
            let (word, len) =
                unquote(rest).ok_or_else(|| self.error_at(from, "a quoted name does not end"))?;
            return Ok((Token::Word(word), from, from + len));
        }
        if first == '%' {
            let n = run(&rest[1..], |c| c.is_ascii_digit());
            let id = rest[1..=n]
                .parse()
                .map_err(|_| self.error_at(from, "expected a number after `%`"))?;
            return Ok((Token::Value(id), from, from + 1 + n));
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let n = run(rest, |c| c.is_ascii_alphanumeric() || "_.'~".contains(c));
            return Ok((Token::Word(rest[..n].to_owned()), from, from + n));
        }
        let digits = rest.strip_prefix('-').unwrap_or(rest);
        if digits.starts_with(|c: char| c.is_ascii_digit()) || digits.starts_with("inf") {
            let n = number_length(rest);
            return Ok((Token::Number(rest[..n].to_owned()), from, from + n));
        }
        match PUNCTS.iter().find(|p| rest.starts_with(**p)) {
            Some(p) => Ok((Token::Punct(p), from, from + p.len())),
            None => Err(self.error_at(from, "this character means nothing here")),
        }
    }
}

/// Digits, letters, dots, and a sign after the exponent's letter.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let hex = text.starts_with("0x");
    let mut n = 1;
    while n < bytes.len() {
        let c = bytes[n];
        let exponent_sign = (c == b'-' || c == b'+') && bytes[n - 1] == b'e' && !hex;
        if !(c.is_ascii_alphanumeric() || c == b'.' || exponent_sign) {
            break;
        }
        n += 1;
    }
    n
}

/// The text of a quoted word and its length with quotes: the escapes of `{:?}`.
fn unquote(text: &str) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, at + 1)),
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                '0' => out.push('\0'),
                'u' => {
                    let mut code = 0u32;
                    let open = chars.next()?.1;
                    if open != '{' {
                        return None;
                    }
                    loop {
                        match chars.next()?.1 {
                            '}' => break,
                            c => code = code.checked_mul(16)?.checked_add(c.to_digit(16)?)?,
                        }
                    }
                    out.push(char::from_u32(code)?);
                }
                c => out.push(c),
            },
            c => out.push(c),
        }
    }
    None
}
