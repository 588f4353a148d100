//! Diagnostics as text: for people, for grep, for programs.
//!
//! Why: three forms of one list; the command line picks. Invariant: rendering is total, whatever the
//! spans: they are cut to the file and widened to whole characters before anything is drawn.

use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::source::{Location, SourceMap, floor_char};
use crate::span::{FileId, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;
use std::ops::Range;

/// Source excerpts with underlines, as rustc draws them; one blank line between diagnostics.
pub fn render_human(map: &SourceMap, diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let drawn: Vec<String> = diagnostics
        .iter()
        .map(|diagnostic| human(map, diagnostic, &renderer))
        .collect();
    match drawn.is_empty() {
        true => String::new(),
        false => drawn.join("\n\n") + "\n",
    }
}

/// `file:line:column: E11 message`, one line each.
pub fn render_short(map: &SourceMap, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let span = diagnostic.primary.span;
        let Location { line, column } = map.location(span.file, span.start);
        let name = map.name(span.file);
        let warning = if diagnostic.is_error() {
            ""
        } else {
            "warning "
        };
        let (code, message) = (diagnostic.code, &diagnostic.message);
        out.push_str(&format!(
            "{name}:{line}:{column}: {warning}{code} {message}\n"
        ));
    }
    out
}

/// One JSON object a line: code, severity, message, notes, help, and the places with file, lines
/// and columns (from 1; the end is exclusive) next to byte offsets.
pub fn render_json(map: &SourceMap, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let object = JsonDiagnostic {
            code: diagnostic.code,
            severity: diagnostic.severity,
            message: &diagnostic.message,
            primary: json_label(map, &diagnostic.primary),
            secondary: diagnostic
                .secondary
                .iter()
                .map(|label| json_label(map, label))
                .collect(),
            notes: &diagnostic.notes,
            help: diagnostic.help.as_deref(),
        };
        // Strings, numbers and lists: serialising them cannot fail.
        out.push_str(&serde_json::to_string(&object).unwrap_or_default());
        out.push('\n');
    }
    out
}

#[derive(Serialize)]
struct JsonDiagnostic<'a> {
    code: &'a str,
    severity: Severity,
    message: &'a str,
    primary: JsonLabel<'a>,
    secondary: Vec<JsonLabel<'a>>,
    notes: &'a [String],
    help: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonLabel<'a> {
    file: &'a str,
    start: Location,
    end: Location,
    bytes: [u32; 2],
    text: &'a str,
}

fn json_label<'a>(map: &'a SourceMap, label: &'a Label) -> JsonLabel<'a> {
    let Span { file, start, end } = label.span;
    JsonLabel {
        file: map.name(file),
        start: map.location(file, start),
        end: map.location(file, end),
        bytes: [start, end],
        text: &label.text,
    }
}

fn human(map: &SourceMap, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code);
    let mut group = Group::with_title(title);
    for file in files(diagnostic) {
        group = group.element(snippet(map, diagnostic, file));
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// The files that a diagnostic speaks of, the primary one first.
fn files(diagnostic: &Diagnostic) -> Vec<FileId> {
    let mut files = vec![diagnostic.primary.span.file];
    for label in &diagnostic.secondary {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    files
}

fn snippet<'a>(
    map: &'a SourceMap,
    diagnostic: &'a Diagnostic,
    file: FileId,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let text = map.text(file);
    let primary = std::iter::once((AnnotationKind::Primary, &diagnostic.primary));
    let secondary = diagnostic
        .secondary
        .iter()
        .map(|label| (AnnotationKind::Context, label));
    let annotations = primary
        .chain(secondary)
        .filter(|(_, label)| label.span.file == file)
        .map(|(kind, label)| {
            let annotation = kind.span(cut(text, label.span));
            let said = (!label.text.is_empty()).then_some(label.text.as_str());
            annotation.label(said)
        });
    Snippet::source(text)
        .path(map.name(file))
        .annotations(annotations)
}

/// The span as a range of whole characters inside `text`.
fn cut(text: &str, span: Span) -> Range<usize> {
    let start = floor_char(text, span.start as usize);
    let end = floor_char(text, span.end as usize).max(start);
    start..end
}
