//! What is said to a person: errors in one form, with colours where a terminal shows them.

use seqc_driver::Error;
use seqc_syntax::{Diagnostic, SourceMap, render_human};
use std::io::{IsTerminal, Write};

/// Colours on a terminal, unless `NO_COLOR` (no-color.org) or a terminal without any says otherwise.
pub fn colours() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
    std::io::stderr().is_terminal() && !set("NO_COLOR") && !dumb
}

/// To standard error. That nobody can read it is no reason to stop.
pub fn tell(text: &str) {
    let _unseen = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Diagnostics with the text that they point into, as standard error shows them.
pub fn diagnostics(map: &SourceMap, all: &[Diagnostic]) -> String {
    render_human(map, all, colours())
}

/// Any error, its kind before it.
pub fn error(e: &Error) -> String {
    match e {
        Error::Source(map, all) => diagnostics(map, all),
        Error::Usage(why) | Error::Other(why) => {
            let word = match colours() {
                true => "\x1b[1;31merror\x1b[0m\x1b[1m:\x1b[0m",
                false => "error:",
            };
            format!("{word} {}\n", why.trim_end())
        }
    }
}
