//! The entry points: elaborate one mixer with given settings; check all mixers of a file.
//!
//! A mixer by itself has free sizes (`d` of `x: seq{d}`); they are given as settings, or the first size is taken
//! for which every default is whole.

mod header;
mod range;
mod result;
mod whole;

use crate::elab::Elab;
use crate::program::Program;
use crate::recipe;
use header::{free_axes, header_is_whole};
pub use range::Range;
pub use result::{Causality, Elaborated, Setting, Vocabulary};
use seqc_syntax::{Diagnostic, Span, did_you_mean};
use std::collections::HashSet;
use whole::whole;

/// Sizes tried for free axes.
const CANDIDATES: &[usize] = &[64, 128, 96, 192, 256, 384, 512, 768, 60];
/// Stack of the elaborating thread: mixers nest, expressions nest, and both are bounded.
const STACK: usize = 256 << 20;

/// Elaborates `item` with settings by name (`h` = `4`, `f` = `gla`). Errors: everything that `check` finds for
/// these settings, E24 for settings it does not have, N01 for constructs that are not built yet.
pub fn elaborate(
    program: &Program,
    item: &str,
    settings: &[(String, String)],
) -> Result<Elaborated, Vec<Diagnostic>> {
    deep(|| {
        match program
            .own()
            .into_iter()
            .find(|i| program.mixer(*i).name.text == item)
        {
            Some(id) => run(program, id, settings, false),
            None => Err(vec![no_item(program, item)]),
        }
    })
}

/// Checks every mixer and recipe of the file: errors, and warnings (N01) for what cannot be built yet.
pub fn check(program: &Program) -> Vec<Diagnostic> {
    let mut all: Vec<Diagnostic> = Vec::new();
    let add = |all: &mut Vec<Diagnostic>, d: Diagnostic| {
        if !all.iter().any(|o| o.code == d.code && same_place(o, &d)) {
            all.push(d);
        }
    };
    for id in program.own() {
        for d in check_item(program, id) {
            add(&mut all, d);
        }
    }
    for r in program.recipes() {
        for d in recipe::check(r, program).err().unwrap_or_default() {
            add(&mut all, d);
        }
    }
    all
}

/// The same place, or the same circle entered elsewhere.
fn same_place(a: &Diagnostic, b: &Diagnostic) -> bool {
    let places = |d: &Diagnostic| -> HashSet<Span> {
        let labels = d.secondary.iter().chain([&d.primary]);
        labels.map(|l| l.span).collect()
    };
    a.primary.span == b.primary.span || a.code == "E26" && places(a) == places(b)
}

/// Checks one mixer.
pub fn check_item(program: &Program, id: usize) -> Vec<Diagnostic> {
    deep(|| match run(program, id, &[], true) {
        Ok(done) => done.warnings,
        Err(diags) => diags,
    })
}

pub(crate) fn no_item(program: &Program, item: &str) -> Diagnostic {
    let own = program.own();
    let names: Vec<&str> = own
        .iter()
        .map(|i| program.mixer(*i).name.text.as_str())
        .collect();
    let file = program.modules.first().map(|m| m.file).unwrap_or_default();
    let d = Diagnostic::error(
        "E03",
        format!("this file has no mixer `{item}`"),
        Span::new(file, 0, 0),
    );
    match did_you_mean(item, names.iter().copied()) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d.help(format!("it has {}", names.join(", "))),
    }
}

/// Runs on a stack of its own, so that deep programs do not depend on the caller's.
fn deep<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, f);
        match thread.map(|t| t.join()) {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // Without a thread there is no memory to go on with.
            Err(e) => panic!("no thread to elaborate on: {e}"),
        }
    })
}

fn run(
    program: &Program,
    id: usize,
    settings: &[(String, String)],
    checking: bool,
) -> Result<Elaborated, Vec<Diagnostic>> {
    let mixer = program.mixer(id);
    let free = free_axes(mixer);
    let unset = free.iter().any(|n| !settings.iter().any(|(k, _)| k == n));
    let mut size = CANDIDATES[0];
    if unset {
        size = CANDIDATES
            .iter()
            .copied()
            .find(|k| header_is_whole(program, id, settings, *k))
            .unwrap_or(size);
    }
    let mut el = Elab::new(program, &mixer.name.text, checking);
    el.stack.push((id, mixer.name.span));
    let done = whole(&mut el, id, settings, size);
    let said = std::mem::take(&mut el.diags);
    // An error in a line that no output needs is an error all the same.
    match done {
        Some(done) if !said.iter().any(Diagnostic::is_error) => Ok(Elaborated {
            warnings: said,
            ..done
        }),
        _ => Err(said),
    }
}
