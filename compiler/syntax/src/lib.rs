//! Source text to AST: spans, diagnostics, parser, formatter.

pub mod ast;
pub mod span;

pub use span::{FileId, Span};
