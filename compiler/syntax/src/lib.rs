//! Source text to AST: spans, diagnostics, parser, formatter.
