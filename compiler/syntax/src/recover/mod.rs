//! All syntax errors of a file that does not parse.
//!
//! Why: a reader wants every error of a run, not the first. The file is read again piece by piece
//! with the grammar's `…_step` rules; after an error, reading goes on at the next statement or item.
//! Invariant: the list is never empty and never longer than `MAX_ERRORS`; every round of every loop
//! takes a token or ends. Recursion follows braces, which the nesting limit has bounded.

mod stmts;

use crate::complain::Complaint;
use crate::diagnostic::Diagnostic;
use crate::expected::Failure;
use crate::grammar::{Rule, SeqParser};
use crate::lex::{self, Token, TokenKind};
use crate::source::SourceMap;
use crate::span::{FileId, Span};
use pest::Parser;

/// More errors than this tell a reader nothing new.
const MAX_ERRORS: usize = 20;

/// The errors of a file for which `Rule::file` failed.
pub(crate) fn errors(map: &SourceMap, file: FileId) -> Vec<Diagnostic> {
    // A switch of the whole process; it only makes failing parses say more.
    pest::set_error_detail(true);
    let text = map.text(file);
    let tokens = lex::tokens(text)
        .into_iter()
        .filter(|token| token.kind != TokenKind::Comment)
        .collect();
    let mut recovery = Recovery {
        map,
        file,
        text,
        tokens,
        at: 0,
        errors: Vec::new(),
    };
    recovery.file();
    if recovery.errors.is_empty() {
        recovery.at = 0;
        let _ = recovery.step(Rule::file);
    }
    recovery.errors.sort_by_key(|error| error.primary.span);
    recovery.errors.truncate(MAX_ERRORS);
    recovery.errors
}

struct Recovery<'a> {
    map: &'a SourceMap,
    file: FileId,
    text: &'a str,
    /// Without comments.
    tokens: Vec<Token<'a>>,
    /// The next token.
    at: usize,
    errors: Vec<Diagnostic>,
}

