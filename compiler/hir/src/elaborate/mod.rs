//! The entry points: elaborate one mixer with given settings; check all mixers of a file.
//!
//! A mixer by itself has free sizes (`d` of `x: seq{d}`); they are given as settings, or the first size is taken
//! for which every default is whole.

mod header;
mod range;
mod result;
mod told;
mod whole;

use crate::budget::MAX_ERRORS;
use crate::elab::Elab;
use crate::program::Program;
use crate::recipe;
use header::{free_axes, header_is_whole};
pub use range::Range;
pub use result::{Causality, Elaborated, Setting, Vocabulary};
use seqc_syntax::{Diagnostic, Span, did_you_mean};
use told::Told;
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
            Some(id) => run(program, id, settings, false).0,
            None => Err(vec![no_item(program, item)]),
        }
    })
}

/// Checks every mixer and recipe of the file: errors, and warnings (N01) for what cannot be built yet. What unfolds to
/// too much is the last that is checked, since what calls it unfolds to more.
pub fn check(program: &Program) -> Vec<Diagnostic> {
    let mut all = Told::default();
    let own = program.own();
    for (n, id) in own.iter().enumerate() {
        let (said, over) = checked(program, *id);
        said.into_iter().for_each(|d| all.add(d));
        if over || all.errors() >= MAX_ERRORS {
            all.unchecked(own.len() - n - 1);
            break;
        }
    }
    for r in program.recipes() {
        for d in recipe::check(r, program).err().unwrap_or_default() {
            all.add(d);
        }
    }
    all.diags
}

/// Checks one mixer.
pub fn check_item(program: &Program, id: usize) -> Vec<Diagnostic> {
    checked(program, id).0
}

/// The same, and whether it unfolds to too much.
fn checked(program: &Program, id: usize) -> (Vec<Diagnostic>, bool) {
    deep(|| {
        let (done, over) = run(program, id, &[], true);
        (done.map_or_else(|e| e, |done| done.warnings), over)
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
) -> (Result<Elaborated, Vec<Diagnostic>>, bool) {
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
    let said = el.said();
    // An error in a line that no output needs is an error all the same.
    let done = match done {
        Some(done) if !said.iter().any(Diagnostic::is_error) => Ok(Elaborated {
            warnings: said,
            ..done
        }),
        _ => Err(said),
    };
    (done, el.spent.over)
}
