//! Source text to AST: spans, diagnostics, parser, formatter.
//!
//! Deliberately absent: names, axes, sizes and imports. Nothing here knows what a name stands for.

pub mod ast;
mod build;
mod complain;
mod diagnostic;
mod dump;
mod expected;
mod fmt;
mod grammar;
mod lex;
mod parse;
mod recover;
mod render;
mod source;
pub mod span;
mod suggest;

pub use diagnostic::{Diagnostic, Label, Severity};
pub use dump::dump;
pub use fmt::format_source;
pub use parse::{MAX_DEPTH, MAX_NESTING, parse};

pub use render::{render_human, render_json, render_short};
pub use source::{Location, MAX_BYTES, SourceMap};
pub use span::{FileId, Span};
pub use suggest::did_you_mean;
