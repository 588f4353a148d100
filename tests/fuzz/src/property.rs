//! What must hold of any text. A violation panics; the answer says whether the text got through to the end.

use seqc_algebra::{Func, Op};
use seqc_hir::{NoImports, check_item, elaborate, load, print_hir};
use seqc_syntax::{
    Diagnostic, SourceMap, dump, format_source, parse, render_human, render_json, render_short,
};

/// Any bytes: the parser is total, rendering too, and what parses survives the formatter.
pub fn parses(bytes: &[u8]) -> bool {
    let mut map = SourceMap::new();
    let file = map.add("fuzz.seq", bytes);
    let (tree, errors) = parse(&map, file);
    assert_eq!(tree.is_some(), errors.is_empty());
    shown(&map, &errors);
    let Some(tree) = tree else { return false };
    let once = format_source(map.text(file)).expect("what parses can be formatted");
    let again = map.add("again.seq", once.as_str());
    let (second, errors) = parse(&map, again);
    assert!(errors.is_empty(), "the formatter broke it");
    assert_eq!(second.map(|tree| dump(&tree)), Some(dump(&tree)));
    assert_eq!(format_source(&once).as_deref(), Ok(once.as_str()));
    true
}

/// Any text: it is refused in words, or every mixer that checks elaborates to a program that the algebra accepts.
pub fn checks(bytes: &[u8]) -> bool {
    let mut map = SourceMap::new();
    let file = map.add("fuzz.seq", bytes);
    let program = match load(&mut map, file, &NoImports) {
        Ok(program) => program,
        Err(errors) => {
            assert!(
                errors.iter().any(Diagnostic::is_error),
                "refused without an error"
            );
            shown(&map, &errors);
            return false;
        }
    };
    let mut built = false;
    let sum = bytes.iter().fold(0usize, |n, b| {
        n.wrapping_mul(31).wrapping_add(usize::from(*b))
    });
    for id in program.own() {
        let found = check_item(&program, id);
        shown(&map, &found);
        let name = &program.mixer(id).name.text;
        // A mixer without a doubt or a missing setting can be built.
        let complete = program.mixer(id).hypers.iter().all(|h| h.default.is_some());
        match elaborate(&program, name, &[]) {
            Ok(e) => {
                assert!(
                    !found.iter().any(Diagnostic::is_error),
                    "`{name}` elaborates, but does not check: {found:?}"
                );
                built = true;
                sound(&e.func);
                print_hir(&e);
            }
            Err(errors) => {
                shown(&map, &errors);
                assert!(
                    errors.iter().any(Diagnostic::is_error),
                    "`{name}` is refused without an error"
                );
                let twice = program
                    .own()
                    .iter()
                    .filter(|i| program.mixer(**i).name.text == *name)
                    .count()
                    > 1;
                assert!(
                    twice || !complete || !found.is_empty(),
                    "`{name}` checks, but does not elaborate: {errors:?}"
                );
            }
        }
        // With a setting or a size as a command line gives it.
        let mixer = program.mixer(id);
        let axes = mixer.inputs.iter().flat_map(|p| &p.ty.axes);
        let known: Vec<&str> = axes
            .chain(mixer.hypers.iter().map(|h| &h.name))
            .map(|n| n.text.as_str())
            .collect();
        if let Some(key) = known.get(sum % known.len().max(1)) {
            let value = VALUES[sum / 7 % VALUES.len()];
            match elaborate(&program, name, &[((*key).to_owned(), value.to_owned())]) {
                Ok(e) => sound(&e.func),
                Err(errors) => {
                    shown(&map, &errors);
                    assert!(
                        errors.iter().any(Diagnostic::is_error),
                        "`{name}` with {key} = {value} is refused without an error"
                    );
                }
            }
        }
    }
    built
}

const VALUES: &[&str] = &[
    "1",
    "2",
    "3",
    "7",
    "96",
    "0",
    "-1",
    "0.5",
    "inf",
    "-inf",
    "1e18",
    "4294967296",
    "true",
    "rope",
    "nonsense",
    "",
];

/// The verifier accepts it, and its text is read back as the same text.
fn sound(func: &Func) {
    seqc_algebra::verify(func).unwrap_or_else(|e| panic!("{e}\n{func}"));
    // Unrolled layers make megabytes; reading those back tells nothing new.
    if func.values.len() > 3000
        || func
            .values
            .iter()
            .any(|v| matches!(v.op, Op::Const(n) if n.0.is_nan()))
    {
        return;
    }
    let text = func.to_string();
    let again = seqc_algebra::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(again.to_string(), text);
}

/// Every diagnostic has words and a place that exists, in each format.
fn shown(map: &SourceMap, diagnostics: &[Diagnostic]) {
    for d in diagnostics {
        assert!(!d.message.is_empty() && !d.code.is_empty(), "{d:?}");
        let span = d.primary.span;
        let text = map.text(span.file);
        let (start, end) = (span.start as usize, span.end as usize);
        assert!(
            start <= end && text.get(start..end).is_some(),
            "{d:?} lies outside of the file"
        );
    }
    render_human(map, diagnostics, false);
    assert_eq!(
        render_short(map, diagnostics).lines().count(),
        diagnostics.len()
    );
    assert_eq!(
        render_json(map, diagnostics).lines().count(),
        diagnostics.len()
    );
}