impl<'a> Recovery<'a> {
    fn token(&self, index: usize) -> Option<Token<'a>> {
        self.tokens.get(index).copied()
    }

    fn now(&self) -> Option<Token<'a>> {
        self.token(self.at)
    }

    fn now_is(&self, text: &str) -> bool {
        self.now().is_some_and(|token| token.is(text))
    }

    fn span(&self, index: usize) -> Span {
        match self.token(index) {
            Some(token) => Span::new(self.file, token.start as u32, token.end() as u32),
            None => {
                let end = self.tokens.last().map_or(0, Token::end) as u32;
                Span::new(self.file, end, end)
            }
        }
    }

    fn full(&self) -> bool {
        self.errors.len() >= MAX_ERRORS
    }

    /// Reads one rule at the current token and moves behind it; or says what is wrong, stays, and
    /// gives the index of the token that was refused.
    fn step(&mut self, rule: Rule) -> Result<(), usize> {
        let start = self.now().map_or(self.text.len(), |token| token.start);
        match SeqParser::parse(rule, &self.text[start..]) {
            Ok(pairs) => {
                let end = start + pairs.as_str().len();
                let passed = self.tokens[self.at..]
                    .iter()
                    .take_while(|token| token.start < end)
                    .count();
                self.at += passed;
                Ok(())
            }
            Err(error) => {
                let failure = Failure::new(&error);
                let refused = self.refused(start, &failure);
                let complaint = Complaint {
                    tokens: &self.tokens,
                    from: self.at,
                    refused,
                    failure: &failure,
                };
                let diagnostic = complaint.diagnostic(|index| self.span(index));
                self.errors.push(diagnostic);
                Err(refused)
            }
        }
    }

    /// The first token that ends behind the place of failure (for a bad word: not before it).
    fn refused(&self, start: usize, failure: &Failure) -> usize {
        let at = start + failure.at;
        self.tokens.partition_point(|token| {
            if failure.in_word {
                token.end() < at
            } else {
                token.end() <= at
            }
        })
    }

    // ---- files and items --------------------------------------------------------------------------

    fn file(&mut self) {
        self.edition();
        let mut items = false;
        while let Some(token) = self.now().filter(|_| !self.full()) {
            match token.text {
                _ if token.kind == TokenKind::Doc => self.docs(),
                "import" => {
                    if items {
                        let error = Diagnostic::error(
                            "E01",
                            "imports stand at the top of a file",
                            self.span(self.at),
                        );
                        self.errors.push(
                            error
                                .label("after an item")
                                .help("move it below the line `seq 1`"),
                        );
                    }
                    let read = self.step(Rule::import_step);
                    self.next_item_unless(read);
                }
                "mixer" | "model" => {
                    items = true;
                    let read = self.step(Rule::mixer_step);
                    self.block(read, Rule::stmt_step);
                }
                "recipe" => {
                    items = true;
                    let read = self.step(Rule::recipe_step);
                    self.block(read, Rule::setting_step);
                }
                _ => self.no_item(token),
            }
        }
    }

    fn edition(&mut self) {
        if self.now_is("seq") {
            let read = self.step(Rule::edition_step);
            return self.next_item_unless(read);
        }
        let what = if self.tokens.is_empty() {
            "the file is empty"
        } else {
            "the file does not start with its edition"
        };
        let span = self
            .now()
            .map_or(Span::new(self.file, 0, 0), |_| self.span(self.at));
        let error = Diagnostic::error("E01", what, span).label("expected `seq 1`");
        self.errors
            .push(error.help("write `seq 1` as the first line"));
    }

    fn docs(&mut self) {
        while self.now().is_some_and(|token| token.kind == TokenKind::Doc) {
            self.at += 1;
        }
        let described = match self.now() {
            Some(token) => token.text != "import",
            None => false,
        };
        if !described {
            let error = Diagnostic::error(
                "E01",
                "this doc line describes nothing",
                self.span(self.at - 1),
            );
            self.errors.push(
                error
                    .label("no mixer, model or recipe follows")
                    .help("for a remark write `//`"),
            );
        }
    }

    fn no_item(&mut self, token: Token<'a>) {
        let span = self.span(self.at);
        let error = match token.text {
            "}" => Diagnostic::error("E01", "this `}` closes nothing", span)
                .label("no `{` is open here"),
            "seq" => Diagnostic::error("E01", "the edition is given once, at the top", span)
                .label("here again"),
            text => {
                let message = format!(
                    "expected `mixer`, `model` or `recipe`, found {}",
                    quoted(text)
                );
                Diagnostic::error("E01", message, span).label("no item starts like this")
            }
        };
        self.errors.push(error);
        self.at += 1;
        self.next_item();
    }

    fn next_item_unless(&mut self, read: Result<(), usize>) {
        if read.is_err() {
            self.at += 1;
            self.next_item();
        }
    }

    /// Moves to the next line that starts an item or an import.
    fn next_item(&mut self) {
        while self.now().is_some_and(|token| {
            !(token.first && (starts_item(&token) || token.kind == TokenKind::Doc))
        }) {
            self.at += 1;
        }
    }

    /// After a header: the block behind it, which a broken header is given if its line ends in `{`.
    fn block(&mut self, read: Result<(), usize>, rule: Rule) {
        if let Err(refused) = read {
            let Some(open) = self.block_after(refused) else {
                self.at += 1;
                return self.next_item();
            };
            self.at = open + 1;
        }
        self.stmts(self.at - 1, rule);
    }

    /// The next `{` that ends its line, before another item begins.
    fn block_after(&self, refused: usize) -> Option<usize> {
        let rest = self
            .tokens
            .iter()
            .enumerate()
            .skip(refused.max(self.at + 1));
        let mut within = rest.take_while(|(_, token)| !(token.first && starts_item(token)));
        within
            .find(|(index, token)| {
                token.is("{") && self.token(index + 1).is_none_or(|next| next.first)
            })
            .map(|(index, _)| index)
    }
}

fn starts_item(token: &Token<'_>) -> bool {
    ["mixer", "model", "recipe", "import"]
        .iter()
        .any(|word| token.is(word))
}

/// A token between backquotes; what does not print is given by its code.
pub(crate) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(32).collect();
    match shown
        .chars()
        .find(|letter| letter.is_control() || (!letter.is_alphanumeric() && !letter.is_ascii()))
    {
        Some(letter) => format!("the character U+{:04X}", letter as u32),
        None if shown.len() < text.len() => format!("`{shown}…`"),
        None => format!("`{shown}`"),
    }
}
