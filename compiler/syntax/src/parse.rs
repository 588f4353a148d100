//! Bytes to AST: limits first, then the grammar, then the rule of one statement a line.
//!
//! Why: one entry for every caller. Invariant: `parse` is total on any bytes and gives a tree exactly
//! when it gives no error, so that later stages never see half a file.

use crate::ast::{Body, File, ItemKind, Stmt};
use crate::build::build;
use crate::diagnostic::Diagnostic;
use crate::grammar::{Rule, SeqParser};
use crate::lex::Scan;
use crate::recover;
use crate::source::{MAX_BYTES, SourceMap};
use crate::span::{FileId, Span};
use pest::Parser;
use pest::iterators::Pair;

/// Brackets may nest this deep: what bounds the parser's stack.
pub const MAX_NESTING: usize = 64;

/// Expression trees may be this deep: what bounds the stack of everything that walks them.
pub const MAX_DEPTH: usize = 256;

/// Reads a file of the map. The tree is there exactly when the list is empty.
///
/// Errors: E01 (what is written is not in the language), E02 (two statements on one line); several
/// of them where the text lets the parser find the next statement.
pub fn parse(map: &SourceMap, file: FileId) -> (Option<File>, Vec<Diagnostic>) {
    if let Some(error) = refuse(map, file) {
        return (None, vec![error]);
    }
    let text = map.text(file);
    let scan = Scan::new(text, MAX_NESTING);
    if let Some(at) = scan.too_deep {
        return (None, vec![too_nested(file, at)]);
    }
    let Ok(mut pairs) = SeqParser::parse(Rule::file, text) else {
        return (None, recover::errors(map, file));
    };
    let (tree, mut errors) = match pairs.next() {
        Some(pair) => build(file, text, &scan, pair),
        None => (None, Vec::new()),
    };
    if let Some(tree) = &tree {
        shared_lines(map, tree, &mut errors);
    } else if errors.is_empty() {
        errors.push(Diagnostic::error(
            "E01",
            "the parser's grammar and tree disagree",
            Span::new(file, 0, 0),
        ));
    }
    errors.sort_by_key(|error| error.primary.span);
    (tree.filter(|_| errors.is_empty()), errors)
}

/// The pairs of a file that `parse` accepts, for the formatter.
pub(crate) fn pairs<'a>(text: &'a str) -> Option<Pair<'a, Rule>> {
    SeqParser::parse(Rule::file, text).ok()?.next()
}

/// What makes a file unreadable as text.
fn refuse(map: &SourceMap, file: FileId) -> Option<Diagnostic> {
    if map.size(file) > MAX_BYTES {
        let message = format!("the file has more than {MAX_BYTES} bytes");
        return Some(
            Diagnostic::error("E01", message, Span::new(file, 0, 0))
                .help("split it into files and import them"),
        );
    }
    let at = map.bad_utf8(file)?;
    // In the text the bad bytes stand as one replacement character of three bytes.
    let span = Span::new(file, at, at + 3);
    Some(
        Diagnostic::error("E01", "the file is not UTF-8", span)
            .label("the first byte that is not")
            .help("save it as UTF-8"),
    )
}

fn too_nested(file: FileId, at: usize) -> Diagnostic {
    let span = Span::new(file, at as u32, at as u32 + 1);
    let message = format!("brackets nest more than {MAX_NESTING} deep");
    Diagnostic::error("E01", message, span)
        .label("one level too many")
        .help("name a part of it in an equation of its own")
}

/// E02 over the whole tree.
fn shared_lines(map: &SourceMap, tree: &File, errors: &mut Vec<Diagnostic>) {
    for item in &tree.items {
        match &item.kind {
            ItemKind::Mixer(mixer) => body_lines(map, &mixer.body, errors),
            ItemKind::Recipe(recipe) => {
                let spans: Vec<Span> = recipe.settings.iter().map(|setting| setting.span).collect();
                sibling_lines(map, &spans, errors);
            }
        }
    }
}

fn body_lines(map: &SourceMap, body: &Body, errors: &mut Vec<Diagnostic>) {
    let spans: Vec<Span> = body.stmts.iter().map(Stmt::span).collect();
    sibling_lines(map, &spans, errors);
    for stmt in &body.stmts {
        if let Stmt::Repeat(repeat) = stmt {
            body_lines(map, &repeat.body, errors);
        }
    }
}

fn sibling_lines(map: &SourceMap, spans: &[Span], errors: &mut Vec<Diagnostic>) {
    for pair in spans.windows(2) {
        if map.line(pair[0].file, pair[0].end) == map.line(pair[1].file, pair[1].start) {
            errors.push(two_statements(pair[0], pair[1]));
        }
    }
}

/// E02: `second` starts on the line on which `first` ends.
pub(crate) fn two_statements(first: Span, second: Span) -> Diagnostic {
    Diagnostic::error("E02", "two statements on one line", second)
        .label("a second statement starts here")
        .secondary(first, "the first one ends on this line")
        .help("write the missing operator between them, or break the line")
}
